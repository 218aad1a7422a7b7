//! Waiting for what a real service does in its own time. It is no way to wait for our own code.

use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a kubelet on two busy cores to rotate a log twice; a healthy machine needs a fraction.
const DEADLINE: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(200);

/// Asks again until `attempt` has an answer.
///
/// # Panics
///
/// When two minutes have passed without one; `what` says what was missed.
pub fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(
            start.elapsed() <= DEADLINE,
            "{what}: not seen within {} s",
            DEADLINE.as_secs()
        );
        thread::sleep(PAUSE);
    }
}

//! Running other programs and saying what is being done. It decides nothing.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the one place where chores speak to whoever called them"
)]

use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Of what a failed program said, this many last lines are repeated.
const QUOTED_LINES: usize = 15;
const PAUSE: Duration = Duration::from_millis(100);
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// One line of progress, with the seconds since the first.
pub(crate) fn say(what: &str) {
    println!("[{:4} s] {what}", START.elapsed().as_secs());
}

/// The causes of a failure, once, on one line.
pub(crate) fn complain(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}

/// Runs a program to its end and returns what it printed.
///
/// A failure quotes the last lines that the program wrote.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let problem = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{name} failed ({}): {}",
            output.status,
            last_lines(if problem.trim().is_empty() { &text } else { &problem })
        );
    }
    Ok(text)
}

/// The end of a text: where programs say why they gave up.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let skipped = lines.len().saturating_sub(QUOTED_LINES);
    lines.into_iter().skip(skipped).collect::<Vec<_>>().join("\n")
}

/// Asks again until the answer is yes, an error or `limit` has passed.
pub(crate) fn wait_for(what: &str, limit: Duration, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !is_so()? {
        if start.elapsed() > limit {
            bail!("{what}: not within {} s", limit.as_secs());
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

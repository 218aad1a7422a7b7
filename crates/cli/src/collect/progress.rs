//! What a person sees while a run goes on: a line for each running action on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use periscope_core::{ActionProgress, Progress, State};
use tokio::time::{MissedTickBehavior, interval};

use crate::exit::tell;
use crate::run::show_size;

/// Time between two looks at a terminal's display.
const TERMINAL_TICK: Duration = Duration::from_millis(120);
/// Time between two looks where plain lines are written.
const PLAIN_TICK: Duration = Duration::from_millis(500);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Display {
    /// Lines that change in place.
    Terminal,
    /// A line when an action has ended.
    Plain,
    /// Not at all.
    Quiet,
}

impl Display {
    /// What standard error can show.
    pub(super) fn choose(quiet: bool) -> Self {
        match quiet {
            true => Self::Quiet,
            false if std::io::stderr().is_terminal() => Self::Terminal,
            false => Self::Plain,
        }
    }
}

/// Shows the progress of the run while `work` goes on.
pub(super) async fn show_while<T>(progress: Arc<Progress>, display: Display, work: impl Future<Output = T>) -> T {
    let (mut shown, tick): (Box<dyn Shown>, _) = match display {
        Display::Quiet => return work.await,
        Display::Terminal => (Box::new(Lines::new()), TERMINAL_TICK),
        Display::Plain => (Box::new(Plain::default()), PLAIN_TICK),
    };
    let mut ticks = interval(tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            result = &mut work => {
                shown.update(&progress.actions());
                return result;
            }
            _ = ticks.tick() => shown.update(&progress.actions()),
        }
    }
}

trait Shown: Send {
    fn update(&mut self, actions: &[Arc<ActionProgress>]);
}

/// One line that says how an action ended.
fn ended_line(action: &ActionProgress, state: State) -> String {
    let seconds = action.elapsed().as_secs_f64();
    format!(
        "{:<17} {:<14} {:>10} {seconds:>7.1} s",
        action.id(),
        state,
        show_size(action.bytes())
    )
}

#[derive(Default)]
struct Plain {
    told: HashMap<&'static str, State>,
}

impl Shown for Plain {
    fn update(&mut self, actions: &[Arc<ActionProgress>]) {
        for action in actions {
            if let Some(state) = action.ended()
                && self.told.insert(action.id(), state).is_none()
            {
                tell(&ended_line(action, state));
            }
        }
    }
}

struct Lines {
    display: MultiProgress,
    running: HashMap<&'static str, ProgressBar>,
    ended: HashMap<&'static str, State>,
}

impl Lines {
    fn new() -> Self {
        let display = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Self {
            display,
            running: HashMap::new(),
            ended: HashMap::new(),
        }
    }

    fn bar(&mut self, id: &'static str) -> &ProgressBar {
        self.running.entry(id).or_insert_with(|| {
            let bar = self.display.add(ProgressBar::no_length());
            let style = ProgressStyle::with_template("{spinner} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            bar.set_style(style);
            bar
        })
    }
}

impl Shown for Lines {
    fn update(&mut self, actions: &[Arc<ActionProgress>]) {
        for action in actions.iter().filter(|action| action.is_started()) {
            let id = action.id();
            match action.ended() {
                None => {
                    let seconds = action.elapsed().as_secs_f64();
                    let line = format!("{id:<17} {:>25} {seconds:>7.1} s", show_size(action.bytes()));
                    let bar = self.bar(id);
                    bar.set_message(line);
                    bar.tick();
                }
                Some(state) if self.ended.insert(id, state).is_none() => {
                    if let Some(bar) = self.running.remove(id) {
                        bar.finish_and_clear();
                    }
                    let mark = if state.leaves_complete(true) { "✓" } else { "✗" };
                    // A terminal that is gone shows nothing more.
                    self.display
                        .println(format!("{mark} {}", ended_line(action, state)))
                        .ok();
                }
                Some(_) => {}
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.display.clear().ok();
    }
}

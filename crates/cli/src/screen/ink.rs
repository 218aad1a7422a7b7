//! Colours, where they can be seen.

use std::io::IsTerminal;

use periscope_core::Verdict;

/// Whether what is printed is coloured.
#[derive(Clone, Copy)]
pub(crate) struct Ink {
    coloured: bool,
}

impl Ink {
    /// Colours for a terminal on standard output, and for nothing else.
    pub(crate) fn of_stdout() -> Self {
        // https://no-color.org: any value but an empty one.
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            coloured: std::io::stdout().is_terminal() && !refused,
        }
    }

    /// No colours.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { coloured: false }
    }

    fn paint(self, text: &str, code: &str) -> String {
        if self.coloured {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint(text, "1")
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint(text, "2")
    }

    /// Something that went wrong.
    pub(crate) fn alarm(self, text: &str) -> String {
        self.paint(text, "31")
    }

    /// The verdict's word, in a column.
    pub(crate) fn verdict(self, verdict: Verdict) -> String {
        let code = match verdict {
            Verdict::Fail => "1;31",
            Verdict::Warn => "1;33",
            Verdict::Unknown => "1;35",
            Verdict::Pass => "32",
        };
        self.paint(&format!("{:<7}", verdict.to_string().to_uppercase()), code)
    }
}

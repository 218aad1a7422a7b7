//! What several commands show to people in the same way; what a command has to say is its own affair.

mod findings;
mod ink;

pub(crate) use findings::push_findings;
pub(crate) use ink::Ink;

use std::fmt::Write;

/// Longest quote or reason that is shown, in characters: about two lines of a terminal.
const MAX_QUOTE: usize = 160;

/// Adds a line.
pub(crate) fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    writeln!(text, "{line}").ok();
}

/// The beginning of a text; the whole stands in the archive.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

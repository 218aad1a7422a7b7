//! Exit codes, and the one line that an error is told in; nothing else decides how the program ends.

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;

/// How the program ends. What `--help` says of it comes from [`Self::TABLE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything is there, or rightly absent.
    Complete = 0,
    /// The program itself failed.
    Failed = 1,
    /// The command line or the configuration cannot be used; nothing was done.
    Usage = 2,
    /// An archive was written, but something is missing or cut.
    Partial = 3,
    /// The archive is not, or not whole, where it was to be uploaded. The local one is.
    UploadFailed = 4,
    /// Nothing could be collected.
    Nothing = 5,
    /// `analyze` found something that is broken.
    Findings = 6,
    /// `inspect` found nothing of what was asked for.
    NoMatch = 7,
}

impl Exit {
    /// Every code and what it means.
    pub(crate) const TABLE: [(Self, &'static str); 8] = [
        (
            Self::Complete,
            "complete: everything is in the archive, or rightly absent",
        ),
        (Self::Failed, "the program failed"),
        (Self::Usage, "bad usage: nothing was done"),
        (
            Self::Partial,
            "partial: an archive was written, something is missing or cut; or the one to read is damaged",
        ),
        (
            Self::UploadFailed,
            "the upload failed; what was collected is kept locally",
        ),
        (Self::Nothing, "nothing could be collected"),
        (Self::Findings, "analyze: something is broken"),
        (Self::NoMatch, "inspect: nothing of the kind is in the archive"),
    ];

    /// Tells the error in one line and gives its code.
    pub(crate) fn of_error(error: &anyhow::Error) -> Self {
        tell(&format!("error: {}", clean_line(&format!("{error:#}"))));
        error.downcast_ref::<Ended>().map_or(Self::Failed, |ended| ended.exit)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that ends the program with a code of its own.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Ended {
    exit: Exit,
    message: String,
}

impl Ended {
    /// Bad usage.
    pub(crate) fn usage(message: impl std::fmt::Display) -> anyhow::Error {
        Self {
            exit: Exit::Usage,
            message: message.to_string(),
        }
        .into()
    }

    /// The archive did not, or would not, get where it should.
    pub(crate) fn upload(message: impl std::fmt::Display) -> anyhow::Error {
        Self {
            exit: Exit::UploadFailed,
            message: message.to_string(),
        }
        .into()
    }
}

/// What clap says: help goes to standard output as it is, an error becomes one line.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        let missing = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        // Nobody reads the help that cannot be printed.
        error.print().ok();
        return if missing {
            Exit::Usage.into()
        } else {
            Exit::Complete.into()
        };
    }
    let text = error.to_string();
    let first = text.split("\n\nUsage:").next().unwrap_or(&text);
    let first = first.split("\n\nFor more information").next().unwrap_or(first);
    tell(&clean_line(first));
    Exit::Usage.into()
}

/// An error with its causes, without secrets, in one line.
pub(crate) fn in_one_line(error: &(dyn std::error::Error + 'static)) -> String {
    clean_line(&periscope_core::with_causes(error))
}

fn clean_line(text: &str) -> String {
    periscope_redact::redact_str(&one_line(text)).into_owned()
}

/// Everything on one line: an error is read in a log or a terminal, not as a document. The kernel's numbers for errors,
/// which stand behind its words, are left out.
fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut parts = words.split(" (os error ");
    let mut line = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        line += part.split_once(')').map_or("", |(_, rest)| rest);
    }
    line
}

/// Writes a line to standard error; when that is closed there is nobody to tell.
pub(crate) fn tell(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}

/// Writes to standard output; when that is closed there is nobody to tell.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}

#[cfg(test)]
mod tests {
    use super::{Ended, Exit, one_line};

    #[test]
    fn an_error_is_one_line_without_numbers() {
        let text = "cannot read a: Permission denied (os error 13)\n  nor b: Is a directory (os error 21): give up";
        assert_eq!(
            one_line(text),
            "cannot read a: Permission denied nor b: Is a directory: give up"
        );
    }

    #[test]
    fn every_code_is_its_own() {
        let mut codes: Vec<_> = Exit::TABLE.iter().map(|(exit, _)| *exit as u8).collect();
        codes.dedup();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn an_error_keeps_its_code_under_context() {
        use anyhow::Context;
        let error = Err::<(), _>(Ended::usage("bad")).context("while reading").unwrap_err();
        assert_eq!(Exit::of_error(&error), Exit::Usage);
        assert_eq!(Exit::of_error(&anyhow::anyhow!("other")), Exit::Failed);
    }
}

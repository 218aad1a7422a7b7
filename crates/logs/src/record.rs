//! One line of a container's log, whatever wrote it; does not join the parts of a long line.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::time::UnixNanos;
use crate::{cri, docker};

/// Which output of the container a line came from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        match name {
            b"stdout" => Some(Self::Stdout),
            b"stderr" => Some(Self::Stderr),
            _ => None,
        }
    }
}

/// A line, or a part of one, that a container wrote.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record<'a> {
    /// When the runtime took it.
    pub time: UnixNanos,
    /// Where the container wrote it.
    pub stream: Stream,
    /// The line goes on in the next record of the same stream: runtimes cut lines at 16 KiB.
    pub partial: bool,
    /// What the container wrote, without the newline. Borrowed wherever the file has it as it is.
    pub text: Cow<'a, [u8]>,
}

/// Why a line is no record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The line ends before all parts of a record are there.
    #[error("the line has no {part}")]
    Missing {
        /// What should have come next.
        part: &'static str,
    },
    /// The time is not an RFC 3339 time.
    #[error("the time of the line is not in RFC 3339")]
    Time,
    /// The stream is neither `stdout` nor `stderr`.
    #[error("the stream of the line is neither stdout nor stderr")]
    Stream,
    /// The tag is neither `F` (full) nor `P` (partial).
    #[error("the tag of the line is neither F nor P")]
    Tag,
    /// The line is no JSON object with the members of a record.
    #[error("the line is not a JSON log record")]
    Json(#[source] serde_json::Error),
}

/// How the lines of a file are written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// As containerd and CRI-O write them: see [`cri`].
    Cri,
    /// As docker's `json-file` driver writes them: see [`docker`].
    Docker,
}

impl Format {
    /// Reads one line, with or without its newline.
    pub fn parse(self, line: &[u8]) -> Result<Record<'_>, ParseError> {
        match self {
            Self::Cri => cri::parse(line),
            Self::Docker => docker::parse(line),
        }
    }
}

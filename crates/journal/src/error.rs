//! What can go wrong with a journal file as a whole; damage inside a file is counted in its report instead.

use std::io;

/// Why a journal file could not be read, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file has no bytes, as after a crash before the first write.
    #[error("the file is empty")]
    Empty,
    /// The file does not start like a journal, or ends within its header.
    #[error("the file is not a journal")]
    NotAJournal,
    /// A newer systemd wrote the file in a way that an older reader must refuse.
    #[error("the journal uses unknown features (incompatible flags {flags:#x})")]
    UnsupportedFlags {
        /// The bits of `incompatible_flags` that are not understood.
        flags: u32,
    },
    /// The header contradicts itself.
    #[error("the journal header is damaged ({field} is {value})")]
    DamagedHeader {
        /// The name of the header field, as in the format document.
        field: &'static str,
        /// What stood there.
        value: u64,
    },
    /// So much of the file is damaged that reading on is not worth its time.
    #[error("gave up after {resyncs} damaged places")]
    TooDamaged {
        /// How many times a next readable object had to be searched for.
        resyncs: u32,
    },
    /// The file could not be read.
    #[error("cannot read at offset {offset}")]
    Read {
        /// Where the read started, in bytes.
        offset: u64,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// More selectors than one pass can serve.
    #[error("{count} selectors, at most {max} are possible")]
    TooManySelectors {
        /// How many were asked for.
        count: usize,
        /// The bound.
        max: usize,
    },
}

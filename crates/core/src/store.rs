//! The seam between gathering and keeping: what a place that keeps artifacts must do; how it does it is not said here.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::ops::ControlFlow;

use crate::{ArtifactPath, ArtifactSpec, State};

/// What the bytes of an artifact are, so that the redactor sees what a reader would see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// Lines of text.
    Text,
    /// Container log as the CRI writes it: time, stream, tag, message.
    CriLog,
    /// Container log as docker's json-file driver writes it.
    DockerLog,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Anything else.
    Binary,
}

/// How the bytes are wrapped where they come from. The archive always holds them unwrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// As they are.
    Identity,
    /// A gzip stream, as a kubelet leaves rotated logs.
    Gzip,
}

/// The most that is kept of one artifact, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Bytes after redaction.
    pub bytes: u64,
    /// Whether the user set it: reaching it then leaves the run complete.
    pub by_user: bool,
}

/// A source that can be read again from its start.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// A place that keeps artifacts. Every byte and every name passes the redactor on the way in.
pub trait Store: Send + Sync + 'static {
    /// Opens an artifact whose bytes are written piece by piece. Blocks: call it off the async threads.
    ///
    /// # Errors
    /// When nothing more can be kept.
    fn open(&self, spec: &ArtifactSpec, path: &ArtifactPath) -> Result<Box<dyn ArtifactStream>, StoreError>;

    /// Keeps a whole source. `on_bytes` is told how many bytes of the source were read since it was last called, and
    /// may end the copy; what was read until then is kept. Blocks: call it off the async threads.
    ///
    /// # Errors
    /// When nothing of it may or can be kept.
    fn copy(
        &self,
        spec: &ArtifactSpec,
        path: &ArtifactPath,
        source: &mut dyn ReadSeek,
        on_bytes: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Stored, StoreError>;

    /// The text without secrets: for names, reasons and messages.
    fn redact(&self, text: &str) -> String;
}

/// One artifact on its way into a [`Store`]. Dropping it unfinished discards it.
pub trait ArtifactStream: Send {
    /// Takes bytes. `Break` means that a limit is reached and nothing further will be kept.
    ///
    /// # Errors
    /// When what came so far cannot be kept either.
    fn write(&mut self, bytes: &[u8]) -> Result<ControlFlow<()>, StoreError>;

    /// Ends the artifact.
    ///
    /// # Errors
    /// When what came so far may not or cannot be kept.
    fn finish(self: Box<Self>) -> Result<Stored, StoreError>;
}

/// What is known of an artifact that was kept.
#[derive(Debug)]
pub struct Stored {
    /// Bytes before redaction, as far as they were taken.
    pub raw_bytes: u64,
    /// Bytes as a reader of the archive finds them.
    pub stored_bytes: u64,
    /// Bytes it takes in the archive.
    pub compressed_bytes: u64,
    /// SHA-256 of what a reader of the archive finds, in hexadecimal.
    pub sha256: String,
    /// Hits of each redaction rule.
    pub redactions: BTreeMap<String, u64>,
    /// Why it ends where it ends.
    pub end: End,
}

/// Why a kept artifact ends where it ends.
#[derive(Debug)]
pub enum End {
    /// The source ended.
    Source,
    /// The artifact's own limit was reached.
    Limit,
    /// The archive's budget or the disk's free space was used up; the text says which. `by_user`: the user set it.
    Budget {
        /// What is used up, with its figure.
        reason: String,
        /// Whether the user set it.
        by_user: bool,
    },
    /// The caller ended the copy.
    Stopped,
    /// The source could not be read further.
    Error(std::io::Error),
}

/// Why nothing of an artifact was kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The redactor could not vouch for it.
    #[error("withheld: {0}")]
    Withheld(String),
    /// The archive's budget or the disk's free space is used up.
    #[error("{reason}")]
    OverBudget {
        /// What is used up, with its figure.
        reason: String,
        /// Whether the user set it.
        by_user: bool,
    },
    /// The disk failed, or the source could not be read at all.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl StoreError {
    /// The state of an item that was lost to this error.
    pub fn state(&self) -> State {
        match self {
            Self::Withheld(_) => State::Withheld,
            Self::OverBudget { .. } => State::OverBudget,
            Self::Io { .. } => State::Failed,
        }
    }
}

//! What became of one journal file; does not decide whether that is good enough.

use crate::error::Error;

/// The account of one journal file after reading it.
#[derive(Debug, Default)]
pub struct FileReport {
    /// The name that the caller gave the file.
    pub name: String,
    /// Entries that were read, whether selected or not.
    pub entries: u64,
    /// Entries that the header claims; only where the file was read from its start.
    pub expected_entries: Option<u64>,
    /// How often something was met that made no sense, and was skipped: an object, or a reference to one.
    pub corrupt_objects: u64,
    /// The file ends before its header says it does.
    pub truncated: bool,
    /// Nothing was read because all entries are older than asked for.
    pub too_old: bool,
    /// What ended the reading early, or prevented it.
    pub error: Option<Error>,
}

impl FileReport {
    /// Whether everything that the file should hold was read, as far as can be told.
    pub fn is_whole(&self) -> bool {
        self.error.is_none()
            && self.corrupt_objects == 0
            && !self.truncated
            && self.expected_entries.is_none_or(|expected| self.entries >= expected)
    }
}

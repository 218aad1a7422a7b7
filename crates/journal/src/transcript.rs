//! The text of several journal files, divided among selectors in one pass; does not decide where the text goes.

use std::io;

use crate::format::Formatter;
use crate::merge::{Merge, Source};
use crate::read_at::ReadAt;
use crate::report::FileReport;
use crate::select::Selection;

/// Writes selected entries as text, one entry at a time, so that the caller can stop after any.
#[derive(Debug)]
pub struct Transcript<R> {
    merge: Merge<R>,
    selection: Selection,
    formatter: Formatter,
    /// The boot of the last entry of each selector.
    boots: Vec<Option<[u8; 16]>>,
    text: Vec<u8>,
}

impl<R: ReadAt> Transcript<R> {
    /// Takes the files in any order. `since_usec` (microseconds since 1970) leaves out older entries.
    pub fn new(sources: impl IntoIterator<Item = Source<R>>, selection: Selection, since_usec: Option<u64>) -> Self {
        Self {
            merge: Merge::new(sources, since_usec),
            boots: vec![None; selection.len()],
            selection,
            formatter: Formatter::default(),
            text: Vec::new(),
        }
    }

    /// Reads one entry and hands its text to `sink` once per selector that wants it, with the selector's index; false
    /// at the end of all files. Entries without a message are left out, as by journalctl.
    ///
    /// The text is one or more whole lines. Where a selector's entries pass into another boot, a line
    /// `-- Boot 0123456789abcdef0123456789abcdef --` comes before.
    ///
    /// # Errors
    ///
    /// The error of `sink`, after which the entry is lost to the selectors that it was not handed to. Damage in the
    /// files is no error; it is in [`Self::into_reports`].
    pub fn step(&mut self, mut sink: impl FnMut(usize, &[u8]) -> io::Result<()>) -> io::Result<bool> {
        let Some(reader) = self.merge.advance() else {
            return Ok(false);
        };
        let matches = self.selection.matches(reader.entry());
        if matches.is_empty() {
            return Ok(true);
        }
        let (entry, Some(message)) = reader.entry_and_message() else {
            return Ok(true);
        };
        self.text.clear();
        self.formatter.write(entry, message, &mut self.text);
        let boot = entry.boot_id();
        for index in matches {
            let last = self.boots[index].replace(boot);
            if last.is_some_and(|last| last != boot) {
                sink(
                    index,
                    format!("-- Boot {:032x} --\n", u128::from_be_bytes(boot)).as_bytes(),
                )?;
            }
            sink(index, &self.text)?;
        }
        Ok(true)
    }

    /// The accounts of all files.
    pub fn into_reports(self) -> Vec<FileReport> {
        self.merge.into_reports()
    }
}

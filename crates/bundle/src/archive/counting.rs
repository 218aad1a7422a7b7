//! Knows how far has been written: offsets go into directories and indexes.

use std::io::{self, Write};

/// A writer that counts.
pub(super) struct Counting<'a> {
    out: &'a mut dyn Write,
    /// Bytes written so far.
    pub(super) written: u64,
}

impl<'a> Counting<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, written: 0 }
    }
}

impl Write for Counting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

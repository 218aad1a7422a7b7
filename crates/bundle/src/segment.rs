//! The spool's files: unlinked from the start, so that nothing is left behind whatever ends the run; artifacts are
//! extents of them. What the bytes mean is not known here.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::budget::{Budget, Exhausted};

/// Compressed bytes gathered before they are written.
const WRITE_BUFFER: usize = 64 * 1024;

/// Some bytes of a spool file.
#[derive(Debug, Clone)]
pub struct Extent {
    file: Arc<File>,
    offset: u64,
    len: u64,
}

impl Extent {
    /// How many bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads them from the start.
    pub fn reader(&self) -> impl Read + use<> {
        ExtentReader {
            extent: self.clone(),
            position: 0,
        }
    }
}

struct ExtentReader {
    extent: Extent,
    position: u64,
}

impl Read for ExtentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.extent.len - self.position).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let Some(buffer) = buffer.get_mut(..wanted) else {
            return Ok(0);
        };
        let read = self.extent.file.read_at(buffer, self.extent.offset + self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

/// The spool files of a run: as many as artifacts are written at once.
#[derive(Debug)]
pub(crate) struct Segments {
    folder: Box<Path>,
    free: Mutex<Vec<Segment>>,
    pub(crate) budget: Arc<Budget>,
}

/// One spool file and how far it is filled.
#[derive(Debug)]
struct Segment {
    file: Arc<File>,
    len: u64,
    /// Empty but for what its writer has not written out yet.
    buffer: Vec<u8>,
}

impl Segments {
    pub(crate) fn new(folder: &Path, budget: Arc<Budget>) -> Self {
        Self {
            folder: folder.into(),
            free: Mutex::default(),
            budget,
        }
    }

    /// A writer at the end of a spool file that nobody else writes to.
    pub(crate) fn writer(self: &Arc<Self>) -> io::Result<SegmentWriter> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let segment = match free {
            Some(segment) => segment,
            None => Segment {
                file: Arc::new(tempfile::tempfile_in(&self.folder)?),
                len: 0,
                buffer: Vec::with_capacity(WRITE_BUFFER),
            },
        };
        let start = segment.len;
        Ok(SegmentWriter {
            segments: Arc::clone(self),
            segment: Some(segment),
            start,
            content: 0,
            exhausted: None,
        })
    }

    fn put_back(&self, segment: Segment) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(segment);
    }
}

/// Writes one extent. Dropped unfinished, the extent is given back to the disk.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    segments: Arc<Segments>,
    /// Present until finished.
    segment: Option<Segment>,
    start: u64,
    /// Bytes that a reader of the archive will find for it.
    content: u64,
    exhausted: Option<Exhausted>,
}

impl SegmentWriter {
    /// Set when the budget is used up: what was begun may be ended properly, and that is all.
    pub(crate) fn exhausted(&self) -> Option<&Exhausted> {
        self.exhausted.as_ref()
    }

    /// Says how much content what is about to be written stands for.
    pub(crate) fn add_content(&mut self, bytes: u64) {
        self.content += bytes;
        self.segments.budget.add_content(bytes);
    }

    /// Ends the extent.
    pub(crate) fn finish(mut self) -> io::Result<Extent> {
        self.write_out()?;
        let Some(segment) = self.segment.take() else {
            return Err(io::Error::other("finished twice"));
        };
        let extent = Extent {
            file: Arc::clone(&segment.file),
            offset: self.start,
            len: segment.len - self.start,
        };
        self.segments.put_back(segment);
        Ok(extent)
    }

    /// Where the next bytes go: room for some at least.
    pub(crate) fn room(&mut self) -> io::Result<&mut Vec<u8>> {
        let is_full = |segment: &Segment| segment.buffer.len() >= WRITE_BUFFER;
        if self.segment.as_ref().is_some_and(is_full) {
            self.write_out()?;
        }
        match &mut self.segment {
            Some(segment) => Ok(&mut segment.buffer),
            None => Err(io::Error::other("already finished")),
        }
    }

    fn write_out(&mut self) -> io::Result<()> {
        if let Some(segment) = self.segment.as_mut().filter(|segment| !segment.buffer.is_empty()) {
            if let Err(error) = segment.file.write_all_at(&segment.buffer, segment.len) {
                self.segments.budget.disk_is_full();
                return Err(error);
            }
            let written = segment.buffer.len() as u64;
            segment.len += written;
            segment.buffer.clear();
            if let Err(exhausted) = self.segments.budget.spend(written) {
                self.exhausted = Some(exhausted);
            }
        }
        Ok(())
    }
}

impl Write for SegmentWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let buffer = self.room()?;
        let taken = bytes.get(..WRITE_BUFFER - buffer.len()).unwrap_or(bytes);
        buffer.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_out()
    }
}

impl Drop for SegmentWriter {
    fn drop(&mut self) {
        if let Some(mut segment) = self.segment.take() {
            self.segments.budget.give_back(segment.len - self.start, self.content);
            segment.len = self.start;
            segment.buffer.clear();
            // Should the disk refuse even this, the space comes back when the run ends.
            segment.file.set_len(self.start).ok();
            self.segments.put_back(segment);
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]
mod tests {
    use super::Segments;
    use crate::budget::{Budget, BudgetLimits};
    use std::io::{Read, Write};
    use std::sync::Arc;

    fn segments(folder: &std::path::Path, archive_bytes: u64) -> Arc<Segments> {
        let limits = BudgetLimits {
            archive_bytes,
            by_user: false,
            unpacked: false,
        };
        let budget = Arc::new(Budget::new(limits, Arc::new(tempfile::tempfile_in(folder).unwrap())));
        Arc::new(Segments::new(folder, budget))
    }

    fn read(extent: &super::Extent) -> Vec<u8> {
        let mut bytes = Vec::new();
        extent.reader().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn extents_of_one_file_do_not_mix_and_a_dropped_one_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let segments = segments(folder.path(), u64::MAX);
        let mut first = segments.writer().unwrap();
        let mut beside = segments.writer().unwrap();
        first.write_all(b"first").unwrap();
        beside.write_all(&vec![7; 200_000]).unwrap();
        let first = first.finish().unwrap();
        let mut dropped = segments.writer().unwrap();
        dropped.write_all(&vec![9; 100_000]).unwrap();
        drop(dropped);
        let mut second = segments.writer().unwrap();
        second.write_all(b"second").unwrap();
        let second = second.finish().unwrap();
        let beside = beside.finish().unwrap();
        assert_eq!((read(&first), read(&second)), (b"first".to_vec(), b"second".to_vec()));
        assert_eq!(read(&beside), vec![7; 200_000]);
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "the spool shows in no folder"
        );
    }

    #[test]
    fn an_exhausted_budget_shows_but_does_not_break_what_was_begun() {
        let folder = tempfile::tempdir().unwrap();
        let segments = segments(folder.path(), 100_000);
        let mut writer = segments.writer().unwrap();
        writer.write_all(&vec![1; 90_000]).unwrap();
        assert!(writer.exhausted().is_none());
        writer.write_all(&vec![2; 90_000]).unwrap();
        assert!(writer.exhausted().is_some());
        writer.write_all(b"end").unwrap();
        assert_eq!(writer.finish().unwrap().len(), 180_003);
    }
}

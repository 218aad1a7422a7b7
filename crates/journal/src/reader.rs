//! One journal file, entry by entry in the order they were written; does not merge files and does not select.
//!
//! The file is read forward once, object by object, and not along its index of entries: so every entry is found that is
//! there, even where the index is damaged.

use crate::entry::Entry;
use crate::error::Error;
use crate::fields::{Fields, Message};
use crate::index;
use crate::layout::{ENTRY_HEADER, EntryHeader, HEADER_READ, Header, OBJECT_HEADER, ObjectHeader, TYPE_ENTRY, align};
use crate::read_at::{self, ReadAt};
use crate::report::FileReport;
use crate::resync;
use crate::window::Window;

/// Searches for a next readable object before a file is given up: each may read a window anew.
const MAX_RESYNCS: u32 = 10_000;

/// Reads one journal file.
#[derive(Debug)]
pub struct Reader<R> {
    window: Window<R>,
    header: Header,
    fields: Fields,
    report: FileReport,
    /// Where the next object starts.
    position: u64,
    /// Where the last object started that made sense; a search for the next begins behind it.
    last_object: u64,
    resyncs: u32,
    finished: bool,
    /// The sequence number of the last entry; none where reading began in the midst of the file.
    seqnum: Option<u64>,
    /// The largest object since the last entry, that one included: its offset and size.
    largest: (u64, u64),
    /// What the current entry refers to.
    items: Vec<u64>,
}

impl<R: ReadAt> Reader<R> {
    /// Reads the header of a file. `name` is only for the report.
    pub fn open(name: impl Into<String>, source: R) -> Result<Self, Error> {
        let header = Header::read(&source)?;
        Ok(Self {
            window: Window::new(source),
            fields: Fields::default(),
            report: FileReport {
                name: name.into(),
                expected_entries: Some(header.entry_count),
                ..FileReport::default()
            },
            position: header.first_object,
            last_object: header.first_object,
            resyncs: 0,
            finished: false,
            seqnum: header.head_seqnum.checked_sub(1),
            largest: (0, 0),
            items: Vec::new(),
            header,
        })
    }

    /// Identifies the numbering that the entries' sequence numbers belong to.
    pub(crate) fn seqnum_id(&self) -> [u8; 16] {
        self.header.seqnum_id
    }

    /// Starts at the first entry at or after `since_usec` (microseconds since 1970) or the one before it, if the index
    /// of the file is sound, and at the start of the file otherwise; so older entries may still come.
    pub fn seek(&mut self, since_usec: u64) {
        if self.header.tail_realtime != 0 && self.header.tail_realtime < since_usec {
            self.report.expected_entries = None;
            self.report.too_old = true;
            self.finished = true;
        } else if self.header.head_realtime < since_usec
            && let Ok(Some(offset)) = index::seek(&self.window, &self.header, since_usec)
        {
            self.report.expected_entries = None;
            self.position = offset;
            self.last_object = offset;
            self.seqnum = None;
        }
    }

    /// Moves to the next entry; false at the end of what can be read.
    pub fn advance(&mut self) -> bool {
        while !self.finished {
            match self.step() {
                Ok(true) => {
                    self.report.entries += 1;
                    return true;
                }
                Ok(false) => {}
                Err(error) => {
                    self.report.error = Some(error);
                    self.finished = true;
                }
            }
        }
        false
    }

    /// The current entry; an empty one before the first [`Self::advance`].
    pub fn entry(&self) -> &Entry {
        self.fields.entry()
    }

    /// The entry and its message, which is read now; no message when the entry has none.
    pub fn entry_and_message(&mut self) -> (&Entry, Option<Message<'_>>) {
        let (entry, message) = self.fields.with_message(&self.window);
        if message == Some(Message::Unreadable) {
            self.report.corrupt_objects += 1;
        }
        (entry, message)
    }

    /// The account of the file so far.
    pub fn report(&self) -> &FileReport {
        &self.report
    }

    /// Ends the reading and returns the account.
    pub fn into_report(self) -> FileReport {
        self.report
    }

    /// Looks at the object at the current position and moves behind it; true when it was an entry.
    fn step(&mut self) -> Result<bool, Error> {
        let offset = self.position;
        if offset + OBJECT_HEADER > self.header.end {
            self.finished = true;
            return Ok(false);
        }
        let bytes = self
            .window
            .get(offset, 16)
            .map_err(|source| Error::Read { offset, source })?;
        let Some(object) = ObjectHeader::parse(bytes) else {
            self.report.truncated = self.last_object < self.header.tail_object;
            self.finished = true;
            return Ok(false);
        };
        // Stepping over the last object without meeting it means that the size of the one before is wrong.
        let missed_tail = self.last_object < self.header.tail_object && offset > self.header.tail_object;
        if missed_tail || !object.fits(offset, &self.header) {
            return self.skip_damage().map(|()| false);
        }
        let is_entry = object.kind == TYPE_ENTRY;
        if is_entry && !self.read_entry(offset, object.size)? {
            return Ok(false);
        }
        if is_entry || object.size > self.largest.1 {
            self.largest = (offset, object.size);
        }
        self.last_object = offset;
        self.position = align(offset + object.size);
        Ok(is_entry)
    }

    /// Reads the entry at `offset`, with its fields; false when there is none after all, and the position is elsewhere.
    fn read_entry(&mut self, offset: u64, size: u64) -> Result<bool, Error> {
        let read_error = |source| Error::Read { offset, source };
        // The size of an entry that fits is bounded far below what the window holds.
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let bytes = self.window.get(offset, size).map_err(read_error)?;
        if bytes.len() < size {
            self.report.truncated = true;
            self.finished = true;
            return Ok(false);
        }
        let Some(entry) = EntryHeader::parse(bytes) else {
            return self.skip_damage().map(|()| false);
        };
        let references = bytes[ENTRY_HEADER..].chunks_exact(self.header.entry_item());
        self.items.clear();
        self.items
            .extend(references.map(|item| self.header.item_offset(item, 0)));
        if self
            .seqnum
            .is_some_and(|last| last.checked_add(1) != Some(entry.seqnum))
            && self.uncover()?
        {
            return Ok(false);
        }
        self.seqnum = Some(entry.seqnum);
        self.fields.reset(entry);
        for item in &self.items {
            // Fields are written before the entry that refers to them.
            let possible = self.header.may_start_object(*item) && *item < offset;
            if !possible
                || !self
                    .fields
                    .take(&self.window, &self.header, *item)
                    .map_err(read_error)?
            {
                self.report.corrupt_objects += 1;
            }
        }
        Ok(true)
    }

    /// Goes on at the next readable object. Behind the object that the header names as the last one, where the file is
    /// allocated but not in use or just being written, this is the end and no damage.
    fn skip_damage(&mut self) -> Result<(), Error> {
        if self.last_object >= self.header.tail_object && self.position > self.header.tail_object {
            self.finished = true;
            return Ok(());
        }
        // The damage may be in the size of the object before, so the search starts inside of that one.
        if !self.resync(self.last_object + 8, self.header.end)? {
            self.report.corrupt_objects += 1;
            self.finished = true;
        }
        Ok(())
    }

    /// Looks for entries inside of the largest object since the last entry, and goes on there; false when there are
    /// none. A size that is wrong by chance in such a way that it leads to another object shows only in that entries
    /// are missing. Missing numbers alone mean nothing: the system's and the users' journals are numbered together.
    fn uncover(&mut self) -> Result<bool, Error> {
        let (offset, size) = std::mem::take(&mut self.largest);
        // Behind the fixed part of the largest kinds of objects, whose numbers could pass for a header.
        self.resync(offset + ENTRY_HEADER as u64, offset + size)
    }

    /// Moves to the first readable object in a range, and counts the damage; false when there is none.
    fn resync(&mut self, from: u64, until: u64) -> Result<bool, Error> {
        let found = resync::find(&mut self.window, &self.header, from, until);
        let Some(next) = found.map_err(|source| Error::Read { offset: from, source })? else {
            return Ok(false);
        };
        self.report.corrupt_objects += 1;
        self.resyncs += 1;
        if self.resyncs > MAX_RESYNCS {
            return Err(Error::TooDamaged { resyncs: MAX_RESYNCS });
        }
        self.last_object = next;
        self.position = next;
        Ok(true)
    }
}

impl Header {
    /// Reads the header of a file.
    pub(crate) fn read(source: &impl ReadAt) -> Result<Self, Error> {
        let mut head = [0; HEADER_READ];
        let got = read_at::fill(source, &mut head, 0).map_err(|source| Error::Read { offset: 0, source })?;
        Self::parse(&head[..got])
    }
}

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod tests;

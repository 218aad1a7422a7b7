//! One journal file, entry by entry in the order they were written; does not merge files and does not select.
//!
//! The file is read forward once. An entry refers to its fields by offset: most were written just before it and are
//! still in the [`Window`], the shared ones are in the [`Cache`], and the rest costs one short read each.

use crate::cache::Cache;
use crate::compression::{self, Decompressor};
use crate::entry::{Entry, MAX_VALUE};
use crate::error::Error;
use crate::field::{MAX_NAME, Name, classify};
use crate::index::{self, Start};
use crate::layout::{
    ENTRY_HEADER, EntryHeader, HEADER_READ, Header, OBJECT_HEADER, ObjectHeader, TYPE_DATA, TYPE_ENTRY, align,
};
use crate::read_at::{self, ReadAt};
use crate::report::FileReport;
use crate::resync;
use crate::window::Window;

/// The most of a message that is returned; journald cuts lines of services at 48 KiB, only native clients send more.
pub(crate) const MAX_MESSAGE: usize = 1024 * 1024;

/// The most compressed bytes read of one object.
const MAX_COMPRESSED: usize = 1024 * 1024;

/// A compressed payload up to this size may be a field other than the message, if journald was told to compress small
/// fields too (`Compress=` takes a threshold), so it is inflated at once; larger ones only when a message is missing.
const SMALL_COMPRESSED: u64 = 512;

/// Bytes read of a DATA object that is not in the window: header, name and any usual value in one go.
const PROBE: usize = 512;

/// Searches for a next readable object before a file is given up: each may read a window anew.
const MAX_RESYNCS: u32 = 10_000;

/// The message of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Message<'a> {
    /// The whole message.
    Whole(&'a [u8]),
    /// The first MiB of a longer message, or what could be read of a damaged one.
    Cut(&'a [u8]),
    /// There are fields that could not be read, the message probably among them.
    Unreadable,
}

/// Where the message of the current entry is.
#[derive(Clone, Copy, Debug)]
enum Found {
    Nowhere,
    At { offset: u64, len: u64 },
    Loaded { cut: bool },
}

/// A DATA object that the current entry refers to.
#[derive(Clone, Copy, Debug)]
struct Data {
    flags: u8,
    payload: u64,
    len: u64,
}

/// Reads one journal file.
#[derive(Debug)]
pub struct Reader<R> {
    window: Window<R>,
    header: Header,
    cache: Cache,
    decompressor: Decompressor,
    report: FileReport,
    /// Where the next object starts.
    position: u64,
    /// Where the last object started that made sense; a search for the next begins behind it.
    last_object: u64,
    resyncs: u32,
    finished: bool,
    entry: Entry,
    items: Vec<u64>,
    /// Compressed objects of the current entry that may be its message.
    deferred: Vec<Data>,
    found: Found,
    message: Vec<u8>,
    inflated: Vec<u8>,
    scratch: Vec<u8>,
}

impl<R: ReadAt> Reader<R> {
    /// Reads the header of a file. `name` is only for the report.
    pub fn open(name: impl Into<String>, source: R) -> Result<Self, Error> {
        let mut window = Window::new(source);
        let head = window
            .get(0, HEADER_READ)
            .map_err(|source| Error::Read { offset: 0, source })?;
        let header = Header::parse(head)?;
        Ok(Self {
            window,
            cache: Cache::default(),
            decompressor: Decompressor::default(),
            report: FileReport {
                name: name.into(),
                expected_entries: Some(header.entry_count),
                ..FileReport::default()
            },
            position: header.first_object,
            last_object: header.first_object,
            resyncs: 0,
            finished: false,
            entry: Entry::default(),
            items: Vec::new(),
            deferred: Vec::new(),
            found: Found::Nowhere,
            message: Vec::new(),
            inflated: Vec::new(),
            scratch: Vec::new(),
            header,
        })
    }

    /// The time of a file's first entry, in microseconds since 1970, as its header has it; zero when there is none.
    pub(crate) fn head_realtime(file: &R) -> Result<u64, Error> {
        let mut head = [0; HEADER_READ];
        let got = read_at::fill(file, &mut head, 0).map_err(|source| Error::Read { offset: 0, source })?;
        Ok(Header::parse(&head[..got])?.head_realtime)
    }

    /// Identifies the numbering that the entries' sequence numbers belong to.
    pub(crate) fn seqnum_id(&self) -> [u8; 16] {
        self.header.seqnum_id
    }

    /// Starts at the first entry at or after `since_usec` (microseconds since 1970), if the index of the file is
    /// sound, and from the start of the file otherwise; so older entries may still come.
    pub fn seek(&mut self, since_usec: u64) {
        if self.header.tail_realtime != 0 && self.header.tail_realtime < since_usec {
            self.report.expected_entries = None;
            self.report.too_old = true;
            self.finished = true;
        } else if self.header.head_realtime < since_usec
            && let Ok(Start::At(offset)) = index::seek(&self.window, &self.header, since_usec)
        {
            self.report.expected_entries = None;
            self.position = offset;
            self.last_object = offset;
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
        &self.entry
    }

    /// The account of the file so far.
    pub fn report(&self) -> &FileReport {
        &self.report
    }

    /// Ends the reading and returns the account.
    pub fn into_report(self) -> FileReport {
        self.report
    }

    /// The entry and its message, which is read now; no message when the entry has none.
    pub fn entry_and_message(&mut self) -> (&Entry, Option<Message<'_>>) {
        let mut unreadable = false;
        match self.found {
            Found::At { offset, len } => {
                let want = usize::try_from(len).map_or(MAX_MESSAGE, |len| len.min(MAX_MESSAGE));
                let got = load(&self.window, offset, want, &mut self.message);
                unreadable = got == 0 && want > 0;
                self.found = Found::Loaded {
                    cut: (got as u64) < len,
                };
            }
            Found::Nowhere => unreadable = self.find_deferred_message(),
            Found::Loaded { .. } => {}
        }
        let message = match self.found {
            _ if unreadable => Some(Message::Unreadable),
            Found::Loaded { cut: true } => Some(Message::Cut(&self.message)),
            Found::Loaded { cut: false } => Some(Message::Whole(&self.message)),
            Found::Nowhere | Found::At { .. } => None,
        };
        (&self.entry, message)
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
            self.report.truncated = offset <= self.header.tail_object;
            self.finished = true;
            return Ok(false);
        };
        if !object.fits(offset, &self.header) {
            return self.skip_damage(offset).map(|()| false);
        }
        if object.kind != TYPE_ENTRY {
            self.last_object = offset;
            self.position = align(offset + object.size);
            return Ok(false);
        }
        // The size of an entry that fits is bounded far below what the window holds.
        let size = usize::try_from(object.size).unwrap_or(usize::MAX);
        let bytes = self
            .window
            .get(offset, size)
            .map_err(|source| Error::Read { offset, source })?;
        if bytes.len() < size {
            self.report.truncated = true;
            self.finished = true;
            return Ok(false);
        }
        let Some(entry) = EntryHeader::parse(bytes) else {
            return self.skip_damage(offset).map(|()| false);
        };
        self.items.clear();
        let references = bytes[ENTRY_HEADER..].chunks_exact(self.header.entry_item());
        self.items
            .extend(references.map(|item| self.header.item_offset(item, 0)));
        self.last_object = offset;
        self.position = align(offset + object.size);
        self.entry.reset(entry);
        self.found = Found::Nowhere;
        self.deferred.clear();
        for index in 0..self.items.len() {
            self.resolve(self.items[index], offset)?;
        }
        Ok(true)
    }

    /// Goes on at the next readable object. Behind the object that the header names as the last one, where the file is
    /// allocated but not in use or just being written, this is the end and no damage.
    fn skip_damage(&mut self, offset: u64) -> Result<(), Error> {
        if offset > self.header.tail_object {
            self.finished = true;
            return Ok(());
        }
        self.report.corrupt_objects += 1;
        self.resyncs += 1;
        if self.resyncs > MAX_RESYNCS {
            return Err(Error::TooDamaged { resyncs: MAX_RESYNCS });
        }
        // The damage may be in the size of the object before, so the search starts inside of that one.
        let from = self.last_object + 8;
        let next = resync::find(&mut self.window, &self.header, from)
            .map_err(|source| Error::Read { offset: from, source })?;
        match next {
            Some(next) => {
                self.last_object = next;
                self.position = next;
            }
            None => self.finished = true,
        }
        Ok(())
    }

    /// Takes what the entry at `entry_offset` refers to at `offset`, if it matters.
    #[inline]
    fn resolve(&mut self, offset: u64, entry_offset: u64) -> Result<(), Error> {
        // Fields are written before the entry that refers to them.
        if !self.header.may_start_object(offset) || offset >= entry_offset {
            self.report.corrupt_objects += 1;
            return Ok(());
        }
        let held = self.window.held(offset);
        let payload_at = self.header.data_header();
        if held.len() < payload_at + MAX_NAME {
            return self.resolve_far(offset);
        }
        let Some(data) = parse_data(held, offset, &self.header) else {
            self.report.corrupt_objects += 1;
            return Ok(());
        };
        if compression::is_compressed(data.flags) {
            self.resolve_compressed(data);
            return Ok(());
        }
        let payload = &held[payload_at..];
        let len = usize::try_from(data.len).map_or(payload.len(), |len| len.min(payload.len()));
        let (name, value_at) = classify(&payload[..len]);
        match name {
            Name::Message => self.found = message_at(data, value_at),
            Name::Field(field) if len as u64 == data.len => self.entry.set(field, &payload[value_at..len]),
            Name::Field(_) => return self.resolve_far(offset),
            Name::Other => {}
        }
        Ok(())
    }

    /// The same for an object that is not in the window; it is shared with older entries, so it is worth remembering.
    fn resolve_far(&mut self, offset: u64) -> Result<(), Error> {
        if let Some(cached) = self.cache.get(offset) {
            match cached.name {
                Name::Field(field) => self.entry.set(field, &cached.value),
                Name::Message => {
                    self.message.clear();
                    self.message.extend_from_slice(&cached.value);
                    self.found = Found::Loaded { cut: false };
                }
                Name::Other => {}
            }
            return Ok(());
        }
        let mut probe = [0; PROBE];
        let got = self
            .window
            .read_past(offset, &mut probe)
            .map_err(|source| Error::Read { offset, source })?;
        let head = self.header.data_header();
        let Some(data) = parse_data(&probe[..got], offset, &self.header) else {
            self.report.corrupt_objects += 1;
            return Ok(());
        };
        if compression::is_compressed(data.flags) {
            self.resolve_compressed(data);
            return Ok(());
        }
        let payload = &probe[head..got];
        let len = usize::try_from(data.len).map_or(payload.len(), |len| len.min(payload.len()));
        let (name, value_at) = classify(&payload[..len]);
        match name {
            Name::Message if len as u64 == data.len => {
                self.cache.insert(offset, name, &payload[value_at..len]);
                self.found = message_at(data, value_at);
            }
            Name::Message => self.found = message_at(data, value_at),
            Name::Field(field) if len as u64 == data.len => {
                self.cache.insert(offset, name, &payload[value_at..len]);
                self.entry.set(field, &payload[value_at..len]);
            }
            Name::Field(field) => {
                let rest = data.len - value_at as u64;
                let want = usize::try_from(rest).map_or(MAX_VALUE, |rest| rest.min(MAX_VALUE));
                load(&self.window, data.payload + value_at as u64, want, &mut self.scratch);
                self.cache.insert(offset, name, &self.scratch);
                self.entry.set(field, &self.scratch);
            }
            Name::Other => self.cache.insert(offset, name, &[]),
        }
        Ok(())
    }

    fn resolve_compressed(&mut self, data: Data) {
        if data.len > SMALL_COMPRESSED {
            self.deferred.push(data);
            return;
        }
        match self.inflate(data) {
            Some((Name::Message, cut)) => self.take_inflated_message(cut),
            Some((Name::Field(field), _)) => self.entry.set(field, &self.inflated),
            Some((Name::Other, _)) => {}
            // Counted when nothing else turns out to be the message.
            None => self.deferred.push(data),
        }
    }

    /// Looks for the message among the large compressed fields; true when it is missing and some cannot be read.
    fn find_deferred_message(&mut self) -> bool {
        let mut unreadable = false;
        while let Some(data) = self.deferred.pop() {
            match self.inflate(data) {
                Some((Name::Message, cut)) => {
                    self.take_inflated_message(cut);
                    return false;
                }
                Some(_) => {}
                None => {
                    self.report.corrupt_objects += 1;
                    unreadable = true;
                }
            }
        }
        unreadable
    }

    fn take_inflated_message(&mut self, cut: bool) {
        std::mem::swap(&mut self.message, &mut self.inflated);
        self.found = Found::Loaded { cut };
    }

    /// Inflates a payload into `self.inflated`, without its name; nothing when that fails.
    fn inflate(&mut self, data: Data) -> Option<(Name, bool)> {
        let want = usize::try_from(data.len).map_or(MAX_COMPRESSED, |len| len.min(MAX_COMPRESSED));
        load(&self.window, data.payload, want, &mut self.scratch);
        let value = &mut self.inflated;
        let cut = self
            .decompressor
            .inflate(data.flags, &self.scratch, MAX_MESSAGE + MAX_NAME, value)
            .ok()?;
        let (name, value_at) = classify(value);
        value.drain(..value_at);
        let longer = value.len() > MAX_MESSAGE;
        value.truncate(MAX_MESSAGE);
        Some((name, cut || longer))
    }
}

fn message_at(data: Data, value_at: usize) -> Found {
    Found::At {
        offset: data.payload + value_at as u64,
        len: data.len - value_at as u64,
    }
}

/// Replaces `out` by `want` bytes from `offset` on, or fewer where the file ends or cannot be read.
fn load<R: ReadAt>(window: &Window<R>, offset: u64, want: usize, out: &mut Vec<u8>) -> usize {
    out.clear();
    if let Some(held) = window.held(offset).get(..want) {
        out.extend_from_slice(held);
    } else {
        out.resize(want, 0);
        let got = window.read_past(offset, out).unwrap_or(0);
        out.truncate(got);
    }
    out.len()
}

/// Reads the header of a DATA object; nothing when there is none.
#[inline]
fn parse_data(bytes: &[u8], offset: u64, header: &Header) -> Option<Data> {
    let object = ObjectHeader::parse(bytes).filter(|o| o.kind == TYPE_DATA && o.fits(offset, header))?;
    let head = header.data_header();
    (bytes.len() >= head).then(|| Data {
        flags: object.flags,
        payload: offset + head as u64,
        len: object.size - head as u64,
    })
}

//! Collects the fields of one entry from the DATA objects that it refers to; does not find entries.
//!
//! Most of an entry's fields were written just before it and are still in the [`Window`], the shared ones are in the
//! [`Cache`], and the rest costs one short read each. The message is only noted, and read when somebody wants it.

use std::io;

use crate::cache::Cache;
use crate::compression::{self, Decompressor};
use crate::entry::{Entry, MAX_VALUE};
use crate::field::{MAX_NAME, Name, classify};
use crate::layout::{EntryHeader, Header, ObjectHeader, TYPE_DATA};
use crate::read_at::ReadAt;
use crate::window::Window;

/// The most of a message that is returned; journald cuts lines of services at 48 KiB, only native clients send more.
const MAX_MESSAGE: usize = 1024 * 1024;

/// The most compressed bytes read of one object.
const MAX_COMPRESSED: usize = 1024 * 1024;

/// Buffers are kept from entry to entry up to this size, so that one large message does not cost memory for ever.
const KEPT_BUFFER: usize = 64 * 1024;

/// A compressed payload up to this size may be a field other than the message, if journald was told to compress small
/// fields too (`Compress=` takes a threshold), so it is inflated at once; larger ones only when a message is missing.
const SMALL_COMPRESSED: u64 = 512;

/// Bytes read of a DATA object that is not in the window: header, name and any usual value in one go.
const PROBE: usize = 512;

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
#[derive(Clone, Copy, Debug, Default)]
enum Found {
    #[default]
    Nowhere,
    At {
        offset: u64,
        len: u64,
    },
    Loaded {
        cut: bool,
    },
    Unreadable,
}

/// A DATA object that the current entry refers to.
#[derive(Clone, Copy, Debug)]
struct Data {
    flags: u8,
    /// Where the payload starts in the file, and its length there.
    payload: u64,
    len: u64,
}

/// The fields of the current entry.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    entry: Entry,
    found: Found,
    /// Compressed objects that may be the message.
    deferred: Vec<Data>,
    cache: Cache,
    decompressor: Decompressor,
    message: Vec<u8>,
    inflated: Vec<u8>,
    scratch: Vec<u8>,
}

impl Fields {
    /// The current entry.
    pub(crate) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Forgets the fields of the last entry.
    pub(crate) fn reset(&mut self, header: EntryHeader) {
        self.entry.reset(header);
        self.found = Found::Nowhere;
        self.deferred.clear();
        for buffer in [&mut self.message, &mut self.inflated, &mut self.scratch] {
            buffer.clear();
            buffer.shrink_to(KEPT_BUFFER);
        }
    }

    /// Takes the DATA object at `offset`, if it matters; false when there is none.
    #[inline]
    pub(crate) fn take<R: ReadAt>(&mut self, window: &Window<R>, header: &Header, offset: u64) -> io::Result<bool> {
        let held = window.held(offset);
        if held.len() >= header.data_header() + MAX_NAME {
            return Ok(self.take_from(window, header, offset, held, false));
        }
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
            return Ok(true);
        }
        let mut probe = [0; PROBE];
        let got = window.read_past(offset, &mut probe)?;
        Ok(self.take_from(window, header, offset, &probe[..got], true))
    }

    /// The entry and its message, which is read now; no message when the entry has none.
    pub(crate) fn with_message<R: ReadAt>(&mut self, window: &Window<R>) -> (&Entry, Option<Message<'_>>) {
        match self.found {
            Found::At { offset, len } => {
                let want = bounded(len, MAX_MESSAGE);
                let got = load(window, offset, want, &mut self.message);
                let unreadable = got == 0 && want > 0;
                self.found = if unreadable {
                    Found::Unreadable
                } else {
                    Found::Loaded {
                        cut: (got as u64) < len,
                    }
                };
            }
            Found::Nowhere => self.find_deferred_message(window),
            Found::Loaded { .. } | Found::Unreadable => {}
        }
        let message = match self.found {
            Found::Loaded { cut: false } => Some(Message::Whole(&self.message)),
            Found::Loaded { cut: true } => Some(Message::Cut(&self.message)),
            Found::Unreadable => Some(Message::Unreadable),
            Found::Nowhere | Found::At { .. } => None,
        };
        (&self.entry, message)
    }

    /// Takes the object whose first bytes are given. One that is not in the window is shared with older entries, so it
    /// is worth remembering.
    #[inline]
    fn take_from<R: ReadAt>(
        &mut self,
        window: &Window<R>,
        header: &Header,
        offset: u64,
        bytes: &[u8],
        shared: bool,
    ) -> bool {
        let Some(data) = parse_data(bytes, offset, header) else {
            return false;
        };
        if compression::is_compressed(data.flags) {
            self.take_compressed(window, data);
            return true;
        }
        let payload = &bytes[header.data_header()..];
        let payload = &payload[..bounded(data.len, payload.len())];
        let (name, value_at) = classify(payload);
        let mut value = &payload[value_at..];
        let whole = payload.len() as u64 == data.len;
        let value_offset = data.payload + value_at as u64;
        let value_len = data.len - value_at as u64;
        match name {
            Name::Message => {
                self.found = Found::At {
                    offset: value_offset,
                    len: value_len,
                }
            }
            Name::Field(field) => {
                if !whole {
                    load(window, value_offset, bounded(value_len, MAX_VALUE), &mut self.scratch);
                    value = &self.scratch;
                }
                self.entry.set(field, value);
            }
            Name::Other => value = &[],
        }
        if shared && (whole || name != Name::Message) {
            self.cache.insert(offset, name, value);
        }
        true
    }

    fn take_compressed<R: ReadAt>(&mut self, window: &Window<R>, data: Data) {
        if data.len > SMALL_COMPRESSED {
            self.deferred.push(data);
            return;
        }
        match self.inflate(window, data) {
            Some((Name::Message, cut)) => self.take_inflated_message(cut),
            Some((Name::Field(field), _)) => self.entry.set(field, &self.inflated),
            Some((Name::Other, _)) => {}
            // It may have been the message, which shows when no other field is.
            None => self.deferred.push(data),
        }
    }

    /// Looks for the message among the compressed fields. If it is not among them and some cannot be read, it is taken
    /// to be one of those.
    fn find_deferred_message<R: ReadAt>(&mut self, window: &Window<R>) {
        while let Some(data) = self.deferred.pop() {
            match self.inflate(window, data) {
                Some((Name::Message, cut)) => {
                    self.take_inflated_message(cut);
                    return;
                }
                Some(_) => {}
                None => self.found = Found::Unreadable,
            }
        }
    }

    fn take_inflated_message(&mut self, cut: bool) {
        std::mem::swap(&mut self.message, &mut self.inflated);
        self.found = Found::Loaded { cut };
    }

    /// Inflates a payload into `self.inflated`, without its name; nothing when that fails.
    fn inflate<R: ReadAt>(&mut self, window: &Window<R>, data: Data) -> Option<(Name, bool)> {
        load(
            window,
            data.payload,
            bounded(data.len, MAX_COMPRESSED),
            &mut self.scratch,
        );
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

/// A length of the file as one in memory, at most `limit`.
fn bounded(len: u64, limit: usize) -> usize {
    usize::try_from(len).map_or(limit, |len| len.min(limit))
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
    let object = ObjectHeader::parse(bytes).filter(|object| object.kind == TYPE_DATA && object.fits(offset, header))?;
    let head = header.data_header();
    (bytes.len() >= head).then(|| Data {
        flags: object.flags,
        payload: offset + head as u64,
        len: object.size - head as u64,
    })
}

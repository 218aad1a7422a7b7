//! Where things stand in a journal file; does not read anything.
//!
//! The facts are those of systemd's *Journal File Format* document (<https://systemd.io/JOURNAL_FILE_FORMAT/>) and of
//! the structures in its `journal-def.h`: little-endian numbers, objects aligned to eight bytes, each with a header of
//! sixteen. Two shapes exist: regular, and *compact* (since 252), where offsets inside objects have 32 bits.

use crate::error::Error;

/// The first bytes of every journal file.
const SIGNATURE: &[u8; 8] = b"LPKSHHRH";

/// The smallest header ever written (before 187); newer versions only append to it.
const MIN_HEADER: u64 = 208;

/// More than any known version writes (272 since 254), and a bound for what a damaged file may claim.
const MAX_HEADER: u64 = 64 * 1024;

/// Positions in a file have 63 bits; one less leaves room to add sizes to them.
const MAX_FILE: u64 = 1 << 62;

/// Bytes of the header that are looked at.
pub(crate) const HEADER_READ: usize = 208;

/// The flags that change how the file must be read and that are understood here: XZ, LZ4, keyed hash, ZSTD, compact.
const INCOMPATIBLE_KNOWN: u32 = 0b1_1111;
const INCOMPATIBLE_COMPACT: u32 = 1 << 4;

/// Times at or beyond this are not times: the same bound as systemd's own, in the year 3111.
const REALTIME_LIMIT: u64 = 1 << 55;

/// Entries of more than 1024 fields are refused by journald; beyond this it is damage.
pub(crate) const MAX_ENTRY_OBJECT: u64 = 64 * 1024;

pub(crate) const OBJECT_HEADER: u64 = 16;
pub(crate) const ENTRY_HEADER: usize = 64;
pub(crate) const ENTRY_ARRAY_HEADER: u64 = 24;

pub(crate) const TYPE_DATA: u8 = 1;
pub(crate) const TYPE_ENTRY: u8 = 3;
pub(crate) const TYPE_ENTRY_ARRAY: u8 = 6;
const TYPE_LAST: u8 = 7;

/// Every object starts at a multiple of eight.
pub(crate) const fn align(value: u64) -> u64 {
    value.saturating_add(7) & !7
}

/// The 64-bit number at `at`; zero where the bytes end, which no caller takes for a valid offset or size.
#[inline]
pub(crate) fn le64(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..at + 8)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u64::from_le_bytes)
}

/// The 32-bit number at `at`; zero where the bytes end.
#[inline]
pub(crate) fn le32(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u32::from_le_bytes)
}

/// The sixteen bytes at `at`; zeros where the bytes end.
pub(crate) fn id128(bytes: &[u8], at: usize) -> [u8; 16] {
    bytes
        .get(at..at + 16)
        .and_then(|b| b.try_into().ok())
        .unwrap_or_default()
}

/// What the header of a file says.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) compact: bool,
    pub(crate) seqnum_id: [u8; 16],
    /// Where the first object starts.
    pub(crate) first_object: u64,
    /// Where the part in use ends; the file may be shorter when it was cut.
    pub(crate) end: u64,
    /// Where the last object started when the header was read; zero when there is none.
    pub(crate) tail_object: u64,
    pub(crate) entry_count: u64,
    /// The sequence number of the first entry.
    pub(crate) head_seqnum: u64,
    /// Where the chain of entry arrays starts; zero when there is none.
    pub(crate) entry_array: u64,
    pub(crate) head_realtime: u64,
    pub(crate) tail_realtime: u64,
}

impl Header {
    /// Reads a header from the first [`HEADER_READ`] bytes of a file.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Err(Error::Empty);
        }
        if !bytes.starts_with(SIGNATURE) || bytes.len() < HEADER_READ {
            return Err(Error::NotAJournal);
        }
        let incompatible = le32(bytes, 12);
        if incompatible & !INCOMPATIBLE_KNOWN != 0 {
            return Err(Error::UnsupportedFlags {
                flags: incompatible & !INCOMPATIBLE_KNOWN,
            });
        }
        let first_object = le64(bytes, 88);
        if !(MIN_HEADER..=MAX_HEADER).contains(&first_object) {
            return Err(Error::DamagedHeader {
                field: "header_size",
                value: first_object,
            });
        }
        Ok(Self {
            compact: incompatible & INCOMPATIBLE_COMPACT != 0,
            seqnum_id: id128(bytes, 72),
            first_object: align(first_object),
            end: first_object.saturating_add(le64(bytes, 96)).min(MAX_FILE),
            tail_object: le64(bytes, 136),
            entry_count: le64(bytes, 152),
            head_seqnum: le64(bytes, 168),
            entry_array: le64(bytes, 176),
            head_realtime: le64(bytes, 184),
            tail_realtime: le64(bytes, 192),
        })
    }

    /// Bytes of a DATA object before its payload.
    pub(crate) const fn data_header(&self) -> usize {
        if self.compact { 72 } else { 64 }
    }

    /// Bytes of one reference inside an ENTRY object: the offset, and in regular files a hash.
    pub(crate) const fn entry_item(&self) -> usize {
        if self.compact { 4 } else { 16 }
    }

    /// Whether an ENTRY object can have this size.
    fn holds_items(&self, size: u64) -> bool {
        let items = size.saturating_sub(ENTRY_HEADER as u64);
        items > 0 && size <= MAX_ENTRY_OBJECT && items.is_multiple_of(self.entry_item() as u64)
    }

    /// Bytes of one offset inside an `ENTRY_ARRAY` object.
    pub(crate) const fn array_item(&self) -> u64 {
        if self.compact { 4 } else { 8 }
    }

    /// The offset at `at` of an ENTRY or `ENTRY_ARRAY` object.
    #[inline]
    pub(crate) fn item_offset(&self, bytes: &[u8], at: usize) -> u64 {
        if self.compact {
            u64::from(le32(bytes, at))
        } else {
            le64(bytes, at)
        }
    }

    /// Whether an object may start at `offset`.
    #[inline]
    pub(crate) const fn may_start_object(&self, offset: u64) -> bool {
        offset.is_multiple_of(8) && offset >= self.first_object && offset < self.end
    }
}

/// The header that every object starts with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ObjectHeader {
    pub(crate) kind: u8,
    /// How the payload of a DATA object is compressed.
    pub(crate) flags: u8,
    reserved: u64,
    /// Header and payload, in bytes.
    pub(crate) size: u64,
}

impl ObjectHeader {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; 16] = bytes.first_chunk()?;
        Some(Self {
            kind: head[0],
            flags: head[1],
            reserved: le64(head, 0) >> 16,
            size: le64(head, 8),
        })
    }

    /// Whether such an object can stand at `offset`. Types that are not known yet are to be skipped, so the type alone
    /// decides nothing; their size must still fit.
    pub(crate) fn fits(&self, offset: u64, header: &Header) -> bool {
        self.kind != 0
            && self.size >= OBJECT_HEADER
            && offset.checked_add(self.size).is_some_and(|end| end <= header.end)
            && match self.kind {
                TYPE_DATA => self.size > header.data_header() as u64,
                TYPE_ENTRY => header.holds_items(self.size),
                TYPE_ENTRY_ARRAY => self.size >= ENTRY_ARRAY_HEADER,
                _ => true,
            }
    }

    /// Whether this is beyond doubt a header, asked where one is searched for: stricter than [`Self::fits`], as any
    /// eight bytes of a payload are candidates.
    pub(crate) fn convinces(&self, offset: u64, header: &Header) -> bool {
        self.kind <= TYPE_LAST
            && self.reserved == 0
            && (self.flags == 0 || (self.kind == TYPE_DATA && self.flags.is_power_of_two() && self.flags <= 4))
            && self.fits(offset, header)
    }
}

/// The fixed part of an ENTRY object.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EntryHeader {
    pub(crate) seqnum: u64,
    pub(crate) realtime: u64,
    pub(crate) monotonic: u64,
    pub(crate) boot_id: [u8; 16],
}

impl EntryHeader {
    /// Reads it from the bytes of the whole object; nothing when they cannot be an entry.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let entry = Self {
            seqnum: le64(bytes, 16),
            realtime: le64(bytes, 24),
            monotonic: le64(bytes, 32),
            boot_id: id128(bytes, 40),
        };
        (entry.seqnum != 0 && (1..REALTIME_LIMIT).contains(&entry.realtime)).then_some(entry)
    }
}

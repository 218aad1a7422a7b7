//! One journal entry with the fields that were looked at; does not hold the message, which is only read on demand.

use crate::field::Field;
use crate::layout::EntryHeader;

/// The most that is kept of a field other than the message: unit names have 255 bytes at most, the rest is shorter.
pub(crate) const MAX_VALUE: usize = 1024;

/// An entry of a journal file.
#[derive(Debug, Default)]
pub struct Entry {
    pub(crate) header: EntryHeader,
    values: Vec<u8>,
    spans: [Option<(u32, u32)>; Field::COUNT],
}

impl Entry {
    /// The sequence number, counted by the daemon that wrote the file.
    pub fn seqnum(&self) -> u64 {
        self.header.seqnum
    }

    /// When the journal took the entry, in microseconds since 1970 (UTC).
    pub fn realtime_usec(&self) -> u64 {
        self.header.realtime
    }

    /// The same moment in microseconds since the boot.
    pub fn monotonic_usec(&self) -> u64 {
        self.header.monotonic
    }

    /// The boot during which the entry was written.
    pub fn boot_id(&self) -> [u8; 16] {
        self.header.boot_id
    }

    /// The value of a field, when the entry has it: without the name, of several the last, cut after 1024 bytes.
    #[inline]
    pub fn field(&self, field: Field) -> Option<&[u8]> {
        let (start, end) = self.spans[field as usize]?;
        self.values.get(start as usize..end as usize)
    }

    pub(crate) fn reset(&mut self, header: EntryHeader) {
        self.header = header;
        self.values.clear();
        self.spans = [None; Field::COUNT];
    }

    #[inline]
    pub(crate) fn set(&mut self, field: Field, value: &[u8]) {
        let value = &value[..value.len().min(MAX_VALUE)];
        let start = self.values.len();
        self.values.extend_from_slice(value);
        // An entry object has at most 64 KiB of references, so this cannot overflow; if it did, the field is absent.
        self.spans[field as usize] = u32::try_from(start).ok().zip(u32::try_from(self.values.len()).ok());
    }

    /// An entry made by hand.
    #[cfg(test)]
    pub(crate) fn for_test(realtime: u64, fields: &[(Field, &str)]) -> Self {
        let mut entry = Self::default();
        entry.reset(EntryHeader {
            seqnum: 1,
            realtime,
            monotonic: 1,
            boot_id: [1; 16],
        });
        for (field, value) in fields {
            entry.set(*field, value.as_bytes());
        }
        entry
    }
}

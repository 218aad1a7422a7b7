//! Remembers DATA objects that many entries share, by their offset; does not keep what only one entry refers to.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::field::Name;

/// Objects remembered before all are forgotten: an entry has some twenty fields, and the processes of a busy node
/// change far more slowly than this fills.
const MAX_OBJECTS: usize = 16 * 1024;

/// Bytes of values remembered before all are forgotten.
const MAX_BYTES: usize = 1024 * 1024;

/// What is known about a shared DATA object.
#[derive(Debug)]
pub(crate) struct Cached {
    pub(crate) name: Name,
    /// The value, for the fields that matter.
    pub(crate) value: Box<[u8]>,
}

/// Shared DATA objects by offset. Forgetting everything at once is the whole policy: what is still in use comes back
/// at one read each.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    objects: HashMap<u64, Cached, BuildHasherDefault<OffsetHasher>>,
    bytes: usize,
}

impl Cache {
    #[inline]
    pub(crate) fn get(&self, offset: u64) -> Option<&Cached> {
        self.objects.get(&offset)
    }

    pub(crate) fn insert(&mut self, offset: u64, name: Name, value: &[u8]) {
        if self.objects.len() >= MAX_OBJECTS || self.bytes + value.len() > MAX_BYTES {
            self.objects.clear();
            self.bytes = 0;
        }
        self.bytes += value.len();
        self.objects.insert(
            offset,
            Cached {
                name,
                value: value.into(),
            },
        );
    }
}

/// Spreads offsets over the table with one multiplication: the standard hasher would cost more than all else per entry.
#[derive(Debug, Default)]
struct OffsetHasher(u64);

impl Hasher for OffsetHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // The golden ratio in 64 bits; the rotation brings the well-mixed high bits to where the table looks.
        self.0 = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_right(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_bounds() {
        let mut cache = Cache::default();
        for offset in 0..100_000_u64 {
            cache.insert(offset * 8, Name::Other, &[0; 500]);
            assert!(cache.objects.len() <= MAX_OBJECTS);
            assert!(cache.bytes <= MAX_BYTES);
        }
        assert!(cache.get(99_999 * 8).is_some());
    }
}

//! A bounded buffer that slides forward over a file; does not interpret what it holds.
//!
//! Entries are read in the order of the file, and most of what an entry refers to was written just before it, so the
//! buffer keeps a stretch behind the reading position. What lies further back is read past the buffer.

use std::io;

use crate::read_at::{self, ReadAt};

/// Bytes held at once: large enough that a read costs little beside copying it, small enough for several open files.
const CAPACITY: usize = 256 * 1024;

/// Bytes kept behind the position when the buffer moves on: the data of one ordinary entry many times over.
const LOOKBACK: usize = 64 * 1024;

/// The most that [`Window::get`] can return at once.
pub(crate) const MAX_GET: usize = CAPACITY - LOOKBACK;

/// A sliding view of a file.
#[derive(Debug)]
pub(crate) struct Window<R> {
    source: R,
    buf: Box<[u8]>,
    start: u64,
    len: usize,
}

impl<R: ReadAt> Window<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            buf: vec![0; CAPACITY].into_boxed_slice(),
            start: 0,
            len: 0,
        }
    }

    /// The bytes from `offset` on, at most `len` of them and fewer only where the file ends; moves the buffer there.
    pub(crate) fn get(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let len = len.min(MAX_GET);
        if self.held(offset).len() < len {
            self.slide(offset)?;
        }
        let held = self.held(offset);
        Ok(&held[..len.min(held.len())])
    }

    /// What the buffer holds from `offset` on, possibly nothing; never reads.
    #[inline]
    pub(crate) fn held(&self, offset: u64) -> &[u8] {
        match offset
            .checked_sub(self.start)
            .and_then(|skip| usize::try_from(skip).ok())
        {
            Some(skip) if skip < self.len => &self.buf[skip..self.len],
            _ => &[],
        }
    }

    /// Fills `buf` from `offset` on without moving the buffer; returns how many bytes there were before the end.
    pub(crate) fn read_past(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        read_at::fill(&self.source, buf, offset)
    }

    fn slide(&mut self, offset: u64) -> io::Result<()> {
        let end = self.start + self.len as u64;
        let keep_from = offset.saturating_sub(LOOKBACK as u64).max(self.start);
        let kept = if offset >= self.start && keep_from < end {
            // Both differences are within the buffer.
            let from = usize::try_from(keep_from - self.start).unwrap_or(self.len);
            self.buf.copy_within(from..self.len, 0);
            self.start = keep_from;
            self.len - from
        } else {
            self.start = offset;
            0
        };
        // Should the read fail, the buffer holds only what it is sure of.
        self.len = kept;
        self.len += read_at::fill(&self.source, &mut self.buf[kept..], self.start + kept as u64)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_order_of_reads_returns_the_bytes_of_the_file(
            size in 0_usize..600_000,
            reads in proptest::collection::vec((0_u64..700_000, 0_usize..MAX_GET), 1..30),
        ) {
            let file: Vec<u8> = (0..size).map(|at| ((at.wrapping_mul(31) >> 3) & 0xff).to_le_bytes()[0]).collect();
            let mut window = Window::new(file.as_slice());
            for (offset, len) in reads {
                let start = usize::try_from(offset).unwrap().min(size);
                let expected = &file[start..(start + len).min(size)];
                prop_assert_eq!(window.get(offset, len).unwrap(), expected);
            }
        }
    }

    #[test]
    fn moving_on_keeps_what_lies_just_behind() {
        let file = vec![7_u8; 1024 * 1024];
        let mut window = Window::new(file.as_slice());
        window.get(0, 16).unwrap();
        window.get(MAX_GET as u64 + 60_000, MAX_GET).unwrap();
        assert!(!window.held(MAX_GET as u64).is_empty());
    }
}

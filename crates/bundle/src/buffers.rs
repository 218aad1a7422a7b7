//! The large buffers of the work on one artifact, used again for the next. What is in them is not known here.
//!
//! Allocated anew for each artifact they would lie between small pieces that stay, and an allocator that gets them back
//! does not always find room for the next ones there: memory grew with the number of artifacts.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use flate2::{Compress, Compression, Decompress};

/// The level at which `zlib-rs` makes logs as small as `gzip -6` does (docs/design/spool.md).
const LEVEL: u32 = 4;
/// Bytes read, or inflated, at a time.
pub(crate) const CHUNK: usize = 128 * 1024;

/// What the work on one artifact needs besides its redactor.
pub(crate) struct Buffers {
    pub(crate) deflate: Compress,
    pub(crate) inflate: Decompress,
    /// What came from the source. Empty until a source is read here: of many artifacts the bytes are brought.
    pub(crate) raw: Vec<u8>,
    /// What came from the redactor.
    pub(crate) clean: Vec<u8>,
}

impl Buffers {
    fn new() -> Self {
        Self {
            deflate: Compress::new(Compression::new(LEVEL), false),
            inflate: Decompress::new(false),
            raw: Vec::new(),
            clean: Vec::new(),
        }
    }
}

impl fmt::Debug for Buffers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Buffers").finish_non_exhaustive()
    }
}

/// Buffers that are not in use: as many as artifacts were worked on at once.
#[derive(Debug, Default)]
pub(crate) struct BufferPool {
    idle: Mutex<Vec<Buffers>>,
}

impl BufferPool {
    /// Buffers as new.
    pub(crate) fn take(&self) -> Buffers {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(Buffers::new)
    }

    /// Keeps the buffers for the next artifact. Those of one that failed need not come back.
    pub(crate) fn give_back(&self, mut buffers: Buffers) {
        buffers.deflate.reset();
        buffers.inflate.reset(false);
        buffers.clean.clear();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
    }
}

#[cfg(test)]
mod tests {
    use flate2::FlushCompress;

    use super::BufferPool;

    /// What buffers of the pool make of a text, before they are given back.
    fn deflated(pool: &BufferPool, text: &[u8]) -> Vec<u8> {
        let mut buffers = pool.take();
        assert!(buffers.clean.is_empty());
        buffers.clean.extend_from_slice(text);
        let mut out = Vec::with_capacity(64 * 1024);
        buffers
            .deflate
            .compress_vec(text, &mut out, FlushCompress::Finish)
            .unwrap();
        pool.give_back(buffers);
        out
    }

    #[test]
    fn used_buffers_are_as_new_and_as_few_as_needed_at_once() {
        let pool = BufferPool::default();
        let first = deflated(&pool, b"some text that comes twice");
        deflated(&pool, &vec![7; 100_000]);
        assert_eq!(deflated(&pool, b"some text that comes twice"), first);
        assert_eq!(pool.idle.lock().unwrap().len(), 1);
    }
}

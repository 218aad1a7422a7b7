//! The large buffers of the work on one artifact, used again for the next. What is in them is not known here.
//!
//! Allocated anew for each artifact they would lie between small pieces that stay, and an allocator that gets them back
//! does not always find room for the next ones there: memory grew with the number of artifacts.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use flate2::{Compress, Compression, Decompress};

/// The level at which `zlib-rs` gives almost the size of `gzip -6` for half of its time (docs/design/spool.md).
const LEVEL: u32 = 3;
/// Bytes read, or inflated, at a time.
const CHUNK: usize = 128 * 1024;

/// What the work on one artifact needs besides its redactor.
pub(crate) struct Buffers {
    pub(crate) deflate: Compress,
    pub(crate) inflate: Decompress,
    /// What came from the source: [`CHUNK`] bytes.
    pub(crate) raw: Box<[u8]>,
    /// What came from the redactor.
    pub(crate) clean: Vec<u8>,
}

impl Buffers {
    fn new() -> Self {
        Self {
            deflate: Compress::new(Compression::new(LEVEL), false),
            inflate: Decompress::new(false),
            raw: vec![0; CHUNK].into_boxed_slice(),
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

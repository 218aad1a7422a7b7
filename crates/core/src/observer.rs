//! The seam for what wants to see artifacts while they are kept, so that nothing has to be read twice; what it makes of
//! them is not said here.

use crate::ArtifactPath;

/// Sees artifacts as they are kept.
pub trait Observer: Send + Sync + 'static {
    /// Asked when an artifact begins; `None` when this one is of no interest.
    fn artifact(&self, path: &ArtifactPath) -> Option<Box<dyn ArtifactObserver>>;
}

/// Sees one artifact. When it is dropped before its end, the artifact was not kept.
pub trait ArtifactObserver: Send {
    /// The next bytes, as a reader of the archive will find them: redacted, and nothing beyond the limit.
    fn push(&mut self, bytes: &[u8]);

    /// The artifact is whole, as far as it was kept.
    fn finish(self: Box<Self>);
}

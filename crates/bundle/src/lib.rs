//! Keeps the artifacts of a run and makes archives of them; what they are and where they come from is not its business.
//!
//! On the way in ([`SpoolStore`]): redact → limit → hash → deflate → spool, so that no unredacted byte is ever written.
//! On the way out ([`NodeArchive`]): the same deflate streams, put side by side as `tar.gz` or `zip`; nothing is
//! compressed twice. [`ArchiveFile`] hands on an archive that lies on a disk, [`OpenArchive`] looks
//! into it, [`ArchiveInputs`] has it judged.

mod archive;
mod archive_inputs;
mod budget;
mod buffers;
mod gzip;
mod inputs;
mod pipeline;
mod segment;
mod store;
#[cfg(test)]
mod tests;

pub use archive::{ArchiveFile, ArchiveFileError, Entry, Member, NodeArchive, OpenArchive, Source};
pub use archive_inputs::ArchiveInputs;
pub use budget::{Budget, BudgetLimits};
pub use inputs::StoredInputs;
pub use segment::Extent;
pub use store::{Artifact, SpoolStore};

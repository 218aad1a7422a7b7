//! Archives: one node's artifacts put side by side as `tar.gz`, `zip` or a folder, and such files read back.

mod counting;
mod entry;
mod file;
mod index;
mod member;
mod node;
mod reading;
mod tar_gz;
mod unpack;
mod zip;

pub use entry::{Entry, Source};
pub use file::{ArchiveFile, ArchiveFileError};
pub use node::NodeArchive;
pub use reading::{Member, OpenArchive};

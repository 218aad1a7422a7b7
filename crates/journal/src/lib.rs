//! Reads systemd journal files in this process and writes their entries as text; does not follow live journals, does
//! not verify seals or hashes, and opens no file itself: the caller hands in what it opened.
//!
//! [`Transcript`] is the whole of it for most callers: several files in, one stream of text per [`Selector`] out, in
//! order of time. [`Reader`] is one file. Damage is skipped, counted and told in a [`FileReport`] per file.

mod cache;
mod compression;
mod entry;
mod error;
mod field;
mod fields;
#[cfg(test)]
mod fixture;
mod format;
mod index;
mod layout;
mod merge;
mod printable;
mod read_at;
mod reader;
mod report;
mod resync;
mod select;
mod transcript;
mod window;

pub use entry::Entry;
pub use error::Error;
pub use field::Field;
pub use fields::Message;
pub use format::Formatter;
pub use merge::{Merge, Source};
pub use read_at::ReadAt;
pub use reader::Reader;
pub use report::FileReport;
pub use select::{MAX_SELECTORS, Matches, Selection, Selector};
pub use transcript::Transcript;

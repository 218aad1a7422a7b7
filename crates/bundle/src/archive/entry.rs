//! One file of an archive and the order in which files stand there; the formats are the neighbours' affair.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use jiff::Timestamp;
use periscope_core::ArtifactPath;

use crate::Artifact;
use crate::segment::Extent;

/// Where an entry's deflate stream lies.
#[derive(Debug, Clone)]
pub enum Source {
    /// In the spool.
    Spool(Extent),
    /// In memory: for small documents only.
    Memory(Arc<[u8]>),
}

impl Source {
    /// Length of the deflate stream.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Spool(extent) => extent.len(),
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    pub(crate) fn reader(&self) -> Box<dyn Read + '_> {
        match self {
            Self::Spool(extent) => Box::new(extent.reader()),
            Self::Memory(bytes) => Box::new(bytes.as_ref()),
        }
    }
}

/// One file of an archive.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its path below the top folder.
    pub path: ArtifactPath,
    /// When its source was last written.
    pub modified: Timestamp,
    /// Length of its content.
    pub len: u64,
    /// CRC-32 of its content.
    pub crc32: u32,
    /// Its deflate stream.
    pub source: Source,
}

impl Entry {
    /// An entry for an artifact in the spool.
    pub fn of_artifact(path: ArtifactPath, artifact: &Artifact, otherwise_modified: Timestamp) -> Self {
        Self {
            path,
            modified: artifact.modified.unwrap_or(otherwise_modified),
            len: artifact.len,
            crc32: artifact.crc32,
            source: Source::Spool(artifact.extent.clone()),
        }
    }

    /// An entry for a document that was made in memory. It is taken as it is: redacting it is the caller's duty.
    ///
    /// # Errors
    /// Never in practice: compressing into memory does not fail.
    pub fn of_document(path: ArtifactPath, content: &[u8], modified: Timestamp) -> io::Result<Self> {
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(content)?;
        Ok(Self {
            path,
            modified,
            len: content.len() as u64,
            crc32: crc32fast::hash(content),
            source: Source::Memory(deflate.finish()?.into()),
        })
    }
}

/// What stands in an archive, in order: folders before what they hold.
pub(crate) enum Step<'a> {
    Folder(String),
    File(String, &'a Entry),
}

/// The archive's content in order: the files of the top folder first, then the others, each folder named before its
/// first file (readers that make no parent folders exist: field notes on `omc`). `entries` are sorted by path.
pub(crate) fn steps<'a>(top: &str, entries: &'a [Entry]) -> Vec<Step<'a>> {
    let mut steps = vec![Step::Folder(format!("{top}/"))];
    let mut named = BTreeSet::new();
    let (in_top, below): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| !entry.path.as_str().contains('/'));
    for entry in in_top.into_iter().chain(below) {
        for parent in entry.path.parents() {
            if named.insert(parent) {
                steps.push(Step::Folder(format!("{top}/{parent}/")));
            }
        }
        steps.push(Step::File(format!("{top}/{}", entry.path), entry));
    }
    steps
}

//! A finished archive as exporters see it: written out as often and in as many formats as they like.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{NodeName, RunId};

/// A form in which an archive leaves the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Format {
    /// One gzip-compressed tar file.
    #[serde(rename = "tar.gz")]
    TarGz,
    /// One zip file.
    #[serde(rename = "zip")]
    Zip,
    /// A folder of plain files.
    #[serde(rename = "unpacked")]
    Unpacked,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::TarGz, Self::Zip, Self::Unpacked];

    /// The word for it; also the file extension of the packed ones.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TarGz => "tar.gz",
            Self::Zip => "zip",
            Self::Unpacked => "unpacked",
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {0:?}: expected tar.gz, zip or unpacked")]
pub struct UnknownFormat(String);

impl std::str::FromStr for Format {
    type Err = UnknownFormat;
    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == word)
            .ok_or_else(|| UnknownFormat(word.to_owned()))
    }
}

/// A small file that is worth having beside the archive.
#[derive(Debug, Clone)]
pub struct LooseFile {
    /// Its name, without folders.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What one run brought out of one node.
pub trait Archive: Send + Sync {
    /// The run.
    fn run_id(&self) -> &RunId;

    /// The node.
    fn node(&self) -> &NodeName;

    /// The packed formats in which it can be written, the preferred one first.
    fn formats(&self) -> Vec<Format>;

    /// Writes the whole archive. Gives the same bytes each time. Blocks: call it off the async threads.
    ///
    /// # Errors
    /// When `out` fails or the artifacts cannot be read; `InvalidInput` for a format that it cannot be written in.
    fn write_to(&self, format: Format, out: &mut dyn Write) -> io::Result<()>;

    /// Writes its files plainly below `folder`, which exists and is empty. Blocks: call it off the async threads.
    ///
    /// # Errors
    /// When a file cannot be written or an artifact cannot be read; `Unsupported` when it cannot be unpacked.
    fn unpack_to(&self, folder: &Path) -> io::Result<()>;

    /// The small files that stand beside it.
    fn loose_files(&self) -> Vec<LooseFile>;
}

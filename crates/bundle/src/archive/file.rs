//! An archive that lies on a disk: found to be one of ours, and handed to exporters as it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use periscope_core::{Archive, Format, LooseFile, MANIFEST_FILE, Manifest, NodeName, RunId};
use zip::ZipArchive;

/// Largest file of the top folder that is read.
const MAX_TOP_FILE: u64 = 64 * 1024 * 1024;
/// The files of the top folder stand first in a `tar.gz`; after so many others there are none to come.
const MAX_TAR_ENTRIES: usize = 64;

/// Why a file cannot be taken for an archive of ours.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveFileError {
    /// It cannot be read.
    #[error("could not read {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is neither `tar.gz` nor `zip`.
    #[error("{0:?} is not an archive: expected a tar.gz or zip file that `collect` wrote")]
    NotAnArchive(PathBuf),
    /// It has no manifest in its top folder.
    #[error("{0:?} has no manifest.json in its top folder: expected an archive that `collect` wrote")]
    NoManifest(PathBuf),
    /// Its manifest cannot be understood.
    #[error("the manifest.json of {path:?} is not one that this version reads")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// An archive in a file.
#[derive(Debug)]
pub struct ArchiveFile {
    path: PathBuf,
    format: Format,
    manifest: Manifest,
    top_files: BTreeMap<String, Vec<u8>>,
    loose: Vec<String>,
}

impl ArchiveFile {
    /// Looks into the file. `loose` names the files of its top folder that stand beside it when it is exported.
    ///
    /// # Errors
    /// When it is not an archive of ours.
    #[expect(clippy::disallowed_methods, reason = "a file of our own making")]
    pub fn open(path: &Path, loose: &[&str]) -> Result<Self, ArchiveFileError> {
        let read_error = |source| ArchiveFileError::Read {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(read_error)?;
        let mut magic = [0; 2];
        // A file shorter than two bytes is no archive.
        file.read_exact(&mut magic)
            .map_err(|_| ArchiveFileError::NotAnArchive(path.to_owned()))?;
        file.rewind().map_err(read_error)?;
        let wanted = |name: &str| name == MANIFEST_FILE || loose.contains(&name);
        let (format, top_files) = match &magic {
            [0x1f, 0x8b] => (Format::TarGz, top_of_tar(file, &wanted)),
            b"PK" => (Format::Zip, top_of_zip(file, &wanted)),
            _ => return Err(ArchiveFileError::NotAnArchive(path.to_owned())),
        };
        let top_files = top_files.map_err(read_error)?;
        let manifest = top_files
            .get(MANIFEST_FILE)
            .ok_or_else(|| ArchiveFileError::NoManifest(path.to_owned()))?;
        let manifest = serde_json::from_slice(manifest).map_err(|source| ArchiveFileError::Manifest {
            path: path.to_owned(),
            source,
        })?;
        let loose = loose.iter().map(|name| (*name).to_owned()).collect();
        Ok(Self {
            path: path.to_owned(),
            format,
            manifest,
            top_files,
            loose,
        })
    }

    /// The record of the run it came from.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

/// The name of a file that stands directly in the one top folder.
fn name_in_top(path: &str) -> Option<&str> {
    let (_, name) = path.split_once('/')?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

fn top_of_tar(file: File, wanted: &dyn Fn(&str) -> bool) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut archive = tar::Archive::new(MultiGzDecoder::new(BufReader::new(file)));
    for entry in archive.entries()?.take(MAX_TAR_ENTRIES) {
        let entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let Some(name) = name_in_top(&path).filter(|name| wanted(name)) else {
            continue;
        };
        found.insert(name.to_owned(), read_bounded(entry)?);
    }
    Ok(found)
}

fn top_of_zip(file: File, wanted: &dyn Fn(&str) -> bool) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(io::Error::other)?;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(io::Error::other)?;
        let path = entry.name().map_err(io::Error::other)?.into_owned();
        let Some(name) = name_in_top(&path).filter(|name| wanted(name)) else {
            continue;
        };
        found.insert(name.to_owned(), read_bounded(entry)?);
    }
    Ok(found)
}

fn read_bounded(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_TOP_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Archive for ArchiveFile {
    fn run_id(&self) -> &RunId {
        &self.manifest.run_id
    }

    fn node(&self) -> &NodeName {
        &self.manifest.node
    }

    fn formats(&self) -> Vec<Format> {
        vec![self.format]
    }

    #[expect(clippy::disallowed_methods, reason = "a file of our own making")]
    fn write_to(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        if format != self.format {
            let message = format!(
                "{} is a {} file and is not made into a {format}",
                self.path.display(),
                self.format
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        io::copy(&mut File::open(&self.path)?, out).map(drop)
    }

    fn unpack_to(&self, _folder: &Path) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "an archive file is exported as it is",
        ))
    }

    fn loose_files(&self) -> Vec<LooseFile> {
        let present = self
            .loose
            .iter()
            .filter_map(|name| Some((name, self.top_files.get(name)?)));
        present
            .map(|(name, bytes)| LooseFile {
                name: name.clone(),
                bytes: bytes.clone(),
            })
            .collect()
    }
}

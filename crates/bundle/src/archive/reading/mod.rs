//! An archive opened to look into it: `tar.gz`, `zip` or a folder, whole or in part, ours or packed again by somebody
//! else. Nothing is unpacked onto the disk, and nothing it says of itself is believed.

mod content;
mod folder;
mod listing;
mod members;
mod spool;
mod tar_stream;
#[cfg(test)]
mod tests;
mod zip_entries;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::DeflateDecoder;
use periscope_core::{ArtifactPath, MANIFEST_FILE, Manifest};

pub use self::listing::Member;

use self::content::{Checked, Slice, damaged};
use self::listing::Listing;
use self::members::{Members, Start};
use super::file::ArchiveFileError;
use super::{index, member};

/// Bytes of content read at a time.
const READ_BUFFER: usize = 64 * 1024;
/// Tar's block.
const BLOCK: usize = 512;
/// Largest manifest that is read: that of a hundred thousand items has about 60 MB.
const MAX_MANIFEST: u64 = 256 * 1024 * 1024;

/// Where a member's content is.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// In a gzip member of its own, behind the member with its tar header.
    Gzip { header: u64, data: u64, compressed: u64 },
    /// Somewhere in the tar stream: reached by inflating what is before it.
    Uncompressed { offset: u64 },
    /// Behind a zip's local header.
    Zip {
        header: u64,
        compressed: u64,
        crc32: u32,
        deflated: bool,
    },
    /// In a spool file of ours.
    Spooled { offset: u64, compressed: u64, crc32: u32 },
    /// A file of the folder.
    File,
}

#[derive(Debug)]
enum Form {
    /// A packed file; where the gzip members of one without an index begin.
    Packed {
        file: Arc<File>,
        len: u64,
        starts: Vec<Start>,
    },
    Folder(PathBuf),
}

/// An archive, and what it holds.
#[derive(Debug)]
pub struct OpenArchive {
    path: PathBuf,
    form: Form,
    listing: Listing,
    is_random: bool,
    damage: Option<String>,
}

impl OpenArchive {
    /// Opens an archive and lists it. Of a `tar.gz` of ours, a `zip` and a folder nothing else is read; a `tar.gz` that
    /// somebody else packed is read through.
    ///
    /// # Errors
    /// When it cannot be read, or is no archive at all. One that is damaged is opened as far as it goes:
    /// [`Self::damage`] tells so.
    pub fn open(path: &Path) -> Result<Self, ArchiveFileError> {
        let failed = |source| ArchiveFileError::Read {
            path: path.to_owned(),
            source,
        };
        let metadata = path.metadata().map_err(failed)?;
        if metadata.is_dir() {
            let top = folder::top(path).map_err(failed)?;
            let mut listing = Listing::default();
            folder::list(&top, &mut listing).map_err(failed)?;
            return Ok(Self::new(path, Form::Folder(top), listing, true, None));
        }
        if !metadata.is_file() {
            return Err(ArchiveFileError::NotAnArchive(path.to_owned()));
        }
        let file = Arc::new(open_file(path).map_err(failed)?);
        let mut magic = [0; 2];
        if file.read_exact_at(&mut magic, 0).is_err() {
            return Err(ArchiveFileError::NotAnArchive(path.to_owned()));
        }
        let len = metadata.len();
        match &magic {
            [0x1f, 0x8b] => Ok(Self::open_tar_gz(path, file, len)),
            b"PK" => {
                let mut listing = Listing::default();
                zip_entries::list(&file, &mut listing).map_err(failed)?;
                let starts = Vec::new();
                Ok(Self::new(path, Form::Packed { file, len, starts }, listing, true, None))
            }
            _ => Err(ArchiveFileError::NotAnArchive(path.to_owned())),
        }
    }

    fn open_tar_gz(path: &Path, file: Arc<File>, len: u64) -> Self {
        let mut listing = Listing::default();
        let indexed = index::read(&file, len, &mut |row| {
            let index::Row {
                header,
                data,
                compressed,
                len,
                modified,
                path,
            } = row;
            let path: ArtifactPath = path.parse().map_err(|_| damaged("a name in the index is none"))?;
            let place = Place::Gzip {
                header,
                data,
                compressed,
            };
            listing.insert(path, len, Some(modified), place);
            Ok(())
        });
        if let Ok(Some(top)) = indexed {
            listing.top = Some(top);
            let starts = Vec::new();
            return Self::new(path, Form::Packed { file, len, starts }, listing, true, None);
        }
        // No index, or one that cannot be trusted: the stream itself tells what it holds.
        let mut listing = Listing::default();
        let mut stream = Members::new(
            &file,
            len,
            Start {
                compressed: 0,
                content: 0,
            },
        );
        let read = tar_stream::list(&mut stream, &mut listing);
        let damage = read.err().map(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "it ends early: what is behind that is missing".to_owned(),
            _ => error.to_string(),
        });
        let starts = stream.into_starts();
        Self::new(path, Form::Packed { file, len, starts }, listing, false, damage)
    }

    fn new(path: &Path, form: Form, listing: Listing, is_random: bool, damage: Option<String>) -> Self {
        Self {
            path: path.to_owned(),
            form,
            listing: listing.finish(),
            is_random,
            damage,
        }
    }

    /// Its files, in the order in which they stand in it.
    pub fn members(&self) -> &[Member] {
        &self.listing.members
    }

    /// The file at this path.
    pub fn get(&self, path: &ArtifactPath) -> Option<&Member> {
        self.listing.get(path).and_then(|index| self.listing.members.get(index))
    }

    /// What was strange and is left out, a line each.
    pub fn notes(&self) -> &[String] {
        &self.listing.notes
    }

    /// Whether each file is reached without reading what is before it.
    pub fn is_random(&self) -> bool {
        self.is_random
    }

    /// Why it could not be listed to its end.
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Reads a file's content. At its end it has been checked against what the archive says of it.
    ///
    /// # Errors
    /// When the archive cannot be read, or what is there is not what was said. So also while reading.
    pub fn read(&self, member: &Member) -> io::Result<Box<dyn BufRead + '_>> {
        let (file, len, starts) = match &self.form {
            Form::Folder(top) => {
                let file = folder::open(top, &member.path)?;
                return Ok(Box::new(BufReader::with_capacity(READ_BUFFER, file)));
            }
            Form::Packed { file, len, starts } => (file, *len, starts),
        };
        let content: Box<dyn Read> = match member.place {
            Place::Gzip {
                header,
                data,
                compressed,
            } => {
                let top = self.listing.top.as_deref().unwrap_or_default();
                check_header(file, header, data, &format!("{top}/{}", member.path), member.len)?;
                let (start, crc32) = member::locate(file, data, compressed, member.len)?;
                let stream = DeflateDecoder::new(Slice::new(file, start, compressed));
                Box::new(Checked::new(stream, member.len, Some(crc32)))
            }
            Place::Uncompressed { offset } => {
                let start = starts.partition_point(|start| start.content <= offset);
                let start = start.checked_sub(1).and_then(|at| starts.get(at)).copied();
                let start = start.unwrap_or(Start {
                    compressed: 0,
                    content: 0,
                });
                let mut stream = Members::new(file, len, start);
                let before = offset - start.content;
                if io::copy(&mut stream.by_ref().take(before), &mut io::sink())? != before {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Box::new(Checked::new(stream.take(member.len), member.len, None))
            }
            Place::Zip {
                header,
                compressed,
                crc32,
                deflated,
            } => {
                let data = Slice::new(file, zip_entries::data_start(file, header)?, compressed);
                if deflated {
                    Box::new(Checked::new(DeflateDecoder::new(data), member.len, Some(crc32)))
                } else {
                    Box::new(Checked::new(data, member.len, Some(crc32)))
                }
            }
            Place::Spooled {
                offset,
                compressed,
                crc32,
            } => {
                let stream = DeflateDecoder::new(Slice::new(file, offset, compressed));
                Box::new(Checked::new(stream, member.len, Some(crc32)))
            }
            Place::File => return Err(damaged("a folder's file in a packed archive")),
        };
        Ok(Box::new(BufReader::with_capacity(READ_BUFFER, content)))
    }

    /// The record of the run it came from.
    ///
    /// # Errors
    /// When there is none, or it is not one that this version reads.
    pub fn manifest(&self) -> Result<Manifest, ArchiveFileError> {
        let path = ArtifactPath::from_names([MANIFEST_FILE]);
        let member = self
            .get(&path)
            .ok_or_else(|| ArchiveFileError::NoManifest(self.path.clone()))?;
        let failed = |source| ArchiveFileError::Read {
            path: self.path.clone(),
            source,
        };
        // Lying lengths: no more than this is held, whatever comes.
        let mut text = Vec::new();
        let content = self.read(member).map_err(failed)?;
        content.take(MAX_MANIFEST).read_to_end(&mut text).map_err(failed)?;
        serde_json::from_slice(&text).map_err(|source| ArchiveFileError::Manifest {
            path: self.path.clone(),
            source,
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "an archive of the caller's, not of the node")]
fn open_file(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Whether the tar header before the data says what the index says: then other readers see the same file.
fn check_header(file: &Arc<File>, header: u64, data: u64, name: &str, len: u64) -> io::Result<()> {
    let blocks = member::inflate(Slice::new(file, header, data - header))?;
    // Before the headers stands what pads the file before to a whole block.
    let headers = blocks.get(blocks.len() % BLOCK..).unwrap_or_default();
    let mut listing = Listing::default();
    // Behind the last header this stream ends: the file's content is in the next member.
    tar_stream::list(&mut &*headers, &mut listing).ok();
    let top = listing.top.clone().unwrap_or_default();
    let last = listing.members.last();
    if last.is_some_and(|last| last.len == len && format!("{top}/{}", last.path) == name) {
        Ok(())
    } else {
        Err(damaged("the index and the archive tell different things of it"))
    }
}

//! Makes a packed-again `tar.gz` one whose files are reached directly: read through once, its files go, compressed
//! anew, into a file without a name.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::sync::Arc;

use flate2::write::DeflateEncoder;
use flate2::{Compression, CrcReader};

use super::listing::Listing;
use super::members::{Members, Start};
use super::{Form, OpenArchive, Place};

/// As fast as it can be: the file is gone when the program ends.
const LEVEL: u32 = 1;

impl OpenArchive {
    /// The same archive, each of whose files is reached without reading what is before it. Where that is not so already
    /// it takes about as much room in the folder for temporary files as the archive has, and the time to read it
    /// through.
    ///
    /// # Errors
    /// When it cannot be read or there is no room for it.
    pub fn into_random(self) -> io::Result<Self> {
        let Form::Packed { file, len, .. } = &self.form else {
            return Ok(self);
        };
        if self.is_random {
            return Ok(self);
        }
        let start = Start {
            compressed: 0,
            content: 0,
        };
        let mut stream = Members::new(file, *len, start);
        let spool = tempfile::tempfile()?;
        let mut out = BufWriter::new(spool.try_clone()?);
        let (mut position, mut written) = (0, 0);
        let mut listing = Listing::default();
        let mut damage = self.damage.clone();
        // In the order of the stream: that is how they were listed.
        for member in self.members() {
            let Place::Uncompressed { offset } = member.place else {
                continue;
            };
            let before = offset - position;
            let skipped = io::copy(&mut stream.by_ref().take(before), &mut io::sink());
            let kept = skipped.and_then(|_| keep(&mut stream, member.len, &mut out));
            let (crc32, compressed) = match kept {
                Ok(kept) => kept,
                // What is left of a damaged archive is what was before the damage.
                Err(error) if damage.is_some() && error.kind() != io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error),
            };
            position = offset + member.len;
            let place = Place::Spooled {
                offset: written,
                compressed,
                crc32,
            };
            written += compressed;
            listing.insert_member(member, place);
        }
        out.flush()?;
        listing.notes.clone_from(&self.listing.notes);
        let form = Form::Packed {
            len: written,
            file: Arc::new(spool),
            starts: Vec::new(),
        };
        Ok(Self {
            path: self.path.clone(),
            form,
            listing,
            is_random: true,
            damage: damage.take(),
        })
    }
}

/// Compresses a file's content; returns its CRC-32 and how long it is now.
fn keep(stream: &mut Members, len: u64, out: &mut BufWriter<File>) -> io::Result<(u32, u64)> {
    let mut content = CrcReader::new(stream.take(len));
    let mut deflate = DeflateEncoder::new(out, Compression::new(LEVEL));
    if io::copy(&mut content, &mut deflate)? != len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    deflate.try_finish()?;
    Ok((content.crc().sum(), deflate.total_out()))
}

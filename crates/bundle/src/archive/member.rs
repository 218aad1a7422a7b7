//! Gzip members around deflate streams that exist already (RFC 1952): several members one after another are one legal
//! gzip file.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};

use super::entry::Entry;

/// A member's header with nothing optional in it: deflate, no flags, no time, no hint, Unix.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

/// Most bytes of headers between two artifacts: a header and, where its folders were not named yet, one for each of
/// them.
const MAX_HEADERS: u64 = 1024 * 1024;

/// Writes the entry's content as one member. The length in a member's trailer is modulo 2^32 by its definition.
pub(super) fn write_entry(entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&HEADER)?;
    copy_exactly(entry, out)?;
    out.write_all(&entry.crc32.to_le_bytes())?;
    let [a, b, c, d, ..] = entry.len.to_le_bytes();
    out.write_all(&[a, b, c, d])
}

/// Writes bytes that have to be compressed first as one member.
pub(super) fn write_bytes(bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let mut member = GzBuilder::new().operating_system(3).write(out, Compression::default());
    member.write_all(bytes)?;
    member.finish().map(drop)
}

/// Copies the entry's deflate stream, which must be as long as was said.
pub(super) fn copy_exactly(entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
    let copied = io::copy(&mut entry.source.reader(), out)?;
    if copied == entry.source.len() {
        return Ok(());
    }
    let message = format!(
        "{} is {copied} bytes in the spool, not {}",
        entry.path,
        entry.source.len()
    );
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
}

/// Where the deflate stream begins of an artifact's member at `offset`, and the CRC-32 of its content.
pub(super) fn locate(file: &File, offset: u64, compressed: u64, len: u64) -> io::Result<(u64, u32)> {
    let start = offset + HEADER.len() as u64;
    let (mut header, mut trailer) = ([0; HEADER.len()], [0; 8]);
    file.read_exact_at(&mut header, offset)?;
    file.read_exact_at(&mut trailer, start.saturating_add(compressed))?;
    let [c0, c1, c2, c3, l0, l1, l2, l3] = trailer;
    let same_len = u64::from(u32::from_le_bytes([l0, l1, l2, l3])) == len & u64::from(u32::MAX);
    if header == HEADER && same_len {
        Ok((start, u32::from_le_bytes([c0, c1, c2, c3])))
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not where the index says",
        ))
    }
}

/// What a member made by [`write_bytes`] holds.
pub(super) fn inflate(member: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(member).take(MAX_HEADERS).read_to_end(&mut bytes)?;
    Ok(bytes)
}

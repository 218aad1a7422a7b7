//! Gzip members around deflate streams that exist already (RFC 1952): several members one after another are one legal
//! gzip file.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};

use super::entry::Entry;

/// A member's header with nothing optional in it: deflate, no flags, no time, no hint, Unix.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

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

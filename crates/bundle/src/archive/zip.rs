//! `zip` (PKWARE's APPNOTE 6.3): ordinary local headers with sizes known beforehand around the artifacts' deflate
//! streams; ZIP64 where a figure does not fit.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::counting::Counting;
use super::entry::{Entry, Step, steps};
use super::member::copy_exactly;

/// Versions needed to extract: 2.0 for folders and deflate, 4.5 for ZIP64.
const VERSION: u16 = 20;
const VERSION_ZIP64: u16 = 45;
/// "Made by" Unix, so that the mode counts.
const MADE_BY_UNIX: u16 = 3 << 8;
/// General purpose bit 11: names are UTF-8.
const UTF8: u16 = 1 << 11;
/// The value that says "see the ZIP64 field".
const MAX_32: u64 = u32::MAX as u64;
const MAX_16: u64 = u16::MAX as u64;

/// One row of the central directory.
struct Row {
    name: String,
    is_folder: bool,
    time: (u16, u16),
    crc32: u32,
    compressed: u64,
    len: u64,
    offset: u64,
}

/// Writes the whole archive.
pub(super) fn write(top: &str, entries: &[Entry], modified: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let mut out = Counting::new(out);
    let mut rows = Vec::new();
    for step in steps(top, entries) {
        let offset = out.written;
        match step {
            Step::Folder(name) => {
                let row = Row {
                    name,
                    is_folder: true,
                    time: dos_time(modified),
                    crc32: 0,
                    compressed: 0,
                    len: 0,
                    offset,
                };
                out.write_all(&row.local_header())?;
                rows.push(row);
            }
            Step::File(name, entry) => {
                let row = Row {
                    name,
                    is_folder: false,
                    time: dos_time(entry.modified),
                    crc32: entry.crc32,
                    compressed: entry.source.len(),
                    len: entry.len,
                    offset,
                };
                out.write_all(&row.local_header())?;
                copy_exactly(entry, &mut out)?;
                rows.push(row);
            }
        }
    }
    let start = out.written;
    for row in &rows {
        out.write_all(&row.central_header())?;
    }
    let size = out.written - start;
    out.write_all(&end_of_directory(rows.len() as u64, size, start))
}

impl Row {
    /// Deflate for files, "stored" for folders.
    fn method(&self) -> u16 {
        if self.is_folder { 0 } else { 8 }
    }

    fn sizes_need_zip64(&self) -> bool {
        self.compressed >= MAX_32 || self.len >= MAX_32
    }

    /// APPNOTE 4.3.7.
    fn local_header(&self) -> Vec<u8> {
        let mut extra = Vec::new();
        let zip64 = self.sizes_need_zip64();
        if zip64 {
            // In a local header the ZIP64 field holds both sizes or is not there (APPNOTE 4.5.3).
            extra.extend([0x01, 0x00, 16, 0]);
            extra.extend(self.len.to_le_bytes());
            extra.extend(self.compressed.to_le_bytes());
        }
        let mut header = b"PK\x03\x04".to_vec();
        self.push_common(&mut header, zip64, zip64);
        push_u16(&mut header, self.name.len() as u64);
        push_u16(&mut header, extra.len() as u64);
        header.extend(self.name.as_bytes());
        header.extend(extra);
        header
    }

    /// APPNOTE 4.3.12.
    fn central_header(&self) -> Vec<u8> {
        let mut values = Vec::new();
        let sizes = self.sizes_need_zip64();
        if sizes {
            values.extend(self.len.to_le_bytes());
            values.extend(self.compressed.to_le_bytes());
        }
        if self.offset >= MAX_32 {
            values.extend(self.offset.to_le_bytes());
        }
        let zip64 = !values.is_empty();
        let mut extra = Vec::new();
        if zip64 {
            extra.extend([0x01, 0x00]);
            push_u16(&mut extra, values.len() as u64);
            extra.extend(values);
        }
        let mode: u32 = if self.is_folder { 0o040_700 } else { 0o100_600 };
        let ms_dos_folder = u32::from(self.is_folder) << 4;
        let mut header = b"PK\x01\x02".to_vec();
        header.extend((MADE_BY_UNIX | VERSION_ZIP64).to_le_bytes());
        self.push_common(&mut header, zip64, sizes);
        push_u16(&mut header, self.name.len() as u64);
        push_u16(&mut header, extra.len() as u64);
        // No comment, first disk, binary.
        header.extend([0; 6]);
        header.extend((mode << 16 | ms_dos_folder).to_le_bytes());
        push_u32(&mut header, self.offset);
        header.extend(self.name.as_bytes());
        header.extend(extra);
        header
    }

    /// The fields that both headers share, from "version needed" to the uncompressed size.
    fn push_common(&self, header: &mut Vec<u8>, zip64: bool, sizes_in_zip64: bool) {
        header.extend((if zip64 { VERSION_ZIP64 } else { VERSION }).to_le_bytes());
        header.extend(UTF8.to_le_bytes());
        header.extend(self.method().to_le_bytes());
        header.extend(self.time.1.to_le_bytes());
        header.extend(self.time.0.to_le_bytes());
        header.extend(self.crc32.to_le_bytes());
        push_u32(header, if sizes_in_zip64 { MAX_32 } else { self.compressed });
        push_u32(header, if sizes_in_zip64 { MAX_32 } else { self.len });
    }
}

/// The end of the central directory (APPNOTE 4.3.14 to 4.3.16).
fn end_of_directory(rows: u64, size: u64, start: u64) -> Vec<u8> {
    let mut end = Vec::new();
    if rows >= MAX_16 || size >= MAX_32 || start >= MAX_32 {
        end.extend(b"PK\x06\x06");
        // The record's own length without its first twelve bytes.
        end.extend(44_u64.to_le_bytes());
        end.extend((MADE_BY_UNIX | VERSION_ZIP64).to_le_bytes());
        end.extend(VERSION_ZIP64.to_le_bytes());
        end.extend([0; 8]);
        for figure in [rows, rows, size, start] {
            end.extend(figure.to_le_bytes());
        }
        end.extend(b"PK\x06\x07");
        end.extend(0_u32.to_le_bytes());
        end.extend((start + size).to_le_bytes());
        end.extend(1_u32.to_le_bytes());
    }
    end.extend(b"PK\x05\x06");
    end.extend([0; 4]);
    push_u16(&mut end, rows);
    push_u16(&mut end, rows);
    push_u32(&mut end, size);
    push_u32(&mut end, start);
    end.extend([0; 2]);
    end
}

/// The figure, or the value that sends the reader to the ZIP64 field.
fn push_u32(bytes: &mut Vec<u8>, figure: u64) {
    bytes.extend(u32::try_from(figure).unwrap_or(u32::MAX).to_le_bytes());
}

fn push_u16(bytes: &mut Vec<u8>, figure: u64) {
    bytes.extend(u16::try_from(figure).unwrap_or(u16::MAX).to_le_bytes());
}

/// Date and time as MS-DOS writes them, in UTC; nothing before 1980 can be said.
fn dos_time(time: Timestamp) -> (u16, u16) {
    let time = time.to_zoned(TimeZone::UTC);
    let field = |value: i8| u16::try_from(value).unwrap_or(0);
    let Some(year) = u16::try_from(time.year())
        .ok()
        .and_then(|year| year.checked_sub(1980))
        .filter(|y| *y < 128)
    else {
        return (1 << 5 | 1, 0);
    };
    let date = year << 9 | field(time.month()) << 5 | field(time.day());
    (
        date,
        field(time.hour()) << 11 | field(time.minute()) << 5 | (field(time.second()) / 2),
    )
}

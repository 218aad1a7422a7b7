//! The index behind a `tar.gz` of ours: where each artifact's gzip member is, so that a reader goes straight to it.
//!
//! It stands in the extra fields (RFC 1952, section 2.3.1.1) of gzip members that hold nothing: whoever unpacks the
//! file passes over it. The last member is always [`LOCATOR`] bytes long and says where the index begins. Why it is
//! made so is told in `docs/design/archive.md`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;

use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compression, CrcWriter};

/// The first line of an index.
const SCHEMA: &str = "aks-periscope/index/v1";
/// A member's header with an extra field: deflate, no time, Unix.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3];
/// The subfield that holds a part of the index, and the one that says where it begins.
const PART: [u8; 2] = *b"PI";
const PLACE: [u8; 2] = *b"PL";
/// An empty deflate stream, its CRC-32 and its length.
const NOTHING: [u8; 10] = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Bytes of a member around what its subfield holds: header, length of the field, head of the subfield, trailer.
const AROUND: usize = HEADER.len() + 2 + 4 + NOTHING.len();
/// Most index bytes in one member. The format allows 65,531, but small programs read a whole field into a small buffer.
const MAX_PART: usize = 12 * 1024;
/// What the last member says: offset, length, CRC-32.
const PLACE_BYTES: usize = 8 + 8 + 4;
/// Length of the last member.
const LOCATOR: usize = AROUND + PLACE_BYTES;
/// Largest compressed index that is read: that of a hundred thousand artifacts has 4 MB.
const MAX_INDEX: u64 = 32 * 1024 * 1024;
/// Longest line: the longest path and five numbers.
const MAX_LINE: u64 = 4096;
/// Most artifacts that are listed, so that a hostile index does not fill the memory.
pub(super) const MAX_ROWS: usize = 250_000;

/// Where one artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row<'a> {
    /// Offset of the member that ends with the artifact's tar header.
    pub(super) header: u64,
    /// Offset of the artifact's member.
    pub(super) data: u64,
    /// Length of the deflate stream in it.
    pub(super) compressed: u64,
    /// Length of the content.
    pub(super) len: u64,
    /// When the source was last written, in seconds since 1970.
    pub(super) modified: u64,
    /// The path below the top folder.
    pub(super) path: &'a str,
}

/// An index on its way into a file. It is compressed from the start, as it has a row for each artifact.
pub(super) struct Index {
    rows: CrcWriter<DeflateEncoder<Vec<u8>>>,
}

impl Index {
    pub(super) fn new(top: &str) -> Self {
        let mut rows = CrcWriter::new(DeflateEncoder::new(Vec::new(), Compression::default()));
        // Compressing into memory does not fail; if it did, the next row would say so.
        writeln!(rows, "{SCHEMA}\t{top}").ok();
        Self { rows }
    }

    pub(super) fn push(&mut self, row: &Row<'_>) -> io::Result<()> {
        let Row {
            header,
            data,
            compressed,
            len,
            modified,
            path,
        } = row;
        writeln!(self.rows, "{header}\t{data}\t{compressed}\t{len}\t{modified}\t{path}")
    }

    /// Writes the members; `start` is where the first of them will stand.
    pub(super) fn write(self, start: u64, out: &mut dyn Write) -> io::Result<()> {
        let crc32 = self.rows.crc().sum();
        let bytes = self.rows.into_inner().finish()?;
        let mut written = 0;
        for part in bytes.chunks(MAX_PART) {
            write_member(PART, part, out)?;
            written += (AROUND + part.len()) as u64;
        }
        let mut place = Vec::with_capacity(PLACE_BYTES);
        place.extend(start.to_le_bytes());
        place.extend(written.to_le_bytes());
        place.extend(crc32.to_le_bytes());
        write_member(PLACE, &place, out)
    }
}

fn write_member(id: [u8; 2], content: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let len = u16::try_from(content.len()).map_err(io::Error::other)?;
    out.write_all(&HEADER)?;
    out.write_all(&(len + 4).to_le_bytes())?;
    out.write_all(&id)?;
    out.write_all(&len.to_le_bytes())?;
    out.write_all(content)?;
    out.write_all(&NOTHING)
}

/// Reads the index of a file of `file_len` bytes and gives each row to `each`. `None` when the file has no index of
/// ours, as when somebody else packed it; otherwise its top folder.
///
/// # Errors
/// When there is an index that cannot be read, or `each` fails.
pub(super) fn read(
    file: &File,
    file_len: u64,
    each: &mut dyn FnMut(Row<'_>) -> io::Result<()>,
) -> io::Result<Option<String>> {
    let Some(place) = locate(file, file_len)? else {
        return Ok(None);
    };
    let parts = Parts {
        file,
        next: place.start,
        end: place.end,
        part: Vec::new(),
        taken: 0,
    };
    let mut lines = Lines {
        text: BufReader::new(DeflateDecoder::new(parts)),
        line: Vec::new(),
        crc: flate2::Crc::new(),
    };
    let first = lines.next()?.unwrap_or_default().to_owned();
    let Some(("aks-periscope/index/v1", top)) = first.split_once('\t') else {
        return Err(invalid("its first line is not one that this version reads"));
    };
    let mut rows = 0;
    while let Some(line) = lines.next()? {
        let row = parse(line).ok_or_else(|| invalid("a row is not one of an index"))?;
        rows += 1;
        if rows > MAX_ROWS || row.data < row.header || row.data.saturating_add(row.compressed) > file_len {
            return Err(invalid("a row lies outside the file"));
        }
        each(row)?;
    }
    if lines.crc.sum() != place.crc32 {
        return Err(invalid("its checksum is another one"));
    }
    Ok(Some(top.to_owned()))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the index is damaged: {what}"))
}

struct Located {
    start: u64,
    end: u64,
    crc32: u32,
}

fn locate(file: &File, file_len: u64) -> io::Result<Option<Located>> {
    let Some(end) = file_len.checked_sub(LOCATOR as u64) else {
        return Ok(None);
    };
    let mut member = [0; LOCATOR];
    file.read_exact_at(&mut member, end)?;
    let Some(place) = subfield(&member, PLACE) else {
        return Ok(None);
    };
    let (Some(start), Some(len), Some(crc32)) = (u64_at(place, 0), u64_at(place, 8), u32_at(place, 16)) else {
        return Ok(None);
    };
    // Bytes were taken away or added before it: then it says nothing about this file.
    let fits = len <= MAX_INDEX && start.checked_add(len) == Some(end);
    Ok(fits.then_some(Located { start, end, crc32 }))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// What the one subfield `id` holds of a member that is otherwise empty.
fn subfield(member: &[u8], id: [u8; 2]) -> Option<&[u8]> {
    let (head, rest) = member.split_at_checked(AROUND - NOTHING.len())?;
    let (content, end) = rest.split_at_checked(rest.len().checked_sub(NOTHING.len())?)?;
    let len = u16::try_from(content.len()).ok()?;
    let expected = [HEADER.as_slice(), &(len + 4).to_le_bytes(), &id, &len.to_le_bytes()].concat();
    (head == expected && end == NOTHING).then_some(content)
}

/// The compressed index, out of its members.
struct Parts<'a> {
    file: &'a File,
    next: u64,
    end: u64,
    part: Vec<u8>,
    taken: usize,
}

impl Parts<'_> {
    fn fill(&mut self) -> io::Result<()> {
        let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
        let mut member = vec![0; left.min(AROUND + MAX_PART)];
        self.file.read_exact_at(&mut member, self.next)?;
        let part = subfield(&member, PART).ok_or_else(|| invalid("a part of it is not one"))?;
        self.part = part.to_vec();
        self.taken = 0;
        self.next += member.len() as u64;
        Ok(())
    }
}

impl Read for Parts<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.part.len() && self.next < self.end {
            self.fill()?;
        }
        let read = self.part.get(self.taken..).unwrap_or_default().read(buffer)?;
        self.taken += read;
        Ok(read)
    }
}

/// The lines of an index, none of them long.
struct Lines<R> {
    text: BufReader<R>,
    line: Vec<u8>,
    crc: flate2::Crc,
}

impl<R: Read> Lines<R> {
    fn next(&mut self) -> io::Result<Option<&str>> {
        self.line.clear();
        self.text.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.line)?;
        if self.line.is_empty() {
            return Ok(None);
        }
        self.crc.update(&self.line);
        let line = self
            .line
            .strip_suffix(b"\n")
            .and_then(|line| std::str::from_utf8(line).ok());
        line.ok_or_else(|| invalid("a row is not one of an index")).map(Some)
    }
}

fn parse(line: &str) -> Option<Row<'_>> {
    let mut words = line.splitn(6, '\t');
    let mut number = || words.next()?.parse::<u64>().ok();
    let (header, data, compressed, len, modified) = (number()?, number()?, number()?, number()?, number()?);
    Some(Row {
        header,
        data,
        compressed,
        len,
        modified,
        path: words.next()?,
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::read::MultiGzDecoder;
    use proptest::prelude::*;

    use super::{Index, LOCATOR, Row, read};

    type Found = Vec<(u64, u64, u64, u64, u64, String)>;

    fn file_with(rows: &[Row<'_>], before: &[u8]) -> std::fs::File {
        let mut index = Index::new("run_node");
        for row in rows {
            index.push(row).unwrap();
        }
        let mut bytes = before.to_vec();
        index.write(before.len() as u64, &mut bytes).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file
    }

    fn rows_of(file: &std::fs::File) -> std::io::Result<Option<Found>> {
        let mut found = Vec::new();
        let len = file.metadata()?.len();
        let top = read(file, len, &mut |row| {
            let Row {
                header,
                data,
                compressed,
                len,
                modified,
                path,
            } = row;
            found.push((header, data, compressed, len, modified, path.to_owned()));
            Ok(())
        })?;
        Ok(top.map(|_| found))
    }

    fn row(n: u64, path: &str) -> Row<'_> {
        Row {
            header: n,
            data: n,
            compressed: 0,
            len: n * 7,
            modified: n,
            path,
        }
    }

    #[test]
    fn an_index_of_many_members_is_read_back_and_is_nothing_to_others() {
        let paths: Vec<_> = (0..5_000_u64)
            .map(|n| format!("nodes/n/{:x}/{n}.log", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect();
        let rows: Vec<_> = paths
            .iter()
            .enumerate()
            .map(|(n, path)| row(n as u64 % 10, path))
            .collect();
        let mut file = file_with(&rows, &[0; 10]);
        let found = rows_of(&file).unwrap().unwrap();
        assert_eq!(found.len(), 5_000);
        assert_eq!(found[4_999].5, paths[4_999]);
        let mut bytes = Vec::new();
        std::io::Seek::rewind(&mut file).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        assert!(bytes.len() > 5 * super::MAX_PART, "it has many members");
        let mut nothing = Vec::new();
        MultiGzDecoder::new(&bytes[10..]).read_to_end(&mut nothing).unwrap();
        assert_eq!(nothing, b"");
    }

    #[test]
    fn a_file_that_was_cut_or_continued_has_no_index() {
        let file = file_with(&[row(1, "a")], b"0123456789");
        let len = file.metadata().unwrap().len();
        file.set_len(len - 1).unwrap();
        assert_eq!(rows_of(&file).unwrap(), None);
        file.set_len(len + 9).unwrap();
        assert_eq!(rows_of(&file).unwrap(), None);
        file.set_len(LOCATOR as u64 - 1).unwrap();
        assert_eq!(rows_of(&file).unwrap(), None);
    }

    #[test]
    fn rows_outside_the_file_are_refused() {
        let beyond = Row {
            header: 0,
            data: 5,
            compressed: u64::MAX - 2,
            len: 1,
            modified: 0,
            path: "a",
        };
        let error = rows_of(&file_with(&[beyond], b"0123456789")).unwrap_err().to_string();
        assert!(error.contains("outside the file"), "{error}");
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed_or_harmless(at in 0_usize..1_000, value: u8) {
            use std::os::unix::fs::FileExt;
            let paths: Vec<_> = (0..20).map(|n| format!("nodes/n/{n}")).collect();
            let rows: Vec<_> = paths.iter().map(|path| row(3, path)).collect();
            let file = file_with(&rows, &[9; 10]);
            let len = file.metadata().unwrap().len();
            let right = rows_of(&file).unwrap();
            file.write_at(&[value], at as u64 % len).unwrap();
            if let Ok(Some(found)) = rows_of(&file) {
                prop_assert_eq!(Some(found), right);
            }
        }
    }
}

//! The headers of a tar stream, one after another; of the content only the place is noted. The `tar` crate keeps long
//! names as long as the stream says they are: a hostile one would fill the memory.

use std::io::{self, Read};

use tar::{EntryType, Header};

use super::Place;
use super::content::damaged;
use super::listing::Listing;

/// Tar's block.
const BLOCK: u64 = 512;
/// Longest extended header (a long name, PAX records) that is read.
const MAX_EXTENDED: u64 = 64 * 1024;

/// Lists the regular files of a tar stream.
///
/// # Errors
/// When the stream ends early or is no tar; what was listed before that is in `listing`.
pub(super) fn list(stream: &mut dyn Read, listing: &mut Listing) -> io::Result<()> {
    let mut tar = Tar { stream, position: 0 };
    let mut next = Extended::default();
    while let Some(header) = tar.header()? {
        let mut len = header.entry_size()?;
        match header.entry_type() {
            EntryType::XHeader => next.read_pax(&tar.extended(len)?),
            EntryType::GNULongName => {
                let mut name = tar.extended(len)?;
                name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
                next.name = Some(name);
            }
            EntryType::XGlobalHeader | EntryType::GNULongLink => tar.skip(padded(len)?)?,
            kind => {
                let known = std::mem::take(&mut next);
                len = known.size.unwrap_or(len);
                let name = known.name.unwrap_or_else(|| header.path_bytes().into_owned());
                let place = Place::Uncompressed { offset: tar.position };
                if kind.is_file() && !listing.add(&name, len, header.mtime().ok(), place) {
                    return Ok(());
                }
                if !kind.is_file() && !kind.is_dir() {
                    let kind = char::from(kind.as_byte()).escape_default();
                    listing.leave_out(&name, &format!("it is no file but of type '{kind}'"));
                }
                tar.skip(padded(len)?)?;
            }
        }
    }
    Ok(())
}

fn padded(len: u64) -> io::Result<u64> {
    len.checked_next_multiple_of(BLOCK)
        .ok_or_else(|| damaged("a file of it has an impossible length"))
}

/// What an extended header says of the entry behind it.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    size: Option<u64>,
}

impl Extended {
    /// Records of `<length> <key>=<value>\n` (POSIX pax); what is not one ends the reading.
    fn read_pax(&mut self, mut records: &[u8]) {
        while let Some(record) = next_record(&mut records) {
            let Some(equals) = record.iter().position(|byte| *byte == b'=') else {
                return;
            };
            let (key, value) = record.split_at(equals);
            let value = value.get(1..).unwrap_or_default();
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"size" => self.size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()),
                _ => {}
            }
        }
    }
}

/// The next record without its length and its end of line.
fn next_record<'a>(records: &mut &'a [u8]) -> Option<&'a [u8]> {
    let space = records.iter().position(|byte| *byte == b' ')?;
    let len: usize = std::str::from_utf8(records.get(..space)?).ok()?.parse().ok()?;
    let record = records.get(space + 1..len)?.strip_suffix(b"\n")?;
    *records = records.get(len..)?;
    Some(record)
}

struct Tar<'a> {
    stream: &'a mut dyn Read,
    position: u64,
}

impl Tar<'_> {
    /// The next header; `None` at the end, which an empty block or the stream's end marks.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        let block = header.as_mut_bytes();
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.stream.read(rest)? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
        }
        self.position += BLOCK;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        // The sum is taken with spaces in its own place (POSIX ustar).
        let own: u32 = block
            .get(148..156)
            .unwrap_or_default()
            .iter()
            .map(|byte| u32::from(*byte))
            .sum();
        if header.cksum().ok() != Some(sum - own + 8 * u32::from(b' ')) {
            return Err(damaged("what it holds is no tar"));
        }
        Ok(Some(header))
    }

    fn extended(&mut self, len: u64) -> io::Result<Vec<u8>> {
        if len > MAX_EXTENDED {
            return Err(damaged("a name in it has an impossible length"));
        }
        let mut bytes = Vec::new();
        (&mut *self.stream).take(len).read_to_end(&mut bytes)?;
        self.position += bytes.len() as u64;
        if bytes.len() as u64 != len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.skip(padded(len)? - len)?;
        Ok(bytes)
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut *self.stream).take(bytes), &mut io::sink())?;
        self.position += skipped;
        if skipped == bytes {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

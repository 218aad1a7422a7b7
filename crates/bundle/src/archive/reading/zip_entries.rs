//! The central directory of a zip file, and where its entries' data begin.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt;

use zip::{CompressionMethod, ZipArchive};

use super::Place;
use super::content::damaged;
use super::listing::Listing;

/// A local header without its name and extra field (APPNOTE 4.3.7).
const LOCAL_HEADER: usize = 30;

/// Lists the files of a zip.
pub(super) fn list(file: &File, listing: &mut Listing) -> io::Result<()> {
    let archive = ZipArchive::new(BufReader::new(file)).map_err(io::Error::other)?;
    if archive.has_duplicate_names() {
        listing.note("some names stand in it more than once: of each the last is taken".to_owned());
    }
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(io::Error::other)?;
        let is_link = entry.unix_mode().is_some_and(|mode| mode & 0o170_000 == 0o120_000);
        if entry.is_dir() {
            continue;
        }
        let deflated = match entry.compression() {
            CompressionMethod::Deflated if !entry.encrypted() => true,
            CompressionMethod::Stored if !entry.encrypted() => false,
            _ => {
                listing.leave_out(entry.name_raw(), "it is encrypted or not deflated");
                continue;
            }
        };
        if is_link {
            listing.leave_out(entry.name_raw(), "it is a link");
            continue;
        }
        let place = Place::Zip {
            header: entry.header_start(),
            compressed: entry.compressed_size(),
            crc32: entry.crc32(),
            deflated,
        };
        let modified = None;
        if !listing.add(entry.name_raw(), entry.size(), modified, place) {
            break;
        }
    }
    Ok(())
}

/// Where the data of the entry begin whose local header stands at `header`.
pub(super) fn data_start(file: &File, header: u64) -> io::Result<u64> {
    let mut local = [0; LOCAL_HEADER];
    file.read_exact_at(&mut local, header)?;
    let [b'P', b'K', 3, 4, .., n0, n1, e0, e1] = local else {
        return Err(damaged("its header is not where the directory says"));
    };
    let names = u64::from(u16::from_le_bytes([n0, n1])) + u64::from(u16::from_le_bytes([e0, e1]));
    header
        .checked_add(LOCAL_HEADER as u64 + names)
        .ok_or_else(|| damaged("its header is not where the directory says"))
}

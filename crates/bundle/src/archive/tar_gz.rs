//! `tar.gz`: the tar headers and paddings are small gzip members of their own between the artifacts' deflate streams, and
//! an index of them stands behind the last one.

use std::io::{self, Write};

use tar::{EntryType, Header};

use super::counting::Counting;
use super::entry::{Entry, Step, steps};
use super::index::{Index, Row};
use super::member;

/// Tar's block.
const BLOCK: u64 = 512;

/// Writes the whole archive.
pub(super) fn write(top: &str, entries: &[Entry], modified: u64, out: &mut dyn Write) -> io::Result<()> {
    let mut out = Counting::new(out);
    let mut index = Index::new(top);
    // What stands between two artifacts is gathered here and becomes one member.
    let mut between = Vec::new();
    for step in steps(top, entries) {
        match step {
            Step::Folder(path) => push_header(&mut between, &path, EntryType::Directory, 0, modified)?,
            Step::File(path, entry) => {
                let modified = u64::try_from(entry.modified.as_second()).unwrap_or(0);
                push_header(&mut between, &path, EntryType::Regular, entry.len, modified)?;
                let header = out.written;
                member::write_bytes(&between, &mut out)?;
                between.clear();
                index.push(&Row {
                    header,
                    data: out.written,
                    compressed: entry.source.len(),
                    len: entry.len,
                    modified,
                    path: entry.path.as_str(),
                })?;
                member::write_entry(entry, &mut out)?;
                push_zeros(&mut between, (BLOCK - entry.len % BLOCK) % BLOCK);
            }
        }
    }
    // Two empty blocks end a tar file.
    push_zeros(&mut between, 2 * BLOCK);
    member::write_bytes(&between, &mut out)?;
    let start = out.written;
    index.write(start, &mut out)
}

fn push_zeros(bytes: &mut Vec<u8>, count: u64) {
    bytes.resize(bytes.len() + usize::try_from(count).unwrap_or(0), 0);
}

fn push_header(blocks: &mut Vec<u8>, path: &str, kind: EntryType, len: u64, modified: u64) -> io::Result<()> {
    let mut header = Header::new_ustar();
    if header.set_path(path).is_err() {
        // Too long for the header: a PAX record carries it, and older readers see its end.
        push_pax_path(blocks, path, modified)?;
        header.set_path(short_path(path))?;
    }
    finish_header(&mut header, kind, len, modified);
    blocks.extend_from_slice(header.as_bytes());
    Ok(())
}

fn push_pax_path(blocks: &mut Vec<u8>, path: &str, modified: u64) -> io::Result<()> {
    let record = pax_record("path", path);
    let mut header = Header::new_ustar();
    header.set_path("pax-path")?;
    finish_header(&mut header, EntryType::XHeader, record.len() as u64, modified);
    blocks.extend_from_slice(header.as_bytes());
    blocks.extend_from_slice(record.as_bytes());
    push_zeros(blocks, (BLOCK - record.len() as u64 % BLOCK) % BLOCK);
    Ok(())
}

/// `<length> <key>=<value>\n`, where the length counts itself (POSIX pax, extended header).
fn pax_record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut digits = 1;
    while (rest.len() + digits).to_string().len() > digits {
        digits += 1;
    }
    format!("{}{rest}", rest.len() + digits)
}

/// The last hundred bytes of the path, from a whole character on.
fn short_path(path: &str) -> String {
    let mut start = path.len().saturating_sub(99);
    while !path.is_char_boundary(start) {
        start += 1;
    }
    path.get(start..).unwrap_or(path).trim_start_matches('/').to_owned()
}

fn finish_header(header: &mut Header, kind: EntryType, len: u64, modified: u64) {
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Directory { 0o700 } else { 0o600 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(modified);
    header.set_size(len);
    header.set_cksum();
}

#[cfg(test)]
mod tests {
    use super::pax_record;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_pax_record_counts_its_own_length(value in "[a-z/]{0,1100}") {
            let record = pax_record("path", &value);
            let (len, _) = record.split_once(' ').unwrap();
            prop_assert_eq!(len.parse::<usize>().unwrap(), record.len());
        }
    }
}

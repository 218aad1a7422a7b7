//! A folder of plain files instead of an archive.

use std::fs::{DirBuilder, File, FileTimes, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use flate2::read::DeflateDecoder;

use super::entry::Entry;

/// Writes the entries below `folder`, which exists. Nobody but the owner can read them.
#[expect(clippy::disallowed_methods, reason = "a file of our own making")]
pub(super) fn write(entries: &[Entry], folder: &Path) -> io::Result<()> {
    for entry in entries {
        let path = folder.join(entry.path.as_str());
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let mut file = BufWriter::new(file);
        io::copy(&mut DeflateDecoder::new(entry.source.reader()), &mut file)?;
        file.flush()?;
        set_modified(file.get_ref(), entry)?;
    }
    Ok(())
}

fn set_modified(file: &File, entry: &Entry) -> io::Result<()> {
    file.set_times(FileTimes::new().set_modified(entry.modified.into()))
}

//! An archive that was unpacked: a folder with the files of the top folder in it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use periscope_core::{ArtifactPath, MANIFEST_FILE};
use rustix::fs::OFlags;

use super::Place;
use super::listing::Listing;

/// Deepest folder that is looked into; the longest path has about half as many.
const MAX_DEPTH: usize = 600;

/// The folder that holds the manifest: this one, or the only one in it, as `tar -x` leaves it.
pub(super) fn top(folder: &Path) -> io::Result<PathBuf> {
    if folder.join(MANIFEST_FILE).is_file() {
        return Ok(folder.to_owned());
    }
    let mut inner = entries(folder)?
        .into_iter()
        .filter(|path| path.join(MANIFEST_FILE).is_file());
    match (inner.next(), inner.next()) {
        (Some(only), None) => Ok(only),
        _ => Ok(folder.to_owned()),
    }
}

/// Lists the regular files below `top`. Links are not followed: they may lead anywhere.
pub(super) fn list(top: &Path, listing: &mut Listing) -> io::Result<()> {
    let mut folders = vec![(top.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for path in entries(&folder)? {
            let metadata = path.symlink_metadata()?;
            let below = path.strip_prefix(top).unwrap_or(&path);
            let name = below.as_os_str().as_encoded_bytes();
            if metadata.is_dir() && depth < MAX_DEPTH {
                folders.push((path, depth + 1));
            } else if metadata.is_file() {
                let path = std::str::from_utf8(name)
                    .ok()
                    .and_then(|name| name.parse::<ArtifactPath>().ok());
                let modified = u64::try_from(metadata.mtime()).ok();
                match path {
                    Some(path) => listing.insert(path, metadata.len(), modified, Place::File),
                    None => listing.leave_out(name, "its name cannot stand in an archive"),
                }
                if !listing.has_room() {
                    return Ok(());
                }
            } else {
                listing.leave_out(name, "it is no file");
            }
        }
    }
    listing.sort();
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "an archive of the caller's, not of the node")]
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect()
}

/// Opens a regular file below `top`; one that became a link or a pipe in the meantime is refused.
#[expect(clippy::disallowed_methods, reason = "an archive of the caller's, not of the node")]
pub(super) fn open(top: &Path, path: &ArtifactPath) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags).unwrap_or_default())
        .open(top.join(path.as_str()))?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"))
    }
}

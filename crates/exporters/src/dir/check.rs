//! Finds out whether archives can be put into the folder; it keeps nothing of what it makes for that.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::write::private_folders;

/// Makes the folder if it is missing, writes a file in it and removes everything it made.
pub(super) fn check(folder: &Path) -> io::Result<()> {
    let missing: Vec<PathBuf> = folder
        .ancestors()
        .take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.exists())
        .map(Path::to_path_buf)
        .collect();
    let outcome = private_folders(folder).and_then(|()| write_something(folder));
    for made in missing {
        // It is not there when making it failed, and not empty when somebody else already uses it.
        drop(fs::remove_dir(made));
    }
    outcome
}

/// A byte is needed: on a full disk an empty file can still be made.
fn write_something(folder: &Path) -> io::Result<()> {
    let mut probe = tempfile::Builder::new().prefix(".check-").tempfile_in(folder)?;
    probe.write_all(b"x")?;
    probe.close()
}

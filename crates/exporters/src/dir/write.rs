//! Writes one archive into one folder: under a hidden temporary name first, under its own name only when it is whole.
//! It knows nothing of exporters and runs on a blocking thread.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use periscope_core::{Archive, Format};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Joins an archive's many small writes (headers, padding) into few large ones.
const WRITE_BUFFER: usize = 64 * 1024;

/// The end of the names under which something unfinished is written.
const UNFINISHED: &str = ".partial";

/// An archive holds what only root may read on the node, so its folders are for their owner only.
const FOLDER_MODE: u32 = 0o700;

/// Where an archive now is.
pub(super) struct Written {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// Makes a folder and those above it that are missing.
pub(super) fn private_folders(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)
}

/// Writes the archive as one file `<node>.<format>`.
pub(super) fn packed(
    archive: &dyn Archive,
    format: Format,
    folder: &Path,
    cancel: &CancellationToken,
) -> io::Result<Written> {
    let name = format!("{}.{format}", archive.node());
    private_folders(folder)?;
    // Its mode is 0600, and it removes itself unless it gets its name.
    let unfinished = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(UNFINISHED)
        .tempfile_in(folder)?;
    let mut out = BufWriter::with_capacity(
        WRITE_BUFFER,
        Cancellable {
            out: unfinished.as_file(),
            cancel,
        },
    );
    archive.write_to(format, &mut out)?;
    out.flush()?;
    drop(out);
    unfinished.as_file().sync_all()?;
    let bytes = unfinished.as_file().metadata()?.len();
    let path = folder.join(name);
    unfinished.persist(&path)?;
    sync_folder(folder)?;
    Ok(Written { path, bytes })
}

/// Writes the archive as a folder `<node>` of plain files.
pub(super) fn unpacked(archive: &dyn Archive, folder: &Path) -> io::Result<Written> {
    private_folders(folder)?;
    let unfinished = unfinished_folder(archive, folder)?;
    archive.unpack_to(unfinished.path())?;
    let bytes = size_of(unfinished.path())?;
    let path = folder.join(archive.node().as_str());
    if path.symlink_metadata().is_ok() {
        // A folder that holds something cannot be renamed over: the old one is moved away first, and goes with `aside`.
        let aside = unfinished_folder(archive, folder)?;
        let old = aside.path().join("old");
        fs::rename(&path, &old)?;
        if let Err(error) = fs::rename(unfinished.path(), &path) {
            fs::rename(&old, &path)?;
            return Err(error);
        }
    } else {
        fs::rename(unfinished.path(), &path)?;
    }
    // It has another name now, so there is nothing left to be removed.
    drop(unfinished.keep());
    sync_folder(folder)?;
    Ok(Written { path, bytes })
}

/// It removes itself with everything in it.
fn unfinished_folder(archive: &dyn Archive, folder: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(&format!(".{}.", archive.node()))
        .suffix(UNFINISHED)
        .permissions(Permissions::from_mode(FOLDER_MODE))
        .tempdir_in(folder)
}

/// A rename is only on the disk when the folder is, and a new folder only when the one above it is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()?;
    match folder.parent() {
        Some(above) if !above.as_os_str().is_empty() => File::open(above)?.sync_all(),
        _ => Ok(()),
    }
}

fn size_of(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            size_of(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}

/// Fails every write as soon as there is no time left: a blocking thread cannot be stopped from outside.
struct Cancellable<'a> {
    out: &'a File,
    cancel: &'a CancellationToken,
}

impl Write for Cancellable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

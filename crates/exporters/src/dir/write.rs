//! Writes one archive into one folder: without a name or under a hidden one first, under its own name only when it is
//! whole. It knows nothing of exporters and runs on a blocking thread.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use periscope_core::{Archive, Format};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
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
    let path = folder.join(&name);
    private_folders(folder)?;
    if let Some(nameless) = nameless_file(folder) {
        fill(&nameless, archive, format, cancel)?;
        if give_name(&nameless, &path).is_ok() {
            return finished(path, folder);
        }
    }
    // Its mode is 0600, and it removes itself unless it gets its name.
    let unfinished = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(UNFINISHED)
        .tempfile_in(folder)?;
    fill(unfinished.as_file(), archive, format, cancel)?;
    unfinished.persist(&path)?;
    finished(path, folder)
}

fn fill(file: &File, archive: &dyn Archive, format: Format, cancel: &CancellationToken) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(WRITE_BUFFER, Cancellable { out: file, cancel });
    archive.write_to(format, &mut out)?;
    out.flush()?;
    drop(out);
    file.sync_all()
}

fn finished(path: PathBuf, folder: &Path) -> io::Result<Written> {
    sync_folder(folder)?;
    let bytes = path.metadata()?.len();
    Ok(Written { path, bytes })
}

/// A file that is in no folder yet: whatever ends the process, nothing is left of it. `None` where the file system has
/// no such files.
fn nameless_file(folder: &Path) -> Option<File> {
    let mode = Mode::RUSR | Mode::WUSR;
    let file = rustix::fs::open(folder, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, mode);
    file.ok().map(File::from)
}

/// Puts a nameless file at `path`, over what is there.
fn give_name(file: &File, path: &Path) -> io::Result<()> {
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = |to: &Path| rustix::fs::linkat(CWD, &own, CWD, to, AtFlags::SYMLINK_FOLLOW);
    match link(path) {
        // A link replaces nothing, a rename does.
        Err(Errno::EXIST) => {
            let hidden = tempfile::Builder::new()
                .prefix(".")
                .suffix(UNFINISHED)
                .make_in(path.parent().unwrap_or(Path::new(".")), |hidden| Ok(link(hidden)?))?;
            hidden.persist(path)?;
            Ok(())
        }
        linked => Ok(linked?),
    }
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
#[expect(clippy::disallowed_methods, reason = "a file of our own making")]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()?;
    match folder.parent() {
        Some(above) if !above.as_os_str().is_empty() => File::open(above)?.sync_all(),
        _ => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "a file of our own making")]
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

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::{give_name, nameless_file};

    #[test]
    fn a_nameless_file_shows_only_when_it_has_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive");
        let names = || fs::read_dir(folder.path()).unwrap().count();
        for content in ["first", "second"] {
            let before = names();
            // A file system without nameless files gets named ones, which the other tests show.
            let Some(mut file) = nameless_file(folder.path()) else {
                return;
            };
            file.write_all(content.as_bytes()).unwrap();
            assert_eq!(names(), before, "{content}");
            give_name(&file, &path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(names(), 1, "{content}");
        }
    }
}

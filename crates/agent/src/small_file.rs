//! Small files of the agent: what is mounted for it to read, and what it remembers. Reading is bounded, waits for no writer of a pipe, and takes
//! regular files only; writing is whole or not at all.
//!
//! Not for the node's own files: those are read through [`HostRoot`](periscope_host::HostRoot).

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};

/// The file's bytes; `None` when there is no such file. Links are followed: the kubelet puts mounted keys behind two of them.
pub(crate) fn read(path: &Path, max: usize) -> io::Result<Option<Vec<u8>>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode).is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::from(file).take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        let text = format!("it is too long, expected at most {max} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(Some(bytes))
}

/// Replaces the file, or makes it, for its owner only. When the process is killed in the middle, the old one is still there. It is not
/// waited for the disk, which may take seconds where it is busy: after a loss of power the file may be empty.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    // What a crash left behind is no reason to fail, and nothing to write through.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut file = File::from(rustix::fs::open(&unfinished, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(bytes)?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn reading_is_bounded_and_follows_links() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "123456789").unwrap();
        let link = folder.path().join("link");
        symlink("file", &link).unwrap();
        assert_eq!(read(&link, 9).unwrap().unwrap(), b"123456789");
        assert_eq!(
            read(&link, 8).unwrap_err().to_string(),
            "it is too long, expected at most 8 bytes"
        );
        assert_eq!(read(&folder.path().join("none"), 8).unwrap(), None);
        assert_eq!(read(&path.join("none"), 8).unwrap(), None);
        assert_eq!(read(folder.path(), 8).unwrap_err().to_string(), "it is no regular file");
    }

    #[test]
    fn a_written_file_replaces_the_old_one_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.json");
        fs::write(folder.path().join("runs.new"), "left behind by a crash").unwrap();
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(read(&path, 10).unwrap().unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!folder.path().join("runs.new").exists());
    }
}

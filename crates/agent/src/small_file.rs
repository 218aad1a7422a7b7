//! Small files that are mounted for the agent to read. Reading is bounded, waits for no writer of a pipe, and takes
//! regular files only.
//!
//! Not for the node's own files: those are read through [`HostRoot`](periscope_host::HostRoot).

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::path::Arg;

/// The file's bytes; `None` when there is no such file. Links are followed: the kubelet puts mounted keys behind two of
/// them.
pub(crate) fn read(path: &Path, max: usize) -> io::Result<Option<Vec<u8>>> {
    read_at(CWD, path, OFlags::empty(), max)
}

/// The same of a file in an open folder, opened with `more` flags.
pub(crate) fn read_at(folder: impl AsFd, path: impl Arg, more: OFlags, max: usize) -> io::Result<Option<Vec<u8>>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY | more;
    let file = match rustix::fs::openat(folder, path, flags, Mode::empty()) {
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

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
}

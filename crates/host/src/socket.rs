//! Connections to the unix sockets of the node, which lie below its root like any other file. What is said over them is
//! the caller's affair.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::resolve::Last;
use crate::{HostError, HostPath, HostRoot, Metadata};

impl HostRoot {
    /// Connects to the stream socket at `path`, following links inside the root. It does not wait: a server whose queue
    /// is full is [`HostError::Connect`] with the kernel's `EAGAIN`, one that ended and left its socket with
    /// `ECONNREFUSED`.
    ///
    /// The stream does not block, as an async runtime wants it.
    pub fn connect(&self, path: &HostPath) -> Result<UnixStream, HostError> {
        let failed = |errno: Errno| HostError::from_io(path.as_str(), errno.into());
        let handle = self.resolve(path, Last::Follow)?;
        let stat = rustix::fs::fstat(&handle).map_err(failed)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
            return Err(HostError::WrongKind {
                path: path.to_string(),
                kind: Metadata::from_stat(&stat).kind,
                expected: "a socket",
            });
        }
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(failed)?;
        // Through our own handle: it is the inode just looked at, and any path on the node fits into the 108 bytes that
        // unix(7) has for an address.
        let address = SocketAddrUnix::new(format!("/proc/self/fd/{}", handle.as_raw_fd())).map_err(failed)?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) => Ok(UnixStream::from(socket)),
            Err(Errno::ACCESS | Errno::PERM) => Err(failed(Errno::ACCESS)),
            Err(errno) => Err(HostError::Connect {
                path: path.to_string(),
                source: errno.into(),
            }),
        }
    }
}

//! The other side of a host command: this binary, started again, turns itself into a program of the node.
//!
//! It must run before anything else in `main`: entering a mount namespace is refused to a process with threads
//! (setns(2)). It starts no runtime, prints nothing but its errors and returns only when it fails.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The first argument that makes this binary a host command instead of itself.
pub const HOST_EXEC_ARG: &str = "--periscope-host-exec";

/// Exit status when the program could not be reached, as chroot(1) and env(1) have it.
const STATUS_FAILED: u8 = 125;

/// Asks for a report of what can be entered instead of a program.
pub(crate) const PROBE: &str = "probe";

/// How the node's file system becomes ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Files {
    /// It is ours already.
    Own,
    /// By the mount namespace of the node's process 1.
    Namespace,
    /// By changing the root folder.
    Chroot,
}

/// What was entered, or is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) files: Files,
    /// Whether the network namespace of the node's process 1 is entered.
    pub(crate) network: bool,
}

impl Entry {
    /// As one argument: `namespace+network`.
    pub(crate) fn to_arg(self) -> String {
        let files = match self.files {
            Files::Own => "own",
            Files::Namespace => "namespace",
            Files::Chroot => "chroot",
        };
        if self.network {
            format!("{files}+network")
        } else {
            files.to_owned()
        }
    }

    pub(crate) fn from_arg(arg: &str) -> Option<Self> {
        let (files, network) = match arg.strip_suffix("+network") {
            Some(files) => (files, true),
            None => (arg, false),
        };
        let files = match files {
            "own" => Files::Own,
            "namespace" => Files::Namespace,
            "chroot" => Files::Chroot,
            _ => return None,
        };
        Some(Self { files, network })
    }
}

/// Runs as a host command; `args` are this process's arguments after [`HOST_EXEC_ARG`], its standard input is the
/// node's root folder.
///
/// Returns only when the program could not be started; the reason is on standard error.
pub fn host_exec_main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter();
    let how = args.next().unwrap_or_default();
    let result = match how.to_str() {
        Some(PROBE) => probe(),
        Some(how) => match Entry::from_arg(how) {
            Some(entry) => run(entry, args),
            None => Err(io::Error::other("unknown way to enter the node")),
        },
        None => Err(io::Error::other("unknown way to enter the node")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when this fails.
            drop(writeln!(io::stderr(), "cannot enter the node: {error}"));
            ExitCode::from(STATUS_FAILED)
        }
    }
}

/// Enters as much as it may and writes what, in the words of [`Entry::to_arg`].
fn probe() -> io::Result<()> {
    let root = root_folder()?;
    let network = enter(root.as_fd(), "net", LinkNameSpaceType::Network).is_ok();
    let files = if enter(root.as_fd(), "mnt", LinkNameSpaceType::Mount).is_ok() {
        Files::Namespace
    } else {
        Files::Chroot
    };
    change_root(root.as_fd())?;
    writeln!(io::stdout(), "{}", Entry { files, network }.to_arg())
}

#[expect(clippy::disallowed_methods, reason = "this crate is the one that reaches the node")]
fn run(entry: Entry, mut args: impl Iterator<Item = OsString>) -> io::Result<()> {
    let program = args.next().ok_or_else(|| io::Error::other("no program"))?;
    let root = root_folder()?;
    // Opened before the root changes: the node's `/dev` may hold anything.
    let nothing = File::open("/dev/null")?;
    if entry.network {
        enter(root.as_fd(), "net", LinkNameSpaceType::Network)?;
    }
    match entry.files {
        Files::Own => {}
        Files::Chroot => change_root(root.as_fd())?,
        Files::Namespace => {
            // Names and System V IPC make no difference to what is collected, so they are no condition.
            for (name, kind) in [
                ("uts", LinkNameSpaceType::HostNameAndNISDomainName),
                ("ipc", LinkNameSpaceType::InterProcessCommunication),
            ] {
                drop(enter(root.as_fd(), name, kind));
            }
            enter(root.as_fd(), "mnt", LinkNameSpaceType::Mount)?;
            change_root(root.as_fd())?;
        }
    }
    drop(root);
    std::env::set_current_dir("/")?;
    Err(Command::new(program).args(args).stdin(Stdio::from(nothing)).exec())
}

/// The node's root folder, which is our standard input.
fn root_folder() -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(io::stdin(), 0)?)
}

/// Enters one namespace of the node's process 1, unless we are in it.
fn enter(root: BorrowedFd<'_>, name: &str, kind: LinkNameSpaceType) -> io::Result<()> {
    let path = format!("proc/1/ns/{name}");
    let namespace = rustix::fs::openat(root, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let theirs = rustix::fs::fstat(&namespace)?;
    let ours = rustix::fs::statat(CWD, format!("/proc/self/ns/{name}"), AtFlags::empty());
    if ours.is_ok_and(|ours| (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)) {
        return Ok(());
    }
    Ok(move_into_link_name_space(namespace.as_fd(), Some(kind))?)
}

/// Makes `root` the root folder, unless it is already: process 1 may live in another one than we were given.
fn change_root(root: BorrowedFd<'_>) -> io::Result<()> {
    let (wanted, own) = (rustix::fs::fstat(root)?, rustix::fs::stat("/")?);
    if (wanted.st_dev, wanted.st_ino) == (own.st_dev, own.st_ino) {
        return Ok(());
    }
    rustix::process::fchdir(root)?;
    rustix::process::chroot(".")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    fn an_entry_survives_being_an_argument(
        #[values(Files::Own, Files::Namespace, Files::Chroot)] files: Files,
        #[values(true, false)] network: bool,
    ) {
        let entry = Entry { files, network };
        assert_eq!(Entry::from_arg(&entry.to_arg()), Some(entry));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::unknown("nsenter")]
    #[case::network_alone("+network")]
    fn other_arguments_are_no_entry(#[case] arg: &str) {
        assert_eq!(Entry::from_arg(arg), None);
    }
}

//! Sockets of the node: reached inside the root only, however long their paths are and wherever links lead.
#![expect(clippy::unwrap_used, reason = "functions that prepare a test may fail it")]

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use periscope_host::{Absence, HostError, HostPath, HostRoot};
use periscope_testkit::HostFixture;
use rstest::rstest;

fn path(path: &str) -> HostPath {
    HostPath::new(path).unwrap()
}

/// Binds below a folder whose path alone may be longer than an address of unix(7).
fn listen(node: &HostFixture, at: &str) -> UnixListener {
    let short = tempfile::tempdir().unwrap();
    let bound = short.path().join("s");
    let listener = UnixListener::bind(&bound).unwrap();
    std::fs::rename(bound, node.real_path(at)).unwrap();
    listener
}

/// Whether a word gets from one end to the other.
fn reaches(mut from: UnixStream, listener: &UnixListener) -> bool {
    let (mut to, _) = listener.accept().unwrap();
    from.write_all(b"x").unwrap();
    let mut got = [0];
    to.read_exact(&mut got).is_ok() && got == *b"x"
}

#[rstest]
#[case::plain("/run/containerd/containerd.sock")]
#[case::by_an_absolute_link("/var/run/containerd/containerd.sock")]
#[case::by_a_link_that_climbs("/run/climbs.sock")]
fn connects(#[case] asked: &str) {
    let node = HostFixture::new()
        .dir("/run/containerd")
        .link("/var/run", "/run")
        .link("/run/climbs.sock", "../../../../run/containerd/containerd.sock");
    let listener = listen(&node, "/run/containerd/containerd.sock");
    assert!(reaches(node.root().connect(&path(asked)).unwrap(), &listener));
}

#[test]
fn a_path_may_be_longer_than_an_address() {
    let folder = format!("/run/{}", "deep/".repeat(60));
    let node = HostFixture::new().dir(&folder);
    let at = format!("{folder}runtime.sock");
    let listener = listen(&node, &at);
    assert!(reaches(node.root().connect(&path(&at)).unwrap(), &listener));
}

#[test]
fn no_link_leads_to_a_socket_outside() {
    let outside = tempfile::tempdir().unwrap();
    let socket = outside.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    let up = format!("../../../../../../../../../..{}", socket.display());
    let node = HostFixture::new()
        .link("/run/absolute.sock", socket.to_str().unwrap())
        .link("/run/climbs.sock", &up);
    for asked in ["/run/absolute.sock", "/run/climbs.sock"] {
        let error = node.root().connect(&path(asked)).unwrap_err();
        assert_eq!(error.absence(), Absence::NotPresent, "{error}");
    }
    // A link of /proc stands for a process's own root.
    let own = HostRoot::at(Path::new("/")).unwrap();
    let magic = format!("/proc/{}/root{}", std::process::id(), socket.display());
    assert_eq!(own.connect(&path(&magic)).unwrap_err().absence(), Absence::Denied);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn what_its_server_left_behind_is_told_from_what_is_no_socket() {
    let node = HostFixture::new().dir("/run/containerd").file("/run/file.sock", "");
    drop(listen(&node, "/run/containerd/containerd.sock"));
    match node.root().connect(&path("/run/containerd/containerd.sock")) {
        Err(HostError::Connect { source, .. }) => assert_eq!(source.kind(), ErrorKind::ConnectionRefused),
        other => panic!("{other:?}"),
    }
    let file = node.root().connect(&path("/run/file.sock")).unwrap_err();
    assert_eq!(file.absence(), Absence::NotApplicable);
    let missing = node.root().connect(&path("/run/none.sock")).unwrap_err();
    assert_eq!(missing.absence(), Absence::NotPresent);
}

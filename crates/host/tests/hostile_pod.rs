//! What a pod can plant under the node's folders, and what a reader of the node makes of it.
//!
//! Through the public API and on a real file system; the two ways of resolving are compared in `resolve.rs`.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]
#![expect(clippy::unwrap_used, reason = "functions that prepare a test may fail it")]

use std::io::{Read, Seek, SeekFrom};
use std::os::unix::net::UnixListener;
use std::time::{Duration, SystemTime};

use periscope_host::{Absence, Confinement, EntryKind, HostError, HostPath, HostRoot, MAX_DIR_ENTRIES};
use periscope_testkit::HostFixture;
use rstest::rstest;

fn path(path: &str) -> HostPath {
    HostPath::new(path).unwrap()
}

fn hostile_node() -> HostFixture {
    HostFixture::new()
        .file("/etc/shadow", "root:secret")
        .file("/etc/motd", "of the node")
        .file("/var/log/pods/a/0.log", "line\n")
        .file("/var/log/empty", "")
        .sparse_file("/var/log/sparse", 1 << 40)
        .dir("/var/log/folder.log")
        .fifo("/var/log/fifo.log")
        .link("/var/log/absolute.log", "/var/log/pods/a/0.log")
        .link("/var/log/shadow.log", "/etc/shadow")
        .link("/var/log/motd.log", "../../etc/motd")
        .link(
            "/var/log/escape.log",
            "../../../../../../../../../../../../etc/hostname",
        )
        .link("/var/log/device.log", "/dev/zero")
        .link("/var/log/circle.log", "circle.log")
        .link("/var/log/to-fifo.log", "fifo.log")
}

#[rstest]
#[case::file("/var/log/pods/a/0.log", "line\n")]
#[case::empty("/var/log/empty", "")]
#[case::absolute_link("/var/log/absolute.log", "line\n")]
#[case::a_link_that_climbs_stays_inside("/var/log/escape.log", "fixture-node\n")]
fn reads(#[case] file: &str, #[case] content: &str) {
    assert_eq!(hostile_node().root().read_text(&path(file), 100).unwrap(), content);
}

#[rstest]
#[case::missing("/var/log/none", Absence::NotPresent)]
#[case::below_a_file("/var/log/empty/x", Absence::NotPresent)]
// The node of the fixture has no such device, and ours must not be reached.
#[case::link_to_a_device_of_ours("/var/log/device.log", Absence::NotPresent)]
#[case::circle("/var/log/circle.log", Absence::Denied)]
#[case::folder_named_like_a_log("/var/log/folder.log", Absence::NotApplicable)]
#[case::fifo("/var/log/fifo.log", Absence::NotApplicable)]
#[case::link_to_a_fifo("/var/log/to-fifo.log", Absence::NotApplicable)]
fn does_not_open(#[case] file: &str, #[case] expected: Absence) {
    let error = hostile_node().root().open(&path(file)).unwrap_err();
    assert_eq!(error.absence(), expected, "{error}");
}

#[test]
fn does_not_open_sockets_and_devices() {
    let node = hostile_node();
    let _listener = UnixListener::bind(node.real_path("/var/log/socket.log")).unwrap();
    let error = node.root().open(&path("/var/log/socket.log")).unwrap_err();
    assert!(
        matches!(
            error,
            HostError::WrongKind {
                kind: EntryKind::Other,
                ..
            }
        ),
        "{error}"
    );

    let own = HostRoot::at("/".as_ref()).unwrap();
    let error = own.open(&path("/dev/null")).unwrap_err();
    assert!(
        matches!(
            error,
            HostError::WrongKind {
                kind: EntryKind::Other,
                ..
            }
        ),
        "{error}"
    );
}

#[rstest]
#[case::log("/var/log/absolute.log", Ok(()))]
#[case::key_behind_a_link("/var/log/shadow.log", Err("keys, tokens and passwords are never read"))]
#[case::other_folder_behind_a_link("/var/log/motd.log", Err("outside of the log and provisioning folders"))]
#[case::climbing_link("/var/log/escape.log", Err("outside of the log and provisioning folders"))]
#[case::named_directly("/etc/motd", Err("outside of the log and provisioning folders"))]
fn confined_by_name_and_by_what_the_name_leads_to(#[case] file: &str, #[case] expected: Result<(), &str>) {
    let confinement = Confinement::new(&[]).unwrap();
    let opened = hostile_node().root().open_confined(&path(file), &confinement);
    match (opened, expected) {
        (Ok(_), Ok(())) => {}
        (Err(error @ HostError::Confined { .. }), Err(reason)) => {
            assert_eq!(error.absence(), Absence::Denied);
            assert_eq!(std::error::Error::source(&error).unwrap().to_string(), reason);
        }
        (opened, expected) => panic!("{opened:?} instead of {expected:?}"),
    }
}

#[rstest]
#[case::exactly(5, true)]
#[case::one_less(4, false)]
#[case::nothing(0, false)]
fn a_whole_read_has_a_limit(#[case] limit: usize, #[case] fits: bool) {
    let read = hostile_node().root().read(&path("/var/log/pods/a/0.log"), limit);
    match read {
        Ok(content) => assert!(fits && content == b"line\n"),
        Err(HostError::TooLarge { limit: told, .. }) => assert!(!fits && told == limit),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_sparse_file_costs_what_is_read_of_it() {
    let root = hostile_node();
    let root = root.root();
    let mut file = root.open(&path("/var/log/sparse")).unwrap();
    assert_eq!(file.len(), 1 << 40);
    let mut piece = [1; 16];
    assert_eq!(file.read_at(&mut piece, 1 << 39).unwrap(), 16);
    assert_eq!(piece, [0; 16]);
    file.seek(SeekFrom::End(-1)).unwrap();
    assert_eq!(file.read(&mut piece).unwrap(), 1);
    assert!(matches!(
        root.read(&path("/var/log/sparse"), 1000),
        Err(HostError::TooLarge { .. })
    ));
}

#[test]
fn an_open_file_stays_the_one_that_was_opened() {
    let node = hostile_node();
    let mut file = node.root().open(&path("/var/log/pods/a/0.log")).unwrap();
    let place = node.real_path("/var/log/pods/a/0.log");
    std::fs::remove_file(&place).unwrap();
    std::os::unix::fs::symlink("/etc/shadow", &place).unwrap();
    let mut content = String::new();
    file.read_to_string(&mut content).unwrap();
    assert_eq!(content, "line\n");
    assert_ne!(
        node.root().metadata(&path("/etc/shadow")).unwrap().ino,
        file.identity().1
    );
}

/// A pod that swaps a folder for a link to the node's `/etc` as fast as it can never gets a file of `/etc` out under a
/// confined name.
#[test]
fn a_folder_swapped_for_a_link_gives_nothing_away() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let node = HostFixture::new()
        .file("/etc/0.log", "secret")
        .file("/var/log/pods/a/0.log", "line")
        .link("/var/log/pods/evil", "/etc");
    let (folder, link) = (node.real_path("/var/log/pods/a"), node.real_path("/var/log/pods/evil"));
    let confinement = Confinement::new(&[]).unwrap();
    let root = node.root();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(rustix::fs::CWD, &folder, rustix::fs::CWD, &link, exchange).unwrap();
            }
        });
        for _ in 0..2000 {
            if let Ok(mut file) = root.open_confined(&path("/var/log/pods/a/0.log"), &confinement) {
                let mut content = String::new();
                file.read_to_string(&mut content).unwrap();
                assert_eq!(content, "line");
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn lists_a_folder_by_name_without_following_links() {
    let node = HostFixture::new()
        .file("/d/b", "")
        .link("/d/a", "b")
        .dir("/d/c")
        .fifo("/d/e");
    std::fs::write(
        node.real_path("/d")
            .join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"d\xff")),
        "",
    )
    .unwrap();
    let entries = node.root().read_dir(&path("/d")).unwrap();
    let listed: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect();
    let expected = [
        ("a", EntryKind::Link),
        ("b", EntryKind::File),
        ("c", EntryKind::Dir),
        // Its name cannot be asked for, so it is nothing to collect.
        ("d\u{fffd}", EntryKind::Other),
        ("e", EntryKind::Other),
    ];
    assert_eq!(listed, expected);
    assert!(matches!(
        node.root().read_dir(&path("/d/b")),
        Err(HostError::WrongKind { .. })
    ));
    assert_eq!(
        node.root().read_dir(&path("/none")).unwrap_err().absence(),
        Absence::NotPresent
    );
}

#[test]
fn a_flooded_folder_is_an_error_and_not_our_memory() {
    let node = HostFixture::new().dir("/flood");
    let folder = std::fs::File::open(node.real_path("/flood")).unwrap();
    let first = node.real_path("/flood/0");
    std::fs::write(&first, "").unwrap();
    for index in 1..=MAX_DIR_ENTRIES {
        // Hard links need no inodes; a file system that allows few per file gets some more files.
        let name = index.to_string();
        let link = rustix::fs::linkat(rustix::fs::CWD, &first, &folder, &name, rustix::fs::AtFlags::empty());
        if link.is_err() {
            std::fs::write(node.real_path("/flood").join(&name), "").unwrap();
        }
    }
    let error = node.root().read_dir(&path("/flood")).unwrap_err();
    assert!(matches!(error, HostError::TooLarge { unit: "entries", .. }), "{error}");
}

#[test]
fn tells_the_facts_of_a_file_and_of_its_link() {
    let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    let node = HostFixture::new()
        .file_from("/d/file", "12345", modified)
        .link("/d/link", "file");
    let root = node.root();
    let facts = root.metadata(&path("/d/link")).unwrap();
    assert_eq!((facts.kind, facts.len, facts.modified), (EntryKind::File, 5, modified));
    assert_eq!(root.link_metadata(&path("/d/link")).unwrap().kind, EntryKind::Link);
    assert_eq!(root.read_link(&path("/d/link")).unwrap(), "file");
    assert!(matches!(
        root.read_link(&path("/d/file")),
        Err(HostError::WrongKind { .. })
    ));
    assert_eq!(
        root.read_link(&path("/d/none")).unwrap_err().absence(),
        Absence::NotPresent
    );
}

#[rstest]
#[case::without_a_size("/proc/self/status", "Name:")]
#[case::by_a_link_of_proc("/proc/mounts", "/proc")]
fn reads_files_of_proc(#[case] file: &str, #[case] part: &str) {
    let root = HostRoot::at("/".as_ref()).unwrap();
    let text = root.read_text(&path(file), 1 << 20).unwrap();
    assert!(text.contains(part), "{text}");
}

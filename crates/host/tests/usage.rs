//! How folders of a node are added up, on real files: blocks and not lengths, each file once, no mount entered, no
//! bound passed.

use std::collections::HashSet;
use std::fs;
use std::time::{Duration, Instant};

use periscope_host::{HostError, HostPath, UsageBounds, UsagePart};
use periscope_testkit::HostFixture;

const MIB: usize = 1024 * 1024;

fn path(path: &str) -> HostPath {
    HostPath::new(path).expect("an absolute path")
}

fn bounds(mount_points: &HashSet<String>) -> UsageBounds<'_> {
    UsageBounds {
        entries: 1000,
        deadline: Instant::now() + Duration::from_mins(1),
        levels: 1,
        told_bytes: 1024,
        told_inodes: 100,
        mount_points,
    }
}

fn part<'a>(parts: &'a [UsagePart], wanted: &str) -> &'a UsagePart {
    let found = parts.iter().find(|part| part.path.as_str() == wanted);
    found.unwrap_or_else(|| unreachable!("{wanted} is among {parts:?}"))
}

#[test]
fn what_is_allocated_is_added_up_and_large_parts_are_told() {
    let node = HostFixture::new()
        .file("/var/log/pods/a/0.log", vec![1; 2 * MIB])
        .file("/var/log/syslog", vec![1; MIB])
        .sparse_file("/var/log/lastlog", 1 << 40)
        .dir("/var/log/empty")
        .link("/var/log/elsewhere", "/etc");
    fs::hard_link(
        node.real_path("/var/log/syslog"),
        node.real_path("/var/log/syslog.same"),
    )
    .unwrap();
    let no_mounts = HashSet::new();
    let usage = node.root().usage(&path("/var/log"), &bounds(&no_mounts)).unwrap();
    assert_eq!(usage.incomplete, None);
    let whole = &usage.parts[0];
    assert_eq!(whole.path.as_str(), "/var/log");
    assert!(
        (3 * MIB..3 * MIB + 65_536).contains(&usize::try_from(whole.bytes).unwrap()),
        "{whole:?}"
    );
    // log, pods, a, 0.log, syslog (once), lastlog, empty, elsewhere
    assert_eq!(whole.inodes, 8);
    assert!(part(&usage.parts, "/var/log/pods").bytes >= 2 * MIB as u64);
    assert!(
        usage.parts.iter().all(|part| part.path.as_str() != "/var/log/pods/a"),
        "{usage:?}"
    );
}

#[test]
fn mounts_are_not_entered() {
    let node = HostFixture::new().file("/var/lib/kubelet/pods/uid/volumes/nfs/big", vec![1; MIB]);
    let mounts = HashSet::from(["/var/lib/kubelet/pods/uid/volumes/nfs".to_owned()]);
    let usage = node.root().usage(&path("/var/lib/kubelet"), &bounds(&mounts)).unwrap();
    assert!(
        usage.parts[0].bytes < MIB as u64 && usage.incomplete.is_none(),
        "{usage:?}"
    );
}

#[test]
fn a_bound_ends_the_walk_and_says_so() {
    let mut node = HostFixture::new();
    for number in 0..20 {
        node = node.file(&format!("/tmp/{}/{number}", number % 4), "x");
    }
    let no_mounts = HashSet::new();
    let few = UsageBounds {
        entries: 10,
        ..bounds(&no_mounts)
    };
    let usage = node.root().usage(&path("/tmp"), &few).unwrap();
    assert_eq!(
        usage.incomplete.as_deref(),
        Some("only the first 10 files were counted")
    );
    let late = UsageBounds {
        deadline: Instant::now(),
        ..bounds(&no_mounts)
    };
    let usage = node.root().usage(&path("/tmp"), &late).unwrap();
    assert_eq!(
        usage.incomplete.as_deref(),
        Some("counting was ended when its time was over")
    );
}

#[test]
fn what_is_no_folder_is_refused() {
    let node = HostFixture::new();
    let no_mounts = HashSet::new();
    let error = node
        .root()
        .usage(&path("/etc/hostname"), &bounds(&no_mounts))
        .unwrap_err();
    assert!(matches!(error, HostError::WrongKind { .. }), "{error}");
    let error = node.root().usage(&path("/nowhere"), &bounds(&no_mounts)).unwrap_err();
    assert!(matches!(error, HostError::NotFound { .. }), "{error}");
}

#[test]
fn a_file_system_says_how_full_it_is() {
    let node = HostFixture::new();
    let fill = node.root().file_system_fill(&path("/etc")).unwrap();
    assert!(
        fill.total_bytes >= fill.available_bytes && fill.total_bytes > 0,
        "{fill:?}"
    );
    let error = node.root().file_system_fill(&path("/nowhere")).unwrap_err();
    assert!(matches!(error, HostError::NotFound { .. }), "{error}");
}

//! The program where it has no room, and where it is killed: what is left on the disk.
#![expect(
    clippy::disallowed_methods,
    reason = "a test starts programs and reads files of its own machine"
)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use periscope_tests::{Services, eventually};
use rstest::rstest;
use tempfile::TempDir;

/// Logs in the fixture, in bytes: more than any disk of these tests takes, and most of it when compressed.
const LOG_BYTES: usize = 8 * 1024 * 1024;

/// The root folder of a node whose logs hardly compress.
fn node() -> TempDir {
    let root = tempfile::tempdir().expect("a folder for the node");
    let put = |path: &str, bytes: &[u8]| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, bytes).expect("written");
    };
    put("etc/os-release", b"ID=ubuntu\n");
    put("etc/hostname", b"node-1\n");
    put("proc/1/comm", b"systemd\n");
    let mut state = 1_u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 16
    };
    for pod in 0..4 {
        let mut log = String::new();
        while log.len() < LOG_BYTES / 4 {
            writeln!(
                log,
                "2026-11-20T10:00:00.000000000Z stdout F {:x} {:x} {:x}",
                word(),
                word(),
                word()
            )
            .expect("a string takes everything");
        }
        put(
            &format!("var/log/pods/kube-system_pod-{pod}_11111111-1111-1111-1111-111111111111/c/0.log"),
            log.as_bytes(),
        );
    }
    root
}

/// The words of a command line that collects the node's logs.
fn collect(services: &Services, root: &Path, output: &Path, format: &str) -> Vec<PathBuf> {
    let words = [
        "collect",
        "--quiet",
        "--actions",
        "container-logs",
        "--run-id",
        "run-1",
        "--format",
        format,
    ];
    let mut line = vec![services.binary.clone()];
    line.extend(words.map(PathBuf::from));
    line.extend([
        "--host-root".into(),
        root.to_owned(),
        "--output".into(),
        output.to_owned(),
    ]);
    line
}

/// Every name below, as `find` prints them.
fn names(folder: &Path) -> Vec<String> {
    let output = Command::new("find")
        .arg(folder)
        .args(["-mindepth", "1", "-printf", "%P\\n"])
        .output()
        .expect("find runs");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[rstest]
#[case("1m", "tar.gz")]
#[case("1m", "zip")]
#[case("5m", "tar.gz")]
#[case("5m", "unpacked")]
#[case("8m", "zip")]
#[case("8m", "unpacked")]
fn on_a_small_disk_there_is_an_archive_of_what_fits(#[case] size: &str, #[case] format: &str) {
    let services = Services::running();
    let root = node();
    let disk = tempfile::tempdir().expect("a place for the disk");
    // In a mount namespace of its own, so that the disk goes with it.
    let script = r#"
        disk=$1 size=$2 format=$3; shift 3
        mount -t tmpfs -o size="$size" tmpfs "$disk"
        "$@" >/dev/null
        echo "code $?"
        case $format in
            tar.gz) gzip -t "$disk/run-1/node-1.tar.gz" ;;
            zip) unzip -tq "$disk/run-1/node-1.zip" >/dev/null ;;
            unpacked) grep -q over-budget "$disk/run-1/node-1/manifest.json" ;;
        esac
        echo "archive $?"
        find "$disk" -name '*.partial'
    "#;
    let output = Command::new("unshare")
        .args(["--mount", "bash", "-c", script, "bash"])
        .arg(disk.path())
        .args([size, format])
        .args(collect(&services, root.path(), disk.path(), format))
        .output()
        .expect("unshare runs");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "code 3\narchive 0\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_killed_run_leaves_nothing_or_a_whole_archive() {
    let services = Services::running();
    let root = node();
    for after_polls in [0, 1, 20, 200] {
        let output = tempfile::tempdir().expect("a folder for the archive");
        let folder = output.path().join("new");
        let line = collect(&services, root.path(), &folder, "tar.gz");
        let mut child = Command::new(&line[0])
            .args(&line[1..])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        eventually("it has begun", || folder.exists().then_some(()));
        for _ in 0..after_polls {
            names(&folder);
        }
        child.kill().expect("SIGKILL is sent");
        child.wait().expect("it ends");
        let left = names(&folder);
        match left.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] | ["run-1"] => {}
            ["run-1", "run-1/node-1.tar.gz"] => {
                let test = Command::new("gzip").arg("-t").arg(folder.join(&left[1])).status();
                assert!(test.expect("gzip runs").success(), "the archive is whole");
            }
            _ => unreachable!("neither nothing nor an archive is left: {left:?}"),
        }
    }
}

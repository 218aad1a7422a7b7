//! The program against nodes whose log folders somebody has prepared: nothing of what must not leave the node does, and
//! every trap ends in one state. No service and no rights are needed.
#![expect(
    clippy::disallowed_methods,
    reason = "a test starts programs and reads files of its own machine"
)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

const POD: &str = "var/log/pods/kube-system_trap_11111111-1111-1111-1111-111111111111/c";
const LINE: &str = "2026-11-20T10:00:00.000000000Z stdout F hello\n";

/// The root folder of a node, with one honest log.
fn node() -> TempDir {
    let root = tempfile::tempdir().expect("a folder");
    put(root.path(), "etc/os-release", b"ID=ubuntu\n");
    put(root.path(), "etc/hostname", b"node-1\n");
    put(root.path(), "etc/shadow", b"root:$6$shadowed\n");
    put(root.path(), "proc/1/comm", b"systemd\n");
    put(root.path(), &format!("{POD}/0.log"), LINE.as_bytes());
    root
}

fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a path below the root")).expect("the folder");
    fs::write(path, bytes).expect("the file");
}

/// Collects the files of the node, with nothing of this machine's environment.
fn collect(root: &Path, output: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_aks-periscope"))
        .env_clear()
        .args(["collect", "--quiet", "--run-id", "run-1", "--format", "unpacked"])
        .args(["--actions", "container-logs,node-logs"])
        .arg("--host-root")
        .arg(root)
        .arg("--output")
        .arg(output)
        .args(more)
        .output()
        .expect("the program starts")
}

/// Every file below.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Fails when a word stands in what the program wrote or in the names of its files.
fn assert_nowhere(word: &str, output: &Output, folder: &Path) {
    let has = |bytes: &[u8]| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    assert!(!has(&output.stdout), "{word} is on standard output");
    assert!(!has(&output.stderr), "{word} is on standard error");
    for path in files(folder) {
        assert!(
            !has(&fs::read(&path).expect("a file")) && !has(path.as_os_str().as_encoded_bytes()),
            "{word} is in {}",
            path.display()
        );
    }
}

fn manifest(output: &Path) -> Value {
    let text = fs::read(output.join("run-1/node-1/manifest.json")).expect("a manifest");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn every_trap_in_a_log_folder_ends_in_one_state() {
    let root = node();
    let pod = root.path().join(POD);
    symlink("/etc/shadow", pod.join("1.log")).unwrap();
    symlink("../../../../../../../etc/shadow", pod.join("2.log")).unwrap();
    symlink("3.log", pod.join("3.log")).unwrap();
    symlink(root.path().join("etc/shadow"), pod.join("4.log")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(pod.join("5.log"))
            .status()
            .unwrap()
            .success()
    );
    let _socket = UnixListener::bind(pod.join("6.log")).unwrap();
    fs::create_dir(pod.join("7.log")).unwrap();
    fs::File::create(pod.join("8.log")).unwrap().set_len(1 << 40).unwrap();
    put(
        root.path(),
        &format!("{POD}/9.log.20260101-000000.gz"),
        b"\x1f\x8b\x08\0\0\0\0\0\0\xff\xff\xff",
    );
    fs::write(pod.join("\x1b[31m10\n.log"), LINE).unwrap();
    symlink("/etc", root.path().join("var/log/azure")).unwrap();

    let output = tempfile::tempdir().unwrap();
    let said = collect(
        root.path(),
        output.path(),
        &["--node-logs", "/var/log/azure/shadow,/etc/shadow"],
    );
    assert_eq!(said.status.code(), Some(3), "{said:?}");
    assert_nowhere("shadowed", &said, output.path());
    assert_nowhere("\x1b", &said, output.path());

    let manifest = manifest(output.path());
    let items = manifest["items"].as_array().unwrap();
    let states = |end: &str| -> Vec<&str> {
        let named = items
            .iter()
            .filter(|item| item["path"].as_str().unwrap().ends_with(end));
        named.map(|item| item["state"].as_str().unwrap()).collect()
    };
    for (end, state) in [
        ("/c/0.log", "collected"),
        ("/c/1.log", "denied"),
        ("/c/2.log", "denied"),
        ("/c/3.log", "denied"),
        ("/c/4.log", "not-present"),
        ("/c/5.log", "not-applicable"),
        ("/c/6.log", "not-applicable"),
        ("/c/7.log", "not-applicable"),
        ("/c/8.log", "truncated"),
        ("/c/9.log.20260101-000000", "failed"),
        ("/azure/shadow", "denied"),
        // The same file under another name.
        ("/etc/shadow", "not-applicable"),
    ] {
        assert_eq!(states(end), [state], "{end}");
    }
    for item in items {
        assert!(item["state"] == "collected" || item["reason"].is_string(), "{item}");
    }
    for path in files(output.path()) {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn secrets_of_logs_names_and_flags_are_nowhere() {
    const PASSWORD: &str = "hunter2-Correct-Horse";
    const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    let root = node();
    // A secret that the runtime has cut into partial lines.
    let (head, tail) = PASSWORD.split_at(7);
    let parts = [("P", "DB_PASSWORD="), ("P", head), ("F", tail)];
    let lines = parts.map(|(tag, text)| format!("2026-11-20T10:00:00.000000000Z stdout {tag} {text}\n"));
    put(root.path(), &format!("{POD}/1.log"), lines.concat().as_bytes());
    put(root.path(), &format!("{POD}/{TOKEN}.log"), LINE.as_bytes());
    put(
        root.path(),
        "var/log/cloud-init.log",
        format!("password={PASSWORD}\n").as_bytes(),
    );

    let output = tempfile::tempdir().unwrap();
    let node_logs = format!("/var/log/cloud-init.log,/var/log/{TOKEN}");
    let said = collect(root.path(), output.path(), &["--json", "--node-logs", &node_logs]);
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    for secret in [PASSWORD, tail, TOKEN] {
        assert_nowhere(secret, &said, output.path());
    }
    let result: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(result["exitCode"], 0);
}

#[rstest]
#[case::endless("/dev/zero", "too long")]
#[case::a_folder("/dev", "folder")]
#[case::missing("/no/such/file", "No such file")]
fn a_configuration_that_is_none_is_refused(#[case] config: &str, #[case] why: &str) {
    let root = node();
    let output = tempfile::tempdir().unwrap();
    let said = collect(root.path(), &output.path().join("new"), &["--config", config]);
    let error = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(2), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains(config) && error.contains(why), "{error}");
    assert!(said.stdout.is_empty() && !output.path().join("new").exists());
}

#[test]
fn an_output_folder_that_is_a_file_is_bad_usage() {
    let root = node();
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().write_all(b"mine").unwrap();
    let said = collect(root.path(), file.path(), &[]);
    let error = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(2), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert_eq!(fs::read(file.path()).unwrap(), b"mine");
}

//! The commands around archives, on archives of a node that is a folder. No service and no rights are needed.
#![expect(
    clippy::disallowed_methods,
    reason = "a test starts programs and reads files of its own machine"
)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

const POD: &str = "var/log/pods/kube-system_web_11111111-1111-1111-1111-111111111111/c";
const LOG: &str =
    "2026-11-20T10:00:00.000000000Z stdout F hello\n2026-11-20T10:00:01.000000000Z stdout F \x1b]0;pwned\x07\n";

/// The root folder of a node with a log and a disk that cannot be read.
fn node() -> TempDir {
    let root = tempfile::tempdir().expect("a folder");
    let now = jiff::Timestamp::now();
    let line = |seconds: i64, text: &str| {
        let time = now - jiff::SignedDuration::from_secs(seconds);
        format!("{time:.0} node-1 kernel: [  100.5] {text}\n")
    };
    let syslog = line(
        60,
        "blk_update_request: I/O error, dev sda, sector 2048 op 0x0:(READ) flags 0x0",
    ) + &line(
        30,
        "blk_update_request: I/O error, dev sda, sector 4096 op 0x0:(READ) flags 0x0",
    );
    for (path, text) in [
        ("etc/os-release", "ID=ubuntu\n"),
        ("etc/hostname", "node-1\n"),
        ("proc/1/comm", "systemd\n"),
        ("var/log/kern.log", syslog.as_str()),
        (&format!("{POD}/0.log"), LOG),
    ] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a path below the root")).expect("the folder");
        fs::write(path, text).expect("the file");
    }
    root
}

fn program(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aks-periscope"));
    command.env_clear().args(words);
    command
}

fn run(words: &[&str]) -> Output {
    program(words).output().expect("the program starts")
}

/// An archive of the node in this format, below `folder`.
fn archive(folder: &Path, format: &str) -> PathBuf {
    let root = node();
    let (root, output) = (root.path().display().to_string(), folder.display().to_string());
    let done = run(&[
        "collect",
        "--quiet",
        "--run-id",
        "run-1",
        "--format",
        format,
        "--host-root",
        &root,
        "--output",
        &output,
        "--actions",
        "container-logs,node-logs,system-logs",
    ]);
    assert!(matches!(done.status.code(), Some(0 | 3)), "{}", text(&done.stderr));
    let name = if format == "unpacked" {
        "node-1".to_owned()
    } else {
        format!("node-1.{format}")
    };
    folder.join("run-1").join(name)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[rstest]
#[case("tar.gz")]
#[case("zip")]
#[case("unpacked")]
fn an_archive_is_judged_offline_as_it_was_when_it_was_made(#[case] format: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = shown(&archive(folder.path(), format));
    let then = run(&["inspect", &archive, "analysis.json"]);
    let now = run(&["analyze", &archive, "--output", "json"]);
    assert_eq!(text(&now.stdout), text(&then.stdout));
    assert!(
        text(&now.stdout).contains("io-errors"),
        "the disk is noticed: {}",
        text(&now.stdout)
    );
    assert_eq!(now.status.code(), Some(6), "something is broken");
}

#[test]
fn an_archive_that_others_packed_again_is_judged_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path(), "tar.gz");
    let again = folder.path().join("again.tar.gz");
    let script = "gzip -dc \"$1\" | gzip -1";
    let packed = Command::new("bash")
        .args(["-c", script, "bash"])
        .arg(&archive)
        .output()
        .expect("gzip runs");
    fs::write(&again, packed.stdout).expect("the file");
    let (first, second) = (shown(&archive), shown(&again));
    let then = run(&["analyze", &first, "--output", "json"]);
    let now = run(&["analyze", &second, "--output", "json"]);
    assert_eq!(text(&now.stdout), text(&then.stdout));
    assert!(
        text(&now.stderr).contains("no index"),
        "it says why it takes long: {}",
        text(&now.stderr)
    );
}

#[test]
fn findings_are_printed_for_other_programs() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = shown(&archive(folder.path(), "zip"));
    let sarif = run(&["analyze", &archive, "--output", "sarif"]);
    let log: Value = serde_json::from_slice(&sarif.stdout).expect("SARIF is JSON");
    let results = log["runs"][0]["results"].as_array().expect("results");
    let first = &results[0];
    assert_eq!(
        (first["ruleId"].as_str(), first["level"].as_str()),
        (Some("io-errors"), Some("error"))
    );
    let place = &first["locations"][0]["physicalLocation"];
    let uri = place["artifactLocation"]["uri"].as_str().expect("a place");
    // The place is in the archive, and its line is the one.
    let file = run(&["inspect", &archive, uri]);
    let line = usize::try_from(place["region"]["startLine"].as_u64().expect("a line")).expect("a small number");
    assert!(
        text(&file.stdout)
            .lines()
            .nth(line - 1)
            .expect("the line")
            .contains("I/O error")
    );

    let junit = text(&run(&["analyze", &archive, "--output", "junit"]).stdout);
    let mut python = Command::new("python3")
        .args([
            "-c",
            "import sys,xml.etree.ElementTree as e; print(e.parse(sys.stdin).getroot().get('failures'))",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    python
        .stdin
        .take()
        .expect("piped")
        .write_all(junit.as_bytes())
        .expect("it reads");
    let failures = text(&python.wait_with_output().expect("it ends").stdout);
    assert!(failures.trim().parse::<u32>().is_ok_and(|count| count > 0), "{junit}");
}

#[test]
fn the_list_names_everything_and_a_word_finds_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = shown(&archive(folder.path(), "tar.gz"));
    let list = text(&run(&["inspect", &archive]).stdout);
    assert!(list.contains("/var/log/kern.log"), "the source is told: {list}");
    assert!(
        list.lines().any(|line| line.starts_with("not-present")),
        "so is what is missing: {list}"
    );
    let rows: Value = serde_json::from_slice(&run(&["inspect", &archive, "--json"]).stdout).expect("JSON");
    assert_eq!(rows.as_array().map(Vec::len), Some(list.lines().count()));

    let lines = run(&["inspect", &archive, "*/0.log", "--grep", "hello|nothing"]);
    assert_eq!(lines.status.code(), Some(0));
    assert!(text(&lines.stdout).ends_with("/0.log:1: 2026-11-20T10:00:00.000000000Z stdout F hello\n"));
    // Into a pipe the bytes go as they are.
    assert_eq!(text(&run(&["inspect", &archive, "0.log"]).stdout), LOG);
}

#[rstest]
#[case::no_line(&["--grep", "no such line"], 7, "")]
#[case::no_file(&["no-such-file"], 7, "nothing in the archive is called \"no-such-file\"")]
#[case::not_taken(&["journal/files.json"], 7, "is not in the archive: not-present: ")]
#[case::bad_pattern(&["--grep", "("], 2, "error: invalid pattern \"(\": unclosed group")]
#[case::bad_glob(&["[z-a]"], 2, "error: invalid glob \"[z-a]\"")]
fn what_is_not_found_is_told_in_one_line(#[case] words: &[&str], #[case] code: i32, #[case] said: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = shown(&archive(folder.path(), "zip"));
    let output = run(&[&["inspect", archive.as_str()], words].concat());
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.contains(said) && error.lines().count() <= 1, "{error}");
}

#[rstest]
#[case::nothing(None, "No such file")]
#[case::text(Some(b"hello".as_slice()), "is not an archive")]
#[case::an_empty_gzip(Some(b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0".as_slice()), "holds no file")]
fn what_is_no_archive_is_refused(#[case] content: Option<&[u8]>, #[case] said: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    if let Some(content) = content {
        fs::write(&path, content).expect("the file");
    }
    for command in ["inspect", "analyze"] {
        let output = run(&[command, &shown(&path)]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(said) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn nobody_is_told_that_the_reader_has_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = shown(&archive(folder.path(), "tar.gz"));
    for words in [
        vec!["inspect", &archive],
        vec!["inspect", &archive, "--grep", "."],
        vec!["inspect", &archive, "**"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = program(&words)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .expect("the program starts");
        assert_eq!(
            (output.status.code(), text(&output.stderr)),
            (Some(0), String::new()),
            "{words:?}"
        );
    }
}

#[test]
fn a_plan_takes_and_writes_nothing_and_names_what_would_be_taken() {
    let root = node();
    let folder = tempfile::tempdir().expect("a folder");
    let (root, output) = (shown(root.path()), shown(folder.path()));
    let done = run(&[
        "collect",
        "--plan",
        "--json",
        "--host-root",
        &root,
        "--output",
        &output,
        "--actions",
        "container-logs,node-logs,system-logs,iptables",
    ]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert_eq!(
        fs::read_dir(folder.path()).expect("the folder").count(),
        0,
        "nothing was written"
    );
    let plan: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let items: Vec<_> = plan["actions"]
        .as_array()
        .expect("actions")
        .iter()
        .flat_map(|action| action["items"].as_array().expect("items"))
        .collect();
    let log = items
        .iter()
        .find(|item| item["path"].as_str().is_some_and(|path| path.ends_with("/0.log")))
        .expect("the log");
    assert_eq!(
        (log["state"].as_str(), log["bytes"].as_u64()),
        (Some("yes"), Some(LOG.len() as u64))
    );
    let tool = items
        .iter()
        .find(|item| item["path"] == "iptables/iptables-save.txt")
        .expect("the tool");
    assert_eq!(tool["state"], "not-present");
}

#[test]
fn rules_are_linted_and_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = shown(&archive(folder.path(), "tar.gz"));
    let rules = folder.path().join("rules");
    fs::create_dir(&rules).expect("the folder");
    let folder = shown(&rules);
    let write = |fixtures: &str| {
        let rule = format!(
            "- id: greeting\n  summary: somebody greets\n  sources: [containers]\n  literals: [hello]\n  verdict: warn\n  \
             severity: low\n  title: Somebody greets.\n  object: the node\n  remedy: Greet back.\n  window: 100000h\n  fixtures: {fixtures}\n"
        );
        fs::write(rules.join("mine.yaml"), rule).expect("the file");
    };
    write("{positive: [hello], negative: [bye]}");
    let lint = run(&["rules", "lint", &folder]);
    assert_eq!(lint.status.code(), Some(0), "{}", text(&lint.stderr));
    let found = text(&run(&["analyze", &archive, "--rules", &folder, "--output", "json"]).stdout);
    assert!(found.contains("Somebody greets."), "{found}");

    write("{positive: [hello]}");
    let lint = run(&["rules", "lint", &folder]);
    assert_eq!(
        lint.status.code(),
        Some(2),
        "a rule without a negative example does not load"
    );
    assert!(text(&lint.stderr).contains("mine.yaml"), "{}", text(&lint.stderr));
    let refused = run(&["analyze", &archive, "--rules", &folder]);
    assert_eq!(
        (refused.status.code(), text(&refused.stderr).lines().count()),
        (Some(2), 1)
    );
}

/// What the reader of Troubleshoot's bundles in `sbctl` and that of `omc` need of a `tar.gz` (their sources, as of this
/// writing): folders before what they hold, only folders and plain files, a version, and the folder of objects.
#[test]
fn other_viewers_can_unpack_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = archive(folder.path(), "tar.gz");
    let mut made = std::collections::BTreeSet::new();
    let mut version = String::new();
    let mut tar = tar::Archive::new(flate2::read::MultiGzDecoder::new(
        File::open(path).expect("the archive"),
    ));
    for entry in tar.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a name").display().to_string();
        let name = name.trim_end_matches('/').to_owned();
        if let Some((parent, _)) = name.rsplit_once('/') {
            assert!(made.contains(parent), "{parent} stands before {name}");
        }
        match entry.header().entry_type() {
            tar::EntryType::Directory => assert!(made.insert(name)),
            tar::EntryType::Regular => {
                if name.ends_with("/version.yaml") {
                    entry.read_to_string(&mut version).expect("text");
                }
            }
            other => unreachable!("{name} is {other:?}"),
        }
    }
    assert!(version.contains("kind: SupportBundle"), "{version}");
}

#[test]
fn a_real_bash_completes_commands_and_values() {
    let script = text(&run(&["completions", "bash"]).stdout);
    let asked = r#"
ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
  _aks__periscope aks-periscope "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; echo "${COMPREPLY[@]}"; }
ask aks-periscope insp
ask aks-periscope analyze --output ''
ask aks-periscope collect --pla
ask aks-periscope rules l
"#;
    let output = Command::new("bash")
        .args(["--norc", "-c", &(script + asked)])
        .output()
        .expect("bash runs");
    assert_eq!(
        text(&output.stdout),
        "inspect\ntext json sarif junit\n--plan\nlint list\n",
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn the_manual_has_every_command_and_flag() {
    let page = text(&run(&["man"]).stdout);
    for word in [
        "COLLECT",
        "UPLOAD",
        "INSPECT",
        "ANALYZE",
        "RULES",
        "ACTIONS",
        "COMPLETIONS",
    ] {
        assert!(page.contains(&format!(".SH {word}\n")), "{word}");
    }
    for flag in [r"\-\-plan", r"\-\-grep", r"\-\-sas\-file"] {
        assert!(page.contains(flag), "{flag}");
    }
}

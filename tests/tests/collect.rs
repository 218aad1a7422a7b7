//! The command `collect` on the real node: what is in the archive, who can read it, what happens when it is ended,
//! misused or cut off from storage.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]
#![expect(clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use periscope_tests::{Azurite, Services};
use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

/// A folder that the node and the machine both see, and that only one test uses.
fn shared_folder() -> TempDir {
    tempfile::tempdir().expect("a folder for the archives")
}

fn collect(services: &Services, folder: &Path, more: &[&str]) -> Command {
    let mut command = services.cluster.on_node(&services.binary);
    command
        .arg("collect")
        .arg("--output")
        .arg(folder)
        .args(["--run-id", "run-1"])
        .args(more);
    command.env_remove("KUBECONFIG");
    command
}

fn run(command: &mut Command) -> Output {
    command.output().expect("nsenter runs the program")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("the program ended by itself")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn archive(services: &Services, folder: &Path, extension: &str) -> PathBuf {
    folder
        .join("run-1")
        .join(format!("{}.{extension}", services.cluster.node_name))
}

/// Unpacks with the machine's tar and gives the top folder.
fn unpack(archive: &Path, into: &Path) -> PathBuf {
    let status = Command::new("tar")
        .arg("-xzf")
        .arg(archive)
        .arg("-C")
        .arg(into)
        .status()
        .expect("tar runs");
    assert!(status.success(), "tar reads {}", archive.display());
    let mut tops = fs::read_dir(into)
        .expect("the archive was unpacked")
        .map(|entry| entry.expect("readable").path());
    let top = tops.next().expect("an archive has one top folder");
    assert!(tops.next().is_none(), "an archive has only one top folder");
    top
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The items of a manifest, by action.
fn items_by_action(manifest: &Value) -> BTreeMap<String, Vec<Value>> {
    let mut actions: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for item in manifest["items"].as_array().expect("items") {
        actions
            .entry(item["action"].as_str().expect("an action").to_owned())
            .or_default()
            .push(item.clone());
    }
    actions
}

#[test]
fn the_archive_of_a_node_holds_every_row_of_the_table() {
    let services = Services::running();
    let folder = shared_folder();
    let output = run(&mut collect(&services, folder.path(), &[]));
    assert!([0, 3].contains(&code(&output)), "{}", text(&output.stderr));
    let unpacked = shared_folder();
    let top = unpack(&archive(&services, folder.path(), "tar.gz"), unpacked.path());

    let manifest = json(&top.join("manifest.json"));
    assert_eq!(manifest["schema"], "aks-periscope/manifest/v1");
    assert_eq!(
        (manifest["runId"].as_str(), manifest["node"].as_str()),
        (Some("run-1"), Some(services.cluster.node_name.as_str()))
    );
    let actions = items_by_action(&manifest);
    for action in [
        "container-logs",
        "system-logs",
        "iptables",
        "dns",
        "network-outbound",
        "kubelet",
        "node-logs",
        "kube-objects",
    ] {
        let items = actions.get(action).unwrap_or_else(|| panic!("{action} has items"));
        assert!(
            items.iter().any(|item| item["state"] == "collected"),
            "{action}: {items:#?}"
        );
        for item in items {
            assert!(item["state"] == "collected" || item["reason"].is_string(), "{item}");
        }
    }

    // What the manifest says is what the archive holds.
    for item in manifest["items"].as_array().expect("items") {
        let path = top.join(item["path"].as_str().expect("a path"));
        assert_eq!(path.is_file(), item["sha256"].is_string(), "{item}");
        if let Some(sha256) = item["sha256"].as_str() {
            let sum = run(Command::new("sha256sum").arg(&path));
            assert!(text(&sum.stdout).starts_with(sha256), "{item}");
            assert_eq!(
                fs::metadata(&path).expect("a file").len(),
                item["storedBytes"].as_u64().expect("a size"),
                "{item}"
            );
        }
    }
    let named: Vec<_> = manifest["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| item["path"].clone())
        .collect();
    let found = run(Command::new("find")
        .args([".", "-type", "f", "-printf", "%P\\n"])
        .current_dir(&top));
    // The page shows the manifest, and can be no item of it.
    for path in text(&found.stdout)
        .lines()
        .filter(|path| !["manifest.json", "index.html"].contains(path))
    {
        assert!(named.contains(&Value::from(path)), "{path} is in the manifest");
    }
}

#[test]
fn no_credential_of_the_node_is_in_the_archive() {
    let services = Services::running();
    let folder = shared_folder();
    run(&mut collect(&services, folder.path(), &["--namespaces", "*"]));
    let unpacked = shared_folder();
    let top = unpack(&archive(&services, folder.path(), "tar.gz"), unpacked.path());
    let root = services.cluster.root();
    let secrets = ["etc/kubernetes/azure.json", "var/lib/kubelet/kubeconfig"];
    let words: Vec<_> = secrets.iter().flat_map(|path| credentials(&root.join(path))).collect();
    assert!(!words.is_empty(), "the node has credentials to look for");
    for word in words {
        let hits = run(Command::new("grep").args(["-rlF", "--", &word]).arg(&top));
        assert!(hits.stdout.is_empty(), "a credential is in {}", text(&hits.stdout));
    }
    let keys = run(Command::new("grep")
        .args(["-rlE", "--", "^-----BEGIN [A-Z ]*PRIVATE KEY"])
        .arg(&top));
    assert!(keys.stdout.is_empty(), "a private key is in {}", text(&keys.stdout));
}

/// The values of a configuration whose names say that they are secret.
fn credentials(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let secret = |line: &&str| {
        let line = line.to_lowercase();
        ["secret", "password", "token:", "key-data"]
            .iter()
            .any(|word| line.contains(word))
    };
    let value = |line: &str| {
        line.split_once(':')
            .map(|(_, value)| value.trim_matches([' ', '"', ',']).to_owned())
    };
    text.lines()
        .filter(secret)
        .filter_map(value)
        .filter(|value| value.len() > 7 && !value.starts_with('/'))
        .collect()
}

#[rstest]
#[case::gnu_tar("tar.gz", "tar -tzf {} >/dev/null")]
#[case::gzip("tar.gz", "gzip -t {}")]
#[case::bsdtar("tar.gz", "bsdtar -tf {} >/dev/null")]
#[case::python_tar(
    "tar.gz",
    "python3 -c 'import sys,tarfile; t=tarfile.open(sys.argv[1]); [t.extractfile(m).read() for m in t if m.isfile()]' {}"
)]
#[case::unzip("zip", "unzip -tq {}")]
#[case::bsdtar_zip("zip", "bsdtar -xOf {} >/dev/null")]
#[case::python_zip(
    "zip",
    "python3 -c 'import sys,zipfile; assert zipfile.ZipFile(sys.argv[1]).testzip() is None' {}"
)]
fn an_archive_is_read_by(#[case] format: &str, #[case] reader: &str) {
    let services = Services::running();
    let folder = shared_folder();
    run(&mut collect(
        &services,
        folder.path(),
        &["--format", format, "--skip", "kube-objects,network-outbound,dns"],
    ));
    let archive = archive(&services, folder.path(), format);
    let script = reader.replace("{}", &archive.display().to_string());
    let output = run(Command::new("bash").args(["-c", &script]));
    assert!(
        output.status.success(),
        "{script}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

#[test]
fn an_unpacked_archive_is_a_folder() {
    let services = Services::running();
    let folder = shared_folder();
    run(&mut collect(
        &services,
        folder.path(),
        &["--format", "unpacked", "--actions", "kubelet"],
    ));
    let top = folder.path().join("run-1").join(&services.cluster.node_name);
    assert_eq!(json(&top.join("manifest.json"))["runId"], "run-1");
    let kubelet = top.join("nodes").join(&services.cluster.node_name).join("kubelet");
    assert!(
        fs::read_to_string(kubelet.join("cmdline.txt"))
            .expect("the kubelet runs")
            .contains("--kubeconfig")
    );
}

#[test]
fn an_upload_lands_with_its_archive_last_and_its_loose_files() {
    let services = Services::running();
    let azurite = &services.azurite;
    let folder = shared_folder();
    azurite.create_container("collect-upload");
    let sas = format!("?{}\n", azurite.account_sas("rwdlac", Azurite::in_an_hour()));
    let mut command = collect(
        &services,
        folder.path(),
        &["--json", "--upload", "--upload-format", "tar.gz,zip"],
    );
    command.args(["--storage-account", &azurite.endpoint, "--container", "collect-upload"]);
    let output = run(command
        .env("AZURE_BLOB_SAS_KEY", &sas)
        .env("SSL_CERT_FILE", &azurite.ca_file));
    assert!(
        [0, 3].contains(&code(&output)),
        "{}{}",
        text(&output.stderr),
        text(&output.stdout)
    );

    let node = &services.cluster.node_name;
    let blob = |name: &str| format!("run-1/{node}/{name}");
    let names = azurite.list("collect-upload");
    for name in ["manifest.json", "analysis.json", "networkconfig", "networkoutbound"] {
        assert!(names.contains(&blob(name)), "{name} is beside the archive: {names:?}");
    }
    let local = fs::read(archive(&services, folder.path(), "tar.gz")).expect("the archive is on the disk too");
    assert_eq!(azurite.get("collect-upload", &blob(&format!("{node}.tar.gz"))), local);
    let zip = folder.path().join("downloaded.zip");
    fs::write(&zip, azurite.get("collect-upload", &blob(&format!("{node}.zip")))).expect("a place for it");
    assert!(run(Command::new("unzip").arg("-tq").arg(&zip)).status.success());

    let said = text(&output.stdout) + &text(&output.stderr);
    let signature = sas.split("sig=").nth(1).expect("a SAS has a signature").trim();
    assert!(!said.contains(signature), "no signature is printed");
    let result: Value = serde_json::from_slice(&output.stdout).expect("--json prints JSON and nothing else");
    assert_eq!(result["uploads"].as_array().map(Vec::len), Some(2));
}

#[test]
fn an_archive_is_uploaded_later() {
    let services = Services::running();
    let azurite = &services.azurite;
    let folder = shared_folder();
    run(&mut collect(
        &services,
        folder.path(),
        &["--format", "zip", "--actions", "kubelet,node-logs"],
    ));
    let archive = archive(&services, folder.path(), "zip");
    azurite.create_container("upload-later");
    let sas = azurite.account_sas("rwdlac", Azurite::in_an_hour());
    let mut command = services.cluster.on_node(&services.binary);
    command
        .arg("upload")
        .arg(&archive)
        .args(["--storage-account", &azurite.endpoint, "--container", "upload-later"]);
    let output = run(command
        .env("AZURE_BLOB_SAS_KEY", sas)
        .env("SSL_CERT_FILE", &azurite.ca_file));
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let node = &services.cluster.node_name;
    assert_eq!(
        azurite.get("upload-later", &format!("run-1/{node}/{node}.zip")),
        fs::read(&archive).expect("archive")
    );
}

#[test]
fn a_wrong_signature_is_known_before_anything_is_collected() {
    let services = Services::running();
    let azurite = &services.azurite;
    let folder = shared_folder();
    let sas = azurite
        .account_sas("rwdlac", Azurite::in_an_hour())
        .replace("sp=rwdlac", "sp=r");
    let mut command = collect(&services, folder.path(), &[]);
    command.args(["--storage-account", &azurite.endpoint, "--container", "wrong-signature"]);
    let output = run(command
        .env("AZURE_BLOB_SAS_KEY", &sas)
        .env("SSL_CERT_FILE", &azurite.ca_file));
    let error = text(&output.stderr);
    assert_eq!(code(&output), 4, "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(
        !error.contains(sas.split("sig=").nth(1).expect("a signature")),
        "{error}"
    );
    assert_eq!(
        fs::read_dir(folder.path()).expect("the folder").count(),
        0,
        "nothing was written"
    );
}

#[rstest]
#[case::unknown_flag(&["--frmat", "zip"], "--frmat")]
#[case::run_id(&["--run-id", "../x"], "\"../x\"")]
#[case::action(&["--actions", "dsn"], "\"dsn\"")]
#[case::since(&["--since", "yesterday"], "\"yesterday\"")]
#[case::object(&["--kube-objects", "pods"], "pods")]
#[case::node_log(&["--node-logs", "relative/path"], "relative/path")]
#[case::host_root(&["--host-root", "/no/such/folder"], "/no/such/folder")]
#[case::config(&["--config", "/no/such/file"], "/no/such/file")]
#[case::kubeconfig(&["--kubeconfig", "/no/such/file"], "/no/such/file")]
#[case::target(&["--outbound-targets", "ht tp://"], "ht tp://")]
fn bad_usage_is_one_line_that_names_the_value(#[case] arguments: &[&str], #[case] value: &str) {
    let services = Services::running();
    let folder = shared_folder();
    let mut command = services.cluster.on_node(&services.binary);
    let output = run(command
        .arg("collect")
        .arg("--output")
        .arg(folder.path())
        .args(arguments));
    let error = text(&output.stderr);
    assert_eq!(code(&output), 2, "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains(value), "{error}");
    assert_eq!(
        fs::read_dir(folder.path()).expect("the folder").count(),
        0,
        "nothing was written"
    );
}

/// Ends a run after so many lines of progress, 0 for at once.
#[rstest]
#[case(0)]
#[case(1)]
#[case(4)]
#[case(6)]
fn a_run_ended_by_sigterm_leaves_a_readable_archive(#[case] lines: usize) {
    let services = Services::running();
    let folder = shared_folder();
    let mut child = collect(&services, folder.path(), &["--namespaces", "*"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("nsenter runs the program");
    let mut progress = BufReader::new(child.stderr.take().expect("piped")).lines();
    for _ in 0..lines {
        progress.next();
    }
    // nsenter starts the program as its child.
    let program = periscope_tests::eventually("the program runs", || children(child.id()).first().copied());
    // Twice, as timeout(1) does it: the second one must not cost the archive.
    for _ in 0..2 {
        run(Command::new("kill").args(["-TERM", &program.to_string()]));
    }
    let rest: Vec<_> = progress.map_while(Result::ok).collect();
    let status = child.wait().expect("it ends");
    if status.code().is_none() || !archive(&services, folder.path(), "tar.gz").exists() {
        // Ended before it listened for signals: then nothing at all was written.
        assert_eq!(lines, 0, "{rest:?}");
        return;
    }
    assert!(matches!(status.code(), Some(0 | 3 | 5)), "{status:?} {rest:?}");
    let unpacked = shared_folder();
    let top = unpack(&archive(&services, folder.path(), "tar.gz"), unpacked.path());
    let manifest = json(&top.join("manifest.json"));
    for item in manifest["items"].as_array().expect("items") {
        assert_eq!(
            top.join(item["path"].as_str().expect("path")).is_file(),
            item["sha256"].is_string(),
            "{item}"
        );
    }
}

/// The processes that a process has started.
fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    fs::read_to_string(path)
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

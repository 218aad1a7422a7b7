//! The services themselves: whether what the other tests stand on is there.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::fs;
use std::path::PathBuf;

use periscope_tests::{Azurite, Pod, Services, eventually, files_below};

#[test]
fn the_api_server_is_ready() {
    assert_eq!(Services::running().cluster.kubectl(&["get", "--raw", "/readyz"]), "ok");
}

#[test]
fn the_node_is_ready() {
    let cluster = Services::running().cluster;
    let ready = r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}"#;
    assert_eq!(
        cluster.kubectl(&["get", "node", &cluster.node_name, "-o", ready]),
        "True"
    );
}

#[test]
fn the_node_is_named_after_its_host() {
    let cluster = Services::running().cluster;
    assert_eq!(cluster.run_on_node(&["hostname"]).trim(), cluster.node_name);
}

#[test]
fn nothing_of_the_node_is_on_the_machine() {
    let cluster = Services::running().cluster;
    assert!(cluster.root().join("etc/kubernetes/azure.json").is_file());
    assert_ne!(
        fs::read_link("/proc/self/ns/mnt").unwrap(),
        fs::read_link(format!("/proc/{}/ns/mnt", cluster.pid1)).unwrap()
    );
    for folder in ["etc", "usr/bin", "var/log"] {
        let name = format!("{folder}/only-on-the-test-node");
        fs::write(cluster.root().join(&name), "").unwrap();
        assert!(!PathBuf::from("/").join(&name).exists(), "{name}");
        fs::remove_file(cluster.root().join(&name)).unwrap();
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains("/var/lib/kubelet"), "{mounts}");
}

#[test]
fn a_kubelet_with_the_flags_of_the_service_runs() {
    let cluster = Services::running().cluster;
    let processes = cluster.run_on_node(&["ps", "-ww", "-C", "kubelet", "-o", "args="]);
    assert!(
        processes.contains("--config=/etc/default/kubeletconfig.json"),
        "{processes}"
    );
    assert!(
        processes.contains("--kubeconfig=/var/lib/kubelet/kubeconfig"),
        "{processes}"
    );
}

#[test]
fn logs_of_a_chatty_pod_are_rotated_and_compressed() {
    let pods = Services::running().cluster.root().join("var/log/pods");
    let talks = |path: &PathBuf| path.to_string_lossy().contains("/kube-system_chatty-");
    assert!(
        files_below(&pods)
            .iter()
            .any(|path| talks(path) && path.ends_with("talk/0.log"))
    );
    assert!(
        files_below(&pods)
            .iter()
            .any(|path| talks(path) && path.ends_with("prepare/0.log"))
    );
    eventually("a rotated and compressed log", || {
        files_below(&pods)
            .into_iter()
            .find(|path| talks(path) && path.extension().is_some_and(|end| end == "gz"))
    });
}

#[test]
fn a_restarted_container_keeps_the_log_of_its_earlier_instance() {
    let pods = Services::running().cluster.root().join("var/log/pods");
    let kept = |log: &str| files_below(&pods).iter().any(|path| path.ends_with(log));
    eventually("the logs of both instances", || {
        (kept("stumble/0.log") && kept("stumble/1.log")).then_some(())
    });
}

#[test]
fn a_container_crashes_again_and_again() {
    let cluster = Services::running().cluster;
    Pod::in_crash_loop(&cluster, "crashing-for-services");
}

#[test]
fn the_node_reaches_the_internet_and_trusts_it() {
    let cluster = Services::running().cluster;
    for name in ["mcr.microsoft.com", "www.microsoft.com", "azurecr.io"] {
        let url = format!("https://{name}/");
        let status = cluster.run_on_node(&["curl", "--silent", "--show-error", "--max-time", "20", "--head", &url]);
        assert!(status.starts_with("HTTP/1.1 200"), "{name}: {status}");
    }
}

#[test]
fn the_internet_is_not_on_the_node() {
    let cluster = Services::running().cluster;
    let route = cluster.run_on_node(&["ip", "route", "get", "203.0.113.10"]);
    assert!(route.contains("via") && route.contains("dev eth0"), "{route}");
    let own = cluster.run_on_node(&["ip", "address"]);
    assert!(!own.contains("203.0.113.") && !own.contains("168.63.129.16"), "{own}");
    let processes = cluster.run_on_node(&["ps", "-eo", "args="]);
    assert!(!processes.contains("https.py"), "{processes}");
}

#[test]
fn the_journal_holds_the_units_of_a_node() {
    let cluster = Services::running().cluster;
    for (unit, field) in [
        ("kubelet", "_SYSTEMD_UNIT=kubelet.service"),
        ("containerd", "_SYSTEMD_UNIT=containerd.service"),
        ("kernel", "_TRANSPORT=kernel"),
    ] {
        let lines = cluster.run_on_node(&["journalctl", "-D", "/var/log/journal", "--lines=5", "-o", "cat", field]);
        assert!(!lines.trim().is_empty(), "no entry of {unit}");
    }
}

#[test]
fn azurite_keeps_a_blob() {
    let azurite = Services::running().azurite;
    azurite.create_container("services-keeps");
    azurite.put("services-keeps", "run/node/a.txt", "content");
    assert_eq!(azurite.list("services-keeps"), ["run/node/a.txt"]);
    assert_eq!(azurite.get("services-keeps", "run/node/a.txt"), b"content");
}

#[test]
fn azurite_takes_a_container_signature_on_the_node() {
    let Services { azurite, cluster, .. } = Services::running();
    azurite.create_container("services-scoped");
    let sas = azurite.container_sas("services-scoped", "rl", Azurite::in_an_hour());
    let host = format!("https://{}.blob.core.windows.net", azurite.account);
    let get = |resource: &str| {
        let ca = azurite.ca_file.to_str().unwrap();
        let url = format!("{host}/{resource}?restype=container&comp=list&{sas}");
        let status = [
            "curl",
            "--silent",
            "--max-time",
            "60",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--cacert",
            ca,
            &url,
        ];
        cluster.run_on_node(&status)
    };
    assert_eq!(get("services-scoped"), "200");
    assert_eq!(get("another"), "403");
}

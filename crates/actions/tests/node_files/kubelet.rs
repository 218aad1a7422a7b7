//! Action `kubelet`.

use periscope_actions::Settings;
use periscope_core::State;
use periscope_documents::{KubeletSettings, NodeCertificate, from_lines};
use periscope_testkit::{HostFixture, RunOptions, Script, ScriptedCommands};

use crate::aks_node;
use crate::run::{run, run_commands, states};

const ID: &str = "kubelet";

#[tokio::test]
async fn an_aks_node_has_everything() {
    let run = run(&aks_node::with_kubelet(), ID).await;
    assert_eq!(
        states(&run),
        [
            "azure.json: collected",
            "bootstrap-kubeconfig.yaml: withheld",
            "certificates.json: collected",
            "cmdline.txt: collected",
            "config.d/10-runtime.conf: collected",
            "config.json: collected",
            "files/etc/default/kubelet: collected",
            "files/etc/systemd/system/kubelet.service.d/10-containerd.conf: collected",
            "files/lib/systemd/system/kubelet.service: collected",
            "kubeconfig.yaml: collected",
            "kubelet.json: collected",
        ]
    );
}

#[tokio::test]
async fn the_node_s_own_kubelet_is_described() {
    let commands = ScriptedCommands::new().with(
        "/usr/local/bin/kubelet --version",
        Script::prints("Kubernetes v1.34.4\n"),
    );
    let node = aks_node::with_kubelet();
    let run = run_commands(&node, ID, Settings::default(), &RunOptions::default(), commands).await;
    assert!(
        run.text("cmdline.txt")
            .starts_with("/usr/local/bin/kubelet\n--config=/etc/default/kubeletconfig.json\n--config-dir\n")
    );
    let settings: KubeletSettings = serde_json::from_str(&run.text("kubelet.json")).unwrap();
    let expected = KubeletSettings {
        version: Some("v1.34.4".to_owned()),
        max_pods: Some(30),
        cluster_dns: vec!["10.0.0.10".to_owned()],
        cluster_domain: Some("cluster.local".to_owned()),
        cgroup_driver: Some("systemd".to_owned()),
        container_runtime_endpoint: Some("unix:///run/containerd/containerd.sock".to_owned()),
        read_from: [
            "/etc/default/kubeletconfig.json",
            "/etc/kubelet.d/10-runtime.conf",
            "command line",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..KubeletSettings::default()
    };
    assert_eq!(settings, expected);
}

#[tokio::test]
async fn certificates_are_described_and_keys_are_not_read() {
    let run = run(&aks_node::with_kubelet(), ID).await;
    let rows: Vec<NodeCertificate> = from_lines(&run.text("certificates.json"))
        .unwrap()
        .into_iter()
        .map(|(_, row)| row)
        .collect();
    let said: Vec<_> = rows
        .iter()
        .map(|row| {
            let until = row
                .certificate
                .as_ref()
                .map(|certificate| certificate.not_after.to_string());
            (row.path.as_str(), row.number, until)
        })
        .collect();
    let until = Some("2027-01-02T00:00:00Z".to_owned());
    assert_eq!(
        said,
        [
            ("/var/lib/kubelet/pki/kubelet-client-2026-01-02.pem", 1, until.clone()),
            ("/var/lib/kubelet/pki/kubelet-client-current.pem", 1, until.clone()),
            ("/etc/kubernetes/certs/broken.crt", 1, None),
            ("/etc/kubernetes/certs/ca.crt", 1, until),
        ]
    );
    assert!(!run.text("certificates.json").contains("PRIVATE KEY"));
}

#[tokio::test]
async fn credentials_are_taken_out_of_what_stays_readable() {
    let run = run(&aks_node::with_kubelet(), ID).await;
    let kubeconfig = run.text("kubeconfig.yaml");
    assert!(
        kubeconfig.contains("https://cluster-dns-abc.hcp.westeurope.azmk8s.io:443"),
        "{kubeconfig}"
    );
    assert!(
        kubeconfig.contains("client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem"),
        "{kubeconfig}"
    );
    assert!(!kubeconfig.contains("0123456789abcdef"), "{kubeconfig}");
    let azure = run.text("azure.json");
    assert!(azure.contains("AzurePublicCloud") && azure.contains("s-1"), "{azure}");
    assert!(!azure.contains("notreal"), "{azure}");
    assert!(!run.reason("bootstrap-kubeconfig.yaml").contains("abcdef"));
    assert_eq!(run.content("bootstrap-kubeconfig.yaml"), None);
}

#[tokio::test]
async fn a_node_without_a_kubelet_says_so() {
    let run = run(&HostFixture::new(), ID).await;
    assert!(
        run.items().iter().all(|item| item.state == State::NotPresent),
        "{:?}",
        states(&run)
    );
    assert_eq!(run.reason("cmdline.txt"), "no kubelet is running");
    assert_eq!(
        run.reason("config.yaml"),
        "there is no /var/lib/kubelet/config.yaml or /etc/default/kubeletconfig.json"
    );
}

#[tokio::test]
async fn a_kubelet_that_is_a_subcommand_is_found() {
    let node = HostFixture::new()
        .file("/proc/9/comm", "hyperkube\n")
        .file(
            "/proc/9/cmdline",
            "/usr/local/bin/hyperkube\0kubelet\0--network-plugin=cni\0",
        )
        .file("/proc/9/cgroup", "1:name=systemd:/system.slice/kubelet.service\n");
    let run = run(&node, ID).await;
    let settings: KubeletSettings = serde_json::from_str(&run.text("kubelet.json")).unwrap();
    assert_eq!(settings.network_plugin.as_deref(), Some("cni"));
}

#[tokio::test]
async fn a_configuration_that_is_broken_is_kept_and_the_settings_say_so() {
    let node = HostFixture::new().file("/var/lib/kubelet/config.yaml", "maxPods: [1\n");
    let run = run(&node, ID).await;
    assert_eq!(run.text("config.yaml"), "maxPods: [1\n");
    assert_eq!(run.state("kubelet.json"), State::Failed);
    assert!(
        run.reason("kubelet.json")
            .starts_with("/var/lib/kubelet/config.yaml cannot be understood")
    );
}

//! The kubelet's settings in force: configuration file, drop-ins and command line, one over the other; knows the few
//! that matter to a reader of the archive.

use periscope_documents::KubeletSettings;
use periscope_host::HostProcess;
use serde_json::Value;

/// What the settings are called that came from the command line.
const COMMAND_LINE: &str = "command line";

/// One configuration file: its path and its text, YAML or JSON.
pub(super) struct Source {
    /// Its path on the node.
    pub(super) path: String,
    /// Its content.
    pub(super) text: String,
}

/// The settings that the sources, in their order, and the command line amount to. A source that is not YAML says
/// nothing and is returned with the reason.
pub(super) fn in_force(sources: &[Source], process: Option<&HostProcess>) -> (KubeletSettings, Vec<String>) {
    let mut settings = KubeletSettings::default();
    let mut problems = Vec::new();
    for source in sources {
        match serde_saphyr::from_str::<Value>(&source.text) {
            Ok(document) => {
                apply_document(&mut settings, &document);
                settings.read_from.push(source.path.clone());
            }
            Err(error) => problems.push(format!("{} cannot be understood: {}", source.path, what(&error))),
        }
    }
    if let Some(process) = process {
        apply_flags(&mut settings, process);
        settings.read_from.push(COMMAND_LINE.to_owned());
    }
    (settings, problems)
}

/// What is wrong, in one line: the error goes on with a piece of the file.
fn what(error: &serde_saphyr::Error) -> String {
    let place = error
        .location()
        .map(|at| format!("line {}: ", at.line()))
        .unwrap_or_default();
    let text = error.to_string();
    let words: Vec<_> = text.lines().next().unwrap_or_default().split_whitespace().collect();
    place + &words.join(" ")
}

/// Lays a `KubeletConfiguration` over the settings. Lists are replaced, as the kubelet itself merges drop-ins.
fn apply_document(settings: &mut KubeletSettings, document: &Value) {
    let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    let replace = |slot: &mut Option<String>, name: &str| {
        if let Some(value) = text(name) {
            *slot = Some(value);
        }
    };
    replace(&mut settings.cluster_domain, "clusterDomain");
    replace(&mut settings.cgroup_driver, "cgroupDriver");
    replace(&mut settings.resolv_conf, "resolvConf");
    replace(&mut settings.container_runtime_endpoint, "containerRuntimeEndpoint");
    if let Some(max_pods) = document.get("maxPods").and_then(Value::as_u64) {
        settings.max_pods = Some(max_pods);
    }
    if let Some(servers) = document.get("clusterDNS").and_then(Value::as_array) {
        settings.cluster_dns = servers.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
}

fn apply_flags(settings: &mut KubeletSettings, process: &HostProcess) {
    let replace = |slot: &mut Option<String>, flag: &str| {
        if let Some(value) = process.flag(flag) {
            *slot = Some(value.to_owned());
        }
    };
    replace(&mut settings.node_name, "--hostname-override");
    replace(&mut settings.network_plugin, "--network-plugin");
    replace(&mut settings.cluster_domain, "--cluster-domain");
    replace(&mut settings.cgroup_driver, "--cgroup-driver");
    replace(&mut settings.resolv_conf, "--resolv-conf");
    replace(&mut settings.container_runtime_endpoint, "--container-runtime-endpoint");
    if let Some(max_pods) = process.flag("--max-pods").and_then(|value| value.parse().ok()) {
        settings.max_pods = Some(max_pods);
    }
    if let Some(servers) = process.flag("--cluster-dns") {
        settings.cluster_dns = servers.split(',').map(str::to_owned).collect();
    }
}

#[cfg(test)]
mod tests {
    use periscope_host::HostProcess;

    use super::{Source, in_force};

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn the_command_line_goes_over_drop_ins_and_these_over_the_file() {
        let sources = [
            source(
                "/c.json",
                r#"{"maxPods": 110, "clusterDNS": ["10.0.0.10"], "clusterDomain": "cluster.local", "cgroupDriver": "cgroupfs"}"#,
            ),
            source(
                "/d/10.conf",
                "kind: KubeletConfiguration\nmaxPods: 60\ncgroupDriver: systemd\nclusterDNS: [10.0.0.11, 10.0.0.12]\n",
            ),
        ];
        let args = ["kubelet", "--max-pods=30", "--network-plugin", "cni"]
            .map(str::to_owned)
            .to_vec();
        let (settings, problems) = in_force(
            &sources,
            Some(&HostProcess {
                pid: 7,
                args,
                in_pod: false,
            }),
        );
        assert_eq!(problems, [""; 0]);
        assert_eq!(settings.max_pods, Some(30));
        assert_eq!(settings.cgroup_driver.as_deref(), Some("systemd"));
        assert_eq!(settings.cluster_dns, ["10.0.0.11", "10.0.0.12"]);
        assert_eq!(settings.cluster_domain.as_deref(), Some("cluster.local"));
        assert_eq!(settings.network_plugin.as_deref(), Some("cni"));
        assert_eq!(settings.resolv_conf, None);
        assert_eq!(settings.read_from, ["/c.json", "/d/10.conf", "command line"]);
    }

    #[test]
    fn a_broken_file_says_nothing_and_is_named() {
        let sources = [source("/c.yaml", "maxPods: [1"), source("/d.yaml", "maxPods: 5")];
        let (settings, problems) = in_force(&sources, None);
        assert_eq!(
            (settings.max_pods, settings.read_from),
            (Some(5), vec!["/d.yaml".to_owned()])
        );
        assert!(
            problems[0].starts_with("/c.yaml cannot be understood: line "),
            "{problems:?}"
        );
        assert_eq!(problems[0].lines().count(), 1, "{problems:?}");
    }

    #[test]
    fn values_of_the_wrong_type_are_left_out() {
        let (settings, _) = in_force(
            &[source("/c", "maxPods: many\nclusterDNS: 10.0.0.10\nclusterDomain: 3\n")],
            None,
        );
        assert_eq!(
            (settings.max_pods, settings.cluster_dns.len(), settings.cluster_domain),
            (None, 0, None)
        );
    }
}

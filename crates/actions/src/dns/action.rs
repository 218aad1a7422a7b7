//! The action: copies the files, finds the servers and the names, asks all at once.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use hickory_resolver::proto::rr::Name;
use periscope_core::{
    Action, ActionContext, ActionError, ArtifactSpec, Content, Descriptor, ItemDescriptor, Scope, Sensitivity, Sink,
    State,
};
use periscope_documents::{KubeletSettings, Lookup, Network, RecordType, ResolvConf, names, to_lines};
use periscope_host::{HostPath, HostRoot};

use super::query::{self, Question};
use super::servers::{Server, Servers};
use crate::Settings;
use crate::api_server::ApiServer;
use crate::host_files;
use crate::kubelet::KnownKubelet;
use crate::network_outbound::OutboundTarget;
use crate::table;
use crate::vantage::{Vantage, own_network};

const RESOLV_CONF: &str = "/etc/resolv.conf";
const RESOLVED_RESOLV_CONF: &str = "/run/systemd/resolve/resolv.conf";
/// What the machine's maker wrote into it (SMBIOS, type 3).
const CHASSIS_ASSET_TAG: &str = "/sys/class/dmi/id/chassis_asset_tag";
const POD_HOSTS: &str = "pod-hosts";

/// Where name servers listen.
pub(crate) const DNS_PORT: u16 = 53;
/// A `resolv.conf` has some lines.
const MAX_RESOLV_CONF_BYTES: usize = 64 * 1024;
/// Most names that are asked for.
const MAX_NAMES: usize = 8;
/// The kubelet's own default (`KubeletConfiguration`, `clusterDomain`, as every distribution sets it).
const DEFAULT_DOMAIN: &str = "cluster.local";
/// A name that every AKS node must be able to resolve.
pub(crate) const PUBLIC_NAME: &str = "mcr.microsoft.com";

pub(crate) const DESCRIPTOR: Descriptor = Descriptor {
    id: names::DNS,
    summary: "How names are resolved: resolv.conf, hosts, nsswitch, and live look-ups at every name server",
    timeout: Duration::from_secs(15),
    limit: 4 * 1024 * 1024,
    rbac: &[],
    scope: Scope::Node,
    sensitivity: Sensitivity::Node,
    items: &[
        ItemDescriptor::new(names::HOST_RESOLV_CONF, "The node's `/etc/resolv.conf`"),
        ItemDescriptor::new(
            names::RESOLVED_RESOLV_CONF,
            "The servers behind systemd-resolved, `/run/systemd/resolve/resolv.conf`",
        ),
        ItemDescriptor::new(
            names::KUBELET_RESOLV_CONF,
            "The kubelet's `resolvConf`, where it is another file",
        ),
        ItemDescriptor::new("host-hosts", "The node's `/etc/hosts`"),
        ItemDescriptor::new("host-nsswitch.conf", "The node's `/etc/nsswitch.conf`"),
        ItemDescriptor::new(
            names::CHASSIS_ASSET_TAG,
            "The machine's asset tag, which says whether it is Azure's and so which name servers are usual",
        ),
        ItemDescriptor::new(names::POD_RESOLV_CONF, "`/etc/resolv.conf` of the pod that collects"),
        ItemDescriptor::new(POD_HOSTS, "`/etc/hosts` of the pod that collects"),
        ItemDescriptor::new(
            names::LOOKUPS,
            "Look-ups of cluster and public names at every name server, with latency and answer code",
        ),
        ItemDescriptor::new(names::LOOKUPS_TABLE, "The look-ups as a table"),
    ],
};

/// Files of the node, and the artifacts they become.
const NODE_FILES: [(&str, &str); 5] = [
    (RESOLV_CONF, names::HOST_RESOLV_CONF),
    (RESOLVED_RESOLV_CONF, names::RESOLVED_RESOLV_CONF),
    ("/etc/hosts", "host-hosts"),
    ("/etc/nsswitch.conf", "host-nsswitch.conf"),
    (CHASSIS_ASSET_TAG, names::CHASSIS_ASSET_TAG),
];

/// Files of our own pod, and the artifacts they become.
const POD_FILES: [(&str, &str); 2] = [(RESOLV_CONF, names::POD_RESOLV_CONF), ("/etc/hosts", POD_HOSTS)];

/// Gathers name resolution.
pub(crate) struct Dns {
    vantage: Vantage,
    port: u16,
}

/// What the files say.
struct Found {
    servers: Vec<Server>,
    questions: Vec<Question>,
    kubelet_resolv_conf: Option<String>,
    network: Network,
}

impl Dns {
    pub(crate) fn new(vantage: Vantage) -> Self {
        Self {
            vantage,
            port: DNS_PORT,
        }
    }

    /// Reads the files. Blocks.
    fn find(vantage: &Vantage) -> Found {
        let root = &vantage.root;
        let kubelet = KnownKubelet::look(root);
        let network = own_network(root);
        let elsewhere = network != Network::Node;
        let mut servers = Servers::default();
        let mut add = |root: &HostRoot, path: &str, name: &str, foreign: bool| {
            if let Some(text) = HostPath::new(path)
                .ok()
                .and_then(|p| root.read(&p, MAX_RESOLV_CONF_BYTES).ok())
            {
                servers.add_file(name, &ResolvConf::parse(&text), foreign);
            }
        };
        add(root, RESOLV_CONF, names::HOST_RESOLV_CONF, elsewhere);
        add(root, RESOLVED_RESOLV_CONF, names::RESOLVED_RESOLV_CONF, elsewhere);
        let kubelet_resolv_conf = kubelet
            .settings
            .resolv_conf
            .clone()
            .filter(|path| !path.is_empty() && path != RESOLV_CONF && path != RESOLVED_RESOLV_CONF);
        if let Some(path) = &kubelet_resolv_conf {
            add(root, path, names::KUBELET_RESOLV_CONF, elsewhere);
        }
        if let Some(own) = &vantage.own {
            add(own, RESOLV_CONF, names::POD_RESOLV_CONF, false);
        }
        for server in kubelet
            .settings
            .cluster_dns
            .iter()
            .filter_map(|server| server.parse().ok())
        {
            servers.add_cluster(server);
        }
        let api_server = vantage.api_server(&kubelet);
        let questions = questions(&kubelet.settings, api_server.as_ref(), &vantage.settings);
        Found {
            servers: servers.into_vec(),
            questions,
            kubelet_resolv_conf,
            network,
        }
    }

    async fn copy_files(&self, sink: &Sink, found: &Found) {
        for (path, artifact) in NODE_FILES {
            copy(&self.vantage.root, sink, path, artifact).await;
        }
        let (root, name) = (&self.vantage.root, names::KUBELET_RESOLV_CONF);
        if let Some(path) = &found.kubelet_resolv_conf {
            copy(root, sink, path, name).await;
        } else {
            let reason = "the kubelet names no file of its own, or one that is here under another name";
            let none = (State::NotApplicable, reason);
            host_files::record_none(root, sink, name, &KnownKubelet::PLACES, none).await;
        }
        for (path, artifact) in POD_FILES {
            match &self.vantage.own {
                Some(own) => copy(own, sink, path, artifact).await,
                None => sink.record(
                    artifact,
                    State::NotApplicable,
                    "this program runs on the node itself, in no pod",
                ),
            }
        }
    }

    async fn look_up(&self, sink: &Sink, found: &Found) {
        if found.servers.is_empty() {
            for name in [names::LOOKUPS, names::LOOKUPS_TABLE] {
                sink.record(name, State::NotApplicable, "no name server is named anywhere");
            }
            return;
        }
        let pairs = found
            .servers
            .iter()
            .flat_map(|server| found.questions.iter().map(move |q| (server, q)));
        let lookups = join_all(pairs.map(|(server, question)| async move {
            let mut lookup = question.unasked(server.name(), server.named_by.clone(), found.network);
            match server.endpoint(self.port) {
                Ok(endpoint) => query::ask(endpoint, question, &lookup).await,
                Err(why) => {
                    lookup.error = Some(why);
                    vec![lookup]
                }
            }
        }));
        let lookups: Vec<Lookup> = lookups.await.into_iter().flatten().collect();
        match to_lines(&lookups) {
            Ok(text) => {
                sink.document(ArtifactSpec::new(names::LOOKUPS, Content::Json), text)
                    .await;
            }
            Err(error) => sink.record(names::LOOKUPS, State::Failed, error.to_string()),
        }
        sink.document(
            ArtifactSpec::new(names::LOOKUPS_TABLE, Content::Text),
            as_table(&lookups),
        )
        .await;
    }
}

#[async_trait]
impl Action for Dns {
    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        let found = self.vantage.look(Self::find).await?;
        tokio::join!(self.copy_files(&cx.sink, &found), self.look_up(&cx.sink, &found));
        Ok(())
    }
}

async fn copy(root: &HostRoot, sink: &Sink, path: &str, artifact: &str) {
    match HostPath::new(path) {
        Ok(path) => {
            host_files::collect(root, sink, &path, artifact, Content::Text).await;
        }
        Err(error) => sink.record(artifact, State::Failed, error.to_string()),
    }
}

/// The name of the API server inside the cluster, which its name servers always know.
pub(crate) fn api_server_name(kubelet: &KubeletSettings) -> String {
    let domain = kubelet
        .cluster_domain
        .as_deref()
        .unwrap_or(DEFAULT_DOMAIN)
        .trim_end_matches('.');
    format!("kubernetes.default.svc.{domain}")
}

/// The names to ask for, each with both types of address.
fn questions(kubelet: &KubeletSettings, api_server: Option<&ApiServer>, settings: &Settings) -> Vec<Question> {
    let mut wanted = vec![api_server_name(kubelet)];
    wanted.extend(api_server.map(|server| server.host.clone()));
    wanted.push(PUBLIC_NAME.to_owned());
    wanted.extend(settings.storage_host.clone());
    let targets = settings
        .outbound_targets
        .iter()
        .filter_map(|target| target.parse::<OutboundTarget>().ok());
    wanted.extend(targets.map(|target| target.host().to_owned()));

    let mut questions: Vec<Question> = Vec::new();
    for name in wanted {
        // An address needs no resolving.
        if name.parse::<std::net::IpAddr>().is_ok() {
            continue;
        }
        let Ok(name) = Name::from_utf8(format!("{}.", name.trim_end_matches('.'))) else {
            continue;
        };
        if questions.len() < 2 * MAX_NAMES && !questions.iter().any(|question| question.name == name) {
            for record_type in [RecordType::A, RecordType::Aaaa] {
                questions.push(Question {
                    name: name.clone(),
                    record_type,
                });
            }
        }
    }
    questions
}

fn as_table(lookups: &[Lookup]) -> String {
    let rows: Vec<_> = lookups
        .iter()
        .map(|lookup| {
            let detail = lookup.error.clone().unwrap_or_else(|| lookup.answers.join(" "));
            vec![
                lookup.server.clone(),
                lookup.name.clone(),
                lookup.record_type.to_string(),
                lookup.protocol.to_string(),
                lookup.millis.to_string(),
                lookup.outcome.to_string(),
                lookup.named_by.join(", "),
                detail,
            ]
        })
        .collect();
    table::render(
        &["SERVER", "NAME", "TYPE", "OVER", "MS", "CODE", "NAMED BY", "ANSWERS"],
        &rows,
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use periscope_core::State;
    use periscope_documents::{Lookup, Outcome, from_lines, names};
    use periscope_host::HostRoot;
    use periscope_testkit::{ActionRun, HostFixture};
    use tokio::net::UdpSocket;

    use super::{DESCRIPTOR, Dns};
    use crate::Settings;
    use crate::vantage::Vantage;

    const KUBELET: &str = r#"{"clusterDNS":["127.0.0.1"],"clusterDomain":"my.cluster","resolvConf":"/etc/pods.conf"}"#;
    const KUBECONFIG: &str = "clusters:\n- cluster:\n    server: https://a-dns-1.hcp.centralus.azmk8s.io:443\n";

    /// Runs the action where no name server listens on the port that it asks.
    async fn run(node: &HostFixture, pod: Option<&HostFixture>, settings: Settings) -> ActionRun {
        run_on(node.root(), pod, settings).await
    }

    async fn run_on(root: HostRoot, pod: Option<&HostFixture>, settings: Settings) -> ActionRun {
        let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let vantage = Vantage {
            root,
            own: pod.map(HostFixture::root),
            access: None,
            settings,
        };
        let dns = Dns {
            vantage,
            port: closed.port(),
        };
        ActionRun::of(&DESCRIPTOR, Arc::new(dns)).await
    }

    #[tokio::test]
    async fn files_and_lookups_of_a_pod_on_a_node() {
        let node = HostFixture::new()
            .file("/run/systemd/resolve/resolv.conf", "nameserver 127.0.0.4\n")
            .link("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")
            .file("/etc/pods.conf", "nameserver 127.0.0.5\n")
            .file("/etc/hosts", "127.0.0.1 localhost\n")
            .file("/etc/nsswitch.conf", "hosts: files dns\n")
            .file(
                "/sys/class/dmi/id/chassis_asset_tag",
                "7783-7084-3265-9085-8269-3286-77\n",
            )
            .file("/etc/default/kubeletconfig.json", KUBELET)
            .file("/var/lib/kubelet/kubeconfig", KUBECONFIG);
        let pod = HostFixture::new().file("/etc/resolv.conf", "nameserver 127.0.0.1\n");
        let settings = Settings {
            storage_host: Some("account.blob.core.windows.net".to_owned()),
            outbound_targets: vec!["10.0.0.1:443".to_owned(), "https://example.com/x".to_owned()],
            ..Settings::default()
        };
        let run = run(&node, Some(&pod), settings).await;
        for item in DESCRIPTOR.items.iter().filter(|item| item.path != super::POD_HOSTS) {
            assert_eq!(run.state(item.path), State::Collected, "{}", item.path);
        }
        assert_eq!(run.state(super::POD_HOSTS), State::NotPresent);
        assert_eq!(run.text(names::KUBELET_RESOLV_CONF), "nameserver 127.0.0.5\n");

        let lookups: Vec<Lookup> = from_lines(&run.text(names::LOOKUPS))
            .unwrap()
            .into_iter()
            .map(|(_, lookup)| lookup)
            .collect();
        let mut asked: Vec<_> = lookups.iter().map(|lookup| lookup.name.as_str()).collect();
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(
            asked,
            [
                "a-dns-1.hcp.centralus.azmk8s.io.",
                "account.blob.core.windows.net.",
                "example.com.",
                "kubernetes.default.svc.my.cluster.",
                "mcr.microsoft.com.",
            ]
        );
        // The node's loopback is not ours; the pod's and the cluster's server is one, asked twice over each protocol.
        for lookup in &lookups {
            let expected = if lookup.server.starts_with("127.0.0.1:") {
                Outcome::ConnectionRefused
            } else {
                Outcome::NotAsked
            };
            assert_eq!(lookup.outcome, expected, "{lookup:?}");
        }
        assert_eq!(lookups.len(), 5 * 2 * (2 + 2));
        assert_eq!(
            lookups.last().unwrap().named_by,
            [names::POD_RESOLV_CONF, "clusterDNS of the kubelet"]
        );
        assert!(run.text(names::LOOKUPS_TABLE).starts_with("SERVER "));
    }

    #[tokio::test]
    async fn what_a_pod_does_not_see_of_its_node_is_not_missing_there() {
        let pod = HostFixture::new().file("/etc/resolv.conf", "nameserver 127.0.0.1\n");
        let unseen = HostRoot::mounted_into(&pod.real_path("/")).unwrap();
        let run = run_on(unseen, Some(&pod), Settings::default()).await;
        for name in super::NODE_FILES.map(|(_, name)| name) {
            assert_eq!(run.state(name), State::Denied, "{name}");
        }
        assert_eq!(run.state(names::KUBELET_RESOLV_CONF), State::Denied);
        assert_eq!(run.state(names::POD_RESOLV_CONF), State::Collected);
    }

    #[tokio::test]
    async fn a_node_that_names_no_server_says_so() {
        let run = run(&HostFixture::new(), None, Settings::default()).await;
        assert_eq!(run.state(names::HOST_RESOLV_CONF), State::NotPresent);
        assert_eq!(run.state(names::POD_RESOLV_CONF), State::NotApplicable);
        assert_eq!(run.state(names::LOOKUPS), State::NotApplicable);
    }
}

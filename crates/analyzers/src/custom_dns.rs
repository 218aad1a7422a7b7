//! Whether name servers other than those that AKS provides are in use, on the node and in pods; whether they answer is
//! in the look-ups.

use std::net::{IpAddr, Ipv4Addr};

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Evidence, Fault, Finding, Inputs, Severity};
use periscope_documents::{NameServer, ResolvConf, names};

use crate::artifact::{self, Artifact, Text};
use crate::dns_servers::{self, NameServers, asked};
use crate::kubelet;

/// The virtual address of Azure's own DNS (learn.microsoft.com, "What is IP address 168.63.129.16?").
const AZURE_DNS: IpAddr = IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16));
/// Where AKS `LocalDNS` listens on a node, for the node and for pods (`AgentBaker`, `localdns.sh`).
const LOCAL_DNS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 10, 10)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 10, 11)),
];

static DNS_CUSTOM: Fault = Fault {
    id: "dns-custom",
    summary: "The node or a pod asks DNS servers other than those that AKS provides",
    severity: Severity::Low,
    caused_by: &[],
    remedy: "Check in the look-ups of `dns` that each of them resolves the API server's name and public names, and that \
             they forward to 168.63.129.16 what they do not know themselves.",
};

static DNS_MISCONFIGURED: Fault = Fault {
    id: "dns-misconfigured",
    summary: "resolv.conf is missing, names no server, or does not say what it seems to say",
    severity: Severity::High,
    caused_by: &[],
    remedy: "Correct the file where it is made: the virtual network's DNS settings, or the pod's `dnsConfig`.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "custom-dns",
    summary: "Whether the node or its pods ask DNS servers other than those that AKS provides",
    faults: &[&DNS_CUSTOM, &DNS_MISCONFIGURED],
};

/// The asset tag of every machine of Azure (cloud-init, `DataSourceAzure`; `systemd`, `src/basic/virt.c`).
const AZURE_ASSET_TAG: &str = "7783-7084-3265-9085-8269-3286-77";

/// What has a fault of the node's own resolv.conf, and what one of the pod's.
const NODE: &str = "the node's DNS";
const POD: &str = "the pod's DNS";

/// Finds custom DNS servers.
pub(crate) struct CustomDns;

impl Analyzer for CustomDns {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        if !dns_servers::are_gathered(inputs) {
            return Ok(vec![unknown("The name servers were not gathered.")]);
        }
        let node = dns_servers::of_node(inputs)?;
        let pod = dns_servers::of_pod(inputs)?;
        let mut findings = vec![judge_node(&node, is_azure(inputs)?)];
        findings.extend(judge_pod(inputs, &node, &pod)?);
        findings.extend(judge_pods_upstream(inputs)?);
        for servers in [&node, &pod] {
            if let NameServers::Known(text, conf) = servers
                && !conf.problems.is_empty()
            {
                findings.push(misread_lines(text, conf));
            }
        }
        Ok(findings)
    }
}

fn unknown(why: &str) -> Finding {
    DESCRIPTOR
        .unknown(why)
        .remedy("Collect again with the action `dns`, as root.")
}

/// Whether the node is a machine of Azure: by its asset tag, and only where that is not to be seen by the cloud's
/// settings, which a copied configuration may hold anywhere.
fn is_azure(inputs: &dyn Inputs) -> Result<bool, AnalyzeError> {
    Ok(match artifact::read(inputs, names::DNS, names::CHASSIS_ASSET_TAG)? {
        Artifact::Whole(tag) => tag.text.trim() == AZURE_ASSET_TAG,
        // A machine of Azure has the file; `/sys` was there and did not.
        Artifact::NoSuchThing => false,
        Artifact::Incomplete(_) => matches!(
            artifact::read(inputs, names::KUBELET, names::AZURE_JSON)?,
            Artifact::Whole(_)
        ),
    })
}

/// The file that the kubelet hands to pods with the DNS policy `Default`, those of `CoreDNS` among them. To a pod the
/// node's own loopback is the pod itself: `CoreDNS` then asks itself, notices, and ends.
fn judge_pods_upstream(inputs: &dyn Inputs) -> Result<Option<Finding>, AnalyzeError> {
    let Some((_, settings)) = kubelet::settings(inputs)? else {
        return Ok(None);
    };
    let name = match settings.resolv_conf.as_deref() {
        None | Some("" | "/etc/resolv.conf") => names::HOST_RESOLV_CONF,
        Some("/run/systemd/resolve/resolv.conf") => names::RESOLVED_RESOLV_CONF,
        Some(_) => names::KUBELET_RESOLV_CONF,
    };
    let Artifact::Whole(text) = artifact::read(inputs, names::DNS, name)? else {
        return Ok(None);
    };
    let conf = ResolvConf::parse(text.text.as_bytes());
    let servers = asked(&conf);
    if servers.is_empty() || !servers.iter().all(|server| server.address.is_loopback()) {
        return Ok(None);
    }
    let title = format!(
        "Pods with the DNS policy `Default`, CoreDNS among them, are told to ask {}, which in a pod is the pod itself.",
        list(servers)
    );
    let found = DNS_MISCONFIGURED
        .warn("the kubelet's resolvConf", title)
        .evidences(lines(&text, servers))
        .remedy("Set `resolvConf: /run/systemd/resolve/resolv.conf` in the kubelet's configuration.");
    Ok(Some(found))
}

fn judge_node(servers: &NameServers, is_azure: bool) -> Finding {
    let (text, conf) = match servers {
        NameServers::Known(text, conf) => (text, conf),
        NameServers::Incomplete(why) => return unknown(why),
        NameServers::NoSuchThing => {
            let title = "The node has no /etc/resolv.conf: it can resolve no names.".to_owned();
            return DNS_MISCONFIGURED
                .fail(NODE, title)
                .remedy("Restore the link to systemd-resolved's file.");
        }
    };
    if conf.name_servers.is_empty() {
        let title = format!("{} names no name server: the node can resolve no names.", text.path);
        return DNS_MISCONFIGURED
            .fail(NODE, title)
            .evidence(text.as_evidence(""))
            .remedy("Set the DNS servers of the virtual network.");
    }
    let custom: Vec<_> = asked(conf).iter().filter(|server| !is_provided(server)).collect();
    if !is_azure && !custom.is_empty() {
        let title = format!(
            "The node is no machine of Azure, and asks the DNS servers {}.",
            list(asked(conf))
        );
        return DESCRIPTOR.pass(title).evidences(lines(text, asked(conf)));
    }
    if custom.is_empty() {
        let title = format!(
            "The node asks the DNS servers that Azure provides ({}).",
            list(asked(conf))
        );
        return DESCRIPTOR.pass(title).evidences(lines(text, asked(conf)));
    }
    let title = format!(
        "The node asks the custom DNS servers {}, and not Azure's {AZURE_DNS}.",
        list(custom.iter().copied())
    );
    DNS_CUSTOM.warn(NODE, title).evidences(lines(text, custom))
}

/// `None` when the program did not run in a pod: then no pod's file is there to be judged.
fn judge_pod(inputs: &dyn Inputs, node: &NameServers, pod: &NameServers) -> Result<Option<Finding>, AnalyzeError> {
    let (text, conf) = match pod {
        NameServers::Known(text, conf) => (text, conf),
        NameServers::NoSuchThing => return Ok(None),
        NameServers::Incomplete(why) => return Ok(Some(unknown(why))),
    };
    if matches!(node, NameServers::Known(_, node) if addresses(node) == addresses(conf)) {
        let title = format!(
            "This pod is given the node's DNS servers, so {} tells nothing about other pods.",
            text.path
        );
        let finding = DESCRIPTOR
            .unknown(title)
            .evidences(lines(text, asked(conf)))
            .remedy("Run it with the DNS policy `ClusterFirst` to see what pods are given.");
        return Ok(Some(finding));
    }
    let Some((settings_file, settings)) = kubelet::settings(inputs)? else {
        return Ok(Some(unknown(
            "The kubelet's clusterDNS is not known: the pods' DNS servers cannot be compared.",
        )));
    };
    let custom: Vec<_> = asked(conf)
        .iter()
        .filter(|server| !settings.cluster_dns.contains(&server.to_string()) && !LOCAL_DNS.contains(&server.address))
        .collect();
    if custom.is_empty() && !conf.name_servers.is_empty() {
        let title = format!("Pods ask the cluster's DNS server ({}).", list(asked(conf)));
        return Ok(Some(DESCRIPTOR.pass(title).evidences(lines(text, asked(conf)))));
    }
    let mut evidence = lines(text, custom.iter().copied());
    evidence.push(settings_file.as_evidence(settings.cluster_dns.join(", ")));
    let found = if conf.name_servers.is_empty() {
        DNS_MISCONFIGURED.warn(POD, format!("{} names no name server.", text.path))
    } else {
        let title = format!(
            "This pod asks the custom DNS servers {}, and not the cluster's.",
            list(custom)
        );
        DNS_CUSTOM.warn(POD, title)
    };
    Ok(Some(found.evidences(evidence).remedy(
        "Check `dnsPolicy` and `dnsConfig` of the pod, and `clusterDNS` of the kubelet.",
    )))
}

fn misread_lines(text: &Text, conf: &ResolvConf) -> Finding {
    let problems: Vec<_> = conf
        .problems
        .iter()
        .map(|p| format!("line {}: {}", p.line, p.what))
        .collect();
    let title = format!(
        "{} does not say what it seems to say: {}.",
        text.path,
        problems.join("; ")
    );
    let lines = conf.problems.iter().map(|problem| text.evidence(problem.line));
    DNS_MISCONFIGURED.warn(text.path.as_str(), title).evidences(lines)
}

fn is_provided(server: &NameServer) -> bool {
    server.address == AZURE_DNS || LOCAL_DNS.contains(&server.address)
}

fn addresses(conf: &ResolvConf) -> Vec<IpAddr> {
    conf.name_servers.iter().map(|server| server.address).collect()
}

fn list<'a>(servers: impl IntoIterator<Item = &'a NameServer>) -> String {
    servers
        .into_iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

fn lines<'a>(text: &Text, servers: impl IntoIterator<Item = &'a NameServer>) -> Vec<Evidence> {
    servers.into_iter().map(|server| text.evidence(server.line)).collect()
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, State, Verdict};
    use periscope_documents::names;
    use rstest::rstest;

    use super::CustomDns;
    use crate::fixture::Artifacts;

    const KUBELET: &str = r#"{"clusterDNS":["10.0.0.10"],"readFrom":["x"]}"#;
    const AZURE: &str = "nameserver 168.63.129.16\nsearch x.cloudapp.net\n";
    const POD: &str = "search svc.cluster.local\nnameserver 10.0.0.10\noptions ndots:5\n";

    fn node(host: &str) -> Artifacts {
        Artifacts::default()
            .with(names::DNS, names::HOST_RESOLV_CONF, host)
            .with(names::KUBELET, names::KUBELET_SETTINGS, KUBELET)
            .with(
                names::DNS,
                names::CHASSIS_ASSET_TAG,
                format!("{}\n", super::AZURE_ASSET_TAG),
            )
            .without(names::DNS, names::RESOLVED_RESOLV_CONF, State::NotPresent)
            .without(names::DNS, names::POD_RESOLV_CONF, State::NotApplicable)
    }

    fn verdicts(artifacts: &Artifacts) -> Vec<(Verdict, String)> {
        let findings = CustomDns.analyze(artifacts).unwrap();
        assert!(
            findings
                .iter()
                .all(|f| f.verdict == Verdict::Pass || !f.remedy.is_empty())
        );
        findings.into_iter().map(|f| (f.verdict, f.title)).collect()
    }

    #[rstest]
    #[case::azure(AZURE, Verdict::Pass, "168.63.129.16")]
    #[case::local_dns("nameserver 169.254.10.10\n", Verdict::Pass, "169.254.10.10")]
    #[case::custom("nameserver 10.1.0.4\nnameserver 10.1.0.5", Verdict::Warn, "10.1.0.4, 10.1.0.5")]
    #[case::one_custom(
        "# x\nnameserver 168.63.129.16\nnameserver 10.1.0.5\n",
        Verdict::Warn,
        "servers 10.1.0.5,"
    )]
    #[case::none("# nameserver 168.63.129.16\n", Verdict::Fail, "names no name server")]
    fn servers_of_the_node(#[case] host: &str, #[case] verdict: Verdict, #[case] words: &str) {
        let found = verdicts(&node(host));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, verdict);
        assert!(found[0].1.contains(words), "{}", found[0].1);
    }

    #[test]
    fn on_other_machines_any_server_is_right() {
        let custom = || node("nameserver 10.1.0.4\n");
        let elsewhere = custom().with(names::DNS, names::CHASSIS_ASSET_TAG, "No Asset Tag\n");
        assert_eq!(verdicts(&elsewhere)[0].0, Verdict::Pass);
        let settings = |node: Artifacts| node.with(names::KUBELET, names::AZURE_JSON, "{}");
        let no_tag = settings(custom().without(names::DNS, names::CHASSIS_ASSET_TAG, State::NotPresent));
        assert_eq!(verdicts(&no_tag)[0].0, Verdict::Pass);
        let unseen = settings(custom().without(names::DNS, names::CHASSIS_ASSET_TAG, State::Denied));
        assert_eq!(verdicts(&unseen)[0].0, Verdict::Warn);
    }

    #[test]
    fn pods_must_not_be_told_to_ask_themselves() {
        let stub = || {
            node("nameserver 127.0.0.53\n").with(names::DNS, names::RESOLVED_RESOLV_CONF, "nameserver 168.63.129.16\n")
        };
        let found = verdicts(&stub());
        assert_eq!(found[1].0, Verdict::Warn);
        assert!(found[1].1.contains("told to ask 127.0.0.53"), "{}", found[1].1);
        let settings = r#"{"resolvConf":"/run/systemd/resolve/resolv.conf"}"#;
        let right = stub().with(names::KUBELET, names::KUBELET_SETTINGS, settings);
        assert_eq!(
            verdicts(&right).iter().map(|f| f.0).collect::<Vec<_>>(),
            [Verdict::Pass]
        );
    }

    #[test]
    fn a_stub_alone_tells_nothing() {
        let found = verdicts(&node("nameserver 127.0.0.53\n"));
        assert_eq!(found[0].0, Verdict::Unknown);
        assert!(found[0].1.contains("local stub"), "{}", found[0].1);
    }

    #[test]
    fn behind_the_stub_are_the_servers_that_count() {
        let stub = node("nameserver 127.0.0.53\n");
        let found = verdicts(&stub.with(names::DNS, names::RESOLVED_RESOLV_CONF, "nameserver 10.1.0.4\n"));
        assert_eq!(found[0].0, Verdict::Warn);
        assert!(found[0].1.contains("10.1.0.4"), "{}", found[0].1);
    }

    #[rstest]
    #[case::the_clusters(AZURE, POD, Verdict::Pass, "10.0.0.10")]
    #[case::local_dns(AZURE, "nameserver 169.254.10.11", Verdict::Pass, "169.254.10.11")]
    #[case::custom(AZURE, "nameserver 8.8.8.8", Verdict::Warn, "8.8.8.8")]
    #[case::none(AZURE, "search x", Verdict::Warn, "names no name server")]
    #[case::the_nodes(AZURE, AZURE, Verdict::Unknown, "nothing about other pods")]
    fn servers_of_the_pod(#[case] host: &str, #[case] pod: &str, #[case] verdict: Verdict, #[case] words: &str) {
        let found = verdicts(&node(host).with(names::DNS, names::POD_RESOLV_CONF, pod));
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[1].0, verdict);
        assert!(found[1].1.contains(words), "{}", found[1].1);
    }

    #[test]
    fn the_evidence_is_the_line_itself() {
        let found = CustomDns
            .analyze(&node("# made by hand\n\nnameserver 10.1.0.4\n"))
            .unwrap();
        let evidence = &found[0].evidence[0];
        assert_eq!(evidence.file, "nodes/node1/dns/host-resolv.conf");
        assert_eq!(
            (evidence.line, evidence.quote.as_str()),
            (Some(3), "nameserver 10.1.0.4")
        );
    }

    #[test]
    fn a_line_that_does_nothing_is_a_warning() {
        let found = verdicts(&node("nameserver 168.63.129.16\nnameserver dns.example.com\n"));
        assert_eq!(
            found.iter().map(|f| f.0).collect::<Vec<_>>(),
            [Verdict::Pass, Verdict::Warn]
        );
        assert!(
            found[1]
                .1
                .contains("line 2: nameserver \"dns.example.com\" is not an IP address")
        );
    }

    #[rstest]
    #[case::cut(State::Truncated)]
    #[case::denied(State::Denied)]
    #[case::withheld(State::Withheld)]
    #[case::failed(State::Failed)]
    fn what_is_not_whole_is_not_judged(#[case] state: State) {
        let artifacts = Artifacts::default()
            .ended(names::DNS, names::HOST_RESOLV_CONF, state, AZURE)
            .ended(names::DNS, names::POD_RESOLV_CONF, state, POD);
        assert!(
            verdicts(&artifacts)
                .iter()
                .all(|(verdict, _)| *verdict == Verdict::Unknown)
        );
        assert!(
            verdicts(&Artifacts::default())
                .iter()
                .all(|(verdict, _)| *verdict == Verdict::Unknown)
        );
    }

    #[test]
    fn what_was_not_run_is_told_once() {
        let found = verdicts(&Artifacts::default());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, Verdict::Unknown);
    }

    #[test]
    fn without_the_kubelets_settings_pods_are_not_judged() {
        let artifacts = node(AZURE)
            .without(names::KUBELET, names::KUBELET_SETTINGS, State::NotPresent)
            .with(names::DNS, names::POD_RESOLV_CONF, POD);
        assert_eq!(verdicts(&artifacts)[1].0, Verdict::Unknown);
    }
}

//! Whether new pods get a network: a configuration that the runtime can use, its plugins' programs, and addresses left.

use jiff::SignedDuration;
use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::{AddressRange, CniConfiguration, CniPlugin, names};

use crate::document::{self, Document, unknown};
use crate::kubelet;

/// The rule that finds lines in which a plugin says that it has no address left.
pub(crate) const NO_ADDRESS: &str = "cni-no-address";

/// Such lines that are older say nothing of now: the kubelet tries again every some minutes.
const RECENT: SignedDuration = SignedDuration::from_mins(60);

/// Part of a range's addresses in use, in percent, that is unusual.
const WARN_PERCENT: u64 = 95;

/// Most lines that are shown.
const MAX_SHOWN: usize = 3;

static CONFIG_MISSING: Fault = Fault {
    id: "cni-config-missing",
    summary: "The container runtime has no network configuration that it can use, or a plugin's program is missing",
    severity: Severity::Critical,
    caused_by: &["filesystem-read-only", "disk-full", "container-crash-loop"],
    remedy: "Look at the network plugin's own pod on this node (azure-cns, cilium, calico-node): it writes configuration and \
             programs when it starts.",
};

static ADDRESSES_EXHAUSTED: Fault = Fault {
    id: "cni-addresses-exhausted",
    summary: "The network plugin has no address left for new pods",
    severity: Severity::High,
    caused_by: &[],
    remedy: "Compare the addresses in `cni/addresses.txt` with the pods that run, and free those of none; else give the \
             node or the subnet more addresses, or the node fewer pods (`maxPods`).",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "cni",
    summary: "Whether new pods get a network: configuration, plugins and addresses",
    faults: &[&CONFIG_MISSING, &ADDRESSES_EXHAUSTED],
};

/// Judges the network plugins.
pub(crate) struct Cni;

impl Analyzer for Cni {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let mut findings = vec![judge_configuration(inputs)?];
        findings.extend(judge_ranges(inputs)?);
        // A full range and its plugin's complaint are one thing.
        if findings.iter().all(|finding| finding.fault != ADDRESSES_EXHAUSTED.id) {
            findings.extend(judge_logs(inputs));
        }
        Ok(findings)
    }
}

fn judge_configuration(inputs: &dyn Inputs) -> Result<Finding, AnalyzeError> {
    let read = document::read::<CniConfiguration>(inputs, names::CNI, names::CNI_CONFIGURATIONS)?;
    let (text, configurations) = match read {
        Document::Whole(text, configurations) => (Some(text), configurations),
        Document::NoSuchThing => (None, Vec::new()),
        Document::Incomplete(why) => return Ok(unknown(&DESCRIPTOR, names::CNI, &why)),
    };
    let object = "the container network";
    let Some((line, used)) = configurations.iter().find(|(_, it)| it.problem.is_none()) else {
        let settings = kubelet::settings(inputs)?;
        let Some((file, settings)) = settings else {
            return Ok(DESCRIPTOR.unknown("There is no network configuration, and no kubelet that would need one."));
        };
        // kubenet, and docker without a plugin, are configured by the kubelet alone.
        if settings.container_runtime_endpoint.is_none()
            && settings.network_plugin.as_deref().is_some_and(|plugin| plugin != "cni")
        {
            return Ok(DESCRIPTOR.pass("The kubelet configures the network of pods itself."));
        }
        let found = match configurations.first() {
            None => CONFIG_MISSING.fail(
                object,
                "The container runtime has no network configuration: no new pod gets a network, and the node is not ready.",
            ),
            Some((_, broken)) => {
                let why = broken.problem.as_deref().unwrap_or_default();
                let title = format!("{} cannot be used ({why}): no new pod gets a network.", broken.path);
                CONFIG_MISSING.fail(object, title)
            }
        };
        return Ok(match (text, configurations.first()) {
            (Some(text), Some((line, _))) => found.evidence(text.evidence(*line)),
            (Some(text), None) => found.evidence(text.as_evidence("no configuration")),
            (None, _) => found.evidence(file.as_evidence(format!(
                "kubelet {}",
                settings.version.unwrap_or_else(|| "is configured".to_owned())
            ))),
        });
    };
    let text = text.ok_or_else(|| AnalyzeError::Parse {
        path: periscope_core::Place::Node.path(inputs.node(), names::CNI, names::CNI_CONFIGURATIONS),
        what: "expected the document of its rows".to_owned(),
    })?;
    let programs = match document::read::<CniPlugin>(inputs, names::CNI, names::CNI_PLUGINS)? {
        Document::Whole(_, programs) => programs,
        Document::NoSuchThing => Vec::new(),
        Document::Incomplete(why) => return Ok(unknown(&DESCRIPTOR, names::CNI, &why)),
    };
    let runs = |name: &String| programs.iter().any(|(_, it)| it.name == *name && it.executable);
    let missing: Vec<&str> = used
        .plugins
        .iter()
        .filter(|name| !runs(name))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        let title = format!(
            "The network of pods is configured by {}, and its plugins are there.",
            used.path
        );
        return Ok(DESCRIPTOR.pass(title).evidence(text.evidence(*line)));
    }
    let title = format!(
        "The program of the network plugin {} is missing, which {} names: no new pod gets a network.",
        missing.join(" and of "),
        used.path
    );
    Ok(CONFIG_MISSING
        .fail(format!("plugin {}", missing.join(", ")), title)
        .evidence(text.evidence(*line)))
}

fn judge_ranges(inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
    let (text, ranges) = match document::read::<AddressRange>(inputs, names::CNI, names::CNI_ADDRESSES)? {
        Document::Whole(text, ranges) => (text, ranges),
        Document::NoSuchThing | Document::Incomplete(_) => return Ok(Vec::new()),
    };
    let mut findings = Vec::new();
    for (line, range) in ranges {
        let says = format!("{} of {} addresses are in use", range.in_use, range.usable);
        let object = format!("network {}", range.network);
        let ranges = range.ranges.join(", ");
        let found = if range.in_use >= range.usable {
            let title = format!(
                "The range {ranges} of the network {} is used up: {says}.",
                range.network
            );
            ADDRESSES_EXHAUSTED.fail(object, title)
        } else if range.in_use.saturating_mul(100) >= range.usable.saturating_mul(WARN_PERCENT) {
            let title = format!(
                "The range {ranges} of the network {} is nearly used up: {says}.",
                range.network
            );
            ADDRESSES_EXHAUSTED.warn(object, title)
        } else {
            continue;
        };
        findings.push(found.evidence(text.evidence(line)));
    }
    Ok(findings)
}

/// What plugins and the kubelet said of it lately.
fn judge_logs(inputs: &dyn Inputs) -> Option<Finding> {
    let now = inputs.started();
    let recent: Vec<_> = inputs
        .hits(NO_ADDRESS)
        .into_iter()
        .filter(|hit| hit.time.is_some_and(|time| now.duration_since(time) <= RECENT))
        .collect();
    let last = recent.last()?;
    let title = format!(
        "The network plugin had no address for a new pod, {} times in the last hour.",
        recent.len()
    );
    let shown = recent
        .iter()
        .rev()
        .take(MAX_SHOWN)
        .map(periscope_core::LineHit::evidence);
    let object = last.captures.get("pod").map_or("the container network", String::as_str);
    Some(ADDRESSES_EXHAUSTED.fail(object, title).evidences(shown))
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, State, Verdict};
    use periscope_documents::{AddressRange, CniConfiguration, CniPlugin, names, to_lines};
    use rstest::rstest;

    use super::{Cni, NO_ADDRESS};
    use crate::fixture::Artifacts;

    fn plugin(name: &str, executable: bool) -> CniPlugin {
        CniPlugin {
            name: name.to_owned(),
            folder: "/opt/cni/bin".to_owned(),
            size: 1,
            executable,
            modified: None,
            go: None,
            module: None,
            version: None,
        }
    }

    fn configuration(path: &str, plugins: &[&str], problem: Option<&str>) -> CniConfiguration {
        CniConfiguration {
            path: path.to_owned(),
            plugins: plugins.iter().map(|name| (*name).to_owned()).collect(),
            problem: problem.map(str::to_owned),
            ..CniConfiguration::default()
        }
    }

    fn node(configurations: &[CniConfiguration], plugins: &[CniPlugin], in_use: u64) -> Artifacts {
        let range = AddressRange {
            network: "cbr0".to_owned(),
            path: "/etc/cni/net.d/10-bridge.conf".to_owned(),
            ranges: vec!["10.244.0.0/24".to_owned()],
            usable: 253,
            in_use,
            folder: String::new(),
        };
        Artifacts::default()
            .with(names::CNI, names::CNI_CONFIGURATIONS, to_lines(configurations).unwrap())
            .with(names::CNI, names::CNI_PLUGINS, to_lines(plugins).unwrap())
            .with(names::CNI, names::CNI_ADDRESSES, to_lines(&[range]).unwrap())
            .with(names::KUBELET, names::KUBELET_SETTINGS, r#"{"version":"v1.34.4"}"#)
    }

    fn healthy(in_use: u64) -> Artifacts {
        let configuration = configuration("/etc/cni/net.d/10-bridge.conf", &["bridge", "host-local"], None);
        node(
            &[configuration],
            &[plugin("bridge", true), plugin("host-local", true)],
            in_use,
        )
    }

    fn findings(artifacts: &Artifacts) -> Vec<Finding> {
        Cni.analyze(artifacts).unwrap()
    }

    #[test]
    fn a_healthy_node_passes() {
        let found = findings(&healthy(30));
        assert_eq!(found.iter().map(|f| f.verdict).collect::<Vec<_>>(), [Verdict::Pass]);
        assert_eq!(found[0].evidence[0].line, Some(2));
    }

    #[rstest]
    #[case::nothing(node(&[], &[plugin("bridge", true)], 0), "has no network configuration", None)]
    #[case::broken(node(&[configuration("/a.conf", &[], Some("it is no JSON"))], &[], 0), "/a.conf cannot be used (it is no JSON)", Some(2))]
    #[case::no_program(node(&[configuration("/a.conf", &["bridge", "host-local"], None)], &[plugin("host-local", true)], 0),
        "plugin bridge is missing, which /a.conf names", Some(2))]
    #[case::does_not_run(node(&[configuration("/a.conf", &["bridge"], None)], &[plugin("bridge", false)], 0), "plugin bridge", Some(2))]
    fn a_network_that_cannot_be_made_fails(#[case] node: Artifacts, #[case] words: &str, #[case] line: Option<u64>) {
        let found = findings(&node);
        assert_eq!(
            (found[0].verdict, found[0].fault.as_str()),
            (Verdict::Fail, "cni-config-missing")
        );
        assert!(found[0].title.contains(words), "{}", found[0].title);
        assert_eq!(found[0].evidence[0].line, line);
    }

    #[test]
    fn kubenet_needs_no_configuration() {
        let node = Artifacts::default()
            .without(names::CNI, names::CNI_CONFIGURATIONS, State::NotPresent)
            .with(
                names::KUBELET,
                names::KUBELET_SETTINGS,
                r#"{"networkPlugin":"kubenet"}"#,
            );
        assert_eq!(findings(&node)[0].verdict, Verdict::Pass);
        let node = Artifacts::default().without(names::CNI, names::CNI_CONFIGURATIONS, State::NotPresent);
        assert_eq!(findings(&node)[0].verdict, Verdict::Unknown);
    }

    #[rstest]
    #[case::near(243, Verdict::Warn, "nearly used up: 243 of 253")]
    #[case::full(
        253,
        Verdict::Fail,
        "The range 10.244.0.0/24 of the network cbr0 is used up: 253 of 253"
    )]
    fn ranges(#[case] in_use: u64, #[case] verdict: Verdict, #[case] words: &str) {
        let found = findings(&healthy(in_use));
        assert_eq!((found[1].verdict, found[1].evidence[0].line), (verdict, Some(2)));
        assert!(found[1].title.contains(words), "{}", found[1].title);
    }

    #[test]
    fn what_plugins_say_counts_while_it_is_new() {
        let hit = |node: Artifacts, time: &str| {
            node.hit(
                NO_ADDRESS,
                ("nodes/node1/cni/var/log/azure-vnet.log", 7),
                Some(time),
                "no address",
                &[],
            )
        };
        let found = findings(&hit(hit(healthy(3), "2026-11-20T09:58:00Z"), "2026-11-20T09:59:00Z"));
        assert_eq!((found[1].verdict, found[1].evidence[0].line), (Verdict::Fail, Some(7)));
        assert!(
            found[1].title.contains("2 times in the last hour"),
            "{}",
            found[1].title
        );
        assert_eq!(findings(&hit(healthy(3), "2026-11-20T04:00:00Z")).len(), 1);
    }

    #[test]
    fn what_is_not_known_is_not_passed() {
        assert_eq!(findings(&Artifacts::default())[0].verdict, Verdict::Unknown);
    }
}

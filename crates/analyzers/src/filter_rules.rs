//! Goes through a dump of packet filter rules line by line, however long it is, and keeps what judgements need.

use std::io::{self, BufRead, Read};

use periscope_core::{AnalyzeError, ArtifactPath, Evidence, Inputs, Place, State};
use periscope_documents::names;

/// Longest line that is looked at; a rule has some 150 bytes.
const MAX_LINE_BYTES: u64 = 16 * 1024;

/// Most rules that refuse packets and are kept.
const MAX_REFUSALS: usize = 64;

/// Chains that kubelet and kube-proxy make as marks, and never use.
const MARKS: [&str; 3] = ["KUBE-KUBELET-CANARY", "KUBE-PROXY-CANARY", "KUBE-IPTABLES-HINT"];

/// What a dump holds.
#[derive(Default)]
pub(crate) struct FilterRules {
    /// How many rules there are.
    pub(crate) count: u64,
    /// The first rule of a chain of Kubernetes that is more than a mark.
    pub(crate) kubernetes: Option<Evidence>,
    /// The first rule in which kube-proxy deals with services.
    pub(crate) services: Option<Evidence>,
    /// Rules of the kernel's own filter chains that refuse packets, without those that are known to belong there.
    pub(crate) refusals: Vec<Refusal>,
}

/// A rule that refuses packets.
pub(crate) struct Refusal {
    pub(crate) chain: String,
    /// Packets that it refused, where the dump says so.
    pub(crate) packets: Option<u64>,
    /// Whether it looks at nothing but where packets come from or go to by interface.
    pub(crate) everything: bool,
    pub(crate) evidence: Evidence,
}

/// A dump, as far as it can be judged.
pub(crate) enum Dump {
    /// What it holds; and why there may be more.
    Read(FilterRules, Option<String>),
    /// The node has no such thing.
    NoSuchThing,
    /// It is not there, for this reason.
    Missing(String),
}

/// Reads a dump of the action `iptables`.
pub(crate) fn read(inputs: &dyn Inputs, name: &str) -> Result<Dump, AnalyzeError> {
    let path = Place::Node.path(inputs.node(), names::IPTABLES, name);
    let state = match inputs.state(&path) {
        None => return Ok(Dump::Missing(format!("{path} was not gathered"))),
        Some(State::NotPresent | State::NotApplicable) => return Ok(Dump::NoSuchThing),
        Some(state) => state,
    };
    let failed = |source| AnalyzeError::Read {
        path: path.clone(),
        source,
    };
    let Some(content) = inputs.open(&path).map_err(failed)? else {
        return Ok(Dump::Missing(format!("{path} is {state}")));
    };
    let rules = scan(content, &path).map_err(failed)?;
    let incomplete = (state != State::Collected).then(|| format!("{path} is {state}"));
    Ok(Dump::Read(rules, incomplete))
}

fn scan(mut content: Box<dyn BufRead + '_>, path: &ArtifactPath) -> io::Result<FilterRules> {
    let mut rules = FilterRules::default();
    let mut table = String::new();
    let mut bytes = Vec::new();
    let mut number = 0;
    loop {
        bytes.clear();
        if content.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(rules);
        }
        number += 1;
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_end();
        let evidence = || Evidence {
            file: path.to_string(),
            line: Some(number),
            quote: line.to_owned(),
        };
        if let Some(name) = line.strip_prefix('*') {
            name.clone_into(&mut table);
            continue;
        }
        // nftables writes no `-A`: there the heading of a chain says that it has rules.
        if let Some(chain) = line
            .trim_start()
            .strip_prefix("chain ")
            .and_then(|rest| rest.strip_suffix(" {"))
        {
            note(&mut rules, chain, &evidence);
            continue;
        }
        let (counters, rule) = counters(line);
        let Some(rule) = rule.strip_prefix("-A ") else {
            continue;
        };
        rules.count += 1;
        let chain = rule.split(' ').next().unwrap_or_default();
        note(&mut rules, chain, &evidence);
        if table == "filter" && rules.refusals.len() < MAX_REFUSALS && is_unexpected_refusal(chain, rule) {
            rules.refusals.push(Refusal {
                chain: chain.to_owned(),
                packets: counters,
                everything: is_for_everything(rule),
                evidence: evidence(),
            });
        }
    }
}

fn note(rules: &mut FilterRules, chain: &str, evidence: &impl Fn() -> Evidence) {
    if rules.kubernetes.is_none() && chain.starts_with("KUBE-") && !MARKS.contains(&chain) {
        rules.kubernetes = Some(evidence());
    }
    if rules.services.is_none() && chain == "KUBE-SERVICES" {
        rules.services = Some(evidence());
    }
}

/// The packets of `[packets:bytes]` before a rule, and the rule.
fn counters(line: &str) -> (Option<u64>, &str) {
    let Some((counters, rule)) = line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) else {
        return (None, line);
    };
    let packets = counters.split(':').next().and_then(|packets| packets.parse().ok());
    (packets, rule)
}

/// Words of rules that refuse packets on healthy nodes: of network plugins and kube-proxy by their comments, packets of
/// no known connection, and access of pods to the machine's own metadata (`AgentBaker`, `ensureNoDupOnPromiscuBridge`
/// and the restriction of IMDS).
const EXPECTED: [&str; 9] = [
    "kubernetes",
    "cali:",
    "cilium",
    "azure-npm",
    "docker",
    "INVALID",
    "168.63.129.16",
    "169.254.169.254",
    "127.0.0.0/8",
];

fn is_unexpected_refusal(chain: &str, rule: &str) -> bool {
    let refuses = rule.contains(" -j REJECT") || rule.ends_with(" -j DROP") || rule.contains(" -j DROP ");
    refuses && matches!(chain, "INPUT" | "FORWARD" | "OUTPUT") && !EXPECTED.iter().any(|words| rule.contains(words))
}

/// Whether a rule asks for nothing but interfaces.
fn is_for_everything(rule: &str) -> bool {
    let mut words = rule.split(' ').skip(1);
    while let Some(word) = words.next() {
        match word {
            "-j" => return true,
            "-m" if words.next() == Some("comment") => {}
            // A comment of several words is taken for conditions: then less is said of the rule.
            "-i" | "-o" | "!" | "--comment" => drop(words.next()),
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{is_for_everything, is_unexpected_refusal};

    #[rstest]
    #[case::port(
        "INPUT -p tcp -m tcp --dport 10250 -j REJECT --reject-with icmp-port-unreachable",
        true,
        false
    )]
    #[case::all("OUTPUT -j REJECT --reject-with icmp-port-unreachable", true, true)]
    #[case::all_in("INPUT -i eth0 -j DROP", true, true)]
    #[case::wire_server("FORWARD -d 168.63.129.16/32 -p tcp -m tcp --dport 80 -j DROP", false, false)]
    #[case::invalid("INPUT -m conntrack --ctstate INVALID -j DROP", false, false)]
    #[case::own_chain("KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP", false, false)]
    #[case::no_endpoints(
        "KUBE-SERVICES -d 10.0.0.1/32 -p tcp -m comment --comment \"a/b has no endpoints\" -j REJECT",
        false,
        false
    )]
    #[case::calico("FORWARD -m comment --comment \"cali:S93hcgKJrXEqnTfs\" -j DROP", false, true)]
    #[case::accept("INPUT -j ACCEPT", false, true)]
    #[case::jump("INPUT -j DROPPER", false, true)]
    fn rules(#[case] rule: &str, #[case] unexpected: bool, #[case] everything: bool) {
        let chain = rule.split(' ').next().unwrap();
        assert_eq!(is_unexpected_refusal(chain, rule), unexpected);
        assert_eq!(is_for_everything(rule), everything);
    }
}

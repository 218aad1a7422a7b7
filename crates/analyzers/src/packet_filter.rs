//! Whether the packet filter does what the cluster means: one backend, no rule that refuses what it should not, not so
//! many rules that changing them takes long.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::names;

use crate::artifact::{self, Artifact};
use crate::document::unknown;
use crate::filter_rules::{self, Dump, FilterRules, Refusal};

/// More rules than this take kube-proxy seconds for each change (the figures of SIG Network's `nftables` proposal,
/// KEP-3866).
const MANY_RULES: u64 = 20_000;
/// Most rules that refuse packets and are told one by one.
const MAX_REFUSALS: usize = 3;

const IPV4: &str = names::IPTABLES_SAVE;
const IPV6: &str = "ip6tables-save.txt";

static MIXED_BACKENDS: Fault = Fault {
    id: "iptables-mixed-backends",
    summary: "Kubernetes has rules in both backends of iptables",
    severity: Severity::High,
    caused_by: &[],
    remedy: "Make kubelet, kube-proxy and the network plugin use one backend (`update-alternatives --config iptables`), and \
             reboot the node to be rid of the other one's rules.",
};

static REJECT_RULE: Fault = Fault {
    id: "iptables-reject-rule",
    summary: "A rule that is not Kubernetes' own refuses packets of the node",
    severity: Severity::High,
    caused_by: &[],
    remedy: "Find out who inserts the rule (firewalld, ufw, a security agent), and remove it with `iptables -D`.",
};

static HUGE: Fault = Fault {
    id: "iptables-huge",
    summary: "There are so many rules that changing them takes long",
    severity: Severity::Medium,
    caused_by: &[],
    remedy: "Switch kube-proxy to nftables or IPVS, or the cluster to Cilium, or remove services that nobody uses.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "packet-filter",
    summary: "Whether iptables uses one backend, refuses nothing unexpected, and has not too many rules",
    faults: &[&MIXED_BACKENDS, &REJECT_RULE, &HUGE],
};

/// Judges the packet filter.
pub(crate) struct PacketFilter;

impl Analyzer for PacketFilter {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let (rules, incomplete) = match filter_rules::read(inputs, IPV4)? {
            Dump::Read(rules, incomplete) => (rules, incomplete),
            Dump::NoSuchThing => return Ok(vec![DESCRIPTOR.pass("The node has no iptables.")]),
            Dump::Missing(why) => return Ok(vec![unknown(&DESCRIPTOR, names::IPTABLES, &why)]),
        };
        let mut findings: Vec<Finding> = incomplete
            .iter()
            .map(|why| unknown(&DESCRIPTOR, names::IPTABLES, why))
            .collect();
        findings.extend(mixed(inputs, &rules)?);
        findings.extend(refusals("IPv4", &rules.refusals));
        findings.extend(huge("IPv4", IPV4, &rules, inputs));
        if let Dump::Read(rules, _) = filter_rules::read(inputs, IPV6)? {
            findings.extend(refusals("IPv6", &rules.refusals));
            findings.extend(huge("IPv6", IPV6, &rules, inputs));
        }
        if findings.is_empty() {
            let title = format!(
                "The packet filter has {} rules, and none that is unexpected.",
                rules.count
            );
            findings.push(DESCRIPTOR.pass(title));
        }
        Ok(findings)
    }
}

/// The other backend than that which `iptables-save` shows.
fn mixed(inputs: &dyn Inputs, shown: &FilterRules) -> Result<Option<Finding>, AnalyzeError> {
    let Artifact::Whole(version) = artifact::read(inputs, names::IPTABLES, names::IPTABLES_VERSION)? else {
        return Ok(None);
    };
    let (backend, other_backend, other) = if version.text.contains("nf_tables") {
        ("nf_tables", "legacy", names::IPTABLES_LEGACY_SAVE)
    } else {
        ("legacy", "nf_tables", names::NFT_RULESET)
    };
    let Dump::Read(other, _) = filter_rules::read(inputs, other)? else {
        return Ok(None);
    };
    let title = |what: &str| {
        format!(
            "{what} both backends of iptables: {backend}, which the node's tools show, and {other_backend}, which they do not."
        )
    };
    let object = "the packet filter";
    let found = match (&shown.services, &other.services, &shown.kubernetes, &other.kubernetes) {
        (Some(here), Some(there), ..) => MIXED_BACKENDS
            .fail(object, title("Services are dealt with in"))
            .evidences([here.clone(), there.clone()]),
        (_, _, Some(here), Some(there)) => MIXED_BACKENDS
            .warn(object, title("Kubernetes has rules in"))
            .evidences([here.clone(), there.clone()]),
        _ => return Ok(None),
    };
    Ok(Some(found.evidence(version.evidence(1))))
}

fn refusals(family: &str, refusals: &[Refusal]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = refusals
        .iter()
        .take(MAX_REFUSALS)
        .map(|refusal| {
            let so_far = match refusal.packets {
                Some(0) | None => "none so far".to_owned(),
                Some(packets) => format!("{packets} so far"),
            };
            let object = format!("chain {} ({family})", refusal.chain);
            let found = if refusal.everything {
                let title = format!(
                    "A rule of the chain {} refuses all packets of {family}, {so_far}.",
                    refusal.chain
                );
                REJECT_RULE.fail(object, title)
            } else {
                let title = format!(
                    "A rule of the chain {} that is not Kubernetes' own refuses packets of {family}, {so_far}.",
                    refusal.chain
                );
                REJECT_RULE.warn(object, title)
            };
            found.evidence(refusal.evidence.clone())
        })
        .collect();
    if let Some(next) = refusals.get(MAX_REFUSALS) {
        let title = format!(
            "{} more rules refuse packets of {family}.",
            refusals.len() - MAX_REFUSALS
        );
        let found = REJECT_RULE.warn(format!("the packet filter ({family})"), title);
        findings.push(found.evidence(next.evidence.clone()));
    }
    findings
}

fn huge(family: &str, name: &str, rules: &FilterRules, inputs: &dyn Inputs) -> Option<Finding> {
    (rules.count > MANY_RULES).then(|| {
        let title = format!(
            "The packet filter has {} rules for {family}: every change takes long.",
            rules.count
        );
        let file = periscope_core::Place::Node.path(inputs.node(), names::IPTABLES, name);
        HUGE.warn(format!("the packet filter ({family})"), title)
            .evidence(periscope_core::Evidence {
                file: file.to_string(),
                line: None,
                quote: format!("{} rules", rules.count),
            })
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use periscope_core::{Analyzer, Finding, State, Verdict};
    use periscope_documents::names;

    use super::PacketFilter;
    use crate::fixture::Artifacts;

    const HEALTHY: &str = "\
# Generated by iptables-save v1.8.7 on Fri Nov 20 10:00:00 2026
*filter
:INPUT ACCEPT [0:0]
:KUBE-FIREWALL - [0:0]
[100:6000] -A INPUT -j KUBE-FIREWALL
[5:300] -A FORWARD -d 168.63.129.16/32 -p tcp -m tcp --dport 80 -j DROP
[0:0] -A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -j DROP
[0:0] -A KUBE-SERVICES -d 10.0.0.9/32 -m comment --comment \"a/b has no endpoints\" -j REJECT --reject-with icmp-port-unreachable
COMMIT
*nat
[9:9] -A KUBE-SERVICES -d 10.0.0.1/32 -j KUBE-SVC-X
COMMIT
";

    fn node(rules: &str) -> Artifacts {
        Artifacts::default()
            .with(names::IPTABLES, names::IPTABLES_SAVE, rules)
            .with(
                names::IPTABLES,
                names::IPTABLES_VERSION,
                "iptables v1.8.7 (nf_tables)\n",
            )
            .without(names::IPTABLES, names::IPTABLES_LEGACY_SAVE, State::NotApplicable)
            .with(
                names::IPTABLES,
                names::NFT_RULESET,
                "table ip nat {\n\tchain KUBE-SERVICES {\n\t}\n}\n",
            )
    }

    fn findings(artifacts: &Artifacts) -> Vec<Finding> {
        PacketFilter.analyze(artifacts).unwrap()
    }

    #[test]
    fn a_healthy_node_passes() {
        let found = findings(&node(HEALTHY));
        assert_eq!(
            found.iter().map(|f| f.verdict).collect::<Vec<_>>(),
            [Verdict::Pass],
            "{found:?}"
        );
        let legacy = node(HEALTHY)
            .with(names::IPTABLES, names::IPTABLES_VERSION, "iptables v1.6.1\n")
            .with(names::IPTABLES, names::NFT_RULESET, "");
        assert_eq!(findings(&legacy)[0].verdict, Verdict::Pass);
    }

    #[test]
    fn rules_of_both_backends_are_found_whichever_is_shown() {
        let other =
            "*nat\n[0:0] -A PREROUTING -j KUBE-SERVICES\n[1:1] -A KUBE-SERVICES -d 10.0.0.1/32 -j KUBE-SVC-X\nCOMMIT\n";
        let shown = node(HEALTHY).with(names::IPTABLES, names::IPTABLES_LEGACY_SAVE, other);
        let found = &findings(&shown)[0];
        assert_eq!(
            (found.verdict, found.fault.as_str()),
            (Verdict::Fail, "iptables-mixed-backends")
        );
        let lines: Vec<_> = found.evidence.iter().filter_map(|e| e.line).collect();
        assert_eq!(lines, [8, 3, 1]);
        let old = node(HEALTHY).with(names::IPTABLES, names::IPTABLES_VERSION, "iptables v1.8.7 (legacy)\n");
        assert_eq!(findings(&old)[0].fault, "iptables-mixed-backends");
        let marks = "*mangle\n[0:0] -A KUBE-IPTABLES-HINT -j RETURN\nCOMMIT\n";
        let marked = node(HEALTHY).with(names::IPTABLES, names::IPTABLES_LEGACY_SAVE, marks);
        assert_eq!(findings(&marked)[0].verdict, Verdict::Pass);
    }

    #[test]
    fn a_rule_that_refuses_is_found_at_its_line() {
        let rules = HEALTHY.replacen(
            "COMMIT",
            "[7:420] -A OUTPUT -d 10.0.0.1/32 -j REJECT --reject-with icmp-port-unreachable\n[0:0] -A INPUT -j DROP\nCOMMIT",
            1,
        );
        let found = findings(&node(&rules));
        let seen: Vec<_> = found.iter().map(|f| (f.verdict, f.evidence[0].line)).collect();
        assert_eq!(seen, [(Verdict::Warn, Some(9)), (Verdict::Fail, Some(10))]);
        assert!(
            found[0].title.contains("OUTPUT") && found[0].title.contains("7 so far"),
            "{}",
            found[0].title
        );
    }

    #[test]
    fn very_many_rules_are_found() {
        let mut rules = "*filter\n".to_owned();
        for n in 0..20_001 {
            writeln!(rules, "[0:0] -A KUBE-SERVICES -m comment --comment {n} -j X").unwrap();
        }
        let found = findings(&node(&rules));
        assert_eq!(
            (found[0].verdict, found[0].fault.as_str()),
            (Verdict::Warn, "iptables-huge")
        );
    }

    #[test]
    fn what_is_not_known_is_not_passed() {
        let denied = Artifacts::default().without(names::IPTABLES, names::IPTABLES_SAVE, State::Denied);
        for artifacts in [Artifacts::default(), denied] {
            assert!(findings(&artifacts).iter().all(|f| f.verdict == Verdict::Unknown));
        }
        let cut = Artifacts::default().ended(names::IPTABLES, names::IPTABLES_SAVE, State::TimedOut, "*filter\n");
        assert_eq!(findings(&cut)[0].verdict, Verdict::Unknown);
    }
}

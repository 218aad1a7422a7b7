//! Whether name servers answer, and how fast, from the look-ups that were tried; which servers should be asked is
//! judged elsewhere.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Evidence, Fault, Finding, Inputs, Severity};
use periscope_documents::{KubeletSettings, Lookup, Outcome, Protocol, RecordType, ResolvConf, names};

use crate::artifact::{self, Artifact, Text};
use crate::document::{self, Document, unknown};
use crate::kubelet;

/// An answer that takes longer is slow: programs ask several times for one name, and wait five seconds in all.
const SLOW_MILLIS: u64 = 500;
/// Times that differ by no more than one part in so many are the same.
const SAME_PARTS: u64 = 10;
/// From here on search lists make many questions of one name (`ndots:5` is what the kubelet gives pods).
const MANY_DOTS: u32 = 5;
/// What a look-up of an external name may cost before it is trouble: half of what programs wait. Answers are late on a
/// node with much to do, and its name servers are well.
const AMPLIFIED_MILLIS: u64 = 2500;
/// Search domains of the cluster itself: of the namespace, of services, of the cluster.
const CLUSTER_DOMAINS: usize = 3;
/// Most look-ups that are shown.
const MAX_SHOWN: usize = 4;

static SERVER_FAILING: Fault = Fault {
    id: "dns-server-failing",
    summary: "A name server does not answer, or answers that it cannot",
    severity: Severity::High,
    caused_by: &[
        "default-route-missing",
        "ip-rule-missing",
        "iptables-reject-rule",
        "conntrack-full",
        "container-crash-loop",
    ],
    remedy: "Ask it by hand (`dig @<server> mcr.microsoft.com`), check firewalls for port 53 over UDP and TCP, and for the \
             cluster's server the CoreDNS pods and what they forward to.",
};

static SLOW: Fault = Fault {
    id: "dns-slow",
    summary: "A name server takes long to answer",
    severity: Severity::Medium,
    caused_by: &["cpu-pressure", "cpu-throttling", "packet-drops"],
    remedy: "Look at the load of the name server; for CoreDNS at its CPU limit, its cache and the servers that it forwards to.",
};

static AMPLIFICATION: Fault = Fault {
    id: "dns-ndots-amplification",
    summary: "Each look-up of an external name from a pod asks many names first, and waits for each",
    severity: Severity::Low,
    caused_by: &["dns-slow"],
    remedy: "Write external names with a dot at their end, or set `ndots: 2` in the `dnsConfig` of pods that ask for many.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "dns-lookups",
    summary: "Whether name servers answer what they must know, and in time",
    faults: &[&SERVER_FAILING, &SLOW, &AMPLIFICATION],
};

/// Judges look-ups.
pub(crate) struct DnsLookups;

impl Analyzer for DnsLookups {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let (text, lookups) = match document::read::<Lookup>(inputs, names::DNS, names::LOOKUPS)? {
            Document::Whole(text, lookups) => (text, lookups),
            Document::NoSuchThing => return Ok(vec![DESCRIPTOR.unknown("No name server was asked.")]),
            Document::Incomplete(why) => return Ok(vec![unknown(&DESCRIPTOR, names::DNS, &why)]),
        };
        let servers = by_server(&lookups);
        if servers.is_empty() {
            return Ok(vec![DESCRIPTOR.unknown("No name server could be asked from here.")]);
        }
        let settings = kubelet::settings(inputs)?
            .map(|(_, settings)| settings)
            .unwrap_or_default();
        let own_delay = own_delay(&servers);
        let mut findings = Vec::new();
        if let Some(millis) = own_delay {
            let why = format!(
                "Every name server seems to take the same {millis} ms: the node was too busy to tell how fast they are."
            );
            findings.push(DESCRIPTOR.unknown(why));
        }
        for server in &servers {
            let slow = || slow(&text, server).filter(|_| own_delay.is_none());
            let found = failing(&text, server, &settings).or_else(slow);
            findings.push(found.unwrap_or_else(|| {
                let says = format!("The name server {} answers within {} ms.", server.name, server.median());
                let first = server.lookups.first().map(|(line, _)| text.evidence(*line));
                DESCRIPTOR.pass(says).evidences(first)
            }));
        }
        if own_delay.is_none() {
            findings.extend(amplification(inputs, &servers, &settings)?);
        }
        Ok(findings)
    }
}

/// What one name server was asked.
struct Server<'a> {
    name: &'a str,
    lookups: Vec<&'a (u64, Lookup)>,
}

fn by_server(lookups: &[(u64, Lookup)]) -> Vec<Server<'_>> {
    let mut servers: Vec<Server> = Vec::new();
    for lookup in lookups.iter().filter(|(_, lookup)| lookup.outcome != Outcome::NotAsked) {
        let name = lookup.1.server.as_str();
        match servers.iter_mut().find(|server| server.name == name) {
            Some(server) => server.lookups.push(lookup),
            None => servers.push(Server {
                name,
                lookups: vec![lookup],
            }),
        }
    }
    servers
}

fn is_answer(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::NoError | Outcome::NxDomain)
}

impl Server<'_> {
    /// The middle one of the times of its answers, in milliseconds.
    fn median(&self) -> u64 {
        let mut millis: Vec<u64> = self
            .lookups
            .iter()
            .filter(|(_, it)| is_answer(it.outcome))
            .map(|(_, it)| it.millis)
            .collect();
        millis.sort_unstable();
        millis.get(millis.len() / 2).copied().unwrap_or(0)
    }

    /// Whether it is the cluster's, by what names it.
    fn is_cluster(&self, settings: &KubeletSettings) -> bool {
        let address = self.name.rsplit_once(':').map_or(self.name, |(address, _)| address);
        let address = address.trim_matches(['[', ']']);
        settings.cluster_dns.iter().any(|server| server == address)
    }

    /// Whether a name of the cluster is asked for: other servers than the cluster's need not know it.
    fn owes(&self, lookup: &Lookup, settings: &KubeletSettings) -> bool {
        !lookup.name.starts_with("kubernetes.default.svc.") || self.is_cluster(settings)
    }
}

/// The delay of the node itself, where it is large: all questions are asked at once, and servers that are independent
/// of each other do not take the same long time.
fn own_delay(servers: &[Server]) -> Option<u64> {
    let answering = servers.iter().map(Server::median).filter(|median| *median > 0);
    let (least, most) = (answering.clone().min()?, answering.clone().max()?);
    let is_same = answering.count() > 1 && (most - least).saturating_mul(SAME_PARTS) <= least;
    (is_same && most >= SLOW_MILLIS).then_some(most)
}

/// Look-ups that came to nothing over every protocol that was tried, or whose answer cannot be right.
fn failing(text: &Text, server: &Server, settings: &KubeletSettings) -> Option<Finding> {
    let question = |lookup: &Lookup| (lookup.name.clone(), lookup.record_type);
    let owed: Vec<_> = server
        .lookups
        .iter()
        .filter(|(_, lookup)| server.owes(lookup, settings))
        .collect();
    let answered = |wanted: &Lookup| {
        owed.iter()
            .any(|(_, it)| is_answer(it.outcome) && question(it) == question(wanted))
    };
    // Questions, not tries: what UDP lost and TCP brought was answered.
    let lost: Vec<_> = owed
        .iter()
        .filter(|(_, it)| it.protocol == Protocol::Udp && !answered(it))
        .collect();
    let asked = owed.iter().filter(|(_, it)| it.protocol == Protocol::Udp).count();
    let object = format!("name server {}", server.name);
    let named_by = server
        .lookups
        .first()
        .map(|(_, it)| it.named_by.join(", "))
        .unwrap_or_default();
    if let Some((_, first)) = lost.first() {
        let evidence: Vec<Evidence> = lost
            .iter()
            .take(MAX_SHOWN)
            .map(|(line, _)| text.evidence(*line))
            .collect();
        let what = match first.outcome {
            Outcome::Timeout => "does not answer".to_owned(),
            Outcome::ConnectionRefused => "refuses connections".to_owned(),
            outcome => format!("answers {outcome}"),
        };
        let title = format!(
            "The name server {} (of {named_by}) {what}: {} of {asked} questions failed, such as {} ({}).",
            server.name,
            lost.len(),
            first.name,
            first.record_type,
        );
        let is_serious = lost.len() == asked || lost.iter().any(|(_, it)| it.record_type == RecordType::A);
        let found = if is_serious {
            SERVER_FAILING.fail(object, title)
        } else {
            SERVER_FAILING.warn(object, title)
        };
        return Some(found.evidences(evidence));
    }
    // Names that exist are asked for: that of the API, of the API server and of a registry.
    let denied: Vec<_> = owed.iter().filter(|(_, it)| it.outcome == Outcome::NxDomain).collect();
    let (line, first) = denied.first()?;
    let title = format!(
        "The name server {} (of {named_by}) says that {} does not exist, which the node needs.",
        server.name, first.name
    );
    Some(SERVER_FAILING.fail(object, title).evidence(text.evidence(*line)))
}

fn slow(text: &Text, server: &Server) -> Option<Finding> {
    let median = server.median();
    if median < SLOW_MILLIS {
        return None;
    }
    let mut late: Vec<_> = server
        .lookups
        .iter()
        .filter(|(_, it)| it.millis >= SLOW_MILLIS)
        .collect();
    late.sort_by_key(|(_, it)| std::cmp::Reverse(it.millis));
    let title = format!(
        "The name server {} is slow: half of its answers take {median} ms and more.",
        server.name
    );
    let evidence = late.into_iter().take(MAX_SHOWN).map(|(line, _)| text.evidence(*line));
    Some(
        SLOW.warn(format!("name server {}", server.name), title)
            .evidences(evidence),
    )
}

/// What search lists make of one external name, where the cluster's server is so slow that it counts.
fn amplification(
    inputs: &dyn Inputs,
    servers: &[Server],
    settings: &KubeletSettings,
) -> Result<Option<Finding>, AnalyzeError> {
    let Some(server) = servers.iter().find(|server| server.is_cluster(settings)) else {
        return Ok(None);
    };
    // Of pods in general only the node's own search domains are known, which the kubelet appends to the cluster's.
    let (file, line, domains) = match artifact::read(inputs, names::DNS, names::POD_RESOLV_CONF)? {
        Artifact::Whole(text) => {
            let conf = ResolvConf::parse(text.text.as_bytes());
            let dots = conf
                .options
                .iter()
                .find_map(|it| it.strip_prefix("ndots:")?.parse().ok());
            if dots.is_none_or(|dots: u32| dots < MANY_DOTS) {
                return Ok(None);
            }
            let domains = conf.search.len();
            (text, "options", domains)
        }
        Artifact::NoSuchThing | Artifact::Incomplete(_) => {
            let Artifact::Whole(text) = artifact::read(inputs, names::DNS, names::HOST_RESOLV_CONF)? else {
                return Ok(None);
            };
            let conf = ResolvConf::parse(text.text.as_bytes());
            let domains = CLUSTER_DOMAINS + conf.search.len();
            (text, "search", domains)
        }
    };
    let cost = (domains as u64 + 1).saturating_mul(server.median());
    if cost < AMPLIFIED_MILLIS {
        return Ok(None);
    }
    let number = (1..).zip(file.text.lines()).find(|(_, text)| text.starts_with(line));
    let evidence = match number {
        Some((number, _)) => file.evidence(number),
        None => file.as_evidence("no search domain of its own"),
    };
    let title = format!(
        "Each look-up of an external name from a pod asks {domains} other names first, which costs some {cost} ms."
    );
    Ok(Some(AMPLIFICATION.warn("the pods' DNS", title).evidence(evidence)))
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, State, Verdict};
    use periscope_documents::{Lookup, Network, Outcome, Protocol, RecordType, names, to_lines};
    use rstest::rstest;

    use super::DnsLookups;
    use crate::fixture::Artifacts;

    const UPSTREAM: &str = "168.63.129.16:53";
    const CLUSTER: &str = "10.0.0.10:53";
    const API: &str = "kubernetes.default.svc.cluster.local.";
    const REGISTRY: &str = "mcr.microsoft.com.";

    fn lookup(server: &str, name: &str, outcome: Outcome, millis: u64) -> Lookup {
        Lookup {
            server: server.to_owned(),
            named_by: vec!["host-resolv.conf".to_owned()],
            from: Network::Node,
            name: name.to_owned(),
            record_type: RecordType::A,
            protocol: Protocol::Udp,
            millis,
            outcome,
            error: None,
            answers: Vec::new(),
            truncated: false,
        }
    }

    fn healthy() -> Vec<Lookup> {
        vec![
            lookup(UPSTREAM, API, Outcome::NxDomain, 2),
            lookup(UPSTREAM, REGISTRY, Outcome::NoError, 3),
            lookup(CLUSTER, API, Outcome::NoError, 1),
            lookup(CLUSTER, REGISTRY, Outcome::NoError, 9),
            lookup("127.0.0.53:53", REGISTRY, Outcome::NotAsked, 0),
        ]
    }

    fn findings(lookups: &[Lookup]) -> Vec<Finding> {
        let artifacts = Artifacts::default()
            .with(names::DNS, names::LOOKUPS, to_lines(lookups).unwrap())
            .with(
                names::DNS,
                names::HOST_RESOLV_CONF,
                "nameserver 168.63.129.16\nsearch x.cloudapp.net\n",
            )
            .with(
                names::KUBELET,
                names::KUBELET_SETTINGS,
                r#"{"clusterDNS":["10.0.0.10"]}"#,
            );
        DnsLookups.analyze(&artifacts).unwrap()
    }

    #[test]
    fn a_healthy_node_passes() {
        let found = findings(&healthy());
        assert_eq!(
            found.iter().map(|f| f.verdict).collect::<Vec<_>>(),
            [Verdict::Pass; 2],
            "{found:?}"
        );
        let mut lookups = healthy();
        // Of another cluster's names an upstream server may say anything.
        lookups[0].outcome = Outcome::Refused;
        assert!(findings(&lookups).iter().all(|f| f.verdict == Verdict::Pass));
    }

    #[rstest]
    #[case::silent(
        1,
        Outcome::Timeout,
        "168.63.129.16:53 (of host-resolv.conf) does not answer: 1 of 1 questions",
        3
    )]
    #[case::servfail(
        3,
        Outcome::ServFail,
        "10.0.0.10:53 (of host-resolv.conf) answers SERVFAIL: 1 of 2",
        5
    )]
    #[case::closed(
        2,
        Outcome::ConnectionRefused,
        "10.0.0.10:53 (of host-resolv.conf) refuses connections",
        4
    )]
    #[case::no_such_name(
        2,
        Outcome::NxDomain,
        "says that kubernetes.default.svc.cluster.local. does not exist",
        4
    )]
    fn a_server_that_fails_is_found(
        #[case] at: usize,
        #[case] outcome: Outcome,
        #[case] words: &str,
        #[case] line: u64,
    ) {
        let mut lookups = healthy();
        lookups[at].outcome = outcome;
        let found: Vec<_> = findings(&lookups).into_iter().filter(Finding::is_trouble).collect();
        assert_eq!((found.len(), found[0].verdict), (1, Verdict::Fail));
        assert!(found[0].title.contains(words), "{}", found[0].title);
        assert_eq!(found[0].evidence[0].line, Some(line));
    }

    #[test]
    fn what_tcp_brought_was_answered() {
        let mut lookups = healthy();
        lookups[1].outcome = Outcome::Timeout;
        lookups.push(Lookup {
            protocol: Protocol::Tcp,
            ..lookup(UPSTREAM, REGISTRY, Outcome::NoError, 3)
        });
        assert!(findings(&lookups).iter().all(|f| f.verdict == Verdict::Pass));
    }

    #[test]
    fn a_slow_server_is_found_with_what_it_costs_pods() {
        let mut lookups = healthy();
        lookups[2].millis = 700;
        lookups[3].millis = 900;
        let found: Vec<_> = findings(&lookups).into_iter().filter(Finding::is_trouble).collect();
        assert_eq!(
            found.iter().map(|f| f.fault.as_str()).collect::<Vec<_>>(),
            ["dns-slow", "dns-ndots-amplification"]
        );
        assert_eq!(
            found[0].evidence.iter().filter_map(|e| e.line).collect::<Vec<_>>(),
            [5, 4]
        );
        assert!(
            found[1]
                .title
                .contains("asks 4 other names first, which costs some 4500 ms"),
            "{}",
            found[1].title
        );
        assert_eq!(found[1].evidence[0].line, Some(2));
    }

    #[test]
    fn a_busy_node_is_not_a_slow_server() {
        let mut lookups = healthy();
        for lookup in &mut lookups {
            lookup.millis = 1868;
        }
        let found = findings(&lookups);
        assert_eq!(found[0].verdict, Verdict::Unknown);
        assert!(!found.iter().any(Finding::is_trouble), "{found:?}");
    }

    #[test]
    fn what_is_not_known_is_not_passed() {
        let none = Artifacts::default().without(names::DNS, names::LOOKUPS, State::NotApplicable);
        for artifacts in [Artifacts::default(), none] {
            assert_eq!(DnsLookups.analyze(&artifacts).unwrap()[0].verdict, Verdict::Unknown);
        }
        assert_eq!(
            findings(&[lookup(UPSTREAM, API, Outcome::NotAsked, 0)])[0].verdict,
            Verdict::Unknown
        );
    }
}

//! Whether the node reaches what it needs outside, connection by connection, with the times at which it did not.

use jiff::{Timestamp, ToSpan};
use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::{Connection, Network, from_lines, names};

use crate::artifact::{self, Artifact, Text};
use crate::segments::{Samples, Segment, by_connection};

/// A certificate that ends sooner than this is reported: the least notice that leaves time to renew it by hand.
const EXPIRY_NOTICE_DAYS: i64 = 14;
/// Most down periods that are named in a finding; the document has them all.
const MAX_PERIODS: usize = 5;

/// Names whose certificates Microsoft's own authority or `DigiCert` issues (learn.microsoft.com, "Azure Certificate
/// Authority details"). Storage accounts are not among them: they may be reached by names and emulators of the user's.
const MICROSOFT_NAMES: [&str; 4] = ["microsoft.com", "azurecr.io", "azure.com", "microsoftonline.com"];
const MICROSOFT_ISSUERS: [&str; 2] = ["O=Microsoft Corporation", "O=DigiCert"];

static OUTBOUND_BLOCKED: Fault = Fault {
    id: "outbound-blocked",
    summary: "Something outside that the node needs cannot be reached",
    severity: Severity::High,
    caused_by: &[
        "default-route-missing",
        "ip-rule-missing",
        "dns-misconfigured",
        "dns-server-failing",
        "iptables-reject-rule",
        "conntrack-full",
        "mtu-mixed",
        "cpu-pressure",
    ],
    remedy: "Check routes, network security groups and the firewall on the way to it.",
};

static OUTBOUND_UNSTABLE: Fault = Fault {
    id: "outbound-unstable",
    summary: "Something outside that the node needs can be reached, but not always",
    severity: Severity::Medium,
    caused_by: &["conntrack-full", "dns-server-failing", "packet-drops"],
    remedy: "Compare the times with changes of routes, firewall and DNS, and with the node's load.",
};

static TLS_INTERCEPTED: Fault = Fault {
    id: "tls-intercepted",
    summary: "A certificate is not trusted, or not issued by whom it should be: something on the way may answer in the \
              target's place",
    severity: Severity::High,
    caused_by: &["clock-unsynchronised"],
    remedy: "If a proxy inspects TLS here, exempt the target or add the proxy's CA to the nodes; else renew the certificate.",
};

static REMOTE_CERTIFICATE_EXPIRING: Fault = Fault {
    id: "remote-certificate-expiring",
    summary: "The certificate of something outside that the node needs ends soon",
    severity: Severity::Medium,
    caused_by: &[],
    remedy: "Renew the certificate.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "outbound",
    summary: "Whether the node reaches the API server, its tunnel, the registries, the storage account and the Internet",
    faults: &[
        &OUTBOUND_BLOCKED,
        &OUTBOUND_UNSTABLE,
        &TLS_INTERCEPTED,
        &REMOTE_CERTIFICATE_EXPIRING,
    ],
};

/// Judges outbound connections.
pub(crate) struct Outbound;

impl Analyzer for Outbound {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let text = match artifact::read(inputs, names::NETWORK_OUTBOUND, names::CONNECTIONS)? {
            Artifact::Whole(text) => text,
            Artifact::Incomplete(why) => return Ok(vec![unknown(why)]),
            Artifact::NoSuchThing => return Ok(vec![unknown("No connection was tried.")]),
        };
        let samples: Vec<(u64, Connection)> = from_lines(&text.text).map_err(|error| text.not_understood(&error))?;
        if samples.is_empty() {
            return Ok(vec![unknown("No connection was tried.")]);
        }
        Ok(by_connection(samples)
            .iter()
            .flat_map(|samples| judge(&text, samples))
            .collect())
    }
}

fn unknown(why: impl Into<String>) -> Finding {
    DESCRIPTOR
        .unknown(why)
        .remedy("Collect again with the action `network-outbound`.")
}

fn judge(text: &Text, samples: &Samples) -> Vec<Finding> {
    let Some((line, last)) = samples.samples.last() else {
        return Vec::new();
    };
    let target = format!("{} ({}:{})", samples.kind, last.host, last.port);
    let from = match last.from {
        Network::Pod => " from this pod",
        Network::Node | Network::Unknown => "",
    };
    let segments = samples.segments();
    let down: Vec<&Segment> = segments.iter().filter(|s| s.status != Connection::CONNECTED).collect();

    let mut findings = Vec::new();
    if !last.is_connected() {
        let mut title = format!("{target} cannot be reached{from}: {}.", why(&last.status));
        if samples.samples.len() > 1 {
            title = format!("{title} Down: {}.", periods(&down));
        }
        let found = if last.optional {
            OUTBOUND_BLOCKED.warn(&target, title)
        } else {
            OUTBOUND_BLOCKED.fail(&target, title)
        };
        findings.push(found.evidence(text.evidence(*line)).remedy(remedy(last)));
    } else if down.is_empty() {
        let pass = DESCRIPTOR.pass(format!("{target} can be reached{from}."));
        findings.push(pass.evidence(text.evidence(*line)));
    } else {
        let title = format!(
            "{target} can be reached{from} now, but not always. Down: {}.",
            periods(&down)
        );
        let failed = samples.samples.iter().filter(|(_, s)| !s.is_connected());
        let lines = failed.take(MAX_PERIODS).map(|(line, _)| text.evidence(*line));
        findings.push(OUTBOUND_UNSTABLE.warn(&target, title).evidences(lines));
    }
    if let Some((fault, problem)) = certificate_problem(last) {
        let title = format!("{target}: {problem}.");
        // What is not trusted is not used: images are not pulled, the API server is not asked.
        let is_refused = last.tls.as_ref().is_some_and(|tls| tls.trusted == Some(false));
        let found = if is_refused && !last.optional {
            fault.fail(&target, title)
        } else {
            fault.warn(&target, title)
        };
        findings.push(found.evidence(text.evidence(*line)));
    }
    findings
}

/// The status without the word that says it is an error.
fn why(status: &str) -> &str {
    status.strip_prefix("Error: ").unwrap_or(status)
}

fn periods(down: &[&Segment]) -> String {
    let mut named: Vec<String> = down
        .iter()
        .take(MAX_PERIODS)
        .map(|s| format!("{} to {} ({})", second(s.start), second(s.end), why(&s.status)))
        .collect();
    if down.len() > MAX_PERIODS {
        named.push(format!("and {} more times", down.len() - MAX_PERIODS));
    }
    named.join("; ")
}

fn second(time: Timestamp) -> impl std::fmt::Display {
    time.strftime("%Y-%m-%dT%H:%M:%SZ")
}

/// What to do, by the first phase that failed.
fn remedy(sample: &Connection) -> &'static str {
    if sample.dns.as_ref().is_some_and(|dns| dns.error.is_some()) {
        "Look at the look-ups of `dns` for this name, and at the DNS servers of the virtual network."
    } else if sample.tcp.iter().all(|attempt| attempt.error.is_some()) {
        "Check routes, network security groups, the firewall and, for the API server, its authorized IP ranges."
    } else {
        "Something on the way answers in the target's place or cuts the connection: check proxies and TLS inspection."
    }
}

fn certificate_problem(sample: &Connection) -> Option<(&'static Fault, String)> {
    let tls = sample.tls.as_ref()?;
    let leaf = tls.chain.first();
    if tls.trusted == Some(false) {
        let why = tls.distrust.as_deref().unwrap_or("no reason given");
        let issuer = leaf.map_or_else(String::new, |leaf| format!(" (issued by {})", leaf.issuer));
        let problem = format!("its certificate is not trusted{issuer}: {why}");
        return Some((&TLS_INTERCEPTED, problem));
    }
    let foreign = leaf.filter(|leaf| {
        is_of_microsoft(&sample.host) && !MICROSOFT_ISSUERS.iter().any(|issuer| leaf.issuer.contains(issuer))
    });
    if let Some(leaf) = foreign {
        // A proxy whose authority the nodes trust is intended, and still breaks what pins certificates.
        let problem = format!(
            "its certificate is issued by {}, and not by Microsoft or DigiCert",
            leaf.issuer
        );
        return Some((&TLS_INTERCEPTED, problem));
    }
    let notice = sample.start.checked_add(ToSpan::hours(EXPIRY_NOTICE_DAYS * 24)).ok()?;
    let leaf = leaf.filter(|leaf| leaf.not_after < notice)?;
    let problem = format!("its certificate ends at {}", second(leaf.not_after));
    Some((&REMOTE_CERTIFICATE_EXPIRING, problem))
}

fn is_of_microsoft(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    MICROSOFT_NAMES.iter().any(|name| {
        let front = host.strip_suffix(name);
        front.is_some_and(|front| front.is_empty() || front.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, State, Verdict};
    use periscope_documents::{Certificate, ConnectAttempt, Connection, DnsPhase, Network, TlsPhase, names, to_lines};
    use rstest::rstest;

    use super::Outbound;
    use crate::fixture::Artifacts;
    use crate::segments::tests::sample;

    fn findings(samples: &[Connection]) -> Vec<(Verdict, String, Vec<u64>, String)> {
        let artifacts =
            Artifacts::default().with(names::NETWORK_OUTBOUND, names::CONNECTIONS, to_lines(samples).unwrap());
        let found = Outbound.analyze(&artifacts).unwrap();
        found
            .into_iter()
            .map(|f| {
                (
                    f.verdict,
                    f.title,
                    f.evidence.iter().filter_map(|e| e.line).collect(),
                    f.remedy,
                )
            })
            .collect()
    }

    fn tls(trusted: Option<bool>, not_after: &str) -> TlsPhase {
        TlsPhase {
            millis: 3,
            version: Some("TLSv1.3".to_owned()),
            trusted,
            distrust: (trusted == Some(false)).then(|| "unknown issuer".to_owned()),
            chain: vec![Certificate {
                subject: "CN=host.example".to_owned(),
                issuer: "CN=Proxy".to_owned(),
                names: Vec::new(),
                not_before: "2026-01-01T00:00:00Z".parse().unwrap(),
                not_after: not_after.parse().unwrap(),
            }],
            error: None,
        }
    }

    #[test]
    fn each_connection_has_its_verdict() {
        let optional = Connection {
            optional: true,
            ..sample("Internet", 0, "Error: tcp: timed out")
        };
        let found = findings(&[
            sample("AKS API Server", 0, "Connected"),
            sample("Microsoft Container Registry", 0, "Error: dns: NXDOMAIN"),
            optional,
        ]);
        let verdicts: Vec<_> = found.iter().map(|f| (f.0, f.2.clone())).collect();
        assert_eq!(
            verdicts,
            [
                (Verdict::Pass, vec![2]),
                (Verdict::Fail, vec![3]),
                (Verdict::Warn, vec![4])
            ]
        );
        assert_eq!(
            found[1].1,
            "Microsoft Container Registry (host.example:443) cannot be reached: dns: NXDOMAIN."
        );
    }

    #[test]
    fn what_was_tried_from_a_pod_is_not_said_of_the_node() {
        let sample = Connection {
            from: Network::Pod,
            ..sample("x", 0, "Error: tcp: timed out")
        };
        assert_eq!(
            findings(&[sample])[0].1,
            "x (host.example:443) cannot be reached from this pod: tcp: timed out."
        );
    }

    #[test]
    fn down_periods_have_start_end_and_error() {
        let found = findings(&[
            sample("x", 0, "Connected"),
            sample("x", 3, "Error: tcp: timed out"),
            sample("x", 6, "Error: tcp: timed out"),
            sample("x", 9, "Connected"),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].0, found[0].2.as_slice()), (Verdict::Warn, &[3, 4][..]));
        assert!(
            found[0]
                .1
                .ends_with("Down: 2026-11-20T10:00:03Z to 2026-11-20T10:00:06Z (tcp: timed out)."),
            "{}",
            found[0].1
        );
    }

    #[test]
    fn a_connection_that_is_down_at_the_end_fails_with_all_its_down_periods() {
        let found = findings(&[
            sample("x", 0, "Error: dns: timeout"),
            sample("x", 3, "Connected"),
            sample("x", 6, "Error: tcp: connection refused"),
        ]);
        assert_eq!(found[0].0, Verdict::Fail);
        assert!(
            found[0].1.contains("00Z (dns: timeout); 2026-11-20T10:00:06Z to"),
            "{}",
            found[0].1
        );
    }

    #[rstest]
    #[case::dns(Some("NXDOMAIN"), None, "look-ups")]
    #[case::tcp(None, Some("connection refused"), "firewall")]
    #[case::later(None, None, "TLS inspection")]
    fn the_remedy_follows_the_phase(#[case] dns: Option<&str>, #[case] tcp: Option<&str>, #[case] word: &str) {
        let mut failed = sample("x", 0, "Error: x");
        failed.dns = Some(DnsPhase {
            millis: 1,
            addresses: Vec::new(),
            error: dns.map(str::to_owned),
        });
        failed.tcp = vec![ConnectAttempt {
            address: "1.2.3.4:443".to_owned(),
            millis: 1,
            error: tcp.map(str::to_owned),
        }];
        assert!(findings(&[failed])[0].3.contains(word));
    }

    #[rstest]
    #[case::good(Some(true), "2027-11-20T00:00:00Z", None)]
    #[case::not_judged(None, "2027-11-20T00:00:00Z", None)]
    #[case::ends_soon(Some(true), "2026-11-30T00:00:00Z", Some("ends at 2026-11-30T00:00:00Z"))]
    #[case::untrusted(Some(false), "2027-11-20T00:00:00Z", Some("(issued by CN=Proxy): unknown issuer"))]
    fn certificates(#[case] trusted: Option<bool>, #[case] not_after: &str, #[case] warning: Option<&str>) {
        let found = findings(&[Connection {
            tls: Some(tls(trusted, not_after)),
            ..sample("x", 0, "Connected")
        }]);
        assert_eq!(found[0].0, Verdict::Pass);
        assert_eq!(found.len(), 1 + usize::from(warning.is_some()));
        if let Some(words) = warning {
            let expected = if trusted == Some(false) {
                Verdict::Fail
            } else {
                Verdict::Warn
            };
            assert_eq!(found[1].0, expected);
            assert!(found[1].1.contains(words), "{}", found[1].1);
        }
    }

    #[rstest]
    #[case::microsoft(
        "mcr.microsoft.com",
        "C=US, O=Microsoft Corporation, CN=Microsoft Azure RSA TLS Issuing CA 03",
        false
    )]
    #[case::digicert(
        "account.azurecr.io",
        "C=US, O=DigiCert Inc, CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1",
        false
    )]
    #[case::proxy("mcr.microsoft.com", "O=Contoso, CN=Inspection CA", true)]
    #[case::another_name("notmicrosoft.com", "O=Contoso, CN=Inspection CA", false)]
    fn a_trusted_certificate_of_a_stranger_is_an_interception(
        #[case] host: &str,
        #[case] issuer: &str,
        #[case] intercepted: bool,
    ) {
        let mut phase = tls(Some(true), "2027-11-20T00:00:00Z");
        issuer.clone_into(&mut phase.chain[0].issuer);
        let found = findings(&[Connection {
            host: host.to_owned(),
            tls: Some(phase),
            ..sample("x", 0, "Connected")
        }]);
        assert_eq!(found.len(), 1 + usize::from(intercepted));
        if intercepted {
            assert!(
                found[1].1.contains("issued by O=Contoso, CN=Inspection CA, and not by"),
                "{}",
                found[1].1
            );
        }
    }

    #[rstest]
    #[case::missing(Artifacts::default())]
    #[case::skipped(Artifacts::default().without(names::NETWORK_OUTBOUND, names::CONNECTIONS, State::NotApplicable))]
    #[case::cut(Artifacts::default().ended(names::NETWORK_OUTBOUND, names::CONNECTIONS, State::TimedOut, "[\n"))]
    #[case::nothing_tried(Artifacts::default().with(names::NETWORK_OUTBOUND, names::CONNECTIONS, "[\n]\n"))]
    fn without_a_whole_document_nothing_is_known(#[case] artifacts: Artifacts) {
        let found = Outbound.analyze(&artifacts).unwrap();
        assert_eq!(found.iter().map(|f| f.verdict).collect::<Vec<_>>(), [Verdict::Unknown]);
    }

    #[test]
    fn a_document_that_is_broken_is_an_error() {
        let broken = Artifacts::default().with(names::NETWORK_OUTBOUND, names::CONNECTIONS, "[\n{\n");
        let error = Outbound.analyze(&broken).unwrap_err().to_string();
        assert!(
            error.contains("nodes/node1/network-outbound/connections.json: line 2"),
            "{error}"
        );
    }
}

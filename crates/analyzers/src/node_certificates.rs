//! Whether the certificates that the kubelet and the cluster work with on the node hold, and are renewed in time. Those
//! that the kubelet renews itself are judged by its own habit, the others by the time that is left to renew them by
//! hand.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::{Certificate, NodeCertificate, names};

use crate::rows::{self, Lack, Rows};
use crate::span;

static CERTIFICATE_EXPIRED: Fault = Fault {
    id: "certificate-expired",
    summary: "A certificate of the kubelet or the cluster on the node has expired, or is not valid yet",
    severity: Severity::Critical,
    caused_by: &["clock-skew", "clock-unsynchronised", "api-server-unreachable"],
    remedy: "Renew it: on AKS with `az aks rotate-certs`, or by a reimage of the node (`az aks nodepool upgrade \
             --node-image-only`).",
};

static CERTIFICATE_EXPIRING: Fault = Fault {
    id: "certificate-expiring",
    summary: "A certificate of the kubelet or the cluster on the node ends soon and was not renewed",
    severity: Severity::Medium,
    caused_by: &["clock-skew", "api-server-unreachable"],
    remedy: "Renew it before that: on AKS with `az aks rotate-certs`; where the kubelet renews it itself, look in its \
             journal for why it does not.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "node-certificates",
    summary: "Whether certificates of the kubelet and the cluster on the node have expired or were not renewed in time",
    faults: &[&CERTIFICATE_EXPIRED, &CERTIFICATE_EXPIRING],
};

/// The kubelet asks for a new certificate when between 70 and 90 % of the old one's time is over
/// (`nextRotationDeadline` in
/// `k8s.io/client-go/util/certificate`). When less than this part is left, it was refused.
const ROTATION_OVERDUE: f64 = 0.08;
/// For a certificate that people must renew, the time before its end at which it is told…
const NOTICE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// …unless it lives so shortly that this would be a quarter of its life or more.
const NOTICE_PART: i32 = 4;

/// The links to the certificates that are in use among those that the kubelet keeps.
const CURRENT: &str = "-current.pem";
/// Certificates for the kubelet's own port. The API server does not check their end, and one of them is not in use
/// where another is renewed by the kubelet.
const SERVING: [&str; 2] = ["/kubelet.crt", "/kubeletserver.crt"];

/// Judges the node's certificates.
pub(crate) struct NodeCertificates;

impl Analyzer for NodeCertificates {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let rows: Rows<NodeCertificate> = match rows::read(inputs, names::KUBELET, names::KUBELET_CERTIFICATES)? {
            Ok(rows) => rows,
            Err(Lack::Missing(why)) => return Ok(vec![unknown(&why)]),
            Err(Lack::NoSuchThing(_)) => return Ok(vec![unknown("none was found in the usual places")]),
        };
        let now = inputs.started();
        let mut findings = judge(&rows, now);
        if findings.is_empty() {
            findings.push(match &rows.incomplete {
                Some(why) => unknown(why),
                None => DESCRIPTOR.pass(format!(
                    "The {} certificates of the kubelet on the node hold.",
                    in_use(&rows).count()
                )),
            });
        }
        Ok(findings)
    }
}

fn unknown(why: &str) -> Finding {
    let title = format!("Whether the kubelet's certificates hold is not known: {why}.");
    DESCRIPTOR
        .unknown(title)
        .remedy("Collect again with `--actions kubelet` as root on the node.")
}

fn judge(rows: &Rows<NodeCertificate>, now: Timestamp) -> Vec<Finding> {
    // Of several certificates of one name in a file, as a renewed authority has, the last to end counts.
    let mut latest: BTreeMap<(&str, &str), (u64, &Certificate)> = BTreeMap::new();
    for (line, path, certificate) in in_use(rows) {
        let place = latest
            .entry((path, &certificate.subject))
            .or_insert((line, certificate));
        if certificate.not_after > place.1.not_after {
            *place = (line, certificate);
        }
    }
    let rotates_serving = latest
        .keys()
        .any(|(path, _)| path.ends_with("/kubelet-server-current.pem"));
    let judged = latest.into_iter().filter_map(|((path, _), (line, certificate))| {
        let is_serving = SERVING.iter().any(|name| path.ends_with(name));
        if is_serving && rotates_serving {
            return None;
        }
        let finding = judge_one(path, certificate, is_serving, now)?;
        Some(finding.evidence(rows.text.evidence(line)))
    });
    judged.collect()
}

fn judge_one(path: &str, certificate: &Certificate, is_serving: bool, now: Timestamp) -> Option<Finding> {
    let (from, until) = (certificate.not_before, certificate.not_after);
    let object = format!("certificate {path}");
    let subject = &certificate.subject;
    if until <= now {
        let title = format!(
            "Certificate {path} ({subject}) expired {} ago.",
            span::words(span::ago(now, until))
        );
        return Some(if is_serving {
            CERTIFICATE_EXPIRED.warn(object, title)
        } else {
            CERTIFICATE_EXPIRED.fail(object, title)
        });
    }
    if from > now {
        let title = format!(
            "Certificate {path} ({subject}) is not valid before {} from now: the node's clock may be behind.",
            span::words(from.duration_since(now))
        );
        return Some(CERTIFICATE_EXPIRED.fail(object, title));
    }
    let (left, life) = (until.duration_since(now), until.duration_since(from));
    let is_rotated = path.ends_with(CURRENT);
    if is_rotated && left.as_secs_f64() < life.as_secs_f64() * ROTATION_OVERDUE {
        let title = format!(
            "Certificate {path} ({subject}) expires in {}, and the kubelet ought to have renewed it by now.",
            span::words(left)
        );
        return Some(CERTIFICATE_EXPIRING.warn(object, title));
    }
    let notice = (life / NOTICE_PART).min(NOTICE);
    if !is_rotated && !is_serving && left < notice {
        let title = format!("Certificate {path} ({subject}) expires in {}.", span::words(left));
        return Some(CERTIFICATE_EXPIRING.warn(object, title));
    }
    None
}

/// Line, path and content of every certificate that is in use. Of those that the kubelet renews, the earlier ones stay
/// beside the link to the current one, and may have expired long ago.
fn in_use(rows: &Rows<NodeCertificate>) -> impl Iterator<Item = (u64, &str, &Certificate)> {
    rows.lines.iter().filter_map(|(line, row)| {
        let certificate = row.certificate.as_ref()?;
        let name = row.path.rsplit('/').next().unwrap_or_default();
        let is_kept_by_kubelet = name.starts_with("kubelet-client-") || name.starts_with("kubelet-server-");
        (!is_kept_by_kubelet || name.ends_with(CURRENT)).then_some((*line, row.path.as_str(), certificate))
    })
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, State, Verdict};
    use periscope_documents::names;
    use rstest::rstest;

    use super::NodeCertificates;
    use crate::fixture::Artifacts;

    fn row(path: &str, subject: &str, from: &str, until: &str) -> String {
        format!(
            r#"{{"path":"{path}","number":1,"subject":"{subject}","issuer":"CN=ca","notBefore":"{from}T00:00:00Z","notAfter":"{until}T00:00:00Z"}}"#
        )
    }

    fn client(until: &str) -> String {
        row(
            "/var/lib/kubelet/pki/kubelet-client-current.pem",
            "O=system:nodes, CN=system:node:node1",
            "2026-01-20",
            until,
        )
    }

    fn judge(rows: &[String]) -> Vec<Finding> {
        // As on a real node: an authority of decades, and an earlier certificate that has long expired.
        let standing = [
            row("/etc/kubernetes/certs/ca.crt", "CN=ca", "2024-01-01", "2054-01-01"),
            row(
                "/var/lib/kubelet/pki/kubelet-client-2025-01-02-03-04-05.pem",
                "CN=system:node:node1",
                "2025-01-02",
                "2026-01-02",
            ),
        ];
        let rows: Vec<_> = standing.iter().chain(rows).map(String::as_str).collect();
        let artifacts = Artifacts::default().with(
            names::KUBELET,
            names::KUBELET_CERTIFICATES,
            format!("[\n{}\n]\n", rows.join(",\n")),
        );
        NodeCertificates.analyze(&artifacts).unwrap()
    }

    #[rstest]
    #[case::fresh(client("2027-01-20"))]
    #[case::last_quarter(client("2027-02-20"))]
    #[case::serving_that_was_replaced(row(
        "/var/lib/kubelet/pki/kubelet-server-current.pem",
        "CN=system:node:node1",
        "2026-10-01",
        "2027-10-01"
    ))]
    #[case::short_life(row("/etc/kubernetes/certs/apiserver.crt", "CN=x", "2026-11-10", "2026-12-10"))]
    fn certificates_in_order_pass(#[case] more: String) {
        let findings = judge(&[more]);
        assert_eq!(
            (findings.len(), findings[0].verdict),
            (1, Verdict::Pass),
            "{findings:?}"
        );
    }

    #[rstest]
    #[case::expired(client("2026-11-19"), (Verdict::Fail, "certificate-expired"), "expired 34 h ago")]
    #[case::overdue(client("2026-12-01"), (Verdict::Warn, "certificate-expiring"), "the kubelet ought to have renewed it by now")]
    #[case::authority(
        row("/etc/kubernetes/pki/ca.crt", "CN=old", "2016-12-01", "2026-12-01"),
        (Verdict::Warn, "certificate-expiring"), "expires in 10 d"
    )]
    #[case::of_tomorrow(
        row("/etc/kubernetes/certs/client.crt", "CN=x", "2026-11-21", "2027-12-01"),
        (Verdict::Fail, "certificate-expired"), "not valid before 14 h from now"
    )]
    #[case::serving(
        row("/var/lib/kubelet/pki/kubelet.crt", "CN=node1@1", "2025-11-01", "2026-11-01"),
        (Verdict::Warn, "certificate-expired"), "expired 19 d ago"
    )]
    fn faults_are_named_with_their_file(
        #[case] more: String,
        #[case] (verdict, fault): (Verdict, &str),
        #[case] words: &str,
    ) {
        let findings = judge(std::slice::from_ref(&more));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!((findings[0].verdict, findings[0].fault.as_str()), (verdict, fault));
        assert!(findings[0].title.contains(words), "{}", findings[0].title);
        let evidence = &findings[0].evidence[0];
        assert_eq!((evidence.line, evidence.quote.as_str()), (Some(4), more.as_str()));
    }

    #[test]
    fn a_serving_certificate_that_is_not_in_use_is_not_judged() {
        let unused = row(
            "/var/lib/kubelet/pki/kubelet.crt",
            "CN=node1@1",
            "2025-11-01",
            "2026-11-01",
        );
        let renewed = row(
            "/var/lib/kubelet/pki/kubelet-server-current.pem",
            "CN=system:node:node1",
            "2026-10-01",
            "2027-10-01",
        );
        assert_eq!(judge(&[unused, renewed])[0].verdict, Verdict::Pass);
    }

    #[test]
    fn a_renewed_authority_beside_the_old_one_is_in_order() {
        let path = "/etc/kubernetes/pki/ca.crt";
        let old = row(path, "CN=ca", "2016-11-01", "2026-11-01");
        let new = row(path, "CN=ca", "2026-10-01", "2036-10-01");
        assert_eq!(judge(&[old, new])[0].verdict, Verdict::Pass);
    }

    #[test]
    fn what_is_not_known_is_not_passed() {
        let denied = Artifacts::default().without(names::KUBELET, names::KUBELET_CERTIFICATES, State::Denied);
        for artifacts in [Artifacts::default(), denied] {
            assert_eq!(
                NodeCertificates.analyze(&artifacts).unwrap()[0].verdict,
                Verdict::Unknown
            );
        }
    }
}

//! Whether images of containers cannot be had, pod by pod, told apart by what the registry or the network says.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use periscope_core::{
    AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, LineHit, Scope, Severity, State,
};

use crate::cluster_part::{self, scope_of};
use crate::log_inputs;
use crate::runtime::{Containers, containers, pods_that_are_up, second, shortened};

/// The rules.
const FAILED: &str = "image-pull-failed";
const FAILED_UNSTRUCTURED: &str = "image-pull-failed-unstructured";
/// The log they look at.
const KUBELET_LOG: &str = "journal/kubelet.log";
/// While an image cannot be had, the kubelet says so at each look at the pod, every minute or two at least; after so
/// long without a word the pod is gone or has its image.
const SILENT_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// Most pods that are reported for each cause.
const MAX_REPORTED: usize = 4;
/// Most of the reason that fits into a sentence.
const MAX_WHY_CHARS: usize = 180;

static AUTH: Fault = Fault {
    id: "image-pull-auth",
    summary: "A registry does not give an image to this node",
    severity: Severity::High,
    caused_by: &["clock-unsynchronised"],
    remedy: "Give the node's identity the right to pull (`az aks update --attach-acr`), or correct the pod's imagePullSecrets.",
};

static NOT_FOUND: Fault = Fault {
    id: "image-pull-not-found",
    summary: "An image does not exist under the name that a pod asks for",
    severity: Severity::High,
    caused_by: &[],
    remedy: "Correct the image's name or tag in the pod, or push it.",
};

static NETWORK: Fault = Fault {
    id: "image-pull-network",
    summary: "The registry of an image cannot be reached",
    severity: Severity::High,
    caused_by: &[
        "dns-server-failing",
        "dns-misconfigured",
        "outbound-blocked",
        "default-route-missing",
        "tls-intercepted",
        "clock-unsynchronised",
        "outbound-unstable",
    ],
    remedy: "Check name servers, routes, firewall and proxy between the node and the registry.",
};

static DISK: Fault = Fault {
    id: "image-pull-disk",
    summary: "An image does not fit onto the node's disk",
    severity: Severity::High,
    caused_by: &["disk-full", "inodes-full", "filesystem-read-only"],
    remedy: "Free space where images are kept, or give the nodes larger disks.",
};

static OTHER: Fault = Fault {
    id: "image-pull-failing",
    summary: "An image cannot be pulled for a reason that has no name here",
    severity: Severity::High,
    caused_by: NETWORK.caused_by,
    remedy: "Read the runtime's words in the evidence; try the pull on the node with `crictl pull`.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "image-pull",
    summary: "Whether images of containers cannot be had, and why",
    faults: &[&AUTH, &NOT_FOUND, &NETWORK, &DISK, &OTHER],
};

/// What a registry's, a runtime's or the network's words stand for. The first row with a word that is in the reason
/// counts: a token that was refused names an address too, and an address can hold a number.
const WORDS: &[(&Fault, &[&str])] = &[
    (
        &DISK,
        &[
            "no space left on device",
            "disk quota exceeded",
            "read-only file system",
        ],
    ),
    (&AUTH, &["429 too many requests", "toomanyrequests", "pull rate limit"]),
    (
        &NETWORK,
        &[
            "no such host",
            "i/o timeout",
            "connection refused",
            "connection reset",
            "no route to host",
            "network is unreachable",
            "tls handshake timeout",
            "deadline exceeded",
            "x509:",
            "certificate",
            "temporary failure in name resolution",
            "server misbehaving",
            "proxyconnect",
            "unexpected eof",
            ": eof",
            "server gave http response to https client",
            "502 bad gateway",
            "503 service unavailable",
            "504 gateway timeout",
        ],
    ),
    (
        &AUTH,
        &[
            "401 unauthorized",
            "403 forbidden",
            "unauthorized",
            "authentication required",
            "pull access denied",
            "insufficient_scope",
            "authorization failed",
            "failed to authorize",
            "failed to fetch anonymous token",
            "failed to fetch oauth token",
            "no basic auth credentials",
            "access denied",
            "denied:",
        ],
    ),
    (
        &NOT_FOUND,
        &[
            "not found",
            "manifest unknown",
            "name_unknown",
            "name unknown",
            "does not exist",
            "is not present with pull policy of never",
            "invalid reference format",
            "couldn't parse image",
            "no match for platform",
            "no matching manifest",
        ],
    ),
];

/// Finds images that cannot be had.
pub(crate) struct ImagePull;

/// The newest line about one container's image.
struct Failure {
    pod: String,
    image: Option<String>,
    why: String,
    fault: &'static Fault,
    hit: LineHit,
}

impl Analyzer for ImagePull {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Node, Scope::Cluster]
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        if scope_of(inputs) == Scope::Cluster {
            return cluster_part::judge_images(inputs, &DESCRIPTOR);
        }
        let now = inputs.started();
        let up = pods_that_are_up(inputs)?;
        let running = containers(inputs)?.ok().flatten();
        let mut newest: BTreeMap<(String, String), Failure> = BTreeMap::new();
        for hit in inputs.hits(FAILED).into_iter().chain(inputs.hits(FAILED_UNSTRUCTURED)) {
            if is_over(hit.time, now) {
                continue;
            }
            let failure = failure(hit);
            // A pod is set up before its images are pulled: one that is not is gone.
            if up.as_ref().is_some_and(|up| !up.contains(&failure.pod)) {
                continue;
            }
            let container = failure.hit.captures.get("container").cloned().unwrap_or_default();
            if has_its_image(running.as_ref(), &failure, &container) {
                continue;
            }
            // In order of time: the last one stays.
            newest.insert((failure.pod.clone(), container), failure);
        }
        if newest.is_empty() {
            return Ok(vec![match log_inputs::state(inputs, KUBELET_LOG) {
                Some(State::Collected) => DESCRIPTOR.pass("The kubelet gets the images it wants."),
                _ => DESCRIPTOR.unknown(format!("{KUBELET_LOG} was not gathered whole.")),
            }]);
        }
        let mut findings = Vec::new();
        for fault in DESCRIPTOR.faults {
            let of_fault: Vec<_> = newest.values().filter(|failure| failure.fault.id == fault.id).collect();
            let (reported, rest) = of_fault.split_at(of_fault.len().min(MAX_REPORTED));
            findings.extend(reported.iter().map(|failure| report(failure)));
            if let Some(first) = rest.first() {
                let title = format!(
                    "{} more containers wait for images for the same cause: {}.",
                    rest.len(),
                    fault.summary
                );
                findings.push(
                    fault
                        .fail("more containers", title)
                        .evidence(shortened(first.hit.evidence())),
                );
            }
        }
        Ok(findings)
    }
}

/// Whether the kubelet has stopped to complain.
pub(crate) fn is_over(time: Option<Timestamp>, now: Timestamp) -> bool {
    time.is_some_and(|time| now.duration_since(time) > SILENT_AFTER)
}

/// Whether the container was made after the kubelet's complaint, and so has its image.
fn has_its_image(all: Option<&Containers>, failure: &Failure, container: &str) -> bool {
    let instances = all
        .iter()
        .flat_map(|all| &all.containers)
        .flat_map(|container| &container.instances);
    instances
        .map(|instance| &instance.row)
        .filter(|row| row.name == container && format!("{}/{}", row.namespace, row.pod) == failure.pod)
        .any(|row| row.created > failure.hit.time)
}

fn failure(hit: LineHit) -> Failure {
    let capture = |name: &str| hit.captures.get(name).cloned();
    let pod = capture("pod").or_else(|| Some(format!("{}/{}", capture("namespace")?, capture("name")?)));
    let why = capture("why").unwrap_or_default().replace(['\\', '"'], "");
    // What is captured may begin in the middle; the line as far as it is quoted has the rest.
    let said = format!("{why} {}", hit.quote).to_lowercase();
    let reason = capture("reason").unwrap_or_default();
    let fault = fault_of(&reason, &why, &said);
    Failure {
        pod: pod.unwrap_or_default(),
        image: capture("image"),
        why,
        fault,
        hit,
    }
}

/// What keeps the image away, by the kubelet's word for it, the reason and whatever else was said in lower case.
pub(crate) fn fault_of(word: &str, why: &str, said: &str) -> &'static Fault {
    match word {
        "ErrImageNeverPull" | "InvalidImageName" => &NOT_FOUND,
        "RegistryUnavailable" => &NETWORK,
        _ => cause(&why.to_lowercase()).or_else(|| cause(said)).unwrap_or(&OTHER),
    }
}

fn cause(said: &str) -> Option<&'static Fault> {
    let row = WORDS
        .iter()
        .find(|(_, words)| words.iter().any(|word| said.contains(word)))?;
    Some(row.0)
}

fn report(failure: &Failure) -> Finding {
    let Failure {
        pod,
        image,
        why,
        fault,
        hit,
    } = failure;
    let why_tail = tail(why, image.as_deref());
    let image = image.as_deref().map_or_else(String::new, |image| format!(" {image}"));
    let (what, remedy) = words_of(fault, why);
    let title = format!(
        "Pod {pod} waits for the image{image}: {what} (at {}: {why_tail}).",
        second(hit.time)
    );
    let finding = fault
        .fail(format!("pod {pod}"), title)
        .evidence(shortened(hit.evidence()));
    match remedy {
        Some(remedy) => finding.remedy(remedy),
        None => finding,
    }
}

/// The cause in words, and what helps where that is not what the fault says.
pub(crate) fn words_of(fault: &Fault, why: &str) -> (&'static str, Option<&'static str>) {
    let lower = why.to_lowercase();
    if lower.contains("toomanyrequests") || lower.contains("429 ") || lower.contains("rate limit") {
        let remedy =
            "Pull with an account, or from a registry of your own, such as Azure Container Registry with its cache.";
        return ("the registry allows no more pulls for now (429)", Some(remedy));
    }
    let what = match fault.id {
        "image-pull-auth" => "the registry refuses it to this node",
        "image-pull-not-found" => "there is no such image",
        "image-pull-disk" => "the disk has no room for it",
        "image-pull-network" => "the registry cannot be reached",
        _ => "it cannot be pulled",
    };
    (what, None)
}

/// The end of the reason, where the cause stands: what comes after the image's name, from the start of a word.
pub(crate) fn tail<'a>(why: &'a str, image: Option<&str>) -> Cow<'a, str> {
    let named = image.and_then(|image| why.rsplit_once(&format!("{image}: ")));
    let why = named.map_or(why, |(_, after)| after);
    let why = why.trim_matches([' ', ':']);
    let chars = why.chars().count();
    if chars <= MAX_WHY_CHARS {
        return why.into();
    }
    let start = why
        .char_indices()
        .nth(chars - MAX_WHY_CHARS)
        .map_or(0, |(start, _)| start);
    let end = why.get(start..).unwrap_or_default();
    let end = end.split_once(' ').map_or(end, |(_, words)| words);
    format!("…{end}").into()
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, Verdict};
    use rstest::rstest;

    use super::ImagePull;
    use crate::fixture::Artifacts;
    use crate::runtime::tests::{node as runtime_node, running};

    const FILE: &str = "nodes/node1/system-logs/journal/kubelet.log";

    fn node() -> Artifacts {
        Artifacts::default().with("system-logs", "journal/kubelet.log", "")
    }

    fn failed(node: Artifacts, line: u64, time: &str, pod: &str, why: &str) -> Artifacts {
        let captures = [
            ("pod", pod),
            ("container", "web"),
            ("image", "r.example/web:1"),
            ("reason", "ErrImagePull"),
            ("why", why),
        ];
        node.hit(
            "image-pull-failed",
            (FILE, line),
            Some(time),
            "with ErrImagePull: …",
            &captures,
        )
    }

    fn found(node: &Artifacts) -> Vec<Finding> {
        ImagePull.analyze(node).unwrap()
    }

    #[rstest]
    #[case::unauthorized("failed with status code [manifests 1]: 401 Unauthorized", "image-pull-auth")]
    #[case::forbidden("unexpected status from HEAD request: 403 Forbidden", "image-pull-auth")]
    #[case::docker_hub(
        "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
        "image-pull-auth"
    )]
    #[case::acr_without_role(
        "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://r.azurecr.io/oauth2/token: 401 Unauthorized",
        "image-pull-auth"
    )]
    #[case::limits(
        "429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit",
        "image-pull-auth"
    )]
    #[case::no_tag("r.example/web:1: not found", "image-pull-not-found")]
    #[case::docker_era(
        "manifest for r.example/web:1 not found: manifest unknown: manifest unknown",
        "image-pull-not-found"
    )]
    #[case::platform("no match for platform in manifest: not found", "image-pull-not-found")]
    #[case::no_name("dial tcp: lookup r.example on 10.0.0.10:53: no such host", "image-pull-network")]
    #[case::dns_silent(
        "dial tcp: lookup r.example: read udp 10.0.0.4:1->10.0.0.10:53: i/o timeout",
        "image-pull-network"
    )]
    #[case::closed("dial tcp 127.0.0.1:1: connect: connection refused", "image-pull-network")]
    #[case::token_unreachable(
        "failed to authorize: failed to fetch anonymous token: Get https://r.azurecr.io/oauth2/token: dial tcp 1.2.3.4:443: i/o timeout",
        "image-pull-network"
    )]
    #[case::intercepted(
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "image-pull-network"
    )]
    #[case::full("write /var/lib/containerd/x: no space left on device", "image-pull-disk")]
    #[case::unheard_of("unexpected status from GET request: 418", "image-pull-failing")]
    fn causes(#[case] why: &str, #[case] fault: &str) {
        let found = found(&failed(node(), 7, "2026-11-20T09:59:00Z", "shop/web-1", why));
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].verdict, found[0].fault.as_str()),
            (Verdict::Fail, fault),
            "{}",
            found[0].title
        );
        assert_eq!(found[0].evidence[0].line, Some(7));
        assert!(
            found[0]
                .title
                .contains("Pod shop/web-1 waits for the image r.example/web:1"),
            "{}",
            found[0].title
        );
    }

    #[test]
    fn the_newest_words_count_and_old_ones_are_over() {
        let node = failed(node(), 1, "2026-11-20T09:55:00Z", "shop/web-1", "i/o timeout");
        let node = failed(node, 2, "2026-11-20T09:59:00Z", "shop/web-1", "401 Unauthorized");
        let node = failed(node, 3, "2026-11-20T09:30:00Z", "shop/old-1", "401 Unauthorized");
        let found = found(&node);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(
            (found[0].fault.as_str(), found[0].evidence[0].line),
            ("image-pull-auth", Some(2))
        );
    }

    #[test]
    fn a_pod_that_is_gone_or_has_its_image_waits_for_nothing() {
        let waits = |node: Artifacts| {
            found(&failed(
                node,
                1,
                "2026-11-20T09:59:00Z",
                "shop/web-1",
                "401 Unauthorized",
            ))[0]
                .verdict
        };
        let journal = |node: Artifacts| node.with("system-logs", "journal/kubelet.log", "");
        assert_eq!(waits(journal(runtime_node(&[], true))), Verdict::Fail);
        assert_eq!(waits(journal(runtime_node(&[], false))), Verdict::Pass, "gone");
        assert_eq!(
            waits(journal(runtime_node(&[running(0, 0)], true))),
            Verdict::Pass,
            "has its image"
        );
        assert_eq!(
            waits(journal(runtime_node(&[running(0, 5)], true))),
            Verdict::Fail,
            "wants another image"
        );
    }

    #[rstest]
    #[case::after_the_name("t reference r/a:1: r/a:1: not found", "not found")]
    #[case::without_the_name(": dial tcp 1.2.3.4:443: i/o timeout", "dial tcp 1.2.3.4:443: i/o timeout")]
    fn the_reason_is_told_from_where_it_begins(#[case] why: &str, #[case] told: &str) {
        assert_eq!(super::tail(why, Some("r/a:1")), told);
    }

    #[test]
    fn a_long_reason_is_cut_between_words() {
        let why = format!("{} 401 Unauthorized", "word ".repeat(60));
        let told = super::tail(&why, None);
        assert!(
            told.starts_with("…word ") && told.ends_with("401 Unauthorized"),
            "{told}"
        );
    }

    #[test]
    fn limits_are_named_in_the_title() {
        let found = found(&failed(
            node(),
            1,
            "2026-11-20T09:59:00Z",
            "a/b",
            "429 Too Many Requests",
        ));
        assert!(
            found[0].title.contains("no more pulls for now (429)"),
            "{}",
            found[0].title
        );
    }

    #[test]
    fn lines_of_old_kubelets_name_their_pod_too() {
        let captures = [
            ("name", "web-1"),
            ("namespace", "shop"),
            ("container", "web"),
            ("reason", "ErrImagePull"),
            ("why", "manifest unknown"),
        ];
        let node = node().hit(
            "image-pull-failed-unstructured",
            (FILE, 3),
            Some("2026-11-20T09:59:00Z"),
            "q",
            &captures,
        );
        let found = found(&node);
        assert_eq!(found[0].object, "pod shop/web-1");
        assert_eq!(found[0].fault, "image-pull-not-found");
    }

    #[test]
    fn many_pods_are_counted() {
        let node = (0..9).fold(node(), |node, n| {
            failed(
                node,
                n + 1,
                "2026-11-20T09:59:00Z",
                &format!("shop/web-{n}"),
                "401 Unauthorized",
            )
        });
        let found = found(&node);
        assert_eq!(found.len(), 5);
        assert!(
            found[4].title.starts_with("5 more containers wait for images"),
            "{}",
            found[4].title
        );
    }

    #[test]
    fn silence_is_a_pass_where_it_would_have_been_heard() {
        assert_eq!(found(&node())[0].verdict, Verdict::Pass);
        assert_eq!(found(&Artifacts::default())[0].verdict, Verdict::Unknown);
    }
}

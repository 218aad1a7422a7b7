//! Whether the node is a working member of its cluster: what the API server says of it and how it answers; in the
//! cluster's part the same of all nodes. One analyzer, so that a missing way to the API server is told once.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Finding, Inputs, Scope};
use periscope_documents::{ApiCall, NodeFact, names};

use crate::api_server::{self, API_SERVER_SLOW, API_SERVER_UNHEALTHY, API_SERVER_UNREACHABLE, CLOCK_SKEW};
use crate::cluster_part::{self, NODE_EVENT, scope_of};
use crate::node_status::{self, KUBELET_NOT_POSTING, NODE_CONDITION, NODE_NOT_READY, NODE_TAINTED};
use crate::rows::{self, Lack, Rows};
use crate::version_skew::{self, VERSION_SKEW};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "cluster-health",
    summary: "Whether the node, or each of the cluster's, is ready, its conditions, taints, lease and version, and how the API \
              server answers",
    faults: &[
        &API_SERVER_UNREACHABLE,
        &API_SERVER_UNHEALTHY,
        &API_SERVER_SLOW,
        &CLOCK_SKEW,
        &NODE_NOT_READY,
        &NODE_CONDITION,
        &NODE_TAINTED,
        &KUBELET_NOT_POSTING,
        &VERSION_SKEW,
        &NODE_EVENT,
    ],
};

/// Judges the node as the cluster sees it.
pub(crate) struct ClusterHealth;

impl Analyzer for ClusterHealth {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Node, Scope::Cluster]
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        if scope_of(inputs) == Scope::Cluster {
            return cluster_part::judge_health(inputs, &DESCRIPTOR);
        }
        let calls: Rows<ApiCall> = match rows::read(inputs, names::CLUSTER_HEALTH, names::API_SERVER)? {
            Ok(calls) => calls,
            Err(Lack::Missing(why)) => return Ok(vec![unknown(&why)]),
            Err(Lack::NoSuchThing(_)) => return Ok(vec![unknown("no API server is known to this run")]),
        };
        let mut findings = api_server::judge(&calls);
        let refused = calls.lines.iter().find(|(_, call)| call.status == Some(401));
        if let Some((line, call)) = refused {
            let title = format!("The API server does not know who asks (HTTP 401: {}).", call.said);
            findings.push(unknown_of(title).evidence(calls.text.evidence(*line)));
            return Ok(findings);
        }
        match rows::read::<NodeFact>(inputs, names::CLUSTER_HEALTH, names::NODE_FACTS)? {
            Ok(facts) => {
                findings.extend(node_status::judge(&facts, inputs.node(), inputs.started()));
                findings.extend(version_skew::judge(&facts, &calls));
            }
            // That the server does not answer has been said.
            Err(_) if findings.iter().any(Finding::is_trouble) => {}
            Err(Lack::Missing(why)) => findings.push(unknown(&why)),
            Err(Lack::NoSuchThing(_)) => findings.push(unknown("the Node object was not asked for")),
        }
        if findings.is_empty() {
            let title = format!("Node {} is ready, and the API server answers.", inputs.node());
            let ready = calls.lines.first().map(|(line, _)| calls.text.evidence(*line));
            findings.push(DESCRIPTOR.pass(title).evidences(ready));
        }
        Ok(findings)
    }
}

fn unknown(why: &str) -> Finding {
    unknown_of(format!("The state of the node in its cluster is not known: {why}."))
}

fn unknown_of(title: String) -> Finding {
    DESCRIPTOR.unknown(title).remedy(
        "Collect again with `--actions cluster-health` on the node as root, or as a service account that may get nodes.",
    )
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, State, Verdict};
    use periscope_documents::names;
    use rstest::rstest;

    use super::ClusterHealth;
    use crate::fixture::Artifacts;

    const CALLS: &str = r#"[
{"path":"/version","sent":"2026-11-20T10:00:01.2Z","millis":40,"status":200,"date":"2026-11-20T10:00:01Z","said":"v1.34.4"},
{"path":"/livez","sent":"2026-11-20T10:00:01.3Z","millis":3,"status":200,"date":"2026-11-20T10:00:01Z","said":"ok"},
{"path":"/readyz?verbose","sent":"2026-11-20T10:00:01.4Z","millis":9,"status":200,"date":"2026-11-20T10:00:01Z","said":"readyz check passed"},
{"path":"/api/v1/nodes/node1","sent":"2026-11-20T10:00:01.5Z","millis":5,"status":200,"date":"2026-11-20T10:00:01Z"},
{"path":"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node1","sent":"2026-11-20T10:00:01.6Z","millis":4,"status":200,"date":"2026-11-20T10:00:01Z"}
]
"#;

    const FACTS: &str = r#"[
{"fact":"registered","exists":true,"created":"2026-11-01T00:00:00Z"},
{"fact":"kubelet","version":"v1.34.4","runtime":"containerd://1.7.15"},
{"fact":"condition","type":"MemoryPressure","status":"False","reason":"KubeletHasSufficientMemory","message":"kubelet has sufficient memory available"},
{"fact":"condition","type":"KernelDeadlock","status":"False","reason":"KernelHasNoDeadlock"},
{"fact":"condition","type":"NetworkingReady","status":"True","reason":"NetworkingIsReady"},
{"fact":"condition","type":"Ready","status":"True","reason":"KubeletReady","message":"kubelet is posting ready status","since":"2026-11-01T00:01:00Z"},
{"fact":"taint","key":"sku","value":"gpu","effect":"NoSchedule"},
{"fact":"lease","renewed":"2026-11-20T09:59:55Z","duration":40}
]
"#;

    fn artifacts(calls: &str, facts: &str) -> Artifacts {
        Artifacts::default()
            .with(names::CLUSTER_HEALTH, names::API_SERVER, calls)
            .with(names::CLUSTER_HEALTH, names::NODE_FACTS, facts)
    }

    fn judge(calls: &str, facts: &str) -> Vec<Finding> {
        ClusterHealth.analyze(&artifacts(calls, facts)).unwrap()
    }

    /// The only finding.
    fn only(findings: Vec<Finding>) -> Finding {
        let [finding] = <[Finding; 1]>::try_from(findings).expect("one finding");
        finding
    }

    #[test]
    fn a_healthy_node_passes() {
        let finding = only(judge(CALLS, FACTS));
        assert_eq!(finding.verdict, Verdict::Pass, "{finding:?}");
    }

    #[rstest]
    #[case::not_ready(
        r#""type":"Ready","status":"True","reason":"KubeletReady","message":"kubelet is posting ready status","since":"2026-11-01T00:01:00Z""#,
        r#""type":"Ready","status":"False","reason":"KubeletNotReady","message":"container runtime network not ready: cni plugin not initialized","since":"2026-11-20T09:48:00Z""#,
        (Verdict::Fail, "node-not-ready", 7),
        "Node node1 is not ready (for 12 min): container runtime network not ready: cni plugin not initialized (KubeletNotReady)."
    )]
    #[case::unknown(
        r#""type":"Ready","status":"True""#,
        r#""type":"Ready","status":"Unknown","heartbeat":"2026-11-20T09:00:00Z""#,
        (Verdict::Fail, "kubelet-not-posting", 7),
        "has told the API server nothing (for 60 min)"
    )]
    #[case::stale_lease(
        "2026-11-20T09:59:55Z", "2026-11-20T09:58:00Z",
        (Verdict::Fail, "kubelet-not-posting", 9), "has not renewed the node's lease for 2 min"
    )]
    #[case::pressure(
        r#""MemoryPressure","status":"False""#, r#""MemoryPressure","status":"True""#,
        (Verdict::Fail, "node-condition", 4), "Node node1 has the condition MemoryPressure=True"
    )]
    #[case::detector(
        r#""KernelDeadlock","status":"False""#, r#""KernelDeadlock","status":"True""#,
        (Verdict::Warn, "node-condition", 5), "KernelDeadlock=True"
    )]
    #[case::readiness_of_a_part(
        r#""NetworkingReady","status":"True""#, r#""NetworkingReady","status":"False""#,
        (Verdict::Warn, "node-condition", 6), "NetworkingReady=False"
    )]
    #[case::taint(
        r#""key":"sku","value":"gpu""#, r#""key":"node.kubernetes.io/out-of-service","value":"nodeshutdown""#,
        (Verdict::Fail, "node-tainted", 8), "node.kubernetes.io/out-of-service:NoSchedule"
    )]
    #[case::cordon(
        r#""key":"sku","value":"gpu""#, r#""key":"node.kubernetes.io/unschedulable","since":"2026-11-20T09:00:00Z""#,
        (Verdict::Warn, "node-tainted", 8), "Node node1 is cordoned (for 60 min)"
    )]
    #[case::gone(
        r#""exists":true"#, r#""exists":false"#,
        (Verdict::Fail, "node-not-ready", 2), "The cluster has no node node1"
    )]
    #[case::newer_kubelet(
        r#""version":"v1.34.4""#, r#""version":"v1.35.0""#,
        (Verdict::Fail, "version-skew", 3), "v1.35.0) is newer than the API server (v1.34.4)"
    )]
    #[case::old_kubelet(
        r#""version":"v1.34.4""#, r#""version":"v1.30.9""#,
        (Verdict::Fail, "version-skew", 3), "4 minor versions older"
    )]
    #[case::oldest_kubelet(
        r#""version":"v1.34.4""#, r#""version":"v1.31.1""#,
        (Verdict::Warn, "version-skew", 3), "3 minor versions older"
    )]
    fn faults_of_the_node(
        #[case] healthy: &str,
        #[case] faulty: &str,
        #[case] (verdict, fault, line): (Verdict, &str, u64),
        #[case] words: &str,
    ) {
        assert!(FACTS.contains(healthy));
        let finding = only(judge(CALLS, &FACTS.replacen(healthy, faulty, 1)));
        assert_eq!(
            (finding.verdict, finding.fault.as_str()),
            (verdict, fault),
            "{finding:?}"
        );
        assert!(finding.title.contains(words), "{}", finding.title);
        let evidence = &finding.evidence[0];
        assert_eq!(
            (evidence.file.as_str(), evidence.line),
            ("nodes/node1/cluster-health/node-facts.json", Some(line))
        );
        assert!(!finding.remedy.is_empty() && !finding.object.is_empty());
    }

    #[test]
    fn two_minor_versions_are_in_order() {
        let finding = only(judge(CALLS, &FACTS.replace("v1.34.4", "v1.32.0")));
        assert_eq!(finding.verdict, Verdict::Pass);
    }

    #[rstest]
    #[case::slow("\"millis\":", "\"millis\":120", "api-server-slow", Verdict::Warn, "takes 1.2 s")]
    #[case::ahead(
        "T10:00:01Z\"",
        "T09:59:01Z\"",
        "clock-skew",
        Verdict::Warn,
        "ahead of the API server's"
    )]
    #[case::behind(
        "T10:00:01Z\"",
        "T10:20:01Z\"",
        "clock-skew",
        Verdict::Fail,
        "19 min behind the API server's"
    )]
    #[case::not_ready(
        r#""status":200,"date":"2026-11-20T10:00:01Z","said":"readyz check passed""#,
        r#""status":500,"date":"2026-11-20T10:00:01Z","said":"etcd failed: reason withheld""#,
        "api-server-unhealthy",
        Verdict::Warn,
        "is not ready: etcd failed"
    )]
    fn faults_of_the_api_server(
        #[case] healthy: &str,
        #[case] faulty: &str,
        #[case] fault: &str,
        #[case] verdict: Verdict,
        #[case] words: &str,
    ) {
        let finding = only(judge(&CALLS.replace(healthy, faulty), FACTS));
        assert_eq!(
            (finding.fault.as_str(), finding.verdict),
            (fault, verdict),
            "{finding:?}"
        );
        assert!(finding.title.contains(words), "{}", finding.title);
        assert_eq!(finding.evidence[0].file, "nodes/node1/cluster-health/api-server.json");
    }

    #[test]
    fn a_server_that_does_not_answer_is_told_once() {
        let calls = "[\n{\"path\":\"/version\",\"sent\":\"2026-11-20T10:00:01Z\",\"millis\":5000,\"error\":\"cannot get /version: the API server cannot be reached\"}\n]\n";
        let artifacts = Artifacts::default()
            .with(names::CLUSTER_HEALTH, names::API_SERVER, calls)
            .without(names::CLUSTER_HEALTH, names::NODE_FACTS, State::Failed);
        let finding = only(ClusterHealth.analyze(&artifacts).unwrap());
        assert_eq!(
            (finding.verdict, finding.fault.as_str()),
            (Verdict::Fail, "api-server-unreachable")
        );
        assert_eq!(finding.evidence[0].line, Some(2));
    }

    #[test]
    fn some_lost_answers_are_a_warning() {
        let calls = CALLS.replacen(
            r#""status":200,"date":"2026-11-20T10:00:01Z","said":"ok""#,
            r#""error":"no answer in time""#,
            1,
        );
        let finding = only(judge(&calls, FACTS));
        assert_eq!(finding.verdict, Verdict::Warn);
        assert!(finding.title.contains("1 of 5 requests"), "{}", finding.title);
    }

    #[rstest]
    #[case::not_gathered(Artifacts::default())]
    #[case::no_way(Artifacts::default().without(names::CLUSTER_HEALTH, names::API_SERVER, State::NotApplicable))]
    #[case::denied(
        Artifacts::default()
            .with(names::CLUSTER_HEALTH, names::API_SERVER, CALLS)
            .without(names::CLUSTER_HEALTH, names::NODE_FACTS, State::Denied)
    )]
    #[case::strangers(artifacts(&CALLS.replace("\"status\":200", "\"status\":401"), FACTS))]
    fn what_is_not_known_is_told_once(#[case] artifacts: Artifacts) {
        let finding = only(ClusterHealth.analyze(&artifacts).unwrap());
        assert_eq!(finding.verdict, Verdict::Unknown);
        assert!(!finding.remedy.is_empty());
    }
}

//! How the API server answered the run's small requests: at all, well, quickly, and with what time on its clock.

use jiff::SignedDuration;
use periscope_core::{Fault, Finding, Severity};
use periscope_documents::ApiCall;

use crate::rows::Rows;
use crate::span;

/// Requests for single objects are answered within a second, 99 of 100 (`kubernetes/community`,
/// `sig-scalability/slos/api_call_latency.md`). Half of them being slower is far from that.
const SLOW_MILLIS: u64 = 1_000;
/// Half the requests slower than this: the kubelet's status updates begin to fail, whose time limit is ten seconds.
const VERY_SLOW_MILLIS: u64 = 5_000;

/// From here a clock is wrong, and not only read a moment later.
const SKEW_WARN: SignedDuration = SignedDuration::from_secs(10);
/// From here tokens and new certificates are refused: Entra ID and Kerberos allow five minutes.
const SKEW_FAIL: SignedDuration = SignedDuration::from_mins(5);

pub(crate) static API_SERVER_UNREACHABLE: Fault = Fault {
    id: "api-server-unreachable",
    summary: "The API server does not answer this node",
    severity: Severity::Critical,
    caused_by: &[
        "default-route-missing",
        "dns-server-failing",
        "dns-misconfigured",
        "certificate-expired",
        "clock-skew",
    ],
    remedy: "See the connection to the API server phase by phase in network-outbound/connections.txt; check routes, \
             firewall, private DNS zone and authorized IP ranges.",
};

pub(crate) static API_SERVER_UNHEALTHY: Fault = Fault {
    id: "api-server-unhealthy",
    summary: "The API server answers that it is not in order",
    severity: Severity::High,
    caused_by: &[],
    remedy: "Ask Azure about the cluster's control plane, with the names of the checks that fail.",
};

pub(crate) static API_SERVER_SLOW: Fault = Fault {
    id: "api-server-slow",
    summary: "The API server takes long to answer this node",
    severity: Severity::Medium,
    caused_by: &["outbound-unstable", "packet-drops", "cpu-pressure"],
    remedy: "Compare with the connect times in network-outbound/connections.txt: if those are short, the control plane is \
             overloaded; look for clients that list much and often.",
};

pub(crate) static CLOCK_SKEW: Fault = Fault {
    id: "clock-skew",
    summary: "The node's clock and the API server's differ",
    severity: Severity::High,
    caused_by: &["clock-unsynchronised"],
    remedy: "Restore time synchronisation on the node (chrony on AKS), and restart the kubelet if its certificates or tokens \
             were refused.",
};

const OBJECT: &str = "the API server";

/// What is wrong with the answers.
pub(crate) fn judge(calls: &Rows<ApiCall>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(unanswered(calls));
    findings.extend(unhealthy(calls));
    findings.extend(slow(calls));
    findings.extend(skew(calls));
    findings
}

fn unanswered(calls: &Rows<ApiCall>) -> Option<Finding> {
    let lost: Vec<_> = calls.lines.iter().filter(|(_, call)| call.error.is_some()).collect();
    let why = lost.last()?.1.error.as_deref().unwrap_or_default();
    let (all, count) = (calls.lines.len(), lost.len());
    let evidence = lost.iter().map(|(line, _)| calls.text.evidence(*line));
    let finding = if count == all {
        API_SERVER_UNREACHABLE.fail(OBJECT, format!("The API server does not answer this node: {why}."))
    } else {
        let title = format!("The API server left {count} of {all} requests of this node unanswered: {why}.");
        API_SERVER_UNREACHABLE.warn(OBJECT, title)
    };
    Some(finding.evidences(evidence))
}

fn unhealthy(calls: &Rows<ApiCall>) -> Option<Finding> {
    let is_bad = |call: &ApiCall| call.status.is_some_and(|status| status >= 500);
    let (line, call) = calls.lines.iter().find(|(_, call)| is_bad(call))?;
    let status = call.status.unwrap_or_default();
    let title = match call.path.as_str() {
        ApiCall::READYZ => format!("The API server is not ready: {}.", call.said),
        path => format!("The API server answers {path} with HTTP {status}: {}.", call.said),
    };
    let finding = if call.path == ApiCall::READYZ {
        API_SERVER_UNHEALTHY.warn(OBJECT, title)
    } else {
        API_SERVER_UNHEALTHY.fail(OBJECT, title)
    };
    Some(finding.evidence(calls.text.evidence(*line)))
}

fn slow(calls: &Rows<ApiCall>) -> Option<Finding> {
    // The first request also connects.
    let later = calls.lines.iter().skip(1);
    let mut answered: Vec<_> = later.filter(|(_, call)| call.status.is_some()).collect();
    answered.sort_by_key(|(_, call)| call.millis);
    let (line, median) = answered.get(answered.len() / 2)?;
    if answered.len() < 3 || median.millis < SLOW_MILLIS {
        return None;
    }
    let title = format!(
        "The API server takes {:.1} s for a small request of this node, in the middle of {}.",
        std::time::Duration::from_millis(median.millis).as_secs_f64(),
        answered.len()
    );
    let finding = if median.millis >= VERY_SLOW_MILLIS {
        API_SERVER_SLOW.fail(OBJECT, title)
    } else {
        API_SERVER_SLOW.warn(OBJECT, title)
    };
    Some(finding.evidence(calls.text.evidence(*line)))
}

/// The clocks differ by what all answers agree on: each shows the server's second at a moment between sending and
/// answer.
fn skew(calls: &Rows<ApiCall>) -> Option<Finding> {
    let bounds = calls.lines.iter().filter_map(|(line, call)| {
        let date = call.date?;
        let took = SignedDuration::from_millis(i64::try_from(call.millis).ok()?);
        let least = date.duration_since(call.sent).checked_sub(took)?;
        let most = date
            .duration_since(call.sent)
            .checked_add(SignedDuration::from_secs(1))?;
        Some((*line, least, most))
    });
    let bounds: Vec<_> = bounds.collect();
    let least = bounds.iter().map(|(_, least, _)| *least).max()?;
    let most = bounds.iter().map(|(_, _, most)| *most).min()?;
    let (line, ..) = bounds.first()?;
    // The side of zero on which the difference certainly is, and by how much at the least.
    let (by, direction) = if least > SignedDuration::ZERO {
        (least, "behind")
    } else if most < SignedDuration::ZERO {
        (most.abs(), "ahead of")
    } else {
        return None;
    };
    if by < SKEW_WARN {
        return None;
    }
    let title = format!("The node's clock is {} {direction} the API server's.", span::words(by));
    let finding = if by >= SKEW_FAIL {
        CLOCK_SKEW.fail("the node's clock", title)
    } else {
        CLOCK_SKEW.warn("the node's clock", title)
    };
    Some(finding.evidence(calls.text.evidence(*line)))
}

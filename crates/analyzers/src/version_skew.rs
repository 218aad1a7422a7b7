//! Whether the kubelet's version may be used with the API server's (kubernetes.io, "Version Skew Policy").

use std::cmp::Ordering;

use periscope_core::{Fault, Finding, Severity};
use periscope_documents::{ApiCall, NodeFact};

use crate::rows::Rows;

pub(crate) static VERSION_SKEW: Fault = Fault {
    id: "version-skew",
    summary: "The kubelet's version is not one that the API server's version supports",
    severity: Severity::Medium,
    caused_by: &[],
    remedy: "Upgrade the node pool to the control plane's version.",
};

/// The first minor version whose API server supports kubelets three minor versions older; before, it was two.
const THREE_SINCE: u32 = 28;

/// What is wrong with the versions, where both are known.
pub(crate) fn judge(facts: &Rows<NodeFact>, calls: &Rows<ApiCall>) -> Option<Finding> {
    let (fact_line, kubelet) = facts.lines.iter().find_map(|(line, fact)| match fact {
        NodeFact::Kubelet { version, .. } => Some((line, version)),
        _ => None,
    })?;
    let (call_line, server) = calls
        .lines
        .iter()
        .find_map(|(line, call)| (call.path == ApiCall::VERSION).then_some((line, &call.said)))?;
    let finding = of(kubelet, server, "the kubelet", |skew| {
        format!("The kubelet ({kubelet}) is {skew}.")
    })?;
    let evidence = [facts.text.evidence(*fact_line), calls.text.evidence(*call_line)];
    Some(finding.evidences(evidence))
}

/// What is wrong with a kubelet's version. `title` makes a sentence of what it is, such as `newer than the API server
/// …`.
pub(crate) fn of(
    kubelet: &str,
    server: &str,
    object: impl Into<String>,
    title: impl Fn(String) -> String,
) -> Option<Finding> {
    let ((kubelet_major, kubelet_minor), (server_major, server_minor)) = (version(kubelet)?, version(server)?);
    if kubelet_major != server_major {
        return None;
    }
    let supported = if server_minor >= THREE_SINCE { 3 } else { 2 };
    if kubelet_minor > server_minor {
        let skew = format!("newer than the API server ({server}), which is not supported");
        return Some(VERSION_SKEW.fail(object, title(skew)));
    }
    let behind = server_minor - kubelet_minor;
    let older = format!("{behind} minor versions older than the API server ({server})");
    match behind.cmp(&supported) {
        Ordering::Greater => Some(VERSION_SKEW.fail(object, title(format!("{older}; {supported} are supported")))),
        Ordering::Equal => {
            let skew =
                format!("{older}, the most that is supported: the control plane's next upgrade leaves the node behind");
            Some(VERSION_SKEW.warn(object, title(skew)))
        }
        Ordering::Less => None,
    }
}

/// Major and minor version of `v1.34.4`, `v1.27.3-gke.100`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix('v')?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

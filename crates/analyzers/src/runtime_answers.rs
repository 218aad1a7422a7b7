//! Whether the container runtime answers on its socket, in time and without complaints about itself.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::{CallFailure, RuntimeCall, RuntimeStatus, from_lines, names};

use crate::artifact::{self, Artifact, Text};

/// A runtime that works answers within some milliseconds; after so many the kubelet's own look at it (PLEG) gets late.
const SLOW_MILLIS: u64 = 5000;
/// The call that needs nothing but the runtime itself.
const CONNECT: &str = "connect";

static NOT_ANSWERING: Fault = Fault {
    id: "runtime-not-answering",
    summary: "The container runtime gives no answers: no container can be started or stopped",
    severity: Severity::Critical,
    caused_by: &[
        "disk-full",
        "inodes-full",
        "filesystem-read-only",
        "runtime-restarting",
        "stuck-processes",
        "io-pressure",
    ],
    remedy: "Read the end of the runtime's journal, and restart its unit (`systemctl restart containerd`); running containers go on.",
};

static NOT_READY: Fault = Fault {
    id: "runtime-not-ready",
    summary: "The container runtime says of itself that it is not ready",
    severity: Severity::Critical,
    caused_by: &["disk-full", "filesystem-read-only"],
    remedy: "Read the end of the runtime's journal for what failed at its start.",
};

static NETWORK_NOT_READY: Fault = Fault {
    id: "runtime-network-not-ready",
    summary: "The container runtime has no network for pods: its network plug-in is not set up",
    severity: Severity::High,
    caused_by: &["cni-config-missing", "cni-addresses-exhausted", "provisioning-failed"],
    remedy: "Look at the network plug-in, not at the runtime: its configuration in /etc/cni/net.d and the pods that write it.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "runtime-answers",
    summary: "Whether the container runtime answers in time and is ready",
    faults: &[&NOT_ANSWERING, &NOT_READY, &NETWORK_NOT_READY],
};

/// Judges the runtime's answers.
pub(crate) struct RuntimeAnswers;

impl Analyzer for RuntimeAnswers {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let text = match artifact::read(inputs, names::CONTAINER_RUNTIME, names::RUNTIME_CALLS)? {
            Artifact::Whole(text) => text,
            Artifact::NoSuchThing => return Ok(vec![DESCRIPTOR.unknown("The runtime was not asked.")]),
            Artifact::Incomplete(why) => return Ok(vec![DESCRIPTOR.unknown(why)]),
        };
        let calls: Vec<(u64, RuntimeCall)> = from_lines(&text.text).map_err(|error| text.not_understood(&error))?;
        let mut findings = judge_calls(inputs, &text, &calls);
        findings.extend(judge_status(inputs)?);
        if findings.is_empty() {
            let answered = calls.iter().filter(|(_, call)| is_answer(call));
            let slowest = answered.map(|(_, call)| call.millis).max().unwrap_or_default();
            findings.push(DESCRIPTOR.pass(format!(
                "The container runtime answers, at the slowest in {slowest} ms."
            )));
        }
        Ok(findings)
    }
}

/// Whether the runtime itself said something; the kernel connects.
fn is_answer(call: &RuntimeCall) -> bool {
    call.failure.is_none() && call.call != CONNECT
}

fn judge_calls(inputs: &dyn Inputs, text: &Text, calls: &[(u64, RuntimeCall)]) -> Vec<Finding> {
    let failed = |wanted: CallFailure| calls.iter().find(|(_, call)| call.failure == Some(wanted));
    let silent = failed(CallFailure::Refused).or_else(|| failed(CallFailure::TimedOut));
    let answers = calls.iter().any(|(_, call)| is_answer(call));
    if let Some((line, call)) = silent {
        let socket = format!("runtime at {}", call.endpoint);
        let title = match (answers, call.failure) {
            (false, Some(CallFailure::Refused)) => format!(
                "The container runtime does not run: nobody listens on its socket {}.",
                call.endpoint
            ),
            (false, _) => format!(
                "The container runtime hangs: its socket {} takes connections, and {} got no answer in {} s.",
                call.endpoint,
                call.call,
                call.millis / 1000
            ),
            (true, _) => format!(
                "The container runtime at {} answers some questions, but {} got no answer in {} s.",
                call.endpoint,
                call.call,
                call.millis / 1000
            ),
        };
        return vec![NOT_ANSWERING.fail(socket, title).evidence(text.evidence(*line))];
    }
    if !answers {
        return vec![without_answers(inputs, text, calls)];
    }
    let slow = calls
        .iter()
        .filter(|(_, call)| is_answer(call) && call.millis >= SLOW_MILLIS && !call.call.contains('×'));
    slow.max_by_key(|(_, call)| call.millis)
        .map(|(line, call)| {
            let title = format!(
                "The container runtime at {} is slow: {} took {} s.",
                call.endpoint,
                call.call,
                call.millis / 1000
            );
            let remedy = "Look for what keeps the runtime waiting: disk and memory pressure, and very many containers.";
            let finding = NOT_ANSWERING.warn(format!("runtime at {}", call.endpoint), title);
            finding.evidence(text.evidence(*line)).remedy(remedy)
        })
        .into_iter()
        .collect()
}

/// Nobody hung or refused, and nobody answered.
fn without_answers(inputs: &dyn Inputs, text: &Text, calls: &[(u64, RuntimeCall)]) -> Finding {
    if let Some((line, call)) = calls.iter().find(|(_, call)| call.failure == Some(CallFailure::Denied)) {
        let why = call.error.as_deref().unwrap_or("it may not be used");
        let title = format!("The container runtime could not be asked: {why}.");
        return DESCRIPTOR.unknown(title).evidence(text.evidence(*line));
    }
    if let Some((line, call)) = calls.iter().find(|(_, call)| call.failure == Some(CallFailure::Error)) {
        let why = call.error.as_deref().unwrap_or("no reason given");
        let title = format!(
            "The container runtime at {} answers with an error: {why}.",
            call.endpoint
        );
        let finding = NOT_ANSWERING.fail(format!("runtime at {}", call.endpoint), title);
        return finding.evidence(text.evidence(*line));
    }
    match calls.first() {
        Some((line, call))
            if artifact::is_planned(inputs, names::KUBELET, names::KUBELET_SETTINGS) && has_kubelet(inputs) =>
        {
            let title = format!(
                "The node has a kubelet and no container runtime: there is no socket {}.",
                call.endpoint
            );
            NOT_ANSWERING
                .fail(format!("runtime at {}", call.endpoint), title)
                .evidence(text.evidence(*line))
        }
        _ => DESCRIPTOR.pass("The node has neither a kubelet nor a container runtime."),
    }
}

fn has_kubelet(inputs: &dyn Inputs) -> bool {
    matches!(
        artifact::read(inputs, names::KUBELET, names::KUBELET_SETTINGS),
        Ok(Artifact::Whole(_) | Artifact::Incomplete(_))
    )
}

fn judge_status(inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
    let Artifact::Whole(text) = artifact::read(inputs, names::CONTAINER_RUNTIME, names::RUNTIME_STATUS)? else {
        return Ok(Vec::new());
    };
    let status: RuntimeStatus = serde_json::from_str(&text.text).map_err(|error| text.not_understood(&error))?;
    let mut findings = Vec::new();
    for condition in status.conditions.iter().filter(|condition| !condition.status) {
        let why = [condition.reason.as_str(), condition.message.as_str()];
        let why = why
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(": ");
        let quoted = format!("\"{}\"", condition.kind);
        let line = (1..).zip(text.text.lines()).find(|(_, line)| line.contains(&quoted));
        let evidence = line.map_or_else(|| text.as_evidence(quoted.clone()), |(line, _)| text.evidence(line));
        findings.push(match condition.kind.as_str() {
            "RuntimeReady" => NOT_READY
                .fail(
                    "container runtime",
                    format!("The container runtime is not ready: {why}."),
                )
                .evidence(evidence),
            "NetworkReady" => NETWORK_NOT_READY
                .fail(
                    "network of pods",
                    format!(
                        "The container runtime has no network for pods, which its network plug-in must set up: {why}."
                    ),
                )
                .evidence(evidence),
            // What the runtime has to say beyond these is in its status.
            _ => continue,
        });
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, State, Verdict};
    use periscope_documents::{CallFailure, RuntimeCall, RuntimeCondition, RuntimeStatus, names, to_lines};
    use rstest::rstest;

    use super::RuntimeAnswers;
    use crate::fixture::Artifacts;

    const SOCKET: &str = "/run/containerd/containerd.sock";

    fn call(call: &str, millis: u64, failure: Option<CallFailure>) -> RuntimeCall {
        RuntimeCall {
            endpoint: SOCKET.to_owned(),
            call: call.to_owned(),
            start: "2026-11-20T10:00:00Z".parse().unwrap(),
            millis,
            failure,
            error: failure.map(|_| "words".to_owned()),
        }
    }

    fn node(calls: &[RuntimeCall]) -> Artifacts {
        Artifacts::default()
            .with(names::CONTAINER_RUNTIME, names::RUNTIME_CALLS, to_lines(calls).unwrap())
            .with(names::KUBELET, names::KUBELET_SETTINGS, r#"{"readFrom": []}"#)
    }

    fn found(artifacts: &Artifacts) -> Vec<Finding> {
        RuntimeAnswers.analyze(artifacts).unwrap()
    }

    #[rstest]
    #[case::healthy(&[call("connect", 0, None), call("Version", 1, None), call("Status", 40, None)], Verdict::Pass, "slowest in 40 ms")]
    #[case::refused(&[call("connect", 0, Some(CallFailure::Refused))], Verdict::Fail, "does not run: nobody listens on its socket /run")]
    #[case::hangs(&[call("connect", 0, None), call("Version", 4000, Some(CallFailure::TimedOut))], Verdict::Fail, "and Version got no answer in 4 s")]
    #[case::hangs_in_parts(&[call("Version", 1, None), call("ListContainers", 15000, Some(CallFailure::TimedOut))], Verdict::Fail, "ListContainers got no answer in 15 s")]
    #[case::slow(&[call("Version", 6100, None)], Verdict::Warn, "is slow: Version took 6 s")]
    #[case::many_together_are_not_slow(&[call("Version", 1, None), call("ContainerStatus ×200", 6000, None)], Verdict::Pass, "answers")]
    #[case::no_socket(&[call("connect", 0, Some(CallFailure::NoSocket))], Verdict::Fail, "no container runtime: there is no socket")]
    #[case::denied(&[call("connect", 0, Some(CallFailure::Denied))], Verdict::Unknown, "could not be asked: words")]
    #[case::broken(&[call("connect", 0, None), call("Version", 0, Some(CallFailure::Error))], Verdict::Fail, "answers with an error: words")]
    fn answers(#[case] calls: &[RuntimeCall], #[case] verdict: Verdict, #[case] words: &str) {
        let found = found(&node(calls));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0].verdict, verdict, "{}", found[0].title);
        assert!(found[0].title.contains(words), "{}", found[0].title);
        if verdict != Verdict::Pass {
            let line = calls.iter().position(|call| call.failure.is_some()).unwrap_or_default() as u64 + 2;
            assert_eq!(found[0].evidence[0].line, Some(line));
        }
    }

    #[test]
    fn a_machine_without_kubelet_and_runtime_is_in_order() {
        let calls = [call("connect", 0, Some(CallFailure::NoSocket))];
        let machine = Artifacts::default()
            .with(
                names::CONTAINER_RUNTIME,
                names::RUNTIME_CALLS,
                to_lines(&calls).unwrap(),
            )
            .without(names::KUBELET, names::KUBELET_SETTINGS, State::NotPresent);
        assert_eq!(found(&machine)[0].verdict, Verdict::Pass);
    }

    #[rstest]
    #[case::runtime("RuntimeReady", "runtime-not-ready")]
    #[case::network("NetworkReady", "runtime-network-not-ready")]
    fn conditions(#[case] kind: &str, #[case] fault: &str) {
        let condition = |kind: &str, status| RuntimeCondition {
            kind: kind.to_owned(),
            status,
            reason: if status { "" } else { "NetworkPluginNotReady" }.to_owned(),
            message: if status { "" } else { "cni plugin not initialized" }.to_owned(),
        };
        let status = RuntimeStatus {
            conditions: vec![condition("Other", true), condition(kind, false)],
            ..RuntimeStatus::default()
        };
        let text = serde_json::to_string_pretty(&status).unwrap();
        let node = node(&[call("Version", 1, None)]).with(names::CONTAINER_RUNTIME, names::RUNTIME_STATUS, text);
        let found = found(&node);
        assert_eq!((found.len(), found[0].fault.as_str()), (1, fault));
        assert!(
            found[0]
                .title
                .ends_with("NetworkPluginNotReady: cni plugin not initialized."),
            "{}",
            found[0].title
        );
        assert!(found[0].evidence[0].quote.contains(kind), "{:?}", found[0].evidence);
    }

    #[test]
    fn what_was_not_gathered_is_unknown() {
        assert_eq!(found(&Artifacts::default())[0].verdict, Verdict::Unknown);
    }
}

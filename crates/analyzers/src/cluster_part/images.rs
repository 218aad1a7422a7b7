//! Images that pods of any namespace wait for, from the events about them: one finding for an image and its cause.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use periscope_core::{AnalyzeError, AnalyzerDescriptor, Evidence, Fault, Finding, Inputs};
use periscope_documents::{NodeEvent, names};

use super::named;
use crate::image_pull;
use crate::pods;
use crate::rows::{self, Lack};

/// Most images that are reported for each cause; the rest is counted.
const MAX_REPORTED: usize = 5;

/// An image that cannot be had.
struct Waiting {
    fault: &'static Fault,
    pods: BTreeSet<String>,
    why: String,
    last: Option<Timestamp>,
    evidence: Evidence,
}

/// What images cannot be had; a pass or an unknown of `descriptor` where there are none.
pub(crate) fn judge(inputs: &dyn Inputs, descriptor: &AnalyzerDescriptor) -> Result<Vec<Finding>, AnalyzeError> {
    let events = match rows::read::<NodeEvent>(inputs, names::CLUSTER_OBJECTS, names::CLUSTER_EVENTS)? {
        Ok(events) => events,
        Err(Lack::Missing(why)) => return Ok(vec![descriptor.unknown(format!("Events are not known: {why}."))]),
        Err(Lack::NoSuchThing(state)) => return Ok(vec![descriptor.unknown(format!("Events are {state}."))]),
    };
    let pods = pods::of_cluster(inputs)?;
    let now = inputs.started();
    // While it waits, the kubelet says of the pod that it does (`Error: ImagePullBackOff`), and less often why.
    let mut complaints: BTreeMap<&str, Option<Timestamp>> = BTreeMap::new();
    for (_, event) in &events.lines {
        if let Some(pod) = event.object.strip_prefix("pod ").filter(|_| is_about_image(event)) {
            let last = complaints.entry(pod).or_default();
            *last = (*last).max(event.time);
        }
    }
    let mut waiting: BTreeMap<String, Waiting> = BTreeMap::new();
    for (line, event) in &events.lines {
        let Some((pod, image, why)) = failure(event) else {
            continue;
        };
        let last = complaints.get(pod).copied().flatten();
        if image_pull::is_over(last, now) || pods.get(pod).is_some_and(|pod| pod.has_started) {
            continue;
        }
        let fault = image_pull::fault_of(&event.reason, why, "");
        let evidence = events.text.evidence(*line);
        let found = waiting
            .entry(format!("{image} {}", fault.id))
            .or_insert_with(|| Waiting {
                fault,
                pods: BTreeSet::new(),
                why: String::new(),
                last: None,
                evidence: evidence.clone(),
            });
        found.pods.insert(pod.to_owned());
        if event.time >= found.last {
            found.last = event.time;
            found.evidence = evidence;
            why.clone_into(&mut found.why);
        }
    }
    let mut findings = Vec::new();
    for fault in descriptor.faults {
        let of_fault: Vec<_> = waiting
            .iter()
            .filter(|(_, waiting)| waiting.fault.id == fault.id)
            .collect();
        let (reported, rest) = of_fault.split_at(of_fault.len().min(MAX_REPORTED));
        findings.extend(reported.iter().map(|(key, waiting)| report(key, waiting)));
        if !rest.is_empty() {
            let title = format!("{} more images for the same cause: {}.", rest.len(), fault.summary);
            findings.push(fault.fail("more images", title));
        }
    }
    if findings.is_empty() {
        findings.push(match events.incomplete {
            None => descriptor.pass("No event tells of a pod that waits for an image now."),
            Some(why) => descriptor.unknown(format!("No event tells of a pod that waits for an image, but {why}.")),
        });
    }
    Ok(findings)
}

fn report(key: &str, waiting: &Waiting) -> Finding {
    let image = key.split(' ').next().unwrap_or_default();
    let (what, limited) = image_pull::words_of(waiting.fault, &waiting.why);
    let pods = named(waiting.pods.iter().map(String::as_str));
    let who = match waiting.pods.len() {
        1 => format!("Pod {pods} waits"),
        count => format!("{count} pods wait"),
    };
    let which = if waiting.pods.len() > 1 {
        format!("; the pods are {pods}")
    } else {
        String::new()
    };
    let title = format!(
        "{who} for the image {image}: {what} ({}){which}.",
        image_pull::tail(&waiting.why, Some(image))
    );
    let finding = waiting.fault.fail(format!("image {image}"), title);
    let finding = finding.evidence(waiting.evidence.clone());
    match limited {
        Some(remedy) => finding.remedy(remedy),
        None => finding,
    }
}

/// Events of the kubelet about images (`pkg/kubelet/images/image_manager.go` and `pkg/kubelet/events/event.go` of
/// `kubernetes/kubernetes`): `Failed` stands for other troubles of containers too.
fn is_about_image(event: &NodeEvent) -> bool {
    match event.reason.as_str() {
        "ErrImageNeverPull" | "InspectFailed" => true,
        "Failed" => {
            let words = [
                "Failed to pull image",
                "Error: ErrImage",
                "Error: ImagePullBackOff",
                "Error: InvalidImageName",
            ];
            words.iter().any(|word| event.message.starts_with(word))
        }
        _ => false,
    }
}

/// The pod, the image and the reason: `Failed to pull image "x": why`.
fn failure(event: &NodeEvent) -> Option<(&str, &str, &str)> {
    let pod = event.object.strip_prefix("pod ")?;
    if !is_about_image(event) || event.message.starts_with("Error: ") {
        return None;
    }
    let (before, rest) = event.message.split_once('"')?;
    let (image, after) = rest.split_once('"')?;
    let why = if before.starts_with("Failed to pull") {
        after.trim_start_matches([':', ' '])
    } else {
        &event.message
    };
    Some((pod, image, why))
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, State, Verdict};
    use periscope_documents::names;
    use rstest::rstest;

    use crate::fixture::Artifacts;
    use crate::image_pull::ImagePull;

    fn event(pod: &str, minute: u32, reason: &str, message: &str) -> String {
        let message = serde_json::to_string(message).unwrap();
        format!(
            r#"{{"time":"2026-11-20T09:{minute}:00Z","count":4,"type":"Warning","reason":"{reason}","object":"pod ns/{pod}","source":"kubelet","message":{message}}}"#
        )
    }

    fn judge(events: &[String]) -> Vec<Finding> {
        let artifacts = Artifacts::default()
            .with(
                names::CLUSTER_OBJECTS,
                names::CLUSTER_EVENTS,
                format!("[\n{}\n]\n", events.join(",\n")),
            )
            .at(
                "cluster-resources/pods/ns.json",
                r#"{"items": [{"metadata": {"namespace": "ns", "name": "up"}, "status": {"phase": "Running"}}]}"#,
            );
        ImagePull.analyze(&artifacts).unwrap()
    }

    const GONE: &str = "Failed to pull image \"reg.io/web:2\": rpc error: code = NotFound desc = failed to resolve reference \"reg.io/web:2\": reg.io/web:2: not found";
    const REFUSED: &str = "Failed to pull image \"reg.io/web:2\": failed to authorize: 401 Unauthorized";

    #[rstest]
    #[case::not_found(GONE, "image-pull-not-found", "there is no such image (not found)")]
    #[case::refused(REFUSED, "image-pull-auth", "the registry refuses it")]
    #[case::far(
        "Failed to pull image \"reg.io/web:2\": dial tcp 10.0.0.4:443: i/o timeout",
        "image-pull-network",
        "cannot be reached"
    )]
    fn pods_that_wait_for_an_image_are_named_together(#[case] message: &str, #[case] fault: &str, #[case] words: &str) {
        // The cause was told long ago, and that it is still so just now.
        let findings = judge(&[
            event("a", 30, "Failed", message),
            event("b", 58, "Failed", message),
            event("a", 59, "Failed", "Error: ImagePullBackOff"),
        ]);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(
            (findings[0].fault.as_str(), findings[0].verdict),
            (fault, Verdict::Fail)
        );
        assert!(
            findings[0]
                .title
                .starts_with("2 pods wait for the image reg.io/web:2: "),
            "{}",
            findings[0].title
        );
        assert!(
            findings[0].title.contains(words) && findings[0].title.ends_with("ns/a, ns/b."),
            "{}",
            findings[0].title
        );
        assert_eq!(
            (findings[0].object.as_str(), findings[0].evidence[0].line),
            ("image reg.io/web:2", Some(3))
        );
    }

    #[test]
    fn an_image_that_may_not_be_pulled_is_told() {
        let message = "Container image \"own:1\" is not present with pull policy of Never";
        let findings = judge(&[event("a", 59, "ErrImageNeverPull", message)]);
        assert_eq!(
            (findings[0].fault.as_str(), findings[0].object.as_str()),
            ("image-pull-not-found", "image own:1")
        );
    }

    #[rstest]
    #[case::over("a", 40, "Failed", GONE)]
    #[case::runs("up", 59, "Failed", GONE)]
    #[case::another_trouble("a", 59, "Failed", "Error: failed to create containerd task: \"x\" not found")]
    fn what_is_over_is_no_trouble(#[case] pod: &str, #[case] minute: u32, #[case] reason: &str, #[case] message: &str) {
        let findings = judge(&[event(pod, minute, reason, message)]);
        assert_eq!(
            (findings.len(), findings[0].verdict),
            (1, Verdict::Pass),
            "{findings:?}"
        );
    }

    #[test]
    fn without_events_nothing_is_known() {
        let artifacts = Artifacts::default().without(names::CLUSTER_OBJECTS, names::CLUSTER_EVENTS, State::Denied);
        assert_eq!(ImagePull.analyze(&artifacts).unwrap()[0].verdict, Verdict::Unknown);
    }
}

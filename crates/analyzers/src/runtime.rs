//! The container runtime's documents, as they were gathered: containers by what they are instances of.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use periscope_core::{AnalyzeError, Evidence, Inputs};
use periscope_documents::{ContainerState, RuntimeContainer, RuntimeSandbox, from_lines, names};

use crate::artifact::{self, Artifact, Text};

/// The reason that runtimes give for a container that went over its memory limit.
const OOM_KILLED: &str = "OOMKilled";
/// Longest quote of a line; the document has the rest.
const MAX_QUOTE_CHARS: usize = 400;

/// All instances of one container that the runtime still knows, the oldest first.
pub(crate) struct Container {
    pub(crate) instances: Vec<Instance>,
    /// Whether its pod is still set up; a pod that has ended is not. `true` when that is not known.
    pub(crate) pod_is_up: bool,
}

/// One instance and its line in `containers.json`.
pub(crate) struct Instance {
    pub(crate) line: u64,
    pub(crate) row: RuntimeContainer,
}

impl Instance {
    /// Whether it ended, and not well.
    pub(crate) fn has_failed(&self) -> bool {
        self.row.state == ContainerState::Exited && self.row.exit_code.is_some_and(|code| code != 0)
    }

    /// Whether it ended because it went over its memory limit.
    pub(crate) fn was_out_of_memory(&self) -> bool {
        self.row.state == ContainerState::Exited && self.row.reason == OOM_KILLED
    }

    /// How long before `now` it ended.
    pub(crate) fn ended_before(&self, now: Timestamp) -> Option<SignedDuration> {
        Some(now.duration_since(self.row.finished?))
    }

    /// How long before `now` it was started.
    pub(crate) fn started_before(&self, now: Timestamp) -> Option<SignedDuration> {
        Some(now.duration_since(self.row.started.or(self.row.created)?))
    }

    /// `container web of pod shop/web-1`.
    pub(crate) fn object(&self) -> String {
        if self.row.pod.is_empty() {
            return format!("container {}", self.row.name);
        }
        format!(
            "container {} of pod {}/{}",
            self.row.name, self.row.namespace, self.row.pod
        )
    }
}

/// The containers of the node, and the document they stand in.
pub(crate) struct Containers {
    pub(crate) text: Text,
    pub(crate) containers: Vec<Container>,
}

impl Containers {
    /// The instance's line as evidence.
    pub(crate) fn evidence(&self, instance: &Instance) -> Evidence {
        shortened(self.text.evidence(instance.line))
    }
}

/// The containers, or why they are not known; `None` where the node has no runtime.
pub(crate) fn containers(inputs: &dyn Inputs) -> Result<Result<Option<Containers>, String>, AnalyzeError> {
    let text = match artifact::read(inputs, names::CONTAINER_RUNTIME, names::RUNTIME_CONTAINERS)? {
        Artifact::Whole(text) => text,
        Artifact::NoSuchThing => return Ok(Ok(None)),
        Artifact::Incomplete(why) => return Ok(Err(why)),
    };
    let rows: Vec<(u64, RuntimeContainer)> = from_lines(&text.text).map_err(|error| text.not_understood(&error))?;
    let sandboxes = sandboxes(inputs)?;
    let mut by_name: BTreeMap<(String, String, String), Vec<Instance>> = BTreeMap::new();
    for (line, row) in rows {
        let key = (
            row.namespace.clone(),
            format!("{}/{}", row.pod, row.uid),
            row.name.clone(),
        );
        by_name.entry(key).or_default().push(Instance { line, row });
    }
    let containers = by_name.into_values().map(|mut instances| {
        instances.sort_by_key(|instance| (instance.row.restarts, instance.row.created));
        let sandbox = instances.last().and_then(|newest| sandboxes.get(&newest.row.sandbox));
        Container {
            pod_is_up: sandbox.is_none_or(|ready| *ready),
            instances,
        }
    });
    let containers = containers.collect();
    Ok(Ok(Some(Containers { text, containers })))
}

/// Whether each sandbox is ready; empty when they are not known.
fn sandboxes(inputs: &dyn Inputs) -> Result<HashMap<String, bool>, AnalyzeError> {
    let rows = sandbox_rows(inputs)?.unwrap_or_default();
    Ok(rows.into_iter().map(|row| (row.id, row.ready)).collect())
}

/// The pods that are set up, as `namespace/name`; `None` when they are not known.
pub(crate) fn pods_that_are_up(inputs: &dyn Inputs) -> Result<Option<HashSet<String>>, AnalyzeError> {
    let rows = sandbox_rows(inputs)?;
    let up = |rows: Vec<RuntimeSandbox>| {
        let ready = rows.into_iter().filter(|row| row.ready);
        ready.map(|row| format!("{}/{}", row.namespace, row.pod)).collect()
    };
    Ok(rows.map(up))
}

fn sandbox_rows(inputs: &dyn Inputs) -> Result<Option<Vec<RuntimeSandbox>>, AnalyzeError> {
    let Artifact::Whole(text) = artifact::read(inputs, names::CONTAINER_RUNTIME, names::RUNTIME_SANDBOXES)? else {
        return Ok(None);
    };
    let rows: Vec<(u64, RuntimeSandbox)> = from_lines(&text.text).map_err(|error| text.not_understood(&error))?;
    Ok(Some(rows.into_iter().map(|(_, row)| row).collect()))
}

/// Evidence whose quote is no longer than what a reader takes in.
pub(crate) fn shortened(mut evidence: Evidence) -> Evidence {
    if let Some((end, _)) = evidence.quote.char_indices().nth(MAX_QUOTE_CHARS) {
        evidence.quote.truncate(end);
        evidence.quote.push('…');
    }
    evidence
}

/// A time of today or before, to the second.
pub(crate) fn second(time: Option<Timestamp>) -> String {
    time.map_or_else(
        || "an unknown time".to_owned(),
        |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use periscope_documents::{ContainerState, RuntimeContainer, RuntimeSandbox, names, to_lines};

    use crate::fixture::Artifacts;

    /// The start of the fixture's run, minus so many minutes.
    pub(crate) fn minutes_ago(minutes: i64) -> jiff::Timestamp {
        let now: jiff::Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        now - jiff::SignedDuration::from_mins(minutes)
    }

    /// A running instance of the container `web`, started so many minutes ago.
    pub(crate) fn running(restarts: u32, started: i64) -> RuntimeContainer {
        RuntimeContainer {
            id: format!("id{restarts}"),
            sandbox: "s1".to_owned(),
            namespace: "shop".to_owned(),
            pod: "web-1".to_owned(),
            uid: "u1".to_owned(),
            name: "web".to_owned(),
            restarts,
            state: ContainerState::Running,
            image: "shop.azurecr.io/web:1".to_owned(),
            created: Some(minutes_ago(started)),
            log_path: format!("/var/log/pods/shop_web-1_u1/web/{restarts}.log"),
            ..RuntimeContainer::default()
        }
    }

    /// One that ended so many minutes ago.
    pub(crate) fn ended(restarts: u32, minutes: i64, exit_code: i32) -> RuntimeContainer {
        RuntimeContainer {
            state: ContainerState::Exited,
            started: Some(minutes_ago(minutes + 1)),
            finished: Some(minutes_ago(minutes)),
            exit_code: Some(exit_code),
            reason: if exit_code == 0 { "Completed" } else { "Error" }.to_owned(),
            ..running(restarts, minutes + 1)
        }
    }

    /// A node with these containers.
    pub(crate) fn node(containers: &[RuntimeContainer], pod_is_up: bool) -> Artifacts {
        let sandbox = RuntimeSandbox {
            id: "s1".to_owned(),
            ready: pod_is_up,
            namespace: "shop".to_owned(),
            pod: "web-1".to_owned(),
            ..RuntimeSandbox::default()
        };
        Artifacts::default()
            .with(
                names::CONTAINER_RUNTIME,
                names::RUNTIME_CONTAINERS,
                to_lines(containers).unwrap(),
            )
            .with(
                names::CONTAINER_RUNTIME,
                names::RUNTIME_SANDBOXES,
                to_lines(&[sandbox]).unwrap(),
            )
    }
}

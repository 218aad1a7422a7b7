//! The CRI's answers as documents.

use std::collections::HashMap;

use jiff::Timestamp;
use periscope_documents::{
    ContainerState, RuntimeCondition, RuntimeContainer, RuntimeFilesystem, RuntimeImage, RuntimePlugin, RuntimeSandbox,
    RuntimeStatus,
};
use serde_json::Value;

use super::cri;
use super::manifest_copies::kept;

/// A time of the CRI: nanoseconds since 1970, 0 for none.
fn time(nanos: i64) -> Option<Timestamp> {
    (nanos > 0)
        .then(|| Timestamp::from_nanosecond(i128::from(nanos)).ok())
        .flatten()
}

fn state(state: i32) -> ContainerState {
    match state {
        0 => ContainerState::Created,
        1 => ContainerState::Running,
        2 => ContainerState::Exited,
        _ => ContainerState::Unknown,
    }
}

/// The conditions, and of the verbose part what can hold no credentials: containerd gives its whole configuration
/// there.
pub(super) fn status(answer: cri::StatusResponse) -> RuntimeStatus {
    let conditions = answer.status.unwrap_or_default().conditions;
    let config: Value = answer
        .info
        .get("config")
        .and_then(|config| serde_json::from_str(config).ok())
        .unwrap_or_default();
    let word = |pointer: &str| {
        let word = config.pointer(pointer).and_then(Value::as_str);
        word.filter(|word| !word.is_empty()).map(str::to_owned)
    };
    let default_runtime = word("/containerd/defaultRuntimeName");
    let uses_systemd = default_runtime.as_ref().and_then(|runtime| {
        let options = format!("/containerd/runtimes/{runtime}/options/SystemdCgroup");
        config.pointer(&options).and_then(Value::as_bool)
    });
    RuntimeStatus {
        conditions: conditions
            .into_iter()
            .map(|condition| RuntimeCondition {
                kind: condition.kind,
                status: condition.status,
                reason: condition.reason,
                message: condition.message,
            })
            .collect(),
        snapshotter: word("/containerd/snapshotter"),
        default_runtime,
        sandbox_image: word("/sandboxImage"),
        registry_config_path: word("/registry/configPath"),
        cgroup_driver: uses_systemd.map(|systemd| if systemd { "systemd" } else { "cgroupfs" }.to_owned()),
        last_cni_load: answer.info.get("lastCNILoadStatus").cloned(),
        warnings: Vec::new(),
    }
}

pub(super) fn sandbox(answer: cri::PodSandbox) -> RuntimeSandbox {
    let metadata = answer.metadata.unwrap_or_default();
    RuntimeSandbox {
        id: answer.id,
        ready: answer.state == cri::SANDBOX_READY,
        namespace: metadata.namespace,
        pod: metadata.name,
        uid: metadata.uid,
        attempt: metadata.attempt,
        created: time(answer.created_at),
        handler: answer.runtime_handler,
        labels: kept(answer.labels),
        annotations: kept(answer.annotations),
    }
}

/// A container as the list has it; how it ended is in its status.
pub(super) fn container(answer: cri::Container) -> RuntimeContainer {
    let metadata = answer.metadata.unwrap_or_default();
    let mut labels = answer.labels;
    let mut label = |name: &str| labels.remove(name).unwrap_or_default();
    let (namespace, pod, uid) = (
        label("io.kubernetes.pod.namespace"),
        label("io.kubernetes.pod.name"),
        label("io.kubernetes.pod.uid"),
    );
    let restarts = answer.annotations.get("io.kubernetes.container.restartCount");
    RuntimeContainer {
        id: answer.id,
        sandbox: answer.pod_sandbox_id,
        namespace,
        pod,
        uid,
        name: metadata.name,
        restarts: restarts
            .and_then(|count| count.parse().ok())
            .unwrap_or(metadata.attempt),
        state: state(answer.state),
        image: image(answer.image, answer.image_ref),
        created: time(answer.created_at),
        labels: kept(labels),
        annotations: kept(answer.annotations),
        ..RuntimeContainer::default()
    }
}

/// What the pod calls its image, as far as the runtime knows.
fn image(spec: Option<cri::ImageSpec>, reference: String) -> String {
    let spec = spec.unwrap_or_default();
    [spec.user_specified_image, spec.image, reference]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default()
}

/// Adds how a container stands to its row.
pub(super) fn add_status(row: &mut RuntimeContainer, status: cri::ContainerStatus) {
    // It may have ended since the list was made.
    row.state = state(status.state);
    row.started = time(status.started_at);
    row.finished = time(status.finished_at);
    row.exit_code = (row.state == ContainerState::Exited).then_some(status.exit_code);
    row.reason = status.reason;
    row.message = status.message;
    row.log_path = status.log_path;
    // The list names an image by its digest, the status as the pod does.
    let named = image(status.image, String::new());
    if !named.is_empty() {
        row.image = named;
    }
}

/// Names images as people do where the runtime gave their digests.
pub(super) fn name_images(rows: &mut [RuntimeContainer], images: &[RuntimeImage]) {
    let names: HashMap<&str, &String> = images
        .iter()
        .filter_map(|image| Some((image.id.as_str(), image.tags.first()?)))
        .collect();
    for row in rows {
        if let Some(name) = names.get(row.image.as_str()) {
            row.image.clone_from(name);
        }
    }
}

/// Adds what containers use to their rows.
pub(super) fn add_stats(rows: &mut [RuntimeContainer], stats: Vec<cri::ContainerStats>) {
    let mut by_id: HashMap<String, cri::ContainerStats> = stats
        .into_iter()
        .filter_map(|stats| Some((stats.attributes.as_ref()?.id.clone(), stats)))
        .collect();
    for row in rows {
        let Some(stats) = by_id.remove(&row.id) else { continue };
        let cpu = stats.cpu.and_then(|cpu| cpu.usage_core_nano_seconds);
        row.cpu_millis = cpu.map(|cpu| cpu.value / 1_000_000);
        row.memory_bytes = stats.memory.and_then(|memory| Some(memory.working_set_bytes?.value));
        row.layer_bytes = stats.writable_layer.and_then(|layer| Some(layer.used_bytes?.value));
    }
}

pub(super) fn image_row(answer: cri::Image) -> RuntimeImage {
    RuntimeImage {
        id: answer.id,
        tags: answer.repo_tags,
        digests: answer.repo_digests,
        bytes: answer.size,
        pinned: answer.pinned,
    }
}

pub(super) fn filesystems(answer: cri::ImageFsInfoResponse) -> Vec<RuntimeFilesystem> {
    let row = |holds: &'static str| {
        move |usage: cri::FilesystemUsage| RuntimeFilesystem {
            holds: holds.to_owned(),
            mountpoint: usage.fs_id.unwrap_or_default().mountpoint,
            used_bytes: usage.used_bytes.map(|used| used.value),
            used_inodes: usage.inodes_used.map(|used| used.value),
        }
    };
    let images = answer.image_filesystems.into_iter().map(row("images"));
    images
        .chain(answer.container_filesystems.into_iter().map(row("containers")))
        .collect()
}

pub(super) fn plugin(answer: cri::Plugin) -> RuntimePlugin {
    RuntimePlugin {
        kind: answer.kind,
        id: answer.id,
        exports: kept(answer.exports),
        error: answer.init_err.map(|error| error.message),
    }
}

#[cfg(test)]
mod tests {
    use super::{status, time};
    use crate::container_runtime::cri;

    #[test]
    fn of_the_verbose_status_only_chosen_fields_are_kept() {
        let config = r#"{"containerd": {"snapshotter": "overlayfs", "defaultRuntimeName": "runc",
            "runtimes": {"runc": {"options": {"SystemdCgroup": true}}}},
            "registry": {"configPath": "/etc/containerd/certs.d", "configs": {"r": {"auth": {"password": "notreal"}}}},
            "sandboxImage": "mcr.microsoft.com/oss/kubernetes/pause:3.6"}"#;
        let info = [("config", config), ("lastCNILoadStatus", "OK")];
        let kept = status(cri::StatusResponse {
            status: None,
            info: info.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
        });
        assert_eq!(
            serde_json::to_value(kept).unwrap(),
            serde_json::json!({
                "conditions": [], "snapshotter": "overlayfs", "defaultRuntime": "runc", "cgroupDriver": "systemd",
                "sandboxImage": "mcr.microsoft.com/oss/kubernetes/pause:3.6",
                "registryConfigPath": "/etc/containerd/certs.d", "lastCniLoad": "OK",
            })
        );
    }

    #[test]
    fn no_time_is_none() {
        assert_eq!(time(0), None);
        assert_eq!(
            time(1_763_632_800_000_000_000).unwrap().to_string(),
            "2025-11-20T10:00:00Z"
        );
    }
}

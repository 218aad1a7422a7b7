//! The `DaemonSet`: one agent on every Linux node, however it is tainted.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy, RollingUpdateDaemonSet};
use k8s_openapi::api::core::v1::{
    Affinity, ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource,
    HTTPGetAction, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, ObjectFieldSelector,
    PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SecretVolumeSource, Toleration, Volume,
    VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use periscope_agent::DEFAULT_HEALTH_ADDRESS;

use crate::names::{CONFIG_MAP, DAEMON_SET, LABEL, POD_FOLDER, SECRET, SERVICE_ACCOUNT};
use crate::object::in_namespace;
use crate::{Settings, privileges};

/// What tells the agent its pod's address, and that it is to listen there.
const LISTEN: &str = "AKS_PERISCOPE_LISTEN";
const HEALTH: &str = "health";

/// Uploading what there is after SIGTERM takes seconds; what takes longer is made again by the next pod.
const GRACE_SECONDS: i64 = 60;
/// What of that is left for telling how the run ended.
const LAST_WORDS_SECONDS: i64 = 15;
/// What tells the agent how long a run that is told to end may take.
const GRACE: &str = "AKS_PERISCOPE_GRACE";

/// On a node that stalls, which is one to look at, a short answer may take its time.
const PROBE_TIMEOUT_SECONDS: i32 = 10;
const PROBE_FAILURES: i32 = 6;
/// Restarting costs a run its time, so it is the last resort.
const LIVENESS_PERIOD_SECONDS: i32 = 30;
/// The agents look at it when they choose one of them.
const READINESS_PERIOD_SECONDS: i32 = 5;

/// More than an archive and what it is made from; only where the node's folder is not used.
const MAX_SCRATCH: &str = "10Gi";

pub(crate) fn daemon_set(settings: &Settings) -> DaemonSet {
    let labels = BTreeMap::from([(LABEL.to_owned(), DAEMON_SET.to_owned())]);
    DaemonSet {
        metadata: ObjectMeta {
            labels: Some(labels.clone()),
            ..in_namespace(DAEMON_SET, &settings.namespace)
        },
        spec: Some(DaemonSetSpec {
            selector: LabelSelector {
                match_labels: Some(labels.clone()),
                ..LabelSelector::default()
            },
            update_strategy: Some(DaemonSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDaemonSet {
                    // Nobody's work is interrupted: a run is taken up again by the next pod.
                    max_unavailable: Some(IntOrString::String("100%".to_owned())),
                    ..RollingUpdateDaemonSet::default()
                }),
            }),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(settings)),
            },
            ..DaemonSetSpec::default()
        }),
        status: None,
    }
}

pub(crate) fn pod(settings: &Settings) -> PodSpec {
    let (volumes, mounts) = volumes(settings).into_iter().unzip();
    PodSpec {
        service_account_name: Some(SERVICE_ACCOUNT.to_owned()),
        enable_service_links: Some(false),
        host_pid: Some(true).filter(|_| !settings.restricted),
        security_context: Some(PodSecurityContext {
            fs_group: Some(privileges::GROUP),
            ..PodSecurityContext::default()
        })
        .filter(|_| settings.restricted),
        node_selector: Some(BTreeMap::from([("kubernetes.io/os".to_owned(), "linux".to_owned())])),
        affinity: Some(real_nodes()),
        tolerations: Some(vec![Toleration {
            operator: Some("Exists".to_owned()),
            ..Toleration::default()
        }]),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        containers: vec![container(settings, mounts)],
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

/// Not those of a virtual kubelet, which have no files: AKS labels them so
/// (<https://learn.microsoft.com/azure/aks/virtual-nodes-portal>).
fn real_nodes() -> Affinity {
    let requirement = NodeSelectorRequirement {
        key: "type".to_owned(),
        operator: "NotIn".to_owned(),
        values: Some(vec!["virtual-kubelet".to_owned()]),
    };
    Affinity {
        node_affinity: Some(NodeAffinity {
            required_during_scheduling_ignored_during_execution: Some(NodeSelector {
                node_selector_terms: vec![NodeSelectorTerm {
                    match_expressions: Some(vec![requirement]),
                    ..NodeSelectorTerm::default()
                }],
            }),
            ..NodeAffinity::default()
        }),
        ..Affinity::default()
    }
}

fn container(settings: &Settings, mounts: Vec<VolumeMount>) -> Container {
    let field = |name: &str, path: &str| EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: path.to_owned(),
                ..ObjectFieldSelector::default()
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    };
    Container {
        name: DAEMON_SET.to_owned(),
        image: Some(settings.image.clone()),
        image_pull_policy: Some(settings.pull_policy.to_string()),
        env: Some(vec![
            field("HOST_NODE_NAME", "spec.nodeName"),
            field("POD_NAME", "metadata.name"),
            field("POD_NAMESPACE", "metadata.namespace"),
            field("POD_UID", "metadata.uid"),
            EnvVar {
                name: GRACE.to_owned(),
                value: Some((GRACE_SECONDS - LAST_WORDS_SECONDS).to_string()),
                ..EnvVar::default()
            },
            field(LISTEN, "status.podIP"),
        ]),
        ports: Some(vec![ContainerPort {
            name: Some(HEALTH.to_owned()),
            container_port: DEFAULT_HEALTH_ADDRESS.port().into(),
            ..ContainerPort::default()
        }]),
        liveness_probe: Some(probe("/healthz", LIVENESS_PERIOD_SECONDS)),
        readiness_probe: Some(probe("/readyz", READINESS_PERIOD_SECONDS)),
        resources: Some(ResourceRequirements {
            requests: Some(quantities(&[("cpu", "10m"), ("memory", "64Mi")])),
            limits: Some(quantities(&[("cpu", "500m"), ("memory", "128Mi")])),
            ..ResourceRequirements::default()
        }),
        security_context: Some(if settings.restricted {
            privileges::restricted()
        } else {
            privileges::of_node()
        }),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

fn probe(path: &str, period: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(HEALTH.to_owned()),
            ..HTTPGetAction::default()
        }),
        timeout_seconds: Some(PROBE_TIMEOUT_SECONDS),
        period_seconds: Some(period),
        failure_threshold: Some(PROBE_FAILURES),
        ..Probe::default()
    }
}

fn quantities(words: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
    words
        .iter()
        .map(|(name, quantity)| ((*name).to_owned(), Quantity((*quantity).to_owned())))
        .collect()
}

fn volumes(settings: &Settings) -> Vec<(Volume, VolumeMount)> {
    // Whole objects, not single keys: only those follow a change
    // (<https://kubernetes.io/docs/concepts/storage/volumes/>).
    let mut volumes = vec![
        mounted(
            "/config",
            Volume {
                name: "config".to_owned(),
                config_map: Some(ConfigMapVolumeSource {
                    name: CONFIG_MAP.to_owned(),
                    optional: Some(true),
                    ..ConfigMapVolumeSource::default()
                }),
                ..Volume::default()
            },
        ),
        mounted(
            "/secret",
            Volume {
                name: "secret".to_owned(),
                secret: Some(SecretVolumeSource {
                    secret_name: Some(SECRET.to_owned()),
                    optional: Some(true),
                    default_mode: Some(if settings.restricted { 0o440 } else { 0o400 }),
                    ..SecretVolumeSource::default()
                }),
                ..Volume::default()
            },
        ),
    ];
    if settings.restricted {
        let scratch = Volume {
            name: "archives".to_owned(),
            empty_dir: Some(EmptyDirVolumeSource {
                size_limit: Some(Quantity(MAX_SCRATCH.to_owned())),
                ..EmptyDirVolumeSource::default()
            }),
            ..Volume::default()
        };
        let mount = VolumeMount {
            name: scratch.name.clone(),
            mount_path: POD_FOLDER.to_owned(),
            ..VolumeMount::default()
        };
        volumes.push((scratch, mount));
    } else {
        volumes.extend(privileges::host_mounts());
    }
    volumes
}

fn mounted(path: &str, volume: Volume) -> (Volume, VolumeMount) {
    let mount = VolumeMount {
        name: volume.name.clone(),
        mount_path: path.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    (volume, mount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_node_is_in_a_restricted_pod() {
        let settings = Settings {
            restricted: true,
            ..Settings::default()
        };
        let pod = pod(&settings);
        assert_eq!(pod.host_pid, None);
        assert!(pod.volumes.unwrap().iter().all(|volume| volume.host_path.is_none()));
        let context = pod.containers[0].security_context.clone().unwrap();
        assert_eq!(context.capabilities.unwrap().add, None);
        assert_eq!(context.run_as_non_root, Some(true));
    }

    #[test]
    fn only_the_folder_of_archives_can_be_written() {
        let pod = pod(&Settings::default());
        let writable: Vec<_> = pod.containers[0]
            .volume_mounts
            .iter()
            .flatten()
            .filter(|mount| mount.read_only != Some(true))
            .map(|mount| mount.mount_path.as_str())
            .collect();
        assert_eq!(writable, [POD_FOLDER]);
        assert_eq!(
            pod.containers[0].security_context.as_ref().unwrap().privileged,
            Some(false)
        );
    }
}

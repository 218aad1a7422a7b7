//! Asks docker over its HTTP API. Of each answer only the fields named here are read: neither the environment of
//! containers nor docker's own settings of proxies and registries are among them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use periscope_core::State;
use periscope_documents::{
    CallFailure, ContainerState, RuntimeCondition, RuntimeContainer, RuntimeFilesystem, RuntimeImage, RuntimeSandbox,
    RuntimeStatus, RuntimeVersion,
};
use periscope_host::{HostPath, HostRoot};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::calls::{CallError, Calls};
use super::gathered::{Answer, Containers, Gathered};
use super::http::Http;
use super::manifest_copies::kept;
use super::over_cri::connect;

/// See the limits of the CRI's calls.
const FIRST_LIMIT: Duration = Duration::from_secs(4);
const LIMIT: Duration = Duration::from_secs(15);
/// Most ended containers that are looked at closely, the newest first.
const MAX_INSPECTED: usize = 256;
/// The label by which docker's shim told sandboxes from containers.
const KIND: &str = "io.kubernetes.docker.type";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Version {
    version: String,
    api_version: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Info {
    driver: String,
    docker_root_dir: String,
    cgroup_driver: String,
    default_runtime: String,
    warnings: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Listed {
    id: String,
    names: Option<Vec<String>>,
    image: String,
    created: i64,
    state: String,
    labels: Option<HashMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Inspected {
    state: Ended,
    restart_count: u32,
    log_path: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Ended {
    exit_code: i32,
    #[serde(rename = "OOMKilled")]
    oom_killed: bool,
    error: String,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Image {
    id: String,
    repo_tags: Option<Vec<String>>,
    repo_digests: Option<Vec<String>>,
    size: u64,
}

/// Asks docker at `path`.
///
/// # Errors
/// When there is no docker there, or none that answers: [`CallFailure`] says which.
pub(super) async fn gather(root: &HostRoot, calls: &mut Calls, path: &HostPath) -> Result<Gathered, CallError> {
    let stream = connect(root, calls, path).await?;
    let http = Http::on(stream).await?;
    let mut docker = Docker { path, http };
    let version: Version = docker.get(calls, "/version", FIRST_LIMIT).await?;
    let info: Answer<Info> = docker.get(calls, "/info", LIMIT).await;
    let listed: Answer<Vec<Listed>> = docker.get(calls, "/containers/json?all=1", LIMIT).await;
    let images: Answer<Vec<Image>> = docker.get(calls, "/images/json", LIMIT).await;
    let (sandboxes, containers) = match listed {
        Ok(listed) => {
            let (sandboxes, containers): (Vec<_>, Vec<_>) = listed.into_iter().partition(is_sandbox);
            (
                Ok(sandboxes.into_iter().map(sandbox).collect()),
                Ok(docker.containers(calls, containers).await),
            )
        }
        Err(error) => (Err(error.clone()), Err(error)),
    };
    let filesystem = info.as_ref().map_err(Clone::clone).map(|info| {
        vec![RuntimeFilesystem {
            holds: "images".to_owned(),
            mountpoint: info.docker_root_dir.clone(),
            ..RuntimeFilesystem::default()
        }]
    });
    Ok(Gathered {
        version: Ok(RuntimeVersion {
            endpoint: path.to_string(),
            name: "docker".to_owned(),
            version: version.version,
            api_version: version.api_version,
        }),
        status: info.map(status),
        sandboxes,
        containers,
        images: images.map(|images| images.into_iter().map(image).collect()),
        filesystem,
        plugins: Err(CallError {
            failure: CallFailure::Unimplemented,
            message: "docker has no such list".to_owned(),
        }),
    })
}

struct Docker<'a> {
    path: &'a HostPath,
    http: Http,
}

impl Docker<'_> {
    async fn get<T: DeserializeOwned>(&mut self, calls: &mut Calls, what: &str, limit: Duration) -> Answer<T> {
        calls.ask(self.path, what, limit, self.http.get(what)).await
    }

    /// The rows, those that ended looked at closely.
    async fn containers(&mut self, calls: &mut Calls, mut listed: Vec<Listed>) -> Containers {
        listed.sort_by_key(|container| std::cmp::Reverse(container.created));
        let mut rows: Vec<_> = listed.into_iter().map(container).collect();
        let mut incomplete = None;
        let mut asked = 0;
        for row in rows.iter_mut().filter(|row| row.state != ContainerState::Running) {
            if asked == MAX_INSPECTED {
                let reason = format!("how all but the newest {MAX_INSPECTED} containers ended is missing");
                incomplete = Some((State::Truncated, reason));
                break;
            }
            asked += 1;
            let answer: Answer<Inspected> = self.get(calls, &format!("/containers/{}/json", row.id), LIMIT).await;
            match answer {
                Ok(answer) => add_end(row, answer),
                Err(error) => {
                    let is_over = error.failure == CallFailure::TimedOut;
                    let reason = format!("how containers ended is missing: {}", error.message);
                    incomplete = Some((error.state(), reason));
                    if is_over {
                        break;
                    }
                }
            }
        }
        if asked > 1 {
            calls.sum_up(asked);
        }
        Containers { rows, incomplete }
    }
}

/// docker counts as ready when it answers; it knows nothing of the network of pods.
fn status(info: Info) -> RuntimeStatus {
    let some = |word: String| (!word.is_empty()).then_some(word);
    RuntimeStatus {
        conditions: vec![RuntimeCondition {
            kind: "RuntimeReady".to_owned(),
            status: true,
            ..RuntimeCondition::default()
        }],
        snapshotter: some(info.driver),
        default_runtime: some(info.default_runtime),
        cgroup_driver: some(info.cgroup_driver),
        warnings: info.warnings.unwrap_or_default(),
        ..RuntimeStatus::default()
    }
}

fn is_sandbox(listed: &Listed) -> bool {
    let kind = listed.labels.as_ref().and_then(|labels| labels.get(KIND));
    kind.is_some_and(|kind| kind == "podsandbox")
}

fn sandbox(listed: Listed) -> RuntimeSandbox {
    let ready = listed.state == "running";
    let created = Timestamp::from_second(listed.created).ok();
    let mut labels = listed.labels.unwrap_or_default();
    let mut label = |name: &str| labels.remove(name).unwrap_or_default();
    RuntimeSandbox {
        id: listed.id,
        ready,
        namespace: label("io.kubernetes.pod.namespace"),
        pod: label("io.kubernetes.pod.name"),
        uid: label("io.kubernetes.pod.uid"),
        attempt: 0,
        created,
        handler: String::new(),
        labels: kept(labels),
        annotations: BTreeMap::new(),
    }
}

fn container(listed: Listed) -> RuntimeContainer {
    let mut labels = listed.labels.unwrap_or_default();
    let mut label = |name: &str| labels.remove(name).unwrap_or_default();
    let own_name = listed.names.into_iter().flatten().next().unwrap_or_default();
    let name = label("io.kubernetes.container.name");
    let restarts = label("annotation.io.kubernetes.container.restartCount");
    RuntimeContainer {
        id: listed.id,
        sandbox: label("io.kubernetes.sandbox.id"),
        namespace: label("io.kubernetes.pod.namespace"),
        pod: label("io.kubernetes.pod.name"),
        uid: label("io.kubernetes.pod.uid"),
        name: if name.is_empty() {
            own_name.trim_start_matches('/').to_owned()
        } else {
            name
        },
        restarts: restarts.parse().unwrap_or_default(),
        state: match listed.state.as_str() {
            "created" => ContainerState::Created,
            "running" | "paused" | "restarting" => ContainerState::Running,
            "exited" | "dead" | "removing" => ContainerState::Exited,
            _ => ContainerState::Unknown,
        },
        image: listed.image,
        created: Timestamp::from_second(listed.created).ok(),
        labels: kept(labels),
        ..RuntimeContainer::default()
    }
}

fn add_end(row: &mut RuntimeContainer, answer: Inspected) {
    // docker's word for "never" is the year 1.
    let time = |time: Option<Timestamp>| time.filter(|time| *time > Timestamp::UNIX_EPOCH);
    row.started = time(answer.state.started_at);
    row.finished = time(answer.state.finished_at);
    row.restarts = row.restarts.max(answer.restart_count);
    row.log_path = answer.log_path;
    row.message = answer.state.error;
    if row.state == ContainerState::Exited {
        row.exit_code = Some(answer.state.exit_code);
        let reason = match (answer.state.oom_killed, answer.state.exit_code) {
            (true, _) => "OOMKilled",
            (false, 0) => "Completed",
            (false, _) => "Error",
        };
        reason.clone_into(&mut row.reason);
    }
}

fn image(listed: Image) -> RuntimeImage {
    RuntimeImage {
        id: listed.id,
        tags: listed.repo_tags.unwrap_or_default(),
        digests: listed.repo_digests.unwrap_or_default(),
        bytes: listed.size,
        pinned: false,
    }
}

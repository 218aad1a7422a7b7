//! The action: copies what the listings found, newest first, and looks again where a rotation came in between.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::StreamExt;
use jiff::Timestamp;
use periscope_cluster::ClusterAccess;
use periscope_core::{
    Action, ActionContext, ActionError, Content, Descriptor, ItemDescriptor, PlanContext, PlannedItem, Rbac, Scope,
    Sensitivity, Sink, State,
};
use periscope_host::{Confinement, HostError, HostPath, HostPathError, HostRoot};
use periscope_logs::{Format, UnixNanos, offset_since};

use super::file::{Keeper, Listing, LogFile};
use super::{api, docker_files, pod_files};
use crate::Namespaces;
use crate::host_files::{NodeFile, off_thread, reason_of, record, state_of, too_old};
use crate::planned;

/// Files on their way at once. The sink compresses fewer; the others are open and wait for their turn.
const IN_FLIGHT: usize = 8;

/// What is known about the action beforehand.
pub(crate) static DESCRIPTOR: Descriptor = Descriptor {
    id: "container-logs",
    summary: "Logs of all containers of the chosen namespaces, with earlier instances and rotated files",
    timeout: Duration::from_mins(15),
    // A kubelet rotates at 10 MiB unless told otherwise, dockerd never does.
    limit: 256 * 1024 * 1024,
    rbac: &[
        Rbac {
            group: "",
            resources: &["pods"],
            verbs: &["list"],
            component: None,
        },
        Rbac {
            group: "",
            resources: &["pods/log"],
            verbs: &["get"],
            component: None,
        },
    ],
    scope: Scope::Node,
    sensitivity: Sensitivity::Workload,
    items: &[
        ItemDescriptor::new(
            "pods/<namespace>_<pod>_<uid>/<container>/<file>",
            "each file below /var/log/pods, inflated",
        ),
        ItemDescriptor::new(
            "docker/<namespace>_<pod>_<uid>/<container>/<file>",
            "each log below /var/lib/docker/containers that is not among the former",
        ),
        ItemDescriptor::new(
            "api/<namespace>_<pod>_<uid>/<container>/<instance>.log",
            "the API's logs of the current and the previous instance, where the node's files cannot be reached",
        ),
    ],
};

/// Gathers container logs.
pub(crate) struct ContainerLogs {
    root: HostRoot,
    namespaces: Namespaces,
    cluster: Result<ClusterAccess, String>,
}

impl ContainerLogs {
    /// The logs of containers in `namespaces`, from the files below `root`, or else from `cluster`.
    pub(crate) fn new(root: HostRoot, namespaces: Namespaces, cluster: Result<ClusterAccess, String>) -> Self {
        Self {
            root,
            namespaces,
            cluster,
        }
    }

    /// All log files of the chosen namespaces; an error when not even the kubelet's folder can be listed.
    async fn list(&self) -> Result<Listing, HostError> {
        let (root, namespaces) = (self.root.clone(), self.namespaces.clone());
        let listed = off_thread(move || {
            let mut listing = Listing::default();
            let pods = pod_files::list(&root, &namespaces, &mut listing);
            match (pods, docker_files::list(&root, &namespaces, &mut listing)) {
                (Ok(()), Ok(()) | Err(HostError::NotFound { .. })) => Ok(listing),
                (Ok(()), Err(error)) => {
                    listing.miss("docker".to_owned(), &error);
                    Ok(listing)
                }
                (Err(error), Ok(())) if !listing.files.is_empty() => {
                    listing.miss("pods".to_owned(), &error);
                    Ok(listing)
                }
                (Err(error), _) => Err(error),
            }
        });
        listed.await.unwrap_or_else(|source| {
            Err(HostError::Io {
                path: pod_files::POD_LOGS.to_owned(),
                source,
            })
        })
    }

    /// Copies the files of a listing, and those that a rotation hid from it. Returns whether they cannot be reached.
    async fn copy(&self, cx: &ActionContext, listing: Listing) -> bool {
        let mut taken = Taken::default();
        let gone = self.copy_listed(cx, listing, &mut taken).await;
        if !gone.is_empty() || taken.replaced {
            match self.list().await {
                Ok(mut again) => {
                    again.files.retain(|file| !taken.has(file));
                    self.copy_listed(cx, again, &mut taken).await;
                }
                Err(error) => tracing::warn!(error = reason_of(&error), "The log folders cannot be listed again."),
            }
        }
        for name in gone.into_iter().filter(|name| !taken.names.contains(name)) {
            cx.sink.record(
                &name,
                State::NotPresent,
                "it was renamed or removed while the logs were read",
            );
        }
        taken.denied && !taken.read
    }

    async fn ask_the_api(&self, cx: &ActionContext) {
        match &self.cluster {
            Ok(cluster) => api::copy(cluster, cx, &self.namespaces).await,
            Err(reason) => cx.sink.record("api", State::NotApplicable, reason),
        }
    }

    /// Copies files, and returns the names of those that were no longer there.
    async fn copy_listed(&self, cx: &ActionContext, mut listing: Listing, taken: &mut Taken) -> Vec<String> {
        let sink = &cx.sink;
        for (name, state, reason) in listing.gaps {
            if taken.names.insert(name.clone()) {
                sink.record(&name, state, reason);
            }
        }
        if let Some(since) = cx.since {
            let since = SystemTime::from(since);
            listing.files.retain(|file| {
                let is_old = file.modified < since;
                if is_old {
                    taken.names.insert(file.name.clone());
                    taken.identities.insert(file.identity);
                    sink.record(&file.name, State::NotApplicable, too_old(file.modified));
                }
                !is_old
            });
        }
        listing.files.sort_by_key(|file| std::cmp::Reverse(file.modified));
        for file in &listing.files {
            sink.plan(&file.name);
        }
        let mut copies = futures::stream::iter(listing.files)
            .map(|file| async move {
                let copied = copy_file(&self.root, sink, &file, cx.since).await;
                (file, copied)
            })
            .buffer_unordered(IN_FLIGHT);
        let mut gone = Vec::new();
        while let Some((file, copied)) = copies.next().await {
            match copied {
                Copied::As(identity) => {
                    taken.read = true;
                    taken.replaced |= identity != file.identity;
                    taken.identities.insert(identity);
                    taken.names.insert(file.name);
                }
                Copied::Not(state) => {
                    taken.denied |= state == State::Denied;
                    taken.identities.insert(file.identity);
                    taken.names.insert(file.name);
                }
                Copied::Gone => gone.push(file.name),
            }
        }
        gone
    }
}

#[async_trait]
impl Action for ContainerLogs {
    async fn plan(&self, cx: &PlanContext) -> Option<Vec<PlannedItem>> {
        let listing = match self.list().await {
            Ok(listing) => listing,
            Err(error) => {
                let mut items = vec![PlannedItem::missing("pods", state_of(&error), reason_of(&error))];
                if self.cluster.is_ok() {
                    items.push(PlannedItem::new(
                        "api/<namespace>_<pod>_<uid>/<container>/<instance>.log",
                        "the API server's logs of this node's pods",
                    ));
                }
                return Some(items);
            }
        };
        let (root, since) = (self.root.clone(), cx.since);
        let look = move || {
            let within = confinement().ok()?;
            let gaps = listing.gaps.into_iter();
            let mut items: Vec<_> = gaps
                .map(|(name, state, reason)| PlannedItem::missing(name, state, reason))
                .collect();
            let files = listing.files.into_iter();
            items.extend(files.map(|file| {
                let found = planned::Found {
                    name: file.name,
                    path: file.path,
                    len: file.len,
                    modified: file.modified,
                };
                planned::file(&root, found, Some(&within), since)
            }));
            Some(items)
        };
        off_thread(look).await.ok().flatten()
    }

    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        match self.list().await {
            Ok(listing) if listing.files.is_empty() && listing.gaps.is_empty() => {
                let reason = format!("no container of {} has logs on this node", self.namespaces);
                cx.sink.record("pods", State::NotPresent, reason);
            }
            Ok(listing) => {
                if self.copy(cx, listing).await {
                    self.ask_the_api(cx).await;
                }
            }
            Err(error) => {
                cx.sink.record("pods", state_of(&error), reason_of(&error));
                self.ask_the_api(cx).await;
            }
        }
        Ok(())
    }
}

/// What has its state so far.
#[derive(Default)]
struct Taken {
    identities: HashSet<(u64, u64)>,
    names: HashSet<String>,
    /// Some file was read.
    read: bool,
    /// Some file may not be read.
    denied: bool,
    /// Some file was another one when it was opened than when it was listed.
    replaced: bool,
}

impl Taken {
    fn has(&self, file: &LogFile) -> bool {
        // A name of the kubelet's stands for the same content once it is rotated, compressed or not; what is in a new
        // unrotated file was written after that name was read.
        self.identities.contains(&file.identity) || (file.keeper == Keeper::Kubelet && self.names.contains(&file.name))
    }
}

/// What became of one file.
enum Copied {
    /// The file with this identity was read.
    As((u64, u64)),
    /// It has this state, and nothing was read.
    Not(State),
    /// It is no longer there, and has no state yet.
    Gone,
}

async fn copy_file(root: &HostRoot, sink: &Sink, file: &LogFile, since: Option<Timestamp>) -> Copied {
    let (root, path, keeper) = (root.clone(), file.path.clone(), file.keeper);
    let opened = off_thread(move || {
        let mut open = NodeFile::open_within(&root, &path, &confinement()?)?;
        let content = content_of(keeper, &open);
        if let Some(since) = since.filter(|_| !open.is_gzip()) {
            start_at(&mut open, content, since);
        }
        Ok((open, content))
    });
    match opened.await {
        Ok(Ok((open, content))) => {
            let identity = open.file().identity();
            open.copy_to(sink, &file.name, content).await;
            Copied::As(identity)
        }
        Ok(Err(HostError::NotFound { .. })) => Copied::Gone,
        Ok(Err(error)) => Copied::Not(record(sink, &file.name, &error)),
        Err(error) => {
            sink.record(&file.name, State::Failed, error.to_string());
            Copied::Not(State::Failed)
        }
    }
}

/// Where logs are, and where the links among them lead.
fn confinement() -> Result<Confinement, HostPathError> {
    let folders = [pod_files::POD_LOGS, docker_files::CONTAINERS];
    Confinement::only(folders.into_iter().map(HostPath::new).collect::<Result<_, _>>()?)
}

/// What is in a log file. With docker, the kubelet's files are links to docker's; a compressed one is of its keeper.
fn content_of(keeper: Keeper, file: &NodeFile) -> Content {
    let mut first = [0];
    let is_json = !file.is_gzip() && matches!(file.file().read_at(&mut first, 0), Ok(1)) && first == *b"{";
    if is_json || keeper == Keeper::Docker {
        Content::DockerLog
    } else {
        Content::CriLog
    }
}

/// Leaves out the lines before `since`, as far as the start of the file can be told from the rest without reading all
/// of it. A file that cannot be searched is taken whole.
fn start_at(file: &mut NodeFile, content: Content, since: Timestamp) {
    let format = if content == Content::DockerLog {
        Format::Docker
    } else {
        Format::Cri
    };
    let since = i64::try_from(since.as_nanosecond()).map_or(UnixNanos::new(i64::MAX), UnixNanos::new);
    let len = file.file().len();
    match offset_since(file.file_mut(), len, format, since) {
        Ok(offset) => file.start_at(offset),
        Err(error) => tracing::warn!(%error, "A log cannot be searched for a time: it is taken whole."),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use periscope_testkit::{ActionRun, HostFixture};
    use rstest::rstest;

    use super::*;

    const FOLDER: &str = "pods/kube-system_p_u/c";

    /// The action on a node where something happens after the folders are listed and before the files are opened.
    struct Interrupted {
        action: ContainerLogs,
        meanwhile: Box<dyn Fn() + Send + Sync>,
    }

    #[async_trait]
    impl Action for Interrupted {
        async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
            let listing = self.action.list().await.unwrap();
            (self.meanwhile)();
            self.action.copy(cx, listing).await;
            Ok(())
        }
    }

    /// What is kept of each file: its name and, where there is any, its content.
    async fn kept(node: &HostFixture, meanwhile: impl Fn() + Send + Sync + 'static) -> Vec<(String, Option<String>)> {
        let namespaces = Namespaces::Only(vec!["kube-system".to_owned()]);
        let action = ContainerLogs::new(node.root(), namespaces, Err("no API server".to_owned()));
        let interrupted = Interrupted {
            action,
            meanwhile: Box::new(meanwhile),
        };
        let run = ActionRun::of(&DESCRIPTOR, Arc::new(interrupted)).await;
        let prefix = format!("nodes/node1/container-logs/{FOLDER}/");
        let names = run.items().iter().map(|item| item.path.as_str());
        let names = names.map(|path| path.strip_prefix(&prefix).unwrap_or(path).to_owned());
        let mut kept: Vec<_> = names
            .map(|name| {
                let content = run.content(&format!("{FOLDER}/{name}"));
                (name, content.map(|bytes| String::from_utf8(bytes).unwrap()))
            })
            .collect();
        kept.sort();
        kept
    }

    #[rstest]
    #[case::nothing(&[], &[("0.log", "current"), ("0.log.1", "rotated")])]
    #[case::rotated_and_created_anew(
        &[("mv", "0.log", "0.log.2"), ("new", "0.log", "")],
        &[("0.log", ""), ("0.log.1", "rotated"), ("0.log.2", "current")]
    )]
    #[case::rotated_and_not_created_yet(
        &[("mv", "0.log", "0.log.2")],
        &[("0.log.1", "rotated"), ("0.log.2", "current")]
    )]
    #[case::compressed(
        &[("new", "0.log.1.gz", "compressed"), ("rm", "0.log.1", "")],
        &[("0.log", "current"), ("0.log.1", "compressed")]
    )]
    #[case::everything_moves_on(
        &[("new", "0.log.1.gz", "compressed"), ("rm", "0.log.1", ""), ("mv", "0.log", "0.log.2"), ("new", "0.log", "new")],
        &[("0.log", "new"), ("0.log.1", "compressed"), ("0.log.2", "current")]
    )]
    #[tokio::test]
    async fn a_rotation_in_between_loses_nothing(
        #[case] steps: &'static [(&str, &str, &str)],
        #[case] expected: &[(&str, &str)],
    ) {
        let node = HostFixture::new()
            .file(&format!("/var/log/{FOLDER}/0.log"), "current")
            .file(&format!("/var/log/{FOLDER}/0.log.1"), "rotated");
        let folder = node.real_path(&format!("/var/log/{FOLDER}"));
        let meanwhile = move || {
            for (what, file, argument) in steps {
                match *what {
                    "mv" => fs::rename(folder.join(file), folder.join(argument)),
                    "new" => fs::write(folder.join(file), argument),
                    _ => fs::remove_file(folder.join(file)),
                }
                .unwrap();
            }
        };
        let kept = kept(&node, meanwhile).await;
        let contents: Vec<_> = kept
            .iter()
            .filter_map(|(name, content)| Some((name.as_str(), content.as_deref()?)))
            .collect();
        assert_eq!(contents, expected);
    }

    #[tokio::test]
    async fn a_file_that_is_gone_for_good_is_said_to_be() {
        let node = HostFixture::new().file(&format!("/var/log/{FOLDER}/0.log"), "x");
        let pods = node.real_path("/var/log/pods/kube-system_p_u");
        let kept = kept(&node, move || fs::remove_dir_all(&pods).unwrap()).await;
        assert_eq!(kept, [("0.log".to_owned(), None)]);
    }
}

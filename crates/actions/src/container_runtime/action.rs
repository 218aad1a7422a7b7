//! The action: the files first, then the first socket behind which there is a runtime, else the tools.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use periscope_core::{
    Action, ActionContext, ActionError, Descriptor, ItemDescriptor, PlanContext, PlannedItem, Scope, Sensitivity, Sink,
    State,
};
use periscope_documents::{CallFailure, names};
use periscope_host::{CommandRunner, HostError, HostRoot};

use super::calls::{CallError, Calls};
use super::endpoints::{Endpoint, Speaks, endpoints};
use super::gathered::{Gathered, keep_rows};
use super::{configuration, docker, over_cri, tools};
use crate::host_files::{off_thread, reason_of, state_of};
use crate::kubelet::KnownKubelet;
use crate::planned;

/// What is known about the action beforehand.
pub(crate) static DESCRIPTOR: Descriptor = Descriptor {
    id: names::CONTAINER_RUNTIME,
    summary: "What containerd, CRI-O or docker says over its socket: health, pods, containers and how they ended, images; \
              its configuration without credentials",
    timeout: Duration::from_mins(3),
    limit: 64 * 1024 * 1024,
    rbac: &[],
    scope: Scope::Node,
    sensitivity: Sensitivity::Configuration,
    items: &[
        ItemDescriptor::new(
            names::RUNTIME_CALLS,
            "each question to the runtime: how long the answer took, or why there is none",
        ),
        ItemDescriptor::new(
            names::RUNTIME_VERSION,
            "the socket that answered, name and version of the runtime",
        ),
        ItemDescriptor::new(
            names::RUNTIME_STATUS,
            "the runtime's own conditions, snapshotter, low-level runtime, sandbox image",
        ),
        ItemDescriptor::new(names::RUNTIME_SANDBOXES, "pod sandboxes, ready and not"),
        ItemDescriptor::new(
            names::RUNTIME_CONTAINERS,
            "containers in any state: restarts, exit code, reason, times, what they use; never their environment",
        ),
        ItemDescriptor::new(names::RUNTIME_CONTAINERS_TABLE, "the same as a table"),
        ItemDescriptor::new(names::RUNTIME_IMAGES, "images with their names and sizes"),
        ItemDescriptor::new(
            names::RUNTIME_FILESYSTEM,
            "what images and containers take of their file systems",
        ),
        ItemDescriptor::new(
            names::RUNTIME_PLUGINS,
            "plug-ins of containerd, snapshotters among them, and why some were not loaded",
        ),
        ItemDescriptor::new(
            "files/<path>",
            "configuration of containerd, CRI-O, docker and crictl, without credentials of registries",
        ),
        ItemDescriptor::new(
            "tools/<file>",
            "tables of crictl, ctr and docker, where the socket cannot be reached",
        ),
    ],
};

/// Gathers the container runtime.
pub(crate) struct ContainerRuntime {
    root: HostRoot,
    commands: Arc<dyn CommandRunner>,
}

/// What became of the search for a runtime.
enum Search {
    /// It answered at this socket.
    Answered(Endpoint, Box<Gathered>),
    /// There is a socket, and behind it no runtime that answers.
    Silent(CallError),
    /// There is no socket that this process may use.
    OutOfReach(CallError),
}

#[async_trait]
impl Action for ContainerRuntime {
    async fn plan(&self, _cx: &PlanContext) -> Option<Vec<PlannedItem>> {
        let root = self.root.clone();
        off_thread(move || plan(&root)).await.ok()
    }

    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        let sink = &cx.sink;
        configuration::gather(&self.root, sink).await;
        let root = self.root.clone();
        let known = off_thread(move || KnownKubelet::look(&root).settings).await;
        let told = known.ok().and_then(|settings| settings.container_runtime_endpoint);
        let mut calls = Calls::default();
        match self.search(&mut calls, endpoints(told.as_deref())).await {
            Search::Answered(endpoint, gathered) => gathered.keep(sink, endpoint.path.as_str()).await,
            Search::Silent(error) => Gathered::nothing(&error).keep(sink, "").await,
            Search::OutOfReach(error) => self.ask_tools(sink, error).await,
        }
        keep_rows(sink, names::RUNTIME_CALLS, "", Ok(calls.rows().to_vec())).await;
        Ok(())
    }
}

impl ContainerRuntime {
    /// The runtime of the node below `root`; `commands` are asked where its socket cannot be reached.
    pub(crate) fn new(root: HostRoot, commands: Arc<dyn CommandRunner>) -> Self {
        Self { root, commands }
    }

    /// Asks at each endpoint until there is a runtime.
    async fn search(&self, calls: &mut Calls, endpoints: Vec<Endpoint>) -> Search {
        let mut nowhere = CallError {
            failure: CallFailure::NoSocket,
            message: "the node has no socket of containerd, CRI-O or docker".to_owned(),
        };
        let mut empty = None;
        for endpoint in endpoints {
            let asked = match endpoint.speaks {
                Speaks::Cri => over_cri::gather(&self.root, calls, &endpoint.path).await,
                Speaks::Docker => docker::gather(&self.root, calls, &endpoint.path).await,
            };
            match asked {
                // The containerd below a docker that the kubelet uses has no pods.
                Ok(gathered) if !endpoint.is_the_kubelets && is_empty(&gathered) => {
                    empty.get_or_insert((endpoint, gathered));
                }
                Ok(gathered) => return Search::Answered(endpoint, Box::new(gathered)),
                Err(error) => match error.failure {
                    CallFailure::NoSocket if endpoint.is_the_kubelets => {
                        nowhere.message = format!("the kubelet's socket {} does not exist", endpoint.path);
                    }
                    CallFailure::Unimplemented => nowhere = error,
                    CallFailure::Denied => return Search::OutOfReach(error),
                    CallFailure::Refused | CallFailure::TimedOut | CallFailure::Error if empty.is_none() => {
                        return Search::Silent(error);
                    }
                    CallFailure::NoSocket | CallFailure::Refused | CallFailure::TimedOut | CallFailure::Error => {}
                },
            }
        }
        match empty {
            Some((endpoint, gathered)) => Search::Answered(endpoint, Box::new(gathered)),
            None => Search::OutOfReach(nowhere),
        }
    }

    async fn ask_tools(&self, sink: &Sink, error: CallError) {
        let answered = tools::gather(&*self.commands, sink).await;
        let error = CallError {
            message: if answered {
                format!("{}; the node's tools were asked instead", error.message)
            } else {
                error.message
            },
            ..error
        };
        Gathered::nothing(&error).keep(sink, "").await;
    }
}

/// The files, and the documents of the first socket that is there. It is connected to, for only that shows whether it
/// may be used, and nothing is asked. Blocks.
fn plan(root: &HostRoot) -> Vec<PlannedItem> {
    let patterns = configuration::TOML_FILES
        .iter()
        .chain(configuration::OTHER_FILES.iter().map(|(path, _)| path));
    let mut items: Vec<_> = patterns
        .flat_map(|pattern| planned::matching(root, pattern, "files"))
        .collect();
    let told = KnownKubelet::look(root).settings.container_runtime_endpoint;
    let mut outcome = Err((
        State::NotPresent,
        "the node has no socket of containerd, CRI-O or docker".to_owned(),
    ));
    for endpoint in endpoints(told.as_deref()) {
        match root.connect(&endpoint.path) {
            Err(HostError::NotFound { .. }) => continue,
            // That nobody answers there is worth being told.
            Ok(_) | Err(HostError::Connect { .. }) => outcome = Ok(endpoint.path.to_string()),
            Err(error) => outcome = Err((state_of(&error), reason_of(&error))),
        }
        break;
    }
    let documents = DESCRIPTOR.items.iter().filter(|item| item.is_fixed());
    items.extend(documents.map(|item| match &outcome {
        Ok(socket) => PlannedItem::new(item.path, socket),
        Err((state, reason)) => PlannedItem::missing(item.path, *state, reason),
    }));
    items
}

/// Whether no pod is known there.
fn is_empty(gathered: &Gathered) -> bool {
    gathered.sandboxes.as_ref().is_ok_and(Vec::is_empty)
}

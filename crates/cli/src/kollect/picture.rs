//! The live picture of nodes, pods and rows, kept up to date by watches: a cluster of hundreds of nodes is read once,
//! and then only what changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::api::{Api, DynamicObject, ListParams};
use kube::runtime::watcher::{self, Config};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use kube::{Client, Resource};
use periscope_agent::rows::{MADE_BEFORE, Row, made_before_message, resource};
use periscope_core::RunId;
use periscope_manifests::names;
use serde::de::DeserializeOwned;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::api::{ApiError, ask};
use super::facts::{NodeFacts, PodFacts, SetFacts};
use super::standing::Seen;

/// How long one watch lasts, in seconds: less than the 30 s for which a connection of the client may be silent.
const WATCH_SECONDS: u32 = 20;
/// How often events are asked for while nodes lack a pod.
const EVENTS_EVERY: Duration = Duration::from_secs(5);
/// Most events of the controller that are looked at.
const MAX_EVENTS: u32 = 50;
/// The same of the agents: each may say once that it has made the run before.
const MAX_AGENT_EVENTS: u32 = 5_000;

/// What is known by now.
pub(super) struct Picture {
    set: Api<DaemonSet>,
    events: Api<Event>,
    nodes: Kept<NodeFacts>,
    pods: Kept<PodFacts>,
    rows: Kept<Row>,
    made_before: String,
    facts: Mutex<Facts>,
    _watches: DropGuard,
}

/// What is asked for now and then.
#[derive(Default)]
struct Facts {
    set: SetFacts,
    refusal: Option<String>,
    made_before: BTreeSet<String>,
}

type Kept<T> = Arc<Mutex<BTreeMap<String, T>>>;

impl Picture {
    /// Begins to watch. Ends with the picture.
    pub(super) fn watch(client: &Client, namespace: &str, run: &RunId) -> Self {
        let ended = CancellationToken::new();
        let all = Config::default().timeout(WATCH_SECONDS);
        let agents = all.clone().labels(&format!("{}={}", names::LABEL, names::DAEMON_SET));
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let rows: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource());
        let node = |node: Node| NodeFacts::of(&node);
        let pod = |pod: Pod| PodFacts::of(&pod);
        let row = |object: DynamicObject| Row::read(object).ok();
        Self {
            set: Api::namespaced(client.clone(), namespace),
            events: Api::namespaced(client.clone(), namespace),
            nodes: keep(
                Api::all(client.clone()),
                all.clone(),
                move |object| Some(node(object)),
                &ended,
            ),
            pods: keep(pods, agents, move |object| Some(pod(object)), &ended),
            rows: keep(rows, all, row, &ended),
            made_before: made_before_message(run),
            facts: Mutex::default(),
            _watches: ended.drop_guard(),
        }
    }

    /// Looks at the set of agents, at why it cannot make pods, and at who has made the run before. Goes on for ever.
    pub(super) async fn look_at_set(&self) {
        loop {
            let set = ask("get the agents", self.set.get(names::DAEMON_SET)).await;
            let events = ask("list events", self.events.list(&refusals())).await;
            let said = ask("list events", self.events.list(&said_by_agents())).await;
            {
                let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
                if let Ok(set) = set {
                    facts.set = SetFacts::of(&set);
                }
                if let Ok(events) = events {
                    facts.refusal = events.items.into_iter().filter_map(|event| event.message).next_back();
                }
                if let Ok(said) = said {
                    let of_run = said
                        .items
                        .into_iter()
                        .filter(|event| event.message.as_ref() == Some(&self.made_before));
                    facts.made_before = of_run.filter_map(|event| event.involved_object.name).collect();
                }
            }
            tokio::time::sleep(EVENTS_EVERY).await;
        }
    }

    /// What is known by now.
    pub(super) fn seen(&self) -> Seen {
        let rows = held(&self.rows);
        let pods = held(&self.pods);
        // A pod that ends and the one after it are on the same node for a while: the later one counts.
        let mut by_node: BTreeMap<String, PodFacts> = BTreeMap::new();
        for pod in pods.into_values() {
            let place = by_node.entry(pod.node.clone());
            place
                .and_modify(|known| {
                    if known.is_ending {
                        *known = pod.clone();
                    }
                })
                .or_insert(pod);
        }
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        Seen {
            nodes: held(&self.nodes),
            pods: by_node,
            rows: rows
                .into_values()
                .filter_map(|row| Some((row.node()?.to_owned(), row)))
                .collect(),
            set: facts.set.clone(),
            refusal: facts.refusal.clone(),
            made_before: facts.made_before.clone(),
        }
    }
}

/// Events in which the controller says why it cannot make a pod.
fn refusals() -> ListParams {
    let which = format!(
        "involvedObject.kind=DaemonSet,involvedObject.name={},reason=FailedCreate",
        names::DAEMON_SET
    );
    ListParams::default().fields(&which).limit(MAX_EVENTS)
}

/// Events in which agents say that they make no run again.
fn said_by_agents() -> ListParams {
    let which = format!("involvedObject.kind=Pod,reason={MADE_BEFORE}");
    ListParams::default().fields(&which).limit(MAX_AGENT_EVENTS)
}

/// All nodes, before anything is watched.
pub(super) async fn nodes_of(client: &Client) -> Result<BTreeMap<String, NodeFacts>, ApiError> {
    /// Nodes asked for at once.
    const PAGE: u32 = 500;
    let api: Api<Node> = Api::all(client.clone());
    let mut nodes = BTreeMap::new();
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let list = ask("list nodes", api.list(&page)).await?;
        nodes.extend(
            list.items
                .iter()
                .filter_map(|node| Some((node.metadata.name.clone()?, NodeFacts::of(node)))),
        );
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(nodes),
        }
    }
}

fn held<T: Clone>(kept: &Kept<T>) -> BTreeMap<String, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Keeps the facts of all objects, by name, until `ended`.
fn keep<K, T>(
    api: Api<K>,
    config: Config,
    facts: impl Fn(K) -> Option<T> + Send + 'static,
    ended: &CancellationToken,
) -> Kept<T>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    T: Send + 'static,
{
    let kept: Kept<T> = Arc::default();
    let into = Arc::clone(&kept);
    let mut events = watch(api, config).default_backoff().into_stream().boxed();
    let ended = ended.clone();
    tokio::spawn(async move {
        // Of a list that begins, what was known before stays until the list is whole.
        let mut listed: BTreeMap<String, T> = BTreeMap::new();
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = ended.cancelled() => return,
            };
            let name = |object: &K| object.meta().name.clone().unwrap_or_default();
            let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                Some(Ok(watcher::Event::Init)) => listed.clear(),
                Some(Ok(watcher::Event::InitApply(object))) => {
                    let name = name(&object);
                    listed.extend(facts(object).map(|facts| (name, facts)));
                }
                Some(Ok(watcher::Event::InitDone)) => *kept = std::mem::take(&mut listed),
                Some(Ok(watcher::Event::Apply(object))) => {
                    let name = name(&object);
                    kept.extend(facts(object).map(|facts| (name, facts)));
                }
                Some(Ok(watcher::Event::Delete(object))) => {
                    kept.remove(&name(&object));
                }
                // The API server is away, or says why not: it is asked again, with growing pauses.
                Some(Err(error)) => tracing::debug!(%error, "A watch broke."),
                None => return,
            }
        }
    });
    kept
}

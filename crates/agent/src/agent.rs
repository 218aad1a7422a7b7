//! The main loop: hears of runs, and makes one after another.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use periscope_core::{NodeName, RunId};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::configuration::{Configuration, Sources};
use crate::election::{Decided, Election};
use crate::former::FormerRow;
use crate::health::Health;
use crate::memory::{MAX_ATTEMPTS, Memory};
use crate::secret::PodCredentials;
use crate::trigger::{Signal, Trigger};
use crate::{Collect, Ending, Part, Reporter, Run};

/// Runs that wait for the one under way. More than that wait at the API server.
pub const MAX_QUEUED: usize = 16;

/// How long a run that waits lets an election go on. Who is first in line knows it within a second or two, and who is
/// to stand in for it may have to wait for minutes.
const ELECTION_TIME: Duration = Duration::from_secs(15);

/// How long another agent may have the folder at the start: one that was told to end is killed when its pod's grace
/// period is over, 60 s in our manifests. It ends on its own well before, and with the next agent its run would be made
/// twice at a time.
const ENDED_WITHIN: Duration = Duration::from_secs(65);

/// Time between two looks whether it has ended.
const LOOK: Duration = Duration::from_secs(1);

/// What a few kilobytes on the node's disk may take: a node whose disk hangs is one to tell of.
const DISK_TIME: Duration = Duration::from_secs(5);

/// What the agent must know.
pub struct AgentSettings {
    /// The node it is on.
    pub node: NodeName,
    /// Its folder on the node, which the archives are put in; it need not be there, nor be writable.
    pub folder: PathBuf,
    /// The namespace it is in.
    pub namespace: String,
    /// Where its settings are.
    pub sources: Sources,
    /// For single requests.
    pub client: Option<Client>,
    /// For the watch: one that lets a connection be silent for [`WATCH_READ_TIMEOUT`](crate::WATCH_READ_TIMEOUT).
    pub watching_client: Option<Client>,
    /// How long a run that is told to end may take for that. What the reporter needs to tell of it comes on top.
    pub grace: Duration,
}

/// The resident role.
pub struct Agent {
    pub(crate) settings: AgentSettings,
    pub(crate) collect: Arc<dyn Collect>,
    pub(crate) reporter: Arc<dyn Reporter>,
    pub(crate) election: Arc<dyn Election>,
    pub(crate) health: Arc<Health>,
    pub(crate) credentials: Arc<PodCredentials>,
    memory: Arc<Mutex<Memory>>,
}

/// A run that is to be made.
#[derive(Clone)]
struct Wanted {
    id: RunId,
    configuration: Arc<Configuration>,
}

impl Agent {
    /// An agent that does only its node's part of a run; see [`with_election`](Self::with_election).
    pub fn new(settings: AgentSettings, collect: Arc<dyn Collect>, reporter: Arc<dyn Reporter>) -> Self {
        let client = settings.client.clone();
        let client = client.map(|client| (client, settings.namespace.clone()));
        Self {
            collect,
            reporter,
            election: Arc::new(Decided(false)),
            health: Arc::new(Health::new()),
            credentials: Arc::new(PodCredentials::new(client, settings.sources.clone())),
            memory: Arc::new(Mutex::new(Memory::new(&settings.folder))),
            settings,
        }
    }

    /// Lets it do the cluster's part when it is elected for that.
    #[must_use]
    pub fn with_election(mut self, election: Arc<dyn Election>) -> Self {
        self.election = election;
        self
    }

    /// Lets it say how it is doing to [`serve`](crate::serve).
    #[must_use]
    pub fn with_health(mut self, health: Arc<Health>) -> Self {
        self.health = health;
        self
    }

    /// Makes runs until `cancel` is cancelled; ends then within the grace period.
    pub async fn run(self, cancel: CancellationToken) {
        let agent = Arc::new(self);
        if cancel.run_until_cancelled(agent.recall()).await.is_none() {
            return agent.health.over();
        }
        let (queue, mut wanted) = mpsc::channel(MAX_QUEUED);
        let hearing = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&agent).hear(queue)));
        let mut next = None;
        loop {
            let run = tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                run = async { if next.is_some() { next.take() } else { wanted.recv().await } } => run,
            };
            // It hears for ever, unless it panicked: then this ends, and the kubelet starts it anew.
            let Some(run) = run else { break };
            agent.health.taken();
            next = agent.make(&run, &mut wanted, &cancel).await;
            if cancel.is_cancelled() {
                break;
            }
        }
        drop(hearing);
        agent.health.over();
    }

    /// Recalls what agents before this one did, once the last of them has ended. One that does not end is of another
    /// installation, and has the folder to itself.
    async fn recall(&self) {
        let until = Instant::now() + ENDED_WITHIN;
        let mut told = false;
        loop {
            let memory = Arc::clone(&self.memory);
            let can_wait = Instant::now() < until;
            // Of a disk that hangs nothing is recalled.
            if on_disk(move || lock(&memory).recall(can_wait)).await.unwrap_or(true) {
                return;
            }
            if !std::mem::replace(&mut told, true) {
                let folder = self.settings.folder.display();
                tracing::info!("Waiting for another agent on this node to end, which has {folder}.");
            }
            sleep(LOOK).await;
        }
    }

    /// Hears of runs, for ever, and puts those that were not made yet into the queue.
    async fn hear(self: Arc<Self>, queue: mpsc::Sender<Wanted>) {
        let settings = &self.settings;
        let watching = settings.watching_client.clone();
        let mut trigger = Trigger::start(watching, &settings.namespace, settings.sources.clone());
        let mut latest: Option<Wanted> = None;
        let mut settled = false;
        loop {
            let wanted = match trigger.next().await {
                Signal::Run { id, configuration } => {
                    let run = Wanted { id, configuration };
                    latest = Some(run.clone());
                    // An id that comes later is new to everybody.
                    let by_another = !settled && self.was_made_by_another(&run.id).await;
                    if by_another {
                        let now = Timestamp::now();
                        self.remember(&run.id, move |memory, id| memory.close(id, now)).await;
                    }
                    let now = Timestamp::now();
                    if self.remember(&run.id, move |memory, id| memory.accept(id, now)).await {
                        vec![run]
                    } else {
                        tracing::info!(run = %run.id, "The run was made before.");
                        // After a restart the id is still there, and the row says what became of it.
                        if settled || !by_another && self.has_no_row().await {
                            self.tell_made_before(&run.id).await;
                        }
                        Vec::new()
                    }
                }
                Signal::Again { id } => {
                    tracing::warn!(run = %id, "No run is made: its id was set before, expected another one.");
                    // One that is still to be made will be told of.
                    if self.remember(&id, |memory, id| memory.is_over(id)).await {
                        self.tell_made_before(&id).await;
                    }
                    Vec::new()
                }
                Signal::Settled => {
                    settled = true;
                    self.health.listening();
                    self.left_unfinished(latest.as_ref()).await
                }
            };
            for run in wanted {
                tracing::info!(run = %run.id, "The run is to be made.");
                self.health.queued();
                if queue.send(run).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Whether this agent knows nothing of the run, and the node's row does.
    async fn was_made_by_another(&self, id: &RunId) -> bool {
        match self.former_row() {
            Some(row) if !self.remember(id, |memory, id| memory.knows(id)).await => row.has_made(id).await,
            _ => false,
        }
    }

    async fn has_no_row(&self) -> bool {
        match self.former_row() {
            Some(row) => row.is_absent().await,
            None => false,
        }
    }

    /// The node's row, where there is an API server to ask.
    fn former_row(&self) -> Option<FormerRow<'_>> {
        let AgentSettings {
            client,
            namespace,
            node,
            ..
        } = &self.settings;
        let client = client.as_ref()?;
        Some(FormerRow {
            client,
            namespace,
            node,
        })
    }

    /// Makes what is not made yet of a run. The run after it, where that was heard of meanwhile and already taken from
    /// the queue.
    async fn make(
        &self,
        wanted: &Wanted,
        queue: &mut mpsc::Receiver<Wanted>,
        cancel: &CancellationToken,
    ) -> Option<Wanted> {
        let id = &wanted.id;
        let now = Timestamp::now();
        let attempt = self.remember(id, move |memory, id| memory.begin(id, now)).await?;
        if attempt > MAX_ATTEMPTS {
            self.give_up(id, attempt).await;
            return None;
        }
        let mut next = None;
        for part in [Part::Node, Part::Cluster] {
            if self.remember(id, move |memory, id| memory.has_ended(id, part)).await {
                continue;
            }
            let ours = part == Part::Node
                || tokio::select! {
                    biased;
                    () = cancel.cancelled() => return next,
                    ours = self.election.is_ours(id) => ours,
                    run = later(queue) => {
                        next = run;
                        false
                    }
                };
            if ours && self.make_part(id, part, attempt, &wanted.configuration, cancel).await {
                return next;
            }
            self.remember(id, move |memory, id| memory.end(id, part)).await;
        }
        next
    }

    async fn give_up(&self, id: &RunId, attempt: u32) {
        tracing::error!(run = %id, "The run is given up after {MAX_ATTEMPTS} attempts.");
        let node_ended = self.remember(id, |memory, id| memory.has_ended(id, Part::Node)).await;
        let run = Run {
            id: id.clone(),
            part: if node_ended { Part::Cluster } else { Part::Node },
            started: Timestamp::now(),
            attempt,
        };
        let why = format!(
            "run {id} is given up: {MAX_ATTEMPTS} attempts at it ended before they were done, expected the agent not to be killed \
             (see the last state of its container)"
        );
        self.health.ended(&run, &Ending::failed(why.clone()));
        self.tell_begin(&run).await;
        self.tell_end(&run, &Ending::failed(why)).await;
        for part in [Part::Node, Part::Cluster] {
            self.remember(id, move |memory, id| memory.end(id, part)).await;
        }
    }

    /// The runs that an earlier agent left unfinished, but for the one that is wanted now. Their own settings are not
    /// known any longer.
    async fn left_unfinished(&self, latest: Option<&Wanted>) -> Vec<Wanted> {
        let memory = Arc::clone(&self.memory);
        let left = on_disk(move || lock(&memory).unfinished(Timestamp::now())).await;
        let configuration = match latest {
            Some(latest) => Arc::clone(&latest.configuration),
            None => Arc::new(Configuration::read(&self.settings.sources)),
        };
        let left = left.unwrap_or_default().into_iter();
        let left = left.filter(|id| latest.is_none_or(|latest| latest.id != *id));
        left.map(|id| Wanted {
            id,
            configuration: Arc::clone(&configuration),
        })
        .collect()
    }

    /// Looks into the memory, or writes it, off the threads that must not block.
    async fn remember<T: Default + Send + 'static>(
        &self,
        id: &RunId,
        act: impl FnOnce(&mut Memory, &RunId) -> T + Send + 'static,
    ) -> T {
        let memory = Arc::clone(&self.memory);
        let id = id.clone();
        on_disk(move || act(&mut lock(&memory), &id)).await.unwrap_or_default()
    }
}

/// The next run, though not before there was time to decide whose the cluster's part of this one is.
async fn later(queue: &mut mpsc::Receiver<Wanted>) -> Option<Wanted> {
    sleep(ELECTION_TIME).await;
    queue.recv().await
}

/// Waits for what touches the node's disk, but not for one that hangs: `None`, and the run goes on without.
pub(crate) async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let Ok(done) = timeout(DISK_TIME, spawn_blocking(work)).await else {
        tracing::warn!("The node's disk does not answer.");
        return None;
    };
    // It fails only where the runtime is going down, and everything with it.
    done.ok()
}

fn lock(memory: &Mutex<Memory>) -> std::sync::MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Which runs are to be made: every new run id, from wherever it comes first.
//!
//! The API server says it within milliseconds; the mounted file follows up to two minutes later and is what there is
//! when the API server cannot be asked; the environment is as it was when the pod was made. Whether a run was already
//! made by an earlier process is not known here.

mod backoff;
mod creation;
mod ids;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use periscope_core::RunId;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use crate::configuration::{Configuration, Folder, Sources, keys};
use ids::Ids;
use watch::Seen;
pub use watch::{CONFIG_MAP_NAME, WATCH_READ_TIMEOUT};

/// How long the API server is waited for before the mounted file, which may be behind, is believed.
const HEAD_START: Duration = Duration::from_secs(5);

/// How often the mounted file is looked at: one open of a file in memory.
const FILE_EVERY: Duration = Duration::from_secs(2);

/// What the agent is told.
#[derive(Debug, Clone)]
pub(crate) enum Signal {
    /// A run id that was not there before, with the settings that came with it.
    Run {
        /// The id.
        id: RunId,
        /// The settings.
        configuration: Arc<Configuration>,
    },
    /// A run id that was there before is set anew: no run.
    Again {
        /// The id.
        id: RunId,
    },
    /// The first look at all that can be looked at is over, and what it gave was told before. Once.
    Settled,
}

/// Listens in a task of its own, which ends with it.
pub(crate) struct Trigger {
    signals: mpsc::Receiver<Signal>,
    _listening: AbortOnDropHandle<()>,
}

impl Trigger {
    /// Begins to listen. `client` must let a connection be silent for [`WATCH_READ_TIMEOUT`].
    pub(crate) fn start(client: Option<Client>, namespace: &str, sources: Sources) -> Self {
        let (out, signals) = mpsc::channel(1);
        let listener = Listener {
            client,
            namespace: namespace.to_owned(),
            sources,
            out,
            ids: Ids::default(),
            mounted: None,
            said: None,
            named_after_pods: false,
            settled: false,
        };
        Self {
            signals,
            _listening: AbortOnDropHandle::new(tokio::spawn(listener.listen())),
        }
    }

    /// The next one. Who does not ask for it holds up the watch, and loses nothing by that.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub(crate) async fn next(&mut self) -> Signal {
        match self.signals.recv().await {
            Some(signal) => signal,
            // The listener never ends by itself.
            None => std::future::pending().await,
        }
    }
}

struct Listener {
    client: Option<Client>,
    namespace: String,
    sources: Sources,
    out: mpsc::Sender<Signal>,
    ids: Ids,
    /// The run id that was last in the mounted file, or is in the environment.
    mounted: Option<String>,
    /// The run id that the API server said last.
    said: Option<String>,
    /// The one run of a manifest of the first era was told.
    named_after_pods: bool,
    settled: bool,
}

/// Nobody listens any longer.
struct Over;

impl Listener {
    async fn listen(mut self) {
        // It only ends because nobody listens, which is no error.
        let Err(Over) = self.listen_for_ever().await;
    }

    async fn listen_for_ever(&mut self) -> Result<std::convert::Infallible, Over> {
        let (tell, mut seen) = mpsc::channel(1);
        let watching = self
            .client
            .clone()
            .map(|client| watch::watch(client, self.namespace.clone(), tell));
        let _watching = watching.map(|watching| AbortOnDropHandle::new(tokio::spawn(watching)));
        let mut watched = true;
        let mut away = None;
        let mut file = interval(FILE_EVERY);
        file.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let head_start = Instant::now() + HEAD_START;
        loop {
            tokio::select! {
                event = seen.recv(), if watched => match event {
                    Some(Seen::Content(data)) => {
                        say_back(&mut away);
                        self.consider_content(&data).await?;
                    }
                    Some(Seen::Absent) => {
                        say_back(&mut away);
                        self.consider_absence().await?;
                    }
                    Some(Seen::Away(why)) => {
                        if away.as_ref() != Some(&why) {
                            tracing::warn!("Cannot watch ConfigMap {CONFIG_MAP_NAME}, looking at its mounted files instead: {why}.");
                            away = Some(why);
                        }
                        self.consider_pod().await?;
                    }
                    None => {
                        watched = false;
                        self.consider_pod().await?;
                    }
                },
                () = sleep_until(head_start), if !self.settled => self.consider_pod().await?,
                _ = file.tick(), if self.settled => self.consider_pod().await?,
            }
        }
    }

    async fn consider_content(&mut self, data: &BTreeMap<String, String>) -> Result<(), Over> {
        if !self.settled {
            // Where the mounted file says something else now, it is behind.
            self.mounted = self.mounted_id();
        }
        let id = data.get(keys::RUN_ID).map_or("", |id| id.trim());
        if let Some(id) = self.admit(id) {
            let configuration = Configuration::of_config_map(data, &self.sources);
            self.tell_run(id, configuration).await?;
        } else if self.said.as_ref().is_some_and(|said| said != id)
            && let Some(id) = self.ids.known(id)
        {
            self.tell(Signal::Again { id }).await?;
        }
        self.said = Some(id.to_owned());
        self.settle().await
    }

    async fn consider_absence(&mut self) -> Result<(), Over> {
        let wanted = !self.named_after_pods && self.sources.is_era_a();
        if let Some(client) = self.client.clone().filter(|_| wanted)
            && let Some(id) = creation::run_id(&client, &self.namespace).await
        {
            self.named_after_pods = true;
            if let Some(id) = self.admit(id.as_str()) {
                self.tell_run(id, Configuration::read(&self.sources)).await?;
            }
        }
        self.consider_pod().await
    }

    /// Looks at what is mounted, or in the environment. Only a change counts: what the API server said is newer than
    /// what was there before it.
    async fn consider_pod(&mut self) -> Result<(), Over> {
        let mounted = self.mounted_id();
        if mounted != self.mounted {
            self.mounted.clone_from(&mounted);
            if let Some(id) = mounted.and_then(|id| self.admit(&id)) {
                self.tell_run(id, Configuration::read(&self.sources)).await?;
            }
        }
        self.settle().await
    }

    fn mounted_id(&self) -> Option<String> {
        self.sources.value(Folder::Config, keys::RUN_ID, &mut Vec::new())
    }

    /// An empty id is none: the agent is to be idle.
    fn admit(&mut self, id: &str) -> Option<RunId> {
        if id.is_empty() { None } else { self.ids.admit(id) }
    }

    async fn tell_run(&self, id: RunId, configuration: Configuration) -> Result<(), Over> {
        let configuration = Arc::new(configuration);
        self.tell(Signal::Run { id, configuration }).await
    }

    async fn settle(&mut self) -> Result<(), Over> {
        if self.settled {
            return Ok(());
        }
        self.settled = true;
        self.tell(Signal::Settled).await
    }

    async fn tell(&self, signal: Signal) -> Result<(), Over> {
        self.out.send(signal).await.map_err(|_| Over)
    }
}

fn say_back(away: &mut Option<String>) {
    if away.take().is_some() {
        tracing::info!("ConfigMap {CONFIG_MAP_NAME} is watched again.");
    }
}

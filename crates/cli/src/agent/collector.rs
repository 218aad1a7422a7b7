//! Makes the runs that the agent orders, from the same parts as the command `collect`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use periscope_actions::Entry;
use periscope_agent::{Collect, Collector, Order, Outcome, Part, Progress, Update};
use periscope_cluster::ClusterAccess;
use periscope_core::{ActionRecord, AnalyzeError, Archive, ExportContext, Exporter, NodeInfo, Scope, State};
use periscope_exporters::DirExporter;
use periscope_host::HostRoot;
use periscope_sampling::Flusher;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::delivery::Delivery;
use super::lists::usable;
use super::settings::{self, Own};
use crate::exit::in_one_line;
use crate::run::{Gathered, Run, RunLog, Settings, actions_of, node_info};
use crate::storage::Storage;

/// The actions whose results `az aks kanalyze` shows: they go first, and take seconds.
const FIRST: [&str; 3] = ["dns", "kubelet", "network-outbound"];
/// Collectors of projects that are archived.
const ARCHIVED: [Collector; 2] = [Collector::Osm, Collector::Smi];
/// How often the agent is told how far a run is; it decides itself how often it passes that on.
const LOOK: Duration = Duration::from_secs(1);
/// What failed that is named in a row; the manifest has everything.
const MAX_FAILURES: usize = 20;

/// Makes runs on this node.
pub(super) struct NodeRuns {
    pub(super) own: Own,
    pub(super) root: HostRoot,
    pub(super) cluster: Result<ClusterAccess, String>,
    pub(super) log: RunLog,
    /// Has the samples written that a run reads.
    pub(super) flusher: Flusher,
}

#[async_trait]
impl Collect for NodeRuns {
    async fn collect(
        &self,
        order: Order,
        updates: mpsc::Sender<Update>,
        cancel: CancellationToken,
    ) -> Result<Outcome, String> {
        let made = self.make(order, updates, cancel).await;
        made.map_err(|error| in_one_line(error.as_ref()))
    }
}

impl NodeRuns {
    async fn make(
        &self,
        mut order: Order,
        updates: mpsc::Sender<Update>,
        cancel: CancellationToken,
    ) -> Result<Outcome> {
        let part = order.part;
        self.log.clear();
        let (configuration, mut problems) = usable(&order.configuration);
        for line in &problems {
            warn!("The lists of the ConfigMap are not as expected: {line}.");
        }
        problems.extend(configuration.problems.iter().cloned());
        order.configuration = Arc::new(configuration);
        let (mut settings, storage) = settings::of(&order.configuration, &order.run_id, &self.own)?;
        settings.actions.alone = false;
        let archived = order
            .configuration
            .collectors
            .iter()
            .filter(|word| ARCHIVED.contains(word));
        settings.actions.archived_collectors = archived.map(|word| word.as_str().to_owned()).collect();
        let delivery = Delivery::new(
            storage,
            order,
            self.own.clone(),
            self.root.clone(),
            self.cluster.as_ref().ok().cloned(),
        );
        let storage_host = delivery.storage().and_then(Result::ok).as_ref().and_then(Storage::host);
        let entries = entries(&settings, part);
        let node = self.node(part)?;
        let folder = settings.output.as_deref().unwrap_or(&self.own.output);
        let run = Run::new(&settings, node, folder, self.log.clone(), cancel.clone())?;
        let records = {
            let telling = tell_progress(&run, entries.len(), &updates);
            let gathering = self.gather(&run, &settings, &entries, storage_host, part, &updates);
            tokio::select! {
                records = gathering => records,
                never = telling => never,
            }
        };
        let gathered = progress_of(&run.progress(), entries.len());
        // Nobody need listen.
        updates.send(Update::Progress(gathered.clone())).await.ok();
        let Gathered {
            manifest,
            findings,
            archive,
        } = run.close(records, delivery.formats()).await?;
        let cx = ExportContext {
            cancel: CancellationToken::new(),
        };
        let local = DirExporter::new(folder, vec![settings.format]);
        // The storage may still take what this disk does not.
        let written = local.export(&cx, Arc::clone(&archive) as Arc<dyn Archive>).await;
        let uploads = delivery.deliver(archive, cancel, updates, gathered).await;
        let mut failures: Vec<_> = written
            .as_ref()
            .err()
            .map(|error| in_one_line(error))
            .into_iter()
            .chain(problems)
            .collect();
        failures.extend(manifest.missing().map(|missing| missing.to_string()).take(MAX_FAILURES));
        Ok(Outcome {
            completeness: manifest.completeness,
            states: manifest.counts().into_iter().collect(),
            failures,
            findings,
            archives: written.unwrap_or_default(),
            uploads,
        })
    }

    async fn gather(
        &self,
        run: &Run,
        settings: &Settings,
        entries: &[&'static Entry],
        storage_host: Option<String>,
        part: Part,
        updates: &mpsc::Sender<Update>,
    ) -> Vec<ActionRecord> {
        let made =
            |entries: &[&'static Entry]| actions_of(entries, settings, &self.root, &self.cluster, storage_host.clone());
        if part == Part::Cluster {
            return run.perform(made(entries)).await;
        }
        let (first, rest): (Vec<_>, Vec<_>) = entries
            .iter()
            .copied()
            .partition(|entry| FIRST.contains(&entry.descriptor.id));
        self.flusher.flush().await;
        let mut records = run.perform(made(&first)).await;
        // Of a run that was ended here only half could be told, and who reads it would take it for the whole.
        if !records.iter().any(|record| record.state == State::Cancelled) {
            match run.summaries().await {
                Ok(summaries) => tell_diagnosis(summaries, updates).await,
                Err(error) => warn!(why = %in_one_line(error.as_ref()), "There is no diagnosis."),
            }
        }
        records.extend(run.perform(made(&rest)).await);
        records
    }

    /// Whose archive it is: this node's, or the cluster's.
    fn node(&self, part: Part) -> Result<NodeInfo> {
        let name = match part {
            Part::Node => self.own.node_name.clone(),
            Part::Cluster => CLUSTER.parse().context("the cluster's name is none")?,
        };
        Ok(node_info(&self.root, Some(name)))
    }
}

/// What the cluster's archive is called, where a node's has the node's name.
const CLUSTER: &str = "cluster";

/// The actions of one part.
fn entries(settings: &Settings, part: Part) -> Vec<&'static Entry> {
    let scope = match part {
        Part::Node => Scope::Node,
        Part::Cluster => Scope::Cluster,
    };
    let wanted = settings.entries.iter().copied();
    wanted.filter(|entry| entry.descriptor.scope == scope).collect()
}

async fn tell_diagnosis(summaries: Vec<(&'static str, Result<Vec<u8>, AnalyzeError>)>, updates: &mpsc::Sender<Update>) {
    let text = |name: &str| {
        let summary = summaries.iter().find(|(known, _)| *known == name)?.1.as_ref();
        let summary = summary
            .inspect_err(|error| warn!(name, why = %in_one_line(*error), "There is no summary."))
            .ok()?;
        String::from_utf8(summary.clone()).ok()
    };
    let update = Update::Diagnosed {
        network_config: text("networkconfig").unwrap_or_else(|| "{}".to_owned()),
        network_outbound: text("networkoutbound").unwrap_or_else(|| "[]".to_owned()),
    };
    // Nobody need listen.
    updates.send(update).await.ok();
}

/// Tells how far the run is for as long as it is waited for.
async fn tell_progress<T>(run: &Run, planned: usize, updates: &mpsc::Sender<Update>) -> T {
    let progress = run.progress();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        looks.tick().await;
        let update = Update::Progress(progress_of(&progress, planned));
        // Nobody need listen.
        updates.send(update).await.ok();
    }
}

fn progress_of(progress: &periscope_core::Progress, planned: usize) -> Progress {
    let actions = progress.actions();
    let running = actions.iter().filter(|action| action.ended().is_none());
    Progress {
        ended: actions.iter().filter(|action| action.ended().is_some()).count(),
        planned,
        running: running.map(|action| action.id()).collect(),
        bytes: actions.iter().map(|action| action.bytes()).sum(),
        waiting: None,
    }
}

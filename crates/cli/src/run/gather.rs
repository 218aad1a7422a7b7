//! Has the actions run, has what they gathered judged, and makes the archive of it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::Timestamp;
use periscope_actions::{Deps, Entry, Settings as ActionSettings};
use periscope_bundle::{NodeArchive, SpoolStore};
use periscope_cluster::ClusterAccess;
use periscope_core::{
    ActionRecord, AnalyzeError, Engine, Finding, Format, Limit, Manifest, NodeInfo, Planned, Progress, RunId,
};
use periscope_host::{HostCommands, HostRoot};
use periscope_scan::Scanner;
use tokio_util::sync::CancellationToken;

use super::documents;
use super::journal::RunLog;
use super::settings::Settings;

/// A run under way.
pub(crate) struct Run {
    engine: Engine,
    store: Arc<SpoolStore>,
    scanner: Arc<Scanner>,
    node: NodeInfo,
    id: RunId,
    log: RunLog,
}

/// What a run has gathered.
pub(crate) struct Gathered {
    pub(crate) manifest: Manifest,
    pub(crate) findings: Vec<Finding>,
    pub(crate) archive: Arc<NodeArchive>,
}

impl Run {
    /// A run that keeps what it gathers in `folder` until it is packed. Cancelling `cancel` ends it early.
    pub(crate) fn new(
        settings: &Settings,
        node: NodeInfo,
        folder: &Path,
        log: RunLog,
        cancel: CancellationToken,
    ) -> Result<Self> {
        let started = Timestamp::now();
        let run_id = settings.run_id.clone().unwrap_or_else(|| RunId::at(started));
        let scanner = Arc::new(Scanner::new(Arc::clone(&settings.rules), started));
        let store = SpoolStore::new(folder, settings.budget).context("cannot make the spool")?;
        let store = Arc::new(store.observed_by(Arc::clone(&scanner) as _));
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let engine = Engine::new(
            node.clone(),
            run_id.clone(),
            settings.since,
            settings.timeout,
            workers,
            Arc::clone(&store) as _,
            cancel,
        )
        .started_at(started);
        Ok(Self {
            engine,
            store,
            scanner,
            node,
            id: run_id,
            log,
        })
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> Arc<Progress> {
        self.engine.progress()
    }

    /// Runs these actions, all at once.
    pub(crate) async fn perform(&self, actions: Vec<Planned>) -> Vec<ActionRecord> {
        self.engine.run(actions).await
    }

    /// The summaries of what was gathered so far, by the names that the original's readers know.
    pub(crate) async fn summaries(&self) -> Result<Vec<(&'static str, Result<Vec<u8>, AnalyzeError>)>> {
        documents::summaries(&self.engine, &self.store, &self.node).await
    }

    /// Judges and packs what was gathered. `upload` are the formats that the archive is uploaded in.
    pub(crate) async fn close(self, records: Vec<ActionRecord>, upload: Vec<Format>) -> Result<Gathered> {
        let Self {
            engine,
            store,
            scanner,
            node,
            id,
            log,
        } = self;
        let analysis = documents::analyze(&engine, &store, &node, &scanner).await?;
        documents::close(&engine, &log).await;
        let manifest = documents::manifest(&engine, &node, &id, records);
        let archive = documents::archive(&store, &manifest, &analysis, upload)?;
        Ok(Gathered {
            manifest,
            findings: analysis.findings,
            archive: Arc::new(archive),
        })
    }
}

/// These actions, made and bounded. `storage_host` is tried to be reached too.
pub(crate) fn actions_of(
    entries: &[&'static Entry],
    settings: &Settings,
    root: &HostRoot,
    cluster: &Result<ClusterAccess, String>,
    storage_host: Option<String>,
) -> Vec<Planned> {
    let deps = Deps {
        root: root.clone(),
        commands: Arc::new(HostCommands::new(root.clone())),
        cluster: cluster.clone(),
        settings: ActionSettings {
            storage_host,
            ..settings.actions.clone()
        },
    };
    let planned = entries.iter().map(|entry| Planned {
        descriptor: entry.descriptor,
        action: (entry.build)(&deps),
        limit: Limit {
            bytes: entry.descriptor.limit,
            by_user: false,
        },
    });
    planned.collect()
}

//! One run, from its settings to its exit code.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use periscope_actions::{Deps, Settings as ActionSettings};
use periscope_bundle::SpoolStore;
use periscope_cluster::{ClusterAccess, ConnectOptions};
use periscope_core::{Archive, Engine, ExportContext, ExportError, Exporter, Limit, NodeInfo, Planned, Receipt, RunId};
use periscope_exporters::DirExporter;
use periscope_host::{HostCommands, HostPath, HostRoot};
use periscope_scan::Scanner;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::forecast::Forecast;
use super::journal::RunLog;
use super::progress::{Display, show_while};
use super::settings::Settings;
use super::summary::Outcome;
use super::{documents, node, output};
use crate::args::CollectArgs;
use crate::exit::{Ended, Exit, in_one_line, print, tell};
use crate::runtime;
use crate::storage::Storage;

/// How long the upload may go on after the run was told to end.
const UPLOAD_GRACE: Duration = Duration::from_secs(30);
/// Longest kubeconfig or certificate that is read from the node.
const MAX_CREDENTIAL_BYTES: usize = 1024 * 1024;
/// How much is left to others of a processor that is wanted by more than us, as for nice(1).
const NICENESS: i32 = 10;

/// Runs the command.
pub(crate) fn run(args: CollectArgs) -> Result<Exit> {
    let settings = Settings::check(args)?;
    let log = RunLog::start();
    // The node's own work comes first. Commands of the node inherit it.
    rustix::process::nice(NICENESS).ok();
    runtime::block_on(collect(settings, log))
}

async fn collect(settings: Settings, log: RunLog) -> Result<Exit> {
    let cancel = CancellationToken::new();
    end_on_signal(cancel.clone())?;
    let root = node::root(settings.host_root.as_deref())?;
    let node = node::info(&root, settings.node_name.clone());
    let cluster = find_cluster(settings.kubeconfig.clone(), &root).await?;
    if settings.plan {
        return tell_plan(&settings, root, &node, cluster).await;
    }
    let storage = match settings.storage.clone() {
        Some(storage) => Some(storage.exporter(&root, cluster.as_ref().ok())?),
        None => None,
    };
    // A wrong signature is known in a second, not after everything was collected.
    if let Some(storage) = &storage {
        storage.check().await.map_err(not_uploadable)?;
    }

    let output = output::choose(settings.output.clone(), &root)?;
    if let Some(note) = &output.note {
        tell(note);
    }
    let started = Timestamp::now();
    let run_id = settings.run_id.clone().unwrap_or_else(|| RunId::at(started));
    let scanner = Arc::new(Scanner::new(Arc::clone(&settings.rules), started));
    let store = SpoolStore::new(&output.folder, settings.budget).context("cannot make the spool")?;
    let store = Arc::new(store.observed_by(Arc::clone(&scanner) as _));
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let engine = Engine::new(
        node.clone(),
        run_id.clone(),
        settings.since,
        settings.timeout,
        workers,
        Arc::clone(&store) as _,
        cancel.clone(),
    )
    .started_at(started);
    let storage_host = storage.as_ref().and_then(Storage::host);
    let plan = plan(&settings, root, cluster, storage_host);
    let display = Display::choose(settings.quiet);
    let records = show_while(engine.progress(), display, engine.run(plan)).await;

    let analysis = documents::analyze(&engine, &store, &node, &scanner).await?;
    documents::close(&engine, &log).await;
    let manifest = documents::manifest(&engine, &node, &run_id, records);
    let upload_formats = storage.as_ref().map(Storage::formats).unwrap_or_default();
    let archive: Arc<dyn Archive> = Arc::new(documents::archive(&store, &manifest, &analysis, upload_formats)?);
    let cx = ExportContext {
        cancel: CancellationToken::new(),
    };
    let local = DirExporter::new(&output.folder, vec![settings.format]);
    // An archive that this disk does not take may still get to the storage.
    let archives = local.export(&cx, Arc::clone(&archive)).await;
    let uploaded = match &storage {
        Some(storage) => upload(storage, archive, cancel).await,
        None => Ok(Vec::new()),
    };

    let outcome = Outcome {
        manifest: &manifest,
        findings: &analysis.findings,
        archives: archives.as_deref().unwrap_or_default(),
        archive_error: archives.as_ref().err().map(|error| in_one_line(error)),
        uploads: uploaded.as_deref().unwrap_or_default(),
        upload_error: uploaded.as_ref().err().map(|error| in_one_line(error)),
    };
    print(&if settings.json {
        outcome.as_json()?
    } else {
        outcome.as_text()
    });
    Ok(outcome.exit())
}

/// Tells what a run would take.
async fn tell_plan(
    settings: &Settings,
    root: HostRoot,
    node: &NodeInfo,
    cluster: Result<ClusterAccess, String>,
) -> Result<Exit> {
    let plan = plan(settings, root, cluster.clone(), None);
    let forecast = Forecast::make(plan, node, settings.since, &cluster).await;
    print(&if settings.json {
        forecast.as_json()?
    } else {
        forecast.as_text()
    });
    Ok(Exit::Complete)
}

/// The chosen actions, made and bounded.
fn plan(
    settings: &Settings,
    root: HostRoot,
    cluster: Result<ClusterAccess, String>,
    storage_host: Option<String>,
) -> Vec<Planned> {
    let commands = Arc::new(HostCommands::new(root.clone()));
    let actions = ActionSettings {
        storage_host,
        ..settings.actions.clone()
    };
    let deps = Deps {
        root,
        commands,
        cluster,
        settings: actions,
    };
    let planned = settings.entries.iter().map(|entry| Planned {
        descriptor: entry.descriptor,
        action: (entry.build)(&deps),
        limit: Limit {
            bytes: entry.descriptor.limit,
            by_user: false,
        },
    });
    planned.collect()
}

/// Uploads; after the run was told to end, only for a while.
async fn upload(
    storage: &Storage,
    archive: Arc<dyn Archive>,
    ended: CancellationToken,
) -> Result<Vec<Receipt>, ExportError> {
    let cx = ExportContext {
        cancel: CancellationToken::new(),
    };
    let give_up = async {
        ended.cancelled().await;
        tokio::time::sleep(UPLOAD_GRACE).await;
        cx.cancel.cancel();
        std::future::pending().await
    };
    tokio::select! {
        result = storage.export(&cx, archive) => result,
        never = give_up => never,
    }
}

fn not_uploadable(error: ExportError) -> anyhow::Error {
    let error = anyhow::Error::from(error);
    Ended::upload(format!(
        "nothing was collected, as it could not be uploaded: {error:#} (--no-upload collects anyway)"
    ))
}

/// The way to the API server. Only a kubeconfig that the user named must be usable.
pub(crate) async fn find_cluster(
    kubeconfig: Option<PathBuf>,
    root: &HostRoot,
) -> Result<Result<ClusterAccess, String>> {
    let named = kubeconfig.is_some();
    let read = |path: &str| root.read(&HostPath::new(path).ok()?, MAX_CREDENTIAL_BYTES).ok();
    match ClusterAccess::discover(&ConnectOptions { kubeconfig }, &read).await {
        Err(error) if named => Err(Ended::usage(format!("{:#}", anyhow::Error::from(error)))),
        found => Ok(found.map_err(|error| format!("{:#}", anyhow::Error::from(error)))),
    }
}

/// Ends the run in good order at SIGTERM or SIGINT. Whoever presses Ctrl-C twice does not want to wait; a second SIGTERM
/// means nothing: timeout(1) sends two at a time.
fn end_on_signal(cancel: CancellationToken) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tell("ending: packing what there is (Ctrl-C to end at once)");
        cancel.cancel();
        interrupt.recv().await;
        tell("ended at once: what was not written yet is lost");
        #[expect(clippy::exit, reason = "the user asked a second time: nothing is worth waiting for")]
        std::process::exit(Exit::Failed as i32);
    });
    Ok(())
}

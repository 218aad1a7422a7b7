//! From the command line to the exit code.

use std::sync::Arc;

use anyhow::{Context, Result};
use periscope_cluster::{ClusterAccess, ConnectOptions};
use periscope_core::{ExportContext, ExportError, Exporter, NodeInfo};
use periscope_exporters::DirExporter;
use periscope_host::HostRoot;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::forecast::Forecast;
use super::progress::{Display, show_while};
use super::summary::Outcome;
use crate::args::CollectArgs;
use crate::exit::{Ended, Exit, in_one_line, print, tell};
use crate::run::{
    Beside, Gathered, Run, RunLog, Settings, actions_of, choose_output, find_cluster, node_info, node_root,
};
use crate::runtime;
use crate::storage::Storage;

/// How much is left to others of a processor that is wanted by more than us, as for nice(1).
const NICENESS: i32 = 10;

/// Runs the command.
pub(crate) fn run(args: CollectArgs) -> Result<Exit> {
    let settings = Settings::check(args, Beside::File)?;
    let log = RunLog::start();
    // The node's own work comes first. Commands of the node inherit it.
    rustix::process::nice(NICENESS).ok();
    runtime::block_on(collect(settings, log))
}

async fn collect(settings: Settings, log: RunLog) -> Result<Exit> {
    let cancel = CancellationToken::new();
    end_on_signal(cancel.clone())?;
    let root = node_root(settings.host_root.as_deref())?;
    let node = node_info(&root, settings.node_name.clone());
    let options = ConnectOptions {
        kubeconfig: settings.kubeconfig.clone(),
        ..ConnectOptions::default()
    };
    let cluster = find_cluster(&options, &root).await?;
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

    let output = choose_output(settings.output.clone(), &root)?;
    if let Some(note) = &output.note {
        tell(note);
    }
    let storage_host = storage.as_ref().and_then(Storage::host);
    let plan = actions_of(&settings.entries, &settings, &root, &cluster, storage_host);
    let run = Run::new(&settings, node, &output.folder, log, cancel.clone())?;
    let display = Display::choose(settings.quiet);
    let records = show_while(run.progress(), display, run.perform(plan)).await;
    let upload_formats = storage.as_ref().map(Storage::formats).unwrap_or_default();
    let Gathered {
        manifest,
        findings,
        archive,
    } = run.close(records, upload_formats).await?;

    let cx = ExportContext {
        cancel: CancellationToken::new(),
    };
    let local = DirExporter::new(&output.folder, vec![settings.format]);
    // An archive that this disk does not take may still get to the storage.
    let archives = local.export(&cx, Arc::clone(&archive) as _).await;
    let uploaded = match &storage {
        Some(storage) => storage.export_until(archive, cancel).await,
        None => Ok(Vec::new()),
    };

    let outcome = Outcome {
        manifest: &manifest,
        findings: &findings,
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
    let plan = actions_of(&settings.entries, settings, &root, &cluster, None);
    let forecast = Forecast::make(plan, node, settings.since, &cluster).await;
    print(&if settings.json {
        forecast.as_json()?
    } else {
        forecast.as_text()
    });
    Ok(Exit::Complete)
}

fn not_uploadable(error: ExportError) -> anyhow::Error {
    let error = anyhow::Error::from(error);
    Ended::upload(format!(
        "nothing was collected, as it could not be uploaded: {error:#} (--no-upload collects anyway)"
    ))
}

/// Ends the run in good order at SIGTERM or SIGINT. Whoever presses Ctrl-C twice does not want to wait; a second
/// SIGTERM means nothing: timeout(1) sends two at a time.
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

//! The documents that a run makes of what its actions gathered: findings, summaries, log, manifest.

use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::Timestamp;
use periscope_analyzers::{ANALYSIS_FILE, analysis_json, network_config, network_outbound};
use periscope_bundle::{Entry, NodeArchive, SpoolStore, StoredInputs};
use periscope_core::{
    ActionRecord, AnalyzeError, ArtifactPath, ArtifactSpec, Content, Engine, Finding, Format, Hits, Inputs,
    MANIFEST_FILE, MANIFEST_SCHEMA, Manifest, NodeInfo, Place, RunId, State,
};
use periscope_report::{Chart, REPORT_FILE, Report, add_events, charts, render};
use periscope_scan::{Scanner, Timeline};

use super::journal::RunLog;
use crate::judge::judge;

/// The program's own log, in the top folder.
const RUN_LOG: &str = "run.log";
/// Says which viewers can read the archive: those of Troubleshoot's support bundles ask for this file.
const VERSION_FILE: &str = "version.yaml";
/// Its content, by the rules of Troubleshoot.
const VERSION: &str = concat!(
    "apiVersion: troubleshoot.sh/v1beta2\nkind: SupportBundle\nspec:\n  versionNumber: \"aks-periscope-",
    env!("CARGO_PKG_VERSION"),
    "\"\n"
);
/// What makes a summary of what was gathered.
type Summarize = fn(&dyn Inputs) -> Result<Vec<u8>, AnalyzeError>;
/// The summaries that `az aks kanalyze` and the original's other readers expect, by the names they know.
const SUMMARIES: [(&str, Summarize); 2] = [("networkconfig", network_config), ("networkoutbound", network_outbound)];
/// Whose items these documents are.
pub(crate) const OWNER: &str = "aks-periscope";

/// The names of the files that also stand beside an archive in blob storage.
pub(crate) fn loose_names() -> Vec<&'static str> {
    SUMMARIES
        .iter()
        .map(|(name, _)| *name)
        .chain([ANALYSIS_FILE, MANIFEST_FILE])
        .collect()
}

/// What was made of the artifacts, for the page.
pub(crate) struct Analysis {
    pub(crate) findings: Vec<Finding>,
    timeline: Timeline,
    charts: Vec<Chart>,
}

/// The summaries of what was gathered so far.
pub(super) async fn summaries(
    engine: &Engine,
    store: &Arc<SpoolStore>,
    node: &NodeInfo,
) -> Result<Vec<(&'static str, Result<Vec<u8>, AnalyzeError>)>> {
    let inputs = StoredInputs::new(
        Arc::clone(store),
        &engine.items(),
        node.name.clone(),
        engine.started(),
        Hits::default(),
    );
    let work = tokio::task::spawn_blocking(move || SUMMARIES.map(|(name, build)| (name, build(&inputs))));
    Ok(work.await.context("the summaries ended early")?.into())
}

/// Judges what was gathered and keeps the findings and the summaries with it.
pub(crate) async fn analyze(
    engine: &Engine,
    store: &Arc<SpoolStore>,
    node: &NodeInfo,
    scanner: &Scanner,
) -> Result<Analysis> {
    let outcome = scanner.outcome();
    let inputs = StoredInputs::new(
        Arc::clone(store),
        &engine.items(),
        node.name.clone(),
        engine.started(),
        outcome.hits(),
    );
    let work = tokio::task::spawn_blocking(move || {
        let mut timeline = outcome.timeline().clone();
        add_events(&mut timeline, &inputs);
        Analysis {
            findings: judge(outcome, &inputs),
            timeline,
            charts: charts(&inputs),
        }
    });
    let result = work.await.context("the analyzers ended early")?;
    let sink = engine.sink(OWNER);
    let json = |name: &str| ArtifactSpec::new(name, Content::Json).place(Place::Top);
    let analysis = analysis_json(&result.findings).context("the findings cannot be written")?;
    sink.document(json(ANALYSIS_FILE), analysis).await;
    for (name, summary) in summaries(engine, store, node).await? {
        match summary {
            Ok(summary) => {
                sink.document(json(name), summary).await;
            }
            Err(error) => {
                let reason = format!("{:#}", anyhow::Error::from(error));
                sink.record_at(Place::Top, name, State::Failed, reason);
            }
        }
    }
    Ok(result)
}

/// Keeps the program's own log and what says how to read the archive.
pub(crate) async fn close(engine: &Engine, log: &RunLog) {
    let sink = engine.sink(OWNER);
    sink.document(
        ArtifactSpec::new(VERSION_FILE, Content::Yaml).place(Place::Top),
        VERSION,
    )
    .await;
    sink.document(
        ArtifactSpec::new(RUN_LOG, Content::Text).place(Place::Top),
        log.content(),
    )
    .await;
}

/// The record of the run.
pub(crate) fn manifest(engine: &Engine, node: &NodeInfo, run_id: &RunId, actions: Vec<ActionRecord>) -> Manifest {
    let items = engine.items();
    Manifest {
        schema: MANIFEST_SCHEMA.to_owned(),
        run_id: run_id.clone(),
        node: node.name.clone(),
        os: node.os.clone(),
        kernel: node.kernel.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: engine.started(),
        finished: Timestamp::now(),
        completeness: Manifest::judge(&actions, &items),
        actions,
        items,
    }
}

/// The archive of everything that has a place in the manifest, the manifest itself, and the page that tells it.
pub(crate) fn archive(
    store: &SpoolStore,
    manifest: &Manifest,
    analysis: &Analysis,
    formats: Vec<Format>,
) -> Result<NodeArchive> {
    let mut entries: Vec<_> = manifest
        .items
        .iter()
        .filter(|item| item.is_in_archive())
        .filter_map(|item| Some((item.path.clone(), store.artifact(&item.path)?)))
        .map(|(path, artifact)| Entry::of_artifact(path, &artifact, manifest.finished))
        .collect();
    // Every text in it was redacted when it was recorded.
    let text = serde_json::to_vec_pretty(manifest).context("the manifest cannot be written")?;
    let path = ArtifactPath::from_names([MANIFEST_FILE]);
    entries.push(Entry::of_document(path, &text, manifest.finished)?);
    // It tells the manifest's words and those of artifacts as a reader of the archive finds them. Like the manifest it
    // can only be made when everything has its state.
    let page = render(&Report {
        manifest,
        findings: &analysis.findings,
        timeline: &analysis.timeline,
        charts: &analysis.charts,
    });
    let path = ArtifactPath::from_names([REPORT_FILE]);
    entries.push(Entry::of_document(path, &page, manifest.finished)?);
    let loose = loose_names()
        .into_iter()
        .map(|name| ArtifactPath::from_names([name]))
        .collect();
    Ok(NodeArchive::new(
        manifest.run_id.clone(),
        manifest.node.clone(),
        manifest.started,
        entries,
        loose,
        formats,
    ))
}

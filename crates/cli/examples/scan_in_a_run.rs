//! What the scan and the analyzers add to a run: `scan_in_a_run with|without ACTION UNITS STARTED ROOT ARCHIVE`
//! collects what an action takes from the node whose root folder is ROOT, as `aks-periscope collect` does, and packs
//! it, with them or without. UNITS are those whose journal is taken, with commas between them. To be measured from
//! outside, by turns; prints how many lines were scanned.
//!
//! The rest is the same on both sides and is what a run consists of: the action itself, redaction, checksums, deflate,
//! the spool, the archive. STARTED is when the run is taken to start, because old lines count less than new ones. The
//! page
//! `index.html` is on neither side.
#![expect(clippy::print_stdout, reason = "what it prints is its result")]

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use periscope_actions::{CATALOG as ACTIONS, Deps, Namespaces, Settings};
use periscope_analyzers::{ANALYSIS_FILE, CATALOG as ANALYZERS, analysis_json};
use periscope_bundle::{BudgetLimits, Entry, NodeArchive, SpoolStore, StoredInputs};
use periscope_core::{
    Analyzer, Archive, ArtifactSpec, Content, Engine, Format, Limit, NodeInfo, NodeName, Place, Planned, RunId,
    analyze_all,
};
use periscope_host::{HostCommands, HostRoot};
use periscope_scan::{RuleFindings, RuleSet, Scanner};
use tokio_util::sync::CancellationToken;

/// More than any run here takes.
const TIME: Duration = Duration::from_mins(10);
/// Whose document the findings are.
const OWNER: &str = "aks-periscope";

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [side, action, units, started, root, archive] = words.as_slice() else {
        return Err("expected: with|without ACTION UNITS STARTED ROOT ARCHIVE".into());
    };
    let started: Timestamp = started.parse()?;
    let scanner = match side.as_str() {
        "with" => Some(Arc::new(Scanner::new(Arc::clone(RuleSet::builtin()), started))),
        "without" => None,
        _ => return Err(format!("expected with or without, found {side}").into()),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let planned = planned(action, units, HostRoot::at(Path::new(root))?)?;
    let lines = runtime.block_on(run(scanner, planned, started, Path::new(archive)))?;
    println!("{lines}");
    Ok(())
}

async fn run(
    scanner: Option<Arc<Scanner>>,
    planned: Planned,
    started: Timestamp,
    archive: &Path,
) -> Result<u64, Box<dyn Error>> {
    let limits = BudgetLimits {
        archive_bytes: u64::MAX,
        by_user: false,
        unpacked: false,
    };
    let mut store = SpoolStore::new(archive.parent().unwrap_or(Path::new(".")), limits)?;
    if let Some(scanner) = &scanner {
        store = store.observed_by(Arc::clone(scanner) as _);
    }
    let store = Arc::new(store);
    let node: NodeName = "node".parse()?;
    let info = NodeInfo {
        name: node.clone(),
        os: "a node of the bench".to_owned(),
        kernel: String::new(),
    };
    let run_id = RunId::at(started);
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cancel = CancellationToken::new();
    let engine = Engine::new(
        info,
        run_id.clone(),
        None,
        TIME,
        workers,
        Arc::clone(&store) as _,
        cancel,
    )
    .started_at(started);
    engine.run(vec![planned]).await;

    let mut lines = 0;
    if let Some(scanner) = scanner {
        let outcome = scanner.outcome();
        lines = outcome.lines;
        let inputs = StoredInputs::new(
            Arc::clone(&store),
            &engine.items(),
            node.clone(),
            started,
            outcome.hits(),
        );
        let rules = RuleFindings::new(outcome);
        let analyzers = ANALYZERS.iter().copied().chain([&rules as &dyn Analyzer]);
        let analysis = analysis_json(&analyze_all(analyzers, &inputs))?;
        let spec = ArtifactSpec::new(ANALYSIS_FILE, Content::Json).place(Place::Top);
        engine.sink(OWNER).document(spec, analysis).await;
    }

    let of_path = |path| Some((path, store.artifact(path)?));
    let paths = store.paths();
    let entries = paths.iter().filter_map(of_path);
    let entries = entries.map(|(path, artifact)| Entry::of_artifact(path.clone(), &artifact, started));
    let entries = entries.collect();
    let packed = NodeArchive::new(run_id, node, started, entries, Vec::new(), vec![Format::TarGz]);
    let mut file = File::create(archive)?;
    packed.write_to(Format::TarGz, &mut file)?;
    file.sync_all()?;
    Ok(lines)
}

/// The action of this name, for all containers and these units.
fn planned(action: &str, units: &str, root: HostRoot) -> Result<Planned, Box<dyn Error>> {
    let entry = ACTIONS.iter().find(|entry| entry.descriptor.id == action);
    let entry = entry.ok_or_else(|| format!("there is no action {action}"))?;
    let deps = Deps {
        commands: Arc::new(HostCommands::new(root.clone())),
        root,
        cluster: Err("there is no cluster".to_owned()),
        settings: Settings {
            namespaces: Namespaces::All,
            journal_units: units.split(',').map(str::to_owned).collect(),
            ..Settings::default()
        },
    };
    Ok(Planned {
        descriptor: entry.descriptor,
        action: (entry.build)(&deps),
        limit: Limit {
            bytes: entry.descriptor.limit,
            by_user: false,
        },
    })
}

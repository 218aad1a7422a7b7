//! Runs an action of the catalogue on a node in a folder, and keeps its artifacts as a collection does.

use std::io::{Read, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use periscope_actions::{CATALOG, Deps, Settings};
use periscope_bundle::{BudgetLimits, SpoolStore};
use periscope_core::ArtifactPath;
use periscope_testkit::{ActionRun, HostFixture, RunOptions, ScriptedCommands};

/// Runs the action `id` with the default settings.
pub(crate) async fn run(node: &HostFixture, id: &str) -> ActionRun {
    run_with(node, id, Settings::default(), &RunOptions::default()).await
}

/// Runs the action `id`.
pub(crate) async fn run_with(node: &HostFixture, id: &str, settings: Settings, options: &RunOptions) -> ActionRun {
    run_commands(node, id, settings, options, ScriptedCommands::new()).await
}

/// Runs the action `id` on a node that has programs.
pub(crate) async fn run_commands(
    node: &HostFixture,
    id: &str,
    settings: Settings,
    options: &RunOptions,
    commands: ScriptedCommands,
) -> ActionRun {
    let entry = CATALOG
        .iter()
        .find(|entry| entry.descriptor.id == id)
        .expect("an action");
    let deps = Deps {
        root: node.root(),
        commands: Arc::new(commands),
        cluster: Err("no API server is known".to_owned()),
        settings,
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let limits = BudgetLimits {
        archive_bytes: u64::MAX,
        by_user: false,
        unpacked: false,
    };
    let store = Arc::new(SpoolStore::new(folder.path(), limits).expect("a store"));
    let shelf = Arc::clone(&store);
    let content = move |path: &ArtifactPath| {
        let mut content = Vec::new();
        shelf
            .artifact(path)?
            .reader()
            .read_to_end(&mut content)
            .expect("what was kept");
        Some(content)
    };
    ActionRun::in_store(entry.descriptor, (entry.build)(&deps), options, store, content).await
}

/// The names of the items, below the action's folder, with their states.
pub(crate) fn states(run: &ActionRun) -> Vec<String> {
    let mut states: Vec<_> = run
        .items()
        .iter()
        .map(|item| {
            let name = item.path.as_str().splitn(4, '/').last().unwrap_or_default();
            format!("{name}: {}", item.state)
        })
        .collect();
    states.sort();
    states
}

/// What a kubelet makes of a file that it compresses.
pub(crate) fn gzip(content: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(content.as_bytes()).expect("memory takes bytes");
    gzip.finish().expect("memory takes bytes")
}

//! The action: the units, as a document and as tables, and the files of the machine's setting-up.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use periscope_core::{
    Action, ActionContext, ActionError, ArtifactSpec, Content, Descriptor, ItemDescriptor, Scope, Sensitivity, Sink,
    State,
};
use periscope_documents::{SystemdUnit, names, to_lines};
use periscope_host::{CommandRunner, EntryKind, HostCommand, HostError, HostPath, HostRoot, NetworkChoice};
use tokio::io::AsyncWriteExt;

use super::files::{CLOUD_INIT, CLOUD_INIT_STATUS, KUBELET_UNIT, PROVISIONING, UNIT_FILES, WAAGENT};
use super::{control_groups, units};
use crate::commands::{self, Silence};
use crate::host_files::{collect, first_of, off_thread, record, record_none};
use crate::table;

/// Most files that one list names; a node has some dozen.
const MAX_FILES: usize = 500;

/// `cloud-init status` starts Python and looks at a few files.
const CLOUD_INIT_TIMEOUT: Duration = Duration::from_secs(20);

/// What is known about the action beforehand.
pub(crate) static DESCRIPTOR: Descriptor = Descriptor {
    id: names::NODE_SERVICES,
    summary: "systemd units with restarts and results, drop-ins, timers; state of cloud-init, of Azure's agent and its \
              extensions",
    timeout: Duration::from_mins(1),
    limit: 16 * 1024 * 1024,
    rbac: &[],
    scope: Scope::Node,
    sensitivity: Sensitivity::Configuration,
    items: &[
        ItemDescriptor::new(
            names::UNITS,
            "state, result, restarts, last exit and drop-ins of every unit, from `systemctl show`, else the services \
             with processes, from the control groups",
        ),
        ItemDescriptor::new(UNITS_TABLE, "the units as a table, those in trouble first"),
        ItemDescriptor::new(
            TIMERS_TABLE,
            "the timers: what they start, when they last did and will next",
        ),
        ItemDescriptor::new(CLOUD_INIT_STATUS, "how cloud-init went, stage by stage"),
        ItemDescriptor::new("cloud-init/result.json", "how cloud-init ended"),
        ItemDescriptor::new(
            "files/<path>",
            "unit files and drop-ins of the administrator, Azure's agent: configuration, status of the extensions; marks \
             of the provisioning",
        ),
    ],
};

const UNITS_TABLE: &str = "units.txt";
const TIMERS_TABLE: &str = "timers.txt";

/// Gathers the node's services.
pub(crate) struct NodeServices {
    root: HostRoot,
    commands: Arc<dyn CommandRunner>,
}

impl NodeServices {
    /// The services of the node below `root`; `commands` is asked for `systemctl`.
    pub(crate) fn new(root: HostRoot, commands: Arc<dyn CommandRunner>) -> Self {
        Self { root, commands }
    }

    async fn units(&self, sink: &Sink) {
        let root = self.root.clone();
        let booted = off_thread(move || units::boot_time(&root)).await.ok().flatten();
        let Some(command) = units::command() else { return };
        match units::ask(&*self.commands, &command, booted).await {
            Ok(units) => keep_units(sink, &units, &command.display(), None).await,
            Err((state, reason)) => {
                let root = self.root.clone();
                let running = off_thread(move || control_groups::running(&root))
                    .await
                    .unwrap_or_default();
                if running.is_empty() {
                    for name in [names::UNITS, UNITS_TABLE, TIMERS_TABLE] {
                        sink.record(name, state, &reason);
                    }
                    return;
                }
                let reason = format!("only the services with processes, without their states: {reason}");
                let state = if matches!(state, State::NotPresent | State::NotApplicable) {
                    State::Failed
                } else {
                    state
                };
                keep_units(sink, &running, "/sys/fs/cgroup", Some((state, reason))).await;
            }
        }
    }

    async fn cloud_init(&self, sink: &Sink) {
        for (name, places) in CLOUD_INIT {
            let root = self.root.clone();
            let place = off_thread(move || first_of(&root, places)).await;
            match place {
                Ok(Some(path)) => {
                    collect(&self.root, sink, &path, name, Content::Json).await;
                }
                Ok(None) if name == CLOUD_INIT_STATUS => self.ask_cloud_init(sink).await,
                Ok(None) => sink.record(name, State::NotPresent, format!("there is no {}", places.join(" or "))),
                Err(error) => sink.record(name, State::Failed, error.to_string()),
            }
        }
    }

    async fn ask_cloud_init(&self, sink: &Sink) {
        match HostCommand::new(&["/usr/bin/cloud-init"], CLOUD_INIT_TIMEOUT) {
            Ok(command) => {
                let command = command.args(["status", "--long", "--format", "json"]);
                let command = command.network(NetworkChoice::Own);
                let silence = Silence::Absence("cloud-init says nothing".to_owned());
                commands::copy(
                    &*self.commands,
                    sink,
                    CLOUD_INIT_STATUS,
                    Content::Json,
                    &command,
                    silence,
                )
                .await;
            }
            Err(error) => sink.record(CLOUD_INIT_STATUS, State::Failed, error.to_string()),
        }
    }

    /// Takes the files that the patterns name; says so under `what` when there is none.
    async fn files(&self, sink: &Sink, what: &str, patterns: &[&str]) {
        let mut taken = HashSet::new();
        for pattern in patterns {
            let (root, asked) = (self.root.clone(), (*pattern).to_owned());
            let paths = match off_thread(move || list(&root, &asked)).await {
                Ok(Ok((paths, unread))) => {
                    if let Some(error) = unread.first() {
                        record(sink, &format!("files{pattern}"), error);
                    }
                    paths
                }
                Ok(Err(error)) => {
                    record(sink, &format!("files{pattern}"), &error);
                    continue;
                }
                Err(error) => {
                    sink.record(&format!("files{pattern}"), State::Failed, error.to_string());
                    continue;
                }
            };
            for path in paths {
                if taken.len() == MAX_FILES {
                    let reason = format!("there are more than {MAX_FILES} files: {path} and what follows is left out");
                    return sink.record(&format!("files{pattern}"), State::Failed, reason);
                }
                if taken.insert(path.clone()) {
                    collect(&self.root, sink, &path, &format!("files{path}"), content_of(&path)).await;
                }
            }
        }
        if taken.is_empty() {
            let reason = format!("there is none of {}", patterns.join(", "));
            record_none(&self.root, sink, what, patterns, (State::NotPresent, &reason)).await;
        }
    }
}

#[async_trait]
impl Action for NodeServices {
    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        let sink = &cx.sink;
        tokio::join!(
            self.units(sink),
            self.cloud_init(sink),
            self.files(sink, "files/units", &UNIT_FILES),
            self.files(sink, "files/waagent", &WAAGENT),
            self.files(sink, "files/provisioning", &PROVISIONING),
        );
        Ok(())
    }
}

/// The regular files of a pattern that no other action takes, and what could not be looked into. Links are names of
/// files that are elsewhere. Blocks.
fn list(root: &HostRoot, pattern: &str) -> Result<(Vec<HostPath>, Vec<HostError>), HostError> {
    let matches = root.glob(pattern)?;
    let is_ours = |path: &HostPath| {
        let of_kubelet = path.components().any(|name| name.starts_with(KUBELET_UNIT));
        let is_file = root
            .link_metadata(path)
            .is_ok_and(|metadata| metadata.kind == EntryKind::File);
        is_file && !of_kubelet
    };
    Ok((matches.paths.into_iter().filter(is_ours).collect(), matches.unread))
}

fn content_of(path: &HostPath) -> Content {
    match path.as_str().rsplit_once('.') {
        Some((_, "json" | "status")) => Content::Json,
        _ => Content::Text,
    }
}

/// Keeps the units; `incomplete` says how that ends and why when not all is known.
async fn keep_units(sink: &Sink, units: &[SystemdUnit], source: &str, incomplete: Option<(State, String)>) {
    match to_lines(units) {
        Ok(text) => keep(sink, names::UNITS, Content::Json, source, &text, incomplete.as_ref()).await,
        Err(error) => sink.record(names::UNITS, State::Failed, error.to_string()),
    }
    let text = table_of(units);
    keep(
        sink,
        UNITS_TABLE,
        Content::Text,
        source,
        text.as_bytes(),
        incomplete.as_ref(),
    )
    .await;
    match &incomplete {
        None => {
            keep(
                sink,
                TIMERS_TABLE,
                Content::Text,
                source,
                timers(units).as_bytes(),
                None,
            )
            .await;
        }
        Some((state, reason)) => sink.record(TIMERS_TABLE, *state, reason),
    }
}

async fn keep(
    sink: &Sink,
    name: &str,
    content: Content,
    source: &str,
    bytes: &[u8],
    incomplete: Option<&(State, String)>,
) {
    let mut writer = sink.writer(ArtifactSpec::new(name, content).source(source));
    // Writing never fails: what went wrong is in the state that the artifact ends with.
    writer.write_all(bytes).await.ok();
    match incomplete {
        None => writer.finish().await,
        Some((state, reason)) => writer.finish_as(*state, Some(reason.clone())).await,
    };
}

/// The units as a person looks for trouble in them: failed, then on their way, then restarted, then the others.
fn table_of(units: &[SystemdUnit]) -> String {
    let mut sorted: Vec<_> = units.iter().filter(|unit| unit.load != "not-found").collect();
    sorted.sort_by_key(|unit| {
        let rank = match (unit.active.as_str(), unit.restarts.unwrap_or_default()) {
            ("failed", _) => 0,
            ("activating" | "deactivating" | "reloading", _) => 1,
            (_, 1..) => 2,
            ("active", _) => 3,
            _ => 4,
        };
        (rank, &unit.name)
    });
    let row = |unit: &&SystemdUnit| {
        let exit = match (unit.exit_status, unit.exit_kind.as_str()) {
            (Some(status), kind) if !kind.is_empty() => format!("{kind} {status}"),
            _ => String::new(),
        };
        vec![
            unit.name.clone(),
            unit.load.clone(),
            unit.active.clone(),
            unit.sub.clone(),
            unit.result.clone(),
            unit.restarts.map(|count| count.to_string()).unwrap_or_default(),
            exit,
            unit.changed.map(|time| time.to_string()).unwrap_or_default(),
            unit.unit_file_state.clone(),
            unit.description.clone(),
        ]
    };
    let rows: Vec<_> = sorted.iter().map(row).collect();
    table::render(
        &[
            "UNIT",
            "LOAD",
            "ACTIVE",
            "SUB",
            "RESULT",
            "RESTARTS",
            "LAST EXIT",
            "SINCE",
            "FILE",
            "DESCRIPTION",
        ],
        &rows,
    )
}

fn timers(units: &[SystemdUnit]) -> String {
    let timers = units
        .iter()
        .filter(|unit| unit.kind() == "timer" && unit.load != "not-found");
    let row = |unit: &SystemdUnit| {
        vec![
            unit.name.clone(),
            unit.active.clone(),
            unit.triggers.clone(),
            unit.last_trigger.clone(),
            unit.next_trigger.clone(),
        ]
    };
    let rows: Vec<_> = timers.map(row).collect();
    table::render(&["TIMER", "ACTIVE", "STARTS", "LAST", "NEXT"], &rows)
}

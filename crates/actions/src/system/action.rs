//! The action: the kernel's files as they are, the node's tools for what no file tells, and what is computed, each an
//! item of its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use periscope_core::{
    Action, ActionContext, ActionError, ArtifactSpec, Content, Descriptor, ItemDescriptor, PlanContext, PlannedItem,
    Scope, Sensitivity, Sink, State,
};
use periscope_documents::{Mount, names, to_lines};
use periscope_host::{CommandRunner, HostError, HostRoot};
use serde::Serialize;
use tokio::time::Instant;

use super::cgroups::Groups;
use super::disk_usage::DiskUsage;
use super::files::FILES;
use super::pods::PodNames;
use super::processes::Processes;
use super::{boots, disks, files, sysctls, tables, time};
use crate::host_files::{off_thread, reason_of, state_of};
use crate::planned;

/// Least time between two looks at processes and control groups: twenty periods of a processor limit.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

const DISKS_TABLE: &str = "disks.txt";
const DISK_USAGE_TABLE: &str = "disk-usage.txt";
const CGROUPS_TABLE: &str = "cgroups.txt";
const PROCESSES_TABLE: &str = "processes.txt";

/// What is made here.
const COMPUTED: [ItemDescriptor; 15] = [
    ItemDescriptor::new(
        names::SYSCTLS,
        "the kernel's settings below `/proc/sys`; without secrets and those of single interfaces",
    ),
    ItemDescriptor::new(names::DMESG, "the kernel's messages, where no journal keeps them"),
    ItemDescriptor::new(
        names::TIMEDATECTL,
        "whether the clock is synchronised, from `timedatectl`",
    ),
    ItemDescriptor::new(
        names::CHRONY_TRACKING,
        "how far the clock is off, from `chronyc tracking`",
    ),
    ItemDescriptor::new(time::CHRONY_SOURCES, "where chrony has the time from"),
    ItemDescriptor::new(
        names::DISKS,
        "file systems with their size and what is left of bytes and inodes; servers' mounts are not asked",
    ),
    ItemDescriptor::new(DISKS_TABLE, "the file systems as a table"),
    ItemDescriptor::new(
        names::DISK_USAGE,
        "what fills the disks: folders that grow, the largest parts of each, and their pods",
    ),
    ItemDescriptor::new(DISK_USAGE_TABLE, "the same as a table"),
    ItemDescriptor::new(
        names::CGROUPS,
        "limits, use, throttling and OOM kills of pods, containers and services",
    ),
    ItemDescriptor::new(CGROUPS_TABLE, "those that have a limit, as a table"),
    ItemDescriptor::new(
        names::PROCESSES,
        "all processes: state, parent, processor time, memory, open files, pod",
    ),
    ItemDescriptor::new(
        PROCESSES_TABLE,
        "the largest, those in state D and the zombies as tables",
    ),
    ItemDescriptor::new(names::BOOTS, "starts and ends of the system"),
    ItemDescriptor::new(names::PODS, "names of the node's pods and containers by uid and id"),
];

const PROMISES: usize = FILES.len() + COMPUTED.len();

static ITEMS: [ItemDescriptor; PROMISES] = {
    const NONE: ItemDescriptor = ItemDescriptor::new("", "");
    let mut items = [NONE; PROMISES];
    let mut index = 0;
    while index < PROMISES {
        items[index] = if index < FILES.len() {
            ItemDescriptor::new(FILES[index].artifact, FILES[index].summary)
        } else {
            let computed = &COMPUTED[index - FILES.len()];
            ItemDescriptor::new(computed.path, computed.summary)
        };
        index += 1;
    }
    items
};

/// What is known about the action beforehand.
pub(crate) static DESCRIPTOR: Descriptor = Descriptor {
    id: names::SYSTEM,
    summary: "The machine: kernel, processors, memory, pressure, disks and what fills them, control groups, processes, \
              clock, boots, security modules",
    timeout: Duration::from_mins(2),
    limit: 32 * 1024 * 1024,
    rbac: &[],
    // Command lines are configuration of whoever wrote them.
    scope: Scope::Node,
    sensitivity: Sensitivity::Configuration,
    items: &ITEMS,
};

/// Gathers the state of the machine.
pub(crate) struct System {
    root: HostRoot,
    commands: Arc<dyn CommandRunner>,
}

impl System {
    pub(crate) fn new(root: HostRoot, commands: Arc<dyn CommandRunner>) -> Self {
        Self { root, commands }
    }

    /// Looks where it may block.
    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&HostRoot) -> T + Send + 'static,
    ) -> Result<T, ActionError> {
        let root = self.root.clone();
        off_thread(move || look(&root))
            .await
            .map_err(|error| ActionError::new(State::Failed, "the node cannot be looked at").because(error))
    }

    async fn computed(&self, sink: &Sink) -> Result<(), ActionError> {
        let pods = self.look(PodNames::look).await?;
        let names = pods.as_ref().cloned().unwrap_or_default();
        keep(sink, names::PODS, pods.map(|pods| pods.pods().to_vec())).await;
        keep(sink, names::BOOTS, self.look(boots::boots).await?).await;

        let look_names = names.clone();
        let (processes, groups) = self
            .look(move |root| (Processes::look(root, &look_names), Groups::look(root, &look_names)))
            .await?;
        let looked = Instant::now();
        // What takes time comes between the two looks.
        self.disks(sink, names).await?;
        tokio::time::sleep_until(looked + BETWEEN_LOOKS).await;
        let (processes, groups) = self
            .look(move |root| {
                (
                    processes.map(|first| first.look_again(root)),
                    groups.map(|first| first.look_again(root)),
                )
            })
            .await?;
        let table = processes.as_ref().map(tables::processes).map_err(reported);
        keep_table(sink, PROCESSES_TABLE, table).await;
        match &processes {
            Ok(looks) if looks.left_out > 0 => {
                let reason = format!("{} further processes are left out", looks.left_out);
                keep_part(sink, names::PROCESSES, &looks.processes, State::Truncated, reason).await;
            }
            _ => keep(sink, names::PROCESSES, processes.map(|looks| looks.processes)).await,
        }
        let table = groups.as_deref().map(tables::cgroups).map_err(reported);
        keep_table(sink, CGROUPS_TABLE, table).await;
        keep(sink, names::CGROUPS, groups).await;
        Ok(())
    }

    async fn disks(&self, sink: &Sink, names: PodNames) -> Result<(), ActionError> {
        let found = self
            .look(|root| {
                let mounts = disks::mounts(root)?;
                let disks = disks::disks(root, &mounts);
                Ok::<_, HostError>((mounts, disks))
            })
            .await?;
        let (mounts, disks): (Vec<Mount>, _) = match found {
            Ok((mounts, disks)) => (mounts, Ok(disks)),
            Err(error) => (Vec::new(), Err(error)),
        };
        let known = disks.as_ref().cloned().unwrap_or_default();
        let table = disks.as_deref().map(tables::disks).map_err(reported);
        keep_table(sink, DISKS_TABLE, table).await;
        keep(sink, names::DISKS, disks).await;
        let consumers = self
            .look(move |root| {
                DiskUsage {
                    root,
                    mounts: &mounts,
                    disks: &known,
                    names: &names,
                }
                .measure()
            })
            .await?;
        let table = consumers.as_deref().map(tables::disk_usage).map_err(reported);
        keep_table(sink, DISK_USAGE_TABLE, table).await;
        keep(sink, names::DISK_USAGE, consumers).await;
        Ok(())
    }
}

/// Where what is computed comes from.
const SOURCES: [(&str, &str); 11] = [
    (names::SYSCTLS, "/proc/sys"),
    (names::DISKS, "/proc/1/mountinfo"),
    (DISKS_TABLE, "/proc/1/mountinfo"),
    (names::DISK_USAGE, "/var"),
    (DISK_USAGE_TABLE, "/var"),
    (names::CGROUPS, "/sys/fs/cgroup"),
    (CGROUPS_TABLE, "/sys/fs/cgroup"),
    (names::PROCESSES, "/proc"),
    (PROCESSES_TABLE, "/proc"),
    (names::BOOTS, "/proc/stat"),
    (names::PODS, "/var/log/pods"),
];

#[async_trait]
impl Action for System {
    async fn plan(&self, _cx: &PlanContext) -> Option<Vec<PlannedItem>> {
        let root = self.root.clone();
        let look = move || {
            let mut items: Vec<_> = files::plan(&root).collect();
            items.extend(SOURCES.map(|(name, path)| planned::kernel_file(&root, name, path)));
            items.extend(time::plan(&root));
            items
        };
        off_thread(look).await.ok()
    }

    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        // Pressure and load first: what is gathered here changes them.
        files::collect(&self.root, &cx.sink).await;
        let (computed, (), ()) = tokio::join!(
            self.computed(&cx.sink),
            sysctls::collect(&self.root, &cx.sink),
            time::collect(&self.root, &*self.commands, &cx.sink),
        );
        computed
    }
}

/// How an item ends whose source was not had, and why.
fn reported(error: &HostError) -> (State, String) {
    (state_of(error), reason_of(error))
}

async fn keep<T: Serialize>(sink: &Sink, name: &str, rows: Result<Vec<T>, HostError>) {
    let written = rows
        .map_err(|error| reported(&error))
        .and_then(|rows| to_lines(&rows).map_err(|error| (State::Failed, error.to_string())));
    match written {
        Ok(text) => {
            sink.document(ArtifactSpec::new(name, Content::Json), text).await;
        }
        Err((state, reason)) => sink.record(name, state, reason),
    }
}

async fn keep_part<T: Serialize>(sink: &Sink, name: &str, rows: &[T], state: State, reason: String) {
    match to_lines(rows) {
        Ok(text) => {
            let mut writer = sink.writer(ArtifactSpec::new(name, Content::Json));
            match writer.copy_from(&*text).await {
                Ok(_) => writer.finish_as(state, Some(reason)).await,
                Err(error) => writer.finish_as(State::Failed, Some(error.to_string())).await,
            };
        }
        Err(error) => sink.record(name, State::Failed, error.to_string()),
    }
}

async fn keep_table(sink: &Sink, name: &str, table: Result<String, (State, String)>) {
    match table {
        Ok(text) => {
            sink.document(ArtifactSpec::new(name, Content::Text), text).await;
        }
        Err((state, reason)) => sink.record(name, state, reason),
    }
}

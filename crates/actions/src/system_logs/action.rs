//! The action: journal files first, and what can be had instead where there are none.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use jiff::Timestamp;
use periscope_core::{
    Action, ActionContext, ActionError, ArtifactSpec, Content, Descriptor, ItemDescriptor, PlanContext, PlannedItem,
    Scope, Sensitivity, Sink, State,
};
use periscope_documents::to_lines;
use periscope_host::{CommandRunner, HostRoot};
use periscope_journal::FileReport;
use serde::Serialize;

use super::journal_files::{self, JournalFiles};
use super::journals::{Journal, journals};
use super::{journalctl, pass, syslog};
use crate::host_files::{off_thread, reason_of, state_of};

/// What is known about the action beforehand.
pub(crate) static DESCRIPTOR: Descriptor = Descriptor {
    id: "system-logs",
    summary: "Journals of kubelet, containerd, docker, further services and the kernel; syslog where there is no journal",
    timeout: Duration::from_mins(15),
    // journald keeps 4 GiB of files at most unless told otherwise, of which the text of one service is a part.
    limit: 2 * 1024 * 1024 * 1024,
    rbac: &[],
    scope: Scope::Node,
    sensitivity: Sensitivity::Node,
    items: &[
        ItemDescriptor::new("journal/kernel.log", "the kernel's journal, of all boots"),
        ItemDescriptor::new("journal/kubelet.log", "the journal of kubelet.service"),
        ItemDescriptor::new("journal/containerd.log", "the journal of containerd.service"),
        ItemDescriptor::new("journal/docker.log", "the journal of docker.service"),
        ItemDescriptor::new("journal/<unit>.log", "the journal of each further unit asked for"),
        ItemDescriptor::new(
            FILES,
            "each journal file: entries read, damage, and the error that ended the reading",
        ),
        ItemDescriptor::new(
            "syslog/<file>",
            "syslog, messages and kern.log, where there is no journal",
        ),
    ],
};

const FILES: &str = "journal/files.json";

/// Gathers journals.
pub(crate) struct SystemLogs {
    root: HostRoot,
    commands: Arc<dyn CommandRunner>,
    units: Vec<String>,
}

/// A row of `journal/files.json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileRow {
    /// Path on the node.
    file: String,
    /// Entries read.
    entries: u64,
    /// Places skipped because they make no sense.
    #[serde(skip_serializing_if = "is_zero")]
    corrupt_objects: u64,
    /// The file ends before its header says it does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    /// Left out: all of it is older than asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    too_old: bool,
    /// Why it was not read, or not to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[async_trait]
impl Action for SystemLogs {
    async fn plan(&self, cx: &PlanContext) -> Option<Vec<PlannedItem>> {
        let (root, since) = (self.root.clone(), cx.since);
        let (journals, _) = journals(&self.units);
        off_thread(move || plan(&root, &journals, since)).await.ok()
    }

    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        let (journals, too_many) = journals(&self.units);
        for journal in &journals {
            cx.sink.plan(&journal.name);
        }
        for unit in too_many {
            cx.sink.record(
                &format!("journal/{unit}"),
                State::Failed,
                "more units are asked for than one pass can serve",
            );
        }
        let root = self.root.clone();
        let files = off_thread(move || journal_files::open(&root)).await;
        let files = files.map_err(|error| ActionError::new(State::Failed, "no journal was read").because(error))?;
        match files {
            JournalFiles { open, unread, .. } if open.is_empty() => {
                if let Some((_, error)) = unread.first() {
                    let (state, reason) = (state_of(error), reason_of(error));
                    for journal in &journals {
                        cx.sink.record(&journal.name, state, &reason);
                    }
                    cx.sink.record(FILES, state, reason);
                } else {
                    cx.sink.record(FILES, State::NotPresent, "there are no journal files");
                    for journal in &journals {
                        journalctl::copy(&*self.commands, &cx.sink, journal, cx.since).await;
                    }
                }
                syslog::copy(&self.root, &cx.sink, cx.since).await;
                Ok(())
            }
            files => read(cx, files, journals).await,
        }
    }
}

impl SystemLogs {
    /// The journals below `root`, or else by `commands`, of the usual services and of `units`.
    pub(crate) fn new(root: HostRoot, commands: Arc<dyn CommandRunner>, units: &[String]) -> Self {
        Self {
            root,
            commands,
            units: units.to_vec(),
        }
    }
}

/// The journals, all of which come out of the same files: together they are at most as long. Blocks.
fn plan(root: &HostRoot, journals: &[Journal], since: Option<Timestamp>) -> Vec<PlannedItem> {
    let files = journal_files::open(root);
    let is_new = |metadata: &std::fs::Metadata| {
        let modified = metadata.modified().ok();
        since.is_none_or(|since| modified.is_none_or(|modified| modified >= SystemTime::from(since)))
    };
    let metadata = files.open.iter().filter_map(|source| source.file.metadata().ok());
    let sizes: Vec<_> = metadata.filter(is_new).map(|metadata| metadata.len()).collect();
    let mut items = Vec::new();
    for (path, error) in &files.unread {
        let missing = PlannedItem::missing("journal", state_of(error), reason_of(error));
        items.push(missing.source(path));
    }
    if sizes.is_empty() && files.unread.is_empty() {
        let reason = "there are no journal files: journalctl and syslog are asked instead";
        items.push(PlannedItem::missing(FILES, State::NotPresent, reason));
    }
    if sizes.is_empty() {
        return items;
    }
    let names: Vec<_> = journals.iter().map(|journal| journal.name.as_str()).collect();
    let source = format!("{} journal files, which are at least as long", sizes.len());
    items.push(PlannedItem::new(names.join(", "), source).of_text(sizes.iter().sum()));
    items.push(PlannedItem::new(FILES, "the account of these files"));
    items
}

async fn read(cx: &ActionContext, files: JournalFiles, journals: Vec<Journal>) -> Result<(), ActionError> {
    // The thread ends when this future is dropped: it looks at the token that the guard cancels.
    let cancel = cx.cancel.child_token();
    let _guard = cancel.clone().drop_guard();
    let since = cx.since;
    let JournalFiles { open, unread, too_many } = files;
    let sink = cx.sink.clone();
    let reports = off_thread(move || pass::run(open, &journals, since, &sink, &cancel)).await;
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        ActionError::new(State::Failed, "the journal was not read to its end").because(error)
    };
    let reports = reports
        .map_err(|error| failed(error.into()))?
        .map_err(|error| failed(error.into()))?;
    let mut rows: Vec<_> = reports.into_iter().map(row).collect();
    rows.extend(unread.into_iter().map(|(file, error)| lost(file, reason_of(&error))));
    rows.extend(
        too_many
            .iter()
            .map(|path| lost(path.to_string(), "there are too many files".to_owned())),
    );
    write_rows(&cx.sink, &rows).await;
    Ok(())
}

fn row(report: FileReport) -> FileRow {
    FileRow {
        file: report.name,
        entries: report.entries,
        corrupt_objects: report.corrupt_objects,
        truncated: report.truncated,
        too_old: report.too_old,
        error: report.error.map(|error| reason_of(&error)),
    }
}

fn lost(file: String, error: String) -> FileRow {
    FileRow {
        file,
        entries: 0,
        corrupt_objects: 0,
        truncated: false,
        too_old: false,
        error: Some(error),
    }
}

/// Keeps the account of the files. It ends `failed` when one was not read to its end, because entries are missing then
/// whose journals nobody can name.
async fn write_rows(sink: &Sink, rows: &[FileRow]) {
    let text = match to_lines(rows) {
        Ok(text) => text,
        Err(error) => return sink.record(FILES, State::Failed, error.to_string()),
    };
    let unread = rows.iter().filter(|row| row.error.is_some()).count();
    let mut writer = sink.writer(ArtifactSpec::new(FILES, Content::Json));
    let copied = writer.copy_from(text.as_slice()).await;
    let problem = match copied {
        Err(error) => Some(error.to_string()),
        Ok(_) if unread > 0 => Some(format!(
            "{unread} of {} journal files were not read to their end",
            rows.len()
        )),
        Ok(_) => None,
    };
    match problem {
        Some(problem) => writer.finish_as(State::Failed, Some(problem)).await,
        None => writer.finish().await,
    };
}

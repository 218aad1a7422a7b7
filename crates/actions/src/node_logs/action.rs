//! The action: finds what each entry of the list names and copies it to the same path below the action's folder.

use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::StreamExt;
use jiff::Timestamp;
use periscope_core::{
    Action, ActionContext, ActionError, Content, Descriptor, ItemDescriptor, PlanContext, PlannedItem, Scope,
    Sensitivity, Sink, State,
};
use periscope_host::{Confinement, EntryKind, GlobMatches, HostError, HostPath, HostRoot, Metadata};

use super::aks_files::AKS_FILES;
use crate::host_files::{NodeFile, inflated_name, off_thread, reason_of, record, state_of, too_old};
use crate::planned;

/// Files on their way at once.
const IN_FLIGHT: usize = 4;

/// Most files that are taken in all: far more than a node's list names, and few enough to end.
const MAX_FILES: usize = 10_000;

/// The start of a file, by which text is told from anything else.
const PROBE_BYTES: usize = 1024;

/// What is known about the action beforehand.
pub(crate) static DESCRIPTOR: Descriptor = Descriptor {
    id: "node-logs",
    summary: "Log files of the node by path or glob; by default those of an AKS node's provisioning",
    timeout: Duration::from_mins(10),
    limit: 128 * 1024 * 1024,
    rbac: &[],
    scope: Scope::Node,
    sensitivity: Sensitivity::Node,
    items: &[ItemDescriptor::new(
        "<path>",
        "each file at its path on the node, inflated; each entry of the list that names no file, as it is listed",
    )],
};

/// Gathers log files of the node.
pub(crate) struct NodeLogs {
    root: HostRoot,
    entries: Vec<String>,
    /// Folders beside those of logs that files may be in.
    extra: Vec<HostPath>,
}

/// A file that an entry of the list names.
struct Found {
    name: String,
    path: HostPath,
    metadata: Metadata,
}

impl NodeLogs {
    /// The files below `root` that `entries` name, or those of an AKS node when there is no entry.
    pub(crate) fn new(root: HostRoot, entries: &[String]) -> Self {
        let entries = if entries.is_empty() {
            AKS_FILES.iter().map(|entry| (*entry).to_owned()).collect()
        } else {
            entries.to_vec()
        };
        Self::of(root, entries, Vec::new())
    }

    /// The files below `root` that `entries` name, in folders of logs or in the folders `extra`; for other actions that
    /// take files as they are.
    pub(crate) fn of(root: HostRoot, entries: Vec<String>, extra: Vec<HostPath>) -> Self {
        Self { root, entries, extra }
    }

    /// The files of all entries, each once; entries that name none are recorded.
    async fn find(&self, sink: &Sink) -> Vec<Found> {
        let mut found = Vec::new();
        let mut seen: HashMap<_, String> = HashMap::new();
        let mut aliases = HashSet::new();
        for entry in &self.entries {
            let (root, pattern) = (self.root.clone(), entry.clone());
            let looked = off_thread(move || look(&root, &pattern)).await;
            let (files, unread, cut) = match looked {
                Ok(Ok(looked)) => looked,
                Ok(Err(error)) => {
                    record(sink, entry, &error);
                    continue;
                }
                Err(error) => {
                    sink.record(entry, State::Failed, error.to_string());
                    continue;
                }
            };
            if cut {
                sink.record(
                    entry,
                    State::Failed,
                    format!("{entry} names too many files: some are missing"),
                );
            } else if let Some(error) = unread.first() {
                sink.record(entry, state_of(error), reason_of(error));
            } else if files.is_empty() {
                sink.record(entry, State::NotPresent, format!("no file is called {entry}"));
            }
            for file in files {
                match seen.entry((file.metadata.dev, file.metadata.ino)) {
                    Entry::Vacant(place) => {
                        place.insert(file.name.clone());
                    }
                    Entry::Occupied(first) => {
                        if *first.get() != file.name && aliases.insert(file.name.clone()) {
                            let reason = format!("it is the same file as {}", first.get());
                            sink.record(&file.name, State::NotApplicable, reason);
                        }
                        continue;
                    }
                }
                if found.len() == MAX_FILES {
                    let reason = format!(
                        "there are more than {MAX_FILES} files: {} and what follows is left out",
                        file.path
                    );
                    sink.record(entry, State::Failed, reason);
                    return found;
                }
                found.push(file);
            }
        }
        found
    }

    async fn copy(&self, sink: &Sink, file: Found, confinement: &Confinement) {
        let Found { name, path, .. } = file;
        let (root, confinement) = (self.root.clone(), confinement.clone());
        let opened = off_thread(move || {
            let open = NodeFile::open_within(&root, &path, &confinement)?;
            let content = content_of(&path, &open);
            Ok((open, content))
        });
        match opened.await {
            Ok(Ok((open, content))) => {
                open.copy_to(sink, &name, content).await;
            }
            Ok(Err(error)) => {
                record(sink, &name, &error);
            }
            Err(error) => sink.record(&name, State::Failed, error.to_string()),
        }
    }
}

#[async_trait]
impl Action for NodeLogs {
    async fn plan(&self, cx: &PlanContext) -> Option<Vec<PlannedItem>> {
        let (root, entries, extra, since) = (self.root.clone(), self.entries.clone(), self.extra.clone(), cx.since);
        let look = move || {
            let within = Confinement::new(&extra).ok()?;
            Some(plan(&root, &entries, &within, since))
        };
        off_thread(look).await.ok().flatten()
    }

    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        let sink = &cx.sink;
        let confinement = Confinement::new(&self.extra)
            .map_err(|error| ActionError::new(State::Failed, "the folders of logs are not known").because(error))?;
        let mut files = self.find(sink).await;
        if let Some(since) = cx.since {
            let since = SystemTime::from(since);
            files.retain(|file| {
                let is_old = file.metadata.modified < since;
                if is_old {
                    sink.record(&file.name, State::NotApplicable, too_old(file.metadata.modified));
                }
                !is_old
            });
        }
        for file in &files {
            sink.plan(&file.name);
        }
        let copies = futures::stream::iter(files).map(|file| self.copy(sink, file, &confinement));
        copies.buffer_unordered(IN_FLIGHT).collect::<()>().await;
        Ok(())
    }
}

/// What the entries name, each file once. Blocks.
fn plan(root: &HostRoot, entries: &[String], within: &Confinement, since: Option<Timestamp>) -> Vec<PlannedItem> {
    let mut items = Vec::new();
    let mut seen = HashSet::new();
    for entry in entries {
        let (files, unread) = match look(root, entry) {
            Ok((files, unread, _)) => (files, unread),
            Err(error) => (Vec::new(), vec![error]),
        };
        if let Some(error) = unread.first() {
            items.push(PlannedItem::missing(entry, state_of(error), reason_of(error)));
        } else if files.is_empty() {
            let reason = format!("no file is called {entry}");
            items.push(PlannedItem::missing(entry, State::NotPresent, reason));
        }
        for Found { name, path, metadata } in files {
            if seen.insert((metadata.dev, metadata.ino)) && items.len() < MAX_FILES {
                let found = planned::Found {
                    name,
                    path,
                    len: metadata.len,
                    modified: metadata.modified,
                };
                items.push(planned::file(root, found, Some(within), since));
            }
        }
    }
    items
}

/// The files that an entry names, the folders that could not be looked into, and whether there are more. Blocks.
fn look(root: &HostRoot, entry: &str) -> Result<(Vec<Found>, Vec<HostError>, bool), HostError> {
    let GlobMatches { paths, mut unread, cut } = root.glob(entry)?;
    let mut found = Vec::new();
    for path in paths {
        match root.metadata(&path) {
            // A pattern such as `folder/*` means the files; a folder that is named itself is refused when it is opened.
            Ok(metadata) if metadata.kind == EntryKind::Dir && path.as_str() != entry => {}
            Ok(metadata) => {
                let name = inflated_name(path.as_str()).to_owned();
                found.push(Found { name, path, metadata });
            }
            Err(error) => unread.push(error),
        }
    }
    Ok((found, unread, cut))
}

fn content_of(path: &HostPath, file: &NodeFile) -> Content {
    if file.is_gzip() {
        return Content::Text;
    }
    let mut start = [0; PROBE_BYTES];
    let len = file.file().read_at(&mut start, 0).unwrap_or(0);
    if start.iter().take(len).any(|&byte| byte == 0) {
        Content::Binary
    } else if path
        .as_str()
        .rsplit_once('.')
        .is_some_and(|(_, extension)| extension == "json")
    {
        Content::Json
    } else {
        Content::Text
    }
}

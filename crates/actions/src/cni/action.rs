//! The action: documents about configurations, plugins and addresses, and the files as they are.

use std::time::Duration;

use async_trait::async_trait;
use periscope_core::{
    Action, ActionContext, ActionError, ArtifactSpec, Content, Descriptor, ItemDescriptor, PlanContext, PlannedItem,
    Scope, Sensitivity, Sink, State,
};
use periscope_documents::{AddressRange, CniConfiguration, CniPlugin, names, to_lines};
use periscope_host::{EntryKind, HostError, HostPath, HostRoot};
use serde::Serialize;

use super::addresses::Given;
use super::files::{STATE_AND_LOGS, STATE_FOLDERS};
use super::folders::Folders;
use super::{addresses, configurations, plugins};
use crate::host_files::{off_thread, reason_of, state_of};
use crate::kubelet::without_credentials;
use crate::node_logs::NodeLogs;
use crate::table;

const CONFIGURATIONS_TABLE: &str = "configurations.txt";
const PLUGINS_TABLE: &str = "plugins.txt";
const ADDRESSES_TABLE: &str = "addresses.txt";

/// A kubeconfig has some kilobytes.
const MAX_KUBECONFIG_BYTES: usize = 1024 * 1024;

pub(crate) const DESCRIPTOR: Descriptor = Descriptor {
    id: names::CNI,
    summary: "Network plugins: configuration, programs and their versions, addresses given away, state and logs",
    timeout: Duration::from_mins(5),
    limit: 128 * 1024 * 1024,
    rbac: &[],
    scope: Scope::Node,
    sensitivity: Sensitivity::Configuration,
    items: &[
        ItemDescriptor::new(
            names::CNI_CONFIGURATIONS,
            "Configurations in the runtime's order, with their plugins and what is wrong with them",
        ),
        ItemDescriptor::new(CONFIGURATIONS_TABLE, "The configurations as a table"),
        ItemDescriptor::new(
            names::CNI_PLUGINS,
            "Programs in the plugins' folders, with the versions that are written into them",
        ),
        ItemDescriptor::new(PLUGINS_TABLE, "The programs as a table"),
        ItemDescriptor::new(
            names::CNI_ADDRESSES,
            "Ranges of the plugin `host-local`, and how many of their addresses are given away",
        ),
        ItemDescriptor::new(ADDRESSES_TABLE, "The ranges, and each address with its container"),
        ItemDescriptor::new(
            "kubeconfigs/<file>",
            "kubeconfigs of network plugins, without credentials",
        ),
        ItemDescriptor::new(
            "<path>",
            "Configurations, state and logs of Azure CNI, CNS, NPM, cilium, Calico and flannel, each at its path on the node",
        ),
    ],
};

/// Gathers the network plugins.
pub(crate) struct Cni {
    root: HostRoot,
}

type Read<T> = Result<T, HostError>;

/// What the node's files say.
struct Found {
    folders: Folders,
    configurations: Read<Vec<CniConfiguration>>,
    plugins: Read<Vec<CniPlugin>>,
    ranges: Vec<AddressRange>,
    given: Vec<Given>,
    kubeconfigs: Vec<(String, Result<String, String>)>,
}

impl Cni {
    pub(crate) fn new(root: HostRoot) -> Self {
        Self { root }
    }

    /// Reads the small files. Blocks.
    fn look(root: &HostRoot) -> Option<Found> {
        let folders = Folders::find(root)?;
        let read = configurations::read(root, &folders.configurations);
        let (ranges, given) = addresses::read(root, read.as_deref().unwrap_or_default());
        Some(Found {
            configurations: read.map(|all| all.into_iter().map(|it| it.row).collect()),
            plugins: plugins::read(root, &folders.programs),
            ranges,
            given,
            kubeconfigs: kubeconfigs(root, &folders.configurations),
            folders,
        })
    }

    fn files(&self, folders: &Folders) -> NodeLogs {
        let mut entries = vec![format!("{}/*", folders.configurations)];
        entries.extend(STATE_AND_LOGS.iter().map(|entry| (*entry).to_owned()));
        let mut extra = vec![folders.configurations.clone()];
        extra.extend(STATE_FOLDERS.iter().filter_map(|folder| HostPath::new(folder).ok()));
        NodeLogs::of(self.root.clone(), entries, extra)
    }
}

#[async_trait]
impl Action for Cni {
    async fn plan(&self, cx: &PlanContext) -> Option<Vec<PlannedItem>> {
        let root = self.root.clone();
        let folders = off_thread(move || Folders::find(&root)).await.ok().flatten()?;
        let documents = DESCRIPTOR.items.iter().filter(|item| item.is_fixed());
        let source = format!("{} and the plugins' folders", folders.configurations);
        let mut items: Vec<_> = documents.map(|item| PlannedItem::new(item.path, &*source)).collect();
        items.extend(self.files(&folders).plan(cx).await?);
        Some(items)
    }

    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        let sink = &cx.sink;
        let root = self.root.clone();
        let found = off_thread(move || Self::look(&root))
            .await
            .map_err(|error| ActionError::new(State::Failed, "the node's files cannot be read").because(error))?
            .ok_or_else(|| ActionError::new(State::Failed, "the folders of network plugins are not known"))?;
        let table = |rows: &Vec<CniConfiguration>| configurations_table(rows);
        keep(
            sink,
            names::CNI_CONFIGURATIONS,
            CONFIGURATIONS_TABLE,
            &found.configurations,
            table,
        )
        .await;
        let table = |rows: &Vec<CniPlugin>| plugins::as_table(rows);
        keep(sink, names::CNI_PLUGINS, PLUGINS_TABLE, &found.plugins, table).await;
        if found.ranges.is_empty() && found.given.is_empty() {
            // Which plugins there are is in the configurations.
            let (state, reason) = match &found.configurations {
                Err(error) if !matches!(error, HostError::NotFound { .. }) => (state_of(error), reason_of(error)),
                _ => (
                    State::NotApplicable,
                    "the plugin host-local gives no addresses here".to_owned(),
                ),
            };
            for name in [names::CNI_ADDRESSES, ADDRESSES_TABLE] {
                sink.record(name, state, &reason);
            }
        } else {
            let table = |rows: &Vec<AddressRange>| addresses::as_table(rows, &found.given);
            keep(
                sink,
                names::CNI_ADDRESSES,
                ADDRESSES_TABLE,
                &Ok(found.ranges.clone()),
                table,
            )
            .await;
        }
        for (name, text) in found.kubeconfigs {
            let name = format!("kubeconfigs/{name}");
            match text {
                Ok(text) => drop(sink.document(ArtifactSpec::new(name, Content::Yaml), text).await),
                Err(reason) => sink.record(&name, State::Withheld, reason),
            }
        }
        self.files(&found.folders).run(cx).await
    }
}

/// The kubeconfigs beside the configurations, without their credentials. Links are not followed: a plugin's own pod may
/// have put them there.
fn kubeconfigs(root: &HostRoot, folder: &HostPath) -> Vec<(String, Result<String, String>)> {
    let entries = root.read_dir(folder).unwrap_or_default();
    entries
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::File && entry.name.contains("kubeconfig"))
        .filter_map(|entry| {
            let path = folder.join(&entry.name).ok()?;
            let text = root.read_text(&path, MAX_KUBECONFIG_BYTES);
            let text = text
                .map_err(|error| reason_of(&error))
                .and_then(|text| without_credentials(&text).map(|(text, _)| text).map_err(str::to_owned));
            Some((entry.name, text))
        })
        .collect()
}

/// Keeps rows as a document and as a table.
async fn keep<T: Serialize>(
    sink: &Sink,
    json: &str,
    text: &str,
    rows: &Read<Vec<T>>,
    table: impl Fn(&Vec<T>) -> String,
) {
    match rows {
        Ok(rows) => {
            match to_lines(rows) {
                Ok(bytes) => drop(sink.document(ArtifactSpec::new(json, Content::Json), bytes).await),
                Err(error) => sink.record(json, State::Failed, error.to_string()),
            }
            sink.document(ArtifactSpec::new(text, Content::Text), table(rows)).await;
        }
        Err(error) => {
            for name in [json, text] {
                sink.record(name, state_of(error), reason_of(error));
            }
        }
    }
}

fn configurations_table(rows: &[CniConfiguration]) -> String {
    let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.path.clone(),
                word(&row.name),
                word(&row.cni_version),
                row.plugins.join(" "),
                word(&row.problem),
            ]
        })
        .collect();
    table::render(&["CONFIGURATION", "NETWORK", "CNI", "PLUGINS", "PROBLEM"], &rows)
}

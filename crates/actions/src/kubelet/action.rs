//! The action: one artifact after another; each has its own state.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use periscope_core::{
    Action, ActionContext, ActionError, ArtifactSpec, Content, Descriptor, ItemDescriptor, PlanContext, PlannedItem,
    Scope, Sensitivity, Sink, State,
};
use periscope_documents::{names, to_lines};
use periscope_host::{CommandRunner, HostError, HostPath, HostProcess, HostRoot};
use tokio::io::AsyncWriteExt;

use super::configuration::{self, AZURE_JSON, CERTIFICATE_FLAGS, CERTIFICATES, UNIT_FILES};
use super::known::KnownKubelet;
use super::settings::Source;
use super::{certificates, credentials, process, settings};
use crate::host_files::{collect, glob, off_thread, reason_of, record, record_none, state_of};
use crate::planned;

/// Largest configuration file that is read.
const MAX_FILE_BYTES: usize = 1024 * 1024;

/// What is known about the action beforehand.
pub(crate) static DESCRIPTOR: Descriptor = Descriptor {
    id: names::KUBELET,
    summary: "The kubelet's command line, configuration, unit files and certificates; kubeconfig and azure.json without \
              credentials",
    timeout: Duration::from_mins(1),
    limit: 16 * 1024 * 1024,
    rbac: &[],
    scope: Scope::Node,
    sensitivity: Sensitivity::Configuration,
    items: &[
        ItemDescriptor::new(CMDLINE, "the running kubelet's arguments, one per line"),
        ItemDescriptor::new(
            "config.<yaml|json>",
            "the file that --config names, or the one in its usual place",
        ),
        ItemDescriptor::new("config.d/<file>", "the drop-ins below --config-dir"),
        ItemDescriptor::new(
            names::KUBELET_SETTINGS,
            "the settings in force that other items are read against: DNS, pods, cgroups, runtime",
        ),
        ItemDescriptor::new(
            "files/<path>",
            "systemd unit, its drop-ins and files of environment variables",
        ),
        ItemDescriptor::new(
            names::KUBELET_CERTIFICATES,
            "subject, issuer, names and validity of each certificate of the kubelet and the cluster on the node",
        ),
        ItemDescriptor::new(KUBECONFIG, "the kubelet's kubeconfig without credentials"),
        ItemDescriptor::new(
            BOOTSTRAP_KUBECONFIG,
            "the kubeconfig for the first start, without credentials",
        ),
        ItemDescriptor::new(AZURE, "/etc/kubernetes/azure.json without secrets"),
    ],
};

const CMDLINE: &str = "cmdline.txt";
const KUBECONFIG: &str = "kubeconfig.yaml";
const BOOTSTRAP_KUBECONFIG: &str = "bootstrap-kubeconfig.yaml";
const AZURE: &str = "azure.json";

/// Gathers how the kubelet is set up.
pub(crate) struct Kubelet {
    root: HostRoot,
    commands: Arc<dyn CommandRunner>,
}

#[async_trait]
impl Action for Kubelet {
    async fn plan(&self, _cx: &PlanContext) -> Option<Vec<PlannedItem>> {
        let root = self.root.clone();
        off_thread(move || plan(&root)).await.ok()
    }

    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        let sink = &cx.sink;
        let process = self.command_line(sink).await;
        let process = process.as_ref();
        let sources = self.configuration(sink, process).await;
        self.settings(sink, &sources, process).await;
        self.unit_files(sink).await;
        self.certificates(sink, process).await;
        self.without_credentials(sink, KUBECONFIG, configuration::kubeconfigs(process))
            .await;
        self.without_credentials(
            sink,
            BOOTSTRAP_KUBECONFIG,
            configuration::bootstrap_kubeconfigs(process),
        )
        .await;
        self.without_credentials(sink, AZURE, vec![AZURE_JSON.to_owned()]).await;
        Ok(())
    }
}

/// What there is of the kubelet on the node. Blocks.
fn plan(root: &HostRoot) -> Vec<PlannedItem> {
    let found = process::find(root);
    let mut items = vec![match &found {
        Ok(Some(process)) => PlannedItem::new(CMDLINE, format!("/proc/{}/cmdline", process.pid)),
        Ok(None) => PlannedItem::missing(CMDLINE, State::NotPresent, "no kubelet is running"),
        Err(error) => PlannedItem::missing(CMDLINE, state_of(error), reason_of(error)),
    }];
    let process = found.as_ref().ok().and_then(Option::as_ref);
    for (name, paths) in [
        ("config.yaml", configuration::configurations(process)),
        (KUBECONFIG, configuration::kubeconfigs(process)),
        (BOOTSTRAP_KUBECONFIG, configuration::bootstrap_kubeconfigs(process)),
        (AZURE, vec![AZURE_JSON.to_owned()]),
    ] {
        items.push(planned::first_of(root, name, &paths));
    }
    for pattern in UNIT_FILES {
        items.extend(planned::matching(root, pattern, "files"));
    }
    let certificates = CERTIFICATES
        .iter()
        .flat_map(|pattern| planned::matching(root, pattern, ""));
    let described = format!("subject and validity of {} files of certificates", certificates.count());
    items.push(PlannedItem::new(names::KUBELET_CERTIFICATES, described));
    let derived = "what the files above say together";
    items.push(PlannedItem::new(names::KUBELET_SETTINGS, derived));
    items
}

impl Kubelet {
    /// The kubelet of the node below `root`; `commands` is asked for its version only.
    pub(crate) fn new(root: HostRoot, commands: Arc<dyn CommandRunner>) -> Self {
        Self { root, commands }
    }

    async fn command_line(&self, sink: &Sink) -> Option<HostProcess> {
        let root = self.root.clone();
        match off_thread(move || process::find(&root)).await {
            Ok(Ok(Some(process))) => {
                let spec = ArtifactSpec::new(CMDLINE, Content::Text).source(format!("/proc/{}/cmdline", process.pid));
                sink.document(spec, process::command_line(&process)).await;
                return Some(process);
            }
            Ok(Ok(None)) => sink.record(CMDLINE, State::NotPresent, "no kubelet is running"),
            Ok(Err(error)) => {
                record(sink, CMDLINE, &error);
            }
            Err(error) => sink.record(CMDLINE, State::Failed, error.to_string()),
        }
        None
    }

    /// Keeps the configuration file and its drop-ins, and returns what was read of them, in the order they apply.
    async fn configuration(&self, sink: &Sink, process: Option<&HostProcess>) -> Vec<Source> {
        let mut sources = Vec::new();
        match self.first_of(configuration::configurations(process)).await {
            Ok(source) => {
                let (name, content) = if source.text.trim_start().starts_with('{') {
                    ("config.json", Content::Json)
                } else {
                    ("config.yaml", Content::Yaml)
                };
                sink.document(
                    ArtifactSpec::new(name, content).source(&*source.path),
                    source.text.as_str(),
                )
                .await;
                sources.push(source);
            }
            Err((state, reason)) => sink.record("config.yaml", state, reason),
        }
        let Some(folder) = process.and_then(|process| process.flag("--config-dir")) else {
            return sources;
        };
        // The kubelet reads only files of this name, in the order of their names.
        for path in glob(&self.root, sink, &format!("{folder}/*.conf")).await {
            let name = format!("config.d/{}", path.file_name().unwrap_or_default());
            match self.read(path).await {
                Ok(source) => {
                    let spec = ArtifactSpec::new(name, Content::Yaml).source(&*source.path);
                    sink.document(spec, source.text.as_str()).await;
                    sources.push(source);
                }
                Err(error) => {
                    record(sink, &name, &error);
                }
            }
        }
        sources
    }

    async fn settings(&self, sink: &Sink, sources: &[Source], process: Option<&HostProcess>) {
        if sources.is_empty() && process.is_none() {
            let reason = "neither a kubelet process nor its configuration was found";
            let none = (State::NotPresent, reason);
            return record_none(&self.root, sink, names::KUBELET_SETTINGS, &KnownKubelet::PLACES, none).await;
        }
        let (mut settings, problems) = settings::in_force(sources, process);
        settings.version = process::version(&self.commands).await;
        let text = match serde_json::to_string_pretty(&settings) {
            Ok(text) => text,
            Err(error) => return sink.record(names::KUBELET_SETTINGS, State::Failed, error.to_string()),
        };
        let outcome = (!problems.is_empty()).then(|| (State::Failed, problems.join("; ")));
        keep(sink, names::KUBELET_SETTINGS, text.as_bytes(), outcome).await;
    }

    async fn unit_files(&self, sink: &Sink) {
        let mut seen = std::collections::HashSet::new();
        for pattern in UNIT_FILES {
            for path in glob(&self.root, sink, pattern).await {
                // `/lib` is a link to `/usr/lib` on most nodes.
                if seen.insert(path.as_str().strip_prefix("/usr").unwrap_or(path.as_str()).to_owned()) {
                    collect(&self.root, sink, &path, &format!("files{path}"), Content::Text).await;
                }
            }
        }
        if seen.is_empty() {
            let reason = "there is no unit file of the kubelet";
            record_none(&self.root, sink, "files", &UNIT_FILES, (State::NotPresent, reason)).await;
        }
    }

    async fn certificates(&self, sink: &Sink, process: Option<&HostProcess>) {
        let named = CERTIFICATE_FLAGS.iter().filter_map(|flag| process?.flag(flag));
        let patterns: Vec<_> = CERTIFICATES.into_iter().chain(named).map(str::to_owned).collect();
        let root = self.root.clone();
        let name = names::KUBELET_CERTIFICATES;
        let found = match off_thread(move || certificates::describe(&root, &patterns)).await {
            Ok(found) => found,
            Err(error) => return sink.record(name, State::Failed, error.to_string()),
        };
        let unread = found.unread.first().map(|first| {
            let reasons: Vec<_> = found.unread.iter().map(|error| reason_of(error)).collect();
            (state_of(first), reasons.join("; "))
        });
        match (found.rows.is_empty(), unread) {
            (true, Some((state, reason))) => sink.record(name, state, reason),
            (true, None) => sink.record(name, State::NotPresent, "there are no certificates in the usual places"),
            (false, unread) => match to_lines(&found.rows) {
                Ok(text) => keep(sink, name, &text, unread).await,
                Err(error) => sink.record(name, State::Failed, error.to_string()),
            },
        }
    }

    async fn without_credentials(&self, sink: &Sink, name: &str, paths: Vec<String>) {
        let source = match self.first_of(paths).await {
            Ok(source) => source,
            Err((state, reason)) => return sink.record(name, state, reason),
        };
        match credentials::without_credentials(&source.text) {
            Ok((text, removed)) => {
                let content = if text.starts_with('{') {
                    Content::Json
                } else {
                    Content::Yaml
                };
                let mut writer = sink.writer(ArtifactSpec::new(name, content).source(source.path));
                writer.add_redactions(removed.iter());
                match writer.write_all(text.as_bytes()).await {
                    Ok(()) => writer.finish().await,
                    Err(error) => writer.finish_as(State::Failed, Some(error.to_string())).await,
                };
            }
            Err(reason) => sink.record(name, State::Withheld, format!("{}: {reason}", source.path)),
        }
    }

    /// The first of the files that exists; where none does, that this is so, and why for the one that could not be
    /// read.
    async fn first_of(&self, paths: Vec<String>) -> Result<Source, (State, String)> {
        let reason = format!("there is no {}", paths.join(" or "));
        for path in paths {
            let path = match HostPath::new(&path) {
                Ok(path) => path,
                Err(error) => return Err((State::Failed, error.to_string())),
            };
            match self.read(path).await {
                Err(HostError::NotFound { .. }) => {}
                Ok(source) => return Ok(source),
                Err(error) => return Err((state_of(&error), reason_of(&error))),
            }
        }
        Err((State::NotPresent, reason))
    }

    async fn read(&self, path: HostPath) -> Result<Source, HostError> {
        let root = self.root.clone();
        let name = path.to_string();
        let text = off_thread(move || root.read_text(&path, MAX_FILE_BYTES)).await;
        let text = text.unwrap_or_else(|source| {
            Err(HostError::Io {
                path: name.clone(),
                source,
            })
        })?;
        Ok(Source { path: name, text })
    }
}

/// Keeps a document that was made here; `incomplete` says how it ends and why when something is missing from it.
async fn keep(sink: &Sink, name: &str, text: &[u8], incomplete: Option<(State, String)>) {
    let mut writer = sink.writer(ArtifactSpec::new(name, Content::Json));
    let copied = writer.copy_from(text).await;
    match (copied, incomplete) {
        (Ok(_), None) => writer.finish().await,
        (Ok(_), Some((state, reason))) => writer.finish_as(state, Some(reason)).await,
        (Err(error), _) => writer.finish_as(State::Failed, Some(error.to_string())).await,
    };
}

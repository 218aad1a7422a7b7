//! Writes objects as they come: the raw list, and the descriptions they belong to.

use std::collections::BTreeMap;

use periscope_cluster::ResourceType;
use periscope_core::{ArtifactSpec, ArtifactWriter, Content, Place, Sink, State};
use periscope_redact::Counts;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

/// How a list ended, when not well: what its artifacts are recorded as.
pub(crate) type Ending = Option<(State, String)>;

/// A list of raw objects in one JSON file, in the form in which the API gives it. It is opened when it gets its first
/// object.
pub(crate) struct ObjectFile<'a> {
    sink: &'a Sink,
    resource: &'a ResourceType,
    name: String,
    writer: Option<ArtifactWriter>,
}

impl<'a> ObjectFile<'a> {
    /// The file at `name` below `cluster-resources/`.
    pub(crate) fn new(sink: &'a Sink, resource: &'a ResourceType, name: String) -> Self {
        Self {
            sink,
            resource,
            name,
            writer: None,
        }
    }

    /// Adds an object from which so much was removed. In several lines, because the redactor looks at lines.
    pub(crate) async fn add(&mut self, object: &Value, removed: &Counts) {
        if let Some(writer) = &mut self.writer {
            writer.add_redactions(removed.iter());
            write(writer, &format!(",\n{object:#}")).await;
        } else {
            let mut writer = self.open().await;
            writer.add_redactions(removed.iter());
            write(&mut writer, &format!("\n{object:#}")).await;
            self.writer = Some(writer);
        }
    }

    /// Closes the list, so that it is whole JSON however it ended. A list that ended well is written even when it is
    /// empty.
    pub(crate) async fn finish(mut self, ending: &Ending) {
        let mut writer = match (self.writer.take(), ending) {
            (Some(writer), _) => writer,
            (None, None) => self.open().await,
            (None, Some((state, reason))) => {
                return self.sink.record_at(Place::Cluster, &self.name, *state, reason);
            }
        };
        write(&mut writer, "\n]\n}\n").await;
        finish(writer, ending).await;
    }

    /// Whether an object was added.
    pub(super) fn has_objects(&self) -> bool {
        self.writer.is_some()
    }

    /// Whether nothing more of it is kept.
    pub(crate) fn is_full(&self) -> bool {
        self.writer.as_ref().is_some_and(ArtifactWriter::is_full)
    }

    async fn open(&self) -> ArtifactWriter {
        let resource = self.resource;
        let spec = ArtifactSpec::new(self.name.clone(), Content::Json)
            .place(Place::Cluster)
            .source(resource.qualified());
        let mut writer = self.sink.writer(spec);
        let (kind, version) = (&resource.kind, resource.api_version());
        let head =
            format!("{{\n\"kind\": \"{kind}List\",\n\"apiVersion\": \"{version}\",\n\"metadata\": {{}},\n\"items\": [");
        write(&mut writer, &head).await;
        writer
    }
}

/// The descriptions of the objects of one resource: of all together, and of some alone.
pub(super) struct Descriptions {
    sink: Sink,
    all: Option<(String, Option<ArtifactWriter>)>,
    named: BTreeMap<String, String>,
}

impl Descriptions {
    /// Nothing is opened before there is something to describe.
    pub(super) fn new(sink: &Sink, all: Option<String>, named: BTreeMap<String, String>) -> Self {
        Self {
            sink: sink.clone(),
            all: all.map(|item| (item, None)),
            named,
        }
    }

    /// Adds the description of the object of this name wherever it belongs.
    pub(super) async fn add(&mut self, name: &str, text: &str) {
        if let Some((item, writer)) = &mut self.all {
            if let Some(writer) = writer {
                // As between objects that are described together by kubectl.
                write(writer, "\n\n").await;
                write(writer, text).await;
            } else {
                let mut opened = open(&self.sink, item);
                write(&mut opened, text).await;
                *writer = Some(opened);
            }
        }
        if let Some(item) = self.named.remove(name) {
            let mut writer = open(&self.sink, &item);
            write(&mut writer, text).await;
            writer.finish().await;
        }
    }

    /// Records why a single object did not come.
    pub(super) fn miss(&mut self, name: &str, state: State, reason: &str) {
        if let Some(item) = self.named.remove(name) {
            self.sink.record(&item, state, reason);
        }
    }

    /// Ends them; objects that did not come get the state of the list, or are not there.
    pub(super) async fn finish(mut self, ending: &Ending) {
        match self.all.take() {
            Some((_, Some(writer))) => {
                finish(writer, ending).await;
            }
            Some((item, None)) => self.absent(&item, ending, "there are none"),
            None => {}
        }
        for item in self.named.values() {
            self.absent(item, ending, "there is no such object");
        }
    }

    fn absent(&self, item: &str, ending: &Ending, otherwise: &str) {
        match ending {
            Some((state, reason)) => self.sink.record(item, *state, reason),
            None => self.sink.record(item, State::NotPresent, otherwise),
        }
    }
}

fn open(sink: &Sink, item: &str) -> ArtifactWriter {
    sink.writer(ArtifactSpec::new(item, Content::Text))
}

async fn finish(writer: ArtifactWriter, ending: &Ending) {
    match ending {
        Some((state, reason)) => writer.finish_as(*state, Some(reason.clone())).await,
        None => writer.finish().await,
    };
}

async fn write(writer: &mut ArtifactWriter, text: &str) {
    // Writing never fails: what went wrong is in the state that the artifact ends with.
    writer.write_all(text.as_bytes()).await.ok();
}

//! The answers of a runtime on their way into the archive: each document ends as its answer did.

use periscope_core::{ArtifactSpec, Content, Sink, State};
use periscope_documents::{
    RuntimeContainer, RuntimeFilesystem, RuntimeImage, RuntimePlugin, RuntimeSandbox, RuntimeStatus, RuntimeVersion,
    names, to_lines,
};
use serde::Serialize;

use super::calls::CallError;
use super::containers_table;

/// An answer, or why there is none.
pub(super) type Answer<T> = Result<T, CallError>;

/// Containers, and what is missing of them.
pub(super) struct Containers {
    /// One row an instance.
    pub(super) rows: Vec<RuntimeContainer>,
    /// How the document ends that lacks something, and what it lacks.
    pub(super) incomplete: Option<(State, String)>,
}

/// Everything that a runtime was asked for.
pub(super) struct Gathered {
    pub(super) version: Answer<RuntimeVersion>,
    pub(super) status: Answer<RuntimeStatus>,
    pub(super) sandboxes: Answer<Vec<RuntimeSandbox>>,
    pub(super) containers: Answer<Containers>,
    pub(super) images: Answer<Vec<RuntimeImage>>,
    pub(super) filesystem: Answer<Vec<RuntimeFilesystem>>,
    pub(super) plugins: Answer<Vec<RuntimePlugin>>,
}

impl Gathered {
    /// Of a runtime that gives no answers at all.
    pub(super) fn nothing(error: &CallError) -> Self {
        Self {
            version: Err(error.clone()),
            status: Err(error.clone()),
            sandboxes: Err(error.clone()),
            containers: Err(error.clone()),
            images: Err(error.clone()),
            filesystem: Err(error.clone()),
            plugins: Err(error.clone()),
        }
    }

    /// Keeps it all; `endpoint` is the socket it came from.
    pub(super) async fn keep(self, sink: &Sink, endpoint: &str) {
        keep_one(sink, names::RUNTIME_VERSION, endpoint, self.version).await;
        keep_one(sink, names::RUNTIME_STATUS, endpoint, self.status).await;
        keep_rows(sink, names::RUNTIME_SANDBOXES, endpoint, self.sandboxes).await;
        keep_rows(sink, names::RUNTIME_IMAGES, endpoint, self.images).await;
        keep_rows(sink, names::RUNTIME_FILESYSTEM, endpoint, self.filesystem).await;
        keep_rows(sink, names::RUNTIME_PLUGINS, endpoint, self.plugins).await;
        match self.containers {
            Ok(Containers { rows, incomplete }) => {
                let table = containers_table::render(&rows);
                let text = Ok(table.into_bytes());
                write(
                    sink,
                    names::RUNTIME_CONTAINERS_TABLE,
                    Content::Text,
                    endpoint,
                    text,
                    incomplete.clone(),
                )
                .await;
                let text = to_lines(&rows);
                write(
                    sink,
                    names::RUNTIME_CONTAINERS,
                    Content::Json,
                    endpoint,
                    text,
                    incomplete,
                )
                .await;
            }
            Err(error) => {
                for name in [names::RUNTIME_CONTAINERS, names::RUNTIME_CONTAINERS_TABLE] {
                    sink.record(name, error.state(), &error.message);
                }
            }
        }
    }
}

async fn keep_one<T: Serialize>(sink: &Sink, name: &str, endpoint: &str, answer: Answer<T>) {
    match answer {
        Ok(document) => {
            let text = serde_json::to_vec_pretty(&document).map(|mut text| {
                text.push(b'\n');
                text
            });
            write(sink, name, Content::Json, endpoint, text, None).await;
        }
        Err(error) => sink.record(name, error.state(), &error.message),
    }
}

/// Keeps an array, one element a line.
pub(super) async fn keep_rows<T: Serialize>(sink: &Sink, name: &str, source: &str, answer: Answer<Vec<T>>) {
    match answer {
        Ok(rows) => write(sink, name, Content::Json, source, to_lines(&rows), None).await,
        Err(error) => sink.record(name, error.state(), &error.message),
    }
}

async fn write(
    sink: &Sink,
    name: &str,
    content: Content,
    source: &str,
    text: serde_json::Result<Vec<u8>>,
    incomplete: Option<(State, String)>,
) {
    let text = match text {
        Ok(text) => text,
        Err(error) => return sink.record(name, State::Failed, error.to_string()),
    };
    let mut writer = sink.writer(ArtifactSpec::new(name, content).source(source));
    match (writer.copy_from(text.as_slice()).await, incomplete) {
        (Ok(_), None) => writer.finish().await,
        (Ok(_), Some((state, reason))) => writer.finish_as(state, Some(reason)).await,
        (Err(error), _) => writer.finish_as(State::Failed, Some(error.to_string())).await,
    };
}

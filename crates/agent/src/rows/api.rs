//! The few requests of this module, each made once and bounded: trying again is the writer's matter.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Client;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::row;

/// A healthy API server answers in milliseconds; what takes longer than this is tried again.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that the API server may tell us to wait.
const MAX_AFTER: Duration = Duration::from_secs(30);

/// The API server, seen from one namespace.
pub(super) struct Api {
    rows: kube::Api<DynamicObject>,
    events: kube::Api<Event>,
    pods: kube::Api<Pod>,
}

/// A request that was refused or not answered.
#[derive(Debug)]
pub(super) struct Refusal {
    /// HTTP status of the answer; `None` without one.
    pub(super) code: Option<u16>,
    /// How long the API server asked us to wait; zero where it did not.
    pub(super) after: Duration,
    text: String,
}

impl Refusal {
    /// One that no request met.
    pub(super) fn of_our_own(text: &str) -> Self {
        Self {
            code: None,
            after: Duration::ZERO,
            text: text.to_owned(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Api {
    pub(super) fn new(client: &Client, namespace: &str) -> Self {
        Self {
            rows: kube::Api::namespaced_with(client.clone(), namespace, &row::resource()),
            events: kube::Api::namespaced(client.clone(), namespace),
            pods: kube::Api::namespaced(client.clone(), namespace),
        }
    }

    /// Creates a row; returns the content that the API server kept of it, as the other two do.
    pub(super) async fn create_row(&self, name: &str, content: &Value) -> Result<Value, Refusal> {
        let mut object = DynamicObject::new(name, &row::resource());
        object.data = content.clone();
        let created = bounded(self.rows.create(&PostParams::default(), &object)).await?;
        Ok(kept(created))
    }

    pub(super) async fn patch_row(&self, name: &str, patch: &Value) -> Result<Value, Refusal> {
        let patched = bounded(self.rows.patch(name, &PatchParams::default(), &Patch::Merge(patch))).await?;
        Ok(kept(patched))
    }

    pub(super) async fn get_row(&self, name: &str) -> Result<Value, Refusal> {
        Ok(kept(bounded(self.rows.get(name)).await?))
    }

    pub(super) async fn create_event(&self, event: &Event) -> Result<(), Refusal> {
        bounded(self.events.create(&PostParams::default(), event)).await?;
        Ok(())
    }

    /// The pod's uid, where the API server tells it.
    pub(super) async fn uid_of_pod(&self, name: &str) -> Option<String> {
        bounded(self.pods.get_metadata(name)).await.ok()?.metadata.uid
    }
}

fn kept(mut object: DynamicObject) -> Value {
    let mut content = json!({});
    for key in ["spec", "status"] {
        if let Some(value) = object.data.get_mut(key) {
            content[key] = value.take();
        }
    }
    content
}

async fn bounded<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Refusal> {
    let text = match timeout(TIMEOUT, request).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(kube::Error::Api(status))) => {
            let said = if status.message.is_empty() {
                &status.reason
            } else {
                &status.message
            };
            let after = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
            return Err(Refusal {
                code: Some(status.code),
                after: Duration::from_secs(u64::from(after)).min(MAX_AFTER),
                text: format!("HTTP {}: {}", status.code, said.lines().next().unwrap_or_default()),
            });
        }
        Ok(Err(error)) => innermost(&error),
        Err(_) => format!("no answer within {} s", TIMEOUT.as_secs()),
    };
    Err(Refusal::of_our_own(&text))
}

/// The first line of the last link of an error's chain: the client's own links repeat it.
fn innermost(error: &dyn Error) -> String {
    /// Longer than any chain seen; guards against a `source()` that leads back to itself.
    const MAX_LINKS: usize = 16;
    let mut last = error;
    for _ in 0..MAX_LINKS {
        let Some(source) = last.source() else { break };
        last = source;
    }
    last.to_string().lines().next().unwrap_or_default().to_owned()
}

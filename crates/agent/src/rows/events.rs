//! Events on the agent's own pod, which `kubectl describe pod` and `kubectl get events` show.
//!
//! The original's role allows none: the first refusal is logged, and no further one is asked for.

use std::collections::VecDeque;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use periscope_core::NodeName;
use tokio::time::Instant;

use super::api::{Api, Refusal};
use super::notice::Notice;
use super::rows_reporter::OwnPod;

/// Who says it, as tables of Events show.
const COMPONENT: &str = "aks-periscope";
/// Events that wait for an API server that is away. More come of two runs only; the oldest make way.
const MAX_WAITING: usize = 8;
/// The pauses after a try that failed; after the last the Event is let go.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(16)];

/// The Events that are still to be sent.
pub(super) struct Events {
    waiting: VecDeque<Waiting>,
    about: Option<ObjectReference>,
    source: EventSource,
    due: Instant,
    refused: bool,
    closed: u64,
}

struct Waiting {
    notice: Notice,
    tries: usize,
}

impl Events {
    /// Events on a pod; without one there are none.
    pub(super) fn about(pod: Option<&OwnPod>, namespace: &str, node: &NodeName) -> Self {
        Self {
            waiting: VecDeque::new(),
            about: pod.map(|pod| ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                name: Some(pod.name.clone()),
                uid: pod.uid.clone(),
                namespace: Some(namespace.to_owned()),
                ..ObjectReference::default()
            }),
            source: EventSource {
                component: Some(COMPONENT.to_owned()),
                host: Some(node.to_string()),
            },
            due: Instant::now(),
            refused: false,
            closed: 0,
        }
    }

    pub(super) fn add(&mut self, notice: Notice) {
        if self.refused || self.about.is_none() {
            self.closed += 1;
            return;
        }
        if self.waiting.len() == MAX_WAITING {
            self.pass();
        }
        self.waiting.push_back(Waiting { notice, tries: 0 });
    }

    /// How many are sent, let go, or not to be sent at all.
    pub(super) fn closed(&self) -> u64 {
        self.closed
    }

    /// When the next is to be sent.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.due)
    }

    /// Tries to send the first.
    pub(super) async fn send(&mut self, api: &Api) {
        let (Some(about), Some(first)) = (&mut self.about, self.waiting.front_mut()) else {
            return;
        };
        // `kubectl describe pod` looks for Events with the pod's uid.
        if about.uid.is_none()
            && let Some(pod) = &about.name
        {
            about.uid = api.uid_of_pod(pod).await;
        }
        let event = event(about, &self.source, &first.notice);
        match api.create_event(&event).await {
            // Created by a try whose answer did not arrive.
            Ok(()) | Err(Refusal { code: Some(409), .. }) => self.pass(),
            Err(refusal) if refusal.code == Some(403) => {
                tracing::warn!(%refusal, "Events are not allowed: the Diagnostic row and this log tell of runs.");
                self.refused = true;
                self.closed += self.waiting.len() as u64;
                self.waiting.clear();
            }
            Err(refusal) => {
                let pause = PAUSES.get(first.tries).copied();
                first.tries += 1;
                tracing::debug!(%refusal, "An Event could not be created.");
                match pause {
                    Some(pause) => self.due = Instant::now() + pause.max(refusal.after),
                    None => self.pass(),
                }
            }
        }
    }

    fn pass(&mut self) {
        self.waiting.pop_front();
        self.closed += 1;
        self.due = Instant::now();
    }
}

fn event(about: &ObjectReference, source: &EventSource, notice: &Notice) -> Event {
    let pod = about.name.as_deref().unwrap_or_default();
    // The name that client-go gives Events, made of what makes this one different from all others.
    let name = format!("{pod}.{:x}", notice.at.as_nanosecond() ^ i128::from(tag(notice.reason)));
    Event {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: about.namespace.clone(),
            ..ObjectMeta::default()
        },
        involved_object: about.clone(),
        type_: Some(notice.kind.as_str().to_owned()),
        reason: Some(notice.reason.to_owned()),
        message: Some(notice.message.clone()),
        source: Some(source.clone()),
        reporting_component: source.component.clone(),
        reporting_instance: about.name.clone(),
        first_timestamp: Some(Time(notice.at)),
        last_timestamp: Some(Time(notice.at)),
        count: Some(1),
        ..Event::default()
    }
}

/// Tells apart the Events of one moment.
fn tag(reason: &str) -> u16 {
    reason.bytes().fold(0, |tag, byte| tag.rotate_left(5) ^ u16::from(byte))
}

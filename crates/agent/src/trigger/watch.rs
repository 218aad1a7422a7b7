//! The `ConfigMap` as the API server has it, from the moment it changes: one list, then a watch that is taken up again
//! where it ended.
//!
//! It does not look into the content.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use futures::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};
use http::header::ACCEPT_ENCODING;
use http::{HeaderValue, Request as HttpRequest};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, ObjectList, WatchEvent, WatchParams};
use kube::core::request::Request;
use kube::{Client, Resource as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::backoff::Backoff;

/// The `ConfigMap`'s name, since the second era.
pub const CONFIG_MAP_NAME: &str = "diagnostic-config";

/// How long one watch lasts at the server; what `kube` asks for.
const WATCH_SECONDS: u32 = 290;

/// A watch that says nothing for so long is given up. API servers send a bookmark each minute
/// (`bookmarkFrequency` in `k8s.io/apiserver/pkg/storage/cacher/cacher.go`), so that this is two missed ones.
const SILENCE: Duration = Duration::from_secs(130);

/// A watch that ended earlier is not taken up again without a pause.
const SHORT: Duration = Duration::from_secs(10);

/// How long a connection to the API server must be let be silent by the client that is given to the agent for watching.
pub const WATCH_READ_TIMEOUT: Duration = Duration::from_secs(SILENCE.as_secs() + 20);

/// The bound of one answer's head, and of a list.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest list, and longest event. A `ConfigMap` has at most 1 MiB of data, and as much again in its fields' owners.
const MAX_BYTES: u64 = 8 << 20;

/// What the API server says of the `ConfigMap`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is there, and this is in it.
    Content(BTreeMap<String, String>),
    /// There is none.
    Absent,
    /// The API server cannot be asked at present, and why.
    Away(String),
}

/// Why a watch ended before its time.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Client(#[from] kube::Error),
    #[error(transparent)]
    Body(#[from] std::io::Error),
    #[error("no answer within {} s", ANSWER_TIMEOUT.as_secs())]
    Overdue,
    #[error("an answer of more than {MAX_BYTES} bytes")]
    TooLong,
    #[error("an answer that is not understood: {0}")]
    Answer(#[from] serde_json::Error),
}

impl Trouble {
    /// The place to take up the watch at is too long ago (410).
    fn is_expiry(&self) -> bool {
        matches!(self, Self::Client(kube::Error::Api(status)) if status.code == 410)
    }
}

/// Watches for ever; ends when nobody listens.
pub(super) async fn watch(client: Client, namespace: String, seen: mpsc::Sender<Seen>) {
    let mut watch = Watch {
        request: Request::new(ConfigMap::url_path(&(), Some(&namespace))),
        client,
        seen,
        version: None,
    };
    let mut backoff = Backoff::default();
    while !watch.seen.is_closed() {
        let known = watch.version.clone();
        let begun = Instant::now();
        match watch.follow().await {
            Ok(()) if begun.elapsed() > SHORT => backoff.reset(),
            Ok(()) => sleep(backoff.next()).await,
            Err(trouble) if trouble.is_expiry() => {
                watch.version = None;
                // A place that was new a moment ago: the server is not asked without a pause.
                if known.is_none() {
                    sleep(backoff.next()).await;
                }
            }
            Err(trouble) => {
                if watch.version != known {
                    backoff.reset();
                }
                watch.tell(Seen::Away(one_line(&trouble))).await;
                sleep(backoff.next()).await;
            }
        }
    }
}

struct Watch {
    request: Request,
    client: Client,
    seen: mpsc::Sender<Seen>,
    /// Where the next watch begins; without it the object is looked up first.
    version: Option<String>,
}

impl Watch {
    /// One watch, with the list before it where it is needed. `Ok` when it ended in good order.
    async fn follow(&mut self) -> Result<(), Trouble> {
        if self.version.is_none() {
            self.list().await?;
        }
        let params = WatchParams::default()
            .fields(&format!("metadata.name={CONFIG_MAP_NAME}"))
            .timeout(WATCH_SECONDS);
        let version = self.version.clone().unwrap_or_default();
        let request = self
            .request
            .watch(&params, &version)
            .map_err(kube::Error::BuildRequest)?;
        let mut body = self.open(request).await?;
        loop {
            let mut line = Vec::new();
            let mut limited = (&mut body).take(MAX_BYTES);
            match timeout(SILENCE, limited.read_until(b'\n', &mut line)).await {
                Err(_) | Ok(Ok(0)) => return Ok(()),
                Ok(Ok(_)) if !line.ends_with(b"\n") => {
                    // Cut in the middle by a server that goes away, unless it is far too long.
                    return if line.len() as u64 == MAX_BYTES {
                        Err(Trouble::TooLong)
                    } else {
                        Ok(())
                    };
                }
                Ok(Ok(_)) => self.take(serde_json::from_slice(&line)?).await?,
                Ok(Err(error)) => return Err(error.into()),
            }
        }
    }

    async fn list(&mut self) -> Result<(), Trouble> {
        let params = ListParams::default().fields(&format!("metadata.name={CONFIG_MAP_NAME}"));
        let request = self.request.list(&params).map_err(kube::Error::BuildRequest)?;
        let body = self.open(request).await?;
        let mut text = Vec::new();
        let mut limited = body.take(MAX_BYTES + 1);
        match timeout(ANSWER_TIMEOUT, limited.read_to_end(&mut text)).await {
            Ok(read) => read?,
            Err(_) => return Err(Trouble::Overdue),
        };
        if text.len() as u64 > MAX_BYTES {
            return Err(Trouble::TooLong);
        }
        let list: ObjectList<ConfigMap> = serde_json::from_slice(&text)?;
        self.version = list.metadata.resource_version;
        let content = list
            .items
            .into_iter()
            .next()
            .map(|object| object.data.unwrap_or_default());
        self.tell(content.map_or(Seen::Absent, Seen::Content)).await;
        Ok(())
    }

    async fn take(&mut self, event: WatchEvent<ConfigMap>) -> Result<(), Trouble> {
        match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                self.version = object.metadata.resource_version;
                self.tell(Seen::Content(object.data.unwrap_or_default())).await;
            }
            WatchEvent::Deleted(object) => {
                self.version = object.metadata.resource_version;
                self.tell(Seen::Absent).await;
            }
            WatchEvent::Bookmark(bookmark) => self.version = Some(bookmark.metadata.resource_version),
            WatchEvent::Error(status) => return Err(kube::Error::Api(status).into()),
        }
        Ok(())
    }

    async fn tell(&self, seen: Seen) {
        if self.seen.send(seen).await.is_err() {
            tracing::debug!("Nobody listens to the watch any longer.");
        }
    }

    async fn open(&self, mut request: HttpRequest<Vec<u8>>) -> Result<Body, Trouble> {
        // Newer API servers compress a watch event by event, which the client does not take apart; see
        // `Client::request_events`.
        request
            .headers_mut()
            .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        match timeout(ANSWER_TIMEOUT, self.client.request_stream(request)).await {
            Ok(body) => Ok(Box::pin(body?)),
            Err(_) => Err(Trouble::Overdue),
        }
    }
}

type Body = Pin<Box<dyn AsyncBufRead + Send>>;

/// What went wrong, in one line: of a chain each text once.
fn one_line(trouble: &Trouble) -> String {
    if let Trouble::Client(kube::Error::Api(status)) = trouble {
        return format!("{} ({})", status.message, status.code);
    }
    let error: &dyn std::error::Error = trouble;
    let mut text = String::new();
    let mut link = Some(error);
    while let Some(error) = link {
        let words = error.to_string();
        let words = words.lines().next().unwrap_or_default();
        if !text.contains(words) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(words);
        }
        link = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use bytes::Bytes;
    use futures::StreamExt as _;
    use futures::stream::{self, BoxStream};
    use http::Response;
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use serde_json::{Value, json};

    use super::*;
    use crate::mock_api::mock_watch;

    const LIST: &str = "/api/v1/namespaces/ns/configmaps?&fieldSelector=metadata.name%3Ddiagnostic-config";

    fn watched_from(version: &str) -> String {
        format!(
            "/api/v1/namespaces/ns/configmaps?&watch=true&timeoutSeconds=290&fieldSelector=metadata.name%3Ddiagnostic-config\
             &allowWatchBookmarks=true&resourceVersion={version}"
        )
    }

    fn object(version: &str, id: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG_MAP_NAME, "resourceVersion": version}, "data": {"DIAGNOSTIC_RUN_ID": id}})
    }

    fn list(version: &str, items: &[Value]) -> (u16, Vec<Value>) {
        (
            200,
            vec![
                json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items}),
            ],
        )
    }

    fn event(kind: &str, object: &Value) -> Value {
        json!({"type": kind, "object": object})
    }

    fn status(code: u16) -> Value {
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "because", "reason": "Some"})
    }

    fn id(id: &str) -> Seen {
        Seen::Content([("DIAGNOSTIC_RUN_ID".to_owned(), id.to_owned())].into())
    }

    /// What is seen, and asked, until all answers are given.
    async fn watch_all(answers: Vec<(u16, Vec<Value>)>) -> (Vec<Seen>, Vec<String>) {
        let (client, asked) = mock_watch(answers);
        let (seen, mut heard) = mpsc::channel(16);
        let watching = tokio::spawn(watch(client, "ns".into(), seen));
        let asked = asked.await.unwrap();
        let mut all = Vec::new();
        // The mock is gone: the next request fails, and is the last that is of interest.
        while let Some(seen) = heard.recv().await {
            if matches!(&seen, Seen::Away(why) if !why.contains("because")) {
                break;
            }
            all.push(seen);
        }
        watching.abort();
        (all, asked)
    }

    #[tokio::test(start_paused = true)]
    async fn changes_are_seen_and_a_watch_goes_on_where_it_ended() {
        let bookmark = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"resourceVersion": "9"}});
        let (seen, asked) = watch_all(vec![
            list("5", &[object("3", "a")]),
            (
                200,
                vec![
                    event("MODIFIED", &object("6", "b")),
                    event("MODIFIED", &object("7", "c")),
                    event("BOOKMARK", &bookmark),
                ],
            ),
            (
                200,
                vec![event("DELETED", &object("10", "c")), event("ADDED", &object("11", "d"))],
            ),
            (200, vec![]),
        ])
        .await;
        assert_eq!(seen, [id("a"), id("b"), id("c"), Seen::Absent, id("d")]);
        assert_eq!(
            asked,
            [
                LIST.to_owned(),
                watched_from("5"),
                watched_from("9"),
                watched_from("11")
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_expired_place_is_followed_by_a_new_list() {
        let (seen, asked) = watch_all(vec![
            list("5", &[]),
            (200, vec![event("ERROR", &status(410))]),
            list("50", &[object("40", "b")]),
            (410, vec![status(410)]),
            list("60", &[object("40", "b")]),
        ])
        .await;
        assert_eq!(seen, [Seen::Absent, id("b"), id("b")]);
        assert_eq!(
            asked,
            [
                LIST.to_owned(),
                watched_from("5"),
                LIST.into(),
                watched_from("50"),
                LIST.into()
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_told_and_tried_again_with_pauses() {
        let start = tokio::time::Instant::now();
        let refused = || (403, vec![status(403)]);
        let (seen, _) = watch_all(vec![refused(), refused(), refused(), list("5", &[object("3", "a")])]).await;
        assert_eq!(seen[..3], [(); 3].map(|()| Seen::Away("because (403)".into())));
        assert_eq!(seen[3], id("a"));
        let took = start.elapsed();
        assert!(
            took >= Duration::from_millis(3500) && took < Duration::from_secs(15),
            "{took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_says_nothing_is_begun_anew_where_it_was() {
        let (service, mut handle) = tower_test::mock::pair();
        let (seen, mut heard) = mpsc::channel(16);
        let client = Client::new::<_, StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>, _>(service, "ns");
        let watching = tokio::spawn(watch(client, "ns".into(), seen));
        let (_, send) = handle.next_request().await.unwrap();
        let text = list("5", &[]).1[0].to_string();
        let whole = stream::iter([Ok(Frame::data(text.into()))]).boxed();
        send.send_response(Response::new(StreamBody::new(whole)));
        assert_eq!(heard.recv().await, Some(Seen::Absent));
        let (_, send) = handle.next_request().await.unwrap();
        let start = Instant::now();
        send.send_response(Response::new(StreamBody::new(stream::pending().boxed())));
        let (request, _send): (HttpRequest<kube::client::Body>, _) = handle.next_request().await.unwrap();
        assert_eq!(request.uri().to_string(), watched_from("5"));
        assert_eq!(start.elapsed().as_secs(), SILENCE.as_secs());
        assert!(heard.try_recv().is_err());
        watching.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_event_is_told() {
        let (client, _asked) = mock_watch(vec![list("5", &[]), (200, vec![json!("no event")])]);
        let (seen, mut heard) = mpsc::channel(16);
        let watching = tokio::spawn(watch(client, "ns".into(), seen));
        assert_eq!(heard.recv().await, Some(Seen::Absent));
        assert!(
            matches!(heard.recv().await, Some(Seen::Away(why)) if why.starts_with("an answer that is not understood"))
        );
        watching.abort();
    }
}

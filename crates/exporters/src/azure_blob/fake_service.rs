//! A blob service in memory, for tests: it keeps what it is sent, and does something wrong where the test wants it to.
//! It is put in the place of the transport, so that time can stand still.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::Error;
use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Method, Request, StatusCode};
use bytes::Bytes;
use tokio::sync::watch;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum What {
    CreateContainer,
    Stage,
    Commit,
    Properties,
}

/// How a request is answered.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// As the real service would.
    Right,
    /// With an error, and perhaps another header.
    Wrong(u16, &'static str, Option<(&'static str, &'static str)>),
    /// Not at all: the connection breaks before the request is there.
    Cut,
    /// Not at all, but the request was carried out.
    Lost,
    /// Not at all, ever.
    Silence,
    /// As the real service would, but with another value of a header.
    Altered(&'static str, &'static str),
}

/// A short form of [`Answer::Wrong`].
pub(super) fn wrong(status: u16, code: &'static str) -> Answer {
    Answer::Wrong(status, code, None)
}

/// Decides how the request is answered, knowing how many of its kind came before.
type Script = Box<dyn Fn(What, usize) -> Answer + Send + Sync>;

#[derive(Default)]
struct State {
    asked: Vec<(What, String)>,
    staged: HashMap<(String, String), Bytes>,
    blobs: Vec<(String, Blob)>,
}

/// A blob that is there.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    pub(super) content: Vec<u8>,
    pub(super) content_type: String,
    etag: String,
}

pub(super) struct FakeService {
    script: Script,
    state: Mutex<State>,
    in_flight: watch::Sender<usize>,
}

impl fmt::Debug for FakeService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeService")
    }
}

impl FakeService {
    pub(super) fn new(script: impl Fn(What, usize) -> Answer + Send + Sync + 'static) -> Self {
        let in_flight = watch::Sender::new(0);
        Self {
            script: Box::new(script),
            state: Mutex::default(),
            in_flight,
        }
    }

    /// The blobs in the order in which they came to be.
    pub(super) fn blobs(&self) -> Vec<(String, Blob)> {
        self.state.lock().unwrap().blobs.clone()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.blobs().into_iter().map(|(name, _)| name).collect()
    }

    /// What was asked, in order.
    pub(super) fn asked(&self) -> Vec<What> {
        self.state.lock().unwrap().asked.iter().map(|(what, _)| *what).collect()
    }

    /// The names of the blobs of which there are blocks.
    pub(super) fn staged(&self) -> Vec<String> {
        self.state
            .lock()
            .unwrap()
            .staged
            .keys()
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// How many requests wait for an answer.
    pub(super) fn in_flight(&self) -> watch::Receiver<usize> {
        self.in_flight.subscribe()
    }

    fn answer(&self, what: What, name: &str) -> Answer {
        let mut state = self.state.lock().unwrap();
        let before = state.asked.iter().filter(|(asked, _)| *asked == what).count();
        state.asked.push((what, name.to_owned()));
        drop(state);
        (self.script)(what, before)
    }

    /// Does what a real service does with a right request.
    fn carry_out(&self, what: What, name: &str, request: &Request) -> (StatusCode, Headers) {
        let mut state = self.state.lock().unwrap();
        let mut headers = Headers::new();
        match what {
            What::CreateContainer => {}
            What::Stage => {
                state
                    .staged
                    .insert((name.to_owned(), query(request, "blockid")), body(request));
            }
            What::Commit => {
                let list = String::from_utf8(body(request).to_vec()).unwrap();
                let ids = list
                    .split("<Latest>")
                    .skip(1)
                    .map(|rest| rest.split("</Latest>").next().unwrap());
                let staged: Vec<Bytes> = ids
                    .map(|id| state.staged[&(name.to_owned(), id.to_owned())].clone())
                    .collect();
                let content = staged.concat();
                let content_type = request
                    .headers()
                    .get_optional_string(&"x-ms-blob-content-type".into())
                    .unwrap();
                let etag = format!("\"0x{}\"", state.asked.len());
                headers.insert("etag", etag.clone());
                state.blobs.retain(|(other, _)| other != name);
                state.blobs.push((
                    name.to_owned(),
                    Blob {
                        content,
                        content_type,
                        etag,
                    },
                ));
            }
            What::Properties => {
                let (_, blob) = state.blobs.iter().find(|(other, _)| other == name).unwrap();
                headers.insert("etag", blob.etag.clone());
                headers.insert("content-length", blob.content.len().to_string());
                return (StatusCode::Ok, headers);
            }
        }
        (StatusCode::Created, headers)
    }
}

#[async_trait]
impl HttpClient for FakeService {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        assert_eq!(query(request, "sig"), SIGNATURE, "every request is signed");
        let path = request.url().path().trim_start_matches('/');
        let name = path.split_once('/').map_or("", |(_, name)| name).replace("%2F", "/");
        let what = match (
            request.method(),
            query(request, "comp").as_str(),
            query(request, "restype").as_str(),
        ) {
            (Method::Put, "", "container") => What::CreateContainer,
            (Method::Put, "block", "") => What::Stage,
            (Method::Put, "blocklist", "") => What::Commit,
            (Method::Head, "", "") => What::Properties,
            other => panic!("nobody should ask for {other:?}"),
        };
        let cut = || Error::with_message(ErrorKind::Io, format!("cut at {}", request.url()));
        self.in_flight.send_modify(|count| *count += 1);
        let _counted = Counted(&self.in_flight);
        let (status, headers) = match self.answer(what, &name) {
            Answer::Right => self.carry_out(what, &name, request),
            Answer::Altered(header, value) => {
                let (status, mut headers) = self.carry_out(what, &name, request);
                headers.insert(header, value);
                (status, headers)
            }
            Answer::Wrong(status, code, header) => {
                let mut headers = Headers::new();
                headers.insert("x-ms-error-code", code);
                if let Some((name, value)) = header {
                    headers.insert(name, value);
                }
                (StatusCode::from(status), headers)
            }
            Answer::Cut => return Err(cut()),
            Answer::Lost => {
                self.carry_out(what, &name, request);
                return Err(cut());
            }
            Answer::Silence => loop {
                tokio::time::sleep(Duration::from_hours(1)).await;
            },
        };
        Ok(AsyncRawResponse::from_bytes(status, headers, Bytes::new()))
    }
}

/// The signature that the fake service takes.
pub(super) const SIGNATURE: &str = "kZ4+s/UoVhJ1h0Tq2eZ8Yw3XnRkq0bq7mC5pG6vT9aE=";

struct Counted<'a>(&'a watch::Sender<usize>);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

fn query(request: &Request, name: &str) -> String {
    let mut pairs = request.url().query_pairs();
    pairs
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn body(request: &Request) -> Bytes {
    match request.body() {
        Body::Bytes(bytes) => bytes.clone(),
        Body::SeekableStream(_) => panic!("blocks are sent as bytes"),
    }
}

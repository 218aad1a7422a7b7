//! The three paths over HTTP. Nothing that is asked changes anything, and nothing secret is said.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Health;

/// Where it listens unless told otherwise: for whoever is in the pod.
pub const DEFAULT_HEALTH_ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9180));

/// Connections at a time. Probes and one scraper need two; the others are for those who come before them and stay: the
/// more of them, the longer a new connection has for its request.
const MAX_CONNECTIONS: usize = 32;

/// How long one connection may last, from its first byte to its last: one request.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// What a request's head may take in memory; hyper's least.
const MAX_HEAD_BYTES: usize = 8192;

/// The pause after a connection that could not be taken, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Answers `/healthz`, `/readyz` and `/metrics` until `cancel` is cancelled.
///
/// Any pod that reaches the port may hold connections open. None is kept waiting for that: where there is no place
/// left, the one that has been there longest loses its own.
pub async fn serve(listener: TcpListener, health: Arc<Health>, cancel: CancellationToken) {
    serve_within(CONNECTION_TIMEOUT, listener, health, cancel).await;
}

async fn serve_within(bound: Duration, listener: TcpListener, health: Arc<Health>, cancel: CancellationToken) {
    let mut connections = JoinSet::new();
    // The oldest first.
    let mut places: VecDeque<AbortHandle> = VecDeque::with_capacity(MAX_CONNECTIONS);
    loop {
        tokio::select! {
            // What has ended is forgotten before more is taken, or it would grow under a flood of connections.
            biased;
            () = cancel.cancelled() => return,
            Some(_) = connections.join_next() => places.retain(|place| !place.is_finished()),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    if places.len() == MAX_CONNECTIONS && let Some(oldest) = places.pop_front() {
                        oldest.abort();
                    }
                    let health = Arc::clone(&health);
                    places.push_back(connections.spawn(async move { answer_one(stream, &health, bound).await }));
                }
                Err(error) => {
                    tracing::debug!(%error, "A connection for health could not be taken.");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

async fn answer_one(stream: TcpStream, health: &Health, bound: Duration) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(health, request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(bound, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "A client that asked for health went away."),
        Err(_) => tracing::debug!("A client that asked for health took too long."),
    }
}

fn answer(health: &Health, method: &Method, path: &str) -> Response<Full<Bytes>> {
    let yes_or_no = |yes, no: &str| {
        if yes {
            (StatusCode::OK, "ok\n".to_owned())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{no}\n"))
        }
    };
    let (status, text) = match path {
        _ if method != Method::GET && method != Method::HEAD => {
            (StatusCode::METHOD_NOT_ALLOWED, "expected GET\n".to_owned())
        }
        "/healthz" => yes_or_no(health.is_alive(), "the agent has ended"),
        "/readyz" => yes_or_no(health.is_ready(), "the agent does not listen for runs yet"),
        "/metrics" => (StatusCode::OK, health.metrics()),
        _ => (
            StatusCode::NOT_FOUND,
            "expected /healthz, /readyz or /metrics\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Longer than any test lasts.
    const LONG: Duration = Duration::from_hours(1);

    async fn start(bound: Duration, health: &Arc<Health>) -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let cancel = CancellationToken::new();
        tokio::spawn(serve_within(bound, listener, Arc::clone(health), cancel.clone()));
        (address, cancel)
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = Vec::new();
        // The end of the connection is the end of the answer, in whichever way it comes.
        while matches!(stream.read_buf(&mut text).await, Ok(1..)) {}
        String::from_utf8(text).unwrap()
    }

    async fn status(address: SocketAddr, method: &str, path: &str) -> u16 {
        let answer = ask(address, &format!("{method} {path} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn the_paths_say_how_it_is() {
        let health = Arc::new(Health::new());
        let (address, _cancel) = start(LONG, &health).await;
        assert_eq!(status(address, "GET", "/healthz").await, 200);
        assert_eq!(status(address, "GET", "/readyz").await, 503);
        health.listening();
        assert_eq!(status(address, "GET", "/readyz").await, 200);
        assert_eq!(status(address, "POST", "/readyz").await, 405);
        assert_eq!(status(address, "GET", "/debug").await, 404);
        let metrics = ask(address, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert!(metrics.contains("\naks_periscope_build_info{version="), "{metrics}");
        health.over();
        assert_eq!(status(address, "GET", "/healthz").await, 503);
        assert_eq!(status(address, "GET", "/readyz").await, 503);
    }

    /// Whether the server has given the connection up.
    async fn is_lost(stream: &mut TcpStream) -> bool {
        !matches!(stream.read(&mut [0]).await, Ok(1..))
    }

    #[tokio::test]
    async fn silent_clients_keep_nobody_from_an_answer() {
        let (address, _cancel) = start(LONG, &Arc::new(Health::new())).await;
        let mut silent = VecDeque::new();
        for _ in 0..3 * MAX_CONNECTIONS {
            silent.push_back(TcpStream::connect(address).await.unwrap());
        }
        // None of them leaves by itself.
        assert_eq!(status(address, "GET", "/healthz").await, 200);
        // Who came first has made room, and nobody more than was needed.
        assert!(is_lost(silent.front_mut().unwrap()).await);
        let last = silent.back_mut().unwrap();
        last.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
            .await
            .unwrap();
        assert!(!is_lost(last).await);
    }

    #[tokio::test]
    async fn a_silent_client_loses_its_connection() {
        let (address, _cancel) = start(Duration::from_millis(1), &Arc::new(Health::new())).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        assert!(is_lost(&mut silent).await);
    }

    #[tokio::test]
    async fn a_long_head_is_refused() {
        let (address, _cancel) = start(LONG, &Arc::new(Health::new())).await;
        let answer = ask(
            address,
            &format!("GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000)),
        )
        .await;
        assert!(!answer.contains(" 200 "), "{answer}");
    }
}

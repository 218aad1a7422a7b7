//! A client for tests whose API server says what it is told.

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use tokio::task::JoinHandle;

/// A client whose requests get the given answers in order, and the path and query of each request once all are
/// answered. Later ones get none.
pub(crate) fn mock_api(answers: Vec<(u16, Value)>) -> (Client, JoinHandle<Vec<String>>) {
    let lines = answers.into_iter().map(|(status, body)| (status, vec![body])).collect();
    mock_watch(lines)
}

/// The same with answers of several lines, as those to a watch are.
pub(crate) fn mock_watch(answers: Vec<(u16, Vec<Value>)>) -> (Client, JoinHandle<Vec<String>>) {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let served = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (status, lines) in answers {
            let (request, send) = handle.next_request().await.expect("a request for every answer");
            asked.push(request.uri().to_string());
            let text: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
            let answer = Response::builder().status(status);
            send.send_response(
                answer
                    .body(Body::from(text.concat().into_bytes()))
                    .expect("a valid answer"),
            );
        }
        asked
    });
    (Client::new(service, "default"), served)
}

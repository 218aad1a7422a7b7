//! The writer against an API server that keeps one row and fails as it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use periscope_cluster::{ApiServer, ClusterAccess, Identity};
use rstest::rstest;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use crate::reporter::Reporter;
use crate::rows::diary::tests::{ending, outcome, run};
use crate::rows::{Home, MADE_BEFORE, OwnPod, Row, RowsReporter, made_before_message};
use crate::{Part, Progress};

const LONG: Duration = Duration::from_mins(10);

/// What the API server has and was asked.
#[derive(Default)]
struct Server {
    row: Option<Value>,
    /// The requests as `CREATE diagnostics`, with when they came.
    asked: Vec<(String, Instant)>,
    events: Vec<Value>,
    /// Answers that are given before any other: a status, or 0 for none at all.
    failing: VecDeque<u16>,
    away_until: Option<Instant>,
    refuses_events: bool,
    drops_status: bool,
    forbids_status: bool,
}

type Shared = Arc<Mutex<Server>>;

impl Server {
    fn answer(&mut self, method: &Method, path: &str, body: &Value) -> Option<(u16, Value)> {
        let resource = ["diagnostics", "events", "pods"]
            .into_iter()
            .find(|name| path.contains(&format!("/{name}")))?;
        self.asked.push((format!("{method} {resource}"), Instant::now()));
        if self.away_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        match self.failing.pop_front() {
            Some(0) => return None,
            Some(code) => return Some(refusal(code)),
            None => {}
        }
        match (resource, method) {
            ("pods", _) => Some((
                200,
                json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {"name": "p", "uid": "u1"}}),
            )),
            ("events", _) if self.refuses_events => Some(refusal(403)),
            ("events", _) => {
                self.events.push(body.clone());
                Some((201, body.clone()))
            }
            (_, &Method::POST) if self.row.is_some() => Some(refusal(409)),
            (_, &Method::POST) => Some(self.keep(body.clone())),
            (_, &Method::PATCH) => {
                let Some(mut row) = self.row.clone() else {
                    return Some(refusal(404));
                };
                merge(&mut row, body);
                Some(self.keep(row))
            }
            _ => Some(self.row.clone().map_or_else(|| refusal(404), |row| (200, row))),
        }
    }

    fn keep(&mut self, mut row: Value) -> (u16, Value) {
        if self.forbids_status && row.get("status").is_some() {
            return refusal(422);
        }
        if self.drops_status {
            row.as_object_mut().unwrap().remove("status");
        }
        self.row = Some(row.clone());
        (200, row)
    }
}

/// RFC 7386, section 2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let fields = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            fields.remove(key);
        } else {
            merge(fields.entry(key).or_insert(Value::Null), value);
        }
    }
}

fn refusal(code: u16) -> (u16, Value) {
    (
        code,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "no"}),
    )
}

fn start(server: Server) -> (Shared, RowsReporter) {
    let server = Arc::new(Mutex::new(server));
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let serving = Arc::clone(&server);
    tokio::spawn(async move {
        // A request without an answer keeps its sender, so that it waits and does not fail.
        let mut silent = Vec::new();
        while let Some((request, send)) = handle.next_request().await {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let answer = serving.lock().unwrap().answer(&head.method, head.uri.path(), &body);
            match answer {
                Some((code, body)) => {
                    let body = Body::from(body.to_string().into_bytes());
                    send.send_response(Response::builder().status(code).body(body).unwrap());
                }
                None => silent.push(send),
            }
        }
    });
    let api = ApiServer {
        host: "api.test".into(),
        port: 443,
    };
    let access = ClusterAccess::new(Client::new(service, "default"), Identity::ServiceAccount, api);
    let home = Home {
        namespace: "ns".to_owned(),
        node: "n1".parse().unwrap(),
        pod: Some(OwnPod {
            name: "p".to_owned(),
            uid: None,
        }),
        version: "0.1.0".to_owned(),
    };
    let reporter = RowsReporter::start(&access, &home);
    (server, reporter)
}

fn asked(server: &Shared) -> Vec<String> {
    server
        .lock()
        .unwrap()
        .asked
        .iter()
        .map(|(asked, _)| asked.clone())
        .collect()
}

fn row(server: &Shared) -> Row {
    Row::read(server.lock().unwrap().row.clone().unwrap()).unwrap()
}

async fn whole_run(reporter: &RowsReporter, id: &str) {
    let run = run(id, Part::Node);
    reporter.begin(&run).await;
    assert!(reporter.flush(LONG).await);
    reporter.diagnosed(&run, "{}", "[]").await;
    assert!(reporter.flush(LONG).await);
    reporter.end(&run, &ending(Ok(outcome()))).await;
    assert!(reporter.flush(LONG).await);
}

#[tokio::test(start_paused = true)]
async fn a_run_costs_a_request_a_step() {
    let (server, reporter) = start(Server::default());
    whole_run(&reporter, "r1").await;
    assert_eq!(
        asked(&server),
        [
            "POST diagnostics",
            "PATCH diagnostics",
            "PATCH diagnostics",
            "GET pods",
            "POST events"
        ]
    );
    server.lock().unwrap().asked.clear();
    whole_run(&reporter, "r2").await;
    assert_eq!(
        asked(&server),
        [
            "PATCH diagnostics",
            "PATCH diagnostics",
            "PATCH diagnostics",
            "POST events"
        ]
    );
    let server = server.lock().unwrap();
    let names: std::collections::BTreeSet<_> = server
        .events
        .iter()
        .map(|event| event["metadata"]["name"].to_string())
        .collect();
    assert_eq!(
        names.len(),
        1,
        "an Event of the same run at the same time has the same name: {names:?}"
    );
    let event = server.events.first().unwrap();
    assert_eq!(event["involvedObject"]["uid"], "u1");
    assert_eq!(event["metadata"]["namespace"], "ns");
}

#[tokio::test(start_paused = true)]
async fn a_new_run_empties_the_texts_before_it_is_diagnosed() {
    let (server, reporter) = start(Server::default());
    whole_run(&reporter, "r1").await;
    assert!(row(&server).is_diagnosed());
    let next = run("r2", Part::Node);
    reporter.begin(&next).await;
    assert!(reporter.flush(LONG).await);
    let row = row(&server);
    assert_eq!(
        (row.spec.networkconfig.as_str(), row.spec.networkoutbound.as_str()),
        ("", "")
    );
    assert_eq!((row.status.run.run_id.as_str(), row.status.run.findings), ("r2", None));
}

#[tokio::test(start_paused = true)]
async fn the_row_of_an_earlier_agent_is_taken_over() {
    let (server, reporter) = start(Server::default());
    whole_run(&reporter, "r1").await;
    let left = server.lock().unwrap().row.clone();
    let (server, reporter) = start(Server {
        row: left,
        ..Server::default()
    });
    whole_run(&reporter, "r2").await;
    let asked = asked(&server);
    assert_eq!(
        asked.get(..3).unwrap(),
        ["POST diagnostics", "GET diagnostics", "PATCH diagnostics"]
    );
    assert_eq!(row(&server).status.run.run_id, "r2");
}

#[tokio::test(start_paused = true)]
async fn progress_is_written_now_and_then_as_it_is_then() {
    let (server, reporter) = start(Server::default());
    let run = run("r1", Part::Node);
    reporter.begin(&run).await;
    assert!(reporter.flush(LONG).await);
    let began = Instant::now();
    for ended in 0..120 {
        reporter
            .progress(
                &run,
                &Progress {
                    ended,
                    planned: 120,
                    ..Progress::default()
                },
            )
            .await;
        sleep(Duration::from_millis(250)).await;
    }
    let written: Vec<_> = {
        let server = server.lock().unwrap();
        let patches = server.asked.iter().filter(|(asked, _)| asked == "PATCH diagnostics");
        patches.map(|(_, at)| at.duration_since(began).as_secs()).collect()
    };
    assert_eq!(written, [5, 10, 15, 20, 25]);
    assert_eq!(row(&server).status.run.progress.unwrap().actions, "100/120");
    reporter.end(&run, &ending(Ok(outcome()))).await;
    assert!(reporter.flush(LONG).await);
    assert_eq!(row(&server).status.run.progress.unwrap().actions, "120/120");
}

#[rstest]
#[case::throttled(vec![429, 429])]
#[case::server_error(vec![500, 503])]
#[case::no_definition_yet(vec![404, 404])]
#[case::no_role_yet(vec![403, 403])]
#[case::conflict(vec![409])]
#[case::silent(vec![0])]
#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_written_is_tried_again(#[case] failing: Vec<u16>) {
    let (server, reporter) = start(Server {
        failing: failing.into(),
        ..Server::default()
    });
    let began = Instant::now();
    reporter.begin(&run("r1", Part::Node)).await;
    assert!(reporter.flush(LONG).await);
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    assert_eq!(row(&server).status.run.run_id, "r1");
}

#[tokio::test(start_paused = true)]
async fn a_patch_whose_answer_is_lost_is_not_taken_for_written() {
    let (server, reporter) = start(Server::default());
    let run = run("r1", Part::Node);
    reporter.begin(&run).await;
    assert!(reporter.flush(LONG).await);
    server.lock().unwrap().failing.push_back(0);
    reporter.diagnosed(&run, "{}", "[]").await;
    assert!(reporter.flush(LONG).await);
    assert!(row(&server).is_diagnosed());
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_comes_back_gets_the_row_and_nobody_waited() {
    let away = Duration::from_mins(2);
    let (server, reporter) = start(Server {
        away_until: Some(Instant::now() + away),
        ..Server::default()
    });
    let began = Instant::now();
    let run = run("r1", Part::Node);
    reporter.begin(&run).await;
    reporter.diagnosed(&run, "{}", "[]").await;
    reporter.end(&run, &ending(Ok(outcome()))).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(reporter.flush(LONG).await);
    assert!(began.elapsed() < away + Duration::from_mins(1), "{:?}", began.elapsed());
    assert!(row(&server).is_diagnosed());
}

#[tokio::test(start_paused = true)]
async fn a_row_that_can_never_be_written_is_given_up_some_minutes_after_the_run() {
    let (server, reporter) = start(Server {
        away_until: Some(Instant::now() + 100 * LONG),
        ..Server::default()
    });
    let run = run("r1", Part::Node);
    reporter.begin(&run).await;
    sleep(LONG).await;
    reporter.end(&run, &ending(Ok(outcome()))).await;
    let ended = Instant::now();
    assert!(reporter.flush(LONG).await);
    assert!(ended.elapsed() > Duration::from_mins(5), "{:?}", ended.elapsed());
    let tried = asked(&server).len();
    sleep(LONG).await;
    assert_eq!(asked(&server).len(), tried);
    server.lock().unwrap().away_until = None;
    whole_run(&reporter, "r2").await;
    assert_eq!(row(&server).status.run.run_id, "r2");
}

#[tokio::test(start_paused = true)]
async fn a_row_that_was_deleted_comes_again() {
    let (server, reporter) = start(Server::default());
    let run = run("r1", Part::Node);
    reporter.begin(&run).await;
    assert!(reporter.flush(LONG).await);
    server.lock().unwrap().row = None;
    reporter.diagnosed(&run, "{}", "[]").await;
    assert!(reporter.flush(LONG).await);
    assert!(row(&server).is_diagnosed());
}

#[rstest]
#[case::dropped(Server { drops_status: true, ..Server::default() })]
#[case::invalid(Server { forbids_status: true, ..Server::default() })]
#[tokio::test(start_paused = true)]
async fn an_older_definition_gets_the_two_texts(#[case] server: Server) {
    let (server, reporter) = start(server);
    let run = run("r1", Part::Node);
    reporter.begin(&run).await;
    assert!(reporter.flush(LONG).await);
    assert!(!row(&server).is_diagnosed());
    reporter.progress(&run, &Progress::default()).await;
    sleep(LONG).await;
    assert!(
        !asked(&server).contains(&"PATCH diagnostics".to_owned()),
        "progress that nobody can see is not sent"
    );
    reporter.diagnosed(&run, "{}", "[]").await;
    assert!(reporter.flush(LONG).await);
    reporter.end(&run, &ending(Ok(outcome()))).await;
    assert!(reporter.flush(LONG).await);
    assert!(row(&server).is_diagnosed());
}

#[tokio::test(start_paused = true)]
async fn refused_events_are_asked_for_once() {
    let (server, reporter) = start(Server {
        refuses_events: true,
        ..Server::default()
    });
    whole_run(&reporter, "r1").await;
    whole_run(&reporter, "r2").await;
    assert_eq!(asked(&server).iter().filter(|asked| *asked == "POST events").count(), 1);
    assert!(row(&server).is_diagnosed());
}

#[tokio::test(start_paused = true)]
async fn the_last_words_of_an_agent_that_ends_are_waited_for_within_bounds() {
    let (server, reporter) = start(Server::default());
    let run = run("r1", Part::Node);
    reporter.begin(&run).await;
    let mut ending = ending(Ok(outcome()));
    ending.interrupted = true;
    reporter.end(&run, &ending).await;
    assert_eq!(row(&server).status.run.phase, crate::rows::Phase::Cancelled);

    server.lock().unwrap().away_until = Some(Instant::now() + LONG);
    let began = Instant::now();
    reporter.begin(&run).await;
    reporter.end(&run, &ending).await;
    assert_eq!(began.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_made_before_is_an_event_and_leaves_the_row() {
    let (server, reporter) = start(Server::default());
    let id = "r1".parse().unwrap();
    reporter.made_before(&id).await;
    assert!(reporter.flush(LONG).await);
    let server = server.lock().unwrap();
    let asked: Vec<_> = server.asked.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(asked.last(), Some(&"POST events"));
    assert!(!asked.iter().any(|what| what.ends_with("diagnostics")), "{asked:?}");
    assert_eq!(
        (&server.events[0]["reason"], &server.events[0]["message"]),
        (&json!(MADE_BEFORE), &json!(made_before_message(&id)))
    );
}

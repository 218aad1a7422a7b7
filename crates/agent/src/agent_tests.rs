use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use kube::Client;
use periscope_core::{Completeness, RunId};
use rstest::rstest;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::mock_api::mock_api;
use crate::{
    Agent, AgentSettings, Collect, Decided, Election, Ending, Order, Outcome, Part, Progress, Reporter, Run, Sources,
    Update,
};

/// What a run is to do.
#[derive(Clone, Copy)]
enum Script {
    /// Ends in good order.
    Whole,
    /// Cannot collect at all.
    Fails,
    /// Is a fault of ours.
    Panics,
    /// Takes until it is told to end, and ends with what there is.
    Long,
    /// Does not end even then.
    Hangs,
}

/// Makes runs by a script, whole ones after its end.
#[derive(Default)]
struct Scripted {
    scripts: Mutex<VecDeque<Script>>,
    namespaces: Mutex<Vec<Option<Vec<String>>>>,
}

#[async_trait]
impl Collect for Scripted {
    async fn collect(
        &self,
        order: Order,
        updates: mpsc::Sender<Update>,
        cancel: CancellationToken,
    ) -> Result<Outcome, String> {
        self.namespaces
            .lock()
            .unwrap()
            .push(order.configuration.namespaces.clone());
        let script = self.scripts.lock().unwrap().pop_front();
        if order.part == Part::Node {
            let (network_config, network_outbound) = ("{}".into(), "[]".into());
            let update = Update::Diagnosed {
                network_config,
                network_outbound,
            };
            updates.send(update).await.unwrap();
        }
        sleep(Duration::from_secs(10)).await;
        let completeness = match script.unwrap_or(Script::Whole) {
            Script::Whole => Completeness::Complete,
            Script::Fails => return Err("the disk is full".into()),
            Script::Panics => panic!("on purpose"),
            Script::Long => {
                cancel.cancelled().await;
                sleep(Duration::from_secs(2)).await;
                Completeness::Partial
            }
            Script::Hangs => std::future::pending().await,
        };
        Ok(Outcome {
            completeness,
            states: Vec::new(),
            failures: Vec::new(),
            findings: Vec::new(),
            archives: Vec::new(),
            uploads: None,
        })
    }
}

/// Writes down what it is told, and says how much that is.
struct Book {
    lines: Mutex<Vec<String>>,
    told: Semaphore,
}

impl Book {
    fn write(&self, run: &Run, what: &str) {
        let part = if run.part == Part::Node { "" } else { " cluster" };
        let attempt = if run.attempt > 1 {
            format!(" attempt {}", run.attempt)
        } else {
            String::new()
        };
        self.lines
            .lock()
            .unwrap()
            .push(format!("{}{part}{attempt} {what}", run.id));
        self.told.add_permits(1);
    }
}

#[async_trait]
impl Reporter for Book {
    async fn begin(&self, run: &Run) {
        self.write(run, "begins");
    }
    async fn diagnosed(&self, run: &Run, network_config: &str, network_outbound: &str) {
        self.write(run, &format!("diagnosed {network_config} {network_outbound}"));
    }
    async fn progress(&self, _run: &Run, _progress: &Progress) {}
    async fn end(&self, run: &Run, ending: &Ending) {
        let result = match &ending.result {
            Ok(outcome) => format!("{:?}", outcome.completeness),
            Err(why) => why.clone(),
        };
        let interrupted = if ending.interrupted { "interrupted " } else { "" };
        self.write(run, &format!("ends: {interrupted}{result}"));
    }
    async fn made_before(&self, id: &RunId) {
        self.lines.lock().unwrap().push(format!("{id} was made before"));
        self.told.add_permits(1);
    }
}

/// A node with its folders, on which one agent after another runs.
struct Node {
    folder: TempDir,
    collect: Arc<Scripted>,
    book: Arc<Book>,
    election: Arc<dyn Election>,
}

struct Running {
    cancel: CancellationToken,
    agent: JoinHandle<()>,
}

impl Node {
    fn new(id: &str) -> Self {
        let node = Self {
            folder: tempfile::tempdir().unwrap(),
            collect: Arc::default(),
            book: Arc::new(Book {
                lines: Mutex::default(),
                told: Semaphore::new(0),
            }),
            election: Arc::new(Decided(false)),
        };
        fs::create_dir(node.config()).unwrap();
        node.put("DIAGNOSTIC_RUN_ID", id);
        node
    }

    fn config(&self) -> std::path::PathBuf {
        self.folder.path().join("config")
    }

    fn put(&self, key: &str, value: &str) {
        fs::write(self.config().join(key), value).unwrap();
    }

    fn script(&self, scripts: &[Script]) {
        self.collect.scripts.lock().unwrap().extend(scripts);
    }

    fn start(&self) -> Running {
        self.start_with(None)
    }

    fn start_with(&self, client: Option<Client>) -> Running {
        let none = Path::new("/nowhere");
        let settings = AgentSettings {
            node: "node-1".parse().unwrap(),
            folder: self.folder.path().join("own"),
            namespace: "ns".into(),
            sources: Sources::new(self.config(), none, |_| None),
            client,
            watching_client: None,
            grace: Duration::from_secs(20),
        };
        let agent = Agent::new(settings, Arc::clone(&self.collect) as _, Arc::clone(&self.book) as _);
        let agent = agent.with_election(Arc::clone(&self.election));
        let cancel = CancellationToken::new();
        Running {
            agent: tokio::spawn(agent.run(cancel.clone())),
            cancel,
        }
    }

    /// The next so many lines that the reporter is told.
    async fn told(&self, lines: u32) -> Vec<String> {
        self.book.told.acquire_many(lines).await.unwrap().forget();
        let mut told = self.book.lines.lock().unwrap();
        told.drain(..lines as usize).collect()
    }

    fn nothing_told(&self) -> bool {
        self.book.lines.lock().unwrap().is_empty()
    }
}

impl Running {
    async fn end(self) {
        self.cancel.cancel();
        self.agent.await.unwrap();
    }

    /// As when the kernel kills it.
    async fn kill(self) {
        self.agent.abort();
        assert!(self.agent.await.unwrap_err().is_cancelled());
    }
}

fn whole(id: &str) -> Vec<String> {
    vec![
        format!("{id} begins"),
        format!("{id} diagnosed {{}} []"),
        format!("{id} ends: Complete"),
    ]
}

#[tokio::test(start_paused = true)]
async fn ids_that_come_during_a_run_are_queued_with_their_settings() {
    let node = Node::new("a");
    node.put("DIAGNOSTIC_CONTAINERLOGS_LIST", "ns-a");
    let running = node.start();
    assert_eq!(node.told(2).await, whole("a")[..2]);
    for id in ["b", "c"] {
        node.put("DIAGNOSTIC_CONTAINERLOGS_LIST", &format!("ns-{id}"));
        node.put("DIAGNOSTIC_RUN_ID", id);
        // Longer than the file is looked at, and shorter than the run takes.
        sleep(Duration::from_secs(3)).await;
    }
    assert_eq!(node.told(1).await, whole("a")[2..]);
    assert_eq!(node.told(3).await, whole("b"));
    assert_eq!(node.told(3).await, whole("c"));
    sleep(Duration::from_mins(10)).await;
    assert!(node.nothing_told());
    let namespaces = node.collect.namespaces.lock().unwrap().clone();
    assert_eq!(
        namespaces,
        ["ns-a", "ns-b", "ns-c"].map(|name| Some(vec![name.to_owned()]))
    );
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_finished_run_is_not_made_again_by_the_next_agent() {
    let node = Node::new("a");
    let running = node.start();
    assert_eq!(node.told(3).await, whole("a"));
    running.end().await;
    let running = node.start();
    sleep(Duration::from_mins(1)).await;
    assert!(node.nothing_told());
    node.put("DIAGNOSTIC_RUN_ID", "b");
    assert_eq!(node.told(3).await, whole("b"));
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn who_wants_a_run_that_was_made_before_is_told_so() {
    let node = Node::new("a");
    let running = node.start();
    assert_eq!(node.told(3).await, whole("a"));
    // There is no part of the cluster for it.
    sleep(Duration::from_mins(1)).await;
    running.end().await;
    // Nobody may know of it: agents came anew, and with them the rows.
    let absent = json!({"kind": "Status", "status": "Failure", "code": 404, "message": "", "reason": "NotFound"});
    let (client, _asked) = mock_api(vec![(404, absent)]);
    let running = node.start_with(Some(client));
    assert_eq!(node.told(1).await, ["a was made before"]);
    running.end().await;
    node.put("DIAGNOSTIC_RUN_ID", "b");
    let running = node.start();
    assert_eq!(node.told(3).await, whole("b"));
    node.put("DIAGNOSTIC_RUN_ID", "a");
    assert_eq!(node.told(1).await, ["a was made before"]);
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_only_the_row_remembers_is_not_made_again() {
    let node = Node::new("a");
    let row = json!({"apiVersion": "v1", "kind": "Diagnostic", "metadata": {"name": "r"}, "status": {"runId": "a", "phase": "Complete"}});
    let (client, asked) = mock_api(vec![(200, row)]);
    let running = node.start_with(Some(client));
    assert_eq!(asked.await.unwrap().len(), 1);
    sleep(Duration::from_mins(1)).await;
    assert!(node.nothing_told());
    node.put("DIAGNOSTIC_RUN_ID", "b");
    assert_eq!(node.told(3).await, whole("b"));
    running.end().await;
    // It is in the memory now: nobody need be asked.
    node.put("DIAGNOSTIC_RUN_ID", "a");
    let running = node.start();
    sleep(Duration::from_mins(1)).await;
    assert!(node.nothing_told());
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_row_that_remembers_a_run_is_asked_for_once() {
    let node = Node::new("a");
    let row = json!({"apiVersion": "v1", "kind": "Diagnostic", "metadata": {"name": "r"}, "status": {"runId": "a", "phase": "Complete"}});
    let absent = json!({"kind": "Status", "status": "Failure", "code": 404, "message": "", "reason": "NotFound"});
    let (client, _asked) = mock_api(vec![(200, row), (404, absent)]);
    let running = node.start_with(Some(client));
    sleep(Duration::from_mins(1)).await;
    // Asked again, it would be gone, and an Event would say that the run was made before.
    assert!(node.nothing_told());
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_run_is_resumed_and_one_that_was_queued_is_not_lost() {
    let node = Node::new("a");
    node.script(&[Script::Hangs]);
    let running = node.start();
    assert_eq!(node.told(2).await, whole("a")[..2]);
    for id in ["b", "c"] {
        node.put("DIAGNOSTIC_RUN_ID", id);
        sleep(Duration::from_secs(3)).await;
    }
    running.kill().await;
    // What is wanted now comes first, then what was left.
    let running = node.start();
    assert_eq!(node.told(3).await, whole("c"));
    let resumed = whole("a")
        .into_iter()
        .map(|line| line.replacen("a ", "a attempt 2 ", 1));
    assert_eq!(node.told(3).await, resumed.collect::<Vec<_>>());
    assert_eq!(node.told(3).await, whole("b"));
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_killed_each_time_is_given_up() {
    let node = Node::new("a");
    node.script(&[Script::Hangs; 3]);
    for _ in 0..3 {
        let running = node.start();
        node.told(2).await;
        running.kill().await;
    }
    let running = node.start();
    let told = node.told(2).await;
    assert_eq!(told[0], "a attempt 4 begins");
    assert!(
        told[1].starts_with("a attempt 4 ends: run a is given up: 3 attempts"),
        "{told:?}"
    );
    running.end().await;
    let running = node.start();
    sleep(Duration::from_mins(1)).await;
    assert!(node.nothing_told());
    running.end().await;
}

#[rstest]
#[case::error(Script::Fails, "a ends: the disk is full")]
#[case::panic(
    Script::Panics,
    "a ends: the run ended unexpectedly by a panic, which is a fault of aks-periscope"
)]
#[tokio::test(start_paused = true)]
async fn a_failed_run_is_told_and_is_not_the_end(#[case] script: Script, #[case] line: &str) {
    let node = Node::new("a");
    node.script(&[script]);
    let running = node.start();
    assert_eq!(node.told(3).await[2], line);
    node.put("DIAGNOSTIC_RUN_ID", "b");
    assert_eq!(node.told(3).await, whole("b"));
    running.end().await;
}

#[rstest]
#[case::with_what_there_is(Script::Long, 2, "a ends: interrupted Partial")]
#[case::cut_off(
    Script::Hangs,
    20,
    "a ends: interrupted run a was cut off, as it did not end within 20 s"
)]
#[tokio::test(start_paused = true)]
async fn an_end_in_the_middle_is_told_in_time_and_the_run_made_again(
    #[case] script: Script,
    #[case] seconds: u64,
    #[case] line: &str,
) {
    let node = Node::new("a");
    node.script(&[script]);
    let running = node.start();
    node.told(2).await;
    sleep(Duration::from_mins(1)).await;
    let start = tokio::time::Instant::now();
    running.end().await;
    assert_eq!(start.elapsed().as_secs(), seconds);
    assert_eq!(node.told(1).await, [line]);
    let running = node.start();
    assert_eq!(node.told(3).await[2], "a attempt 2 ends: Complete");
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_next_agent_waits_for_one_that_still_ends() {
    let node = Node::new("a");
    node.script(&[Script::Long]);
    let first = node.start();
    assert_eq!(node.told(2).await, whole("a")[..2]);
    let second = node.start();
    sleep(Duration::from_mins(1)).await;
    assert!(node.nothing_told());
    first.end().await;
    assert_eq!(node.told(1).await, ["a ends: interrupted Partial"]);
    assert_eq!(node.told(3).await[2], "a attempt 2 ends: Complete");
    second.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_beside_another_one_is_of_use_and_ends_while_it_waits() {
    let node = Node::new("a");
    let first = node.start();
    assert_eq!(node.told(3).await, whole("a"));
    node.start().end().await;
    let second = node.start();
    sleep(Duration::from_mins(1)).await;
    assert!(node.nothing_told());
    // It cannot know that the other one has made it.
    assert_eq!(node.told(3).await, whole("a"));
    first.end().await;
    second.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_agent_ends_at_once() {
    let node = Node::new("");
    let running = node.start();
    sleep(Duration::from_mins(1)).await;
    let start = tokio::time::Instant::now();
    running.end().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_elected_node_does_the_clusters_part_after_its_own() {
    let mut node = Node::new("a");
    node.election = Arc::new(Decided(true));
    let running = node.start();
    assert_eq!(node.told(3).await, whole("a"));
    assert_eq!(node.told(2).await, ["a cluster begins", "a cluster ends: Complete"]);
    running.end().await;
    let running = node.start();
    sleep(Duration::from_mins(1)).await;
    assert!(node.nothing_told());
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn of_a_run_whose_own_part_is_done_only_the_clusters_is_resumed() {
    let mut node = Node::new("a");
    node.election = Arc::new(Decided(true));
    node.script(&[Script::Whole, Script::Hangs]);
    let running = node.start();
    assert_eq!(node.told(4).await[3], "a cluster begins");
    running.kill().await;
    let running = node.start();
    let expected = ["a cluster attempt 2 begins", "a cluster attempt 2 ends: Complete"];
    assert_eq!(node.told(2).await, expected);
    running.end().await;
}

/// Elects this node after a while.
struct Slow(Duration);

#[async_trait]
impl Election for Slow {
    async fn is_ours(&self, _run_id: &RunId) -> bool {
        sleep(self.0).await;
        true
    }
}

#[tokio::test(start_paused = true)]
async fn an_election_holds_up_neither_the_next_run_nor_the_end() {
    let mut node = Node::new("a");
    node.election = Arc::new(Slow(Duration::from_hours(1)));
    let running = node.start();
    assert_eq!(node.told(3).await, whole("a"));
    node.put("DIAGNOSTIC_RUN_ID", "b");
    assert_eq!(node.told(3).await, whole("b"));
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_leaves_time_for_an_election() {
    let mut node = Node::new("a");
    node.election = Arc::new(Slow(Duration::from_secs(5)));
    let running = node.start();
    assert_eq!(node.told(2).await, whole("a")[..2]);
    node.put("DIAGNOSTIC_RUN_ID", "b");
    assert_eq!(
        node.told(3).await[1..],
        ["a cluster begins", "a cluster ends: Complete"]
    );
    assert_eq!(node.told(3).await, whole("b"));
    running.end().await;
}

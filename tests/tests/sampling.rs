//! The agent's samples from end to end: a service that goes away and comes back, a sampler that is restarted meanwhile,
//! and the action that tells of it. Real sockets, the real resolver and connector, a real ring; only the pace is a
//! test's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use periscope_actions::{CATALOG, Deps, OutboundSampling, Settings, outbound_sampling};
use periscope_sampling::{Flusher, Sampler, Tally, TargetTally};
use periscope_testkit::{ActionRun, HostFixture, ScriptedCommands};
use periscope_tests::eventually;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

const FOLDER: &str = "/var/log/aks-periscope/.agent";
const PACE: Duration = Duration::from_millis(40);

/// An agent's sampler.
struct Running {
    tally: Arc<Tally>,
    flusher: Flusher,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(node: &HostFixture, deps: &Deps, kind: &str) -> Self {
        let OutboundSampling { mut targets, probe } = outbound_sampling(deps);
        targets.retain(|target| target.kind == kind);
        assert_eq!(targets.len(), 1, "what the user names is sampled");
        targets[0].every = PACE;
        let sampler = Sampler::new(node.real_path(FOLDER), targets, probe);
        let cancel = CancellationToken::new();
        Self {
            tally: sampler.tally(),
            flusher: sampler.flusher(),
            cancel: cancel.clone(),
            task: tokio::spawn(sampler.run(cancel)),
        }
    }

    /// Waits until the counts of the target are so.
    async fn until(&self, what: &'static str, is_so: fn(&TargetTally) -> bool) {
        let tally = Arc::clone(&self.tally);
        let seen = spawn_blocking(move || eventually(what, || is_so(&tally.targets()[0]).then_some(()))).await;
        seen.expect("the wait ends");
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.task.await.expect("the sampler ends");
    }
}

async fn listen(address: SocketAddr) -> TcpListener {
    TcpListener::bind(address).await.expect("a free port of loopback")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_was_away_is_a_down_period_of_the_next_run() {
    let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let address = listener.local_addr().expect("its address");
    let kind = address.to_string();
    let node = HostFixture::new().dir("/var/log/aks-periscope");
    let deps = Deps {
        root: node.root(),
        commands: Arc::new(ScriptedCommands::new()),
        cluster: Err("no cluster here".to_owned()),
        settings: Settings {
            internet_target: "127.0.0.1:1".to_owned(),
            outbound_targets: vec![kind.clone()],
            ..Settings::default()
        },
    };

    let first = Running::start(&node, &deps, &kind);
    first
        .until("samples of a service that is there", |seen| seen.samples >= 3)
        .await;
    drop(listener);
    first.until("failed samples", |seen| seen.failures >= 2).await;
    first.stop().await;

    let second = Running::start(&node, &deps, &kind);
    second
        .until("failed samples after the restart", |seen| seen.failures >= 2)
        .await;
    let _listener = listen(address).await;
    second
        .until("a sample that succeeds again", |seen| seen.connected == Some(true))
        .await;
    second.flusher.flush().await;

    let entry = CATALOG.iter().find(|entry| entry.descriptor.id == "network-outbound");
    let entry = entry.expect("the catalogue has it");
    let run = ActionRun::of(entry.descriptor, (entry.build)(&deps)).await;
    second.stop().await;

    let periods: Vec<Value> = serde_json::from_str(&run.text("down-periods.json")).expect("JSON");
    assert_eq!(periods.len(), 1, "one over the restart: {periods:?}");
    let period = &periods[0];
    assert_eq!(period["type"], kind.as_str());
    assert_eq!(period["error"], "tcp: Connection refused (os error 111)");
    assert!(period["samples"].as_u64() >= Some(4), "{period}");
    assert!(period["end"].as_str() > period["start"].as_str(), "{period}");

    let samples: Vec<Value> = serde_json::from_str(&run.text("samples.json")).expect("JSON");
    let statuses: Vec<_> = samples
        .iter()
        .map(|stretch| stretch["status"].as_str().expect("a status"))
        .collect();
    assert_eq!(
        statuses,
        [
            "Connected",
            "Error: tcp: Connection refused (os error 111)",
            "Connected"
        ],
        "{samples:?}"
    );
}

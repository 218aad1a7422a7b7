//! What the agent sampled on this node between runs, from the ring that it keeps in its folder.

use std::io::Read;

use jiff::Timestamp;
use periscope_core::{ArtifactSpec, Content, Sink, State};
use periscope_documents::{names, to_lines};
use periscope_host::{Confinement, HostError, HostPath, HostRoot};
use periscope_sampling::{FILE_BYTES, FILE_NAME, History};
use serde::Serialize;

use crate::host_files::{reason_of, state_of};

/// The agent's own folder on the node, where pods may write too: no link may lead out of it.
const FOLDER: &str = "/var/log/aks-periscope/.agent";

/// Why nothing is known.
pub(super) struct NoHistory {
    state: State,
    why: String,
}

/// Reads the ring. The agent may be writing it at the same time. Blocks.
pub(super) fn read(root: &HostRoot) -> Result<History, NoHistory> {
    let content = content(root).map_err(|error| {
        let state = state_of(&error);
        let why = match state {
            State::NotPresent => "no agent samples on this node".to_owned(),
            _ => reason_of(&error),
        };
        NoHistory { state, why }
    })?;
    History::parse(&content).map_err(|error| NoHistory {
        state: State::Failed,
        why: format!("{FOLDER}/{FILE_NAME}: {error}"),
    })
}

fn content(root: &HostRoot) -> Result<Vec<u8>, HostError> {
    let folder = HostPath::new(FOLDER)?;
    let path = folder.join(FILE_NAME)?;
    let file = root.open_confined(&path, &Confinement::only(vec![folder])?)?;
    let mut content = Vec::with_capacity(FILE_BYTES);
    let read = file.take(FILE_BYTES as u64).read_to_end(&mut content);
    read.map_err(|source| HostError::Io {
        path: path.to_string(),
        source,
    })?;
    Ok(content)
}

/// Keeps what the ring tells of the time before `now`, or why it tells nothing.
pub(super) async fn keep(sink: &Sink, history: &Result<History, NoHistory>, now: Timestamp) {
    match history {
        Ok(history) => {
            keep_lines(sink, names::DOWN_PERIODS, &history.down_periods(now)).await;
            keep_lines(sink, names::SAMPLES, &history.stretches(now)).await;
        }
        Err(NoHistory { state, why }) => {
            for name in [names::DOWN_PERIODS, names::SAMPLES] {
                sink.record(name, *state, why);
            }
        }
    }
}

async fn keep_lines<T: Serialize>(sink: &Sink, name: &str, elements: &[T]) {
    match to_lines(elements) {
        Ok(text) => {
            let spec = ArtifactSpec::new(name, Content::Json).source(format!("{FOLDER}/{FILE_NAME}"));
            sink.document(spec, text).await;
        }
        Err(error) => sink.record(name, State::Failed, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};
    use periscope_core::State;
    use periscope_documents::{ConnectionStretch, DownPeriod, from_lines, names};
    use periscope_sampling::{Outcome, Ring, Sample, Target};
    use periscope_testkit::{ActionRun, HostFixture};
    use rstest::rstest;

    use super::super::{DESCRIPTOR, NetworkOutbound};
    use super::FOLDER;
    use crate::Settings;
    use crate::vantage::Vantage;

    async fn run(node: &HostFixture) -> ActionRun {
        let action = NetworkOutbound::new(Vantage {
            root: node.root(),
            own: None,
            access: None,
            settings: Settings {
                // Ends at once, as all other names do in a fixture without resolv.conf.
                internet_target: "127.0.0.1:1".to_owned(),
                ..Settings::default()
            },
        });
        ActionRun::of(&DESCRIPTOR, Arc::new(action)).await
    }

    #[tokio::test]
    async fn what_the_agent_sampled_is_kept() {
        let node = HostFixture::new().dir(FOLDER);
        let target = Target {
            kind: "AKS API Server".to_owned(),
            host: "api.example".to_owned(),
            port: 443,
            optional: false,
            every: Duration::from_secs(5),
        };
        let now = Timestamp::now();
        let mut ring = Ring::open(&node.real_path(FOLDER), &[target]).unwrap();
        for (ago, reached) in [(60, true), (55, false), (50, false), (45, true), (40, true)] {
            let outcome = if reached {
                Outcome::Connected
            } else {
                Outcome::TcpFailed("Connection refused (os error 111)".to_owned())
            };
            let (at, took) = (now - SignedDuration::from_secs(ago), Duration::from_millis(4));
            ring.record(0, &Sample { at, took, outcome }).unwrap();
        }
        ring.flush().unwrap();
        let run = run(&node).await;
        let periods: Vec<(u64, DownPeriod)> = from_lines(&run.text(names::DOWN_PERIODS)).unwrap();
        assert_eq!(periods.len(), 1);
        let (line, period) = &periods[0];
        assert_eq!(
            (*line, period.samples, period.error.as_str()),
            (2, 2, "tcp: Connection refused (os error 111)")
        );
        let length = period.end.unwrap().duration_since(period.start);
        assert_eq!(length.as_secs(), 10);
        let stretches: Vec<(u64, ConnectionStretch)> = from_lines(&run.text(names::SAMPLES)).unwrap();
        let samples: Vec<_> = stretches.iter().map(|(_, s)| (s.samples, s.is_connected())).collect();
        assert_eq!(samples, [(1, true), (2, false), (2, true)]);
    }

    #[rstest]
    #[case::no_agent(HostFixture::new(), State::NotPresent, "no agent samples on this node")]
    #[case::not_a_ring(
        HostFixture::new().file("/var/log/aks-periscope/.agent/connectivity.ring", "x"),
        State::Failed,
        "/var/log/aks-periscope/.agent/connectivity.ring: this is no ring of samples"
    )]
    #[case::a_link_out(
        HostFixture::new().link("/var/log/aks-periscope/.agent/connectivity.ring", "/etc/hostname"),
        State::Denied,
        "outside of the log and provisioning folders"
    )]
    #[tokio::test]
    async fn without_a_ring_the_reason_is_kept(#[case] node: HostFixture, #[case] state: State, #[case] why: &str) {
        let run = run(&node).await;
        for name in [names::DOWN_PERIODS, names::SAMPLES] {
            assert_eq!(run.state(name), state);
            let reason = run.item(name).reason.as_deref().unwrap_or_default();
            assert!(reason.contains(why), "{reason}");
        }
    }
}

//! A run on a node: its actions and items.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use periscope_core::{ActionRecord, Completeness, ItemRecord, MANIFEST_SCHEMA, Manifest, RunId, State};

use super::{NODE, PODS, path, start};

pub(super) fn manifest() -> Manifest {
    let actions = [
        "cluster-health",
        "cni",
        "container-logs",
        "container-runtime",
        "dns",
        "iptables",
        "kube-objects",
        "kubelet",
        "network-outbound",
        "network-state",
        "node-logs",
        "node-services",
        "system",
        "system-logs",
    ];
    let record = |(n, id): (usize, &&str)| ActionRecord {
        id: (*id).to_owned(),
        state: if *id == "network-outbound" {
            State::TimedOut
        } else {
            State::Collected
        },
        reason: (*id == "network-outbound").then(|| "it took longer than 60 s".to_owned()),
        started: start(),
        millis: 17 * (n as u64 + 1) * (n as u64 + 3),
    };
    let mut items: Vec<ItemRecord> = (0..840)
        .map(|n| item(actions.get(n % 14).copied().unwrap_or_default(), n))
        .collect();
    items.sort_by(|a, b| a.path.cmp(&b.path));
    Manifest {
        schema: MANIFEST_SCHEMA.to_owned(),
        run_id: "20261120T091200Z".parse().unwrap_or_else(|_| RunId::at(start())),
        node: NODE.parse().expect("a name of a node"),
        os: "Ubuntu 22.04.5 LTS".to_owned(),
        kernel: "5.15.0-1075-azure".to_owned(),
        version: "0.1.0".to_owned(),
        started: start(),
        finished: start()
            .saturating_add(SignedDuration::from_millis(8_431))
            .unwrap_or_default(),
        completeness: Completeness::Partial,
        actions: actions.iter().enumerate().map(record).collect(),
        items,
    }
}

fn item(action: &str, n: usize) -> ItemRecord {
    let (state, reason) = match n % 97 {
        0..80 => (State::Collected, None),
        80..90 => (State::NotPresent, Some("there is no such file")),
        90 | 91 => (State::NotApplicable, Some("the node has no docker")),
        92 => (
            State::Truncated,
            Some("52428800 bytes are kept, 91000127 were left out"),
        ),
        93 => (State::Denied, Some("permission denied")),
        94 => (State::TimedOut, Some("no answer within 60 s")),
        95 => (State::Withheld, Some("a private key without its end")),
        _ => (
            State::Failed,
            Some("exit code 1: iptables-save: unknown option \"--x\""),
        ),
    };
    let name = match action {
        "container-logs" => {
            let pod = PODS.get(n % PODS.len()).copied().unwrap_or_default().replace('/', "_");
            format!("pods/{pod}_0b1c2d3e-4f50-4a6b-8c7d-{n:012}/app/{}.log", n % 5)
        }
        _ => format!("part-{}/file-{n}.txt", n % 7),
    };
    ItemRecord {
        action: action.to_owned(),
        path: path(&format!("{action}/{name}")).parse().expect("a path"),
        state,
        reason: reason.map(str::to_owned),
        source: Some(format!("/var/log/{name}")),
        modified: None,
        raw_bytes: 0,
        stored_bytes: (n as u64 * 7_919) % 5_000_000,
        compressed_bytes: 0,
        sha256: matches!(state, State::Collected | State::Truncated).then(|| "0".repeat(64)),
        redactions: BTreeMap::new(),
        limit_by_user: false,
    }
}

//! What is found while artifacts are collected is what is found in the archive later.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{Cursor, Write as _};
use std::ops::ControlFlow;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use periscope_bundle::{BudgetLimits, SpoolStore};
use periscope_core::{ArtifactPath, ArtifactSpec, Content, Encoding, Store};
use periscope_scan::{Outcome, RuleSet, Scanner};

const JOURNAL: &str = "nodes/n/system-logs/journal/kernel.log";
const CUT: &str = "nodes/n/system-logs/journal/kubelet.log";
const ROTATED: &str = "nodes/n/container-logs/pods/a_b_c/d/0.log.20261120-200000";
const CLEAN_ROTATED: &str = "nodes/n/container-logs/pods/a_b_c/d/0.log.20261119-200000";
const DOCUMENT: &str = "nodes/n/kubelet/kubelet.json";

fn path(path: &str) -> ArtifactPath {
    path.parse().unwrap()
}

fn keep(store: &SpoolStore, at: &str, spec: &ArtifactSpec, bytes: &[u8]) {
    let kept = store.copy(spec, &path(at), &mut Cursor::new(bytes), &mut |_| {
        ControlFlow::Continue(())
    });
    kept.unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(6));
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn kernel_log() -> String {
    let line = |n: u32| match n % 50 {
        0 => format!(
            "2026-11-20T20:{:02}:{:02}.000000+00:00 n kernel: I/O error, dev sd{}, sector {n} op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0\n",
            n / 60 % 60,
            n % 60,
            ['a', 'b'][n as usize / 50 % 2]
        ),
        _ => format!(
            "2026-11-20T20:{:02}:{:02}.000000+00:00 n kernel: cni0: port {n} entered forwarding state\n",
            n / 60 % 60,
            n % 60
        ),
    };
    (0..3000).map(line).collect()
}

fn pod_log(secret: bool) -> String {
    let line = |n: u32| {
        let tail = if secret && n.is_multiple_of(7) {
            " password=hunter2hunter2"
        } else {
            ""
        };
        format!(
            "2026-11-20T20:{:02}:{:02}.123456789Z stderr F E1120 20:00:00.000000       1 a.go:{n}] \"broken\"{tail}\n",
            n / 60 % 60,
            n % 60
        )
    };
    (0..2000).map(line).collect()
}

#[test]
fn an_archive_gives_what_its_making_gave() {
    let started: Timestamp = "2026-11-20T21:00:00Z".parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let limits = BudgetLimits {
        archive_bytes: u64::MAX,
        by_user: false,
        unpacked: false,
    };
    let online = Arc::new(Scanner::new(Arc::clone(RuleSet::builtin()), started));
    let store = SpoolStore::new(folder.path(), limits).unwrap();
    let store = store.observed_by(Arc::clone(&online) as _);
    let spec = |content| ArtifactSpec::new("x", content);
    keep(&store, JOURNAL, &spec(Content::Text), kernel_log().as_bytes());
    // Ends in the middle of a line, which is not kept.
    let kubelet = kernel_log().replace("kernel", "kubelet[1]");
    keep(&store, CUT, &spec(Content::Text).at_most(50_010), kubelet.as_bytes());
    let gz = |secret| gzip(pod_log(secret).as_bytes());
    keep(
        &store,
        ROTATED,
        &spec(Content::CriLog).encoding(Encoding::Gzip),
        &gz(true),
    );
    keep(
        &store,
        CLEAN_ROTATED,
        &spec(Content::CriLog).encoding(Encoding::Gzip),
        &gz(false),
    );
    keep(
        &store,
        DOCUMENT,
        &spec(Content::Json),
        b"{\"a\":\"I/O error, dev sda, sector 1\"}",
    );

    // In another order than they were made in.
    let offline = Scanner::new(Arc::clone(RuleSet::builtin()), started);
    for path in store.paths().iter().rev() {
        offline.read(path, &mut store.artifact(path).unwrap().reader()).unwrap();
    }
    let (online, offline): (Outcome, Outcome) = (online.outcome(), offline.outcome());
    assert_eq!(online.hits(), offline.hits());
    assert_eq!(online.timeline(), offline.timeline());
    assert_eq!(
        (online.lines, online.bytes, online.artifacts),
        (offline.lines, offline.bytes, offline.artifacts)
    );

    assert_eq!(online.artifacts, 4);
    assert_eq!(online.hits().count("io-errors"), 60);
    assert_eq!(online.hits().of("io-errors")[0].line, 1);
    let errors: u64 = online.timeline().buckets.iter().map(|bucket| bucket.count).sum();
    assert_eq!(errors, 60 + 4000);
    let quoted = |secret: &str| {
        online
            .timeline()
            .entries
            .iter()
            .any(|entry| entry.text.contains(secret))
    };
    assert!(!quoted("hunter2"));
}

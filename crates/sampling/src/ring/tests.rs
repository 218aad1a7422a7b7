#![expect(clippy::disallowed_methods, reason = "tests look at files of their own")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rstest::rstest;
use tempfile::TempDir;

use super::{FILE_NAME, Ring};
use crate::layout::FILE_BYTES;
use crate::{History, Outcome, Sample, Target};

/// Puts something in the ring's place, given a file that is not the agent's.
type Plant = fn(&Path, &Path);

fn targets() -> Vec<Target> {
    vec![Target {
        kind: "x".to_owned(),
        host: "h".to_owned(),
        port: 1,
        optional: false,
        every: Duration::from_secs(5),
    }]
}

fn sample() -> Sample {
    Sample {
        at: Timestamp::now(),
        took: Duration::from_millis(1),
        outcome: Outcome::Connected,
    }
}

fn samples(folder: &Path) -> u32 {
    let bytes = fs::read(folder.join(FILE_NAME)).unwrap();
    assert_eq!(bytes.len(), FILE_BYTES);
    let stretches = History::parse(&bytes).unwrap().stretches(Timestamp::now());
    stretches.iter().map(|stretch| stretch.samples).sum()
}

#[test]
fn it_is_there_after_a_restart() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join(".agent");
    for round in 1..=3 {
        let mut ring = Ring::open(&folder, &targets()).unwrap();
        ring.record(0, &sample()).unwrap();
        ring.flush().unwrap();
        assert_eq!(samples(&folder), round);
    }
}

#[rstest]
#[case::empty(b"".as_slice())]
#[case::something_else(b"{\"runs\":[]}")]
#[case::cut(b"PSCPRING")]
fn what_is_no_ring_gives_way(#[case] content: &[u8]) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(FILE_NAME), content).unwrap();
    let mut ring = Ring::open(folder.path(), &targets()).unwrap();
    ring.record(0, &sample()).unwrap();
    assert_eq!(samples(folder.path()), 1);
}

#[test]
fn a_ring_has_one_writer() {
    let folder = TempDir::new().unwrap();
    let first = Ring::open(folder.path(), &targets()).unwrap();
    let refused = Ring::open(folder.path(), &targets()).err().unwrap();
    let source = std::error::Error::source(&refused).unwrap().to_string();
    assert_eq!(source, "is in use by another agent");
    drop(first);
    Ring::open(folder.path(), &targets()).unwrap();
}

#[rstest]
#[case::link(|ring: &Path, other: &Path| symlink(other, ring).unwrap())]
#[case::second_name(|ring: &Path, other: &Path| fs::hard_link(other, ring).unwrap())]
#[case::folder(|ring: &Path, _: &Path| fs::create_dir(ring).unwrap())]
#[case::fifo(|ring: &Path, _: &Path| rustix::fs::mknodat(rustix::fs::CWD, ring, rustix::fs::FileType::Fifo,
    rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR, 0).unwrap())]
fn nobody_leads_it_to_another_file(#[case] plant: Plant) {
    let folder = TempDir::new().unwrap();
    let other = folder.path().join("other");
    fs::write(&other, "precious").unwrap();
    plant(&folder.path().join(FILE_NAME), &other);
    assert!(Ring::open(folder.path(), &targets()).is_err());
    assert_eq!(fs::read(&other).unwrap(), b"precious");
}

#[test]
fn a_folder_that_is_a_link_is_refused() {
    let parent = TempDir::new().unwrap();
    let elsewhere = TempDir::new().unwrap();
    let folder = parent.path().join(".agent");
    symlink(elsewhere.path(), &folder).unwrap();
    assert!(Ring::open(&folder, &targets()).is_err());
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

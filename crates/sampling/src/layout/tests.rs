use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::{
    CLOSED_SLOTS, FILE_BYTES, Image, NoHeader, SEGMENT_BYTES, Segment, TargetRecord, as_kept, bank_write, check_header,
    closed_write, header, target_write,
};
use crate::target::{MAX_TARGETS, Outcome, Target};

fn segment(outcome: &Outcome) -> Segment {
    Segment {
        version: 7,
        id: 3,
        target: 9,
        follows: true,
        outcome: as_kept(outcome),
        start: "2026-11-20T10:00:00.125Z".parse().unwrap(),
        end: "2026-11-20T10:00:05Z".parse().unwrap(),
        samples: 2,
        worst_millis: 40,
        total_millis: 50,
    }
}

fn record(kind: &str, host: &str) -> TargetRecord {
    TargetRecord {
        number: 9,
        target: Target {
            kind: kind.to_owned(),
            host: host.to_owned(),
            port: 443,
            optional: true,
            every: Duration::from_secs(30),
        },
    }
}

fn file(writes: &[super::Write]) -> Vec<u8> {
    let mut file = vec![0; FILE_BYTES];
    for write in writes {
        file[write.at..write.at + write.bytes.len()].copy_from_slice(&write.bytes);
    }
    file
}

#[rstest]
#[case::connected(Outcome::Connected)]
#[case::dns(Outcome::DnsFailed("NXDOMAIN".to_owned()))]
#[case::long(Outcome::TcpFailed("é".repeat(500)))]
#[case::control(Outcome::TcpFailed("a\u{1b}[2Jb".to_owned()))]
fn what_is_written_is_read(#[case] outcome: Outcome) {
    let kept = segment(&outcome);
    assert!(!format!("{:?}", kept.outcome).contains("\\u{1b}"));
    let record = record(&"k".repeat(230), &"h".repeat(253));
    let last = MAX_TARGETS - 1;
    let file = file(&[
        header(),
        target_write(last, &record),
        bank_write(1, [&kept].into_iter()),
        closed_write(CLOSED_SLOTS - 1, &kept),
    ]);
    let image = Image::parse(&file).unwrap();
    assert_eq!(image.targets, [(last, record)]);
    assert_eq!(image.open, [(1, kept.clone())]);
    assert_eq!(image.closed, [(CLOSED_SLOTS - 1, kept)]);
}

#[test]
fn nothing_lies_on_anything_else() {
    let segment = segment(&Outcome::Connected);
    let mut writes = vec![header()];
    writes.extend((0..MAX_TARGETS).map(|slot| target_write(slot, &record("k", "h"))));
    writes.extend((0..2).map(|bank| bank_write(bank, [].into_iter())));
    writes.extend((0..CLOSED_SLOTS).map(|slot| closed_write(slot, &segment)));
    let mut ends = writes.iter().map(|write| write.at + write.bytes.len());
    assert!(
        ends.clone()
            .zip(writes.iter().skip(1))
            .all(|(end, next)| end <= next.at)
    );
    assert_eq!(ends.next_back(), Some(FILE_BYTES));
}

#[test]
fn a_record_with_one_spoilt_byte_is_none() {
    let write = closed_write(0, &segment(&Outcome::DnsFailed("x".to_owned())));
    for at in 0..SEGMENT_BYTES {
        let mut spoilt = write.clone();
        spoilt.bytes[at] ^= 1;
        let image = Image::parse(&file(&[header(), spoilt])).unwrap();
        assert!(image.closed.is_empty(), "byte {at}");
    }
}

#[rstest]
#[case::empty(b"".to_vec(), NoHeader::NotARing)]
#[case::zeros(vec![0; FILE_BYTES], NoHeader::NotARing)]
#[case::text(b"PSCPRING is the word".to_vec(), NoHeader::NotARing)]
fn what_is_no_ring(#[case] bytes: Vec<u8>, #[case] expected: NoHeader) {
    assert_eq!(check_header(&bytes), Err(expected));
}

#[test]
fn another_version_is_told() {
    let mut bytes = b"PSCPRING\x02\0\0\0".to_vec();
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    assert_eq!(check_header(&bytes), Err(NoHeader::OtherVersion(2)));
}

proptest! {
    #[test]
    fn any_bytes_are_parsed(mut bytes in prop::collection::vec(any::<u8>(), 0..70_000)) {
        let head = header().bytes;
        let front = head.len().min(bytes.len());
        bytes[..front].copy_from_slice(&head[..front]);
        Image::parse(&bytes).ok();
    }

    #[test]
    fn any_record_is_read_or_refused(
        mark in prop::sample::select(vec![b'S', b'T']),
        rest in prop::collection::vec(any::<u8>(), 0..500),
    ) {
        let body = [vec![mark], rest].concat();
        if let Some(segment) = super::decode(&super::seal(body.clone(), SEGMENT_BYTES.max(body.len() + 4))) {
            prop_assert!(segment.start <= segment.end && segment.samples > 0);
        }
        if let Some(found) = super::decode_target(&super::seal(body.clone(), 512.max(body.len() + 4))) {
            prop_assert!(!found.target.kind.contains(char::is_control));
        }
    }
}

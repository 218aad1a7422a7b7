//! What is still read of damaged files, and what their reports say.

use std::io;

use proptest::prelude::*;
use rstest::rstest;

use super::tests::{messages, open, patch};
use super::*;
use crate::fixture::{Codec, Writer, simple};

#[rstest]
#[case::too_small(3_u64.to_le_bytes())]
#[case::beyond_the_file((1_u64 << 40).to_le_bytes())]
#[case::behind_the_tail(60_000_u64.to_le_bytes())]
#[case::a_little_too_large(1000_u64.to_le_bytes())]
fn a_wrong_size_costs_few_entries(#[case] size: [u8; 8]) {
    let mut writer = Writer::new(false);
    let mut victim = 0;
    for at in 1..=100 {
        let data = writer.data(
            format!("MESSAGE=number {at} {}", "t".repeat(200)).as_bytes(),
            Codec::None,
        );
        writer.entry_of(at, &[data]);
        if at == 50 {
            victim = data;
        }
    }
    let mut file = writer.finish();
    patch(&mut file, victim + 8, &size);
    // Space that is allocated but not in use, as journald leaves it behind the last object.
    let arena = file.len() as u64 + 100_000 - 272;
    patch(&mut file, 96, &arena.to_le_bytes());
    file.resize(file.len() + 100_000, 0);
    let (messages, report) = messages(&file);
    assert!(messages.len() >= 99, "{} of 100", messages.len());
    assert!(report.corrupt_objects > 0 && !report.is_whole());
}

#[rstest]
fn a_wrong_size_that_leads_to_another_object_hides_no_entry(#[values(2, 50)] first: u64, #[values(1, 30)] hidden: u64) {
    let mut writer = Writer::new(false);
    let mut data = Vec::new();
    for at in 1..=100 {
        data.push(writer.data(format!("MESSAGE=number {at}").as_bytes(), Codec::None));
        writer.entry_of(at, &data[data.len() - 1..]);
    }
    let mut file = writer.finish();
    let from = usize::try_from(first).unwrap();
    let to = from + usize::try_from(hidden).unwrap();
    patch(&mut file, data[from] + 8, &(data[to] - data[from]).to_le_bytes());
    let (messages, report) = messages(&file);
    assert!(messages.len() >= 99, "{} of 100", messages.len());
    assert!(!report.is_whole());
}

#[test]
fn missing_numbers_are_no_damage() {
    let mut writer = Writer::new(false);
    for at in 1..=200 {
        writer.entry(
            at,
            &[
                "MESSAGE=a",
                &format!("X={}", "x".repeat(usize::try_from(at * at).unwrap())),
            ],
        );
        writer.seqnum += at % 3;
    }
    let (messages, report) = messages(&writer.finish());
    assert_eq!(messages.len(), 200);
    assert!(report.is_whole(), "{report:?}");
}

#[test]
fn a_hole_costs_what_was_in_it() {
    let mut file = simple(false, 1000, 300);
    let hole = file.len() / 2;
    file[hole..hole + 50_000].fill(0);
    let (messages, report) = messages(&file);
    assert!((850..1000).contains(&messages.len()), "{}", messages.len());
    assert_eq!(messages.last().map(|text| text.starts_with("number 1000 ")), Some(true));
    assert!(report.corrupt_objects > 0);
}

#[rstest]
#[case::length(96, u64::MAX)]
#[case::tail(136, u64::MAX)]
#[case::index(176, u64::MAX - 7)]
#[case::first_number(168, 0)]
fn wrong_numbers_in_the_header_cost_no_entry(#[case] at: u64, #[case] number: u64) {
    let mut file = simple(false, 100, 10);
    patch(&mut file, at, &number.to_le_bytes());
    let mut reader = open(&file);
    reader.seek(50_000_000);
    let mut last = 0;
    while reader.advance() {
        last = reader.entry().seqnum();
    }
    assert_eq!(last, 100);
    assert_eq!(messages(&file).0.len(), 100);
}

#[test]
fn an_object_that_is_just_being_written_is_no_damage() {
    let mut writer = Writer::new(false);
    writer.entry(1, &["MESSAGE=a"]);
    let mut file = writer.finish();
    let used = file.len();
    // Type and size of an entry are there, but not its contents yet.
    file.extend_from_slice(&[3, 0, 0, 0, 0, 0, 0, 0, 96, 0, 0, 0, 0, 0, 0, 0]);
    file.resize(used + 4096, 0);
    patch(&mut file, 96, &(used as u64 + 4096 - 272).to_le_bytes());
    let (messages, report) = messages(&file);
    assert_eq!(messages, ["a"]);
    assert!(report.is_whole(), "{report:?}");
}

#[test]
fn every_cut_keeps_what_comes_before_it() {
    let file = simple(true, 5, 10);
    let whole = messages(&file).0;
    for len in 208..file.len() {
        let (found, report) = messages(&file[..len]);
        assert_eq!(found, whole[..found.len()]);
        assert!(report.truncated || found.len() == 5, "{len}: {report:?}");
    }
}

/// Answers with an error from some offset on.
struct Broken<'a>(&'a [u8], u64);

impl ReadAt for Broken<'_> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = self
            .1
            .checked_sub(offset)
            .filter(|left| *left > 0)
            .ok_or(io::ErrorKind::Other)?;
        let len = buf.len().min(usize::try_from(left).unwrap());
        self.0.read_at(&mut buf[..len], offset)
    }
}

#[test]
fn a_read_error_ends_the_file_and_is_told() {
    let file = simple(false, 3000, 300);
    let mut reader = Reader::open("test", Broken(&file, 1_000_000)).unwrap();
    while reader.advance() {}
    assert!((1000..3000).contains(&reader.report().entries), "{:?}", reader.report());
    assert!(matches!(reader.into_report().error, Some(Error::Read { .. })));
}

#[test]
fn a_damaged_index_makes_a_seek_start_at_the_beginning() {
    let mut file = simple(false, 100, 10);
    patch(&mut file, 176, &8_u64.to_le_bytes());
    let mut reader = open(&file);
    reader.seek(50_000_000);
    assert!(reader.advance());
    assert_eq!(reader.entry().seqnum(), 1);
}

proptest! {
    #[test]
    fn one_wrong_byte_costs_few_entries(at in 272_usize..100_000, byte: u8, compact: bool) {
        let mut file = simple(compact, 200, 100);
        let at = 272 + at % (file.len() - 272);
        file[at] = byte;
        let (messages, _) = messages(&file);
        prop_assert!((198..=200).contains(&messages.len()), "{} of 200", messages.len());
    }

    #[test]
    fn any_damage_is_survived(
        damage in proptest::collection::vec((8_usize..100_000, any::<u8>()), 0..300),
        cut in 0_usize..60_000,
        since in 0_u64..100,
    ) {
        let mut file = simple(false, 100, 200);
        for (at, byte) in damage {
            let at = at % file.len();
            file[at.max(8)] = byte;
        }
        file.truncate(file.len().max(cut) - cut / 4);
        if let Ok(mut reader) = Reader::open("test", file.as_slice()) {
            reader.seek(since * 1_000_000);
            while reader.advance() {
                reader.entry_and_message();
            }
            prop_assert!(reader.report().entries <= 100 + reader.report().corrupt_objects);
        }
    }
}

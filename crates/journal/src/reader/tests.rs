//! What is read of files that are in order, and which files are refused.

use rstest::rstest;

use super::*;
use crate::field::Field;
use crate::fixture::{Codec, Writer, simple};

/// `MESSAGE=` and two hundred times `xz text `, as an `.xz` stream without a check, which is how journald writes it.
const XZ: &[u8] = &[
    0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x00, 0xff, 0x12, 0xd9, 0x41, 0x02, 0x00, 0x21, 0x01, 0x0c, 0x00, 0x00,
    0x00, 0x8f, 0x98, 0x41, 0x9c, 0xe0, 0x06, 0x47, 0x00, 0x20, 0x5d, 0x00, 0x26, 0x91, 0x46, 0xac, 0xd0, 0x6f, 0x74,
    0xb8, 0xa6, 0x3d, 0xd0, 0x48, 0x43, 0x1b, 0x7c, 0xb2, 0xa6, 0x83, 0x60, 0x98, 0x4d, 0x68, 0xdc, 0xa1, 0xcf, 0xf2,
    0xad, 0x88, 0xb8, 0xa9, 0xec, 0x00, 0x00, 0x00, 0x01, 0x34, 0xc8, 0x0c, 0x00, 0x00, 0x00, 0xc4, 0x8d, 0x0d, 0xcf,
    0xa8, 0x00, 0x0a, 0xfc, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x59, 0x5a,
];

pub(super) fn open(file: &[u8]) -> Reader<&[u8]> {
    Reader::open("test", file).unwrap()
}

pub(super) fn messages(file: &[u8]) -> (Vec<String>, FileReport) {
    let mut reader = open(file);
    let mut messages = Vec::new();
    while reader.advance() {
        if let (_, Some(Message::Whole(message) | Message::Cut(message))) = reader.entry_and_message() {
            messages.push(String::from_utf8_lossy(message).into_owned());
        }
    }
    (messages, reader.into_report())
}

pub(super) fn patch(file: &mut [u8], offset: u64, bytes: &[u8]) {
    let at = usize::try_from(offset).unwrap();
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

#[rstest]
#[case::regular(false)]
#[case::compact(true)]
fn shared_fields_are_found_however_far_back(#[case] compact: bool) {
    let file = simple(compact, 3000, 500);
    let mut reader = open(&file);
    let mut at: u64 = 0;
    while reader.advance() {
        at += 1;
        let entry = reader.entry();
        assert_eq!((entry.seqnum(), entry.realtime_usec()), (at, at * 1_000_000));
        assert_eq!((entry.monotonic_usec(), entry.boot_id()), (at * 10, [1; 16]));
        assert_eq!(entry.field(Field::SystemdUnit), Some(b"kubelet.service".as_slice()));
        assert_eq!(entry.field(Field::Pid), Some((at / 10).to_string().as_bytes()));
        assert_eq!(entry.field(Field::Comm), None);
        let (_, message) = reader.entry_and_message();
        let expected = format!("number {at} {}", "m".repeat(500));
        assert_eq!(message, Some(Message::Whole(expected.as_bytes())));
    }
    assert_eq!(at, 3000);
    assert!(reader.report().is_whole());
}

#[rstest]
fn compressed_messages_are_inflated(
    #[values(Codec::None, Codec::Zstd, Codec::Lz4)] codec: Codec,
    #[values(0, 1, 100, 700, 90_000, 1024 * 1024)] len: usize,
    #[values(false, true)] compact: bool,
) {
    let mut text: String = (0..len / 2)
        .map(|at| char::from(b'a' + u8::try_from(at * at % 23).unwrap()))
        .collect();
    text.push_str(&"r".repeat(len - text.len()));
    let mut writer = Writer::new(compact);
    let items = [
        writer.data(b"_COMM=x", Codec::None),
        writer.data(format!("MESSAGE={text}").as_bytes(), codec),
    ];
    writer.entry_of(1, &items);
    let (messages, report) = messages(&writer.finish());
    assert!(report.is_whole(), "{report:?}");
    assert!(messages == [text]);
}

#[test]
fn xz_messages_are_inflated() {
    let mut writer = Writer::new(false);
    let item = writer.data(XZ, Codec::Xz);
    writer.entry_of(1, &[item]);
    assert_eq!(messages(&writer.finish()).0, ["xz text ".repeat(200)]);
}

#[rstest]
#[case(Codec::Zstd)]
#[case(Codec::Lz4)]
fn small_fields_may_be_compressed_too(#[case] codec: Codec) {
    let mut writer = Writer::new(false);
    let items = [
        writer.data(b"MESSAGE=first", codec),
        writer.data(b"_SYSTEMD_UNIT=kubelet.service", codec),
        writer.data(b"X=irrelevant", codec),
    ];
    writer.entry_of(1, &items);
    let file = writer.finish();
    let mut reader = open(&file);
    assert!(reader.advance());
    assert_eq!(
        reader.entry().field(Field::SystemdUnit),
        Some(b"kubelet.service".as_slice())
    );
    assert_eq!(reader.entry_and_message().1, Some(Message::Whole(b"first")));
}

#[rstest]
#[case::stored(Codec::None, 1024 * 1024 + 1)]
#[case::zstd(Codec::Zstd, 1024 * 1024 + 1)]
#[case::lz4(Codec::Lz4, 3 * 1024 * 1024)]
fn long_messages_are_cut(#[case] codec: Codec, #[case] len: usize) {
    let mut writer = Writer::new(false);
    let item = writer.data(format!("MESSAGE={}", "l".repeat(len)).as_bytes(), codec);
    writer.entry_of(1, &[item]);
    let file = writer.finish();
    let mut reader = open(&file);
    assert!(reader.advance());
    assert!(matches!(reader.entry_and_message().1, Some(Message::Cut(text)) if text.len() == 1024 * 1024));
}

#[rstest]
#[case::too_large_for_lz4(Codec::Lz4, 5 * 1024 * 1024, None)]
#[case::damaged_zstd(Codec::Zstd, 2000, Some(0))]
#[case::damaged_lz4(Codec::Lz4, 2000, Some(7))]
#[case::damaged_xz(Codec::Xz, 2000, Some(0))]
fn what_cannot_be_inflated_is_told(#[case] codec: Codec, #[case] len: usize, #[case] damage: Option<u64>) {
    let mut writer = Writer::new(false);
    let item = writer.data(format!("MESSAGE={}", "l".repeat(len)).as_bytes(), codec);
    writer.entry_of(1, &[item]);
    let mut file = writer.finish();
    if let Some(at) = damage {
        patch(&mut file, item + 64 + at, b"\xff");
    }
    let mut reader = open(&file);
    assert!(reader.advance());
    assert_eq!(reader.entry_and_message().1, Some(Message::Unreadable));
    assert_eq!(reader.report().corrupt_objects, 1);
}

#[test]
fn an_entry_without_a_message_has_none() {
    let mut writer = Writer::new(false);
    writer.entry(1, &["_COMM=x"]);
    let file = writer.finish();
    let mut reader = open(&file);
    assert!(reader.advance());
    assert_eq!(reader.entry_and_message().1, None);
}

#[test]
fn objects_of_unknown_types_are_skipped() {
    let mut writer = Writer::new(false);
    writer.object(99, 0, &[1; 100]);
    writer.entry(1, &["MESSAGE=a"]);
    let (messages, report) = messages(&writer.finish());
    assert_eq!(messages, ["a"]);
    assert!(report.is_whole());
}

#[rstest]
#[case::empty(b"".as_slice(), "the file is empty")]
#[case::other(&[7; 1000], "the file is not a journal")]
#[case::zeroed(&[0; 1000], "the file is not a journal")]
#[case::only_signature(b"LPKSHHRH", "the file is not a journal")]
fn what_is_no_journal_is_refused(#[case] file: &[u8], #[case] why: &str) {
    assert_eq!(Reader::open("test", file).unwrap_err().to_string(), why);
}

#[rstest]
#[case::unknown_flag(12, 0x40, "the journal uses unknown features (incompatible flags 0x40)")]
#[case::header_size(95, 1, "the journal header is damaged (header_size is 72057594037928208)")]
fn headers_that_cannot_be_trusted_are_refused(#[case] at: u64, #[case] byte: u8, #[case] why: &str) {
    let mut file = simple(false, 3, 0);
    patch(&mut file, at, &[byte]);
    assert_eq!(Reader::open("test", file.as_slice()).unwrap_err().to_string(), why);
}

#[rstest]
fn seeking_skips_older_entries_but_for_one_at_most(
    #[values(false, true)] compact: bool,
    #[values(1, 4, 5, 100)] count: u64,
) {
    let file = simple(compact, count, 10);
    for since in 0..=count {
        let mut reader = open(&file);
        reader.seek(since * 1_000_000);
        assert!(reader.advance());
        let found = reader.entry().seqnum();
        assert!(found <= since.max(1) && found + 1 >= since, "{found} for {since}");
    }
    let mut reader = open(&file);
    reader.seek(count * 1_000_000 + 1);
    assert!(!reader.advance());
    assert!(reader.report().too_old);
}

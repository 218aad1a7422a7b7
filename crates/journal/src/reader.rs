//! One journal file, entry by entry in the order they were written; does not merge files and does not select.
//!
//! The file is read forward once, object by object, and not along its index of entries: so every entry is found that is
//! there, even where the index is damaged.

use crate::entry::Entry;
use crate::error::Error;
use crate::fields::{Fields, Message};
use crate::index;
use crate::layout::{ENTRY_HEADER, EntryHeader, HEADER_READ, Header, OBJECT_HEADER, ObjectHeader, TYPE_ENTRY, align};
use crate::read_at::{self, ReadAt};
use crate::report::FileReport;
use crate::resync;
use crate::window::Window;

/// Searches for a next readable object before a file is given up: each may read a window anew.
const MAX_RESYNCS: u32 = 10_000;

/// Reads one journal file.
#[derive(Debug)]
pub struct Reader<R> {
    window: Window<R>,
    header: Header,
    fields: Fields,
    report: FileReport,
    /// Where the next object starts.
    position: u64,
    /// Where the last object started that made sense; a search for the next begins behind it.
    last_object: u64,
    resyncs: u32,
    finished: bool,
    /// The sequence number of the last entry; none where reading began in the midst of the file.
    seqnum: Option<u64>,
    /// The largest object since the last entry, that one included: its offset and size.
    largest: (u64, u64),
    /// What the current entry refers to.
    items: Vec<u64>,
}

impl<R: ReadAt> Reader<R> {
    /// Reads the header of a file. `name` is only for the report.
    pub fn open(name: impl Into<String>, source: R) -> Result<Self, Error> {
        let header = Header::read(&source)?;
        Ok(Self {
            window: Window::new(source),
            fields: Fields::default(),
            report: FileReport {
                name: name.into(),
                expected_entries: Some(header.entry_count),
                ..FileReport::default()
            },
            position: header.first_object,
            last_object: header.first_object,
            resyncs: 0,
            finished: false,
            seqnum: header.head_seqnum.checked_sub(1),
            largest: (0, 0),
            items: Vec::new(),
            header,
        })
    }

    /// Identifies the numbering that the entries' sequence numbers belong to.
    pub(crate) fn seqnum_id(&self) -> [u8; 16] {
        self.header.seqnum_id
    }

    /// Starts at the first entry at or after `since_usec` (microseconds since 1970) or the one before it, if the index of
    /// the file is sound, and at the start of the file otherwise; so older entries may still come.
    pub fn seek(&mut self, since_usec: u64) {
        if self.header.tail_realtime != 0 && self.header.tail_realtime < since_usec {
            self.report.expected_entries = None;
            self.report.too_old = true;
            self.finished = true;
        } else if self.header.head_realtime < since_usec
            && let Ok(Some(offset)) = index::seek(&self.window, &self.header, since_usec)
        {
            self.report.expected_entries = None;
            self.position = offset;
            self.last_object = offset;
            self.seqnum = None;
        }
    }

    /// Moves to the next entry; false at the end of what can be read.
    pub fn advance(&mut self) -> bool {
        while !self.finished {
            match self.step() {
                Ok(true) => {
                    self.report.entries += 1;
                    return true;
                }
                Ok(false) => {}
                Err(error) => {
                    self.report.error = Some(error);
                    self.finished = true;
                }
            }
        }
        false
    }

    /// The current entry; an empty one before the first [`Self::advance`].
    pub fn entry(&self) -> &Entry {
        self.fields.entry()
    }

    /// The entry and its message, which is read now; no message when the entry has none.
    pub fn entry_and_message(&mut self) -> (&Entry, Option<Message<'_>>) {
        let (entry, message) = self.fields.with_message(&self.window);
        if message == Some(Message::Unreadable) {
            self.report.corrupt_objects += 1;
        }
        (entry, message)
    }

    /// The account of the file so far.
    pub fn report(&self) -> &FileReport {
        &self.report
    }

    /// Ends the reading and returns the account.
    pub fn into_report(self) -> FileReport {
        self.report
    }

    /// Looks at the object at the current position and moves behind it; true when it was an entry.
    fn step(&mut self) -> Result<bool, Error> {
        let offset = self.position;
        if offset + OBJECT_HEADER > self.header.end {
            self.finished = true;
            return Ok(false);
        }
        let bytes = self
            .window
            .get(offset, 16)
            .map_err(|source| Error::Read { offset, source })?;
        let Some(object) = ObjectHeader::parse(bytes) else {
            self.report.truncated = self.last_object < self.header.tail_object;
            self.finished = true;
            return Ok(false);
        };
        // Stepping over the last object without meeting it means that the size of the one before is wrong.
        let missed_tail = self.last_object < self.header.tail_object && offset > self.header.tail_object;
        if missed_tail || !object.fits(offset, &self.header) {
            return self.skip_damage().map(|()| false);
        }
        let is_entry = object.kind == TYPE_ENTRY;
        if is_entry && !self.read_entry(offset, object.size)? {
            return Ok(false);
        }
        if is_entry || object.size > self.largest.1 {
            self.largest = (offset, object.size);
        }
        self.last_object = offset;
        self.position = align(offset + object.size);
        Ok(is_entry)
    }

    /// Reads the entry at `offset`, with its fields; false when there is none after all, and the position is elsewhere.
    fn read_entry(&mut self, offset: u64, size: u64) -> Result<bool, Error> {
        let read_error = |source| Error::Read { offset, source };
        // The size of an entry that fits is bounded far below what the window holds.
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let bytes = self.window.get(offset, size).map_err(read_error)?;
        if bytes.len() < size {
            self.report.truncated = true;
            self.finished = true;
            return Ok(false);
        }
        let Some(entry) = EntryHeader::parse(bytes) else {
            return self.skip_damage().map(|()| false);
        };
        let references = bytes[ENTRY_HEADER..].chunks_exact(self.header.entry_item());
        self.items.clear();
        self.items
            .extend(references.map(|item| self.header.item_offset(item, 0)));
        if self
            .seqnum
            .is_some_and(|last| last.checked_add(1) != Some(entry.seqnum))
            && self.uncover()?
        {
            return Ok(false);
        }
        self.seqnum = Some(entry.seqnum);
        self.fields.reset(entry);
        for item in &self.items {
            // Fields are written before the entry that refers to them.
            let possible = self.header.may_start_object(*item) && *item < offset;
            if !possible
                || !self
                    .fields
                    .take(&self.window, &self.header, *item)
                    .map_err(read_error)?
            {
                self.report.corrupt_objects += 1;
            }
        }
        Ok(true)
    }

    /// Goes on at the next readable object. Behind the object that the header names as the last one, where the file is
    /// allocated but not in use or just being written, this is the end and no damage.
    fn skip_damage(&mut self) -> Result<(), Error> {
        if self.last_object >= self.header.tail_object && self.position > self.header.tail_object {
            self.finished = true;
            return Ok(());
        }
        // The damage may be in the size of the object before, so the search starts inside of that one.
        if !self.resync(self.last_object + 8, self.header.end)? {
            self.report.corrupt_objects += 1;
            self.finished = true;
        }
        Ok(())
    }

    /// Looks for entries inside of the largest object since the last entry, and goes on there; false when there are
    /// none. A size that is wrong by chance in such a way that it leads to another object shows only in that entries
    /// are missing. Missing numbers alone mean nothing: the system's and the users' journals are numbered together.
    fn uncover(&mut self) -> Result<bool, Error> {
        let (offset, size) = std::mem::take(&mut self.largest);
        // Behind the fixed part of the largest kinds of objects, whose numbers could pass for a header.
        self.resync(offset + ENTRY_HEADER as u64, offset + size)
    }

    /// Moves to the first readable object in a range, and counts the damage; false when there is none.
    fn resync(&mut self, from: u64, until: u64) -> Result<bool, Error> {
        let found = resync::find(&mut self.window, &self.header, from, until);
        let Some(next) = found.map_err(|source| Error::Read { offset: from, source })? else {
            return Ok(false);
        };
        self.report.corrupt_objects += 1;
        self.resyncs += 1;
        if self.resyncs > MAX_RESYNCS {
            return Err(Error::TooDamaged { resyncs: MAX_RESYNCS });
        }
        self.last_object = next;
        self.position = next;
        Ok(true)
    }
}

impl Header {
    /// Reads the header of a file.
    pub(crate) fn read(source: &impl ReadAt) -> Result<Self, Error> {
        let mut head = [0; HEADER_READ];
        let got = read_at::fill(source, &mut head, 0).map_err(|source| Error::Read { offset: 0, source })?;
        Self::parse(&head[..got])
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::field::Field;
    use crate::fixture::{Codec, Writer, simple};

    /// `MESSAGE=` and two hundred times `xz text `, as an `.xz` stream without a check, which is how journald writes it.
    const XZ: &[u8] = &[
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x00, 0xff, 0x12, 0xd9, 0x41, 0x02, 0x00, 0x21, 0x01, 0x0c, 0x00,
        0x00, 0x00, 0x8f, 0x98, 0x41, 0x9c, 0xe0, 0x06, 0x47, 0x00, 0x20, 0x5d, 0x00, 0x26, 0x91, 0x46, 0xac, 0xd0,
        0x6f, 0x74, 0xb8, 0xa6, 0x3d, 0xd0, 0x48, 0x43, 0x1b, 0x7c, 0xb2, 0xa6, 0x83, 0x60, 0x98, 0x4d, 0x68, 0xdc,
        0xa1, 0xcf, 0xf2, 0xad, 0x88, 0xb8, 0xa9, 0xec, 0x00, 0x00, 0x00, 0x01, 0x34, 0xc8, 0x0c, 0x00, 0x00, 0x00,
        0xc4, 0x8d, 0x0d, 0xcf, 0xa8, 0x00, 0x0a, 0xfc, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x59, 0x5a,
    ];

    fn open(file: &[u8]) -> Reader<&[u8]> {
        Reader::open("test", file).unwrap()
    }

    fn messages(file: &[u8]) -> (Vec<String>, FileReport) {
        let mut reader = open(file);
        let mut messages = Vec::new();
        while reader.advance() {
            if let (_, Some(Message::Whole(message) | Message::Cut(message))) = reader.entry_and_message() {
                messages.push(String::from_utf8_lossy(message).into_owned());
            }
        }
        (messages, reader.into_report())
    }

    fn patch(file: &mut [u8], offset: u64, bytes: &[u8]) {
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
    fn a_wrong_size_that_leads_to_another_object_hides_no_entry(
        #[values(2, 50)] first: u64,
        #[values(1, 30)] hidden: u64,
    ) {
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
}

//! The ring file byte by byte: where its records stand and what each holds. Nothing here touches a file.
//!
//! Every record carries a checksum over the rest of it, so that one that was written in part is no record.

use std::time::Duration;

use jiff::Timestamp;

use crate::target::{MAX_TARGETS, Outcome, Target};

/// Size of the file: it has it from the start and keeps it, so that a full disk stops no sample.
pub const FILE_BYTES: usize = 256 * 1024;

const MAGIC: [u8; 8] = *b"PSCPRING";
const VERSION: u16 = 1;

const TARGETS_AT: usize = 4096;
const TARGET_BYTES: usize = 512;
const SEGMENT_BYTES: usize = 128;
/// A page each: written in turn, so that one is whole whatever happens to the other.
const BANKS_AT: [usize; 2] = [
    TARGETS_AT + MAX_TARGETS * TARGET_BYTES,
    TARGETS_AT + MAX_TARGETS * (TARGET_BYTES + SEGMENT_BYTES),
];
pub(crate) const BANK_BYTES: usize = MAX_TARGETS * SEGMENT_BYTES;
const CLOSED_AT: usize = BANKS_AT[1] + BANK_BYTES;
/// Segments that have ended and are kept; a day of a quiet node has some two hundred.
pub(crate) const CLOSED_SLOTS: usize = (FILE_BYTES - CLOSED_AT) / SEGMENT_BYTES;

const CHECKSUM_BYTES: usize = 4;
const TARGET_MARK: u8 = b'T';
const SEGMENT_MARK: u8 = b'S';
const OPTIONAL: u8 = 1;
const FOLLOWS: u8 = 1;
const CONNECTED: u8 = 0;
const DNS_FAILED: u8 = 1;
const TCP_FAILED: u8 = 2;
const MAX_KIND_BYTES: usize = 230;
/// The longest name that DNS has.
const MAX_HOST_BYTES: usize = 255;
/// What a segment's record has left for an error.
const MAX_ERROR_BYTES: usize = 68;

/// Bytes and where in the file they belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) at: usize,
    pub(crate) bytes: Vec<u8>,
}

/// A target's place in the table. Its number is never given to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetRecord {
    pub(crate) number: u32,
    pub(crate) target: Target,
}

/// A stretch of samples with one outcome. Of several records with one id, the one with the highest version counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) version: u64,
    pub(crate) id: u64,
    pub(crate) target: u32,
    /// The target was sampled without a break since its segment before this one.
    pub(crate) follows: bool,
    pub(crate) outcome: Outcome,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) samples: u32,
    pub(crate) worst_millis: u32,
    pub(crate) total_millis: u64,
}

/// Why bytes are no ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoHeader {
    NotARing,
    OtherVersion(u16),
}

/// Magic, version, two bytes for later, checksum.
pub(crate) fn header() -> Write {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    Write { at: 0, bytes }
}

pub(crate) fn check_header(file: &[u8]) -> Result<(), NoHeader> {
    let (front, rest) = file.split_first_chunk::<12>().ok_or(NoHeader::NotARing)?;
    let checksum = rest.first_chunk().ok_or(NoHeader::NotARing)?;
    if !front.starts_with(&MAGIC) || crc32fast::hash(front) != u32::from_le_bytes(*checksum) {
        return Err(NoHeader::NotARing);
    }
    let [.., low, high, _, _] = *front;
    match u16::from_le_bytes([low, high]) {
        VERSION => Ok(()),
        other => Err(NoHeader::OtherVersion(other)),
    }
}

/// The record of the table's place `slot`.
pub(crate) fn target_write(slot: usize, record: &TargetRecord) -> Write {
    let TargetRecord { number, target } = record;
    let mut body = vec![TARGET_MARK, if target.optional { OPTIONAL } else { 0 }];
    body.extend(number.to_le_bytes());
    body.extend(target.port.to_le_bytes());
    let every = u32::try_from(target.every.as_millis()).unwrap_or(u32::MAX);
    body.extend(every.to_le_bytes());
    for (text, max) in [(&target.kind, MAX_KIND_BYTES), (&target.host, MAX_HOST_BYTES)] {
        push_text(&mut body, text, max);
    }
    Write {
        at: TARGETS_AT + slot * TARGET_BYTES,
        bytes: seal(body, TARGET_BYTES),
    }
}

/// The segments that are open, as the bank `bank`.
pub(crate) fn bank_write<'a>(bank: usize, open: impl Iterator<Item = &'a Segment>) -> Write {
    let mut bytes: Vec<u8> = open.take(MAX_TARGETS).flat_map(encode).collect();
    bytes.resize(BANK_BYTES, 0);
    Write {
        at: BANKS_AT[bank % BANKS_AT.len()],
        bytes,
    }
}

/// A segment that has ended, in the place `slot` of the ring.
pub(crate) fn closed_write(slot: usize, segment: &Segment) -> Write {
    Write {
        at: CLOSED_AT + slot % CLOSED_SLOTS * SEGMENT_BYTES,
        bytes: encode(segment),
    }
}

/// What a file holds: whatever is whole.
#[derive(Debug, Default)]
pub(crate) struct Image {
    /// Targets and their places.
    pub(crate) targets: Vec<(usize, TargetRecord)>,
    /// Segments that were open, with their bank.
    pub(crate) open: Vec<(usize, Segment)>,
    /// Segments that have ended, with their places.
    pub(crate) closed: Vec<(usize, Segment)>,
}

impl Image {
    pub(crate) fn parse(file: &[u8]) -> Result<Self, NoHeader> {
        check_header(file)?;
        let records = |at: usize, count: usize, len: usize| {
            let part = file.get(at..).unwrap_or_default();
            part.chunks_exact(len).take(count).enumerate()
        };
        let targets = records(TARGETS_AT, MAX_TARGETS, TARGET_BYTES);
        let open = BANKS_AT.iter().enumerate().flat_map(|(bank, at)| {
            let segments = records(*at, MAX_TARGETS, SEGMENT_BYTES);
            segments.filter_map(move |(_, bytes)| Some((bank, decode(bytes)?)))
        });
        let closed = records(CLOSED_AT, CLOSED_SLOTS, SEGMENT_BYTES);
        Ok(Self {
            targets: targets
                .filter_map(|(slot, bytes)| Some((slot, decode_target(bytes)?)))
                .collect(),
            open: open.collect(),
            closed: closed
                .filter_map(|(slot, bytes)| Some((slot, decode(bytes)?)))
                .collect(),
        })
    }
}

/// The outcome as a record can hold it: a segment goes on only while this is the same.
pub(crate) fn as_kept(outcome: &Outcome) -> Outcome {
    let kept = |why: &str| {
        let clean: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        cut(&clean, MAX_ERROR_BYTES).to_owned()
    };
    match outcome {
        Outcome::Connected => Outcome::Connected,
        Outcome::DnsFailed(why) => Outcome::DnsFailed(kept(why)),
        Outcome::TcpFailed(why) => Outcome::TcpFailed(kept(why)),
    }
}

fn encode(segment: &Segment) -> Vec<u8> {
    let (code, why) = match &segment.outcome {
        Outcome::Connected => (CONNECTED, ""),
        Outcome::DnsFailed(why) => (DNS_FAILED, why.as_str()),
        Outcome::TcpFailed(why) => (TCP_FAILED, why.as_str()),
    };
    let mut body = vec![SEGMENT_MARK, if segment.follows { FOLLOWS } else { 0 }, code];
    body.extend(segment.version.to_le_bytes());
    body.extend(segment.id.to_le_bytes());
    body.extend(segment.target.to_le_bytes());
    body.extend(segment.samples.to_le_bytes());
    body.extend(segment.start.as_millisecond().to_le_bytes());
    body.extend(segment.end.as_millisecond().to_le_bytes());
    body.extend(segment.worst_millis.to_le_bytes());
    body.extend(segment.total_millis.to_le_bytes());
    push_text(&mut body, why, MAX_ERROR_BYTES);
    seal(body, SEGMENT_BYTES)
}

fn decode(record: &[u8]) -> Option<Segment> {
    let mut fields = unseal(record)?;
    let [SEGMENT_MARK, flags, code] = fields.take()? else {
        return None;
    };
    let version = u64::from_le_bytes(fields.take()?);
    let id = u64::from_le_bytes(fields.take()?);
    let target = u32::from_le_bytes(fields.take()?);
    let samples = u32::from_le_bytes(fields.take()?);
    let start = Timestamp::from_millisecond(i64::from_le_bytes(fields.take()?)).ok()?;
    let end = Timestamp::from_millisecond(i64::from_le_bytes(fields.take()?)).ok()?;
    let worst_millis = u32::from_le_bytes(fields.take()?);
    let total_millis = u64::from_le_bytes(fields.take()?);
    let why = fields.text()?;
    let outcome = match code {
        CONNECTED => Outcome::Connected,
        DNS_FAILED => Outcome::DnsFailed(why),
        TCP_FAILED => Outcome::TcpFailed(why),
        _ => return None,
    };
    (samples > 0 && start <= end).then_some(Segment {
        version,
        id,
        target,
        follows: flags & FOLLOWS != 0,
        outcome: as_kept(&outcome),
        start,
        end,
        samples,
        worst_millis,
        total_millis,
    })
}

fn decode_target(record: &[u8]) -> Option<TargetRecord> {
    let mut fields = unseal(record)?;
    let [TARGET_MARK, flags] = fields.take()? else {
        return None;
    };
    let number = u32::from_le_bytes(fields.take()?);
    let port = u16::from_le_bytes(fields.take()?);
    let every = u32::from_le_bytes(fields.take()?);
    let kind = fields.text()?;
    let host = fields.text()?;
    // The folder of the ring is others' too: what was not written by us must not reach a terminal as commands.
    let is_text = |text: &str| !text.is_empty() && !text.contains(char::is_control);
    (is_text(&kind) && is_text(&host)).then_some(TargetRecord {
        number,
        target: Target {
            kind,
            host,
            port,
            optional: flags & OPTIONAL != 0,
            every: Duration::from_millis(every.into()),
        },
    })
}

fn push_text(body: &mut Vec<u8>, text: &str, max: usize) {
    let text = cut(text, max);
    body.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    body.extend(text.as_bytes());
}

fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

fn seal(mut body: Vec<u8>, len: usize) -> Vec<u8> {
    body.resize(len - CHECKSUM_BYTES, 0);
    let mut record = crc32fast::hash(&body).to_le_bytes().to_vec();
    record.append(&mut body);
    record
}

fn unseal(record: &[u8]) -> Option<Fields<'_>> {
    let (checksum, body) = record.split_first_chunk()?;
    (crc32fast::hash(body) == u32::from_le_bytes(*checksum)).then_some(Fields(body))
}

/// The rest of a record.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn text(&mut self) -> Option<String> {
        let [len] = self.take()?;
        let (text, rest) = self.0.split_at_checked(len.into())?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests;

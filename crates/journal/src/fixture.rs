//! Writes small journal files for the tests, in both layouts and with all compressions; hashes are left out, as nothing
//! here looks at them.

use std::collections::HashMap;

use crate::layout::align;

const HEADER: usize = 272;

/// How a payload is stored.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Codec {
    None,
    Zstd,
    Lz4,
    /// The payload given is an `.xz` stream already.
    Xz,
}

/// A journal file in the making.
pub(crate) struct Writer {
    bytes: Vec<u8>,
    compact: bool,
    data: HashMap<(Vec<u8>, Codec), u64>,
    entries: Vec<(u64, u64)>,
    tail: u64,
    pub(crate) seqnum: u64,
    pub(crate) boot: u8,
}

impl Writer {
    pub(crate) fn new(compact: bool) -> Self {
        let mut writer = Self {
            bytes: vec![0; HEADER],
            compact,
            data: HashMap::new(),
            entries: Vec::new(),
            tail: 0,
            seqnum: 0,
            boot: 1,
        };
        // A hash table of data, whose contents nobody looks at.
        writer.object(4, 0, &[0; 512]);
        writer
    }

    /// Appends an object and returns its offset.
    pub(crate) fn object(&mut self, kind: u8, flags: u8, body: &[u8]) -> u64 {
        let offset = align(self.bytes.len() as u64);
        self.bytes.resize(usize::try_from(offset).unwrap(), 0);
        self.bytes.extend_from_slice(&[kind, flags, 0, 0, 0, 0, 0, 0]);
        self.bytes.extend_from_slice(&(16 + body.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(body);
        self.tail = offset;
        offset
    }

    /// Appends a DATA object, unless there is one for this payload.
    pub(crate) fn data(&mut self, payload: &[u8], codec: Codec) -> u64 {
        if let Some(offset) = self.data.get(&(payload.to_vec(), codec)) {
            return *offset;
        }
        let (flags, stored) = match codec {
            Codec::None => (0, payload.to_vec()),
            Codec::Xz => (1, payload.to_vec()),
            Codec::Lz4 => (2, lz4(payload)),
            Codec::Zstd => (
                4,
                ruzstd::encoding::compress_to_vec(payload, ruzstd::encoding::CompressionLevel::Fastest),
            ),
        };
        let mut body = vec![0; if self.compact { 56 } else { 48 }];
        body.extend_from_slice(&stored);
        let offset = self.object(1, flags, &body);
        self.data.insert((payload.to_vec(), codec), offset);
        offset
    }

    /// Appends an entry that refers to DATA objects.
    pub(crate) fn entry_of(&mut self, realtime: u64, items: &[u64]) -> u64 {
        self.seqnum += 1;
        let mut body = Vec::new();
        for number in [self.seqnum, realtime, self.seqnum * 10] {
            body.extend_from_slice(&number.to_le_bytes());
        }
        body.extend_from_slice(&[self.boot; 16]);
        body.extend_from_slice(&[0; 8]);
        for item in items {
            if self.compact {
                body.extend_from_slice(&u32::try_from(*item).unwrap().to_le_bytes());
            } else {
                body.extend_from_slice(&item.to_le_bytes());
                body.extend_from_slice(&[0; 8]);
            }
        }
        let offset = self.object(3, 0, &body);
        self.entries.push((offset, realtime));
        offset
    }

    /// Appends an entry with fields `NAME=value`.
    pub(crate) fn entry(&mut self, realtime: u64, fields: &[&str]) -> u64 {
        let items: Vec<_> = fields
            .iter()
            .map(|field| self.data(field.as_bytes(), Codec::None))
            .collect();
        self.entry_of(realtime, &items)
    }

    /// Appends the index of entries, as arrays of growing size, writes the header and returns the file.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let mut arrays: Vec<u64> = Vec::new();
        let mut rest = self.entries.clone();
        let mut len = 4;
        while !rest.is_empty() {
            let part: Vec<_> = rest.drain(..len.min(rest.len())).collect();
            let mut body = vec![0; 8];
            for at in 0..len {
                let offset = part.get(at).map_or(0, |(offset, _)| *offset);
                if self.compact {
                    body.extend_from_slice(&u32::try_from(offset).unwrap().to_le_bytes());
                } else {
                    body.extend_from_slice(&offset.to_le_bytes());
                }
            }
            let array = self.object(6, 0, &body);
            if let Some(last) = arrays.last() {
                let next = usize::try_from(last + 16).unwrap();
                self.bytes[next..next + 8].copy_from_slice(&array.to_le_bytes());
            }
            arrays.push(array);
            len *= 2;
        }
        let end = align(self.bytes.len() as u64);
        self.bytes.resize(usize::try_from(end).unwrap(), 0);
        self.bytes[..8].copy_from_slice(b"LPKSHHRH");
        self.bytes[12] = if self.compact { 0b1_0000 } else { 0 };
        self.bytes[72] = 9;
        let realtime = |entry: Option<&(u64, u64)>| entry.map_or(0, |(_, realtime)| *realtime);
        let numbers = [
            (88, HEADER as u64),
            (96, end - HEADER as u64),
            (136, self.tail),
            (152, self.entries.len() as u64),
            (168, 1),
            (176, arrays.first().copied().unwrap_or(0)),
            (184, realtime(self.entries.first())),
            (192, realtime(self.entries.last())),
        ];
        for (at, number) in numbers {
            self.bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        self.bytes
    }
}

/// A file of `count` entries, one per second, with shared and own fields.
pub(crate) fn simple(compact: bool, count: u64, message: usize) -> Vec<u8> {
    let mut writer = Writer::new(compact);
    for at in 1..=count {
        let message = format!("MESSAGE=number {at} {}", "m".repeat(message));
        let pid = format!("_PID={}", at / 10);
        writer.entry(
            at * 1_000_000,
            &[
                "_SYSTEMD_UNIT=kubelet.service",
                "_HOSTNAME=node-1",
                &pid,
                &message,
                "X=y",
            ],
        );
    }
    writer.finish()
}

/// An LZ4 block with its length before it. When the last byte repeats, the repetition is stored as a match.
fn lz4(payload: &[u8]) -> Vec<u8> {
    let last = payload.last().copied().unwrap_or_default();
    let run = payload.iter().rev().take_while(|byte| **byte == last).count();
    let mut out = (payload.len() as u64).to_le_bytes().to_vec();
    // A block ends with literals, five at least.
    let tail = if run > 20 { 5 } else { 0 };
    let literals = if run > 20 {
        payload.len() - run + 1
    } else {
        payload.len()
    };
    let matched = payload.len() - literals - tail;
    out.push(nibble(literals) << 4 | if matched > 0 { nibble(matched - 4) } else { 0 });
    extend(&mut out, literals);
    out.extend_from_slice(&payload[..literals]);
    if matched > 0 {
        out.extend_from_slice(&[1, 0]);
        extend(&mut out, matched - 4);
        out.push(nibble(tail) << 4);
        out.extend_from_slice(&payload[payload.len() - tail..]);
    }
    out
}

fn nibble(len: usize) -> u8 {
    u8::try_from(len.min(15)).unwrap()
}

fn extend(out: &mut Vec<u8>, len: usize) {
    let Some(rest) = len.checked_sub(15) else { return };
    out.extend(std::iter::repeat_n(255, rest / 255));
    out.push(u8::try_from(rest % 255).unwrap());
}

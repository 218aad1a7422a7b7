//! The redactor of one byte stream: takes chunks, gives out whole decisions. It knows nothing of files and archives.
//!
//! Blocks of complete lines go the short way: one search over the block, bulk copies between the hits. Only what needs
//! memory (a line cut by a chunk, fragments of container logs, overlong lines, open blocks) goes through the lanes.
//! Both ways come to the same decisions, so the output does not depend on how the input was cut.

use std::sync::Arc;

use crate::counts::Counts;
use crate::found::View;
use crate::lane::{Lane, Tools, WINDOW};
use crate::line::Task;
use crate::output::{Edit, Output};
use crate::record::{Record, Stream};
use crate::rules::RuleId;
use crate::scan::Rules;
use crate::{ContentKind, RedactError};

/// How many bytes of a line are looked at together, and so how far back anything is remembered. Twice as much and a
/// record are held at most, where streams are interleaved.
pub const LOOK_BEHIND: usize = WINDOW;

/// A fragment holds back no more than this of the stream behind it: a window and the prefixes of its records fit.
const MAX_HELD: u64 = 2 * LOOK_BEHIND as u64;

/// Blocks of this size, and their lower-cased copy, stay in the fast caches.
const BLOCK: usize = 32 << 10;

/// Length of the mark with which UTF-16 begins (RFC 2781, section 3.2).
const BYTE_ORDER_MARK: usize = 2;

/// Removes secrets from one stream of bytes. See the [crate] for what it finds.
///
/// ```
/// use periscope_redact::{ContentKind, Redactor, Rules};
///
/// let mut redactor = Redactor::new(Rules::shared(), ContentKind::Text);
/// let mut out = Vec::new();
/// redactor.push(b"user=joe DB_PASSW", &mut out)?;
/// redactor.push(b"ORD=hunter2\n", &mut out)?;
/// redactor.finish(&mut out)?;
/// assert_eq!(out, b"user=joe DB_PASSWORD=[REDACTED:password]\n");
/// assert_eq!(redactor.counts().iter().collect::<Vec<_>>(), [("password", 1)]);
/// # Ok::<(), periscope_redact::RedactError>(())
/// ```
#[derive(Debug)]
pub struct Redactor {
    rules: Arc<Rules>,
    kind: ContentKind,
    output: Output,
    /// Raw bytes that were not given out; the first is the next one of `output`.
    held: Vec<u8>,
    /// Where in `held` the record begins that is coming in.
    record_start: usize,
    /// The record is longer than a window and goes through its lane as it comes.
    overlong: bool,
    lanes: [Lane; Stream::COUNT],
    /// Replacements in what is held, in order.
    edits: Vec<Edit>,
    lower: Vec<u8>,
    /// The first bytes of the stream, as far as they came.
    beginning: Vec<u8>,
    finished: bool,
}

impl Redactor {
    /// A redactor at the beginning of a stream.
    pub fn new(rules: &Arc<Rules>, kind: ContentKind) -> Self {
        Self {
            rules: Arc::clone(rules),
            kind,
            output: Output::new(kind == ContentKind::Binary),
            held: Vec::new(),
            record_start: 0,
            overlong: false,
            lanes: Default::default(),
            edits: Vec::new(),
            lower: Vec::new(),
            beginning: Vec::with_capacity(BYTE_ORDER_MARK),
            finished: false,
        }
    }

    /// Leaves out the lines that begin before `offset` of the raw stream, yet learns from them: so an artifact can
    /// begin in the middle of a file without losing what its first lines mean. Feed from up to [`LOOK_BEHIND`] bytes
    /// before the wanted place and give the number of those bytes. To be called before the first [`push`](Self::push).
    ///
    /// Output begins at the first line start at or after `offset`; see [`started_at`](Self::started_at).
    #[must_use]
    pub fn discard_before(mut self, offset: u64) -> Self {
        self.output.discard_before(offset);
        self
    }

    /// The raw offset of the line that the output begins with; none while everything was left out.
    pub fn started_at(&self) -> Option<u64> {
        self.output.started_at()
    }

    /// How often each rule replaced something in the output so far.
    pub fn counts(&self) -> &Counts {
        &self.output.counts
    }

    /// Takes the next bytes and appends what is decided to `out`.
    ///
    /// # Errors
    ///
    /// After any error nothing that this redactor gave out may be shipped.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), RedactError> {
        if self.finished {
            return Err(RedactError::Finished);
        }
        self.look_at_beginning(input)?;
        let mut rest = input;
        while !rest.is_empty() {
            if self.held.is_empty() && self.is_idle() {
                let whole = memchr::memrchr(b'\n', rest).map_or(0, |last| last + 1);
                let used = self.short_way(&rest[..whole], out)?;
                rest = &rest[used..];
                if used > 0 {
                    continue;
                }
            }
            let line = memchr::memchr(b'\n', rest).map_or(rest.len(), |last| last + 1);
            self.long_way(&rest[..line], out)?;
            rest = &rest[line..];
        }
        Ok(())
    }

    /// Refuses what the rules cannot read. Bytes are bytes, though, where nobody said that they are text.
    fn look_at_beginning(&mut self, input: &[u8]) -> Result<(), RedactError> {
        if self.beginning.len() < BYTE_ORDER_MARK && self.kind != ContentKind::Binary {
            let missing = BYTE_ORDER_MARK - self.beginning.len();
            self.beginning.extend(input.iter().take(missing));
            if matches!(self.beginning.as_slice(), [0xff, 0xfe] | [0xfe, 0xff]) {
                return Err(RedactError::Utf16);
            }
        }
        Ok(())
    }

    /// Decides and gives out everything that is left. The redactor takes no more.
    ///
    /// # Errors
    ///
    /// After any error nothing that this redactor gave out may be shipped.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), RedactError> {
        if std::mem::replace(&mut self.finished, true) {
            return Err(RedactError::Finished);
        }
        if self.record_start < self.held.len() {
            self.end_record(self.held.len());
        }
        for which in 0..Stream::COUNT {
            let (lanes, mut tools) = self.parts();
            lanes[which].end_line(&mut tools);
        }
        self.release(out)
    }

    /// No lane is in a line or a block.
    fn is_idle(&self) -> bool {
        self.lanes.iter().all(Lane::is_idle)
    }

    /// Redacts complete lines from the front of a block; answers how many bytes it took. It stops before what needs
    /// memory.
    fn short_way(&mut self, lines: &[u8], out: &mut Vec<u8>) -> Result<usize, RedactError> {
        let mut done = 0;
        while done < lines.len() {
            let rest = &lines[done..];
            let end = if rest.len() <= BLOCK {
                rest.len()
            } else {
                let near = memchr::memrchr(b'\n', &rest[..BLOCK]);
                near.or_else(|| memchr::memchr(b'\n', rest))
                    .map_or(rest.len(), |last| last + 1)
            };
            let whole = self.complete_records(&rest[..end]);
            let used = self.block(&rest[..whole], out)?;
            done += used;
            if used < end || !self.is_idle() {
                break;
            }
        }
        Ok(done)
    }

    /// The length of the records at the front of a block that are logical lines of their own.
    fn complete_records(&self, block: &[u8]) -> usize {
        if !matches!(self.kind, ContentKind::CriLog | ContentKind::DockerLog) {
            return block.len();
        }
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', block) {
            if !Record::of(self.kind, &block[start..end]).complete {
                return start;
            }
            start = end + 1;
        }
        start
    }

    /// Searches a block of complete lines and gives it out, up to a line that needs memory.
    fn block(&mut self, block: &[u8], out: &mut Vec<u8>) -> Result<usize, RedactError> {
        let mut lower = std::mem::take(&mut self.lower);
        lower.clear();
        lower.extend_from_slice(block);
        lower.make_ascii_lowercase();
        let used = self.search(block, &lower, out);
        self.lower = lower;
        used
    }

    fn search(&mut self, block: &[u8], lower: &[u8], out: &mut Vec<u8>) -> Result<usize, RedactError> {
        let rules = Arc::clone(&self.rules);
        let (mut copied, mut from, mut taken) = (0, 0, Vec::new());
        while let Some(candidate) = rules.candidate(lower, from) {
            let at = candidate.range.start;
            let start = memchr::memrchr(b'\n', &block[..at]).map_or(0, |feed| feed + 1);
            let end = memchr::memchr(b'\n', &block[at..]).map_or(block.len(), |feed| at + feed);
            if end - start >= WINDOW {
                self.output.copy(out, &block[copied..start]);
                return Ok(start);
            }
            let record = Record::of(self.kind, &block[start..end]);
            for (part, of_stream) in [(&record.payload, true), (&record.rest, false)] {
                let (first, last) = (start + part.start, start + part.end);
                if at >= last {
                    continue;
                }
                let view = View::line(&block[first..last]);
                let binary = self.kind == ContentKind::Binary;
                let task = Task {
                    rules: &rules,
                    view,
                    lower: &lower[first..last],
                    binary,
                    floor: 0,
                };
                taken.clear();
                let (_, carry) = task.judge(at.saturating_sub(first), last - first, &mut taken);
                for part in &taken {
                    let (start, end) = (first + part.range.start, first + part.range.end);
                    let like = Edit {
                        quoted: part.quoted,
                        ..Edit::of(part.rule)
                    };
                    self.output
                        .copy(out, block.get(copied..start).ok_or(RedactError::Inconsistent)?);
                    self.output.replace(out, end - start, &like);
                    copied = end;
                }
                if let Some(carry) = carry.filter(|_| of_stream) {
                    let counted = taken.last().is_some_and(|last| last.rule == RuleId::PrivateKey);
                    self.lanes[record.stream as usize].set_carry(carry, counted);
                }
            }
            from = end;
            if !self.is_idle() {
                // The next line is the lane's.
                let next = (end + 1).min(block.len());
                self.output.copy(out, &block[copied..next]);
                return Ok(next);
            }
        }
        self.output.copy(out, &block[copied..]);
        Ok(block.len())
    }

    /// Takes a line, or a part of one, and gives out what can be.
    fn long_way(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), RedactError> {
        let whole = bytes.ends_with(b"\n");
        let before = self.held.len();
        self.held.extend_from_slice(bytes);
        let end = self.held.len() - usize::from(whole);
        if self.overlong {
            self.stream_text(before, end);
        } else if end - self.record_start >= WINDOW {
            self.overlong = true;
            self.stream_text(self.record_start, end);
        }
        if whole {
            self.end_record(end);
            self.record_start = self.held.len();
            self.bound();
        }
        self.release(out)
    }

    /// Gives a part of an overlong record to the lane of plain text.
    fn stream_text(&mut self, start: usize, end: usize) {
        let raw = self.output.raw() + start as u64;
        let held = std::mem::take(&mut self.held);
        let (lanes, mut tools) = self.parts();
        lanes[Stream::Text as usize].append(raw, &held[start..end], &mut tools);
        self.held = held;
    }

    /// The record that ends at `end` of what is held is complete.
    fn end_record(&mut self, end: usize) {
        if std::mem::take(&mut self.overlong) {
            let (lanes, mut tools) = self.parts();
            lanes[Stream::Text as usize].end_line(&mut tools);
            return;
        }
        let held = std::mem::take(&mut self.held);
        let line = &held[self.record_start..end];
        let raw = self.output.raw() + self.record_start as u64;
        let record = Record::of(self.kind, line);
        let (lanes, mut tools) = self.parts();
        let own = &mut lanes[record.stream as usize];
        own.append(
            raw + record.payload.start as u64,
            &line[record.payload.clone()],
            &mut tools,
        );
        if record.complete {
            own.end_line(&mut tools);
        }
        if !record.rest.is_empty() {
            let mut rest = Lane::default();
            rest.append(raw + record.rest.start as u64, &line[record.rest.clone()], &mut tools);
            rest.end_line(&mut tools);
        }
        self.held = held;
    }

    /// Keeps what is held within its bound: a fragment whose rest does not come is decided without it.
    fn bound(&mut self) {
        let end = self.output.raw() + self.held.len() as u64;
        while let Some(which) = self.blocking() {
            let undecided = self.lanes[which].undecided().unwrap_or(end);
            if end - undecided <= MAX_HELD {
                break;
            }
            let (lanes, mut tools) = self.parts();
            lanes[which].cut(&mut tools);
        }
    }

    /// The lane that holds back the most.
    fn blocking(&self) -> Option<usize> {
        let undecided = |&which: &usize| self.lanes[which].undecided();
        (0..Stream::COUNT)
            .filter(|which| undecided(which).is_some())
            .min_by_key(undecided)
    }

    /// Gives out what is decided.
    fn release(&mut self, out: &mut Vec<u8>) -> Result<(), RedactError> {
        let base = self.output.raw();
        let coming = if self.overlong || self.finished {
            self.held.len()
        } else {
            self.record_start
        };
        let undecided = self.blocking().and_then(|which| self.lanes[which].undecided());
        let frontier = undecided.map_or(base + coming as u64, |place| place.min(base + coming as u64));
        let place = |raw: u64| {
            raw.checked_sub(base)
                .and_then(|at| usize::try_from(at).ok())
                .ok_or(RedactError::Inconsistent)
        };
        let count = self.edits.partition_point(|edit| edit.range.start < frontier);
        let mut copied = 0;
        for edit in self.edits.drain(..count) {
            let (start, end) = (place(edit.range.start)?, place(edit.range.end)?);
            let before = self.held.get(copied..start).ok_or(RedactError::Inconsistent)?;
            self.output.copy(out, before);
            self.output.replace(out, end - start, &edit);
            copied = end;
        }
        let end = place(frontier)?;
        self.output
            .copy(out, self.held.get(copied..end).ok_or(RedactError::Inconsistent)?);
        self.held.drain(..end);
        self.record_start = self.record_start.saturating_sub(end);
        Ok(())
    }

    fn parts(&mut self) -> (&mut [Lane; Stream::COUNT], Tools<'_>) {
        let tools = Tools {
            rules: &self.rules,
            binary: self.kind == ContentKind::Binary,
            lower: &mut self.lower,
            edits: &mut self.edits,
        };
        (&mut self.lanes, tools)
    }
}

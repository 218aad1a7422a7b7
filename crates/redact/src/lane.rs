//! One logical line of one stream while its pieces come in: fragments joined, overlong lines seen through overlapping
//! windows, blocks of several lines followed. Places of secrets are given as places in the raw stream.
//!
//! Where the windows lie depends on the line alone, never on how its bytes arrive.

use std::ops::Range;

use crate::carry::Carry;
use crate::class;
use crate::found::{MAX_SECRET, Stop, View};
use crate::line::{Taken, Task};
use crate::output::Edit;
use crate::rules::RuleId;
use crate::scan::Rules;

/// How much of a line is looked at together.
pub(crate) const WINDOW: usize = 64 << 10;
/// What a window repeats of the one before: more than any rule looks back from its literal.
const CONTEXT: usize = 512;

/// What all lanes of a redactor share.
pub(crate) struct Tools<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) binary: bool,
    /// Room for the lower-cased copy.
    pub(crate) lower: &'a mut Vec<u8>,
    /// Receives the replacements.
    pub(crate) edits: &'a mut Vec<Edit>,
}

/// A piece of the line: where it begins in the lane's text and in the raw stream.
#[derive(Clone, Copy, Debug)]
struct Piece {
    text: usize,
    raw: u64,
}

#[derive(Debug)]
pub(crate) struct Lane {
    text: Vec<u8>,
    pieces: Vec<Piece>,
    /// Candidates that begin before this place of the text were judged.
    scanned: usize,
    /// The text before this place may be given out.
    settled: usize,
    /// Nothing of the line was judged yet.
    fresh: bool,
    /// A secret that had not ended where the window did.
    open: Option<(Stop, RuleId)>,
    carry: Option<Carry>,
    /// A line of the block that `carry` follows was counted.
    carry_counted: bool,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            text: Vec::new(),
            pieces: Vec::new(),
            scanned: 0,
            settled: 0,
            fresh: true,
            open: None,
            carry: None,
            carry_counted: false,
        }
    }
}

impl Lane {
    /// Neither in a line nor in a block.
    pub(crate) fn is_idle(&self) -> bool {
        self.fresh && self.text.is_empty() && self.carry.is_none()
    }

    pub(crate) fn set_carry(&mut self, carry: Carry, counted: bool) {
        self.carry = Some(carry);
        self.carry_counted = counted;
    }

    /// The raw place from which on nothing is decided yet.
    pub(crate) fn undecided(&self) -> Option<u64> {
        (self.settled < self.text.len()).then(|| self.raw(self.settled))
    }

    /// Adds the next piece of the line.
    pub(crate) fn append(&mut self, raw: u64, bytes: &[u8], tools: &mut Tools<'_>) {
        if bytes.is_empty() {
            return;
        }
        let text = self.text.len();
        // Pieces are what the record says, not what the caller's chunks are.
        let goes_on = self
            .pieces
            .last()
            .is_some_and(|last| last.raw + (text - last.text) as u64 == raw);
        if !goes_on {
            self.pieces.push(Piece { text, raw });
        }
        self.text.extend_from_slice(bytes);
        while self.text.len() >= WINDOW {
            let decided = WINDOW - MAX_SECRET;
            self.look(WINDOW, decided, false, tools);
            self.settled = self.settled.max(decided - CONTEXT);
            self.forget(decided - CONTEXT);
        }
    }

    /// The line is complete.
    pub(crate) fn end_line(&mut self, tools: &mut Tools<'_>) {
        self.look(self.text.len(), self.text.len(), true, tools);
        self.text.clear();
        self.pieces.clear();
        (self.scanned, self.settled, self.fresh, self.open) = (0, 0, true, None);
    }

    /// Decides what there is of the line without waiting for the rest of it.
    pub(crate) fn cut(&mut self, tools: &mut Tools<'_>) {
        let end = self.text.len();
        self.look(end, end, false, tools);
        self.settled = end;
        self.forget(end.saturating_sub(CONTEXT));
    }

    /// Judges the candidates that begin before `decided` in the text before `end`.
    fn look(&mut self, end: usize, decided: usize, to_end: bool, tools: &mut Tools<'_>) {
        let text = std::mem::take(&mut self.text);
        let view = View {
            text: &text[..end],
            from_start: self.fresh,
            to_end,
        };
        let mut taken = Vec::new();
        // Where a secret begins that was counted with an earlier line.
        let mut counted = None;
        if std::mem::take(&mut self.fresh)
            && let Some(carry) = self.carry.take()
        {
            let verdict = carry.judge(view.text);
            let range = class::outside_escape(view.text, verdict.range);
            self.carry = verdict.next;
            self.scanned = verdict.scan_from;
            if !range.is_empty() {
                counted = self.carry_counted.then_some(range.start);
                self.carry_counted = true;
                taken.push(Taken {
                    range,
                    rule: verdict.rule,
                    stop: verdict.stop,
                    quoted: None,
                });
            }
        }
        if let Some((stop, rule)) = self.open.take() {
            let start = self.scanned;
            let stopped = start + stop.end(view.text.get(start..).unwrap_or_default());
            let like = Edit {
                first: false,
                silent: true,
                ..Edit::of(rule)
            };
            self.record(start..stopped, &like, tools);
            self.reopen(&(start..stopped), end, to_end, stop, rule);
            self.scanned = stopped;
        }
        tools.lower.clear();
        tools.lower.extend_from_slice(view.text);
        tools.lower.make_ascii_lowercase();
        let task = Task {
            rules: tools.rules,
            view,
            lower: tools.lower,
            binary: tools.binary,
            floor: self.settled,
        };
        let (judged, carry) = task.judge(self.scanned, decided, &mut taken);
        self.scanned = self.scanned.max(judged);
        for part in &taken {
            let first = counted.is_none_or(|start| !part.range.contains(&start));
            let like = Edit {
                quoted: part.quoted,
                first,
                ..Edit::of(part.rule)
            };
            self.record(part.range.clone(), &like, tools);
            self.reopen(&part.range, end, to_end, part.stop, part.rule);
        }
        if let Some(carry) = carry.filter(|_| to_end) {
            let counted = taken.last().is_some_and(|last| last.rule == RuleId::PrivateKey);
            self.set_carry(carry, counted);
        }
        self.text = text;
    }

    /// Remembers a secret that reaches the end of a window.
    fn reopen(&mut self, range: &Range<usize>, end: usize, to_end: bool, stop: Stop, rule: RuleId) {
        if !to_end && !range.is_empty() && range.end == end {
            self.open = Some((stop, rule));
        }
    }

    /// Notes the replacement of a range of the text, in every piece it touches.
    fn record(&mut self, range: Range<usize>, like: &Edit, tools: &mut Tools<'_>) {
        if range.is_empty() {
            return;
        }
        self.settled = self.settled.max(range.end);
        let mut first = like.first;
        let mut start = range.start;
        let mut which = self.pieces.partition_point(|piece| piece.text <= start) - 1;
        while start < range.end {
            let next = self.pieces.get(which + 1).map_or(range.end, |next| next.text);
            let end = next.min(range.end);
            let raw = self.raw_in(which, start);
            // A marker stands in every fragment.
            let silent = like.silent && start > self.pieces[which].text;
            let edit = Edit {
                range: raw..raw + (end - start) as u64,
                first,
                silent,
                ..like.clone()
            };
            let place = tools.edits.partition_point(|other| other.range.start < raw);
            tools.edits.insert(place, edit);
            (start, which, first) = (end, which + 1, false);
        }
    }

    fn raw(&self, place: usize) -> u64 {
        self.raw_in(self.pieces.partition_point(|piece| piece.text <= place) - 1, place)
    }

    fn raw_in(&self, piece: usize, place: usize) -> u64 {
        let piece = self.pieces[piece];
        piece.raw + (place - piece.text) as u64
    }

    /// Drops the text before `place`.
    fn forget(&mut self, place: usize) {
        if place == 0 {
            return;
        }
        let first = self.pieces.partition_point(|piece| piece.text <= place) - 1;
        self.pieces.drain(..first);
        for piece in &mut self.pieces {
            match piece.text.checked_sub(place) {
                Some(text) => piece.text = text,
                None => {
                    *piece = Piece {
                        text: 0,
                        raw: piece.raw + (place - piece.text) as u64,
                    }
                }
            }
        }
        self.text.drain(..place);
        self.scanned -= place;
        self.settled -= place;
    }
}

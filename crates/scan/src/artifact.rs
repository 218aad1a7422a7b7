//! One artifact on its way through the scan: cut into lines whatever the pieces it comes in, and each line looked at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use memchr::{memchr, memchr_iter, memmem, memrchr, memrchr_iter};
use periscope_core::{ArtifactPath, Verdict};

use crate::kept::{Kept, Line};
use crate::line::{Klog, begins_entry, begins_with_klog, klog, message_at};
use crate::rule::{MAX_LINE, Match};
use crate::search::Search;
use crate::shared::{Shared, Target};
use crate::source::{Form, KINDS, Kind};
use crate::tally::{Mark, Tally};
use crate::time;
use crate::timeline::{Level, MAX_TEXT, cut};

/// Most bytes of a line that are quoted.
const MAX_QUOTE: usize = 400;
/// Bytes before the interesting part of a long line that are quoted with it.
const BEFORE: usize = 80;
/// Bytes of an entry's first line that hold its time.
const MAX_TIME: usize = 64;

/// Which lines of an artifact are meant: rule, and the index of the source among those that its kind serves.
pub(crate) type Of = (usize, usize);

/// What was found in one artifact.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) kept: BTreeMap<Of, Kept>,
    pub(crate) tally: Tally,
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
}

/// One artifact that is being scanned.
#[derive(Debug)]
pub struct ArtifactScan {
    shared: Arc<Shared>,
    search: Arc<Search<Target>>,
    kind: &'static Kind,
    kind_index: usize,
    path: Arc<ArtifactPath>,
    /// The start of a line whose end has not come yet, at most [`MAX_LINE`] bytes of it.
    begun: Vec<u8>,
    is_begun: bool,
    /// The start of the last entry's first line, where that came in an earlier piece.
    head: Vec<u8>,
    found: Found,
    /// For each rule the number of the last line on which it was tried, so that it is tried once a line.
    tried: Vec<u64>,
}

impl ArtifactScan {
    pub(crate) fn new(shared: &Arc<Shared>, path: &ArtifactPath, kind_index: usize) -> Option<Self> {
        Some(Self {
            search: shared.search(kind_index)?,
            kind: KINDS.get(kind_index)?,
            kind_index,
            path: Arc::new(path.clone()),
            begun: Vec::new(),
            is_begun: false,
            head: Vec::new(),
            found: Found::default(),
            tried: vec![0; shared.rules.rules().len()],
            shared: Arc::clone(shared),
        })
    }

    /// Takes the next bytes. How they are cut into pieces makes no difference.
    pub fn push(&mut self, bytes: &[u8]) {
        self.found.bytes += bytes.len() as u64;
        let mut rest = bytes;
        if self.is_begun {
            let Some(end) = memchr(b'\n', rest) else {
                return self.begin(rest);
            };
            let (line, after) = rest.split_at(end);
            self.begin(line);
            self.end_line();
            rest = after.get(1..).unwrap_or_default();
        }
        let whole = memrchr(b'\n', rest).map_or(0, |at| at + 1);
        let (lines, begun) = rest.split_at(whole);
        self.lines(lines);
        if !begun.is_empty() {
            self.begin(begun);
        }
    }

    /// Ends the artifact. A last line without an end is a line.
    pub(crate) fn end(mut self) -> (usize, Found) {
        if self.is_begun {
            self.end_line();
        }
        (self.kind_index, self.found)
    }

    fn begin(&mut self, part: &[u8]) {
        self.is_begun = true;
        let room = MAX_LINE - self.begun.len();
        self.begun.extend_from_slice(part.get(..room).unwrap_or(part));
    }

    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.begun);
        line.push(b'\n');
        self.lines(&line);
        line.clear();
        self.begun = line;
        self.is_begun = false;
    }

    /// Looks at whole lines: jumps from one that has a literal to the next, and only counts those between.
    fn lines(&mut self, lines: &[u8]) {
        let search = Arc::clone(&self.search);
        let form = self.kind.form;
        // Where the lines begin that were not counted yet, and the last entry that began before them.
        let (mut at, mut entry) = (0, None);
        let mut klogs = klog_lines(form, lines).peekable();
        let mut literal = search.next(lines, 0);
        while let Some(hit) = first(literal, klogs.peek().copied()) {
            let start = at + memrchr(b'\n', part(lines, at, hit)).map_or(0, |end| end + 1);
            let end = hit + memchr(b'\n', part(lines, hit, lines.len())).unwrap_or(lines.len() - hit);
            self.found.lines += count_lines(part(lines, at, start)) + 1;
            entry = last_entry(form, lines, at, end).or(entry);
            let line = part(lines, start, end);
            let line = line.get(..MAX_LINE).unwrap_or(line);
            if let Some(entry) = entry {
                self.look(&search, line, time_part(part(lines, entry, end)));
            } else {
                let head = std::mem::take(&mut self.head);
                self.look(&search, line, &head);
                self.head = head;
            }
            at = (end + 1).min(lines.len());
            while klogs.next_if(|&start| start < at).is_some() {}
            if literal.is_some_and(|place| place < at) {
                literal = search.next(lines, at);
            }
        }
        self.found.lines += count_lines(part(lines, at, lines.len()));
        let entry = last_entry(form, lines, at, lines.len()).or(entry);
        if let Some(entry) = entry {
            self.head.clear();
            self.head.extend_from_slice(time_part(part(lines, entry, lines.len())));
        }
    }

    /// Looks closer at a line: which rules find it, and whether it is an error or a warning.
    fn look(&mut self, search: &Search<Target>, line: &[u8], head: &[u8]) {
        let started = self.shared.started;
        let klog = klog(self.kind.form, line);
        let time = time::of_line(line, started).or_else(|| time::of_line(head, started));
        let (mut level, mut word, mut is_harmless) = (None, None, false);
        // Only what is searched for counts, so that a line is judged the same whyever it is looked at.
        let mut is_klog = self.kind.form == Form::Plain;
        for found in search.all(line) {
            match found.what {
                Target::Word(of_word) => word = graver(word, Some(of_word)),
                Target::Rule(rule) => level = graver(level, self.try_rule(rule, line, found.start, time)),
                Target::Klog => is_klog = true,
                Target::Harmless => is_harmless = true,
            }
        }
        // What klog says of its line is truer than words in it.
        let of_klog = match klog {
            Klog::Error if is_klog => Some(Level::Error),
            Klog::Warning if is_klog => Some(Level::Warning),
            Klog::No if !is_harmless => word,
            _ => None,
        };
        level = graver(level, of_klog);
        let Some(level) = level else { return };
        match time.filter(|&time| Tally::has_place(time, started)) {
            None => self.found.tally.add_untimed(),
            Some(time) => {
                let number = self.found.lines;
                let path = &self.path;
                let message = line.get(message_at(self.kind.form, line)..).unwrap_or(line);
                self.found.tally.add(self.kind.shown_as, level, time, || Mark {
                    time,
                    file: Arc::clone(path),
                    line: number,
                    text: quote(message, 0, MAX_TEXT),
                });
            }
        }
    }

    /// Applies a rule to a line that has one of its literals. Returns what the timeline should call the line.
    fn try_rule(&mut self, index: usize, line: &[u8], literal: usize, time: Option<Timestamp>) -> Option<Level> {
        let number = self.found.lines;
        let tried = self.tried.get_mut(index)?;
        if std::mem::replace(tried, number) == number {
            return None;
        }
        let shared = Arc::clone(&self.shared);
        let rule = shared.rules.rules().get(index)?;
        let has_tag = |tag: Option<&str>| tag.is_none_or(|tag| memmem::find(line, tag.as_bytes()).is_some());
        let serves = self
            .kind
            .serves
            .iter()
            .position(|serves| rule.sources.contains(&serves.source) && has_tag(serves.tag))?;
        let Match { start, captures } = rule.verify(line, literal)?;
        let level = rule.finding.as_ref().map(|form| match form.verdict {
            Verdict::Fail => Level::Error,
            _ => Level::Warning,
        });
        let window = SignedDuration::try_from(rule.window).unwrap_or(SignedDuration::MAX);
        if time.is_some_and(|time| shared.started.duration_since(time) > window) {
            return level;
        }
        let found = Line {
            time,
            file: Arc::clone(&self.path),
            number,
            quote: quote(line, start, MAX_QUOTE),
            captures,
        };
        let object = rule
            .group_by
            .as_ref()
            .map(|group| found.captures.get(group).map_or("", String::as_str));
        self.found.kept.entry((index, serves)).or_default().add(&found, object);
        level
    }
}

/// Where the lines begin that klog wrote as errors and warnings, in files that begin with it.
fn klog_lines(form: Form, lines: &[u8]) -> impl Iterator<Item = usize> {
    let lines = if form == Form::Plain { lines } else { &[] };
    let starts = std::iter::once(0).chain(memchr_iter(b'\n', lines).map(|end| end + 1));
    starts.filter(|&start| lines.get(start..).is_some_and(begins_with_klog))
}

/// Where the last entry begins whose first line is among these.
fn last_entry(form: Form, lines: &[u8], from: usize, to: usize) -> Option<usize> {
    let within = part(lines, from, to);
    let within = within.strip_suffix(b"\n").unwrap_or(within);
    let starts = memrchr_iter(b'\n', within).map(|end| from + end + 1);
    let mut starts = starts.chain((from < to).then_some(from));
    starts.find(|&start| {
        let line = part(lines, start, to);
        begins_entry(
            form,
            line.get(..memchr(b'\n', line).unwrap_or(line.len())).unwrap_or(line),
        )
    })
}

fn part(lines: &[u8], from: usize, to: usize) -> &[u8] {
    lines.get(from..to).unwrap_or_default()
}

fn count_lines(lines: &[u8]) -> u64 {
    memchr_iter(b'\n', lines).count() as u64
}

fn first(a: Option<usize>, b: Option<usize>) -> Option<usize> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

/// The part of an entry's first line that holds its time.
fn time_part(entry: &[u8]) -> &[u8] {
    let end = memchr(b'\n', entry.get(..MAX_TIME).unwrap_or(entry)).unwrap_or(MAX_TIME);
    entry.get(..end).unwrap_or(entry)
}

fn graver(a: Option<Level>, b: Option<Level>) -> Option<Level> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

/// A line in words, without its end where it is long, or without its start where `at` would not be seen.
fn quote(line: &[u8], at: usize, max: usize) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() <= max || at + BEFORE <= max {
        let text = String::from_utf8_lossy(line.get(..max).unwrap_or(line));
        // A character that the cut went through has become a mark.
        let whole = if line.len() > max {
            text.trim_end_matches('\u{fffd}')
        } else {
            &text
        };
        return cut(whole, max).to_owned();
    }
    let ellipsis = "…";
    let from = at.saturating_sub(BEFORE);
    let part = line.get(from..).unwrap_or_default();
    let part = String::from_utf8_lossy(part.get(..max).unwrap_or(part));
    let part = part.trim_matches('\u{fffd}');
    format!("{ellipsis}{}", cut(part, max - ellipsis.len()))
}

//! One artifact on its way through the scan: cut into lines whatever the pieces it comes in, and each line looked at
//! once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use memchr::{memchr, memchr_iter, memmem, memrchr, memrchr_iter};
use periscope_core::{ArtifactPath, Verdict};

use crate::kept::{Kept, Line};
use crate::line::{Klog, begins_entry, begins_with_klog, klog, message_at};
use crate::rule::{MAX_LINE, Match, Rule};
use crate::search;
use crate::shared::{Searches, Shared, Target};
use crate::source::{Form, KINDS, Kind};
use crate::tally::{Mark, Tally};
use crate::time;
use crate::timeline::{Level, MAX_TEXT, cut};
use crate::waiting::{MAX_WAITING, Raw, Waiting};

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
    searches: Arc<Searches>,
    kind: &'static Kind,
    kind_index: usize,
    path: Arc<ArtifactPath>,
    /// The start of a line whose end has not come yet, at most [`MAX_LINE`] bytes of it.
    begun: Vec<u8>,
    is_begun: bool,
    /// The start of the last entry's first line, where that came in an earlier piece.
    head: Vec<u8>,
    found: Found,
    /// What rules found that do not tell objects apart.
    waiting: BTreeMap<Of, Waiting>,
    /// For each rule the number of the last line on which it was tried, so that it is tried once a line.
    tried: Vec<u64>,
    /// The literals of the line that is looked at; empty between two lines.
    literals: Vec<search::Found<Target>>,
}

impl ArtifactScan {
    pub(crate) fn new(shared: &Arc<Shared>, path: &ArtifactPath, kind_index: usize) -> Option<Self> {
        Some(Self {
            searches: shared.searches(kind_index)?,
            kind: KINDS.get(kind_index)?,
            kind_index,
            path: Arc::new(path.clone()),
            begun: Vec::new(),
            is_begun: false,
            head: Vec::new(),
            found: Found::default(),
            waiting: BTreeMap::new(),
            tried: vec![0; shared.rules.rules().len()],
            literals: Vec::new(),
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
        let shared = Arc::clone(&self.shared);
        for (of, waiting) in std::mem::take(&mut self.waiting) {
            let Some(rule) = shared.rules.rules().get(of.0) else {
                continue;
            };
            for line in waiting.lines {
                if let Some(found) = rule.verify(&line.text, line.literal) {
                    self.keep(of, rule, found, &line.text, line.time, line.number);
                }
            }
            self.found.kept.entry(of).or_default().count += waiting.others;
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
        let searches = Arc::clone(&self.searches);
        let search = &searches.all;
        let form = self.kind.form;
        // Where the lines begin that were not counted yet.
        let mut at = 0;
        let mut entries = Entries::default();
        let mut klogs = klog_lines(form, lines).peekable();
        let mut place = search.next(lines, 0);
        while let Some(hit) = first(place.map(|place| place.at), klogs.peek().copied()) {
            let start = at + memrchr(b'\n', part(lines, at, hit)).map_or(0, |end| end + 1);
            let end = hit + memchr(b'\n', part(lines, hit, lines.len())).unwrap_or(lines.len() - hit);
            self.found.lines += count_lines(part(lines, at, start)) + 1;
            let seen = end.min(start + MAX_LINE);
            while let Some(here) = place.filter(|place| place.at < end) {
                let found = search.at(lines, here);
                let found = found.filter(|found| found.start >= start && found.end <= seen);
                self.literals.extend(found.map(|found| search::Found {
                    start: found.start - start,
                    end: found.end - start,
                    ..found
                }));
                let from = if here.at < seen { here.at + 1 } else { end };
                place = search.next(lines, from);
            }
            let line = part(lines, start, seen);
            let started = self.shared.started;
            let time = time::of_line(line, started).or_else(|| match entries.last_before(form, lines, end) {
                Some(entry) => time::of_line(time_part(part(lines, entry, end)), started),
                None => time::of_line(&self.head, started),
            });
            self.look(&searches, line, time);
            at = (end + 1).min(lines.len());
            while klogs.next_if(|&start| start < at).is_some() {}
        }
        self.found.lines += count_lines(part(lines, at, lines.len()));
        if let Some(entry) = entries.last_before(form, lines, lines.len()) {
            self.head.clear();
            self.head.extend_from_slice(time_part(part(lines, entry, lines.len())));
        }
    }

    /// Looks closer at a line whose literals were found: which rules find it, and whether it is an error or a warning.
    fn look(&mut self, searches: &Searches, line: &[u8], time: Option<Timestamp>) {
        let (mut level, mut word) = (None, None);
        // Only what is searched for counts, so that a line is judged the same whyever it is looked at.
        let mut is_klog = self.kind.form == Form::Plain;
        let mut literals = std::mem::take(&mut self.literals);
        // A rule gets the first of its literals.
        literals.sort_unstable_by_key(|found| (found.end, found.start));
        for found in literals.drain(..) {
            match found.what {
                Target::Word(of_word) => word = graver(word, Some(of_word)),
                Target::Rule(rule) => level = graver(level, self.try_rule(rule, line, found.start, time)),
                Target::Klog => is_klog = true,
            }
        }
        self.literals = literals;
        // What klog says of its line is truer than words in it.
        let of_klog = match klog(self.kind.form, line) {
            Klog::Error if is_klog => Some(Level::Error),
            Klog::Warning if is_klog => Some(Level::Warning),
            Klog::No if word.is_some() && searches.harmless.next(line, 0).is_none() => word,
            _ => None,
        };
        level = graver(level, of_klog);
        let Some(level) = level else { return };
        match time.filter(|&time| Tally::has_place(time, self.shared.started)) {
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
        let level = rule.finding.as_ref().map(|form| match form.verdict {
            Verdict::Fail => Level::Error,
            _ => Level::Warning,
        });
        let window = SignedDuration::try_from(rule.window).unwrap_or(SignedDuration::MAX);
        if time.is_some_and(|time| shared.started.duration_since(time) > window) {
            // It may be an error of the timeline all the same.
            return level.filter(|_| rule.means(line));
        }
        let of = (index, serves);
        if rule.group_by.is_none() && line.len() <= MAX_WAITING {
            if !rule.means(line) {
                return None;
            }
            self.waiting.entry(of).or_default().push(Raw {
                time,
                number,
                literal,
                text: line.into(),
            });
        } else {
            let found = rule.verify(line, literal)?;
            self.keep(of, rule, found, line, time, number);
        }
        level
    }

    /// Adds a line that a rule found to what is kept.
    fn keep(&mut self, of: Of, rule: &Rule, found: Match, line: &[u8], time: Option<Timestamp>, number: u64) {
        let found = Arc::new(Line {
            time,
            file: Arc::clone(&self.path),
            number,
            quote: quote(line, found.start, MAX_QUOTE),
            captures: found.captures,
        });
        let object = rule
            .group_by
            .as_ref()
            .map(|group| found.captures.get(group).map_or("", String::as_str));
        self.found.kept.entry(of).or_default().add(&found, object);
    }
}

/// Where the lines begin that klog wrote as errors and warnings, in files that begin with it.
fn klog_lines(form: Form, lines: &[u8]) -> impl Iterator<Item = usize> {
    let lines = if form == Form::Plain { lines } else { &[] };
    let starts = std::iter::once(0).chain(memchr_iter(b'\n', lines).map(|end| end + 1));
    starts.filter(|&start| lines.get(start..).is_some_and(begins_with_klog))
}

/// The entries of some lines, looked for from the end and no further than needed.
#[derive(Default)]
struct Entries {
    /// Where the lines begin that were not looked at yet.
    at: usize,
    last: Option<usize>,
}

impl Entries {
    /// Where the last entry begins that has its first line before `to`, the end of a line. Each `to` is behind the
    /// last.
    fn last_before(&mut self, form: Form, lines: &[u8], to: usize) -> Option<usize> {
        self.last = last_entry(form, lines, self.at, to).or(self.last);
        self.at = (to + 1).min(lines.len());
        self.last
    }
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
        let text = lossy(line.get(..max).unwrap_or(line));
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
    let part = lossy(part.get(..max).unwrap_or(part));
    let part = part.trim_matches('\u{fffd}');
    format!("{ellipsis}{}", cut(part, max - ellipsis.len()))
}

/// As [`String::from_utf8_lossy`], and fast where all is well.
fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

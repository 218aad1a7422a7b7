//! Gives out raw bytes and replacements in their order, leaves out what lies before a chosen place, and counts.

use std::ops::Range;

use crate::counts::Counts;
use crate::marker;
use crate::rules::RuleId;

/// A replacement, by places in the raw stream.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    pub(crate) range: Range<u64>,
    pub(crate) rule: RuleId,
    pub(crate) quoted: Option<usize>,
    /// The piece of its secret that is counted.
    pub(crate) first: bool,
    /// The rest of a secret whose marker was given out before: it goes without another.
    pub(crate) silent: bool,
}

impl Edit {
    /// A whole replacement, its place still open.
    pub(crate) fn of(rule: RuleId) -> Self {
        Self {
            range: 0..0,
            rule,
            quoted: None,
            first: true,
            silent: false,
        }
    }
}

/// The way out of the redactor.
#[derive(Debug)]
pub(crate) struct Output {
    /// Raw bytes given out, left out or replaced so far.
    raw: u64,
    /// Lines that begin before this place of the raw stream are left out.
    discard_before: u64,
    /// Where the first line that was given out begins.
    started_at: Option<u64>,
    /// Replacements keep the length of what they replace, as offsets in binary files must stay true.
    same_length: bool,
    pub(crate) counts: Counts,
}

impl Output {
    pub(crate) fn new(same_length: bool) -> Self {
        Self {
            raw: 0,
            discard_before: 0,
            started_at: Some(0),
            same_length,
            counts: Counts::default(),
        }
    }

    pub(crate) fn raw(&self) -> u64 {
        self.raw
    }

    pub(crate) fn started_at(&self) -> Option<u64> {
        self.started_at
    }

    pub(crate) fn discard_before(&mut self, offset: u64) {
        self.discard_before = offset;
        self.started_at = (offset == 0).then_some(0);
    }

    /// Gives out bytes that hold no secret.
    pub(crate) fn copy(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        let start = if self.started_at.is_some() {
            Some(0)
        } else {
            self.line_start(bytes)
        };
        if let Some(start) = start {
            out.extend_from_slice(&bytes[start..]);
        }
        self.raw += bytes.len() as u64;
    }

    /// Gives out a marker for a number of raw bytes.
    pub(crate) fn replace(&mut self, out: &mut Vec<u8>, length: usize, edit: &Edit) {
        self.raw += length as u64;
        if self.started_at.is_none() {
            return;
        }
        if self.same_length {
            out.resize(out.len() + length, b'*');
        } else if !edit.silent {
            marker::write(out, edit.rule, edit.quoted);
        }
        if edit.first {
            self.counts.add(edit.rule);
        }
    }

    /// The first line start in the next bytes that is not to be left out.
    fn line_start(&mut self, bytes: &[u8]) -> Option<usize> {
        // A line feed just before the place makes the place itself a line start.
        let skip = usize::try_from((self.discard_before - 1).saturating_sub(self.raw)).unwrap_or(usize::MAX);
        let feed = memchr::memchr(b'\n', bytes.get(skip..)?)?;
        let start = skip + feed + 1;
        self.started_at = Some(self.raw + start as u64);
        Some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::nothing(0, "ab\ncd\nef", Some(0))]
    #[case::first_line(1, "cd\nef", Some(3))]
    #[case::at_a_line_start(3, "cd\nef", Some(3))]
    #[case::inside_a_line(4, "ef", Some(6))]
    #[case::last_line(7, "", None)]
    #[case::beyond(100, "", None)]
    fn lines_before_the_place_are_left_out(#[case] offset: u64, #[case] expected: &str, #[case] started: Option<u64>) {
        for size in 1..=8 {
            let (mut output, mut out) = (Output::new(false), Vec::new());
            output.discard_before(offset);
            for chunk in b"ab\ncd\nef".chunks(size) {
                output.copy(&mut out, chunk);
            }
            assert_eq!((out.as_slice(), output.started_at()), (expected.as_bytes(), started));
        }
    }

    #[test]
    fn replacements_that_are_left_out_are_not_counted() {
        let (mut output, mut out) = (Output::new(false), Vec::new());
        output.discard_before(5);
        output.replace(&mut out, 4, &Edit::of(RuleId::Jwt));
        output.copy(&mut out, b"\nx");
        assert_eq!((out.as_slice(), output.counts.total(), output.raw()), (&b"x"[..], 0, 6));
    }
}

//! The lines of a text that match a regular expression, found in large pieces.

use std::io::{self, BufRead, Read};

use anyhow::Result;
use regex::bytes::{Regex, RegexBuilder};

use super::choose::MAX_PROGRAM;
use crate::exit::Ended;

/// Bytes searched at once. A longer line is searched, and shown, in pieces of this length.
const PIECE: usize = 256 * 1024;
/// Memory that a search may use for what it remembers.
const MAX_MEMORY: usize = 8 * 1024 * 1024;

/// A pattern to search for.
pub(super) struct Pattern(Regex);

impl Pattern {
    pub(super) fn new(text: &str, ignore_case: bool) -> Result<Self> {
        let built = RegexBuilder::new(text)
            // Logs are bytes; `\w` and `\d` mean ASCII, and what is no UTF-8 can be searched too.
            .unicode(false)
            .multi_line(true)
            .case_insensitive(ignore_case)
            .size_limit(MAX_PROGRAM)
            .dfa_size_limit(MAX_MEMORY)
            .build();
        built.map(Self).map_err(|error| {
            let error = error.to_string();
            // The syntax error's last line says what is wrong; those before show where.
            let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Ended::usage(format!(
                "invalid pattern {text:?}: {why}: expected a regular expression"
            ))
        })
    }

    /// Gives each line that matches, with its number from 1, to `each`.
    pub(super) fn search(
        &self,
        content: &mut dyn BufRead,
        each: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut piece = Vec::with_capacity(PIECE);
        let mut number = 1;
        loop {
            let room = (PIECE - piece.len()) as u64;
            let read = (&mut *content).take(room).read_to_end(&mut piece)?;
            let ended = read == 0;
            let whole = match memchr_last(&piece) {
                _ if ended => piece.len(),
                Some(at) => at + 1,
                None if piece.len() == PIECE => PIECE,
                None => 0,
            };
            let (lines, _) = piece.split_at(whole);
            self.search_piece(lines, &mut number, each)?;
            piece.drain(..whole);
            if ended {
                return Ok(());
            }
        }
    }

    fn search_piece(
        &self,
        piece: &[u8],
        number: &mut u64,
        each: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut counted = 0;
        let mut from = 0;
        while let Some(found) = self.0.find_at(piece, from) {
            let before = piece.get(..found.start()).unwrap_or_default();
            let start = memchr_last(before).map_or(0, |at| at + 1);
            let rest = piece.get(found.start()..).unwrap_or_default();
            let end = rest
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(piece.len(), |at| found.start() + at);
            if start >= piece.len() {
                break;
            }
            let line = piece.get(start..end).unwrap_or_default();
            // A match may begin in one line and end in the next.
            if self.0.is_match(line) {
                *number += count_lines(piece.get(counted..start).unwrap_or_default());
                counted = start;
                each(*number, line)?;
            }
            from = end + 1;
            if from >= piece.len() {
                break;
            }
        }
        *number += count_lines(piece.get(counted..).unwrap_or_default());
        Ok(())
    }
}

fn memchr_last(bytes: &[u8]) -> Option<usize> {
    memchr::memrchr(b'\n', bytes)
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::{PIECE, Pattern};

    fn found(pattern: &str, text: &[u8]) -> Vec<(u64, String)> {
        let mut lines = Vec::new();
        let pattern = Pattern::new(pattern, false).unwrap();
        // Small reads, as an inflating reader gives them.
        let mut content = BufReader::with_capacity(7, text);
        let each = &mut |number, line: &[u8]| {
            lines.push((number, String::from_utf8_lossy(line).into_owned()));
            Ok(())
        };
        pattern.search(&mut content, each).unwrap();
        lines
    }

    #[rstest]
    #[case::middle("b", b"a\nb\nc\n", &[2])]
    #[case::last_without_end("c", b"a\nb\nc", &[3])]
    #[case::anchors("^b$", b"ab\nb\nba\n", &[2])]
    #[case::across_lines("a\\sb", b"a\nb\na b\n", &[3])]
    #[case::every_line("", b"a\n\nb\n", &[1, 2, 3])]
    #[case::empty_lines("^$", b"a\n\nb\n", &[2])]
    #[case::twice_in_a_line("a", b"aaa\n", &[1])]
    #[case::no_text("\\xff", b"a\n\xff\n", &[2])]
    #[case::nothing("x", b"", &[])]
    fn lines(#[case] pattern: &str, #[case] text: &[u8], #[case] expected: &[u64]) {
        let numbers: Vec<_> = found(pattern, text).into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, expected);
    }

    #[test]
    fn a_line_without_end_is_searched_in_pieces() {
        let mut text = vec![b'x'; 2 * PIECE + 5];
        text.extend(b"needle\nneedle\n");
        let lines = found("needle", &text);
        assert_eq!(lines.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
        assert!(lines[0].1.len() <= PIECE);
    }

    #[rstest]
    #[case("(", "invalid pattern \"(\": unclosed group: expected")]
    #[case("(a{1000}){1000}", "invalid pattern \"(a{1000}){1000}\": ")]
    fn a_bad_pattern_is_told_in_one_line(#[case] pattern: &str, #[case] start: &str) {
        let error = Pattern::new(pattern, false).err().unwrap().to_string();
        assert!(error.starts_with(start) && error.lines().count() == 1, "{error}");
    }

    const PATTERNS: [&str; 10] = ["a", "ab", "a\\sb", "^a", "b$", "^$", "a*", "[^a]", "[^a]b", "(a|\\s)*b"];

    proptest! {
        #[test]
        fn the_same_lines_as_one_by_one(text in "[ab\n]{0,60}", pattern in prop::sample::select(PATTERNS.as_slice())) {
            let whole = Pattern::new(pattern, false).unwrap();
            let expected: Vec<_> = text.lines().enumerate()
                .filter(|(_, line)| whole.0.is_match(line.as_bytes()))
                .map(|(index, line)| (index as u64 + 1, line.to_owned()))
                .collect();
            prop_assert_eq!(found(pattern, text.as_bytes()), expected);
        }
    }
}

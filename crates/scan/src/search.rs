//! The fast pass: one search for the literals of all rules and levels that a kind of artifact can have. It finds the
//! lines worth a closer look; what they are is for the rules to say.

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, Input, MatchKind, Span, packed};
use memchr::memmem;

/// Literals found in a text: which, and where it ends.
pub(crate) struct Found<T> {
    pub(crate) what: T,
    pub(crate) start: usize,
}

/// A set of literals, each with what it stands for.
#[derive(Debug)]
pub(crate) struct Search<T> {
    fast: Fast,
    /// All literals, also those that overlap.
    exact: AhoCorasick,
    /// What each literal stands for.
    targets: Vec<Vec<T>>,
}

#[derive(Debug)]
enum Fast {
    Vector(packed::Searcher),
    /// Where there are too many literals for the vector search, or no vector instructions.
    Automaton(AhoCorasick),
    /// Without a literal there is nothing to find.
    Nothing,
}

impl<T: Copy> Search<T> {
    /// Compiles the literals, and others that are of interest only in lines that have one of them. One may come more than
    /// once.
    ///
    /// # Errors
    /// When they are too many or too long.
    pub(crate) fn new<'a>(
        literals: impl IntoIterator<Item = (&'a str, T)>,
        besides: impl IntoIterator<Item = (&'a str, T)>,
    ) -> Result<Self, BuildError> {
        let literals: Vec<_> = literals.into_iter().collect();
        let searched = shortest(literals.iter().map(|(literal, _)| rarest(literal.as_bytes())));
        let mut names: Vec<&str> = Vec::new();
        let mut targets: Vec<Vec<T>> = Vec::new();
        for (literal, target) in literals.iter().copied().chain(besides) {
            let at = names.iter().position(|&name| name == literal).unwrap_or_else(|| {
                names.push(literal);
                targets.push(Vec::new());
                names.len() - 1
            });
            if let Some(targets) = targets.get_mut(at) {
                targets.push(target);
            }
        }
        Ok(Self {
            fast: Fast::new(&searched)?,
            exact: AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .kind(Some(AhoCorasickKind::DFA))
                .build(&names)?,
            targets,
        })
    }

    /// A place at or after `from` in the next line that has a literal.
    pub(crate) fn next(&self, text: &[u8], from: usize) -> Option<usize> {
        let span = Span {
            start: from,
            end: text.len(),
        };
        let found = match &self.fast {
            Fast::Vector(searcher) => searcher.find_in(text, span)?,
            Fast::Automaton(automaton) => automaton.find(Input::new(text).span(span).earliest(true))?,
            Fast::Nothing => return None,
        };
        Some(found.start())
    }

    /// Every literal in a line.
    pub(crate) fn all<'s>(&'s self, line: &'s [u8]) -> impl Iterator<Item = Found<T>> + 's {
        self.exact.find_overlapping_iter(line).flat_map(|found| {
            let targets = self.targets.get(found.pattern().as_usize());
            targets.into_iter().flatten().map(move |&what| Found {
                what,
                start: found.start(),
            })
        })
    }
}

impl Fast {
    fn new(literals: &[&[u8]]) -> Result<Self, BuildError> {
        if literals.is_empty() {
            return Ok(Self::Nothing);
        }
        // By itself it gives up above 64 literals; with more it is still faster than the automaton.
        let vector = packed::Config::new()
            .heuristic_pattern_limits(false)
            .builder()
            .extend(literals)
            .build();
        if let Some(vector) = vector {
            return Ok(Self::Vector(vector));
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(literals)?;
        Ok(Self::Automaton(automaton))
    }
}

/// Least that is left of a literal for the vector search.
const MIN_REST: usize = 4;
/// What stands at the start of literals and in most lines.
const COMMON: [&str; 4] = ["level", "\"level\"", "\\\"level\\\"", "\"severity\""];
/// Bytes at the start of a literal by which the vector search finds places to look at.
const FINGERPRINT: usize = 3;

/// The end of a literal that begins with the rarest bytes: the vector search stops wherever it sees how a literal begins,
/// and many begin as most lines do.
fn rarest(literal: &[u8]) -> &[u8] {
    let rest = COMMON.iter().find_map(|common| literal.strip_prefix(common.as_bytes()));
    let literal = rest.filter(|rest| rest.len() >= MIN_REST).unwrap_or(literal);
    let starts = 0..=literal.len().saturating_sub(MIN_REST);
    let score = |start: &usize| -> u32 { literal.iter().skip(*start).take(FINGERPRINT).map(|&b| rank(b)).sum() };
    let start = starts.min_by_key(score).unwrap_or(0);
    literal.get(start..).unwrap_or(literal)
}

/// How often a byte comes in logs, roughly.
fn rank(byte: u8) -> u32 {
    match byte {
        b' ' => 12,
        b'\\' => 11,
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b'"' | b':' => 10,
        b'0'..=b'9' | b'/' | b'-' | b'.' => 9,
        b'j' | b'k' | b'q' | b'v' | b'w' | b'x' | b'z' => 5,
        b'a'..=b'z' | b'=' | b',' | b'_' => 7,
        b'A'..=b'Z' => 3,
        _ => 2,
    }
}

/// The literals that no other one is part of: a line with any literal has one of these.
fn shortest<'a>(literals: impl Iterator<Item = &'a [u8]>) -> Vec<&'a [u8]> {
    let all: Vec<_> = literals.collect();
    let mut shortest: Vec<&[u8]> = Vec::with_capacity(all.len());
    for one in &all {
        let has_part = all
            .iter()
            .any(|other| other != one && memmem::find(one, other).is_some());
        if !has_part && !shortest.contains(one) {
            shortest.push(one);
        }
    }
    shortest
}

#[cfg(test)]
mod tests {
    use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

    use super::{Fast, Search, rarest, shortest};

    #[test]
    fn a_literal_inside_another_is_found_too() {
        let search = Search::new(
            [("I/O error", 1), ("Buffer I/O error on", 2), ("error", 3), ("error", 4)],
            [("sda", 5)],
        )
        .unwrap();
        let line = b"a Buffer I/O error on sda";
        let mut found: Vec<_> = search.all(line).map(|found| (found.what, found.start)).collect();
        found.sort_unstable();
        assert_eq!(found, [(1, 9), (2, 2), (3, 13), (4, 13), (5, 22)]);
        assert!((9..18).contains(&search.next(line, 0).unwrap()));
        assert_eq!(search.next(line, 18), None);
        assert_eq!(Search::<u8>::new([], []).unwrap().next(line, 0), None);
    }

    #[test]
    fn the_automaton_finds_what_the_vector_search_finds() {
        let literals = ["I/O error", "table full", "level=error", "xfs"];
        let fast = Search::new(literals.iter().map(|&literal| (literal, ())), []).unwrap();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(literals.map(|literal| rarest(literal.as_bytes())))
            .unwrap();
        let slow = Search {
            fast: Fast::Automaton(automaton),
            ..Search::new(literals.iter().map(|&literal| (literal, ())), []).unwrap()
        };
        let text = b"a level=error and I/O error, then xfs and a table full of xfs";
        for from in 0..=text.len() {
            assert_eq!(fast.next(text, from), slow.next(text, from), "{from}");
        }
    }

    #[test]
    fn more_literals_than_the_vector_search_takes_are_searched_all_the_same() {
        let names: Vec<_> = (0..300).map(|n| format!("literal-{n}-")).collect();
        let search = Search::new(names.iter().map(|name| (name.as_str(), ())), []).unwrap();
        assert!(matches!(search.fast, Fast::Automaton(_)));
        assert!(search.next(b"a literal-299- there", 0).is_some());
        assert_eq!(search.next(b"a literal-2990 there", 0), None);
        let literals: [&[u8]; 4] = [b"ab", b"xaby", b"c", b"c"];
        assert_eq!(shortest(literals.into_iter()), [b"ab".as_slice(), b"c"]);
    }

    #[test]
    fn the_rarest_part_of_a_literal_is_searched() {
        for (literal, expected) in [
            ("level=error", "=error"),
            ("\"level\":\"warn", ":\"warn"),
            (": E1", ": E1"),
            (" F E1", "F E1"),
            ("[error]", "[error]"),
        ] {
            assert_eq!(rarest(literal.as_bytes()), expected.as_bytes());
        }
    }
}

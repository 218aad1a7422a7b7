//! The fast pass: one search for the literals of all rules and levels that a kind of artifact can have. It finds the
//! lines worth a closer look; what they are is for the rules to say.

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, Input, MatchKind, Span, packed};

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
    /// Compiles the literals. One may come more than once.
    ///
    /// # Errors
    /// When they are too many or too long.
    pub(crate) fn new<'a>(literals: impl IntoIterator<Item = (&'a str, T)>) -> Result<Self, BuildError> {
        let mut names: Vec<&str> = Vec::new();
        let mut targets: Vec<Vec<T>> = Vec::new();
        for (literal, target) in literals {
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
            fast: Fast::new(&shortest(&names))?,
            exact: AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .build(&names)?,
            targets,
        })
    }

    /// Where at or after `from` the next literal begins.
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
    fn new(literals: &[&str]) -> Result<Self, BuildError> {
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

/// The literals that no other one is part of: a line with any literal has one of these.
fn shortest<'a>(literals: &[&'a str]) -> Vec<&'a str> {
    let has_no_part = |one: &&&str| !literals.iter().any(|other| *other != **one && one.contains(other));
    literals.iter().filter(has_no_part).copied().collect()
}

#[cfg(test)]
mod tests {
    use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

    use super::{Fast, Search, shortest};

    #[test]
    fn a_literal_inside_another_is_found_too() {
        let search = Search::new([("I/O error", 1), ("Buffer I/O error on", 2), ("error", 3), ("error", 4)]).unwrap();
        let line = b"a Buffer I/O error on sda";
        let mut found: Vec<_> = search.all(line).map(|found| (found.what, found.start)).collect();
        found.sort_unstable();
        assert_eq!(found, [(1, 9), (2, 2), (3, 13), (4, 13)]);
        assert_eq!(search.next(line, 0), Some(13));
        assert_eq!(search.next(line, 14), None);
        assert_eq!(Search::<u8>::new([]).unwrap().next(line, 0), None);
    }

    #[test]
    fn the_automaton_finds_what_the_vector_search_finds() {
        let literals = ["I/O error", "table full", "level=error", "xfs"];
        let fast = Search::new(literals.iter().map(|&literal| (literal, ()))).unwrap();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(literals)
            .unwrap();
        let slow = Search {
            fast: Fast::Automaton(automaton),
            ..Search::new(literals.iter().map(|&literal| (literal, ()))).unwrap()
        };
        let text = b"a level=error and I/O error, then xfs and a table full of xfs";
        for from in 0..=text.len() {
            assert_eq!(fast.next(text, from), slow.next(text, from), "{from}");
        }
    }

    #[test]
    fn more_literals_than_the_vector_search_takes_are_searched_all_the_same() {
        let names: Vec<_> = (0..300).map(|n| format!("literal-{n}-")).collect();
        let search = Search::new(names.iter().map(|name| (name.as_str(), ()))).unwrap();
        assert!(matches!(search.fast, Fast::Automaton(_)));
        assert_eq!(search.next(b"a literal-299- there", 0), Some(2));
        assert_eq!(shortest(&["ab", "xaby", "c"]), ["ab", "c"]);
    }
}

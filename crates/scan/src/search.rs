//! The fast pass: one search for the literals of all rules and levels that a kind of artifact can have. It finds the
//! lines worth a closer look, and which literals they have; what they are is for the rules to say.

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, Input, MatchKind, Span, packed};
use memchr::memmem;

use crate::fingerprint::{ordered, rarest};

/// A literal found in a text: what it stands for, and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found<T> {
    pub(crate) what: T,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Where in a text a literal has the part by which it is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: usize,
    part: usize,
}

/// A set of literals, each with what it stands for.
#[derive(Debug)]
pub(crate) struct Search<T> {
    /// Finds the parts.
    fast: Fast,
    /// For each part the literals that have it.
    literals: Vec<Vec<Literal<T>>>,
}

#[derive(Debug)]
struct Literal<T> {
    text: Box<[u8]>,
    /// Where in it the part begins.
    part_at: usize,
    targets: Vec<T>,
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
        let mut names: Vec<(&str, Vec<T>)> = Vec::new();
        for (literal, target) in literals {
            match names.iter_mut().find(|(name, _)| *name == literal) {
                Some((_, targets)) => targets.push(target),
                None => names.push((literal, vec![target])),
            }
        }
        let parts = parts(names.iter().map(|(literal, _)| literal.as_bytes()));
        let fast = Fast::new(&parts)?;
        let mut literals: Vec<_> = parts.iter().map(|_| Vec::new()).collect();
        for (text, targets) in &names {
            let text = text.as_bytes();
            let mut with_part = parts.iter().zip(&mut literals);
            let found = with_part.find_map(|(part, literals)| Some((memmem::find(text, part)?, literals)));
            if let Some((part_at, literals)) = found {
                literals.push(Literal {
                    text: text.into(),
                    part_at,
                    targets: targets.clone(),
                });
            }
        }
        Ok(Self { fast, literals })
    }

    /// The first place at or after `from` where there is a literal.
    pub(crate) fn next(&self, text: &[u8], mut from: usize) -> Option<Place> {
        loop {
            let place = self.fast.next(text, from)?;
            if self.at(text, place).next().is_some() {
                return Some(place);
            }
            from = place.at + 1;
        }
    }

    /// The literals that have their part at this place.
    pub(crate) fn at<'s>(&'s self, text: &'s [u8], place: Place) -> impl Iterator<Item = Found<T>> + 's {
        let literals = self.literals.get(place.part).into_iter().flatten();
        literals.flat_map(move |literal| {
            let start = place.at.checked_sub(literal.part_at);
            let is_there = |start: &usize| text.get(*start..).is_some_and(|text| text.starts_with(&literal.text));
            let start = start.filter(is_there);
            start.into_iter().flat_map(move |start| {
                literal.targets.iter().map(move |&what| Found {
                    what,
                    start,
                    end: start + literal.text.len(),
                })
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

    /// The first part at or after `from`. No part has another one in it, so that from the byte after it the next one is
    /// found.
    fn next(&self, text: &[u8], from: usize) -> Option<Place> {
        let span = Span {
            start: from,
            end: text.len(),
        };
        let (at, part) = match self {
            Self::Vector(searcher) => {
                let found = searcher.find_in(text, span)?;
                (found.start(), found.pattern())
            }
            Self::Automaton(automaton) => {
                let found = automaton.find(Input::new(text).span(span).earliest(true))?;
                (found.start(), found.pattern())
            }
            Self::Nothing => return None,
        };
        Some(Place {
            at,
            part: part.as_usize(),
        })
    }
}

/// By which parts of them literals are searched, in the order of the search.
fn parts<'a>(literals: impl Iterator<Item = &'a [u8]>) -> Vec<&'a [u8]> {
    ordered(shortest(literals.map(rarest)))
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
    use proptest::prelude::*;

    use super::{Fast, Search, parts, shortest};

    /// Every literal in the text: what it stands for, and where it begins.
    fn all<T: Copy + Ord>(search: &Search<T>, text: &[u8]) -> Vec<(T, usize)> {
        let places = std::iter::successors(search.next(text, 0), |place| search.next(text, place.at + 1));
        let found = places.flat_map(|place| search.at(text, place));
        let mut found: Vec<_> = found.map(|found| (found.what, found.start)).collect();
        found.sort_unstable();
        found
    }

    /// The same search without vector instructions.
    fn slow<'a>(literals: impl Iterator<Item = &'a str> + Clone) -> Search<usize> {
        let parts = parts(literals.clone().map(str::as_bytes));
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(parts)
            .unwrap();
        Search {
            fast: Fast::Automaton(automaton),
            ..Search::new(literals.zip(0..)).unwrap()
        }
    }

    #[test]
    fn a_literal_inside_another_is_found_too() {
        let search = Search::new([("I/O error", 1), ("Buffer I/O error on", 2), ("error", 3), ("error", 4)]).unwrap();
        let line = b"a Buffer I/O error on sda";
        assert_eq!(all(&search, line), [(1, 9), (2, 2), (3, 13), (4, 13)]);
        assert!(search.next(line, 18).is_none());
        assert!(Search::<u8>::new([]).unwrap().next(line, 0).is_none());
    }

    #[test]
    fn the_rarest_part_alone_is_no_hit() {
        let search = Search::new([(" ERROR ", 1)]).unwrap();
        assert_eq!(all(&search, b"NOERROR qr, ERROR aa"), [(1, 11)]);
        assert_eq!(all(&search, b"ERROR qr and 16 bytes more"), []);
    }

    proptest! {
        #[test]
        fn what_is_there_is_found_whichever_way_it_is_searched(
            literals in prop::collection::btree_set("[ abE\"]{4,8}|level=[ab]{1,5}", 1..12),
            text in "([ abE\"]|level=){0,200}",
        ) {
            let names = || literals.iter().map(String::as_str);
            let text = text.as_bytes();
            let mut expected: Vec<_> = names()
                .zip(0_usize..)
                .flat_map(|(name, which)| {
                    let is_there = move |at: &usize| text[*at..].starts_with(name.as_bytes());
                    (0..text.len()).filter(is_there).map(move |at| (which, at)).collect::<Vec<_>>()
                })
                .collect();
            expected.sort_unstable();
            prop_assert_eq!(&all(&Search::new(names().zip(0..)).unwrap(), text), &expected);
            prop_assert_eq!(&all(&slow(names()), text), &expected);
        }
    }

    #[test]
    fn more_literals_than_the_vector_search_takes_are_searched_all_the_same() {
        let names: Vec<_> = (0..300).map(|n| format!("literal-{n}-")).collect();
        let search = Search::new(names.iter().map(|name| (name.as_str(), ()))).unwrap();
        assert!(matches!(search.fast, Fast::Automaton(_)));
        assert!(search.next(b"a literal-299- there", 0).is_some());
        assert!(search.next(b"a literal-2990 there", 0).is_none());
        let literals: [&[u8]; 4] = [b"ab", b"xaby", b"c", b"c"];
        assert_eq!(shortest(literals.into_iter()), [b"ab".as_slice(), b"c"]);
    }
}

//! By which bytes literals are searched, and in which groups: so that the vector search stops as seldom as it can where
//! there is none. What it finds does not depend on it.
//!
//! The search (`aho_corasick::packed`) looks at the first [`FINGERPRINT`] bytes of each literal, in a few groups, and
//! at the two halves of a byte by themselves: it stops wherever each half is one of the group's, even if they are of
//! different literals. So the bytes should be rare, and those of a group alike. How often it stops is counted in
//! [`TYPICAL`].

use std::array;
use std::sync::LazyLock;

/// Lines as most are on a node where nothing is wrong.
const TYPICAL: &[u8] = include_bytes!("typical.log");
/// Bytes at the start of a literal by which it is found.
const FINGERPRINT: usize = 4;
/// The places in the typical text where there are so many bytes.
const PLACES: usize = TYPICAL.len() - FINGERPRINT + 1;
/// The values of half a byte.
const VALUES: usize = 16;
/// Groups of the search, and how many it has for more than [`FEW`] literals where the processor allows it.
const GROUPS: usize = 8;
const MORE_GROUPS: usize = if cfg!(target_arch = "x86_64") { 16 } else { GROUPS };
const FEW: usize = 32;
/// Most literals that it takes; more are searched in another way, in which the order makes no difference.
const MOST: usize = 128;
/// Most places in a literal from which it may be searched: each costs microseconds, and a user's rules may have long
/// ones.
const MAX_ENDS: usize = 64;

/// A set of places in the typical text, one bit each.
type Places = [u64; PLACES.div_ceil(64)];

/// What there is for the low half of a byte, and for the high one.
type Halves<T> = [T; 2];

/// For each byte of a fingerprint and each half, where it has which value.
static TYPICAL_PLACES: LazyLock<[Halves<Vec<Places>>; FINGERPRINT]> = LazyLock::new(|| {
    array::from_fn(|at| {
        array::from_fn(|half| {
            let mut of_values = vec![Places::from([0; _]); VALUES];
            let bytes = TYPICAL.iter().skip(at).take(PLACES);
            for (place, byte) in bytes.enumerate() {
                let of_value = of_values.get_mut(value(*byte, half));
                if let Some(word) = of_value.and_then(|places| places.get_mut(place / 64)) {
                    *word |= 1 << (place % 64);
                }
            }
            of_values
        })
    })
});

/// The value of the low half of a byte or of the high one.
fn value(byte: u8, half: usize) -> usize {
    usize::from(if half == 0 { byte & 15 } else { byte >> 4 })
}

/// Literals that the search takes together.
#[derive(Clone)]
struct Group<'a> {
    literals: Vec<&'a [u8]>,
    /// For each byte of a fingerprint the places where it fits.
    places: [Halves<Places>; FINGERPRINT],
}

impl<'a> Group<'a> {
    fn new() -> Self {
        Self {
            literals: Vec::new(),
            places: [[[0; _]; 2]; FINGERPRINT],
        }
    }

    fn with(&self, literal: &'a [u8]) -> Self {
        let mut group = self.clone();
        group.literals.push(literal);
        for (at, (halves, of_typical)) in group.places.iter_mut().zip(&*TYPICAL_PLACES).enumerate() {
            for (half, (places, of_values)) in halves.iter_mut().zip(of_typical).enumerate() {
                let of_value = literal.get(at).and_then(|byte| of_values.get(value(*byte, half)));
                // Where there is no byte any will do.
                for (index, word) in places.iter_mut().enumerate() {
                    *word |= of_value
                        .and_then(|places| places.get(index))
                        .map_or(u64::MAX, |word| *word);
                }
            }
        }
        group
    }

    /// At how many of the places the search stops for it. What is nowhere in the typical text is judged by its bytes.
    fn stops(&self) -> f64 {
        let mut stops = 0;
        let mut fits = [0; FINGERPRINT];
        for index in 0..PLACES.div_ceil(64) {
            let mut all = u64::MAX;
            for (fits, [low, high]) in fits.iter_mut().zip(&self.places) {
                let both = low[index] & high[index];
                *fits += both.count_ones();
                all &= both;
            }
            stops += all.count_ones();
        }
        let places = f64::from(u32::try_from(PLACES).unwrap_or(u32::MAX));
        let shares = fits.map(|fits| f64::from(fits + 1) / places);
        f64::from(stops) + places * shares.iter().product::<f64>()
    }
}

/// The end of a literal that begins with the rarest bytes.
pub(crate) fn rarest(literal: &[u8]) -> &[u8] {
    let ends = (0..literal.len()).filter_map(|start| literal.get(start..));
    let ends = ends.filter(|end| end.len() >= FINGERPRINT).take(MAX_ENDS);
    let ends = ends.map(|end| (Group::new().with(end).stops(), end));
    ends.min_by(|(a, _), (b, _)| a.total_cmp(b))
        .map_or(literal, |(_, end)| end)
}

/// Puts the literals into an order in which those that look alike come into one group: the search counts them off, the
/// first one into the first group, the next one into the second, and so on.
pub(crate) fn ordered(literals: Vec<&[u8]>) -> Vec<&[u8]> {
    let count = literals.len();
    if count > MOST {
        return literals;
    }
    let mut groups = vec![(0.0, Group::new()); if count > FEW { MORE_GROUPS } else { GROUPS }];
    let group_count = groups.len();
    let mut literals: Vec<_> = literals
        .into_iter()
        .map(|one| (Group::new().with(one).stops(), one))
        .collect();
    // Those for which it stops most choose first.
    literals.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    for (_, literal) in literals {
        let with_it = groups.iter().enumerate().filter_map(|(number, (stops, group))| {
            let room = count.saturating_sub(number).div_ceil(group_count);
            let group = (group.literals.len() < room).then(|| group.with(literal))?;
            let more = group.stops();
            Some((more - stops, number, (more, group)))
        });
        if let Some((_, number, group)) = with_it.min_by(|(a, ..), (b, ..)| a.total_cmp(b)) {
            groups[number] = group;
        }
    }
    let rounds = 0..count.div_ceil(group_count);
    let of_round = |round| {
        groups
            .iter()
            .filter_map(move |(_, group)| group.literals.get(round).copied())
    };
    rounds.flat_map(of_round).collect()
}

#[cfg(test)]
mod tests {
    use super::{Group, MORE_GROUPS, ordered, rarest};

    const LITERALS: [&str; 6] = ["ERR", "WARN", ": E", "no such ", "=fatal", "x509: "];

    /// How often the search stops in the typical text when it is given the literals in this order.
    fn stops(literals: &[&[u8]]) -> f64 {
        let groups = (0..MORE_GROUPS).map(|number| literals.iter().skip(number).step_by(MORE_GROUPS));
        let groups = groups.map(|literals| literals.fold(Group::new(), |group, literal| group.with(literal)));
        groups.map(|group| group.stops()).sum()
    }

    #[test]
    fn a_literal_is_searched_by_bytes_that_are_not_in_most_lines() {
        for (literal, seen) in [
            ("kubelet: #1", "t: #"),
            ("level=error", "l=er"),
            ("\"level\":\"warn", "warn"),
            (": E1", ": E1"),
            ("no", "no"),
        ] {
            let end = rarest(literal.as_bytes());
            assert!(literal.as_bytes().ends_with(end));
            assert!(end.starts_with(seen.as_bytes()), "{literal}: {}", end.escape_ascii());
        }
    }

    #[test]
    fn what_looks_alike_is_searched_together_and_nothing_is_lost() {
        let names: Vec<_> = LITERALS
            .iter()
            .flat_map(|name| (0..16).map(move |n| format!("{name}{n:x}")))
            .collect();
        let names: Vec<_> = names.iter().map(String::as_bytes).collect();
        let ordered = ordered(names.clone());
        assert!(
            stops(&ordered) < stops(&names) / 4.0,
            "{} and {}",
            stops(&ordered),
            stops(&names)
        );
        let sorted = |mut names: Vec<_>| {
            names.sort_unstable();
            names
        };
        assert_eq!(sorted(ordered), sorted(names));
        for few in [vec![], vec![b"abcd".as_slice()], vec![b"abcd", b"abce", b"xyz"]] {
            assert_eq!(sorted(super::ordered(few.clone())), sorted(few));
        }
    }
}

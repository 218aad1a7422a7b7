//! The fast pass: which places of a text are worth a closer look. One search for all literals of all rules over a
//! lower-cased copy, as the vectorised search knows no case; the rules then look at the text itself.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use aho_corasick::{AhoCorasick, Input, MatchKind, Span, packed};

use crate::class::{NAME, QUOTE, SPACE};
use crate::found::{Found, View};
use crate::name::Word;
use crate::token::{MARKED, PREFIXED};
use crate::{class, command, header, marker, pem, plain, token, url};

/// Who looks at a place.
#[derive(Clone, Copy, Debug)]
enum Trigger {
    Named(Word),
    Command,
    Auth,
    Bearer,
    Cookie,
    Sas,
    Jwt,
    DockerConfig,
    Pem,
    PemInBase64,
    Url,
    EncodedUrl,
    AwsKeyId,
    EntraSecret,
    Prefixed(usize),
    Marked(usize),
}

impl Trigger {
    /// Whether the rule may be applied to bytes that are no text: its literal and form leave no doubt.
    fn fits_binary(self) -> bool {
        matches!(
            self,
            Self::Jwt
                | Self::DockerConfig
                | Self::Pem
                | Self::PemInBase64
                | Self::EntraSecret
                | Self::Prefixed(_)
                | Self::Marked(_)
        )
    }
}

/// The rules, compiled. Made once and shared: see [`Rules::shared`].
#[derive(Debug)]
pub struct Rules {
    search: Search,
    /// One for every literal of the search.
    triggers: Vec<Trigger>,
    binary: Vec<bool>,
    /// The literals that are words of prose too.
    words: Vec<bool>,
}

#[derive(Debug)]
enum Search {
    Vector(packed::Searcher),
    /// On processors without the vector instructions.
    Automaton(AhoCorasick),
}

/// A place worth a closer look.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) range: Range<usize>,
    literal: usize,
}

static SHARED: LazyLock<Arc<Rules>> = LazyLock::new(|| Arc::new(Rules::compile()));

impl Rules {
    /// The one instance; compiled at the first call, in well under a millisecond.
    pub fn shared() -> &'static Arc<Self> {
        &SHARED
    }

    fn compile() -> Self {
        let (literals, triggers): (Vec<String>, Vec<Trigger>) = literals().into_iter().unzip();
        // By itself it gives up above 64 literals; with a few more it is still three times as fast as the automaton.
        let vector = packed::Config::new()
            .heuristic_pattern_limits(false)
            .builder()
            .extend(&literals)
            .build();
        let search = vector.map_or_else(|| Search::Automaton(automaton(&literals)), Search::Vector);
        let binary = triggers.iter().map(|trigger| trigger.fits_binary()).collect();
        let words = triggers
            .iter()
            .map(|trigger| matches!(trigger, Trigger::Named(_) | Trigger::Auth))
            .collect();
        Self {
            search,
            triggers,
            binary,
            words,
        }
    }

    /// The first candidate at or after `from` in a lower-cased text.
    pub(crate) fn candidate(&self, lower: &[u8], mut from: usize) -> Option<Candidate> {
        while from < lower.len() {
            let span = Span {
                start: from,
                end: lower.len(),
            };
            let found = match &self.search {
                Search::Vector(searcher) => searcher.find_in(lower, span)?,
                Search::Automaton(automaton) => automaton.find(Input::new(lower).span(span))?,
            };
            let literal = found.pattern().as_usize();
            if !self.words[literal] || may_be_name(lower, &found.range()) {
                return Some(Candidate {
                    range: found.range(),
                    literal,
                });
            }
            from = found.start() + 1;
        }
        None
    }

    /// Whether the candidate's rule may look at bytes that are no text.
    pub(crate) fn fits_binary(&self, candidate: &Candidate) -> bool {
        self.binary[candidate.literal]
    }

    /// Looks closer. `at` is the candidate's place in the view. Only commands have more than one secret.
    pub(crate) fn judge(&self, candidate: &Candidate, view: View<'_>, at: &Range<usize>) -> Vec<Found> {
        let found = match self.triggers[candidate.literal] {
            Trigger::Command => return keep_new(view.text, at, command::passwords(view, at)),
            Trigger::Named(word) => plain::named(view, at, word),
            Trigger::Auth => header::auth(view, at),
            Trigger::Bearer => header::bearer(view, at),
            Trigger::Cookie => header::cookie(view, at),
            Trigger::Sas => url::sas(view, at),
            Trigger::Jwt => token::jwt(view, at),
            Trigger::DockerConfig => token::docker_config(view, at),
            Trigger::Pem => pem::block(view, at),
            Trigger::PemInBase64 => pem::in_base64(view, at),
            Trigger::Url => url::password(view, at),
            Trigger::EncodedUrl => url::encoded_password(view, at),
            Trigger::AwsKeyId => token::aws_key_id(view, at),
            Trigger::EntraSecret => token::entra_secret(view, at),
            Trigger::Prefixed(which) => token::after_prefix(view, at, &PREFIXED[which]),
            Trigger::Marked(which) => token::marked_key(view, at, &MARKED[which]),
        };
        keep_new(view.text, at, found)
    }
}

/// Nothing is redacted twice: the ids in markers are words that rules look for, and what touches a marker was judged
/// when the marker was made.
fn keep_new(text: &[u8], at: &Range<usize>, found: impl IntoIterator<Item = Found>) -> Vec<Found> {
    let mut kept = Vec::new();
    for found in found {
        if !marker::touches(text, at) && !marker::touches(text, &found.range) {
            let range = class::outside_escape(text, found.range.clone());
            kept.push(Found { range, ..found });
        }
    }
    kept
}

/// A glance at what surrounds a word, to pass over prose: nothing is tied to a word that stands alone, and `auth` is
/// mostly `authentication`.
fn may_be_name(lower: &[u8], word: &Range<usize>) -> bool {
    match lower.get(word.end) {
        None => true,
        Some(b' ') => {
            let tied = matches!(lower.get(word.end + 1), None | Some(b' ' | b'=' | b':'));
            tied || word
                .start
                .checked_sub(1)
                .is_some_and(|before| class::is(lower[before], NAME))
        }
        Some(b'e') => !lower[word.start..].starts_with(b"authe"),
        Some(&b) => class::is(b, NAME | SPACE | QUOTE) || matches!(b, b'\\' | b'=' | b':' | b'%' | b',' | b'>'),
    }
}

fn automaton(literals: &[String]) -> AhoCorasick {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .build(literals)
        .expect("the literals are few and short")
}

/// Every literal with who looks at it. No literal begins with another: the search reports one per place.
fn literals() -> Vec<(String, Trigger)> {
    let mut all: Vec<(&str, Trigger)> = vec![
        ("auth", Trigger::Auth),
        ("bearer", Trigger::Bearer),
        ("cookie", Trigger::Cookie),
        ("sig=", Trigger::Sas),
        ("sig%3d", Trigger::Sas),
        ("sig%253d", Trigger::Sas),
        ("sig\\", Trigger::Sas),
        ("sig\"", Trigger::Sas),
        ("eyj", Trigger::Jwt),
        ("private key", Trigger::Pem),
        ("://", Trigger::Url),
        ("%3a%2f%2f", Trigger::EncodedUrl),
        ("akia", Trigger::AwsKeyId),
        ("asia", Trigger::AwsKeyId),
        ("7q~", Trigger::EntraSecret),
        ("8q~", Trigger::EntraSecret),
    ];
    all.extend(Word::ALL.iter().map(|&(word, what)| (word, Trigger::Named(what))));
    all.extend(command::LITERALS.map(|name| (name, Trigger::Command)));
    all.extend(pem::IN_BASE64.iter().map(|form| (*form, Trigger::PemInBase64)));
    // The first one is found as a token: it begins like one.
    all.extend(
        token::DOCKER_CONFIG
            .iter()
            .skip(1)
            .map(|form| (*form, Trigger::DockerConfig)),
    );
    all.extend(
        PREFIXED
            .iter()
            .enumerate()
            .map(|(which, form)| (form.prefix, Trigger::Prefixed(which))),
    );
    all.extend(
        MARKED
            .iter()
            .enumerate()
            .map(|(which, form)| (form.0, Trigger::Marked(which))),
    );
    all.into_iter()
        .map(|(literal, trigger)| (literal.to_ascii_lowercase(), trigger))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_literals_are_few_enough_for_the_vector_search() {
        // The limit of aho-corasick's packed search, whatever the processor.
        assert!(literals().len() <= 128, "{}", literals().len());
    }

    #[test]
    fn no_literal_hides_another() {
        let all = literals();
        for (one, _) in &all {
            assert_eq!(*one, one.to_ascii_lowercase());
            for (other, _) in &all {
                assert!(one == other || !one.starts_with(other.as_str()), "{other} hides {one}");
            }
        }
    }

    #[test]
    fn both_searches_find_the_same() {
        let text = b"a token, the secret of xoxb- and ://, sig= and eyj";
        let literals: Vec<_> = literals().into_iter().map(|(literal, _)| literal).collect();
        let rules = Rules::compile();
        let slow = Rules {
            search: Search::Automaton(automaton(&literals)),
            ..Rules::compile()
        };
        for from in 0..text.len() {
            let place = |rules: &Rules| rules.candidate(text, from).map(|found| (found.range, found.literal));
            assert_eq!(place(&rules), place(&slow), "{from}");
        }
    }
}

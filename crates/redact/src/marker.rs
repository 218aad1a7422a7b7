//! The text that stands where a secret stood: how it is written, and how it is known again so that nothing is redacted
//! twice.

use std::ops::Range;

use crate::rules::{RULES, RuleId};

/// How every marker begins; the id of the rule and `]` follow.
pub const MARKER_PREFIX: &str = "[REDACTED:";

/// No id is longer, so a marker is not looked for further back than this.
const LONGEST: usize = 64;

/// Appends the marker of a rule, in quotes behind `quoted` backslashes where the value had none.
pub(crate) fn write(out: &mut Vec<u8>, rule: RuleId, quoted: Option<usize>) {
    let quote = |out: &mut Vec<u8>| {
        if let Some(level) = quoted {
            out.resize(out.len() + level, b'\\');
            out.push(b'"');
        }
    };
    quote(out);
    out.extend_from_slice(MARKER_PREFIX.as_bytes());
    out.extend_from_slice(RULES[rule as usize].id.as_bytes());
    out.push(b']');
    quote(out);
}

/// The marker of a rule as text of its own.
pub(crate) fn text(rule: RuleId) -> String {
    format!("{MARKER_PREFIX}{}]", RULES[rule as usize].id)
}

/// Whether a whole marker begins at `at`. Half of one in a text shields nothing.
pub(crate) fn begins(text: &[u8], at: usize) -> bool {
    let Some(id) = text
        .get(at..)
        .and_then(|rest| rest.strip_prefix(MARKER_PREFIX.as_bytes()))
    else {
        return false;
    };
    let end = id.iter().take(LONGEST).position(|&b| !in_id(b));
    end.is_some_and(|end| end > 0 && id[end] == b']')
}

fn in_id(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte == b'-'
}

/// Whether a marker ends right before `at`.
pub(crate) fn ends(text: &[u8], at: usize) -> bool {
    at.checked_sub(1)
        .is_some_and(|last| text[last] == b']' && covers(text, last))
}

/// Whether a marker is anywhere in the text.
pub(crate) fn within(text: &[u8]) -> bool {
    memchr::memchr_iter(b'[', text).any(|at| begins(text, at))
}

/// Whether a range lies in a marker, holds one, or touches one.
pub(crate) fn touches(text: &[u8], range: &Range<usize>) -> bool {
    ends(text, range.start) || covers(text, range.start) || begins(text, range.end) || within(&text[range.clone()])
}

/// Whether `at` lies inside a marker.
pub(crate) fn covers(text: &[u8], at: usize) -> bool {
    let low = at.saturating_sub(LONGEST);
    let before = text.get(low..at).unwrap_or_default();
    before
        .iter()
        .rposition(|&b| b == b'[' || b == b']')
        .is_some_and(|open| begins(text, low + open))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_written_with_the_id_and_known_again() {
        let mut out = b"a=".to_vec();
        write(&mut out, RuleId::Jwt, None);
        assert_eq!(out, b"a=[REDACTED:jwt]");
        assert!(begins(&out, 2) && within(&out) && covers(&out, 13));
        assert!(!covers(&out, 1) && !covers(&out, out.len()));
        out.clear();
        write(&mut out, RuleId::Jwt, Some(1));
        assert_eq!(out, br#"\"[REDACTED:jwt]\""#);
    }

    #[test]
    fn no_id_is_longer_than_the_search_for_it() {
        assert!(RULES.iter().all(|rule| rule.id.len() + MARKER_PREFIX.len() < LONGEST));
    }
}

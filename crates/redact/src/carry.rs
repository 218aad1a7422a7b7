//! What one line means for the lines after it: a PEM block that is open, a YAML block, the value of a variable whose
//! name was on the line before. It never reaches back to a line that was given out.

use std::ops::Range;

use crate::class::{self, SPACE};
use crate::found::Stop;
use crate::marker;
use crate::pem;
use crate::rules::RuleId;
use crate::value;

/// A YAML block that does not end is ordinary text again after this many lines: no key or token has as many.
const MAX_BLOCK_LINES: u16 = 1024;

/// The open end of an earlier line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Carry {
    /// Inside a PEM private key, or the base64 of one.
    Pem(pem::Block),
    /// The block of `password: |`, deeper than `indent`.
    Block { indent: usize, rule: RuleId, lines: u16 },
    /// The line after `name: DB_PASSWORD`.
    Environment,
}

/// What an open end makes of the next line.
pub(crate) struct Verdict {
    /// What to replace; empty for nothing.
    pub(crate) range: Range<usize>,
    pub(crate) rule: RuleId,
    pub(crate) stop: Stop,
    /// Whether this is the first line of its block that is replaced.
    pub(crate) next: Option<Carry>,
    /// Where the ordinary search begins.
    pub(crate) scan_from: usize,
}

impl Verdict {
    pub(crate) fn ordinary(rule: RuleId) -> Self {
        Self {
            range: 0..0,
            rule,
            stop: Stop::Line,
            next: None,
            scan_from: 0,
        }
    }
}

impl Carry {
    pub(crate) fn environment() -> Self {
        Self::Environment
    }

    pub(crate) fn block(indent: usize, rule: RuleId) -> Self {
        Self::Block { indent, rule, lines: 0 }
    }

    /// Judges the next line, or as much of an overlong one as fits a window.
    pub(crate) fn judge(self, line: &[u8]) -> Verdict {
        match self {
            Self::Pem(block) => block.judge(line),
            Self::Block { indent, rule, lines } => block_line(line, indent, rule, lines),
            Self::Environment => environment_line(line),
        }
    }
}

fn block_line(line: &[u8], indent: usize, rule: RuleId, lines: u16) -> Verdict {
    let start = class::run(line, 0, SPACE);
    let empty = start == line.len();
    if (start <= indent && !empty) || lines >= MAX_BLOCK_LINES {
        return Verdict::ordinary(rule);
    }
    let end = class::run_back(line, line.len(), SPACE, line.len()).max(start);
    let range = if marker::begins(line, start) {
        start..start
    } else {
        start..end
    };
    let next = Some(Carry::Block {
        indent,
        rule,
        lines: lines + 1,
    });
    Verdict {
        range,
        rule,
        stop: Stop::Line,
        next,
        scan_from: line.len(),
    }
}

fn environment_line(line: &[u8]) -> Verdict {
    let rule = RuleId::EnvValue;
    let start = class::run(line, 0, SPACE);
    let start = value::quote_at(line, start).map_or(start, |(_, _, after)| after);
    if !class::follows(line, start, b"value") {
        return Verdict::ordinary(rule);
    }
    match value::after(line, &(start..start + 5)) {
        Some(found) if found.quoted && !marker::within(&line[found.range.clone()]) => {
            let end = found.range.end;
            Verdict {
                range: found.range,
                rule,
                stop: found.stop,
                next: None,
                scan_from: end,
            }
        }
        Some(found) if !found.quoted && !marker::begins(line, found.range.start) && !opens(line, found.range.start) => {
            // A YAML scalar is the rest of the line.
            let end = class::run_back(line, line.len(), SPACE, line.len()).max(found.range.start);
            Verdict {
                range: found.range.start..end,
                rule,
                stop: Stop::Line,
                next: None,
                scan_from: end,
            }
        }
        _ => Verdict::ordinary(rule),
    }
}

/// Whether an object, a list, or a value of another kind begins here.
fn opens(line: &[u8], at: usize) -> bool {
    matches!(line.get(at), Some(b'{' | b'['))
        || line
            .get(at..)
            .is_some_and(|rest| matches!(class::trim(rest), b"null" | b"null," | b"true" | b"false"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::json(r#"  "value": "a b","#, "a b")]
    #[case::yaml("    value: a b  ", "a b")]
    #[case::escaped(r#"\"value\": \"a\\\"b\""#, r#"a\\\"b"#)]
    #[case::other("    valueFrom:", "")]
    #[case::object(r#"  "value": {"#, "")]
    #[case::done("  value: [REDACTED:env-value]", "")]
    fn values_of_variables_are_found_on_the_next_line(#[case] line: &str, #[case] secret: &str) {
        let verdict = Carry::environment().judge(line.as_bytes());
        assert_eq!(line.get(verdict.range), Some(secret));
        assert!(verdict.next.is_none());
    }

    #[test]
    fn a_block_ends_where_its_indentation_does_and_at_its_bound() {
        let inside = Carry::block(2, RuleId::Password).judge(b"    hunter2");
        assert_eq!(inside.range, 4..11);
        assert!(inside.next.is_some());
        assert!(Carry::block(2, RuleId::Password).judge(b"  next: x").next.is_none());
        let full = Carry::Block {
            indent: 2,
            rule: RuleId::Password,
            lines: MAX_BLOCK_LINES,
        };
        assert!(full.judge(b"    hunter2").range.is_empty());
    }
}

//! PEM private keys: on lines of their own, with escaped line ends on one line, and as base64 of the whole file. The
//! header and the footer stay. Certificates and public keys are not touched.

use std::ops::Range;

use crate::carry::{Carry, Verdict};
use crate::class::{self, BASE64, QUOTE, SPACE};
use crate::found::{Found, MAX_SECRET, Stop, View};
use crate::marker;
use crate::rules::RuleId;

/// A block that never ends is ordinary text again after this many lines; an RSA key of 16,384 bits has about 200.
const MAX_LINES: u16 = 1024;
/// `-----BEGIN ` and the longest kind (`ENCRYPTED `, `OPENSSH `, `PGP `) lie within this many bytes before `PRIVATE KEY`.
const MAX_HEADER: usize = 40;
/// A first line of a body that is shorter is a word: the shortest key has 64 characters.
const MIN_BODY: usize = 16;
/// A last word after a log prefix of another width is part of a body only when it is long.
const MIN_PREFIXED: usize = 32;
/// How far back the base64 of a file is followed: more than its longest header takes.
const MAX_BACK: usize = 256;
/// Widths at which `base64` and OpenSSL break lines.
const WRAPS: [usize; 2] = [64, 76];

/// `PRIVATE KEY` in base64, at each of the three alignments, without the characters it shares with its neighbours.
pub(crate) const IN_BASE64: [&str; 3] = ["UFJJVkFURSBLRV", "BSSVZBVEUgS0VZ", "QUklWQVRFIEtFW"];

/// A block that is open at the end of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where the header began in its line: after the prefix that a logger puts before every line.
    column: usize,
    lines: u16,
    /// A line of the body was seen.
    body: bool,
}

/// Whether a byte can be in a body written on one line.
pub(crate) fn in_body(byte: u8) -> bool {
    class::is(byte, BASE64 | SPACE) || matches!(byte, b'=' | b'\\')
}

fn in_line(byte: u8) -> bool {
    class::is(byte, BASE64) || byte == b'='
}

/// The body after the header whose `PRIVATE KEY` lies at `at`.
pub(crate) fn block(view: View<'_>, at: &Range<usize>) -> Option<Found> {
    let text = view.text;
    let low = at.start.saturating_sub(MAX_HEADER);
    let begin = low + memchr::memmem::rfind(&text[low..at.start], b"BEGIN ")?;
    if text.get(at.clone()) != Some(b"PRIVATE KEY")
        || !text[..begin].ends_with(b"--") && !text[..begin].ends_with(b"-- ")
    {
        return None;
    }
    let kind = if class::follows(text, at.end, b" BLOCK") {
        at.end + 6
    } else {
        at.end
    };
    let head = class::run(text, kind, SPACE);
    let dashes = text[head..].iter().take_while(|&&b| b == b'-').count();
    let start = head + dashes;
    let rest = &text[start..];
    if dashes < 4 || marker::begins(rest, 0) {
        return None;
    }
    let near = &rest[..rest.len().min(MAX_SECRET)];
    if let Some(end) = memchr::memmem::find(near, b"-----END").or_else(|| memchr::memmem::find(near, b"---- END")) {
        let body = &near[..end];
        if marker::within(body) {
            return None;
        }
        // Between a header and the footer of another block there are quotes, which must stay.
        if body.iter().any(u8::is_ascii_alphanumeric) && !body.iter().any(|&b| class::is(b, QUOTE) || b == b'{') {
            return Some(Found::new(RuleId::PrivateKey, start..start + end, Stop::Pem));
        }
    }
    let column = text[..begin]
        .iter()
        .rposition(|&b| b != b'-' && b != b' ')
        .map_or(0, |last| last + 1);
    let column = class::run(text, column, SPACE);
    let open = Carry::Pem(Block {
        column,
        lines: 0,
        body: false,
    });
    let mut length = rest.iter().position(|&b| !in_body(b)).unwrap_or(rest.len());
    let at_end = start + length == text.len();
    while length > 0 && (rest[length - 1] == b'\\' || class::is(rest[length - 1], SPACE)) {
        length -= 1;
    }
    let end = start + length;
    if longest_word(&rest[..length]) < MIN_BODY {
        let bare = class::run(text, start, SPACE | QUOTE) == text.len();
        return (bare && view.to_end).then(|| Found::carrying(text.len(), RuleId::PrivateKey, open));
    }
    let mut found = Found::new(RuleId::PrivateKey, start..end, Stop::Pem);
    if at_end && view.to_end {
        found.carry = Some(Carry::Pem(Block {
            column: 0,
            lines: 0,
            body: true,
        }));
    } else if at_end {
        found.range.end = text.len();
    }
    Some(found)
}

fn longest_word(text: &[u8]) -> usize {
    text.split(|&b| !in_line(b)).map(<[u8]>::len).max().unwrap_or(0)
}

/// The base64 of a file with a private key, found by the header inside.
pub(crate) fn in_base64(view: View<'_>, at: &Range<usize>) -> Option<Found> {
    let text = view.text;
    IN_BASE64.iter().find(|form| text[at.clone()] == *form.as_bytes())?;
    let start = class::run_back(text, at.start, BASE64, MAX_BACK);
    let body = class::run(text, at.end, BASE64);
    let end = body + text[body..].iter().take_while(|&&b| b == b'=').count();
    let mut found = Found::new(RuleId::PrivateKey, start..end, Stop::Class(BASE64));
    let last = class::run(text, end, SPACE) == text.len();
    if last && view.to_end && WRAPS.contains(&(end - start)) {
        found.carry = Some(Carry::Pem(Block {
            column: 0,
            lines: 0,
            body: true,
        }));
    }
    Some(found)
}

impl Block {
    /// Judges a line after the header. Whatever cannot be in a PEM block ends it: a header in an error message must not
    /// cost the lines after it.
    pub(crate) fn judge(self, line: &[u8]) -> Verdict {
        let ordinary = Verdict::ordinary(RuleId::PrivateKey);
        if self.lines >= MAX_LINES {
            return ordinary;
        }
        let next = |body| {
            Some(Carry::Pem(Self {
                lines: self.lines + 1,
                body,
                ..self
            }))
        };
        let decoration = |b: u8| class::is(b, SPACE | QUOTE) || matches!(b, b'>' | b'|' | b'#' | b',' | b'\\');
        let start = line.iter().position(|&b| !decoration(b)).unwrap_or(line.len());
        let mut end = line
            .iter()
            .rposition(|&b| !decoration(b))
            .map_or(start, |last| last + 1);
        if end >= start + 2 && line[..end].ends_with(b"\\n") {
            end -= 2;
        }
        if let Some(footer) =
            memchr::memmem::find(line, b"---- END").or_else(|| memchr::memmem::find(line, b"-----END"))
        {
            let range = if footer > start && line[start..footer].iter().all(|&b| in_line(b)) {
                start..footer
            } else {
                0..0
            };
            return Verdict {
                range,
                scan_from: footer,
                ..ordinary
            };
        }
        let redact = |range: Range<usize>| Verdict {
            range,
            stop: Stop::Pem,
            next: next(true),
            scan_from: line.len(),
            rule: RuleId::PrivateKey,
        };
        // Lines that stay are looked at as any others.
        let pass = |body| Verdict {
            next: next(body),
            ..Verdict::ordinary(RuleId::PrivateKey)
        };
        if start == end {
            return pass(self.body);
        }
        if line[..end].ends_with(b"[REDACTED:private-key]") {
            return pass(true);
        }
        if line[start..end].iter().all(|&b| in_line(b)) {
            return if self.body || end - start >= MIN_BODY {
                redact(start..end)
            } else {
                ordinary
            };
        }
        let same_prefix = self.column > start
            && self.column < end
            && !in_line(line[self.column - 1])
            && line[self.column..end].iter().all(|&b| in_line(b))
            && (self.body || end - self.column >= MIN_BODY);
        if same_prefix {
            return Verdict {
                scan_from: 0,
                ..redact(self.column..end)
            };
        }
        let word = line[..end]
            .iter()
            .rposition(|&b| !in_line(b))
            .map_or(start, |last| last + 1);
        if end - word >= MIN_PREFIXED {
            // What stands before is no part of the block.
            return Verdict {
                scan_from: 0,
                ..redact(word..end)
            };
        }
        if !self.body && is_header(&line[start..end]) {
            pass(false)
        } else {
            ordinary
        }
    }
}

/// `Proc-Type: 4,ENCRYPTED` and its like, between the header and the body.
fn is_header(line: &[u8]) -> bool {
    let name = class::run(line, 0, class::NAME);
    name > 0 && line[0].is_ascii_uppercase() && line.get(name..).is_some_and(|rest| rest.starts_with(b": "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const BODY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";

    fn open(column: usize, body: bool) -> Block {
        Block { column, lines: 0, body }
    }

    #[rstest]
    #[case::body(0, false, BODY, BODY)]
    #[case::indented(0, false, "    MIIEvQIBADANBgkqhkiG9w0BA\r", "MIIEvQIBADANBgkqhkiG9w0BA")]
    #[case::short_last_line(0, true, "QQ==", "QQ==")]
    #[case::word_after_header(0, false, "failed", "")]
    #[case::sentence(0, true, "I1120 12:00:00.000000 1 main.go:1] the key was refused", "")]
    #[case::same_prefix(6, true, "host: QQ==", "QQ==")]
    fn lines_of_a_block(#[case] column: usize, #[case] body: bool, #[case] line: &str, #[case] secret: &str) {
        let verdict = open(column, body).judge(line.as_bytes());
        assert_eq!(line.get(verdict.range), Some(secret));
        assert_eq!(verdict.next.is_some(), !secret.is_empty());
    }

    #[test]
    fn a_long_word_after_another_prefix_is_a_body() {
        let line = format!("Nov 20 12:00:01 host prog[1]: {BODY}");
        assert_eq!(open(0, false).judge(line.as_bytes()).range, 30..line.len());
    }

    #[test]
    fn a_block_that_never_ends_is_given_up() {
        let full = Block {
            lines: MAX_LINES,
            ..open(0, true)
        };
        assert!(full.judge(BODY.as_bytes()).next.is_none());
    }

    #[test]
    fn the_base64_forms_are_those_of_the_words() {
        use base64::Engine;
        for (shift, form) in IN_BASE64.iter().enumerate() {
            let text = format!("{}PRIVATE KEY-----", "-".repeat(shift));
            assert!(
                base64::engine::general_purpose::STANDARD.encode(text).contains(form),
                "{form}"
            );
        }
    }
}

//! Credentials in HTTP headers, however they were printed: as headers, in JSON, as Go maps, on a command line of curl.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::class::{self, BASE64, NAME, QUOTE, SPACE, TOKEN};
use crate::found::{Found, Stop, View};
use crate::marker;
use crate::rules::RuleId;
use crate::value::{self, Tie, Value};

/// Schemes whose credentials are one word.
const ONE_WORD: &[&str] = &[
    "bearer",
    "basic",
    "token",
    "apikey",
    "negotiate",
    "ntlm",
    "sharedkey",
    "sharedkeylite",
    "sharedaccesssignature",
    "pop",
];
/// Schemes whose credentials are a list of parameters.
const PARAMETERS: &[&str] = &[
    "digest",
    "aws4-hmac-sha256",
    "oauth",
    "hawk",
    "signature",
    "hmac-sha256",
];
/// Shorter words after `Bearer` are prose.
const MIN_BEARER: usize = 8;
/// As much of an `auth` entry as holds the end of its user name.
const AUTH_PREFIX: usize = 256;

/// What the letters `auth` at `at` begin: an Authorization header or an entry of a Docker configuration.
pub(crate) fn auth(view: View<'_>, at: &Range<usize>) -> Option<Found> {
    let text = view.text;
    if class::follows(text, at.end, b"orization") {
        return authorization(view, &(at.start..at.end + 9));
    }
    if text.get(at.end).is_some_and(|&b| class::is(b, NAME)) || (at.start > 0 && class::is(text[at.start - 1], NAME)) {
        return None;
    }
    let value = value::after(text, at)?;
    let entry = text.get(value.range.clone())?;
    let body = class::run(entry, 0, BASE64);
    let number = !value.quoted && entry.iter().all(u8::is_ascii_digit);
    if body < 8 || number || !entry[body..].iter().all(|&b| b == b'=') {
        return None;
    }
    let head = &entry[..body.min(AUTH_PREFIX)];
    let whole = &head[..head.len() - usize::from(head.len() % 4 == 1)];
    let decoded = STANDARD_NO_PAD
        .decode(whole)
        .or_else(|_| STANDARD_NO_PAD.decode(&whole[..whole.len() / 4 * 4]))
        .ok()?;
    decoded
        .contains(&b':')
        .then(|| Found::new(RuleId::DockerAuth, value.range, value.stop))
}

fn authorization(view: View<'_>, word: &Range<usize>) -> Option<Found> {
    let text = view.text;
    if class::run(text, word.end, NAME) != word.end {
        return None;
    }
    let value = value::after(text, word)?;
    if !matches!(value.tie, Tie::Colon | Tie::Equals) {
        return None;
    }
    let start = value.range.start;
    let limit = if value.quoted { value.range.end } else { text.len() };
    let scheme = class::run(text, start, NAME).min(limit);
    let named = |list: &[&str]| {
        list.iter()
            .any(|known| text[start..scheme].eq_ignore_ascii_case(known.as_bytes()))
    };
    let after = class::run(text, scheme, SPACE).min(limit);
    let (range, stop) = if after > scheme && named(ONE_WORD) {
        (after..word_end(&text[..limit], after), Stop::Word)
    } else if after > scheme && named(PARAMETERS) {
        (after..header_end(&text[..limit], after), Stop::Line)
    } else {
        opaque(text, &value)?
    };
    keep_placeholders(text, range).map(|range| Found::new(RuleId::Authorization, range, stop))
}

/// A value without a known scheme: a token alone, not a sentence.
fn opaque(text: &[u8], value: &Value) -> Option<(Range<usize>, Stop)> {
    let found = &text[value.range.clone()];
    let token =
        found.len() >= MIN_BEARER && found.iter().all(|&b| class::is(b, TOKEN)) && found.iter().any(u8::is_ascii_digit);
    token.then(|| (value.range.clone(), value.stop))
}

/// Nothing to do where the client has masked the credentials itself.
fn keep_placeholders(text: &[u8], range: Range<usize>) -> Option<Range<usize>> {
    let found = text.get(range.clone())?;
    let masked = found.first().is_none_or(|&b| matches!(b, b'<' | b'$' | b'{')) || found.iter().all(|&b| b == b'*');
    (!masked && !marker::begins(text, range.start)).then_some(range)
}

/// The word after `Bearer` at `at`.
pub(crate) fn bearer(view: View<'_>, at: &Range<usize>) -> Option<Found> {
    let text = view.text;
    let start = [&b"%20"[..], b"\\u0020", b"+"]
        .iter()
        .find(|space| class::follows(text, at.end, space))
        .map_or_else(|| class::run(text, at.end, SPACE), |space| at.end + space.len());
    if start == at.end {
        return None;
    }
    let end = class::run(text, start, TOKEN);
    let token = text.get(start..end)?;
    let letters = token.iter().skip(1).any(u8::is_ascii_uppercase) && token.iter().any(u8::is_ascii_lowercase);
    let opaque = token.iter().any(u8::is_ascii_digit) || letters || token.len() >= 24;
    // `Bearer realm="…"` is the question, not the answer.
    let question = token.ends_with(b"=") && text.get(end) == Some(&b'"');
    (token.len() >= MIN_BEARER && opaque && !question)
        .then(|| Found::new(RuleId::BearerToken, start..end, Stop::Class(TOKEN)))
}

/// The value of a Cookie or Set-Cookie header whose `cookie` lies at `at`.
pub(crate) fn cookie(view: View<'_>, at: &Range<usize>) -> Option<Found> {
    let text = view.text;
    let start = class::run_back(text, at.start, NAME, 16);
    let head = &text[start..at.start];
    let known = head.is_empty() || head.eq_ignore_ascii_case(b"set-") || after_line_escape(head);
    if !known || class::run(text, at.end, NAME) != at.end {
        return None;
    }
    let value = value::after(text, at)?;
    if value.tie != Tie::Colon {
        return None;
    }
    let start = value.range.start;
    let end = if value.quoted {
        value.range.end
    } else {
        header_end(text, start)
    };
    let found = &text[start..end];
    let stop = if value.quoted { value.stop } else { Stop::Line };
    (found.contains(&b'=') && !marker::begins(text, start)).then(|| Found::new(RuleId::Cookie, start..end, stop))
}

/// In `\r\nCookie` the letter before the name belongs to an escape.
fn after_line_escape(head: &[u8]) -> bool {
    matches!(head, b"n" | b"r" | b"t") || (head.len() == 5 && head[1..].eq_ignore_ascii_case(b"set-"))
}

/// Where credentials of one word end.
fn word_end(text: &[u8], start: usize) -> usize {
    let outside = |b: u8| class::is(b, SPACE | QUOTE) || matches!(b, b']' | b'}' | b',' | b'\\');
    end_of(text, start, outside)
}

/// Where a header ends: at a quote, at an escape or at the end of the line.
fn header_end(text: &[u8], start: usize) -> usize {
    let end = end_of(text, start, |b| matches!(b, b'"' | b'\\' | b']'));
    class::run_back(text, end, SPACE, end - start)
}

/// The first byte outside, or a marker.
fn end_of(text: &[u8], start: usize, outside: impl Fn(u8) -> bool) -> usize {
    let ends = |at: &usize| outside(text[*at]) || (text[*at] == b'[' && marker::begins(text, *at));
    (start..text.len()).find(ends).unwrap_or(text.len())
}

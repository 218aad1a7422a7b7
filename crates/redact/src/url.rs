//! Secrets in URLs: signatures among the parameters, passwords before the host. It does not parse URLs as a browser
//! would: what is in a log is often cut, quoted or encoded.

use std::ops::Range;

use crate::class::{self, DIGIT, NAME, QUOTE, SPACE};
use crate::found::{Found, Stop, View};
use crate::marker;
use crate::rules::RuleId;
use crate::value::quote_at;

/// User, password and host lie within this many bytes; tokens as passwords are below 4 KiB.
const MAX_AUTHORITY: usize = 4096;
/// The signature of a SAS has 43 or 44 characters; a signal or a short word has fewer.
const MIN_SIGNATURE: usize = 16;
/// A user alone that is this long is a token.
const MIN_TOKEN_USER: usize = 20;

/// The signature after `sig=`, in any spelling of `=`, at `at`.
pub(crate) fn sas(view: View<'_>, at: &Range<usize>) -> Option<Found> {
    let text = view.text;
    if at.start > 0 && class::is(text[at.start - 1], NAME) && !after_escape(text, at.start) {
        return None;
    }
    let start = match text[at.end - 1] {
        b'"' | b'\\' => after_quoted_name(text, at.start + 3)?,
        _ => at.end,
    };
    let end = parameter_end(text, start);
    (end - start >= MIN_SIGNATURE).then(|| Found::new(RuleId::AzureSas, start..end, Stop::Word))
}

/// The start of the value after `sig\u003d` or `"sig":"`, whose backslashes or quote begin at `at`.
fn after_quoted_name(text: &[u8], at: usize) -> Option<usize> {
    let escape = at + class::backslashes_at(text, at);
    if class::follows(text, escape, b"u003d") {
        return Some(escape + 5);
    }
    let colon = class::run(text, quote_at(text, at)?.2, SPACE);
    let open = class::run(text, colon + 1, SPACE);
    (text.get(colon) == Some(&b':'))
        .then(|| quote_at(text, open))
        .flatten()
        .map(|(_, _, start)| start)
}

/// Whether `%26`, `%3F` or `\u0026` ends at `at`.
fn after_escape(text: &[u8], at: usize) -> bool {
    let before = &text[..at];
    [&b"%26"[..], b"%3f", b"%3F", b"%2526", b"\\u0026"]
        .iter()
        .any(|escape| before.ends_with(escape))
}

/// Where the value of a parameter ends.
fn parameter_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(&byte) = text.get(at) {
        let goes_on = match byte {
            b'%' => ![&b"%26"[..], b"%22", b"%20", b"%2526"]
                .iter()
                .any(|escape| class::follows(text, at, escape)),
            b => class::is(b, class::TOKEN),
        };
        if !goes_on {
            break;
        }
        at += 1;
    }
    at
}

/// The password of the URL whose `://` lies at `at`.
pub(crate) fn password(view: View<'_>, at: &Range<usize>) -> Option<Found> {
    let text = view.text;
    let start = at.end;
    if marker::begins(text, start) {
        return None;
    }
    let window = &text[start..text.len().min(start + MAX_AUTHORITY)];
    // Most URLs show with their first separator that there is neither a user nor a password.
    let first = window.iter().position(|&b| !class::is(b, NAME)).unwrap_or(window.len());
    if matches!(window.get(first), None | Some(b'/' | b' ' | b'"')) {
        return None;
    }
    let url = &window[..run_of_url(window)];
    // The last `@` before the path ends the password, unless the password itself holds a slash.
    let path = url
        .iter()
        .position(|b| matches!(b, b'/' | b'?' | b'#'))
        .unwrap_or(url.len());
    let Some(colon) = url[..path].iter().position(|&b| b == b':') else {
        return token_as_user(&url[..path], start);
    };
    let host = match url[..path].iter().rposition(|&b| b == b'@') {
        Some(host) if host > colon => host,
        Some(_) => return None,
        None => {
            let port = !url[colon + 1..path].is_empty() && url[colon + 1..path].iter().all(|&b| class::is(b, DIGIT));
            let ipv6 = url.first() == Some(&b'[');
            if path == url.len() || port || ipv6 || path == colon + 1 {
                return None;
            }
            url.iter().rposition(|&b| b == b'@')?
        }
    };
    let secret = start + colon + 1..start + host;
    (!secret.is_empty() && !marker::within(&text[secret.clone()]))
        .then(|| Found::new(RuleId::UrlPassword, secret, Stop::Word))
}

/// `https://<token>@host`.
fn token_as_user(authority: &[u8], start: usize) -> Option<Found> {
    let host = authority.iter().rposition(|&b| b == b'@')?;
    let user = &authority[..host];
    let opaque = user.len() >= MIN_TOKEN_USER
        && user.iter().any(u8::is_ascii_digit)
        && user.iter().all(|&b| class::is(b, class::TOKEN));
    opaque.then(|| Found::new(RuleId::UrlPassword, start..start + host, Stop::Word))
}

/// How many bytes of the text can be in one URL.
fn run_of_url(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let ends = match byte {
            b if class::is(b, SPACE | QUOTE) => true,
            b'<' | b'>' => true,
            b'\\' => !class::follows(text, at, b"\\u00"),
            _ => false,
        };
        if ends {
            break;
        }
        at += 1;
    }
    at
}

/// The same in a URL that is itself a parameter: `%3A%2F%2Fuser%3Apass%40host`.
pub(crate) fn encoded_password(view: View<'_>, at: &Range<usize>) -> Option<Found> {
    let text = view.text;
    let end = encoded_end(text, at.end);
    let url = &text[at.end..end];
    let lower = url.to_ascii_lowercase();
    let path = memchr::memmem::find(&lower, b"%2f").unwrap_or(url.len());
    let colon = memchr::memmem::find(&lower[..path], b"%3a")?;
    let host = memchr::memmem::rfind(&lower[..path], b"%40")?;
    (colon + 3 < host).then(|| Found::new(RuleId::UrlPassword, at.end + colon + 3..at.end + host, Stop::Word))
}

fn encoded_end(text: &[u8], start: usize) -> usize {
    let window = &text[start..text.len().min(start + MAX_AUTHORITY)];
    start
        + window
            .iter()
            .position(|&b| !(class::is(b, NAME) || matches!(b, b'%' | b'~' | b'+' | b'*')))
            .unwrap_or(window.len())
}

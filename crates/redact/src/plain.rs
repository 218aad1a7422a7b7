//! Values of suspicious names in any kind of text, and which values are certainly no secrets. It finds `name: value`
//! pairs; secrets that are known by their form alone are found in [`crate::token`].

use std::ops::Range;

use crate::carry::Carry;
use crate::class::{self, BASE64, DIGIT, NAME, SPACE};
use crate::found::{Found, Stop, View};
use crate::marker;
use crate::name::{self, Kind, Name, Word};
use crate::rules::RuleId;
use crate::value::{self, Tie, Value};

/// The keys of storage and Cosmos accounts are 64 bytes: 86 characters of base64 and `==`.
const ACCOUNT_KEY: usize = 86;

/// Words that stand where a value would, in messages about secrets and in settings.
const NO_VALUES: &[&str] = &[
    "true",
    "false",
    "null",
    "nil",
    "<nil>",
    "none",
    "undefined",
    "yes",
    "no",
    "on",
    "off",
    "required",
    "optional",
    "default",
    "unknown",
    "invalid",
    "expired",
    "missing",
    "enabled",
    "disabled",
    "redacted",
    "~",
    "\\0",
];

/// Folders that begin an absolute path on a node or in a container; base64 may begin with `/` too.
const ROOTS: &[&str] = &[
    "/app/",
    "/bin/",
    "/data/",
    "/dev/",
    "/etc/",
    "/home/",
    "/host/",
    "/mnt/",
    "/opt/",
    "/proc/",
    "/root",
    "/run/",
    "/secrets/",
    "/srv/",
    "/sys/",
    "/tmp/",
    "/usr/",
    "/var/",
    "./",
    "../",
    "file:",
];

/// The value of the name around the word at `word`.
pub(crate) fn named(view: View<'_>, word: &Range<usize>, what: Word) -> Option<Found> {
    let text = view.text;
    let name = name::around(text, word, what)?;
    if marker::ends(text, name.range.start) {
        // The name was longer before.
        return None;
    }
    let Some(value) = value::after(text, &name.range) else {
        return value_on_next_line(view, &name);
    };
    let found = &text[value.range.clone()];
    if value.range.is_empty() || marker::begins(found, 0) || (value.quoted && marker::within(found)) {
        return None;
    }
    if found.starts_with(b"-----BEGIN ") {
        // Only the body goes, and only that of a private key.
        return None;
    }
    if let Some(block) = block_scalar(view, &name, &value) {
        return Some(block);
    }
    if name.kind == Kind::Weak {
        return account_key(text, &value);
    }
    if is_no_secret(view, &name, &value, found) {
        return None;
    }
    let rule = match name.rule {
        RuleId::Token if is_bootstrap_token(found) => RuleId::BootstrapToken,
        _ if value.tie == Tie::Environment => RuleId::EnvValue,
        rule => rule,
    };
    let mut hit = Found::new(rule, value.range.clone(), value.stop);
    if is_json_number(&value, found) {
        hit.quoted = value.name_quote;
    }
    Some(hit)
}

/// A JSON value without quotes; the marker must bring its own.
fn is_json_number(value: &Value, found: &[u8]) -> bool {
    let number = found
        .iter()
        .all(|&b| class::is(b, DIGIT) || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
    !value.quoted && value.tie == Tie::Colon && value.name_quote.is_some() && number
}

/// 88 characters of base64 after a name with `key`: long enough that nothing else looks like it.
fn account_key(text: &[u8], value: &Value) -> Option<Found> {
    let start = value.range.start;
    let end = class::run(text, start, BASE64);
    (end - start == ACCOUNT_KEY && class::follows(text, end, b"=="))
        .then(|| Found::new(RuleId::AzureStorageKey, start..end + 2, Stop::Class(BASE64)))
}

/// `"name": "DB_PASSWORD",` at the end of a line: the value is on the next one.
fn value_on_next_line(view: View<'_>, name: &Name) -> Option<Found> {
    if !view.to_end || name.kind == Kind::Weak {
        return None;
    }
    let (before, after) = (view.text.get(..name.range.start)?, view.text.get(name.range.end..)?);
    let ends = after
        .iter()
        .all(|&b| class::is(b, SPACE | class::QUOTE) || matches!(b, b',' | b'\\'));
    let before = before
        .iter()
        .rposition(|&b| b.is_ascii_alphanumeric())
        .map_or(&b""[..], |at| &before[..=at]);
    let key = &before[class::run_back(before, before.len(), NAME, 8)..];
    let key = [&b"name"[..], b"key"]
        .iter()
        .any(|word| key.eq_ignore_ascii_case(word) || key.eq_ignore_ascii_case(&[b"-", *word].concat()));
    let tied = view
        .text
        .get(before.len()..name.range.start)
        .is_some_and(|gap| gap.contains(&b':'));
    (ends && key && tied).then(|| Found::carrying(view.text.len(), RuleId::EnvValue, Carry::environment()))
}

/// `password: |` in YAML: the value is the block below.
fn block_scalar(view: View<'_>, name: &Name, value: &Value) -> Option<Found> {
    let head = &view.text[value.range.clone()];
    let is_block = !value.quoted
        && value.tie == Tie::Colon
        && matches!(head.first(), Some(b'|' | b'>'))
        && view.to_end
        && view
            .text
            .get(value.range.start + 1..)?
            .iter()
            .all(|&b| matches!(b, b'+' | b'-' | b'0'..=b'9') || class::is(b, SPACE));
    let indent = class::run(view.text, 0, SPACE);
    // The name must begin the line, or its indentation means nothing.
    (is_block && view.from_start && name.kind != Kind::Weak && before_name(view.text, name).is_some())
        .then(|| Found::carrying(view.text.len(), name.rule, Carry::block(indent, name.rule)))
}

/// What stands before a name that begins its line: white space, list dashes, `export`, a quote.
fn before_name<'a>(text: &'a [u8], name: &Name) -> Option<&'a [u8]> {
    let before = text.get(..name.range.start)?;
    let bare = class::trim(before);
    matches!(bare, b"" | b"-" | b"export" | b"\"" | b"'" | b"- \"" | b"set" | b"ENV").then_some(before)
}

fn is_no_secret(view: View<'_>, name: &Name, value: &Value, found: &[u8]) -> bool {
    let bare_word = NO_VALUES.iter().any(|word| found.eq_ignore_ascii_case(word.as_bytes()));
    if bare_word || is_placeholder(found) || is_path(found) || is_url(found) {
        return true;
    }
    if !value.quoted && matches!(found[0], b'{' | b'[') {
        return true;
    }
    // The working directory of a shell.
    if name.kind == Kind::Password && found[0] == b'/' && is_working_directory(&view.text[name.range.clone()]) {
        return true;
    }
    if name.kind == Kind::Opaque {
        if is_quantity(found) || (name.bare && name.rule == RuleId::Secret && is_object_name(found)) {
            return true;
        }
        if found[0] == b'*' {
            // A Go type: `type=*v1.Secret`.
            return true;
        }
    }
    if value.quoted || value.tie == Tie::Equals || is_json_number(value, found) {
        return false;
    }
    is_prose(view, name, value, found)
}

/// `token: cannot use` and `--password is required`: a word of a sentence.
fn is_prose(view: View<'_>, name: &Name, value: &Value, found: &[u8]) -> bool {
    let word = found
        .iter()
        .all(|&b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'.' | b',' | b':' | b'\'' | b'!' | b'?'));
    let one_case =
        found.iter().skip(1).all(|b| !b.is_ascii_uppercase()) || found.iter().all(|b| !b.is_ascii_lowercase());
    if !word || !one_case || found.len() >= 24 {
        return false;
    }
    if !matches!(value.tie, Tie::Colon | Tie::Argument) {
        return false;
    }
    let after = class::run(view.text, value.range.end, SPACE);
    if value.tie == Tie::Argument && view.text.get(after) == Some(&b'-') {
        // Another flag follows: a command, not a sentence.
        return false;
    }
    let last = view.to_end && after == view.text.len();
    let first = view.from_start && before_name(view.text, name).is_some();
    match name.kind {
        Kind::Password => !last,
        _ => !(first && last),
    }
}

/// Values that somebody has hidden already, or that a template will fill in.
pub(crate) fn is_placeholder(found: &[u8]) -> bool {
    let hidden = found.iter().all(|&b| matches!(b, b'*' | b'.' | b'-' | b'_'))
        || found.iter().all(|&b| matches!(b, b'x' | b'X'));
    let template = [
        (&b"${"[..], b'}'),
        (b"$(", b')'),
        (b"{{", b'}'),
        (b"<", b'>'),
        (b"%!", b')'),
    ];
    hidden
        || found.starts_with(b"<set")
        || found.starts_with(b"\\u003c")
        || template
            .iter()
            .any(|(open, close)| found.starts_with(open) && found.ends_with(&[*close]))
        || (found.starts_with(b"&") && found.ends_with(b"{"))
}

fn is_path(found: &[u8]) -> bool {
    ROOTS.iter().any(|root| found.starts_with(root.as_bytes()))
        && found
            .iter()
            .all(|&b| class::is(b, NAME) || matches!(b, b'/' | b':' | b'*'))
}

fn is_working_directory(name: &[u8]) -> bool {
    [&b"pwd"[..], b"oldpwd"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

fn is_url(found: &[u8]) -> bool {
    let scheme = class::run(found, 0, class::WORD);
    scheme > 0 && found.get(scheme..).is_some_and(|rest| rest.starts_with(b"://"))
}

/// Numbers, durations and sizes: `token: 5`, `10s`, `1h30m`, `4Ki`.
fn is_quantity(found: &[u8]) -> bool {
    found.len() <= 12
        && class::is(found[0], DIGIT)
        && found.iter().all(|b| {
            matches!(
                b,
                b'0'..=b'9' | b'.' | b'%' | b'h' | b'm' | b's' | b'n' | b'u' | b'k' | b'K' | b'M' | b'G' | b'i' | b'B'
            )
        })
}

/// `namespace/name`, as controllers log the Secret they mean.
fn is_object_name(found: &[u8]) -> bool {
    let label = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    let mut parts = found.split(|&b| b == b'/');
    let two = matches!((parts.next(), parts.next(), parts.next()), (Some(a), Some(b), None) if !a.is_empty() && !b.is_empty());
    two && found.iter().all(|b| label(b) || *b == b'/')
}

/// `[a-z0-9]{6}\.[a-z0-9]{16}`, as kubeadm and AKS nodes use for joining.
fn is_bootstrap_token(found: &[u8]) -> bool {
    let lower = |part: &[u8]| part.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    found.len() == 23 && found[6] == b'.' && lower(&found[..6]) && lower(&found[7..])
}

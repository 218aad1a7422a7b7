//! Names whose values are secrets: what a key, flag, variable or header is called. It does not look at values.

use std::ops::Range;

use crate::class::{self, NAME};
use crate::rules::RuleId;

/// Names are not longer than this on either side of the word that makes them suspicious.
const MAX_SIDE: usize = 64;

/// How sure a name makes us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Passwords are whatever people think of, plain words and numbers too.
    Password,
    /// Tokens, secrets and keys are made by machines.
    Opaque,
    /// Only a value of the form of an account key is a secret.
    Weak,
}

/// A name and what it promises.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    /// The whole name in the text.
    pub(crate) range: Range<usize>,
    pub(crate) rule: RuleId,
    pub(crate) kind: Kind,
    /// The name is the bare word, as in `secret=`.
    pub(crate) bare: bool,
}

/// The word that drew attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Pass,
    Pwd,
    Token,
    Secret,
    Key,
    Credential,
    Signature,
}

impl Word {
    /// Every word, to find one in a name that is known to be a name.
    pub(crate) const ALL: &[(&str, Self)] = &[
        ("pass", Self::Pass),
        ("pwd", Self::Pwd),
        ("token", Self::Token),
        ("secret", Self::Secret),
        ("key", Self::Key),
        ("credential", Self::Credential),
        ("signature", Self::Signature),
    ];
}

/// What the last word of a name says when the value is *about* a secret and is none: `secretName`, `token-ttl`.
const ABOUT: &[&str] = &[
    "name",
    "names",
    "namespace",
    "ref",
    "refs",
    "reference",
    "file",
    "files",
    "filename",
    "path",
    "paths",
    "dir",
    "directory",
    "seconds",
    "ttl",
    "expiration",
    "expires",
    "expiry",
    "timeout",
    "interval",
    "duration",
    "type",
    "kind",
    "count",
    "version",
    "url",
    "uri",
    "endpoint",
    "host",
    "address",
    "provider",
    "length",
    "len",
    "size",
    "policy",
    "enabled",
    "disabled",
    "enable",
    "mode",
    "review",
    "reviews",
    "request",
    "requests",
    "limit",
    "usage",
    "used",
    "audience",
    "audiences",
    "issuer",
    "volume",
    "mount",
    "manager",
    "controller",
    "store",
    "driver",
    "class",
    "index",
    "format",
    "algorithm",
    "status",
    "state",
    "error",
    "exists",
    "found",
    "required",
    "rotation",
    "age",
    "max",
    "min",
    "id",
    "uid",
    "time",
    "at",
    "date",
    "source",
    "projection",
    "selector",
    "label",
    "prefix",
    "suffix",
    "field",
    "header",
    "hint",
    "webhook",
    "auth",
    "bucket",
    "cache",
    "reason",
    "message",
    "generation",
    "changed",
];

/// What may be written onto the word without a break: `passwordhash`, `tokens`.
const JOINED: &[&str] = &[
    "s", "key", "keys", "value", "data", "string", "text", "hash", "base64", "b64",
];

/// What makes a key a secret one: `apiKey`, `storage_account_key`.
const KEY_OF: &[&str] = &[
    "api",
    "access",
    "account",
    "shared",
    "secret",
    "private",
    "encryption",
    "signing",
    "master",
    "primary",
    "secondary",
    "storage",
    "subscription",
    "admin",
    "function",
    "service",
    "app",
    "license",
    "auth",
    "consumer",
    "session",
];

/// The name around the word at `word`, if its value would be a secret.
pub(crate) fn around(text: &[u8], word: &Range<usize>, what: Word) -> Option<Name> {
    let word = word.start..word_end(text, word, what)?;
    let end = class::run(text, word.end, NAME).min(word.end + MAX_SIDE);
    let tail = text.get(word.end..end)?;
    if !tail.is_empty() && is_about(tail) {
        return None;
    }
    let start = class::run_back(text, word.start, NAME, MAX_SIDE);
    let head = text.get(start..word.start)?;
    let (rule, kind) = classify(head, tail, what)?;
    let bare = head.is_empty() && tail.is_empty();
    Some(Name {
        range: start..end,
        rule,
        kind,
        bare,
    })
}

/// The rule for a whole name, where objects have names and values apart.
pub(crate) fn of(name: &str) -> Option<Name> {
    let lower = name.to_ascii_lowercase();
    let mut places: Vec<(usize, usize, Word)> = Word::ALL
        .iter()
        .flat_map(|&(word, what)| {
            lower
                .match_indices(word)
                .map(move |(at, _)| (at, at + word.len(), what))
        })
        .collect();
    places.sort_unstable_by_key(|&(start, ..)| start);
    places.into_iter().find_map(|(start, end, what)| {
        around(name.as_bytes(), &(start..end), what)
            .filter(|found| found.kind != Kind::Weak && found.range == (0..name.len()))
    })
}

/// `pass` is only the beginning of the words that it stands for.
fn word_end(text: &[u8], word: &Range<usize>, what: Word) -> Option<usize> {
    if what != Word::Pass {
        return Some(word.end);
    }
    for rest in [&b"word"[..], b"phrase", b"wd", b"code"] {
        if class::follows(text, word.end, rest) {
            return Some(word.end + rest.len());
        }
    }
    // `pass` itself, but not `bypass` nor `passed`.
    let before = word.start.checked_sub(1).and_then(|at| text.get(at));
    let after = text.get(word.end);
    let joined = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphabetic);
    let camel = text.get(word.start) == Some(&b'P') && before.is_some_and(u8::is_ascii_lowercase);
    ((camel || !joined(before)) && !joined(after)).then_some(word.end)
}

/// Whether the rest of a name turns it into something that is not secret.
fn is_about(tail: &[u8]) -> bool {
    let listed = |list: &[&str], word: &[u8]| list.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
    let last = last_word(tail);
    if listed(ABOUT, last) {
        return true;
    }
    // `tokenizer`, `keyboard`, `secretary`: another word altogether.
    let joined = tail.iter().take_while(|b| b.is_ascii_lowercase()).count();
    joined > 0 && !listed(JOINED, &tail[..joined])
}

/// The last word of `NameLikeThis`, `name_like_this`, `name-like.this`, without digits after it.
fn last_word(tail: &[u8]) -> &[u8] {
    let end = tail.iter().rposition(u8::is_ascii_alphabetic).map_or(0, |at| at + 1);
    let tail = &tail[..end];
    let mut start = end;
    while start > 0 && tail[start - 1].is_ascii_alphabetic() {
        start -= 1;
        if tail[start].is_ascii_uppercase() && tail.get(start + 1).is_some_and(u8::is_ascii_lowercase) {
            break;
        }
    }
    &tail[start..]
}

fn classify(head: &[u8], tail: &[u8], what: Word) -> Option<(RuleId, Kind)> {
    let after = |word: &str| ends_with_word(head, word);
    let opaque = |rule| Some((rule, Kind::Opaque));
    match what {
        Word::Pass | Word::Pwd => Some((RuleId::Password, Kind::Password)),
        Word::Token => opaque(RuleId::Token),
        Word::Secret if after("client") => Some((RuleId::AzureClientSecret, Kind::Password)),
        Word::Secret if after("aws") => opaque(RuleId::AwsKey),
        Word::Secret => opaque(RuleId::Secret),
        Word::Signature if after("") => opaque(RuleId::Signature),
        Word::Signature | Word::Credential => None,
        Word::Key if after("sharedaccess") => opaque(RuleId::SharedAccessKey),
        Word::Key if after("account") => opaque(RuleId::AzureStorageKey),
        Word::Key if after("client") && tail.eq_ignore_ascii_case(b"-data") => opaque(RuleId::ClientKey),
        // Names of keys are everywhere; `privateKeyData` and its like are caught by what they hold.
        Word::Key if tail.iter().all(u8::is_ascii_digit) && KEY_OF.iter().any(|of| after(of)) => opaque(RuleId::ApiKey),
        Word::Key => Some((RuleId::AzureStorageKey, Kind::Weak)),
    }
}

/// Whether a name ends with a word, whatever its case and separators.
fn ends_with_word(head: &[u8], word: &str) -> bool {
    let mut letters = head.iter().rev().filter(|b| b.is_ascii_alphanumeric());
    word.bytes()
        .rev()
        .all(|wanted| letters.next().is_some_and(|b| b.eq_ignore_ascii_case(&wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("password", Some("password"))]
    #[case("DB_PASSWORD", Some("password"))]
    #[case("dbPass", Some("password"))]
    #[case("passwd2", Some("password"))]
    #[case("passwordFile", None)]
    #[case("password-file", None)]
    #[case("bypass", None)]
    #[case("passthrough", None)]
    #[case("token", Some("token"))]
    #[case("tokenExpirationSeconds", None)]
    #[case("tokenizer", None)]
    #[case("authentication-token-webhook-cache-ttl", None)]
    #[case("AWS_SESSION_TOKEN", Some("token"))]
    #[case("secretName", None)]
    #[case("secret_key_base", Some("secret"))]
    #[case("aws_secret_access_key", Some("aws-key"))]
    #[case("aadClientSecret", Some("azure-client-secret"))]
    #[case("AZURE_CLIENT_SECRET", Some("azure-client-secret"))]
    #[case("apiKey", Some("api-key"))]
    #[case("x-api-key", Some("api-key"))]
    #[case("azurestorageaccountkey", Some("azure-storage-key"))]
    #[case("SharedAccessKey", Some("shared-access-key"))]
    #[case("SharedAccessKeyName", None)]
    #[case("client-key-data", Some("client-key"))]
    #[case("client-certificate-data", None)]
    #[case("publicKey", None)]
    #[case("keyboard", None)]
    fn names_are_judged(#[case] name: &str, #[case] rule: Option<&str>) {
        assert_eq!(of(name).map(|found| crate::rules::RULES[found.rule as usize].id), rule);
    }
}

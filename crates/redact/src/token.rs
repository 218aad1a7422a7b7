//! Secrets that are known by their form, whatever stands around them.

use std::ops::Range;

use crate::class::{self, BASE64, BASE64_URL, NAME, TOKEN, WORD};
use crate::found::{Found, Stop, View};
use crate::rules::RuleId;

/// A prefix that nothing else begins with, and what must follow.
pub(crate) struct Prefixed {
    pub(crate) prefix: &'static str,
    rule: RuleId,
    class: u8,
    /// Fewer characters after the prefix are a mention, not a token.
    least: usize,
}

const fn prefixed(prefix: &'static str, rule: RuleId, class: u8, least: usize) -> Prefixed {
    Prefixed {
        prefix,
        rule,
        class,
        least,
    }
}

/// The forms as their owners publish them; the lengths are somewhat below the published ones.
pub(crate) const PREFIXED: &[Prefixed] = &[
    prefixed("ghp_", RuleId::GithubToken, WORD, 30),
    prefixed("gho_", RuleId::GithubToken, WORD, 30),
    prefixed("ghu_", RuleId::GithubToken, WORD, 30),
    prefixed("ghs_", RuleId::GithubToken, WORD, 30),
    prefixed("ghr_", RuleId::GithubToken, WORD, 30),
    prefixed("github_pat_", RuleId::GithubToken, WORD, 40),
    prefixed("glpat-", RuleId::GitlabToken, NAME, 18),
    prefixed("xoxa-", RuleId::SlackToken, NAME, 10),
    prefixed("xoxb-", RuleId::SlackToken, NAME, 10),
    prefixed("xoxe.", RuleId::SlackToken, NAME, 10),
    prefixed("xoxp-", RuleId::SlackToken, NAME, 10),
    prefixed("xoxr-", RuleId::SlackToken, NAME, 10),
    prefixed("xoxs-", RuleId::SlackToken, NAME, 10),
    prefixed("hooks.slack.com/services/", RuleId::SlackToken, TOKEN, 16),
    prefixed("npm_", RuleId::NpmToken, BASE64, 30),
    prefixed("AIza", RuleId::GoogleKey, BASE64_URL, 35),
    prefixed("ya29.", RuleId::GoogleKey, NAME, 20),
    prefixed("GOCSPX-", RuleId::GoogleKey, BASE64_URL, 20),
    prefixed("dckr_pat_", RuleId::ServiceToken, BASE64_URL, 20),
    prefixed("dapi", RuleId::ServiceToken, WORD, 32),
    prefixed("glsa_", RuleId::ServiceToken, WORD, 30),
    prefixed("hvs.", RuleId::ServiceToken, BASE64_URL, 20),
    prefixed("hf_", RuleId::ServiceToken, BASE64, 30),
    prefixed("pypi-AgE", RuleId::ServiceToken, BASE64_URL, 40),
    prefixed("sk_live_", RuleId::ServiceToken, WORD, 16),
    prefixed("rk_live_", RuleId::ServiceToken, WORD, 16),
];

/// Marks inside the keys that Azure makes since 2021, how many characters of base64 stand before, and after without
/// padding.
pub(crate) const MARKED: &[(&str, usize, usize, RuleId)] = &[
    ("+ASt", 76, 6, RuleId::AzureStorageKey),
    ("+ABa", 76, 6, RuleId::AzureStorageKey),
    ("+AMC", 76, 6, RuleId::AzureStorageKey),
    ("ACDb", 76, 6, RuleId::AzureStorageKey),
    ("+ASb", 33, 6, RuleId::SharedAccessKey),
    ("+AEh", 33, 6, RuleId::SharedAccessKey),
    ("+ARm", 33, 6, RuleId::SharedAccessKey),
];

/// The beginning of the base64 of a Docker configuration: `{"auths":` with the white space that tools put there.
pub(crate) const DOCKER_CONFIG: [&str; 4] = ["eyJhdXRocyI6", "ewogICJhdXRocyI6", "ewoJImF1dGhzIjo", "eyAiYXV0aHMiO"];

/// The token after the prefix at `at`.
pub(crate) fn after_prefix(view: View<'_>, at: &Range<usize>, token: &Prefixed) -> Option<Found> {
    let end = class::run(view.text, at.end, token.class);
    let exact = view.text.get(at.clone()) == Some(token.prefix.as_bytes());
    (exact && end - at.end >= token.least).then(|| Found::new(token.rule, at.start..end, Stop::Class(token.class)))
}

/// An AWS access key id: `AKIA` or `ASIA` and sixteen capitals and digits.
pub(crate) fn aws_key_id(view: View<'_>, at: &Range<usize>) -> Option<Found> {
    let rest = &view.text[at.start..];
    let form = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    let length = rest.iter().take_while(|b| form(b)).count();
    (length >= 20).then(|| Found::new(RuleId::AwsKey, at.start..at.start + length, Stop::Class(WORD)))
}

/// An Entra client secret: three characters, a digit, `Q~`, and at least 31 more.
pub(crate) fn entra_secret(view: View<'_>, at: &Range<usize>) -> Option<Found> {
    let text = view.text;
    let of = |b: u8| class::is(b, NAME) || b == b'~';
    let start = at.start.checked_sub(3)?;
    let end = at.end
        + text[at.end..]
            .iter()
            .position(|&b| !of(b))
            .unwrap_or(text.len() - at.end);
    let form = text[at.clone()].ends_with(b"Q~") && text[start..at.start].iter().all(|&b| of(b)) && end - at.end >= 31;
    form.then(|| Found::new(RuleId::AzureClientSecret, start..end, Stop::Class(TOKEN)))
}

/// A key with the mark at `at`.
pub(crate) fn marked_key(view: View<'_>, at: &Range<usize>, mark: &(&str, usize, usize, RuleId)) -> Option<Found> {
    let &(mark, before, after, rule) = mark;
    let start = class::run_back(view.text, at.start, BASE64, before);
    let end = class::run(view.text, at.end, BASE64);
    let form = view.text[at.clone()] == *mark.as_bytes()
        && at.start - start == before
        && end - at.end == after
        && view.text.get(end) == Some(&b'=');
    let end = class::run(view.text, end, TOKEN);
    form.then(|| Found::new(rule, start..end, Stop::Class(TOKEN)))
}

/// A JSON web token that begins at `at`, signed or encrypted, or the base64 of a Docker configuration.
pub(crate) fn jwt(view: View<'_>, at: &Range<usize>) -> Option<Found> {
    let text = view.text;
    if !text[at.start..].starts_with(b"ey") {
        return None;
    }
    let header = class::run(text, at.start, BASE64_URL);
    if header - at.start < 10 {
        return None;
    }
    if text.get(header) != Some(&b'.') {
        return docker_config(view, at);
    }
    let mut end = class::run(text, header + 1, BASE64_URL);
    if end - header < 6 {
        return None;
    }
    // Three parts when signed, five when encrypted.
    for _ in 2..5 {
        let part = class::run(text, end + 1, BASE64_URL);
        if text.get(end) != Some(&b'.') || part == end + 1 {
            break;
        }
        end = part;
    }
    Some(Found::new(RuleId::Jwt, at.start..end, Stop::Class(BASE64_URL | NAME)))
}

/// The base64 of a Docker configuration that begins at `at`.
pub(crate) fn docker_config(view: View<'_>, at: &Range<usize>) -> Option<Found> {
    let rest = &view.text[at.start..];
    DOCKER_CONFIG.iter().find(|form| rest.starts_with(form.as_bytes()))?;
    let end = class::run(view.text, at.start, TOKEN);
    Some(Found::new(RuleId::DockerAuth, at.start..end, Stop::Class(TOKEN)))
}

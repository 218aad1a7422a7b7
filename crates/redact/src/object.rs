//! Typed removal in Kubernetes objects and configurations that are at hand as JSON values: it knows the shapes, so a
//! value is removed wherever its place says that it is secret, whatever it looks like. Strings pass [`redact_str`]
//! besides.
//!
//! It does not read or write documents, and keeps everything that is no secret: keys, names, and which keys a Secret
//! has.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::command::{Place, Program};
use crate::counts::Counts;
use crate::name::{self, Kind};
use crate::rules::{RULES, RuleId};
use crate::{marker, redact_str};

/// Objects within objects, and JSON within strings; more is replaced whole.
const MAX_DEPTH: usize = 64;

/// Where kubectl keeps the whole object as it was applied, in JSON.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Keys of a kubeconfig's user whose values are credentials.
const CREDENTIALS: &[&str] = &[
    "token",
    "client-key-data",
    "password",
    "id-token",
    "refresh-token",
    "access-token",
];

/// Removes the secrets of an object, a list of objects or a configuration in place, and counts them.
///
/// * `data` and `stringData` of Secrets, alone or in lists;
/// * `value` of environment variables (`name`/`value`, `key`/`value`, `NAME=value`) whose name says that it is secret;
/// * what follows such a name in a command (`--token`, `value`), and credentials in the headers of probes;
/// * credentials of kubeconfigs, those of exec plug-ins and auth providers included;
/// * values of secret names anywhere: `aadClientSecret` of `azure.json`, `password` of a registry, …;
/// * the applied object in the annotation of kubectl, and any other JSON that is inside a string;
/// * every secret that [`redact_str`] finds in what remains.
///
/// ```
/// use serde_json::json;
///
/// let mut pod = json!({"env": [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "MODE", "value": "fast"}]});
/// let counts = periscope_redact::object::redact(&mut pod);
/// assert_eq!(pod["env"][0]["value"], "[REDACTED:env-value]");
/// assert_eq!(pod["env"][1]["value"], "fast");
/// assert_eq!(counts.total(), 1);
/// ```
pub fn redact(object: &mut Value) -> Counts {
    let mut counts = Counts::default();
    visit(object, 0, &mut counts);
    counts
}

fn visit(value: &mut Value, depth: usize, counts: &mut Counts) {
    if depth >= MAX_DEPTH {
        replace(value, RuleId::Secret, counts);
        return;
    }
    match value {
        Value::Object(map) => visit_map(map, depth, counts),
        Value::Array(items) => visit_items(items, depth + 1, counts),
        Value::String(text) => visit_text(text, depth, counts),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn visit_map(map: &mut Map<String, Value>, depth: usize, counts: &mut Counts) {
    if map.get("kind").and_then(Value::as_str) == Some("Secret") {
        for field in ["data", "stringData"] {
            if let Some(data) = map.get_mut(field) {
                replace_leaves(data, RuleId::SecretData, counts);
            }
        }
    }
    let named = ["name", "key"]
        .iter()
        .find_map(|field| map.get(*field)?.as_str())
        .and_then(|name| header_rule(name).or(secret_name(name).map(|_| RuleId::EnvValue)));
    if let Some(rule) = named
        && let Some(value) = map.get_mut("value")
    {
        replace_leaves(value, rule, counts);
    }
    for (key, value) in map.iter_mut() {
        match (key.as_str(), &mut *value) {
            (LAST_APPLIED, Value::String(text)) => {
                if !visit_json_text(text, depth, counts) {
                    replace(value, RuleId::SecretData, counts);
                }
            }
            ("auth", Value::String(text)) if !text.is_empty() => replace(value, RuleId::DockerAuth, counts),
            // A token of a Secret that an exec plug-in or auth provider got.
            ("auth-provider", Value::Object(provider)) => {
                if let Some(config) = provider.get_mut("config") {
                    replace_leaves(config, RuleId::Token, counts);
                }
            }
            (known, Value::String(text)) if !text.is_empty() && CREDENTIALS.contains(&known) => {
                let rule = secret_name(known).unwrap_or(RuleId::Token);
                replace(value, rule, counts);
            }
            (name, Value::String(text)) => match secret_name(name).filter(|_| may_be_secret(name, text)) {
                Some(rule) => replace(value, rule, counts),
                None => visit_text(text, depth, counts),
            },
            _ => visit(value, depth + 1, counts),
        }
    }
}

/// The elements of a list; in a command, the one after a flag whose name is secret is that secret.
fn visit_items(items: &mut [Value], depth: usize, counts: &mut Counts) {
    redact_command(items, counts);
    let mut flag: Option<(String, RuleId)> = None;
    for item in items {
        let next = item.as_str().and_then(flag_name).map(str::to_owned);
        match (flag.take(), item.as_str()) {
            (Some((name, rule)), Some(value)) if next.is_none() && may_be_secret(&name, value) => {
                replace(item, rule, counts);
            }
            _ => visit_item(item, depth, counts),
        }
        flag = next.and_then(|name| secret_name(&name).map(|rule| (name, rule)));
    }
}

/// Passwords behind the short flags of known programs, in a command whose words are elements of a list.
fn redact_command(items: &mut [Value], counts: &mut Counts) {
    let program_of = |item: &Value| Program::of(item.as_str()?.as_bytes());
    let Some((start, program)) = items
        .iter()
        .enumerate()
        .find_map(|(at, item)| Some((at, program_of(item)?)))
    else {
        return;
    };
    let mut is_value = false;
    for item in items.iter_mut().skip(start + 1) {
        let Value::String(word) = item else { continue };
        let place = program.password(word.as_bytes());
        let from = match place {
            _ if is_value => Some(0),
            Some(Place::Attached(from)) => Some(from),
            _ => None,
        };
        if let Some(from) = from
            && let Some(value) = word.get(from..)
            && let Some(secret) = program.secret_in(value.as_bytes())
            && let Some(kept) = word.get(..from + secret.start)
        {
            *word = format!("{kept}{}", marker::text(RuleId::CommandPassword));
            counts.add(RuleId::CommandPassword);
        }
        // What sshpass runs has flags of its own.
        if program == Program::Sshpass && (is_value || !word.starts_with('-')) {
            return;
        }
        is_value = !is_value && place == Some(Place::Next);
    }
}

/// The name in `--name`.
fn flag_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix("--").or(text.strip_prefix('-'))?;
    (!name.contains(['=', ' '])).then_some(name)
}

/// `NAME=value` in a list of strings, as runtimes print an environment.
fn visit_item(item: &mut Value, depth: usize, counts: &mut Counts) {
    if let Value::String(text) = item
        && let Some((name, value)) = text.split_once('=')
        && !value.is_empty()
        && let Some(rule) = secret_name(name.trim_start_matches('-')).filter(|_| may_be_secret(name, value))
    {
        *text = format!("{name}={}", marker::text(rule));
        counts.add(rule);
        return;
    }
    visit(item, depth, counts);
}

fn visit_text(text: &mut String, depth: usize, counts: &mut Counts) {
    if text.starts_with(['{', '[']) && visit_json_text(text, depth, counts) {
        return;
    }
    let (redacted, found) = crate::text::redact_counted(text);
    if let Cow::Owned(redacted) = redacted {
        *text = redacted;
        counts.merge(&found);
    }
}

/// Redacts JSON that is written in a string; false where it is none.
fn visit_json_text(text: &mut String, depth: usize, counts: &mut Counts) -> bool {
    let Ok(mut inner) = serde_json::from_str::<Value>(text) else {
        return false;
    };
    let mut found = Counts::default();
    visit(&mut inner, depth + 1, &mut found);
    if found.total() > 0 {
        *text = inner.to_string();
        counts.merge(&found);
    }
    true
}

/// The rule for a header of HTTP whose whole value is a credential, as probes have them.
fn header_rule(name: &str) -> Option<RuleId> {
    let is = |headers: [&str; 2]| headers.iter().any(|header| header.eq_ignore_ascii_case(name));
    if is(["Authorization", "Proxy-Authorization"]) {
        Some(RuleId::Authorization)
    } else {
        is(["Cookie", "Set-Cookie"]).then_some(RuleId::Cookie)
    }
}

/// The rule for a name whose values are secrets.
fn secret_name(name: &str) -> Option<RuleId> {
    name::of(name)
        .filter(|found| found.kind != Kind::Weak)
        .map(|found| found.rule)
}

/// In an object a secret's name may also name the secret: `secret: ns/name`, `token: ""`.
fn may_be_secret(name: &str, value: &str) -> bool {
    let mentions =
        name.eq_ignore_ascii_case("secret") || value.starts_with('/') || value.starts_with(marker::MARKER_PREFIX);
    !value.is_empty() && (!mentions || redact_str(&format!("{name}={value}")) != format!("{name}={value}"))
}

fn replace_leaves(value: &mut Value, rule: RuleId, counts: &mut Counts) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|inner| replace_leaves(inner, rule, counts)),
        Value::Array(items) => items.iter_mut().for_each(|inner| replace_leaves(inner, rule, counts)),
        Value::Null => {}
        Value::String(text) if text.is_empty() => {}
        _ => replace(value, rule, counts),
    }
}

fn replace(value: &mut Value, rule: RuleId, counts: &mut Counts) {
    if value.as_str().is_some_and(|text| {
        RULES
            .iter()
            .any(|rule| text == format!("{}{}]", marker::MARKER_PREFIX, rule.id))
    }) {
        return;
    }
    *value = Value::String(marker::text(rule));
    counts.add(rule);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::secret(
        json!({"kind": "List", "items": [{"kind": "Secret", "data": {"a": "aHVudGVyMg=="}, "stringData": {"b": "hunter2"}, "type": "Opaque"}]}),
        json!({"kind": "List", "items": [{"kind": "Secret", "data": {"a": "[REDACTED:secret-data]"}, "stringData": {"b": "[REDACTED:secret-data]"}, "type": "Opaque"}]})
    )]
    #[case::variables(
        json!({"env": [{"name": "API_TOKEN", "value": "x"}, {"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "token"}}}, {"name": "PATH", "value": "/bin"}]}),
        json!({"env": [{"name": "API_TOKEN", "value": "[REDACTED:env-value]"}, {"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "token"}}}, {"name": "PATH", "value": "/bin"}]})
    )]
    #[case::runtime(
        json!({"Env": ["DB_PASSWORD=hunter2", "PATH=/bin"], "Args": ["--token=abc", "--v=2"]}),
        json!({"Env": ["DB_PASSWORD=[REDACTED:password]", "PATH=/bin"], "Args": ["--token=[REDACTED:token]", "--v=2"]})
    )]
    #[case::command(
        json!({"command": ["app", "--token", "abc", "--password", "--v", "2", "-client-secret", "xyz", "end", "--token"]}),
        json!({"command": ["app", "--token", "[REDACTED:token]", "--password", "--v", "2", "-client-secret", "[REDACTED:azure-client-secret]", "end", "--token"]})
    )]
    #[case::curl(
        json!({"command": ["/usr/bin/curl", "-su", "admin:hunter2", "--proxy-user", "p:y1", "-u", "root", "https://h"]}),
        json!({"command": ["/usr/bin/curl", "-su", "admin:[REDACTED:command-password]", "--proxy-user", "p:[REDACTED:command-password]", "-u", "root", "https://h"]})
    )]
    #[case::mysql(
        json!({"args": ["mysql", "-uroot", "-phunter2", "-h", "db"]}),
        json!({"args": ["mysql", "-uroot", "-p[REDACTED:command-password]", "-h", "db"]})
    )]
    #[case::sshpass(
        json!({"args": ["sshpass", "-p", "hunter2", "ssh", "-p", "2222"]}),
        json!({"args": ["sshpass", "-p", "[REDACTED:command-password]", "ssh", "-p", "2222"]})
    )]
    #[case::headers(
        json!({"httpHeaders": [{"name": "authorization", "value": "Basic dTpw"}, {"name": "Cookie", "value": "a=b"}, {"name": "Host", "value": "h"}]}),
        json!({"httpHeaders": [{"name": "authorization", "value": "[REDACTED:authorization]"}, {"name": "Cookie", "value": "[REDACTED:cookie]"}, {"name": "Host", "value": "h"}]})
    )]
    #[case::kubeconfig(
        json!({"users": [{"name": "a", "user": {"client-certificate-data": "Y2VydA==", "client-key-data": "a2V5", "token": "t", "password": "p", "username": "u",
            "auth-provider": {"name": "azure", "config": {"access-token": "x", "client-id": "y"}},
            "exec": {"command": "kubelogin", "env": [{"name": "AAD_SERVICE_PRINCIPAL_CLIENT_SECRET", "value": "z"}]}}}]}),
        json!({"users": [{"name": "a", "user": {"client-certificate-data": "Y2VydA==", "client-key-data": "[REDACTED:client-key]", "token": "[REDACTED:token]", "password": "[REDACTED:password]", "username": "u",
            "auth-provider": {"name": "azure", "config": {"access-token": "[REDACTED:token]", "client-id": "[REDACTED:token]"}},
            "exec": {"command": "kubelogin", "env": [{"name": "AAD_SERVICE_PRINCIPAL_CLIENT_SECRET", "value": "[REDACTED:env-value]"}]}}}]})
    )]
    #[case::azure_json(
        json!({"cloud": "AzurePublicCloud", "aadClientId": "msi", "aadClientSecret": "s3cret", "useManagedIdentityExtension": true}),
        json!({"cloud": "AzurePublicCloud", "aadClientId": "msi", "aadClientSecret": "[REDACTED:azure-client-secret]", "useManagedIdentityExtension": true})
    )]
    #[case::docker(
        json!({"auths": {"r.io": {"auth": "dTpw", "username": "u", "password": "p", "identitytoken": "i"}}}),
        json!({"auths": {"r.io": {"auth": "[REDACTED:docker-auth]", "username": "u", "password": "[REDACTED:password]", "identitytoken": "[REDACTED:token]"}}})
    )]
    #[case::applied(
        json!({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"kind\":\"Secret\",\"data\":{\"a\":\"b\"}}\n"}}}),
        json!({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"kind\":\"Secret\",\"data\":{\"a\":\"[REDACTED:secret-data]\"}}"}}})
    )]
    #[case::broken_applied(
        json!({"kubectl.kubernetes.io/last-applied-configuration": "{\"kind\":\"Secret\",\"data\":{\"a\":\"b\""}),
        json!({"kubectl.kubernetes.io/last-applied-configuration": "[REDACTED:secret-data]"})
    )]
    #[case::names_of_secrets(
        json!({"volumes": [{"name": "v", "secret": {"secretName": "s"}}], "tokenExpirationSeconds": 3600, "serviceAccountToken": {"path": "token"}, "automountServiceAccountToken": true}),
        json!({"volumes": [{"name": "v", "secret": {"secretName": "s"}}], "tokenExpirationSeconds": 3600, "serviceAccountToken": {"path": "token"}, "automountServiceAccountToken": true})
    )]
    #[case::text(
        json!({"message": "GET https://a.blob.core.windows.net/c?sig=c2lnbmF0dXJlLXRoYXQtd29ya3M%3D"}),
        json!({"message": "GET https://a.blob.core.windows.net/c?sig=[REDACTED:azure-sas]"})
    )]
    fn places_of_secrets_are_known(#[case] mut object: Value, #[case] expected: Value) {
        let counts = redact(&mut object);
        assert_eq!(object, expected);
        let again = redact(&mut object);
        assert_eq!((object, again.total()), (expected, 0), "a second time after {counts:?}");
    }

    #[test]
    fn depth_is_bounded() {
        let mut object = json!("hunter2");
        for _ in 0..200 {
            object = json!([object]);
        }
        redact(&mut object);
        assert!(!object.to_string().contains("hunter2"));
    }
}

//! Shared access signatures: read from what people paste, and judged before anything is sent.
//!
//! The fields are those of
//! <https://learn.microsoft.com/rest/api/storageservices/create-account-sas> (`ss`, `srt`),
//! <https://learn.microsoft.com/rest/api/storageservices/create-service-sas> (`sr`, `si`) and
//! <https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas> (`ske`).
//! Whether the signature is the right one only the service knows.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;
use url::form_urlencoded::{Serializer, parse};

use super::ConfigError;

/// A SAS that ends sooner than this may well end before a collection is uploaded.
const SOON: Duration = Duration::from_mins(10);

/// A shared access signature that has been read.
#[derive(Debug, Clone)]
pub(super) struct Sas {
    /// The normalised query string, without `?`.
    query: SecretString,
    /// The signature itself, to keep it out of messages.
    signature: SecretString,
    scope: Scope,
    /// `sp`. `None` when a stored access policy (`si`) holds the permissions.
    permissions: Option<String>,
    /// `st`.
    starts: Option<Timestamp>,
    /// The earlier one of `se` and `ske`. `None` when a stored access policy holds the end.
    expires: Option<Timestamp>,
    /// `spr` names `http` too, or nothing.
    plain_http: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    /// `ss` and `srt`.
    Account { services: String, resources: String },
    /// `sr=c`.
    Container,
    /// Any other `sr`.
    Other(String),
}

/// Why a SAS will not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SasProblem {
    #[error("the SAS expired at {0} (se)")]
    Expired(Timestamp),
    #[error("the SAS is not valid before {0} (st), and it is {1} on this node")]
    NotYetValid(Timestamp, Timestamp),
    #[error("the SAS does not permit to write: sp is {0:?}, expected w in it")]
    NoWrite(String),
    #[error("the SAS is not for the blob service: ss is {0:?}, expected b in it")]
    NotForBlobs(String),
    #[error("the SAS does not cover blobs: srt is {0:?}, expected o in it")]
    NotForObjects(String),
    #[error("the SAS is for something smaller than a container: sr is {0:?}, expected c, or an account SAS")]
    TooNarrow(String),
    #[error("the SAS is for https only (spr), and the endpoint is http")]
    HttpsOnly,
}

impl Sas {
    /// Takes the query string with or without `?`, a whole URL, the `SharedAccessSignature=` part of a connection string, each with
    /// white space or quotes around it.
    pub(super) fn parse(pasted: &SecretString) -> Result<Self, ConfigError> {
        let text = pasted
            .expose_secret()
            .trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
        let text = text.rsplit_once('?').map_or(text, |(_, query)| query);
        let text = text
            .strip_prefix("SharedAccessSignature=")
            .unwrap_or(text)
            .replace("&amp;", "&");

        let mut fields: Vec<(String, String)> = parse(text.as_bytes()).into_owned().collect();
        for (name, value) in &mut fields {
            if name == "sig" {
                *value = base64_signature(value);
            }
        }
        let field = |name: &str| {
            let found = fields.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
        };

        let signature = field("sig").ok_or(ConfigError::SasWithout("sig"))?;
        let has_policy = field("si").is_some();
        let expires = time("se", field("se"))?;
        let key_expires = time("ske", field("ske"))?;
        let permissions = field("sp").map(str::to_owned);
        if expires.is_none() && !has_policy {
            return Err(ConfigError::SasWithout("se"));
        }
        if permissions.is_none() && !has_policy {
            return Err(ConfigError::SasWithout("sp"));
        }
        let scope = match (field("sr"), field("ss"), field("srt")) {
            (Some("c"), ..) => Scope::Container,
            (Some(other), ..) => Scope::Other(other.to_owned()),
            (None, Some(services), Some(resources)) => Scope::Account {
                services: services.to_owned(),
                resources: resources.to_owned(),
            },
            _ => return Err(ConfigError::SasWithout("sr, or ss and srt")),
        };
        Ok(Self {
            signature: SecretString::from(signature),
            scope,
            permissions,
            starts: time("st", field("st"))?,
            expires: expires.into_iter().chain(key_expires).min(),
            plain_http: field("spr").is_none_or(|protocols| protocols.split(',').any(|protocol| protocol == "http")),
            query: SecretString::from(Serializer::new(String::new()).extend_pairs(&fields).finish()),
        })
    }

    /// The URL with the signature in it: never to be shown.
    pub(super) fn sign(&self, mut url: Url) -> Url {
        url.set_query(Some(self.query.expose_secret()));
        url
    }

    /// Whether it can be used now, as far as its own fields say.
    pub(super) fn usable(&self, now: Timestamp, endpoint: &Url) -> Result<(), SasProblem> {
        if let Some(expired) = self.expired(now) {
            return Err(expired);
        }
        if let Some(starts) = self.starts.filter(|starts| *starts > now) {
            return Err(SasProblem::NotYetValid(starts, now));
        }
        match &self.scope {
            Scope::Account { services, .. } if !services.contains('b') => {
                return Err(SasProblem::NotForBlobs(services.clone()));
            }
            Scope::Account { resources, .. } if !resources.contains('o') => {
                return Err(SasProblem::NotForObjects(resources.clone()));
            }
            Scope::Other(resource) => return Err(SasProblem::TooNarrow(resource.clone())),
            Scope::Account { .. } | Scope::Container => {}
        }
        // Put Block and Put Block List take w only; c alone would do for blobs of one request.
        if let Some(permissions) = self
            .permissions
            .as_ref()
            .filter(|permissions| !permissions.contains('w'))
        {
            return Err(SasProblem::NoWrite(permissions.clone()));
        }
        if endpoint.scheme() == "http" && !self.plain_http {
            return Err(SasProblem::HttpsOnly);
        }
        Ok(())
    }

    /// The expiry that has passed.
    pub(super) fn expired(&self, now: Timestamp) -> Option<SasProblem> {
        self.expires.filter(|expires| *expires <= now).map(SasProblem::Expired)
    }

    /// The expiry that is so near that the upload may come too late.
    pub(super) fn expires_soon(&self, now: Timestamp) -> Option<Timestamp> {
        self.expires
            .filter(|expires| now.duration_until(*expires).unsigned_abs() < SOON)
    }

    /// Whether it may make containers: only one of an account that covers containers can.
    pub(super) fn may_create_container(&self) -> bool {
        let covers = matches!(&self.scope, Scope::Account { resources, .. } if resources.contains('c'));
        // w includes c here: Create Container takes either.
        covers
            && self
                .permissions
                .as_ref()
                .is_some_and(|permissions| permissions.contains(['c', 'w']))
    }

    /// The text without the signature, in whatever spelling it stands there.
    pub(super) fn scrub(&self, text: &str) -> String {
        let raw = self.signature.expose_secret();
        let encoded: String = url::form_urlencoded::byte_serialize(raw.as_bytes()).collect();
        text.replace(&encoded, "…").replace(raw, "…")
    }
}

/// A signature is base64: a space in it was a `+` that somebody had decoded, a `%` means that it was encoded once too often.
fn base64_signature(value: &str) -> String {
    let once = value.replace(' ', "+");
    if !once.contains('%') {
        return once;
    }
    // Read as a query string of one name, it gets decoded once more.
    let name = once.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    parse(name.as_bytes())
        .next()
        .map_or(once, |(signature, _)| signature.into_owned())
}

/// Times are written as `2026-11-21T05:00:00Z`, with fractions, without seconds, or as a date alone.
fn time(field: &'static str, value: Option<&str>) -> Result<Option<Timestamp>, ConfigError> {
    let Some(value) = value else { return Ok(None) };
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    let parsed = value
        .parse::<Timestamp>()
        .or_else(|_| value.parse::<Date>().and_then(midnight));
    parsed.map(Some).map_err(|_| ConfigError::SasField {
        field,
        value: value.to_owned(),
        expected: "a time such as 2026-11-21T05:00:00Z",
    })
}

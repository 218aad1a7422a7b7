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
    /// The earlier one of `se` and `ske`, and which it is. `None` when a stored access policy holds the end.
    expires: Option<(Timestamp, &'static str)>,
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
    #[error("the SAS expired at {0} ({1})")]
    Expired(Timestamp, &'static str),
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
    /// Takes the query string with or without `?`, a whole URL, the `SharedAccessSignature=` part of a connection
    /// string, each with white space or quotes around it.
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
        let permissions = letters("sp", field("sp"))?;
        if expires.is_none() && !has_policy {
            return Err(ConfigError::SasWithout("se"));
        }
        if permissions.is_none() && !has_policy {
            return Err(ConfigError::SasWithout("sp"));
        }
        let scope = match (
            letters("sr", field("sr"))?,
            letters("ss", field("ss"))?,
            letters("srt", field("srt"))?,
        ) {
            (Some(resource), ..) if resource == "c" => Scope::Container,
            (Some(other), ..) => Scope::Other(other),
            (None, Some(services), Some(resources)) => Scope::Account { services, resources },
            _ => return Err(ConfigError::SasWithout("sr, or ss and srt")),
        };
        Ok(Self {
            signature: SecretString::from(signature),
            scope,
            permissions,
            starts: time("st", field("st"))?,
            expires: expires
                .map(|at| (at, "se"))
                .into_iter()
                .chain(key_expires.map(|at| (at, "ske")))
                .min(),
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
        let (at, field) = self.expires.filter(|(at, _)| *at <= now)?;
        Some(SasProblem::Expired(at, field))
    }

    /// The expiry that is so near that the upload may come too late.
    pub(super) fn expires_soon(&self, now: Timestamp) -> Option<Timestamp> {
        let (at, _) = self
            .expires
            .filter(|(at, _)| now.duration_until(*at).unsigned_abs() < SOON)?;
        Some(at)
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

/// A signature is base64: a space in it was a `+` that somebody had decoded, a `%` means that it was encoded twice.
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

/// Scopes and permissions are a few letters each, and may be shown.
fn letters(field: &'static str, value: Option<&str>) -> Result<Option<String>, ConfigError> {
    match value {
        Some(value) if !value.bytes().all(|b| b.is_ascii_lowercase()) => Err(ConfigError::SasField {
            field,
            value: value.to_owned(),
            expected: "lower-case letters",
        }),
        value => Ok(value.map(str::to_owned)),
    }
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::proptest;
    use rstest::rstest;
    use secrecy::{ExposeSecret as _, SecretString};
    use url::Url;

    use super::{Sas, base64_signature};

    const ACCOUNT: &str =
        "sv=2022-11-02&ss=b&srt=sco&sp=rwdlacup&se=2026-11-21T05:00:00Z&st=2026-11-20T05:00:00Z&spr=https";
    const CONTAINER: &str = "sv=2022-11-02&sr=c&sp=racwl&se=2026-11-21T05%3A00%3A00Z";

    fn parse(fields: &str) -> Sas {
        Sas::parse(&SecretString::from(format!("{fields}&sig=a%2Bb%2Fc%3D"))).unwrap()
    }

    fn refusal(fields: &str, now: &str, endpoint: &str) -> String {
        let usable = parse(fields).usable(now.parse().unwrap(), &endpoint.parse().unwrap());
        usable.map_or_else(|problem| problem.to_string(), |()| String::new())
    }

    #[rstest]
    #[case::as_it_is("sv=1&sr=c&sp=w&se=2999-01-01&sig=a%2Bb%2Fc%3D")]
    #[case::with_a_question_mark("?sv=1&sr=c&sp=w&se=2999-01-01&sig=a%2Bb%2Fc%3D")]
    #[case::with_white_space(" \r\n\t?sv=1&sr=c&sp=w&se=2999-01-01&sig=a%2Bb%2Fc%3D\n")]
    #[case::with_quotes("\"sv=1&sr=c&sp=w&se=2999-01-01&sig=a%2Bb%2Fc%3D\"")]
    #[case::of_a_url("https://diag01.blob.core.windows.net/c?sv=1&sr=c&sp=w&se=2999-01-01&sig=a%2Bb%2Fc%3D")]
    #[case::of_a_connection_string("SharedAccessSignature=sv=1&sr=c&sp=w&se=2999-01-01&sig=a%2Bb%2Fc%3D")]
    #[case::of_a_web_page("sv=1&amp;sr=c&amp;sp=w&amp;se=2999-01-01&amp;sig=a%2Bb%2Fc%3D")]
    #[case::decoded("sv=1&sr=c&sp=w&se=2999-01-01&sig=a+b/c=")]
    #[case::encoded_twice("sv=1&sr=c&sp=w&se=2999-01-01&sig=a%252Bb%252Fc%253D")]
    fn whatever_is_pasted_the_same_is_sent(#[case] pasted: &str) {
        let sas = Sas::parse(&SecretString::from(pasted)).unwrap();
        let url = sas.sign("https://diag01.blob.core.windows.net/c".parse().unwrap());
        assert_eq!(url.query().unwrap(), "sv=1&sr=c&sp=w&se=2999-01-01&sig=a%2Bb%2Fc%3D");
        // As the SDK reads it.
        assert_eq!(url.query_pairs().last().unwrap().1, "a+b/c=");
    }

    #[rstest]
    #[case::empty(
        "",
        "invalid SAS: it has no sig, expected a query string such as sv=…&sp=…&se=…&sig=…"
    )]
    #[case::account_key(
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq==",
        "invalid SAS: it has no sig,"
    )]
    #[case::no_signature("sv=1&sr=c&sp=w&se=2999-01-01", "invalid SAS: it has no sig,")]
    #[case::empty_signature("sv=1&sr=c&sp=w&se=2999-01-01&sig=", "invalid SAS: it has no sig,")]
    #[case::cut_in_front("sr=c&sp=w&sig=abc", "invalid SAS: it has no se,")]
    #[case::no_permissions("sr=c&se=2999-01-01&sig=abc", "invalid SAS: it has no sp,")]
    #[case::no_scope("sp=w&se=2999-01-01&sig=abc", "invalid SAS: it has no sr, or ss and srt,")]
    #[case::no_time(
        "sr=c&sp=w&se=tomorrow&sig=abc",
        "invalid SAS: se is \"tomorrow\", expected a time such as 2026-11-21T05:00:00Z"
    )]
    #[case::signature_in_a_scope("sr=c%26sig%3Dabc&sp=w&sig=x&se=2999-01-01", "invalid SAS: sr is \"c\"…, expected")]
    #[case::signature_in_a_time(
        "sr=c&sp=w&sig=x&se=2999-01-01%26sig%3Dabc",
        "invalid SAS: se is \"2999-01-01\"…, expected"
    )]
    fn what_cannot_be_read_is_named(#[case] pasted: &str, #[case] expected: &str) {
        let error = Sas::parse(&SecretString::from(pasted)).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains("abc") && !error.contains("Eby8"), "{error}");
    }

    #[rstest]
    #[case::account(ACCOUNT, "")]
    #[case::container(CONTAINER, "")]
    #[case::stored_policy("sr=c&si=policy", "")]
    #[case::without_seconds("sr=c&sp=w&se=2026-11-20T12:01Z", "")]
    #[case::with_fractions("sr=c&sp=w&se=2026-11-20T12:00:00.0000001Z", "")]
    #[case::date_only("sr=c&sp=w&se=2026-11-20", "the SAS expired at 2026-11-20T00:00:00Z (se)")]
    #[case::expired("sr=c&sp=w&se=2026-11-20T12:00:00Z", "the SAS expired at 2026-11-20T12:00:00Z (se)")]
    #[case::expired_key(
        "sr=c&sp=w&se=2026-11-21&ske=2026-11-20T11:59:59Z",
        "the SAS expired at 2026-11-20T11:59:59Z (ske)"
    )]
    #[case::not_yet(
        "sr=c&sp=w&se=2026-11-22&st=2026-11-21",
        "the SAS is not valid before 2026-11-21T00:00:00Z (st), and it is 2026-11-20T12:00:00Z on this node"
    )]
    #[case::read_only(
        "sr=c&sp=rl&se=2026-11-22",
        "the SAS does not permit to write: sp is \"rl\", expected w in it"
    )]
    #[case::create_only(
        "sr=c&sp=c&se=2026-11-22",
        "the SAS does not permit to write: sp is \"c\", expected w in it"
    )]
    #[case::queues(
        "ss=qt&srt=sco&sp=w&se=2026-11-22",
        "the SAS is not for the blob service: ss is \"qt\", expected b in it"
    )]
    #[case::containers_only(
        "ss=b&srt=sc&sp=w&se=2026-11-22",
        "the SAS does not cover blobs: srt is \"sc\", expected o in it"
    )]
    #[case::one_blob(
        "sr=b&sp=w&se=2026-11-22",
        "the SAS is for something smaller than a container: sr is \"b\", expected c, or an account SAS"
    )]
    fn what_its_fields_say_is_found_without_asking(#[case] fields: &str, #[case] expected: &str) {
        assert_eq!(refusal(fields, "2026-11-20T12:00:00Z", "https://a.example/c"), expected);
    }

    #[rstest]
    #[case::https_only("spr=https", "the SAS is for https only (spr), and the endpoint is http")]
    #[case::both("spr=https,http", "")]
    #[case::both_encoded("spr=https%2Chttp", "")]
    #[case::nothing_said("sv=1", "")]
    fn a_signature_for_https_is_not_sent_readably(#[case] protocols: &str, #[case] expected: &str) {
        let fields = format!("sr=c&sp=w&se=2999-01-01&{protocols}");
        assert_eq!(refusal(&fields, "2026-11-20T12:00:00Z", "http://a.example/c"), expected);
    }

    #[rstest]
    #[case::soon("2026-11-21T04:50:01Z", true)]
    #[case::in_ten_minutes("2026-11-21T04:50:00Z", false)]
    fn an_end_in_less_than_ten_minutes_is_soon(#[case] now: &str, #[case] soon: bool) {
        let expires = parse(ACCOUNT).expires_soon(now.parse().unwrap());
        assert_eq!(
            expires,
            soon.then(|| "2026-11-21T05:00:00Z".parse::<Timestamp>().unwrap())
        );
    }

    #[rstest]
    #[case::account(ACCOUNT, true)]
    #[case::container(CONTAINER, false)]
    #[case::account_without_containers("ss=b&srt=o&sp=rwc&se=2999-01-01", false)]
    #[case::account_that_reads("ss=b&srt=sco&sp=rl&se=2999-01-01", false)]
    #[case::stored_policy("sr=c&si=policy", false)]
    fn only_an_account_signature_makes_containers(#[case] fields: &str, #[case] may: bool) {
        assert_eq!(parse(fields).may_create_container(), may);
    }

    #[test]
    fn no_form_of_the_signature_stays_in_a_text() {
        let sas = parse(CONTAINER);
        assert_eq!(sas.scrub("x?sig=a%2Bb%2Fc%3D&sig=a+b/c=."), "x?sig=…&sig=….");
        assert!(!format!("{sas:?}").contains("a+b"));
    }

    proptest! {
        #[test]
        fn a_signature_survives_each_way_of_writing_it(raw in "[A-Za-z0-9+/]{43}=") {
            let url: Url = "https://a.example/c".parse().unwrap();
            for written in [raw.clone(), raw.replace('+', " ")] {
                assert_eq!(base64_signature(&written), raw);
            }
            let encoded: String = url::form_urlencoded::byte_serialize(raw.as_bytes()).collect();
            assert_eq!(base64_signature(&encoded), raw);
            let sas = Sas::parse(&SecretString::from(format!("{CONTAINER}&sig={encoded}"))).unwrap();
            assert_eq!(sas.sign(url).query_pairs().last().unwrap().1, raw.as_str());
            assert_eq!(sas.signature.expose_secret(), raw);
        }

        #[test]
        fn whatever_is_pasted_nothing_panics(pasted in "\\PC{0,200}") {
            drop(Sas::parse(&SecretString::from(pasted)));
        }
    }
}

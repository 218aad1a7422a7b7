//! The shape of a live look-up at one name server, as `lookups.json` holds it.

use serde::{Deserialize, Serialize};

use crate::Network;

/// One question to one name server and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lookup {
    /// The name server's address and port.
    pub server: String,
    /// The files or settings that name this server, such as `host-resolv.conf`.
    pub named_by: Vec<String>,
    /// The network that the question went out from.
    pub from: Network,
    /// The name that was asked for, fully qualified.
    pub name: String,
    /// The type that was asked for.
    #[serde(rename = "type")]
    pub record_type: RecordType,
    /// How the question travelled.
    pub protocol: Protocol,
    /// Time until the answer or the failure, in milliseconds.
    pub millis: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// Why there was no usable answer, where the outcome does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The records of the answer, as text; bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<String>,
    /// The answer did not fit and was cut: the same question was asked again over TCP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A record type that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordType {
    /// IPv4 address.
    A,
    /// IPv6 address.
    #[serde(rename = "AAAA")]
    Aaaa,
}

/// How a question travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// One datagram.
    Udp,
    /// A connection.
    Tcp,
}

/// What came of a look-up: a response code, or why there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Answered; without answers the name exists and has no record of the type.
    #[serde(rename = "NOERROR")]
    NoError,
    /// The name does not exist.
    #[serde(rename = "NXDOMAIN")]
    NxDomain,
    /// The server could not find out.
    #[serde(rename = "SERVFAIL")]
    ServFail,
    /// The server does not answer such questions.
    #[serde(rename = "REFUSED")]
    Refused,
    /// Another response code; the error names it.
    #[serde(rename = "other-code")]
    OtherCode,
    /// No answer in time.
    #[serde(rename = "timeout")]
    Timeout,
    /// Nothing listens there.
    #[serde(rename = "connection-refused")]
    ConnectionRefused,
    /// It could not be asked, or what came back is no answer.
    #[serde(rename = "failed")]
    Failed,
    /// It was not asked, because from here the question would prove nothing.
    #[serde(rename = "not-asked")]
    NotAsked,
}

macro_rules! display_as_serialized {
    ($($type:ident: $($variant:ident = $word:literal),+;)+) => {$(
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self { $(Self::$variant => $word),+ })
            }
        }
    )+};
}

display_as_serialized! {
    RecordType: A = "A", Aaaa = "AAAA";
    Protocol: Udp = "udp", Tcp = "tcp";
    Outcome: NoError = "NOERROR", NxDomain = "NXDOMAIN", ServFail = "SERVFAIL", Refused = "REFUSED",
        OtherCode = "other-code", Timeout = "timeout", ConnectionRefused = "connection-refused",
        Failed = "failed", NotAsked = "not-asked";
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Protocol, RecordType};

    #[test]
    fn words_are_what_serde_writes() {
        let written = |value: serde_json::Value| value.as_str().unwrap().to_owned();
        for outcome in [
            Outcome::NoError,
            Outcome::NxDomain,
            Outcome::ServFail,
            Outcome::Refused,
            Outcome::OtherCode,
            Outcome::Timeout,
            Outcome::ConnectionRefused,
            Outcome::Failed,
            Outcome::NotAsked,
        ] {
            assert_eq!(written(serde_json::to_value(outcome).unwrap()), outcome.to_string());
        }
        for protocol in [Protocol::Udp, Protocol::Tcp] {
            assert_eq!(written(serde_json::to_value(protocol).unwrap()), protocol.to_string());
        }
        for record_type in [RecordType::A, RecordType::Aaaa] {
            assert_eq!(
                written(serde_json::to_value(record_type).unwrap()),
                record_type.to_string()
            );
        }
    }
}

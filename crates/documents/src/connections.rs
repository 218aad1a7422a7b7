//! The shape of one try at reaching a target, phase by phase, as `connections.json` holds it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Network;

/// One try at reaching one target. A phase that was not reached is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// What the target is to the node, such as `AKS API Server`. Samples of one connection share it.
    #[serde(rename = "type")]
    pub kind: String,
    /// The network that it went out from.
    pub from: Network,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether a node can do its work without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// When the try began.
    pub start: Timestamp,
    /// How long all phases took, in milliseconds.
    pub millis: u64,
    /// `Connected`, or `Error: ` and the phase that failed and why.
    pub status: String,
    /// Name resolution; absent when the host is an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsPhase>,
    /// The addresses that were tried, in order; the last one is in use when it has no error.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tcp: Vec<ConnectAttempt>,
    /// TLS handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsPhase>,
    /// HTTP exchange without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpPhase>,
}

impl Connection {
    /// The status of a target that was reached.
    pub const CONNECTED: &'static str = "Connected";

    /// Whether the target was reached.
    pub fn is_connected(&self) -> bool {
        self.status == Self::CONNECTED
    }
}

/// Name resolution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsPhase {
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// The addresses found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Why none was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One TCP connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectAttempt {
    /// Address and port.
    pub address: String,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// TLS handshake. The chain is recorded whether it is trusted or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsPhase {
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// Protocol version, such as `TLSv1.3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether the chain leads to a trusted root, is valid now and is for this host; absent when nothing could say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted: Option<bool>,
    /// Why the chain is not trusted, or could not be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distrust: Option<String>,
    /// The certificates that the peer sent, its own first; bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<Certificate>,
    /// Why the handshake failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Distinguished name of the owner.
    pub subject: String,
    /// Distinguished name of the issuer.
    pub issuer: String,
    /// DNS names and addresses it is for; bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
}

/// HTTP exchange. Any status means that the target was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpPhase {
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// Status code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The `Server` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Why there was no response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

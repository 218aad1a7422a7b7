//! What is sampled, and what a sample says.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use periscope_documents::Connection;

/// Most targets that are sampled: far above those that stand, and what the ring has room for.
pub const MAX_TARGETS: usize = 32;
/// What one try may take.
pub const TRY_LIMIT: Duration = Duration::from_secs(5);

/// Something whose connection is sampled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What it is to the node, such as `AKS API Server`.
    pub kind: String,
    /// Host name or address.
    pub host: String,
    /// TCP port; of one that is only resolved, the port of name servers.
    pub port: u16,
    /// A node can do its work without it.
    pub optional: bool,
    /// The time from one try to the next, on average.
    pub every: Duration,
}

impl Target {
    /// Whether both mean the same connection, however often it is sampled.
    pub(crate) fn is_same_connection(&self, other: &Self) -> bool {
        (&self.kind, &self.host, self.port) == (&other.kind, &other.host, other.port)
    }
}

/// Tries targets. How is for whoever implements it: the sampler neither resolves names nor connects.
#[async_trait]
pub trait Probe: Send + Sync + 'static {
    /// Tries the target once, DNS and TCP, and closes what it opened. May be dropped at any point: see [`TRY_LIMIT`].
    async fn probe(&self, target: &Target) -> Outcome;
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The target was reached.
    Connected,
    /// Its name led to no address.
    DnsFailed(String),
    /// No address took a connection.
    TcpFailed(String),
}

impl Outcome {
    /// Whether the target was reached.
    pub fn is_connected(&self) -> bool {
        *self == Self::Connected
    }

    /// The phase and the error, as `connections.json` has it; `None` where the target was reached.
    pub fn error(&self) -> Option<String> {
        match self {
            Self::Connected => None,
            Self::DnsFailed(why) => Some(format!("dns: {why}")),
            Self::TcpFailed(why) => Some(format!("tcp: {why}")),
        }
    }

    /// `Connected`, or `Error: ` with phase and error.
    pub fn status(&self) -> String {
        self.error()
            .map_or_else(|| Connection::CONNECTED.to_owned(), |error| format!("Error: {error}"))
    }
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When it began, by the node's clock.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What came of it.
    pub outcome: Outcome,
}

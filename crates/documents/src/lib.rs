//! What passes from actions to analyzers through the archive: the documents' shapes and the parser of `resolv.conf`.
//! Nothing here gathers or judges.

mod connections;
mod kubelet;
mod lines;
mod lookups;
pub mod names;
mod network;
mod resolv_conf;

pub use connections::{Certificate, ConnectAttempt, Connection, DnsPhase, HttpPhase, TlsPhase};
pub use kubelet::{KubeletSettings, NodeCertificate};
pub use lines::{from_lines, to_lines};
pub use lookups::{Lookup, Outcome, Protocol, RecordType};
pub use network::Network;
pub use resolv_conf::{MAX_NAME_SERVERS, NameServer, Problem, ResolvConf};

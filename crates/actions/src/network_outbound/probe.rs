//! Tries one target: name, connection, TLS, HTTP, each within its share of five seconds. A phase that fails ends the
//! try.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use periscope_documents::{ConnectAttempt, Connection, DnsPhase, HttpPhase, Network, TlsPhase};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::http;
use super::resolver::SystemResolver;
use super::target::{OutboundTarget, Trust};
use super::tls::TrustStores;

/// When each phase must be through, counted from the start of the try. The last is what an action may take in all.
pub(super) const DNS_BY: Duration = Duration::from_millis(1500);
const TCP_BY: Duration = Duration::from_millis(3500);
const TLS_BY: Duration = Duration::from_millis(4300);
const HTTP_BY: Duration = Duration::from_millis(4900);

/// Most addresses that are tried.
const MAX_ADDRESSES: usize = 4;
/// Most of them that may be IPv4, so that the other kind gets its turn.
const MAX_IPV4: usize = 3;

const TIMED_OUT: &str = "timed out";

/// What tries share.
pub(super) struct Prober {
    pub(super) resolver: SystemResolver,
    pub(super) trust: TrustStores,
    /// The network that the tries go out from.
    pub(super) from: Network,
}

impl Prober {
    /// Tries the target once.
    pub(super) async fn probe(&self, target: &OutboundTarget) -> Connection {
        let started = Instant::now();
        let mut connection = Connection {
            kind: target.kind.clone(),
            from: self.from,
            host: target.host.clone(),
            port: target.port,
            optional: target.optional,
            start: Timestamp::now(),
            millis: 0,
            status: Connection::CONNECTED.to_owned(),
            dns: None,
            tcp: Vec::new(),
            tls: None,
            http: None,
        };
        if let Err(error) = self.phases(target, started, &mut connection).await {
            connection.status = format!("Error: {error}");
        }
        connection.millis = millis_since(started);
        connection
    }

    /// Goes through the phases, noting each, until one fails.
    async fn phases(&self, target: &OutboundTarget, started: Instant, noted: &mut Connection) -> Result<(), String> {
        let Prober { resolver, .. } = self;
        let addresses = resolve(resolver, &target.host, target.port, started, &mut noted.dns)
            .await
            .map_err(|error| format!("dns: {error}"))?;
        let stream = connect(&addresses, started, &mut noted.tcp)
            .await
            .map_err(|error| format!("tcp: {error}"))?;
        let beyond = self.beyond_tcp(target, stream, started, noted).await;
        if target.tcp_is_enough { Ok(()) } else { beyond }
    }

    async fn beyond_tcp(
        &self,
        target: &OutboundTarget,
        stream: TcpStream,
        started: Instant,
        noted: &mut Connection,
    ) -> Result<(), String> {
        match target.tls {
            None => exchange(target, stream, started, noted).await,
            Some(trust) => {
                let stream = self.secure(target, trust, stream, started, noted).await;
                let stream = stream.map_err(|error| format!("tls: {error}"))?;
                exchange(target, stream, started, noted).await
            }
        }
    }

    async fn secure(
        &self,
        target: &OutboundTarget,
        trust: Trust,
        stream: TcpStream,
        started: Instant,
        noted: &mut Connection,
    ) -> Result<TlsStream<TcpStream>, String> {
        let begun = Instant::now();
        let name = ServerName::try_from(target.host.clone()).map_err(|error| error.to_string())?;
        let (config, recorder) = self
            .trust
            .handshake(trust, target.alpn)
            .map_err(|error| error.to_string())?;
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let shaken = match timeout_at(started + TLS_BY, handshake).await {
            Ok(shaken) => shaken.map_err(|error| error.to_string()),
            Err(_) => Err(TIMED_OUT.to_owned()),
        };
        let seen = recorder.seen();
        let version = shaken
            .as_ref()
            .ok()
            .and_then(|stream| stream.get_ref().1.protocol_version());
        noted.tls = Some(TlsPhase {
            millis: millis_since(begun),
            version: version.and_then(|version| Some(version.as_str()?.replace('_', "."))),
            trusted: seen.trusted,
            distrust: seen.distrust,
            chain: seen.chain,
            error: shaken.as_ref().err().cloned(),
        });
        shaken
    }
}

/// The addresses to connect to, in order. A host that is an address has no phase to note.
pub(super) async fn resolve(
    resolver: &SystemResolver,
    host: &str,
    port: u16,
    started: Instant,
    noted: &mut Option<DnsPhase>,
) -> Result<Vec<SocketAddr>, String> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    let found = timeout_at(started + DNS_BY, resolver.addresses(host)).await;
    let found = found.unwrap_or_else(|_| Err(TIMED_OUT.to_owned()));
    let found = found.and_then(|found| {
        if found.is_empty() {
            Err("no addresses".to_owned())
        } else {
            Ok(found)
        }
    });
    *noted = Some(DnsPhase {
        millis: millis_since(started),
        addresses: found.iter().flatten().map(ToString::to_string).collect(),
        error: found.as_ref().err().cloned(),
    });
    Ok(to_try(&found?)
        .into_iter()
        .map(|address| (address, port).into())
        .collect())
}

/// A connection to the first address that takes one.
pub(super) async fn connect(
    addresses: &[SocketAddr],
    started: Instant,
    noted: &mut Vec<ConnectAttempt>,
) -> Result<TcpStream, String> {
    let by = started + TCP_BY;
    let mut last = TIMED_OUT.to_owned();
    for (n, address) in addresses.iter().enumerate() {
        let begun = Instant::now();
        // What is left of the time, shared by the addresses that are left.
        let left = u32::try_from(addresses.len() - n).unwrap_or(u32::MAX);
        let until = begun + by.saturating_duration_since(begun) / left;
        let connected = match timeout_at(until, TcpStream::connect(address)).await {
            Ok(connected) => connected.map_err(|error| error.to_string()),
            Err(_) => Err(TIMED_OUT.to_owned()),
        };
        noted.push(ConnectAttempt {
            address: address.to_string(),
            millis: millis_since(begun),
            error: connected.as_ref().err().cloned(),
        });
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn exchange(
    target: &OutboundTarget,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    started: Instant,
    noted: &mut Connection,
) -> Result<(), String> {
    let Some(path) = &target.path else { return Ok(()) };
    let begun = Instant::now();
    let answered = match timeout_at(started + HTTP_BY, http::head(&mut stream, &target.host, path)).await {
        Ok(answered) => answered.map_err(|error| error.to_string()),
        Err(_) => Err(TIMED_OUT.to_owned()),
    };
    let failed = answered.as_ref().err().cloned();
    let phase = answered.unwrap_or(HttpPhase {
        millis: 0,
        status: None,
        server: None,
        error: failed.clone(),
    });
    noted.http = Some(HttpPhase {
        millis: millis_since(begun),
        ..phase
    });
    failed.map_or(Ok(()), |error| Err(format!("http: {error}")))
}

/// The addresses to try, IPv4 first: nodes with IPv6 addresses that lead nowhere are common, the contrary is not.
fn to_try(found: &[IpAddr]) -> Vec<IpAddr> {
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = found.iter().partition(|address| address.is_ipv4());
    let v4_count = if v6.is_empty() { MAX_ADDRESSES } else { MAX_IPV4 };
    v4.into_iter().take(v4_count).chain(v6).take(MAX_ADDRESSES).collect()
}

fn millis_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

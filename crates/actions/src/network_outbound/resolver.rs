//! Turns host names into addresses as programs in this network do: by our own `resolv.conf` and `hosts`.

use std::io::Read;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select;
use hickory_resolver::config::ResolveHosts;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::system_conf::parse_resolv_conf;
use hickory_resolver::{Hosts, TokioResolver};
use periscope_host::{HostPath, HostRoot};
use tokio::time::timeout;

use super::probe::DNS_BY;

/// How long the addresses of one kind wait for those of the other (RFC 8305 has 50 ms for clients in a hurry).
const OTHER_KIND: Duration = Duration::from_millis(200);
/// A `resolv.conf` has some lines.
const MAX_RESOLV_CONF_BYTES: usize = 64 * 1024;
/// A hosts file may be a list of blocked names; what comes after is looked up.
const MAX_HOSTS_BYTES: u64 = 4 * 1024 * 1024;

/// A resolver, or why there is none.
pub(super) struct SystemResolver(Result<TokioResolver, String>);

impl SystemResolver {
    /// The resolver of the root folder `own`, which is ours. Blocks.
    pub(super) fn new(own: &HostRoot) -> Self {
        Self(Self::build(own))
    }

    fn build(own: &HostRoot) -> Result<TokioResolver, String> {
        let path = HostPath::new("/etc/resolv.conf").map_err(|error| error.to_string())?;
        let text = own
            .read(&path, MAX_RESOLV_CONF_BYTES)
            .map_err(|error| error.to_string())?;
        let (config, mut options) = parse_resolv_conf(text).map_err(|error| error.to_string())?;
        // Two servers get their chance within the phase.
        options.timeout = DNS_BY / 2;
        options.attempts = 1;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        let mut resolver = builder.build().map_err(|error| error.to_string())?;
        // By itself it reads the file of this process, whatever root it is given.
        let mut hosts = Hosts::default();
        if let Some(file) = HostPath::new("/etc/hosts").ok().and_then(|path| own.open(&path).ok()) {
            hosts
                .read_hosts_conf(file.take(MAX_HOSTS_BYTES))
                .map_err(|error| error.to_string())?;
        }
        resolver.set_hosts(Arc::new(hosts));
        Ok(resolver)
    }

    /// The addresses of a host, of both kinds. When one kind is found, the other is waited for only shortly: many name
    /// servers never answer about IPv6.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let resolver = self.0.as_ref().map_err(Clone::clone)?;
        // Without the dot the search list is tried first for the names of the Internet.
        let name = if host.matches('.').count() > 1 {
            format!("{host}.")
        } else {
            host.to_owned()
        };
        let v4 = Box::pin(lookup(resolver, &name, RecordType::A));
        let v6 = Box::pin(lookup(resolver, &name, RecordType::AAAA));
        let (first, second) = select(v4, v6).await.factor_first();
        let second = match &first {
            Ok(found) if !found.is_empty() => timeout(OTHER_KIND, second).await.unwrap_or_else(|_| Ok(Vec::new())),
            _ => second.await,
        };
        match (first, second) {
            (Ok(mut found), Ok(more)) => {
                found.extend(more);
                Ok(found)
            }
            (Ok(found), Err(error)) | (Err(error), Ok(found)) if found.is_empty() => Err(error),
            (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
            (Err(error), Err(_)) => Err(error),
        }
    }
}

async fn lookup(resolver: &TokioResolver, name: &str, record_type: RecordType) -> Result<Vec<IpAddr>, String> {
    let found = resolver
        .lookup(name, record_type)
        .await
        .map_err(|error| describe(&error))?;
    Ok(found
        .answers()
        .iter()
        .filter_map(|record| record.data.ip_addr())
        .collect())
}

/// What a server said, in words; hickory's own show the structure of the question.
fn describe(error: &NetError) -> String {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NoError => {
            "the name has no address".to_owned()
        }
        NetError::Dns(DnsError::NoRecordsFound(none)) => none.response_code.to_string(),
        NetError::Dns(DnsError::ResponseCode(code)) => code.to_string(),
        other => other.to_string(),
    }
}

//! Turns host names into addresses as programs in this network do: by our own `resolv.conf` and `hosts`.

use std::net::IpAddr;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::parse_resolv_conf;
use periscope_host::{HostPath, HostRoot};

use super::probe::DNS_BY;

/// A `resolv.conf` has some lines.
const MAX_RESOLV_CONF_BYTES: usize = 64 * 1024;

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
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Always;
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        builder.build().map_err(|error| error.to_string())
    }

    /// The addresses of a host.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let resolver = self.0.as_ref().map_err(Clone::clone)?;
        // Without the dot the search list is tried first for the names of the Internet.
        let name = if host.matches('.').count() > 1 {
            format!("{host}.")
        } else {
            host.to_owned()
        };
        let found = resolver.lookup_ip(name).await.map_err(|error| error.to_string())?;
        Ok(found.iter().collect())
    }
}

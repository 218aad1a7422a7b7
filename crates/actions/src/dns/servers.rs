//! Which name servers there are to ask, and who names them.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use periscope_documents::{MAX_NAME_SERVERS, NameServer, ResolvConf};

/// Most servers that are asked: three files of three each, and the cluster's.
const MAX_SERVERS: usize = 12;

/// A name server and who names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) address: IpAddr,
    /// The interface of a link-local address.
    zone: Option<String>,
    pub(super) named_by: Vec<String>,
    /// It is named by a file that belongs to the node's network and not to ours.
    foreign: bool,
}

impl Server {
    /// Where to ask it, or why asking from here would prove nothing.
    pub(super) fn endpoint(&self, port: u16) -> Result<SocketAddr, String> {
        if self.foreign && self.address.is_loopback() {
            return Err("it listens on the node's loopback, and this program is in another network".to_owned());
        }
        match (self.address, &self.zone) {
            (IpAddr::V6(address), Some(zone)) => match zone.parse() {
                Ok(scope) => Ok(SocketAddrV6::new(address, port, 0, scope).into()),
                Err(_) => Err(format!("its address counts on the interface {zone} only")),
            },
            (address, _) => Ok((address, port).into()),
        }
    }

    /// How it is shown where it cannot be asked.
    pub(super) fn name(&self) -> String {
        match &self.zone {
            Some(zone) => format!("{}%{zone}", self.address),
            None => self.address.to_string(),
        }
    }
}

/// The servers found so far, each once.
#[derive(Debug, Default)]
pub(super) struct Servers(Vec<Server>);

impl Servers {
    /// Adds those of a file that are asked at all. `foreign`: the file belongs to the node's network, and we are in
    /// another.
    pub(super) fn add_file(&mut self, name: &str, conf: &ResolvConf, foreign: bool) {
        for NameServer { address, zone, .. } in conf.name_servers.iter().take(MAX_NAME_SERVERS) {
            self.add(*address, zone.clone(), name, foreign);
        }
    }

    /// Adds a server of the cluster.
    pub(super) fn add_cluster(&mut self, address: IpAddr) {
        self.add(address, None, "clusterDNS of the kubelet", false);
    }

    fn add(&mut self, address: IpAddr, zone: Option<String>, name: &str, foreign: bool) {
        let same = |server: &&mut Server| server.address == address && server.zone == zone && server.foreign == foreign;
        if let Some(known) = self.0.iter_mut().find(same) {
            known.named_by.push(name.to_owned());
        } else if self.0.len() < MAX_SERVERS {
            self.0.push(Server {
                address,
                zone,
                named_by: vec![name.to_owned()],
                foreign,
            });
        }
    }

    /// The servers, in the order in which they were added.
    pub(super) fn into_vec(self) -> Vec<Server> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use periscope_documents::ResolvConf;

    use super::Servers;

    #[test]
    fn each_server_is_there_once_with_all_who_name_it() {
        let mut servers = Servers::default();
        servers.add_file(
            "a",
            &ResolvConf::parse(b"nameserver 10.0.0.10\nnameserver 10.0.0.11\n"),
            false,
        );
        servers.add_file("b", &ResolvConf::parse(b"nameserver 10.0.0.11\n"), false);
        servers.add_cluster("10.0.0.10".parse().unwrap());
        let found: Vec<_> = servers.into_vec().into_iter().map(|s| (s.name(), s.named_by)).collect();
        assert_eq!(
            found,
            [
                (
                    "10.0.0.10".to_owned(),
                    vec!["a".to_owned(), "clusterDNS of the kubelet".to_owned()]
                ),
                ("10.0.0.11".to_owned(), vec!["a".to_owned(), "b".to_owned()]),
            ]
        );
    }

    #[test]
    fn what_would_prove_nothing_is_not_asked() {
        let mut servers = Servers::default();
        let stub = ResolvConf::parse(b"nameserver 127.0.0.53\nnameserver fe80::1%eth0\nnameserver fe80::2%3\n");
        servers.add_file("host", &stub, true);
        servers.add_file("pod", &ResolvConf::parse(b"nameserver 127.0.0.53\n"), false);
        let endpoints: Vec<_> = servers
            .into_vec()
            .iter()
            .map(|s| s.endpoint(53).map(|e| e.to_string()))
            .collect();
        assert!(endpoints[0].as_ref().unwrap_err().contains("node's loopback"));
        assert!(endpoints[1].as_ref().unwrap_err().contains("interface eth0"));
        assert_eq!(endpoints[2].as_deref(), Ok("[fe80::2%3]:53"));
        assert_eq!(endpoints[3].as_deref(), Ok("127.0.0.53:53"));
    }

    #[test]
    fn only_so_many_are_asked() {
        let mut servers = Servers::default();
        for n in 0..50 {
            servers.add_cluster([10, 0, 0, n].into());
        }
        assert_eq!(servers.into_vec().len(), super::MAX_SERVERS);
    }
}

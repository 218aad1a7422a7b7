//! Which name servers the node and the program's own pod ask, from the gathered files; whether they should is judged
//! elsewhere.

use std::net::{IpAddr, Ipv4Addr};

use periscope_core::{AnalyzeError, Inputs};
use periscope_documents::{MAX_NAME_SERVERS, NameServer, ResolvConf, names};

use crate::artifact::{self, Artifact, Text};

/// Where systemd-resolved listens (systemd-resolved.service(8)): behind them are the servers that count.
const RESOLVED_STUBS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 54)),
];

/// A `resolv.conf`, as far as it can be relied on.
pub(crate) enum NameServers {
    /// The file and what it says.
    Known(Text, ResolvConf),
    /// There is none.
    NoSuchThing,
    /// It should be there, and is not.
    Incomplete(String),
}

/// Whether any of the files was asked for; none is where the action `dns` was not run.
pub(crate) fn are_gathered(inputs: &dyn Inputs) -> bool {
    let planned = |name| artifact::is_planned(inputs, names::DNS, name);
    planned(names::HOST_RESOLV_CONF) || planned(names::POD_RESOLV_CONF)
}

/// The name servers that answer the node: those behind systemd-resolved where the node asks its stub.
pub(crate) fn of_node(inputs: &dyn Inputs) -> Result<NameServers, AnalyzeError> {
    let (text, conf) = match of_file(inputs, names::HOST_RESOLV_CONF)? {
        NameServers::Known(text, conf) => (text, conf),
        unknown => return Ok(unknown),
    };
    let stub_only = !conf.name_servers.is_empty()
        && conf
            .name_servers
            .iter()
            .all(|server| RESOLVED_STUBS.contains(&server.address));
    if !stub_only {
        return Ok(NameServers::Known(text, conf));
    }
    Ok(match of_file(inputs, names::RESOLVED_RESOLV_CONF)? {
        NameServers::NoSuchThing => {
            let path = text.path;
            NameServers::Incomplete(format!(
                "{path} names only the local stub, and the servers behind it are not known"
            ))
        }
        behind => behind,
    })
}

/// The name servers of the pod in which the program ran.
pub(crate) fn of_pod(inputs: &dyn Inputs) -> Result<NameServers, AnalyzeError> {
    of_file(inputs, names::POD_RESOLV_CONF)
}

/// The servers of a file that are asked at all.
pub(crate) fn asked(conf: &ResolvConf) -> &[NameServer] {
    conf.name_servers.get(..MAX_NAME_SERVERS).unwrap_or(&conf.name_servers)
}

fn of_file(inputs: &dyn Inputs, name: &str) -> Result<NameServers, AnalyzeError> {
    Ok(match artifact::read(inputs, names::DNS, name)? {
        Artifact::Whole(text) => {
            let conf = ResolvConf::parse(text.text.as_bytes());
            NameServers::Known(text, conf)
        }
        Artifact::NoSuchThing => NameServers::NoSuchThing,
        Artifact::Incomplete(why) => NameServers::Incomplete(why),
    })
}

//! Reads `resolv.conf` as the C library's resolver does (resolv.conf(5)), and says where a line will not do what its
//! author meant. Asks no server.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// How many name servers the C library uses; further ones are read and never asked (`MAXNS`, resolv.conf(5)).
pub const MAX_NAME_SERVERS: usize = 3;

/// The content of a `resolv.conf`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResolvConf {
    /// The name servers in the order in which they are asked.
    pub name_servers: Vec<NameServer>,
    /// The domains that are appended to short names: the last `search` or `domain` line.
    pub search: Vec<String>,
    /// All options, such as `ndots:5`.
    pub options: Vec<String>,
    /// Lines that are not what they seem to be.
    pub problems: Vec<Problem>,
}

/// One name server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NameServer {
    /// Its address.
    pub address: IpAddr,
    /// The interface of a link-local IPv6 address (`fe80::1%eth0`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The line it stands on, counted from 1.
    pub line: u64,
}

/// A line that is not what it seems to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The line, counted from 1.
    pub line: u64,
    /// What is the matter with it.
    pub what: String,
}

impl std::fmt::Display for NameServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.zone {
            Some(zone) => write!(f, "{}%{zone}", self.address),
            None => self.address.fmt(f),
        }
    }
}

impl ResolvConf {
    /// Reads a file. Every input has a reading; what is odd about it is in [`Self::problems`].
    pub fn parse(text: &[u8]) -> Self {
        let mut conf = Self::default();

        let text = String::from_utf8_lossy(text);
        for (number, line) in (1..).zip(text.lines()) {
            conf.read_line(number, line);
        }
        for server in conf.name_servers.iter().skip(MAX_NAME_SERVERS) {
            let what = format!("{server} is never asked: only the first {MAX_NAME_SERVERS} name servers are");
            conf.problems.push(Problem {
                line: server.line,
                what,
            });
        }
        conf.problems.sort_by_key(|problem| problem.line);
        conf
    }

    fn read_line(&mut self, line: u64, text: &str) {
        // Comments have their sign in the first column; elsewhere it is part of a value.
        if text.starts_with(['#', ';']) || text.trim().is_empty() {
            return;
        }
        let mut problem = |what: String| self.problems.push(Problem { line, what });
        if text.starts_with(char::is_whitespace) {
            problem("the keyword does not begin the line: the C library skips it, others read it".to_owned());
        }
        let mut words = text.split_ascii_whitespace();
        let keyword = words.next().unwrap_or_default();
        match keyword {
            "nameserver" => match words.next() {
                None => problem("nameserver without an address".to_owned()),
                Some(word) => match address(word) {
                    None => problem(format!("nameserver {word:?} is not an IP address")),
                    Some((address, zone)) => {
                        // A comment behind the address is common and harmless.
                        if words.next().is_some_and(|next| !next.starts_with(['#', ';'])) {
                            problem("only the first address of the line is used".to_owned());
                        }
                        self.name_servers.push(NameServer { address, zone, line });
                    }
                },
            },
            "search" => self.search = words.map(str::to_owned).collect(),
            "domain" => self.search = words.take(1).map(str::to_owned).collect(),
            "options" => self.options.extend(words.map(str::to_owned)),
            "sortlist" => {}
            _ => problem(format!("unknown keyword {keyword:?}")),
        }
    }
}

fn address(word: &str) -> Option<(IpAddr, Option<String>)> {
    match word.split_once('%') {
        None => Some((word.parse().ok()?, None)),
        Some((address, zone)) => {
            let address: IpAddr = address.parse().ok()?;
            (address.is_ipv6() && !zone.is_empty()).then(|| (address, Some(zone.to_owned())))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::ResolvConf;

    #[rstest]
    #[case::empty("", &[], &[])]
    #[case::azure_node("nameserver 168.63.129.16\nsearch x.internal.cloudapp.net\n", &["168.63.129.16"], &[])]
    #[case::pod("search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.0.0.10\noptions ndots:5\n", &["10.0.0.10"], &[])]
    #[case::stub("# This is /run/systemd/resolve/stub-resolv.conf\n; managed\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n", &["127.0.0.53"], &[])]
    #[case::no_trailing_newline("nameserver 10.0.0.4", &["10.0.0.4"], &[])]
    #[case::tabs("nameserver\t10.0.0.4\t\n", &["10.0.0.4"], &[])]
    #[case::trailing_spaces("nameserver 10.0.0.4   \n", &["10.0.0.4"], &[])]
    #[case::carriage_returns("nameserver 10.0.0.4\r\nnameserver 10.0.0.5\r\n", &["10.0.0.4", "10.0.0.5"], &[])]
    #[case::comment_behind("nameserver 10.0.0.4 # main\n", &["10.0.0.4"], &[])]
    #[case::commented_out("#nameserver 10.0.0.4\n;nameserver 10.0.0.5\nnameserver 10.0.0.6\n", &["10.0.0.6"], &[])]
    #[case::several_on_a_line("nameserver 10.0.0.4 10.0.0.5\n", &["10.0.0.4"], &["1: only the first address of the line is used"])]
    #[case::leading_space("  nameserver 10.0.0.4\n", &["10.0.0.4"], &["1: the keyword does not begin the line: the C library skips it, others read it"])]
    #[case::ipv6("nameserver 2001:db8::1\nnameserver ::1\n", &["2001:db8::1", "::1"], &[])]
    #[case::ipv6_zone("nameserver fe80::1%eth0\n", &["fe80::1%eth0"], &[])]
    #[case::ipv4_zone("nameserver 10.0.0.4%eth0\n", &[], &["1: nameserver \"10.0.0.4%eth0\" is not an IP address"])]
    #[case::no_address("nameserver\n", &[], &["1: nameserver without an address"])]
    #[case::ends_in_the_keyword("search x\nnameserver", &[], &["2: nameserver without an address"])]
    #[case::host_name("nameserver dns.example.com\n", &[], &["1: nameserver \"dns.example.com\" is not an IP address"])]
    #[case::with_port("nameserver 10.0.0.4:5353\n", &[], &["1: nameserver \"10.0.0.4:5353\" is not an IP address"])]
    #[case::four_servers("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\n", &["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"], &["4: 1.1.1.4 is never asked: only the first 3 name servers are"])]
    #[case::misspelt("nameservers 10.0.0.4\n", &[], &["1: unknown keyword \"nameservers\""])]
    #[case::upper_case("Nameserver 10.0.0.4\n", &[], &["1: unknown keyword \"Nameserver\""])]
    #[case::byte_order_mark("\u{feff}nameserver 10.0.0.4\n", &[], &["1: unknown keyword \"\\u{feff}nameserver\""])]
    fn shapes(#[case] text: &str, #[case] servers: &[&str], #[case] problems: &[&str]) {
        let conf = ResolvConf::parse(text.as_bytes());
        let found: Vec<_> = conf.name_servers.iter().map(ToString::to_string).collect();
        assert_eq!(found, servers);
        let found: Vec<_> = conf
            .problems
            .iter()
            .map(|p| format!("{}: {}", p.line, p.what))
            .collect();
        assert_eq!(found, problems);
    }

    #[test]
    fn the_last_search_or_domain_counts_and_options_add_up() {
        let conf = ResolvConf::parse(b"search a b\ndomain c d\noptions ndots:2\noptions timeout:1 rotate\n");
        assert_eq!(conf.search, ["c"]);
        assert_eq!(conf.options, ["ndots:2", "timeout:1", "rotate"]);
        assert_eq!(ResolvConf::parse(b"domain c\nsearch a b\n").search, ["a", "b"]);
    }

    #[test]
    fn servers_know_their_lines() {
        let conf = ResolvConf::parse(b"# x\n\nnameserver 10.0.0.4\nsearch a\nnameserver 10.0.0.5");
        assert_eq!(conf.name_servers.iter().map(|s| s.line).collect::<Vec<_>>(), [3, 5]);
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_reading(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let lines = bytes.split(|b| *b == b'\n').count() as u64;
            let conf = ResolvConf::parse(&bytes);
            prop_assert!(conf.name_servers.iter().all(|server| (1..=lines).contains(&server.line)));
        }

        #[test]
        fn any_lines_of_known_words_have_a_reading(text in "((nameserver|search|options|#|;| |\t|\r|\n|10\\.0\\.0\\.1|fe80::1|%eth0|x){0,5}\n?){0,8}") {
            let conf = ResolvConf::parse(text.as_bytes());
            prop_assert!(conf.name_servers.len() <= text.matches("nameserver").count());
        }
    }
}

//! Readers of the kernel's text tables in `/proc/<pid>/net` (proc(5)); they open no file.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use periscope_documents::{Interface, Route, Traffic};

/// `RTF_UP` and `RTF_REJECT` (`include/uapi/linux/route.h`).
const RTF_UP: u32 = 0x0001;
const RTF_REJECT: u32 = 0x0200;
/// `RTF_CACHE` and `RTF_LOCAL` (`include/uapi/linux/ipv6_route.h`): no routes that anybody made.
const RTF_IPV6_OWN: u32 = 0x0100_0000 | 0x8000_0000;

/// The interfaces of `dev`, with their counters.
pub(super) fn interfaces(dev: &str) -> Vec<Interface> {
    dev.lines()
        .skip(2)
        .filter_map(|line| {
            // A name may hold a colon: of an alias, as old tools make them.
            let (name, numbers) = line.rsplit_once(':')?;
            let numbers: Vec<u64> = numbers
                .split_ascii_whitespace()
                .map(|word| word.parse().unwrap_or(0))
                .collect();
            let traffic = |first: usize| {
                let number = |at: usize| numbers.get(first + at).copied().unwrap_or(0);
                Traffic {
                    bytes: number(0),
                    packets: number(1),
                    errors: number(2),
                    dropped: number(3),
                }
            };
            Some(Interface {
                name: name.trim().to_owned(),
                rx: traffic(0),
                tx: traffic(8),
                ..Interface::default()
            })
        })
        .collect()
}

/// The routes of `route`: those of IPv4's main table.
pub(super) fn routes_ipv4(table: &str) -> Vec<Route> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let address = |at: usize| {
                let number = u32::from_str_radix(words.get(at)?, 16).ok()?;
                Some(Ipv4Addr::from(number.to_ne_bytes()))
            };
            let flags = u32::from_str_radix(words.get(3)?, 16).ok()?;
            let gateway = address(2)?;
            let prefix = u32::from(address(7)?).leading_ones();
            Some(Route {
                destination: format!("{}/{prefix}", address(1)?),
                gateway: (!gateway.is_unspecified()).then(|| gateway.to_string()),
                interface: (*words.first()?).to_owned(),
                metric: words.get(6)?.parse().ok()?,
                up: flags & RTF_UP != 0,
                reject: flags & RTF_REJECT != 0,
            })
        })
        .collect()
}

/// The routes of `ipv6_route`, without the kernel's own for each address.
pub(super) fn routes_ipv6(table: &str) -> Vec<Route> {
    table
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let address = |at: usize| u128::from_str_radix(words.get(at)?, 16).ok().map(Ipv6Addr::from);
            let number = |at: usize| u32::from_str_radix(words.get(at)?, 16).ok();
            let flags = number(8)?;
            if flags & RTF_IPV6_OWN != 0 {
                return None;
            }
            let gateway = address(4)?;
            Some(Route {
                destination: format!("{}/{}", address(0)?, number(1)?),
                gateway: (!gateway.is_unspecified()).then(|| gateway.to_string()),
                interface: (*words.get(9)?).to_owned(),
                metric: number(5)?,
                up: flags & RTF_UP != 0,
                reject: flags & RTF_REJECT != 0,
            })
        })
        .collect()
}

/// An IPv6 address of `if_inet6`.
pub(super) struct Ipv6Entry {
    pub(super) interface: String,
    pub(super) index: u32,
    /// With its prefix length.
    pub(super) address: String,
}

/// The addresses of `if_inet6`.
pub(super) fn addresses_ipv6(table: &str) -> Vec<Ipv6Entry> {
    table
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let address = Ipv6Addr::from(u128::from_str_radix(words.first()?, 16).ok()?);
            let number = |at: usize| u32::from_str_radix(words.get(at)?, 16).ok();
            Some(Ipv6Entry {
                interface: (*words.get(5)?).to_owned(),
                index: number(1)?,
                address: format!("{address}/{}", number(2)?),
            })
        })
        .collect()
}

/// The own IPv4 addresses that `fib_trie` shows, each once, without loopback's.
pub(super) fn addresses_ipv4(trie: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut last: Option<Ipv4Addr> = None;
    for line in trie.lines() {
        let line = line.trim_start();
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.trim().parse().ok();
        } else if line.starts_with("/32 host LOCAL")
            && let Some(address) = last
            && !address.is_loopback()
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

/// `snmp` and `netstat`: pairs of lines, names and values, each after the protocol; keys are `Tcp RetransSegs`.
pub(super) fn paired_lines(text: &str) -> BTreeMap<String, u64> {
    let mut values = BTreeMap::new();
    let mut lines = text.lines();
    while let (Some(names), Some(numbers)) = (lines.next(), lines.next()) {
        let (Some((protocol, names)), Some((_, numbers))) = (names.split_once(':'), numbers.split_once(':')) else {
            continue;
        };
        for (name, number) in names.split_ascii_whitespace().zip(numbers.split_ascii_whitespace()) {
            // Some are negative where they mean nothing.
            if let Ok(number) = number.parse() {
                values.insert(format!("{protocol} {name}"), number);
            }
        }
    }
    values
}

/// One row of `softnet_stat`: what a CPU took from the network cards (`net/core/net-procfs.c`).
pub(super) struct Softnet {
    pub(super) processed: u64,
    /// Packets that its queue had no room for.
    pub(super) dropped: u64,
    /// Times that it had to stop with work left.
    pub(super) squeezed: u64,
}

/// The rows of `softnet_stat`, one for each CPU.
pub(super) fn softnet(text: &str) -> Vec<Softnet> {
    text.lines()
        .map(|line| {
            let mut words = line
                .split_ascii_whitespace()
                .map(|word| u64::from_str_radix(word, 16).unwrap_or(0));
            let mut next = || words.next().unwrap_or(0);
            Softnet {
                processed: next(),
                dropped: next(),
                squeezed: next(),
            }
        })
        .collect()
}

/// One row of `tcp`, `tcp6`, `udp` or `udp6`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SocketRow {
    pub(super) local: String,
    pub(super) remote: String,
    pub(super) state: &'static str,
    pub(super) receive_queue: u64,
    pub(super) send_queue: u64,
    pub(super) uid: u32,
    pub(super) inode: u64,
}

/// Reads a row of a table of sockets; `None` for its heading.
pub(super) fn socket(line: &str) -> Option<SocketRow> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (send, receive) = words.get(4)?.split_once(':')?;
    Some(SocketRow {
        local: endpoint(words.get(1)?)?,
        remote: endpoint(words.get(2)?)?,
        state: state(words.get(3)?),
        receive_queue: u64::from_str_radix(receive, 16).ok()?,
        send_queue: u64::from_str_radix(send, 16).ok()?,
        uid: words.get(7)?.parse().ok()?,
        inode: words.get(9)?.parse().ok()?,
    })
}

/// `0100007F:1F90` as people write it: words of 32 bits as the CPU holds them, the port in order.
fn endpoint(word: &str) -> Option<String> {
    let (address, port) = word.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    let mut rest = address;
    while let Some((head, tail)) = rest.split_at_checked(8) {
        bytes.extend_from_slice(&u32::from_str_radix(head, 16).ok()?.to_ne_bytes());
        rest = tail;
    }
    let address = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
    };
    Some(match address {
        IpAddr::V4(address) => format!("{address}:{port}"),
        IpAddr::V6(address) => format!("[{address}]:{port}"),
    })
}

/// The name of a state (`include/net/tcp_states.h`).
fn state(word: &str) -> &'static str {
    match word {
        "01" => "ESTABLISHED",
        "02" => "SYN-SENT",
        "03" | "0C" => "SYN-RECEIVED",
        "04" => "FIN-WAIT-1",
        "05" => "FIN-WAIT-2",
        "06" => "TIME-WAIT",
        "07" => "CLOSED",
        "08" => "CLOSE-WAIT",
        "09" => "LAST-ACK",
        "0A" => "LISTEN",
        "0B" => "CLOSING",
        _ => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  eth0: 394470636  277042    1   23    0     0          0         0  2014011   15012    4    5    0     0       0          0
";
    const ROUTE: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100E00A\t0003\t0\t0\t100\t00000000\t0\t0\t0
cbr0\t0000F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
*\t0000FE0A\t00000000\t0201\t0\t0\t0\t0000FFFF\t0\t0\t0
";
    const ROUTE6: &str = "\
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo
";
    const TRIE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
Local:
        +-- 10.224.0.0/24 2 0 2
           |-- 10.224.0.4
              /32 host LOCAL
           |-- 10.224.0.255
              /32 link BROADCAST
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 10.224.0.4
        /32 host LOCAL
";

    #[test]
    fn interfaces_have_their_counters() {
        let found = interfaces(DEV);
        let names: Vec<_> = found.iter().map(|i| i.name.as_str()).collect();
        assert_eq!(names, ["lo", "eth0"]);
        assert_eq!(
            (found[1].rx.packets, found[1].rx.errors, found[1].rx.dropped),
            (277_042, 1, 23)
        );
        assert_eq!(
            (found[1].tx.bytes, found[1].tx.errors, found[1].tx.dropped),
            (2_014_011, 4, 5)
        );
    }

    #[test]
    fn routes_are_readable() {
        let found = routes_ipv4(ROUTE);
        let seen: Vec<_> = found
            .iter()
            .map(|r| (r.destination.as_str(), r.gateway.as_deref(), r.is_default()))
            .collect();
        assert_eq!(
            seen,
            [
                ("0.0.0.0/0", Some("10.224.0.1"), true),
                ("10.244.0.0/24", None, false),
                ("10.254.0.0/16", None, false)
            ]
        );
        assert!(found[2].reject);
        let found = routes_ipv6(ROUTE6);
        assert_eq!(found.len(), 2, "the kernel's own is left out: {found:?}");
        assert_eq!(
            (
                found[1].destination.as_str(),
                found[1].gateway.as_deref(),
                found[1].metric
            ),
            ("::/0", Some("fd00::1"), 1024)
        );
        assert!(found[1].is_default() && !found[0].is_default());
    }

    #[test]
    fn own_addresses_are_told_from_others() {
        assert_eq!(addresses_ipv4(TRIE), ["10.224.0.4".parse::<Ipv4Addr>().unwrap()]);
        let entry = &addresses_ipv6("fd000000000000000000000000000002 02 40 00 80     eth0\n")[0];
        assert_eq!(
            (entry.interface.as_str(), entry.index, entry.address.as_str()),
            ("eth0", 2, "fd00::2/64")
        );
    }

    #[test]
    fn counters_of_two_lines_are_joined() {
        let values = paired_lines("Tcp: MaxConn OutSegs RetransSegs\nTcp: -1 10845 7\nUdp: NoPorts\nUdp: 3\n");
        assert_eq!(values.get("Tcp RetransSegs"), Some(&7));
        assert_eq!(values.get("Udp NoPorts"), Some(&3));
        assert_eq!(values.get("Tcp MaxConn"), None);
    }

    #[test]
    fn softnet_is_hexadecimal() {
        let rows = softnet("0000000a 00000002 00000001 00000000\n00003c15 00000000 00000000\n");
        assert_eq!((rows[0].processed, rows[0].dropped, rows[0].squeezed), (10, 2, 1));
        assert_eq!(rows[1].processed, 0x3c15);
    }

    #[test]
    fn sockets_are_readable() {
        let line =
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000   101        0 17251 1 0";
        let row = socket(line).unwrap();
        assert_eq!((row.local.as_str(), row.state), ("127.0.0.1:8080", "LISTEN"));
        assert_eq!((row.receive_queue, row.uid, row.inode), (3, 101, 17251));
        let line = "   1: 000080FE00000000000000000100FEFF:0016 00000000000000000000000000000000:0000 01 00000005:00000000 00:00000000 00000000     0        0 9 1";
        let row = socket(line).unwrap();
        assert_eq!((row.local.as_str(), row.send_queue), ("[fe80::fffe:1]:22", 5));
        assert_eq!(
            socket("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when"),
            None
        );
    }

    proptest! {
        #[test]
        fn nothing_breaks_the_readers(text in "(?s).*") {
            interfaces(&text);
            routes_ipv4(&text);
            routes_ipv6(&text);
            addresses_ipv4(&text);
            addresses_ipv6(&text);
            paired_lines(&text);
            softnet(&text);
            text.lines().for_each(|line| drop(socket(line)));
        }
    }
}

//! IPVS services as `ipvsadm -Ln` would show their addresses, from the kernel's own table in which they are
//! hexadecimal.

use std::io::{BufRead, BufReader, Read};
use std::net::Ipv4Addr;
use std::ops::ControlFlow;

use periscope_core::{ArtifactSpec, ArtifactWriter, Content, Sink, State};
use periscope_host::{HostError, HostFile, HostPath, HostRoot};

use crate::host_files::{self, off_thread};

/// The artifact.
pub(super) const SERVICES: &str = "ipvs.txt";

/// The table of the node's process 1.
const TABLE: &str = "/proc/1/net/ip_vs";

/// The kernel writes lines of some 80 bytes.
const MAX_LINE_BYTES: u64 = 4096;

/// Copies the table with readable addresses.
pub(super) async fn collect(root: &HostRoot, sink: &Sink) {
    let (root, sink_there) = (root.clone(), sink.clone());
    let copied = off_thread(move || match open(&root) {
        Ok(file) => copy(
            file,
            sink_there.writer(ArtifactSpec::new(SERVICES, Content::Text).source(TABLE)),
        ),
        Err(error) => {
            host_files::record(&sink_there, SERVICES, &error);
        }
    });
    if let Err(error) = copied.await {
        sink.record(SERVICES, State::Failed, error.to_string());
    }
}

fn open(root: &HostRoot) -> Result<HostFile, HostError> {
    root.open(&HostPath::new(TABLE)?)
}

fn copy(file: HostFile, mut artifact: ArtifactWriter) {
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        match lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {
                let readable = readable(&String::from_utf8_lossy(&line));
                if let ControlFlow::Break(()) = artifact.write_blocking(readable.as_bytes()) {
                    break;
                }
            }
            Err(error) => {
                artifact.finish_blocking(State::Failed, Some(format!("{TABLE} cannot be read further: {error}")));
                return;
            }
        }
    }
    artifact.finish_blocking(State::Collected, None);
}

/// The line with its addresses as people write them.
fn readable(line: &str) -> String {
    line.split_inclusive(' ')
        .map(|piece| {
            let word = piece.trim_end();
            match endpoint(word) {
                Some(endpoint) => piece.replacen(word, &endpoint, 1),
                None => piece.to_owned(),
            }
        })
        .collect()
}

/// `0A000001:01BB` as `10.0.0.1:443`, `[2001:0db8:…]:01BB` with its port in decimal (`ip_vs_ctl.c`, `ip_vs_info_seq_show`).
fn endpoint(word: &str) -> Option<String> {
    let (address, port) = word.rsplit_once(':')?;
    let hexadecimal = |text: &str, len: usize| text.len() == len && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !hexadecimal(port, 4) {
        return None;
    }
    let port = u16::from_str_radix(port, 16).ok()?;
    if address.starts_with('[') && address.ends_with(']') {
        return Some(format!("{address}:{port}"));
    }
    if !hexadecimal(address, 8) {
        return None;
    }
    let address = Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?);
    Some(format!("{address}:{port}"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::readable;

    #[rstest]
    #[case::title(
        "IP Virtual Server version 1.2.1 (size=4096)\n",
        "IP Virtual Server version 1.2.1 (size=4096)\n"
    )]
    #[case::heading(
        "Prot LocalAddress:Port Scheduler Flags\n",
        "Prot LocalAddress:Port Scheduler Flags\n"
    )]
    #[case::service("TCP  0A600001:01BB rr  \n", "TCP  10.96.0.1:443 rr  \n")]
    #[case::persistent(
        "UDP  0A60000A:0035 rr persistent 10800 FFFFFFFF\n",
        "UDP  10.96.0.10:53 rr persistent 10800 FFFFFFFF\n"
    )]
    #[case::server(
        "  -> 0AF40002:1F90      Masq    1      3          0\n",
        "  -> 10.244.0.2:8080      Masq    1      3          0\n"
    )]
    #[case::at_the_end("  -> 0AF40002:1F90\n", "  -> 10.244.0.2:8080\n")]
    #[case::v6(
        "TCP  [fd00:0000:0000:0000:0000:0000:0000:0001]:01BB rr\n",
        "TCP  [fd00:0000:0000:0000:0000:0000:0000:0001]:443 rr\n"
    )]
    #[case::mark("FWM  00000001 rr\n", "FWM  00000001 rr\n")]
    fn addresses_are_made_readable(#[case] line: &str, #[case] expected: &str) {
        assert_eq!(readable(line), expected);
    }
}

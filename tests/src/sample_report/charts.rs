//! What was measured, as the charts of documents like those of a node.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use jiff::Timestamp;
use periscope_core::{ArtifactPath, Inputs, LineHit, State};
use periscope_report::{Chart, charts as charts_of};

use super::{NODE, path, start};

/// Documents by their paths.
struct Documents(BTreeMap<ArtifactPath, String>);

impl Inputs for Documents {
    fn state(&self, path: &ArtifactPath) -> Option<State> {
        self.0.contains_key(path).then_some(State::Collected)
    }

    fn open(&self, path: &ArtifactPath) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        let text = self.0.get(path);
        Ok(text.map(|text| Box::new(text.as_bytes()) as Box<dyn BufRead>))
    }

    fn list(&self, prefix: &str) -> Vec<ArtifactPath> {
        let below = self.0.keys().filter(|path| path.as_str().starts_with(prefix));
        below.cloned().collect()
    }

    fn node(&self) -> &str {
        NODE
    }

    fn started(&self) -> Timestamp {
        start()
    }

    fn hits(&self, _: &str) -> Vec<LineHit> {
        Vec::new()
    }

    fn hit_count(&self, _: &str) -> u64 {
        0
    }
}

/// Charts of a node that has trouble with its disk, its name servers and one target, or none.
pub(super) fn charts(with_trouble: bool) -> Vec<Chart> {
    let slow = if with_trouble { 1840 } else { 5 };
    let free = if with_trouble {
        5_320_135_802_u64
    } else {
        78_000_000_000
    };
    let mut connections = vec![
        connection(
            "AKS API Server",
            "aks-dns-1a2b3c4d.hcp.westeurope.azmk8s.io",
            [3, 1, 9, 4],
        ),
        connection("Microsoft Container Registry", "mcr.microsoft.com", [slow, 12, 31, 58]),
        connection("Azure Resource Manager", "management.azure.com", [6, 14, 33, 41]),
    ];
    if with_trouble {
        connections.push(
            r#"{"type":"Microsoft Entra ID","from":"node","host":"login.microsoftonline.com","port":443,"start":"2026-11-20T09:12:01Z","millis":10002,"status":"Error: TCP: no answer within 10 s","dns":{"millis":2},"tcp":[{"address":"20.190.159.4:443","millis":10000,"error":"no answer within 10 s"}]}"#
                .to_owned(),
        );
    }
    let lookups = [("10.0.0.10:53", slow), ("168.63.129.16:53", 4), ("127.0.0.53:53", 1)].map(|(server, millis)| {
        format!(
            r#"{{"server":"{server}","namedBy":["host-resolv.conf"],"from":"node","name":"mcr.microsoft.com.","type":"A","protocol":"udp","millis":{millis},"outcome":"NOERROR","answers":["150.171.69.10"]}}"#
        )
    });
    let calls = [
        ("/version", 61, "v1.31.3"),
        ("/livez", 9, "ok"),
        ("/readyz?verbose", 12, "ok"),
    ]
    .map(|(request, millis, said)| {
        format!(
            r#"{{"path":"{request}","sent":"2026-11-20T09:12:01Z","millis":{millis},"status":200,"said":"{said}"}}"#
        )
    });
    let disks = [
        ("/", "/dev/sda1", "ext4", 133_003_395_072_u64, free, 16_515_072, 16_201_133),
        ("/mnt", "/dev/sdb1", "ext4", 75_161_927_680, 72_048_361_472, 4_587_520, 4_587_501),
        ("/boot/efi", "/dev/sda15", "vfat", 109_395_456, 102_980_608, 0, 0),
    ]
    .map(|(mount, source, fstype, total, available, inodes, inodes_free)| {
        format!(
            r#"{{"mountPoint":"{mount}","source":"{source}","fstype":"{fstype}","readOnly":false,"totalBytes":{total},"availableBytes":{available},"inodes":{inodes},"inodesAvailable":{inodes_free}}}"#
        )
    });
    let pressure = |some: &str, full: &str| format!("some {some} total=58761459\nfull {full} total=48012459\n");
    let documents = [
        ("network-outbound/connections.json", array(&connections)),
        ("network-outbound/samples.json", array(&samples(with_trouble))),
        ("dns/lookups.json", array(&lookups)),
        ("cluster-health/api-server.json", array(&calls)),
        ("system/disks.json", array(&disks)),
        (
            "system/pressure/cpu.txt",
            pressure("avg10=0.40 avg60=0.80 avg300=1.20", "avg10=0.00 avg60=0.00 avg300=0.00"),
        ),
        (
            "system/pressure/memory.txt",
            pressure("avg10=0.00 avg60=0.00 avg300=0.10", "avg10=0.00 avg60=0.00 avg300=0.00"),
        ),
        (
            "system/pressure/io.txt",
            pressure(
                "avg10=38.20 avg60=24.90 avg300=12.00",
                "avg10=21.70 avg60=14.00 avg300=7.50",
            ),
        ),
    ];
    let documents = documents.map(|(name, text)| (path(name).parse().expect("a path"), text));
    charts_of(&Documents(documents.into()))
}

fn connection(kind: &str, host: &str, [dns, tcp, tls, http]: [u64; 4]) -> String {
    let all = dns + tcp + tls + http;
    format!(
        r#"{{"type":"{kind}","from":"node","host":"{host}","port":443,"start":"2026-11-20T09:12:01Z","millis":{all},"status":"Connected","dns":{{"millis":{dns}}},"tcp":[{{"address":"192.0.2.1:443","millis":{tcp}}}],"tls":{{"millis":{tls}}},"http":{{"millis":{http},"status":200}}}}"#
    )
}

/// What the agent sampled in the day before: for some hours nobody did.
fn samples(with_trouble: bool) -> Vec<String> {
    let mut samples = vec![
        stretch(
            "AKS API Server",
            ("2026-11-19T20:00:05Z", "2026-11-20T03:10:00Z"),
            "Connected",
            false,
        ),
        stretch(
            "AKS API Server",
            ("2026-11-20T05:30:00Z", "2026-11-20T09:12:00Z"),
            "Connected",
            false,
        ),
    ];
    if with_trouble {
        samples.extend([
            stretch(
                "Microsoft Entra ID",
                ("2026-11-19T09:12:05Z", "2026-11-20T01:10:00Z"),
                "Connected",
                false,
            ),
            stretch(
                "Microsoft Entra ID",
                ("2026-11-20T01:10:05Z", "2026-11-20T01:48:00Z"),
                "Error: TCP: no answer within 2 s",
                true,
            ),
            stretch(
                "Microsoft Entra ID",
                ("2026-11-20T01:48:05Z", "2026-11-20T08:57:00Z"),
                "Connected",
                true,
            ),
            stretch(
                "Microsoft Entra ID",
                ("2026-11-20T08:57:05Z", "2026-11-20T09:12:00Z"),
                "Error: TCP: no answer within 2 s",
                true,
            ),
        ]);
    }
    samples
}

fn stretch(kind: &str, (start, end): (&str, &str), status: &str, continues: bool) -> String {
    format!(
        r#"{{"type":"{kind}","host":"example.com","port":443,"start":"{start}","end":"{end}","samples":600,"status":"{status}","meanMillis":14,"worstMillis":310,"continues":{continues}}}"#
    )
}

/// A JSON array with one element per line.
fn array(elements: &[String]) -> String {
    format!("[\n{}\n]\n", elements.join(",\n"))
}

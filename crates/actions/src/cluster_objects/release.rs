//! One revision of a Helm release, read out of the Secret that Helm keeps it in: gzip of JSON as base64
//! (`helm.sh/helm/v3/pkg/storage/driver`, `encodeRelease`), and base64 once more as all data of Secrets. Only what is
//! named here is read; values and manifests, in which passwords stand, are skipped while the text streams by.

use std::io::{BufReader, Read};

use base64::prelude::BASE64_STANDARD;
use base64::read::DecoderReader;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;

/// Most bytes of JSON that are looked at: a Secret has 1 MiB at the most, and manifests shrink to a tenth.
const MAX_JSON: u64 = 64 << 20;

/// What begins data that is compressed; Helm 2 did not compress small ones.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A revision.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Release {
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: String,
    /// The revision's number.
    #[serde(default)]
    pub(super) version: u64,
    #[serde(default)]
    pub(super) info: Info,
    #[serde(default)]
    pub(super) chart: Chart,
}

/// How and when it was deployed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    pub(super) last_deployed: String,
    pub(super) description: String,
    pub(super) status: String,
}

/// Where it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Chart {
    pub(super) metadata: ChartMetadata,
}

/// What the chart says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ChartMetadata {
    pub(super) name: String,
    pub(super) app_version: String,
}

/// Reads the revision of a Secret.
pub(super) fn read(secret: &Value) -> Result<Release, String> {
    let data = secret.pointer("/data/release").and_then(Value::as_str);
    let data = data.ok_or("the Secret has no release")?;
    let outer = DecoderReader::new(data.as_bytes(), &BASE64_STANDARD);
    let inner = DecoderReader::new(outer, &BASE64_STANDARD);
    let mut head = Vec::with_capacity(GZIP.len());
    let mut inner = BufReader::new(inner);
    (&mut inner)
        .take(GZIP.len() as u64)
        .read_to_end(&mut head)
        .map_err(|_| "the release is not base64")?;
    let is_compressed = head == GZIP;
    let whole = std::io::Cursor::new(head).chain(inner);
    let json: Box<dyn Read> = if is_compressed {
        Box::new(GzDecoder::new(whole))
    } else {
        Box::new(whole)
    };
    // The parser's words would show what it has read.
    serde_json::from_reader(BufReader::new(json.take(MAX_JSON)))
        .map_err(|_| "the release cannot be understood".to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use base64::Engine;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    /// The Secret in which Helm keeps this revision.
    pub(in super::super) fn secret(namespace: &str, name: &str, version: u64, status: &str) -> Value {
        let release = json!({
            "name": name, "namespace": namespace, "version": version, "config": {"password": "hunter2"},
            "manifest": "kind: Secret\nstringData: {password: hunter2}",
            "info": {"first_deployed": "2026-11-01T00:00:00Z", "last_deployed": format!("2026-11-0{version}T00:00:00Z"), "status": status, "description": "Upgrade complete", "notes": "hunter2"},
            "chart": {"metadata": {"name": "nginx", "version": "1.2.3", "appVersion": "1.25"}, "templates": [{"data": "aHVudGVyMg=="}], "values": {"password": "hunter2"}},
        });
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(release.to_string().as_bytes()).unwrap();
        wrapped(namespace, name, version, &gzip.finish().unwrap())
    }

    fn wrapped(namespace: &str, name: &str, version: u64, bytes: &[u8]) -> Value {
        let text = BASE64_STANDARD.encode(BASE64_STANDARD.encode(bytes));
        json!({
            "metadata": {"name": format!("sh.helm.release.v1.{name}.v{version}"), "namespace": namespace},
            "type": "helm.sh/release.v1", "data": {"release": text},
        })
    }

    #[test]
    fn what_is_told_of_a_revision_is_read_and_nothing_else() {
        let release = read(&secret("ns", "web", 3, "deployed")).unwrap();
        assert_eq!(
            (release.name.as_str(), release.namespace.as_str(), release.version),
            ("web", "ns", 3)
        );
        assert_eq!(
            (release.info.status.as_str(), release.info.last_deployed.as_str()),
            ("deployed", "2026-11-03T00:00:00Z")
        );
        assert_eq!(
            (
                release.chart.metadata.name.as_str(),
                release.chart.metadata.app_version.as_str()
            ),
            ("nginx", "1.25")
        );
        assert!(!format!("{release:?}").contains("hunter2"));
    }

    #[test]
    fn a_release_that_is_not_compressed_is_read_too() {
        let secret = wrapped("ns", "web", 1, br#"{"name": "web", "version": 1}"#);
        assert_eq!(read(&secret).unwrap().version, 1);
    }

    #[rstest]
    #[case::none(json!({"data": {}}), "has no release")]
    #[case::no_base64(json!({"data": {"release": "!!"}}), "not base64")]
    #[case::cut(json!({"data": {"release": BASE64_STANDARD.encode(BASE64_STANDARD.encode(GZIP))}}), "cannot be understood")]
    #[case::not_json(wrapped("ns", "web", 1, b"hunter2"), "cannot be understood")]
    fn what_is_no_release_says_nothing_of_its_content(#[case] secret: Value, #[case] words: &str) {
        let error = read(&secret).unwrap_err();
        assert!(error.contains(words) && !error.contains("hunter2"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), compressed in any::<bool>()) {
            let mut all = if compressed { GZIP.to_vec() } else { Vec::new() };
            all.extend(bytes);
            read(&wrapped("ns", "web", 1, &all)).ok();
        }
    }
}

//! `networkoutbound`: each connection's stretches of one status, as one JSON array.

use periscope_core::{AnalyzeError, Inputs};
use periscope_documents::{from_lines, names};
use serde_json::{Value, json};

use crate::artifact::{self, Artifact};
use crate::segments::by_connection;

/// RFC 3339 without fractions, as the original writes times.
const WHOLE_SECONDS: &str = "%Y-%m-%dT%H:%M:%SZ";

/// The document; an empty array when no connection was tried.
///
/// # Errors
/// When the connections cannot be read or understood.
pub fn network_outbound(inputs: &dyn Inputs) -> Result<Vec<u8>, AnalyzeError> {
    let Artifact::Whole(text) = artifact::read(inputs, names::NETWORK_OUTBOUND, names::CONNECTIONS)? else {
        return Ok(b"[]".to_vec());
    };
    let connections = by_connection(from_lines(&text.text).map_err(|error| text.not_understood(&error))?);
    let mut rows = Vec::new();
    for connection in &connections {
        for segment in connection.segments() {
            // The original's fields in the original's order (Periscope contract, section 1.4).
            rows.push(json!({
                "HostName": inputs.node(),
                "Type": connection.kind,
                "Start": segment.start.strftime(WHOLE_SECONDS).to_string(),
                "End": segment.end.strftime(WHOLE_SECONDS).to_string(),
                "Status": segment.status,
            }));
        }
    }
    Ok(Value::from(rows).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use periscope_documents::{names, to_lines};

    use super::network_outbound;
    use crate::fixture::Artifacts;
    use crate::segments::tests::sample;

    #[test]
    fn the_shape_is_the_originals() {
        let samples = [
            sample("Internet", 0, "Connected"),
            sample("AKS API Server", 1, "Error: tcp: connection refused"),
        ];
        let artifacts =
            Artifacts::default().with(names::NETWORK_OUTBOUND, names::CONNECTIONS, to_lines(&samples).unwrap());
        let document = String::from_utf8(network_outbound(&artifacts).unwrap()).unwrap();
        assert_eq!(
            document,
            r#"[{"HostName":"node1","Type":"Internet","Start":"2026-11-20T10:00:00Z","End":"2026-11-20T10:00:00Z","Status":"Connected"},{"HostName":"node1","Type":"AKS API Server","Start":"2026-11-20T10:00:01Z","End":"2026-11-20T10:00:01Z","Status":"Error: tcp: connection refused"}]"#
        );
    }

    #[test]
    fn without_connections_it_is_an_empty_array() {
        assert_eq!(network_outbound(&Artifacts::default()).unwrap(), b"[]");
    }
}

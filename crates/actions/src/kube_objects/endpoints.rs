//! The addresses behind the services of one namespace, gathered from its endpoint slices.

use std::collections::BTreeMap;

use serde_json::Value;

/// Addresses that are shown of one port; a service may have thousands.
const MAX_SHOWN: usize = 20;

/// Addresses by service and port name.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    ports: BTreeMap<(String, String), Addresses>,
}

#[derive(Debug, Default)]
struct Addresses {
    shown: Vec<String>,
    more: usize,
    not_ready: usize,
}

impl Endpoints {
    /// Takes in an object of `discovery.k8s.io/v1` `EndpointSlice`.
    pub(super) fn add(&mut self, slice: &Value) {
        // Slices name their service in this label.
        let label = slice
            .pointer("/metadata/labels")
            .and_then(|labels| labels.get("kubernetes.io/service-name"));
        let Some(service) = label.and_then(Value::as_str) else {
            return;
        };
        for port in array(slice, "ports") {
            let name = port.get("name").and_then(Value::as_str).unwrap_or_default();
            let number = port.get("port").and_then(Value::as_u64).unwrap_or_default();
            let addresses = self.ports.entry((service.to_owned(), name.to_owned())).or_default();
            for endpoint in array(slice, "endpoints") {
                addresses.add(endpoint, number);
            }
        }
    }

    /// The addresses of one port, as a description shows them.
    pub(super) fn of(&self, service: &str, port: &str) -> String {
        let key = (service.to_owned(), port.to_owned());
        match self.ports.get(&key) {
            Some(addresses) => addresses.to_string(),
            None => "<none>".to_owned(),
        }
    }
}

impl Addresses {
    fn add(&mut self, endpoint: &Value, port: u64) {
        // Without the condition an endpoint counts as ready.
        if endpoint.pointer("/conditions/ready") == Some(&Value::Bool(false)) {
            self.not_ready += 1;
            return;
        }
        for address in array(endpoint, "addresses").iter().filter_map(Value::as_str) {
            if self.shown.len() == MAX_SHOWN {
                self.more += 1;
            } else if address.contains(':') {
                self.shown.push(format!("[{address}]:{port}"));
            } else {
                self.shown.push(format!("{address}:{port}"));
            }
        }
    }
}

impl std::fmt::Display for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.shown.is_empty() {
            f.write_str("<none>")?;
        }
        f.write_str(&self.shown.join(", "))?;
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        if self.not_ready > 0 {
            write!(f, " ({} not ready)", self.not_ready)?;
        }
        Ok(())
    }
}

fn array<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slice(addresses: &[&str], ready: bool) -> Value {
        let endpoints: Vec<_> = addresses
            .iter()
            .map(|address| json!({"addresses": [address], "conditions": {"ready": ready}}))
            .collect();
        json!({
            "metadata": {"labels": {"kubernetes.io/service-name": "dns"}},
            "ports": [{"name": "udp", "port": 53}], "endpoints": endpoints,
        })
    }

    #[test]
    fn slices_of_a_service_are_put_together() {
        let mut endpoints = Endpoints::default();
        endpoints.add(&slice(&["10.0.0.1"], true));
        endpoints.add(&slice(&["fd00::1"], true));
        endpoints.add(&slice(&["10.0.0.2"], false));
        endpoints.add(&json!({"ports": [{"name": "orphan"}]}));
        assert_eq!(endpoints.of("dns", "udp"), "10.0.0.1:53, [fd00::1]:53 (1 not ready)");
        assert_eq!(endpoints.of("dns", "tcp"), "<none>");
    }

    #[test]
    fn many_addresses_are_counted() {
        let mut endpoints = Endpoints::default();
        endpoints.add(&slice(&["10.0.0.1"; MAX_SHOWN + 5], true));
        assert!(endpoints.of("dns", "udp").ends_with("10.0.0.1:53 and 5 more"));
    }
}

//! The description of a service.

use serde_json::Value;

use super::{
    fields::{elements, joined, pairs, text},
    object::{head, metadata},
    page::Page,
};
use crate::kube_objects::endpoints::Endpoints;

/// The description without events.
pub(super) fn page(service: &Value, endpoints: Result<&Endpoints, &str>) -> Page {
    let mut page = Page::default();
    head(&mut page, service);
    metadata(&mut page, service);
    page.list("Selector", pairs(service, "/spec/selector"));
    page.field("Type", text(service, "/spec/type"));
    page.field("IP Family Policy", text(service, "/spec/ipFamilyPolicy"));
    page.field("IP Families", joined(service, "/spec/ipFamilies"));
    page.field("IP", text(service, "/spec/clusterIP"));
    page.field("IPs", joined(service, "/spec/clusterIPs"));
    page.field("External IPs", joined(service, "/spec/externalIPs"));
    page.field("External Name", text(service, "/spec/externalName"));
    page.field("Desired Load Balancer IP", text(service, "/spec/loadBalancerIP"));
    let ingress = elements(service, "/status/loadBalancer/ingress").iter();
    page.list_if_any(
        "Load Balancer Ingress",
        ingress
            .filter_map(|ingress| text(ingress, "/ip").or_else(|| text(ingress, "/hostname")))
            .collect(),
    );
    let rows = elements(service, "/spec/ports")
        .iter()
        .map(|port| port_row(service, port, endpoints));
    page.table(
        "Ports",
        &["Name", "Port", "Target Port", "Node Port", "Endpoints"],
        rows.collect(),
    );
    page.field("Session Affinity", text(service, "/spec/sessionAffinity"));
    page.field("External Traffic Policy", text(service, "/spec/externalTrafficPolicy"));
    page.field("Internal Traffic Policy", text(service, "/spec/internalTrafficPolicy"));
    page.field("Health Check Node Port", text(service, "/spec/healthCheckNodePort"));
    page
}

fn port_row(service: &Value, port: &Value, endpoints: Result<&Endpoints, &str>) -> Vec<String> {
    let protocol = text(port, "/protocol").unwrap_or_else(|| "TCP".into());
    let at = |pointer| text(port, pointer).unwrap_or_default();
    let with_protocol =
        |number: Option<String>| number.map(|number| format!("{number}/{protocol}")).unwrap_or_default();
    let name = at("/name");
    let addresses = match endpoints {
        Ok(endpoints) => endpoints.of(&text(service, "/metadata/name").unwrap_or_default(), &name),
        Err(reason) => format!("<unknown: {reason}>"),
    };
    let (number, node_port) = (
        with_protocol(text(port, "/port")),
        with_protocol(text(port, "/nodePort")),
    );
    vec![name, number, at("/targetPort"), node_port, addresses]
}

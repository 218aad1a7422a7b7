//! Containers as a pod runs them or a template describes them: what is set, and how each instance stands.

use serde_json::Value;

use super::{
    fields::{elements, pairs, scalar, text, texts},
    generic,
    page::Page,
};

/// A section for each container of a pod specification; `statuses` is empty for templates.
pub(super) fn section(containers: &[Value], statuses: &[Value]) -> Page {
    let mut section = Page::default();
    for container in containers {
        let name = text(container, "/name").unwrap_or_default();
        let status = statuses
            .iter()
            .find(|status| status.get("name") == container.get("name"));
        section.section(&name, page(container, status));
    }
    section
}

fn page(container: &Value, status: Option<&Value>) -> Page {
    let mut page = Page::default();
    let in_status = |pointer| status.and_then(|status| text(status, pointer));
    page.field("Container ID", in_status("/containerID"));
    page.field("Image", text(container, "/image"));
    page.field("Image ID", in_status("/imageID"));
    page.list_if_any("Ports", elements(container, "/ports").iter().map(port).collect());
    page.list_if_any("Command", texts(container, "/command"));
    page.list_if_any("Args", texts(container, "/args"));
    page.field("Restart Policy", text(container, "/restartPolicy"));
    if let Some(status) = status {
        state(&mut page, "State", status.get("state"));
        state(&mut page, "Last State", status.get("lastState"));
        page.field("Ready", text(status, "/ready"));
        page.field("Restart Count", text(status, "/restartCount"));
    }
    page.list_if_any("Limits", pairs(container, "/resources/limits"));
    page.list_if_any("Requests", pairs(container, "/resources/requests"));
    page.field("Liveness", container.get("livenessProbe").map(probe));
    page.field("Readiness", container.get("readinessProbe").map(probe));
    page.field("Startup", container.get("startupProbe").map(probe));
    page.list_if_any(
        "Environment From",
        elements(container, "/envFrom").iter().map(env_from).collect(),
    );
    page.list("Environment", elements(container, "/env").iter().map(env).collect());
    page.list(
        "Mounts",
        elements(container, "/volumeMounts").iter().map(mount).collect(),
    );
    page
}

/// `Running`, `Waiting` or `Terminated`, and below it what is known of that.
fn state(page: &mut Page, name: &str, state: Option<&Value>) {
    let Some((kind, detail)) = state.and_then(Value::as_object).and_then(|state| state.iter().next()) else {
        return;
    };
    page.field(
        name,
        Some(match kind.as_str() {
            "running" => "Running",
            "waiting" => "Waiting",
            "terminated" => "Terminated",
            other => other,
        }),
    );
    // Indented below the state, and aligned with what stands around it.
    for (label, pointer) in [
        ("  Reason", "/reason"),
        ("  Message", "/message"),
        ("  Exit Code", "/exitCode"),
        ("  Signal", "/signal"),
        ("  Started", "/startedAt"),
        ("  Finished", "/finishedAt"),
    ] {
        page.field(label, text(detail, pointer));
    }
}

fn port(port: &Value) -> String {
    let number = text(port, "/containerPort").unwrap_or_default();
    let protocol = text(port, "/protocol").unwrap_or_else(|| "TCP".into());
    let name = text(port, "/name").map(|name| format!(" ({name})")).unwrap_or_default();
    let host = text(port, "/hostPort")
        .map(|host| format!(", host port {host}"))
        .unwrap_or_default();
    format!("{number}/{protocol}{name}{host}")
}

fn probe(probe: &Value) -> String {
    let at = |pointer| text(probe, pointer).unwrap_or_default();
    let action = if probe.get("httpGet").is_some() {
        let scheme = text(probe, "/httpGet/scheme")
            .unwrap_or_else(|| "HTTP".into())
            .to_lowercase();
        format!(
            "http-get {scheme}://{}:{}{}",
            at("/httpGet/host"),
            at("/httpGet/port"),
            at("/httpGet/path")
        )
    } else if probe.get("exec").is_some() {
        format!("exec {}", texts(probe, "/exec/command").join(" "))
    } else if probe.get("tcpSocket").is_some() {
        format!("tcp-socket {}:{}", at("/tcpSocket/host"), at("/tcpSocket/port"))
    } else {
        format!("grpc :{} {}", at("/grpc/port"), at("/grpc/service"))
    };
    // What the API leaves out has these defaults.
    let number = |field: &str, default: &str| text(probe, &format!("/{field}")).unwrap_or_else(|| default.into());
    format!(
        "{action} delay={}s timeout={}s period={}s #success={} #failure={}",
        number("initialDelaySeconds", "0"),
        number("timeoutSeconds", "1"),
        number("periodSeconds", "10"),
        number("successThreshold", "1"),
        number("failureThreshold", "3"),
    )
}

fn env(variable: &Value) -> String {
    let name = text(variable, "/name").unwrap_or_default();
    let Some((kind, from)) = variable
        .get("valueFrom")
        .and_then(Value::as_object)
        .and_then(|from| from.iter().next())
    else {
        return format!("{name}={}", text(variable, "/value").unwrap_or_default());
    };
    let at = |pointer| text(from, pointer).unwrap_or_default();
    match kind.as_str() {
        "secretKeyRef" => format!("{name}=<key {} of secret {}>", at("/key"), at("/name")),
        "configMapKeyRef" => format!("{name}=<key {} of config map {}>", at("/key"), at("/name")),
        "fieldRef" => format!("{name}=<field {}>", at("/fieldPath")),
        "resourceFieldRef" => format!("{name}=<resource {}>", at("/resource")),
        other => format!("{name}=<{other}>"),
    }
}

fn env_from(source: &Value) -> String {
    let prefix = text(source, "/prefix")
        .map(|prefix| format!(", prefixed {prefix}"))
        .unwrap_or_default();
    match (text(source, "/secretRef/name"), text(source, "/configMapRef/name")) {
        (Some(secret), _) => format!("secret {secret}{prefix}"),
        (None, Some(map)) => format!("config map {map}{prefix}"),
        (None, None) => "<unknown>".into(),
    }
}

fn mount(mount: &Value) -> String {
    let path = text(mount, "/mountPath").unwrap_or_default();
    let from = text(mount, "/name").unwrap_or_default();
    let access = if mount.get("readOnly") == Some(&Value::Bool(true)) {
        "ro"
    } else {
        "rw"
    };
    let sub = text(mount, "/subPath")
        .map(|sub| format!(", path {sub}"))
        .unwrap_or_default();
    format!("{path} from {from} ({access}{sub})")
}

/// A section for each volume: its kind and what that names.
pub(super) fn volumes(spec: &Value) -> Page {
    let mut section = Page::default();
    for volume in elements(spec, "/volumes") {
        let mut page = Page::default();
        for (kind, source) in volume
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(field, _)| *field != "name")
        {
            page.field("Type", Some(kind.as_str()));
            for (name, value) in source.as_object().into_iter().flatten() {
                generic::add(&mut page, name, value);
            }
        }
        section.section(&text(volume, "/name").unwrap_or_default(), page);
    }
    section
}

/// `key=value:effect op=Exists for 300s`, for each toleration.
pub(super) fn tolerations(spec: &Value) -> Vec<String> {
    let line = |toleration: &Value| {
        let key = text(toleration, "/key").unwrap_or_default();
        let value = text(toleration, "/value")
            .map(|value| format!("={value}"))
            .unwrap_or_default();
        let effect = text(toleration, "/effect")
            .map(|effect| format!(":{effect}"))
            .unwrap_or_default();
        let operator = toleration
            .get("operator")
            .and_then(scalar)
            .filter(|operator| operator != "Equal");
        let operator = operator.map(|operator| format!(" op={operator}")).unwrap_or_default();
        let seconds = text(toleration, "/tolerationSeconds")
            .map(|s| format!(" for {s}s"))
            .unwrap_or_default();
        format!("{key}{value}{effect}{operator}{seconds}")
            .trim_start()
            .to_owned()
    };
    elements(spec, "/tolerations").iter().map(line).collect()
}

//! The configurations of the container network, as the runtime reads them; of which it uses the first by name.

use periscope_documents::CniConfiguration;
use periscope_host::{EntryKind, HostError, HostPath, HostRoot};
use serde_json::Value;

/// A configuration has some kilobytes.
const MAX_BYTES: usize = 1024 * 1024;

/// The endings that runtimes look for (`containernetworking/cni`, `libcni.ConfFiles` as containerd calls it).
const ENDINGS: [&str; 3] = [".conf", ".conflist", ".json"];

/// A configuration, and the JSON that it is.
pub(super) struct Configuration {
    pub(super) row: CniConfiguration,
    pub(super) document: Value,
}

/// The configurations of a folder by name. Blocks.
///
/// # Errors
/// When the folder cannot be listed.
pub(super) fn read(root: &HostRoot, folder: &HostPath) -> Result<Vec<Configuration>, HostError> {
    let entries = root.read_dir(folder)?;
    let names = entries.iter().filter(|entry| {
        matches!(entry.kind, EntryKind::File | EntryKind::Link) && ENDINGS.iter().any(|end| entry.name.ends_with(end))
    });
    names
        .map(|entry| {
            let path = folder.join(&entry.name)?;
            let (document, problem) = match root.read(&path, MAX_BYTES) {
                Ok(bytes) => match serde_json::from_slice(&bytes) {
                    Ok(document) => (document, None),
                    Err(error) => (Value::Null, Some(format!("it is no JSON: {error}"))),
                },
                Err(error) => (Value::Null, Some(error.to_string())),
            };
            Ok(configuration(&path, document, problem))
        })
        .collect()
}

fn configuration(path: &HostPath, document: Value, problem: Option<String>) -> Configuration {
    let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut plugins: Vec<String> = Vec::new();
    for plugin in plugins_of(&document) {
        let types = [plugin.get("type"), plugin.get("ipam").and_then(|ipam| ipam.get("type"))];
        for kind in types.into_iter().flatten().filter_map(Value::as_str) {
            if !kind.is_empty() && !plugins.iter().any(|known| known == kind) {
                plugins.push(kind.to_owned());
            }
        }
    }
    let problem = problem.or_else(|| {
        let is_list = path.as_str().ends_with(".conflist");
        if text("name").is_none_or(|name| name.is_empty()) {
            Some("it has no name".to_owned())
        } else if plugins.is_empty() && is_list {
            Some("it lists no plugin".to_owned())
        } else if plugins.is_empty() {
            Some("it has no type".to_owned())
        } else {
            None
        }
    });
    Configuration {
        row: CniConfiguration {
            path: path.to_string(),
            file: path.as_str().trim_start_matches('/').to_owned(),
            name: text("name"),
            cni_version: text("cniVersion"),
            plugins,
            problem,
        },
        document,
    }
}

/// The plugins of a list, or the one that the whole document is.
pub(super) fn plugins_of(document: &Value) -> Vec<&Value> {
    match document.get("plugins").and_then(Value::as_array) {
        Some(plugins) => plugins.iter().collect(),
        None => vec![document],
    }
}

#[cfg(test)]
mod tests {
    use periscope_host::HostPath;
    use periscope_testkit::HostFixture;

    use super::read;

    #[test]
    fn configurations_are_read_in_the_runtimes_order_with_what_is_wrong_with_them() {
        let folder = "/etc/cni/net.d";
        let node = HostFixture::new()
            .file(
                &format!("{folder}/10-azure.conflist"),
                r#"{"cniVersion": "0.3.0", "name": "azure", "plugins": [{"type": "azure-vnet", "ipam": {"type": "azure-cns"}},
                {"type": "portmap"}]}"#,
            )
            .file(&format!("{folder}/05-broken.conf"), "{")
            .file(&format!("{folder}/20-old.conf"), r#"{"name": "old", "type": "bridge", "ipam": {"type": ""}}"#)
            .file(&format!("{folder}/30-empty.conflist"), r#"{"name": "empty", "plugins": []}"#)
            .file(&format!("{folder}/40.json"), r#"{"type": "bridge"}"#)
            .file(&format!("{folder}/calico-kubeconfig"), "x")
            .file(&format!("{folder}/15-azure.conflist.cilium_bak"), "x");
        let found = read(&node.root(), &HostPath::new(folder).unwrap()).unwrap();
        let seen: Vec<_> = found
            .iter()
            .map(|it| (it.row.file.as_str(), it.row.plugins.join(" "), it.row.problem.is_none()))
            .collect();
        assert_eq!(
            seen,
            [
                ("etc/cni/net.d/05-broken.conf", String::new(), false),
                (
                    "etc/cni/net.d/10-azure.conflist",
                    "azure-vnet azure-cns portmap".to_owned(),
                    true
                ),
                ("etc/cni/net.d/20-old.conf", "bridge".to_owned(), true),
                ("etc/cni/net.d/30-empty.conflist", String::new(), false),
                ("etc/cni/net.d/40.json", "bridge".to_owned(), false),
            ]
        );
    }
}

//! `components`: what may be added to the base, each by one line of a kustomization.

use serde_json::{Value, json};

use super::{File, component, file};
use crate::names::{DAEMON_SET, IMAGE_PLACEHOLDER, NAMESPACE, ROLE};
use crate::object::{Object, to_value, yaml};
use crate::{Settings, access, daemon_set};

const WINDOWS: &str = "Empty, and there because `az aks kollect` and VS Code include it for clusters without old Windows pools: the original\n\
                       collects logs of Windows nodes with it.";
const RESTRICTED: &str = "For namespaces in which Pod Security admission enforces `restricted`: no right over the node at all. The agent reports what\n\
                          the API server and the network tell it; the items of the node are `denied`, and an archive is gone with its pod unless it is uploaded.";
const VIEW: &str = "Binds Kubernetes' own role `view` to the agent, as the original does: any kind of object but secrets can be described, and\n\
                    ConfigMaps of all namespaces be read.";

pub(super) fn files() -> Vec<File> {
    let mut files = vec![component(
        "win-hpc",
        WINDOWS,
        &json!({ "generatorOptions": { "disableNameSuffixHash": true } }),
    )];
    files.push(restricted());
    files.extend(view());
    files.extend(access::components().into_iter().map(part_of_role));
    files
}

/// The whole pod is put in the place of the base's, so that both are what the same settings give.
fn restricted() -> File {
    let settings = Settings {
        image: IMAGE_PLACEHOLDER.to_owned(),
        restricted: true,
        ..Settings::default()
    };
    let labels = to_value(&access::namespace(&settings))["metadata"]["labels"].clone();
    let patches = json!([
        patch(
            &json!({ "kind": "DaemonSet", "name": DAEMON_SET }),
            "replace",
            "/spec/template/spec",
            &to_value(&daemon_set::pod(&settings))
        ),
        patch(
            &json!({ "kind": "Namespace", "name": NAMESPACE }),
            "replace",
            "/metadata/labels",
            &labels
        ),
    ]);
    component("restricted", RESTRICTED, &json!({ "patches": patches }))
}

fn view() -> [File; 2] {
    let binding = Object::of(&access::view_binding(&Settings::default()));
    [
        component("view", VIEW, &json!({ "resources": ["cluster-role-binding.yaml"] })),
        file("components/view/cluster-role-binding.yaml", binding.yaml()),
    ]
}

fn part_of_role(name: &str) -> File {
    let target = json!({ "kind": "ClusterRole", "name": ROLE });
    let rules = access::rules_of(name);
    let patches: Vec<_> = rules
        .iter()
        .map(|rule| patch(&target, "add", "/rules/-", &to_value(rule)))
        .collect();
    let comment = format!("Adds to the role what `{name}` needs and is not granted without being asked for.");
    component(name, &comment, &json!({ "patches": patches }))
}

fn patch(target: &Value, operation: &str, path: &str, value: &Value) -> Value {
    let operations = json!([{ "op": operation, "path": path, "value": value }]);
    json!({ "target": target, "patch": yaml(&operations) })
}

//! `overlays`: finished deployments, by the original's names. Their settings come from files and variables that are in no repository.

use serde_json::json;

use super::{File, kustomization};
use crate::configuration::{ACCOUNT, CONTAINER, SAS};
use crate::names::{CONFIG_MAP, DAEMON_SET, IMAGE_PLACEHOLDER, NAMESPACE, SECRET};

const DEV: &str = "An image of your own that the nodes have already (`cargo xtask image`), in a namespace of its own. Beside this file it needs\n\
                   .env.config with lines such as DIAGNOSTIC_CONTAINERLOGS_LIST=default, or nothing in it, and .env.secret with AZURE_BLOB_ACCOUNT_NAME=,\n\
                   AZURE_BLOB_SAS_KEY=? and AZURE_BLOB_CONTAINER_NAME=. Neither belongs into a repository.";
const DYNAMIC_IMAGE: &str = "An image of your own in a registry: a template for `envsubst`, with IMAGE_NAME_LINUX and IMAGE_TAG set. Put the result into a\n\
                             folder beside this one, with .env.config and .env.secret as for the overlay dev.";
const EXTERNAL: &str = "A released image with the storage account from variables: a template for `envsubst`, with IMAGE_TAG, ACCOUNT_NAME_PLACEHOLDER,\n\
                        SAS_KEY_PLACEHOLDER (with its leading ?) and CONTAINER_NAME_PLACEHOLDER set. `aks-periscope manifests` needs none of this.";

pub(super) fn files() -> Vec<File> {
    vec![dev(), dynamic_image(), external()]
        .into_iter()
        .map(with_quoted_tag)
        .collect()
}

/// A tag such as `7` must stay a text when it is put in.
fn with_quoted_tag(file: File) -> File {
    File {
        text: file.text.replace("newTag: ${IMAGE_TAG}", "newTag: \"${IMAGE_TAG}\""),
        ..file
    }
}

fn dev() -> File {
    let never = "- op: replace\n  path: /spec/template/spec/containers/0/imagePullPolicy\n  value: Never\n";
    kustomization(
        "overlays/dev",
        DEV,
        &json!({
            "namespace": format!("{NAMESPACE}-dev"),
            "resources": ["../../base"],
            "images": [{ "name": IMAGE_PLACEHOLDER, "newName": "periscope-local", "newTag": "latest" }],
            "patches": [{ "target": { "kind": "DaemonSet", "name": DAEMON_SET }, "patch": never }],
            "configMapGenerator": [{ "name": CONFIG_MAP, "behavior": "merge", "envs": [".env.config"] }],
            "secretGenerator": [{ "name": SECRET, "behavior": "replace", "envs": [".env.secret"] }],
        }),
    )
}

fn dynamic_image() -> File {
    let file = kustomization(
        "overlays/dynamic-image",
        DYNAMIC_IMAGE,
        &json!({
            "resources": ["../../base"],
            "images": [{ "name": IMAGE_PLACEHOLDER, "newName": "${IMAGE_NAME_LINUX}", "newTag": "${IMAGE_TAG}" }],
            "configMapGenerator": [{ "name": CONFIG_MAP, "behavior": "merge", "envs": [".env.config"] }],
            "secretGenerator": [{ "name": SECRET, "behavior": "replace", "envs": [".env.secret"] }],
        }),
    );
    File {
        path: file.path.replace("kustomization.yaml", "kustomization.template.yaml"),
        ..file
    }
}

fn external() -> File {
    kustomization(
        "overlays/external",
        EXTERNAL,
        &json!({
            "resources": ["../../base"],
            "images": [{ "name": IMAGE_PLACEHOLDER, "newName": "mcr.microsoft.com/aks/periscope", "newTag": "${IMAGE_TAG}" }],
            "secretGenerator": [{ "name": SECRET, "behavior": "replace", "literals": [
                format!("{ACCOUNT}=${{ACCOUNT_NAME_PLACEHOLDER}}"),
                format!("{SAS}=${{SAS_KEY_PLACEHOLDER}}"),
                format!("{CONTAINER}=${{CONTAINER_NAME_PLACEHOLDER}}"),
            ] }],
        }),
    )
}

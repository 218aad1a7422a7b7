//! The files of the folder `deployment`: the same objects in the shapes in which tools take them. Names of files and
//! folders are the original's, because `az aks kollect`, VS Code and the project's users have them in their scripts.
//!
//! Nothing is written here: `cargo xtask generate` does that.

mod base;
mod components;
mod overlays;
mod single_file;

use serde_json::{Value, json};

use crate::object::yaml;

/// What stands at the head of every generated file.
const HEAD: &str = "# Written by `cargo xtask generate`: change crates/manifests, not this.\n";

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path in the folder `deployment`.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// All files.
pub fn deployment() -> Vec<File> {
    let mut files = base::files();
    files.extend(components::files());
    files.extend(overlays::files());
    files.push(single_file::file());
    files
}

fn file(path: &str, text: impl AsRef<str>) -> File {
    File {
        path: path.to_owned(),
        text: format!("{HEAD}{}", text.as_ref()),
    }
}

/// A `kustomization.yaml` with these fields, below lines of comment.
fn kustomization(folder: &str, comment: &str, fields: &Value) -> File {
    of_kind(
        &format!("{folder}/kustomization.yaml"),
        comment,
        "kustomize.config.k8s.io/v1beta1",
        "Kustomization",
        fields,
    )
}

/// The same of a component.
fn component(name: &str, comment: &str, fields: &Value) -> File {
    of_kind(
        &format!("components/{name}/kustomization.yaml"),
        comment,
        "kustomize.config.k8s.io/v1alpha1",
        "Component",
        fields,
    )
}

fn of_kind(path: &str, comment: &str, api_version: &str, kind: &str, fields: &Value) -> File {
    let mut text = String::new();
    for line in comment.lines() {
        text.extend(["# ", line, "\n"]);
    }
    let mut all = json!({ "apiVersion": api_version, "kind": kind });
    for (name, value) in fields.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    file(path, text + &yaml(&all))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_file_has_its_head_and_a_path_of_its_own() {
        let files = deployment();
        let paths: HashSet<_> = files.iter().map(|file| &file.path).collect();
        assert_eq!(paths.len(), files.len());
        for file in &files {
            assert!(
                file.text.starts_with(HEAD) && file.text.ends_with('\n'),
                "{}",
                file.path
            );
        }
    }

    #[test]
    fn the_folders_that_tools_ask_for_are_there() {
        let files = deployment();
        let has = |path: &str| files.iter().any(|file| file.path == path);
        for folder in ["base", "components/win-hpc", "overlays/dev", "overlays/external"] {
            assert!(has(&format!("{folder}/kustomization.yaml")), "{folder}");
        }
        assert!(has("overlays/dynamic-image/kustomization.template.yaml") && has("aks-periscope.yaml"));
    }
}

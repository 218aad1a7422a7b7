//! Labels and annotations as they are kept: some hold a copy of a whole manifest, and with it environment variables.

use std::collections::{BTreeMap, HashMap};

/// Annotations in which tools keep what was applied (`kubectl apply`; kapp).
const COPIES: [&str; 2] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "kapp.k14s.io/original",
];
/// What the kubelet and docker's shim write on containers, and the documents have in fields of their own.
const REPEATED: [&str; 8] = [
    "io.kubernetes.pod.name",
    "io.kubernetes.pod.namespace",
    "io.kubernetes.pod.uid",
    "io.kubernetes.container.name",
    "io.kubernetes.container.logpath",
    "io.kubernetes.sandbox.id",
    "annotation.io.kubernetes.container.restartCount",
    "io.kubernetes.container.restartCount",
];
/// Longest value that is kept: a longer one is a document.
const MAX_VALUE_BYTES: usize = 512;

/// What is kept of labels or annotations.
pub(super) fn kept(words: HashMap<String, String>) -> BTreeMap<String, String> {
    words
        .into_iter()
        .filter(|(name, _)| !REPEATED.contains(&name.as_str()))
        .map(|(name, value)| {
            let is_copy = COPIES.contains(&name.as_str()) || value.len() > MAX_VALUE_BYTES;
            let value = if is_copy {
                format!("(left out: {} bytes)", value.len())
            } else {
                value
            };
            (name, value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::kept;

    #[test]
    fn copies_of_manifests_are_left_out() {
        let words = [
            ("app", "web".to_owned()),
            ("io.kubernetes.pod.name", "web-1".to_owned()),
            (
                "kubectl.kubernetes.io/last-applied-configuration",
                "{\"env\":1}".to_owned(),
            ),
            ("tool/of-somebody", "x".repeat(1000)),
        ];
        let words: HashMap<_, _> = words.map(|(name, value)| (name.to_owned(), value)).into();
        let kept: Vec<_> = kept(words)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            kept,
            [
                "app=web",
                "kubectl.kubernetes.io/last-applied-configuration=(left out: 9 bytes)",
                "tool/of-somebody=(left out: 1000 bytes)",
            ]
        );
    }
}

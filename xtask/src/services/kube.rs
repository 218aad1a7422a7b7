//! The Kubernetes binaries, built from the Go module that `tests/services/kube` pins.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::cache::Cache;
use super::{go, place};

/// The linker sets these, as the project's own build does: otherwise every component claims to be v0.0.0.
const VERSION_PACKAGE: &str = "k8s.io/component-base/version";

pub(crate) fn build(cache: &Cache) -> Result<PathBuf> {
    let module = place::workspace().join("tests/services/kube");
    let (requirements, sums) = go::requirements(&module)?;
    let (major, minor, patch) = version(&requirements).context("go.mod requires no k8s.io/kubernetes")?;
    cache.entry(
        &format!("kube-{major}.{minor}.{patch}"),
        &[requirements.as_bytes(), &sums],
        |folder| {
            let flags = format!(
                "-s -w -X {VERSION_PACKAGE}.gitVersion=v{major}.{minor}.{patch} -X {VERSION_PACKAGE}.gitMajor={major} \
             -X {VERSION_PACKAGE}.gitMinor={minor}"
            );
            go::build(&module, &flags, folder)
        },
    )
}

fn version(requirements: &str) -> Option<(&str, &str, &str)> {
    let line = requirements.lines().find(|line| line.contains("k8s.io/kubernetes v"))?;
    let (_, version) = line.split_once("k8s.io/kubernetes v")?;
    let mut parts = version.split_whitespace().next()?.splitn(3, '.');
    Some((parts.next()?, parts.next()?, parts.next()?))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::alone("require k8s.io/kubernetes v1.34.4\n", Some(("1", "34", "4")))]
    #[case::in_a_block("require (\n\tk8s.io/kubernetes v1.36.0-rc.1 // indirect\n)\n", Some(("1", "36", "0-rc.1")))]
    #[case::absent("require k8s.io/api v0.34.4\n", None)]
    fn the_version_is_what_go_mod_requires(#[case] text: &str, #[case] expected: Option<(&str, &str, &str)>) {
        assert_eq!(version(text), expected);
    }
}

//! Names of containers: which ones there can be, and the one that belongs to a cluster.

use super::ConfigError;

/// Longest container name
/// (<https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata>).
const LONGEST: usize = 63;

/// The container that `az aks kollect` uses for the cluster whose API server has this name, so that archives of one
/// cluster meet in one place: what comes before `.hcp.`, with dashes for dots, cut to 63 characters.
///
/// Private clusters have no `.hcp.` in their name. There the Azure CLI drops the last character (its search yields -1),
/// so that is done here too.
///
/// # Errors
/// When the outcome is no container name.
pub fn container_name_from_fqdn(fqdn: &str) -> Result<String, ConfigError> {
    let fqdn = fqdn.trim();
    let cluster = match fqdn.split_once(".hcp.") {
        Some((cluster, _)) => cluster,
        None => fqdn
            .char_indices()
            .next_back()
            .map_or("", |(last, _)| fqdn.get(..last).unwrap_or_default()),
    };
    let dashed: String = cluster.replace('.', "-").chars().take(LONGEST).collect();
    name(dashed.trim_end_matches('-'))
}

/// A container's name in lower case, if it can be one.
pub(super) fn name(name: &str) -> Result<String, ConfigError> {
    let lower = name.trim().to_ascii_lowercase();
    let well_formed = (3..=LONGEST).contains(&lower.len())
        && lower
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !lower.starts_with('-')
        && !lower.ends_with('-')
        && !lower.contains("--");
    if well_formed {
        Ok(lower)
    } else {
        Err(ConfigError::Container(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;
    use rstest::rstest;

    use super::{container_name_from_fqdn, name};

    #[rstest]
    #[case::public("abcdef-dns-ed55ba6d.hcp.centralus.azmk8s.io", "abcdef-dns-ed55ba6d")]
    #[case::capitals("AbCdef-dns-ed55ba6d.hcp.centralus.azmk8s.io", "abcdef-dns-ed55ba6d")]
    #[case::private(
        "abcdef-dns-ed55ba6d.e48e1d9c-3c1d-4b5e-9a8f-111122223333.privatelink.centralus.azmk8s.io",
        "abcdef-dns-ed55ba6d-e48e1d9c-3c1d-4b5e-9a8f-111122223333-privat"
    )]
    #[case::private_and_short("abcdef.privatelink.centralus.azmk8s.io", "abcdef-privatelink-centralus-azmk8s-i")]
    #[case::cut_at_a_dash(
        "a23456789-123456789-123456789-123456789-123456789-123456789-12.privatelink.x",
        "a23456789-123456789-123456789-123456789-123456789-123456789-12"
    )]
    fn a_cluster_has_the_container_of_the_azure_cli(#[case] fqdn: &str, #[case] expected: &str) {
        assert_eq!(container_name_from_fqdn(fqdn).unwrap(), expected);
    }

    #[rstest]
    #[case::empty("")]
    #[case::only_the_domain(".hcp.centralus.azmk8s.io")]
    #[case::short("ab.hcp.centralus.azmk8s.io")]
    fn a_name_that_gives_no_container_is_refused(#[case] fqdn: &str) {
        assert!(container_name_from_fqdn(fqdn).is_err());
    }

    #[rstest]
    #[case::plain("diagnostics", true)]
    #[case::line_break("diagnostics\n", true)]
    #[case::two_dashes("a--b", false)]
    #[case::dash_at_the_end("abc-", false)]
    #[case::dash_at_the_start("-abc", false)]
    #[case::underscore("a_b", false)]
    #[case::system_container("$logs", false)]
    #[case::path("a/b", false)]
    #[case::two("ab", false)]
    fn names_follow_the_rules_of_the_service(#[case] given: &str, #[case] valid: bool) {
        assert_eq!(name(given).is_ok(), valid);
    }

    proptest! {
        #[test]
        fn whatever_a_cluster_is_called_its_container_has_a_valid_name(fqdn in "\\PC{0,200}") {
            if let Ok(container) = container_name_from_fqdn(&fqdn) {
                assert_eq!(name(&container).unwrap(), container);
            }
        }
    }
}

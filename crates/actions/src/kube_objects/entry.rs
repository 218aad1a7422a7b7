//! One entry of the list of objects to gather, as the user writes it; whether the cluster serves such a resource is not
//! known here.

use std::{fmt, str::FromStr};

/// The longest name that the API server accepts for an object, a namespace or a group (a DNS subdomain).
const MAX_NAME: usize = 253;

/// Objects of one resource in one namespace: all of them, or the one named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeObjectEntry {
    /// The namespace. It is not looked at for resources that live in none.
    pub namespace: String,
    /// `resource[.group]`, in any of the names that `kubectl` takes: `pods`, `po`, `deployment.apps`.
    pub resource: String,
    /// The one object, or `None` for all.
    pub name: Option<String>,
}

/// An entry that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid object {0:?}: expected namespace/resource[.group][/name], such as kube-system/pods or kube-system/deployments.apps/coredns"
)]
pub struct InvalidKubeObject(String);

impl FromStr for KubeObjectEntry {
    type Err = InvalidKubeObject;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('/');
        let (namespace, resource, name) = (parts.next(), parts.next(), parts.next());
        let valid = parts.next().is_none()
            && namespace.is_some_and(is_subdomain)
            && resource.is_some_and(is_resource)
            && name.is_none_or(is_object_name);
        match (namespace, resource) {
            (Some(namespace), Some(resource)) if valid => Ok(Self {
                namespace: namespace.to_owned(),
                resource: resource.to_owned(),
                name: name.map(str::to_owned),
            }),
            _ => Err(InvalidKubeObject(text.to_owned())),
        }
    }
}

impl fmt::Display for KubeObjectEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.resource)?;
        match &self.name {
            Some(name) => write!(f, "/{name}"),
            None => Ok(()),
        }
    }
}

/// Lower-case DNS subdomain, RFC 1123.
fn is_subdomain(text: &str) -> bool {
    let label = |label: &str| {
        let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        label.starts_with(alphanumeric)
            && label.ends_with(alphanumeric)
            && label.chars().all(|c| alphanumeric(c) || c == '-')
    };
    text.len() <= MAX_NAME && text.split('.').all(label)
}

/// Kinds are written with capitals, so the resource part may be too.
fn is_resource(text: &str) -> bool {
    is_subdomain(&text.to_ascii_lowercase())
}

/// Names of some kinds (roles, for one) hold more than DNS names do, but never what is special in a path of the API.
fn is_object_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '@' | '~');
    !text.is_empty() && text.len() <= MAX_NAME && text != "." && text != ".." && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::all("kube-system/pod", "kube-system", "pod", None)]
    #[case::group("kube-system/deployments.apps", "kube-system", "deployments.apps", None)]
    #[case::named("ns/svc/kube-dns", "ns", "svc", Some("kube-dns"))]
    #[case::kind("ns/Deployment/a.b", "ns", "Deployment", Some("a.b"))]
    #[case::role("ns/role/system:node-proxier", "ns", "role", Some("system:node-proxier"))]
    #[case::long_group(
        "ns/apd.aks-periscope.azure.github.com",
        "ns",
        "apd.aks-periscope.azure.github.com",
        None
    )]
    fn entries_are_read(
        #[case] text: &str,
        #[case] namespace: &str,
        #[case] resource: &str,
        #[case] name: Option<&str>,
    ) {
        let entry: KubeObjectEntry = text.parse().unwrap();
        assert_eq!(
            (entry.namespace.as_str(), entry.resource.as_str(), entry.name.as_deref()),
            (namespace, resource, name)
        );
        assert_eq!(entry.to_string(), text);
    }

    #[rstest]
    #[case::empty("")]
    #[case::no_resource("kube-system")]
    #[case::empty_resource("kube-system/")]
    #[case::empty_namespace("/pod")]
    #[case::empty_name("ns/pod/")]
    #[case::too_many("ns/pod/a/b")]
    #[case::space("ns/pod /a")]
    #[case::up("../pod")]
    #[case::name_up("ns/pod/..")]
    #[case::query("ns/pod/a?b=c")]
    #[case::capital_namespace("NS/pod")]
    #[case::dash_last("ns-/pod")]
    #[case::empty_group("ns/pod.")]
    fn others_are_refused_by_name(#[case] text: &str) {
        let error = text.parse::<KubeObjectEntry>().unwrap_err().to_string();
        assert!(error.contains(&format!("{text:?}")) && error.contains("namespace/resource[.group][/name]"));
        assert!(!error.contains('\n'));
    }

    #[test]
    fn a_namespace_that_is_too_long_is_refused() {
        assert!(
            format!("{}/pod", "a".repeat(MAX_NAME + 1))
                .parse::<KubeObjectEntry>()
                .is_err()
        );
    }
}

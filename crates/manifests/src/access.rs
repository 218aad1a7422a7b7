//! Who the agent is in the cluster, and what it may ask the API server. The cluster role is made from the actions'
//! descriptors: an action that asks for more gets it by saying so there.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::Resource;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Pod, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use periscope_core::Rbac;

use crate::Settings;
use crate::names::{CONFIG_MAP, ROLE, ROLE_BINDING, SECRET, SERVICE_ACCOUNT, VIEW_BINDING};
use crate::object::{in_namespace, named};

/// Kubernetes' own role that reads most objects of all namespaces, but no secrets.
const VIEW: &str = "view";

/// What Pod Security admission is told to let in
/// (<https://kubernetes.io/docs/concepts/security/pod-security-admission/>).
const POD_SECURITY: &str = "pod-security.kubernetes.io/enforce";

pub(crate) fn namespace(settings: &Settings) -> Namespace {
    let level = if settings.restricted {
        "restricted"
    } else {
        "privileged"
    };
    Namespace {
        metadata: ObjectMeta {
            labels: Some(BTreeMap::from([(POD_SECURITY.to_owned(), level.to_owned())])),
            ..named(&settings.namespace)
        },
        ..Namespace::default()
    }
}

pub(crate) fn service_account(settings: &Settings) -> ServiceAccount {
    ServiceAccount {
        metadata: in_namespace(SERVICE_ACCOUNT, &settings.namespace),
        ..ServiceAccount::default()
    }
}

/// What the actions ask, and nothing else: everything that the agent does for itself is in its own namespace, but for
/// the list of nodes, by which the agents choose one of them and which actions ask for too.
pub(crate) fn cluster_role(settings: &Settings) -> ClusterRole {
    let mut rules = merged(declared().filter(|rule| rule.component.is_none()));
    // As the component of the same name adds them.
    rules.extend(settings.components.iter().flat_map(|component| rules_of(component)));
    ClusterRole {
        metadata: named(ROLE),
        rules: Some(rules),
        ..ClusterRole::default()
    }
}

/// The rules of a part of the role that is granted only where it is asked for.
pub(crate) fn rules_of(component: &str) -> Vec<PolicyRule> {
    merged(declared().filter(|rule| rule.component == Some(component)))
}

/// The parts of the role that are granted only where they are asked for.
pub fn components() -> BTreeSet<&'static str> {
    declared().filter_map(|rule| rule.component).collect()
}

fn declared() -> impl Iterator<Item = &'static Rbac> {
    periscope_actions::CATALOG
        .iter()
        .flat_map(|entry| entry.descriptor.rbac)
}

/// Rules with the same verbs on resources of one group are one rule, in the order of groups and resources.
fn merged<'a>(rules: impl Iterator<Item = &'a Rbac>) -> Vec<PolicyRule> {
    let mut verbs_of: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for rule in rules {
        for resource in rule.resources {
            verbs_of.entry((rule.group, resource)).or_default().extend(rule.verbs);
        }
    }
    let mut resources_of: BTreeMap<(&str, BTreeSet<&str>), Vec<&str>> = BTreeMap::new();
    for ((group, resource), verbs) in verbs_of {
        resources_of.entry((group, verbs)).or_default().push(resource);
    }
    let rules = resources_of.into_iter();
    rules
        .map(|((group, verbs), resources)| rule(group, &resources, &verbs.into_iter().collect::<Vec<_>>()))
        .collect()
}

/// What the agent needs for itself: its settings, the storage's secret by its name, rows and events about its runs, and
/// its own pods, by which the agents choose the one that does the cluster's part.
pub(crate) fn role(settings: &Settings) -> Role {
    let one = |name: &str, rule: PolicyRule| PolicyRule {
        resource_names: Some(vec![name.to_owned()]),
        ..rule
    };
    let crd = crate::rows::crd().spec;
    Role {
        metadata: in_namespace(ROLE, &settings.namespace),
        rules: Some(vec![
            one(CONFIG_MAP, rule("", &[ConfigMap::URL_PATH_SEGMENT], &["list", "watch"])),
            one(SECRET, rule("", &[Secret::URL_PATH_SEGMENT], &["get"])),
            rule("", &[Pod::URL_PATH_SEGMENT], &["list"]),
            rule("", &[Event::URL_PATH_SEGMENT], &["create"]),
            rule(&crd.group, &[&crd.names.plural], &["get", "watch", "create", "patch"]),
        ]),
    }
}

pub(crate) fn cluster_role_binding(settings: &Settings) -> ClusterRoleBinding {
    bind_cluster_role(ROLE_BINDING, ROLE, settings)
}

pub(crate) fn view_binding(settings: &Settings) -> ClusterRoleBinding {
    bind_cluster_role(VIEW_BINDING, VIEW, settings)
}

fn bind_cluster_role(name: &str, role: &str, settings: &Settings) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: named(name),
        role_ref: reference::<ClusterRole>(role),
        subjects: Some(vec![subject(settings)]),
    }
}

pub(crate) fn role_binding(settings: &Settings) -> RoleBinding {
    RoleBinding {
        metadata: in_namespace(ROLE_BINDING, &settings.namespace),
        role_ref: reference::<Role>(ROLE),
        subjects: Some(vec![subject(settings)]),
    }
}

fn reference<T: Resource>(name: &str) -> RoleRef {
    RoleRef {
        api_group: T::GROUP.to_owned(),
        kind: T::KIND.to_owned(),
        name: name.to_owned(),
    }
}

fn subject(settings: &Settings) -> Subject {
    Subject {
        kind: ServiceAccount::KIND.to_owned(),
        name: SERVICE_ACCOUNT.to_owned(),
        namespace: Some(settings.namespace.clone()),
        ..Subject::default()
    }
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(owned(&[group])),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn asks(group: &'static str, resources: &'static [&'static str], verbs: &'static [&'static str]) -> Rbac {
        Rbac {
            group,
            resources,
            verbs,
            component: None,
        }
    }

    fn lines(rules: &[PolicyRule]) -> Vec<String> {
        let join = |words: &Option<Vec<String>>| words.clone().unwrap_or_default().join(",");
        rules
            .iter()
            .map(|rule| {
                format!(
                    "{}|{}|{}",
                    join(&rule.api_groups),
                    join(&rule.resources),
                    rule.verbs.join(",")
                )
            })
            .collect()
    }

    #[test]
    fn rules_of_several_actions_are_joined() {
        let rules = [
            asks("", &["pods", "events"], &["list"]),
            asks("", &["pods"], &["get"]),
            asks("apps", &["deployments"], &["list"]),
            asks("", &["nodes"], &["list", "get"]),
        ];
        assert_eq!(
            lines(&merged(rules.iter())),
            ["|nodes,pods|get,list", "|events|list", "apps|deployments|list"]
        );
    }

    #[test]
    fn no_secret_nor_config_map_can_be_listed_and_nothing_of_the_cluster_changed() {
        for restricted in [false, true] {
            let settings = Settings {
                restricted,
                ..Settings::default()
            };
            for rule in cluster_role(&settings).rules.unwrap() {
                let resources = rule.resources.unwrap();
                assert!(
                    !["secrets", "configmaps", "*"]
                        .iter()
                        .any(|kept| resources.contains(&(*kept).to_owned())),
                    "{resources:?}"
                );
                assert!(
                    rule.verbs
                        .iter()
                        .all(|verb| ["get", "list", "watch"].contains(&verb.as_str())),
                    "{:?}",
                    rule.verbs
                );
            }
        }
    }

    #[test]
    fn the_nodes_that_an_election_asks_for_can_be_listed() {
        let rules = cluster_role(&Settings::default()).rules.unwrap();
        let lists_nodes = |rule: &&PolicyRule| {
            rule.api_groups.as_deref() == Some(&[String::new()])
                && rule.resources.as_ref().unwrap().contains(&"nodes".to_owned())
                && rule.verbs.contains(&"list".to_owned())
        };
        assert!(rules.iter().any(|rule| lists_nodes(&rule)));
    }

    #[test]
    fn the_secret_is_read_by_its_name_alone() {
        let rules = role(&Settings::default()).rules.unwrap();
        let secrets: Vec<_> = rules
            .iter()
            .filter(|rule| rule.resources.as_ref().unwrap().contains(&"secrets".to_owned()))
            .collect();
        assert_eq!(secrets.len(), 1);
        assert_eq!(secrets[0].verbs, ["get"]);
        assert_eq!(secrets[0].resource_names.as_deref().unwrap(), ["azureblob-secret"]);
    }

    #[test]
    fn each_component_has_rules_that_the_role_has_only_with_it() {
        for component in components() {
            let with = Settings {
                components: vec![component.to_owned()],
                ..Settings::default()
            };
            assert!(!rules_of(component).is_empty());
            assert_ne!(cluster_role(&with), cluster_role(&Settings::default()), "{component}");
        }
    }
}

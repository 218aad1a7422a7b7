//! All objects of a deployment, in the order in which they are applied.

use crate::object::Object;
use crate::{Settings, access, configuration, daemon_set, rows};

/// Everything that runs on the cluster needs, for these settings; each needs at most those before it.
pub fn objects(settings: &Settings) -> Vec<Object> {
    let mut objects = vec![
        Object::of(&access::namespace(settings)),
        Object::of(&access::service_account(settings)),
        Object::of(&rows::crd()),
        Object::of(&access::cluster_role(settings)),
        Object::of(&access::cluster_role_binding(settings)),
    ];
    if settings.view {
        objects.push(Object::of(&access::view_binding(settings)));
    }
    objects.extend([
        Object::of(&access::role(settings)),
        Object::of(&access::role_binding(settings)),
        Object::of(&configuration::config_map(settings)),
        Object::of(&configuration::secret(settings)),
        Object::of(&daemon_set::daemon_set(settings)),
    ]);
    objects
}

/// Objects as one file for `kubectl apply --filename`.
pub fn to_yaml(objects: &[Object]) -> String {
    let documents: Vec<_> = objects.iter().map(Object::yaml).collect();
    documents.join("---\n")
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::Storage;

    fn names(settings: &Settings) -> Vec<String> {
        let objects = objects(settings);
        objects
            .iter()
            .map(|object| format!("{}/{}", object.kind, object.name))
            .collect()
    }

    #[test]
    fn names_are_the_originals() {
        assert_eq!(
            names(&Settings::default()),
            [
                "Namespace/aks-periscope",
                "ServiceAccount/aks-periscope-service-account",
                "CustomResourceDefinition/diagnostics.aks-periscope.azure.github.com",
                "ClusterRole/aks-periscope-role",
                "ClusterRoleBinding/aks-periscope-role-binding",
                "Role/aks-periscope-role",
                "RoleBinding/aks-periscope-role-binding",
                "ConfigMap/diagnostic-config",
                "Secret/azureblob-secret",
                "DaemonSet/aks-periscope",
            ]
        );
    }

    #[test]
    fn everything_is_in_the_namespace_that_was_asked_for() {
        let settings = Settings {
            namespace: "elsewhere".to_owned(),
            view: true,
            ..Settings::default()
        };
        for object in objects(&settings) {
            assert!(
                object
                    .namespace
                    .as_deref()
                    .is_none_or(|namespace| namespace == "elsewhere")
            );
            for subject in object.body["subjects"].as_array().into_iter().flatten() {
                assert_eq!(subject["namespace"], "elsewhere", "{}", object.name);
            }
        }
        assert!(names(&settings).contains(&"ClusterRoleBinding/aks-periscope-role-binding-view".to_owned()));
    }

    #[test]
    fn the_signature_is_in_the_secret_alone() {
        let settings = Settings {
            storage: Storage {
                sas: SecretString::from("?sv=1&sig=abc"),
                ..Storage::default()
            },
            ..Settings::default()
        };
        for object in objects(&settings) {
            assert_eq!(
                object.yaml().contains("sig=abc"),
                object.kind == "Secret",
                "{}",
                object.name
            );
        }
        assert!(!format!("{settings:?}").contains("abc"));
    }
}

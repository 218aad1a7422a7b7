//! The `ConfigMap` and the `Secret` by which runs are asked for. Their keys are the original's (Periscope contract,
//! section 1.1).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use secrecy::ExposeSecret as _;

use crate::Settings;
use crate::names::{CONFIG_MAP, SECRET};
use crate::object::in_namespace;

pub(crate) const RUN_ID: &str = "DIAGNOSTIC_RUN_ID";
pub(crate) const ACCOUNT: &str = "AZURE_BLOB_ACCOUNT_NAME";
pub(crate) const SAS: &str = "AZURE_BLOB_SAS_KEY";
pub(crate) const CONTAINER: &str = "AZURE_BLOB_CONTAINER_NAME";

/// What is described and whose logs are taken unless the user says otherwise, as the original has it.
const CONTAINER_LOGS: &str = "kube-system";
const KUBE_OBJECTS: &str = "kube-system/pod kube-system/service kube-system/deployment";

/// The keys in their order, with their values.
pub(crate) fn values(settings: &Settings) -> [(&'static str, String); 4] {
    let lists = &settings.lists;
    let words = |words: &[String], default: &str| match words {
        [] => default.to_owned(),
        words => words.join(" "),
    };
    [
        (RUN_ID, settings.run_id.clone()),
        (
            "DIAGNOSTIC_CONTAINERLOGS_LIST",
            words(&lists.container_logs, CONTAINER_LOGS),
        ),
        ("DIAGNOSTIC_KUBEOBJECTS_LIST", words(&lists.kube_objects, KUBE_OBJECTS)),
        // Empty: those of an AKS node's provisioning, which are more than the two that the original names.
        ("DIAGNOSTIC_NODELOGS_LIST_LINUX", words(&lists.node_logs, "")),
    ]
}

pub(crate) fn config_map(settings: &Settings) -> ConfigMap {
    let data = values(settings).map(|(key, value)| (key.to_owned(), value));
    ConfigMap {
        metadata: in_namespace(CONFIG_MAP, &settings.namespace),
        data: Some(BTreeMap::from(data)),
        ..ConfigMap::default()
    }
}

pub(crate) fn secret(settings: &Settings) -> Secret {
    let storage = &settings.storage;
    let data = [
        (ACCOUNT, storage.account.as_str()),
        (SAS, storage.sas.expose_secret()),
        (CONTAINER, &storage.container),
    ];
    Secret {
        metadata: in_namespace(SECRET, &settings.namespace),
        type_: Some("Opaque".to_owned()),
        string_data: Some(
            data.map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into_iter()
                .collect(),
        ),
        ..Secret::default()
    }
}

#[cfg(test)]
mod tests {
    use crate::Lists;

    use super::*;

    #[test]
    fn a_list_replaces_the_default() {
        let settings = Settings {
            lists: Lists {
                container_logs: vec!["a".to_owned(), "b".to_owned()],
                ..Lists::default()
            },
            ..Settings::default()
        };
        let data = config_map(&settings).data.unwrap();
        assert_eq!(data["DIAGNOSTIC_CONTAINERLOGS_LIST"], "a b");
        assert_eq!(data["DIAGNOSTIC_KUBEOBJECTS_LIST"], KUBE_OBJECTS);
        assert_eq!(data[RUN_ID], "");
    }
}

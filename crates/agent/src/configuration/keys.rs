//! The keys of the `ConfigMap` `diagnostic-config` and of the `Secret` `azureblob-secret`, which are the names of
//! mounted files and of environment variables too (Periscope contract, section 1.1).

/// Names the run, and starts it by being new.
pub(crate) const RUN_ID: &str = "DIAGNOSTIC_RUN_ID";
/// Words that switch collectors of the original on and off.
pub(crate) const COLLECTORS: &str = "COLLECTOR_LIST";
/// Namespaces whose containers' logs are wanted.
pub(crate) const CONTAINER_LOGS: &str = "DIAGNOSTIC_CONTAINERLOGS_LIST";
/// Objects that are described.
pub(crate) const KUBE_OBJECTS: &str = "DIAGNOSTIC_KUBEOBJECTS_LIST";
/// Files of the node.
pub(crate) const NODE_LOGS: &str = "DIAGNOSTIC_NODELOGS_LIST_LINUX";
/// The same in the first era, which knew no Windows.
pub(crate) const NODE_LOGS_ERA_A: &str = "DIAGNOSTIC_NODELOGS_LIST";
/// Our own settings: a YAML text, not a word or a list. No environment variable.
pub(crate) const SETTINGS: &str = "aks-periscope.yaml";

/// The storage account.
pub(crate) const ACCOUNT: &str = "AZURE_BLOB_ACCOUNT_NAME";
/// The signature.
pub(crate) const SAS: &str = "AZURE_BLOB_SAS_KEY";
/// The container.
pub(crate) const CONTAINER: &str = "AZURE_BLOB_CONTAINER_NAME";
/// What the signature is for: `Container`, or the whole account.
pub(crate) const SAS_TYPE: &str = "AZURE_STORAGE_SAS_KEY_TYPE";

/// Every key that may be an environment variable.
pub(crate) const OF_ENVIRONMENT: [&str; 10] = [
    RUN_ID,
    COLLECTORS,
    CONTAINER_LOGS,
    KUBE_OBJECTS,
    NODE_LOGS,
    NODE_LOGS_ERA_A,
    ACCOUNT,
    SAS,
    CONTAINER,
    SAS_TYPE,
];

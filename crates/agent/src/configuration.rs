//! What the user set, of every era of the original: files below `/config` and `/secret`, else the environment.
//!
//! Words are trimmed and split, no more: what they must be is for whoever uses them to say.

use secrecy::SecretString;

/// The settings of one run, by the keys of the `ConfigMap` and the `Secret` (Periscope contract, section 1.1).
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    /// `DIAGNOSTIC_RUN_ID`: names the run, and starts it by being new.
    pub run_id: Option<String>,
    /// `COLLECTOR_LIST`.
    pub collectors: Vec<String>,
    /// `DIAGNOSTIC_CONTAINERLOGS_LIST`; `None` where the key is not set.
    pub namespaces: Option<Vec<String>>,
    /// `DIAGNOSTIC_KUBEOBJECTS_LIST`; `None` where the key is not set.
    pub kube_objects: Option<Vec<String>>,
    /// `DIAGNOSTIC_NODELOGS_LIST_LINUX`, in the first era `DIAGNOSTIC_NODELOGS_LIST`; `None` where neither is set.
    pub node_logs: Option<Vec<String>>,
    /// `AZURE_BLOB_ACCOUNT_NAME`.
    pub storage_account: Option<String>,
    /// `AZURE_BLOB_CONTAINER_NAME`.
    pub container: Option<String>,
    /// `AZURE_BLOB_SAS_KEY`, with or without its leading `?`.
    pub sas: Option<SecretString>,
    /// `AZURE_STORAGE_SAS_KEY_TYPE` is `Container`: the container exists, and may not be made.
    pub container_exists: bool,
}

//! What the user set, of every era of the original: files below `/config` and `/secret`, else the environment.
//!
//! Words are trimmed and split, no more: what they must be is for whoever uses them to say.

mod collector;
pub(crate) mod keys;
mod sources;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;

pub use collector::Collector;
pub use sources::Sources;
pub(crate) use sources::{Folder, trimmed};

use crate::StorageCredentials;

/// The settings of one run, by the keys of the `ConfigMap` and the `Secret` (Periscope contract, section 1.1).
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    /// `DIAGNOSTIC_RUN_ID`: names the run, and starts it by being new.
    pub run_id: Option<String>,
    /// `COLLECTOR_LIST`.
    pub collectors: BTreeSet<Collector>,
    /// `DIAGNOSTIC_CONTAINERLOGS_LIST`; `None` where the key is not set.
    pub namespaces: Option<Vec<String>>,
    /// `DIAGNOSTIC_KUBEOBJECTS_LIST`; `None` where the key is not set.
    pub kube_objects: Option<Vec<String>>,
    /// `DIAGNOSTIC_NODELOGS_LIST_LINUX`, in the first era `DIAGNOSTIC_NODELOGS_LIST`; `None` where neither is set.
    pub node_logs: Option<Vec<String>>,
    /// The text of our own settings, the key `aks-periscope.yaml` of the `ConfigMap`: the format of `collect --config`.
    /// A text and not a path, as it belongs to the run id it came with, and the mounted file follows only later.
    pub settings: Option<String>,
    /// `AZURE_BLOB_ACCOUNT_NAME`.
    pub storage_account: Option<String>,
    /// `AZURE_BLOB_CONTAINER_NAME`.
    pub container: Option<String>,
    /// `AZURE_BLOB_SAS_KEY`, with or without its leading `?`.
    pub sas: Option<SecretString>,
    /// `AZURE_STORAGE_SAS_KEY_TYPE` is `Container`: the container exists, and may not be made.
    pub container_exists: bool,
    /// What could not be read or understood, one line each.
    pub problems: Vec<String>,
}

impl Configuration {
    /// Reads everything that there is now. What cannot be read is left out and said in [`problems`](Self::problems).
    pub fn read(sources: &Sources) -> Self {
        let mut problems = Vec::new();
        let value = |key, problems: &mut _| sources.value(Folder::Config, key, problems);
        Self::of(&value, sources, &mut problems)
    }

    /// The same with the content of the `ConfigMap` as the API server has it in place of the mounted one. A key it has
    /// not is not set, unless the manifest is of an era in which such keys came with the environment.
    pub(crate) fn of_config_map(data: &BTreeMap<String, String>, sources: &Sources) -> Self {
        let mut problems = Vec::new();
        let value = |key: &'static str, problems: &mut _| match data.get(key) {
            Some(text) => trimmed(text),
            None if sources.has_config_folder() => None,
            None => sources.value(Folder::Config, key, problems),
        };
        Self::of(&value, sources, &mut problems)
    }

    fn of(value: Value<'_>, sources: &Sources, problems: &mut Vec<String>) -> Self {
        let run_id = value(keys::RUN_ID, problems);
        let words = list(value(keys::COLLECTORS, problems)).unwrap_or_default();
        let collectors = collectors(&words, problems);
        let namespaces = list(value(keys::CONTAINER_LOGS, problems));
        let kube_objects = list(value(keys::KUBE_OBJECTS, problems));
        let node_logs = value(keys::NODE_LOGS, problems).or_else(|| value(keys::NODE_LOGS_ERA_A, problems));
        let settings = value(keys::SETTINGS, problems);
        let mut configuration = Self {
            run_id,
            collectors,
            namespaces,
            kube_objects,
            node_logs: list(node_logs),
            settings,
            ..Self::default()
        };
        let storage = StorageCredentials::read(sources, problems);
        configuration.use_storage(storage);
        configuration.problems.append(problems);
        configuration
    }

    /// Puts other credentials of the storage in the place of those that are there.
    pub fn use_storage(&mut self, storage: StorageCredentials) {
        let StorageCredentials {
            account,
            container,
            sas,
            container_exists,
        } = storage;
        self.storage_account = account;
        self.container = container;
        self.sas = sas;
        self.container_exists = container_exists;
    }
}

/// Looks a key up.
type Value<'a> = &'a dyn Fn(&'static str, &mut Vec<String>) -> Option<String>;

fn list(text: Option<String>) -> Option<Vec<String>> {
    text.map(|text| text.split_whitespace().map(str::to_owned).collect())
}

fn collectors(words: &[String], problems: &mut Vec<String>) -> BTreeSet<Collector> {
    let mut collectors = BTreeSet::new();
    for word in words {
        match Collector::of(word) {
            Some(collector) => {
                collectors.insert(collector);
            }
            None => problems.push(format!(
                "unknown word {word:?} in {}: expected {}",
                keys::COLLECTORS,
                Collector::ALL.map(Collector::as_str).join(", ")
            )),
        }
    }
    collectors
}

//! From what the agent's configuration says to the settings of a run, as a command line would say them.

use std::path::PathBuf;

use anyhow::Result;
use periscope_agent::Configuration;
use periscope_core::{NodeName, RunId};

use crate::args::{CollectArgs, StorageArgs};
use crate::run::{Beside, Settings};

/// What `az aks kollect` and its readers wait for.
const FORMAT: &str = "zip";

/// What of a run's settings comes from the agent itself.
#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) node_name: NodeName,
    pub(super) host_root: Option<PathBuf>,
    pub(super) output: PathBuf,
}

/// The settings of one run.
///
/// # Errors
/// One line that names the value that cannot be used.
pub(super) fn of(configuration: &Configuration, run_id: &RunId, own: &Own) -> Result<Settings> {
    let args = CollectArgs {
        output: Some(own.output.clone()),
        run_id: Some(run_id.to_string()),
        node_name: Some(own.node_name.to_string()),
        host_root: own.host_root.clone(),
        namespaces: configuration.namespaces.clone(),
        kube_objects: configuration.kube_objects.clone(),
        node_logs: configuration.node_logs.clone(),
        storage: StorageArgs {
            storage_account: configuration.storage_account.clone(),
            container: configuration.container.clone(),
            sas_token: configuration.sas.clone(),
            ..StorageArgs::default()
        },
        format: Some(FORMAT.to_owned()),
        quiet: true,
        ..CollectArgs::default()
    };
    Settings::check(
        args,
        Beside::ConfigMap(configuration.settings.as_deref().unwrap_or_default()),
    )
}

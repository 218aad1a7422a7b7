//! From what the agent's configuration says to the settings of a run, as a command line would say them.

use std::path::PathBuf;

use anyhow::Result;
use periscope_agent::Configuration;
use periscope_core::{NodeName, RunId};

use crate::args::{CollectArgs, StorageArgs};
use crate::run::{Beside, Settings};
use crate::storage::StorageSettings;

/// What `az aks kollect` and its readers wait for.
const FORMAT: &str = "zip";

/// What of a run's settings comes from the agent itself.
#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) node_name: NodeName,
    pub(super) host_root: Option<PathBuf>,
    pub(super) output: PathBuf,
}

/// The settings of one run, and its storage: what cannot be used of that keeps nobody from collecting.
///
/// # Errors
/// One line that names the value that cannot be used.
pub(super) fn of(
    configuration: &Configuration,
    run_id: &RunId,
    own: &Own,
) -> Result<(Settings, Option<Result<StorageSettings, String>>)> {
    let check = |no_upload| {
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
            no_upload,
            format: Some(FORMAT.to_owned()),
            quiet: true,
            ..CollectArgs::default()
        };
        let text = configuration.settings.as_deref().unwrap_or_default();
        Settings::check(args, Beside::ConfigMap(text))
    };
    match check(false) {
        Ok(mut settings) => {
            let storage = settings.storage.take().map(|storage| {
                Ok(if configuration.container_exists {
                    storage.with_container_that_exists()
                } else {
                    storage
                })
            });
            Ok((settings, storage))
        }
        // If it is not the storage, it is wrong without one too.
        Err(why) => check(true).map(|settings| (settings, Some(Err(format!("{why:#}"))))),
    }
}

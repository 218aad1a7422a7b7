//! What `kollect` is to do, checked: every word of the command line has its meaning here, or is refused with one line
//! that names it. Nothing is asked of anybody before this has passed.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use periscope_core::{Format, RunId};
use periscope_manifests::{Lists, Settings as Manifests, Storage as StoredAs};
use secrecy::ExposeSecret;

use super::args::{ClusterArgs, KollectArgs, StorageArgs};
use crate::args;
use crate::exit::{Ended, tell};
use crate::installation::{as_query, label, words};
use crate::run;
use crate::storage::{self, StorageSettings};

/// How long nodes are waited for if the user says nothing.
const DEFAULT_TIMEOUT: &str = "10m";
/// The part of the role that lists Helm releases.
const HELM: &str = "helm";

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
/// A checked command line.
pub(super) struct Settings {
    pub(super) kubeconfig: Option<PathBuf>,
    pub(super) context: Option<String>,
    pub(super) run_id: RunId,
    /// What is to run in the cluster; without a container where the user left that open.
    pub(super) manifests: Manifests,
    pub(super) to: Option<PathBuf>,
    pub(super) storage: Option<StorageSettings>,
    pub(super) timeout: Duration,
    pub(super) yes: bool,
    pub(super) keep: bool,
    pub(super) json: bool,
    pub(super) quiet: bool,
}

impl Settings {
    /// Checks what the user asked for.
    pub(super) fn check(args: KollectArgs) -> Result<Self> {
        let KollectArgs {
            to,
            container_logs,
            kube_objects,
            node_logs,
            run_id,
            timeout,
            yes,
            keep,
            json,
            quiet,
            cluster,
            storage,
        } = args;
        let ClusterArgs {
            kubeconfig,
            context,
            namespace,
            image,
            restricted,
            helm,
            resource_group,
            name,
        } = cluster;
        if resource_group.is_some() || name.is_some() {
            tell("note: --resource-group and --name are not used: the kubeconfig says which cluster");
        }
        let (storage, stored_as) = check_storage(storage)?;
        if storage.is_none() && to.is_none() {
            return Err(Ended::usage(
                "nowhere to put the archives: expected --storage-account with --sas-token, or --to with a folder of this machine",
            ));
        }
        let lists = Lists {
            container_logs: words(&container_logs.unwrap_or_default()),
            kube_objects: words(&kube_objects.unwrap_or_default()),
            node_logs: words(&node_logs.unwrap_or_default()),
        };
        // The agents will read them with the same eyes.
        let read = run::Settings::check(as_agents_read(&lists, run_id, timeout), run::Beside::File)?;
        let run_id = read.run_id.unwrap_or_else(|| RunId::at(Timestamp::now()));
        let defaults = Manifests::default();
        let manifests = Manifests {
            namespace: label(namespace)?,
            image: image.unwrap_or(defaults.image),
            run_id: run_id.to_string(),
            lists,
            storage: stored_as,
            restricted,
            components: helm.then(|| HELM.to_owned()).into_iter().collect(),
            ..Manifests::default()
        };
        Ok(Self {
            kubeconfig,
            context,
            run_id,
            manifests,
            to,
            storage,
            timeout: read.timeout,
            yes,
            keep,
            json,
            quiet,
        })
    }
}

/// What this program needs to look into the storage, and what the agents are told of it.
fn check_storage(args: StorageArgs) -> Result<(Option<StorageSettings>, StoredAs)> {
    let StorageArgs {
        storage_account,
        sas_token,
        sas_file,
        container,
    } = args;
    let given = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let (account, container) = (given(storage_account), given(container));
    let Some(account) = account else {
        if sas_token.is_some_and(|sas| !sas.expose_secret().trim().is_empty()) || sas_file.is_some() {
            return Err(Ended::usage(
                "a SAS without a storage account: expected --storage-account",
            ));
        }
        return Ok((None, StoredAs::default()));
    };
    let sas = match sas_file {
        Some(path) => Some(storage::read_sas(&path)?),
        None => sas_token.filter(|sas| !sas.expose_secret().trim().is_empty()),
    };
    let Some(sas) = sas else {
        return Err(Ended::usage(
            "no credential for the storage account: expected --sas-token or --sas-file",
        ));
    };
    let stored_as = StoredAs {
        account: account.clone(),
        container: container.clone().unwrap_or_default(),
        sas: as_query(&sas),
    };
    let settings = storage::check(
        args::StorageArgs {
            storage_account: Some(account),
            container,
            sas_token: Some(sas),
            ..args::StorageArgs::default()
        },
        Format::Zip,
    )?;
    Ok((Some(settings), stored_as))
}

/// The settings of a run as the command line of `collect` would have them.
fn as_agents_read(lists: &Lists, run_id: Option<String>, timeout: Option<String>) -> args::CollectArgs {
    let given = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    args::CollectArgs {
        run_id,
        namespaces: given(&lists.container_logs),
        kube_objects: given(&lists.kube_objects),
        node_logs: given(&lists.node_logs),
        timeout: Some(timeout.unwrap_or_else(|| DEFAULT_TIMEOUT.to_owned())),
        ..args::CollectArgs::default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rstest::rstest;
    use secrecy::ExposeSecret as _;

    use super::Settings;
    use crate::installation::{as_query, words};
    use crate::kollect::args::{ClusterArgs, KollectArgs, StorageArgs};

    fn args() -> KollectArgs {
        KollectArgs {
            to: Some(PathBuf::from("out")),
            cluster: ClusterArgs {
                namespace: "aks-periscope".to_owned(),
                ..ClusterArgs::default()
            },
            ..KollectArgs::default()
        }
    }

    #[test]
    fn a_folder_is_enough_and_the_rest_has_defaults() {
        let settings = Settings::check(args()).unwrap();
        assert!(settings.storage.is_none());
        assert_eq!(settings.manifests.run_id, settings.run_id.as_str());
        assert_eq!(settings.timeout.as_secs(), 600);
        assert!(settings.manifests.lists.container_logs.is_empty());
    }

    #[rstest]
    #[case::nowhere(KollectArgs { to: None, ..args() }, &["--storage-account", "--to"])]
    #[case::no_account(
        KollectArgs { storage: StorageArgs { sas_token: Some("sig".into()), ..StorageArgs::default() }, ..args() },
        &["--storage-account"]
    )]
    #[case::no_sas(
        KollectArgs { storage: StorageArgs { storage_account: Some("account".into()), ..StorageArgs::default() }, ..args() },
        &["--sas-token", "--sas-file"]
    )]
    #[case::run_id(KollectArgs { run_id: Some("../x".into()), ..args() }, &["run id", "../x"])]
    #[case::span(KollectArgs { timeout: Some("soon".into()), ..args() }, &["soon", "10m"])]
    #[case::path(KollectArgs { node_logs: Some(vec!["var/log".into()]), ..args() }, &["node log", "var/log"])]
    #[case::namespace(
        KollectArgs { cluster: ClusterArgs { namespace: "Not_One".into(), ..ClusterArgs::default() }, ..args() },
        &["Not_One", "a-z"]
    )]
    fn what_cannot_be_used_is_named(#[case] args: KollectArgs, #[case] expected: &[&str]) {
        let error = Settings::check(args).err().expect("refused").to_string();
        for word in expected {
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn lists_may_have_spaces_or_commas() {
        let lists = vec!["a b".to_owned(), "c,d".to_owned(), " e, ".to_owned()];
        assert_eq!(words(&lists), ["a", "b", "c", "d", "e"]);
    }

    #[rstest]
    #[case::bare("sv=1&sig=a", "?sv=1&sig=a")]
    #[case::query("?sv=1&sig=a", "?sv=1&sig=a")]
    #[case::url("https://a.blob.core.windows.net/c?sv=1&sig=a", "?sv=1&sig=a")]
    fn agents_get_a_signature_with_its_question_mark(#[case] given: &str, #[case] expected: &str) {
        assert_eq!(as_query(&given.into()).expose_secret(), expected);
    }
}

//! The command `manifests`: prints the objects that `kollect` would apply, with the user's settings in them. It asks
//! nobody anything: neither a cluster nor a network is needed.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use periscope_core::RunId;
use periscope_manifests::{Lists, PullPolicy, Settings, Storage, names, objects, to_yaml};
use secrecy::{ExposeSecret as _, SecretString};

use crate::exit::{Ended, Exit, print};
use crate::installation::{as_query, label, words};
use crate::storage;

/// The part of the role that lists Helm releases.
const HELM: &str = "helm";

/// What differs from `deployment/aks-periscope.yaml`. The signature is printed in the Secret and nowhere else.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ManifestsArgs {
    /// Namespace that the agents run in
    #[arg(long, value_name = "NAME", default_value = names::NAMESPACE)]
    namespace: String,
    /// Image of the agents [default: the one of this version]
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// When nodes pull the image [default: if-not-present]
    #[arg(long, value_name = "WHEN")]
    pull: Option<Pull>,
    /// Run to be made at once [default: none; the agents wait for one]
    #[arg(long, value_name = "ID")]
    run_id: Option<RunId>,
    /// Namespaces whose containers' logs are taken [default: kube-system]
    #[arg(long, value_name = "NAME ...", num_args = 1..)]
    container_logs: Vec<String>,
    #[arg(
        long,
        value_name = "OBJECT ...",
        num_args = 1..,
        help = "Objects to describe: namespace/resource[.group][/name] \
                [default: kube-system/pod kube-system/service kube-system/deployment]"
    )]
    kube_objects: Vec<String>,
    /// Log files and globs of the nodes [default: those of AKS nodes]
    #[arg(long, value_name = "PATH ...", num_args = 1..)]
    node_logs: Vec<String>,
    /// Let the agents run without privileges: they see nothing of the nodes but what the API server tells
    #[arg(long)]
    restricted: bool,
    /// Let the agents list Helm releases: these are Secrets
    #[arg(long)]
    helm: bool,
    /// Let the agents describe objects of any kind but Secrets, with Kubernetes' own role `view`
    #[arg(long)]
    view: bool,
    #[command(flatten)]
    storage: StorageArgs,
}

/// Where the nodes upload their archives to.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Azure storage")]
struct StorageArgs {
    /// Storage account: its name, resource id or blob endpoint URL [default: none; archives stay on the nodes]
    #[arg(long, value_name = "ACCOUNT", env = "AZURE_BLOB_ACCOUNT_NAME")]
    storage_account: Option<String>,
    /// Container
    #[arg(long, value_name = "NAME", env = "AZURE_BLOB_CONTAINER_NAME")]
    container: Option<String>,
    /// Shared access signature. Other users see command lines: prefer the environment or --sas-file
    #[arg(long, value_name = "SAS", env = "AZURE_BLOB_SAS_KEY", hide_env_values = true)]
    sas_token: Option<SecretString>,
    /// File that holds the shared access signature
    #[arg(long, value_name = "FILE", conflicts_with = "sas_token")]
    sas_file: Option<PathBuf>,
}

/// [`PullPolicy`] in words of a command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Pull {
    Always,
    IfNotPresent,
    Never,
}

/// Runs the command.
pub(crate) fn run(args: ManifestsArgs) -> Result<Exit> {
    print(&to_yaml(&objects(&settings(args)?)));
    Ok(Exit::Complete)
}

fn settings(args: ManifestsArgs) -> Result<Settings> {
    let ManifestsArgs {
        namespace,
        image,
        pull,
        run_id,
        container_logs,
        kube_objects,
        node_logs,
        restricted,
        helm,
        view,
        storage,
    } = args;
    let defaults = Settings::default();
    Ok(Settings {
        namespace: label(namespace)?,
        image: image.unwrap_or(defaults.image),
        pull_policy: pull.map_or(defaults.pull_policy, |pull| match pull {
            Pull::Always => PullPolicy::Always,
            Pull::IfNotPresent => PullPolicy::IfNotPresent,
            Pull::Never => PullPolicy::Never,
        }),
        run_id: run_id.map(String::from).unwrap_or_default(),
        lists: Lists {
            container_logs: words(&container_logs),
            kube_objects: words(&kube_objects),
            node_logs: words(&node_logs),
        },
        storage: stored_at(storage)?,
        restricted,
        components: helm.then(|| HELM.to_owned()).into_iter().collect(),
        view,
    })
}

fn stored_at(args: StorageArgs) -> Result<Storage> {
    let StorageArgs {
        storage_account,
        container,
        sas_token,
        sas_file,
    } = args;
    let given = |text: Option<String>| text.unwrap_or_default().trim().to_owned();
    let (account, container) = (given(storage_account), given(container));
    let sas = match sas_file {
        Some(path) => Some(storage::read_sas(&path)?),
        None => sas_token.filter(|sas| !sas.expose_secret().trim().is_empty()),
    };
    if sas.is_some() && account.is_empty() {
        return Err(Ended::usage(
            "a SAS without a storage account: expected --storage-account",
        ));
    }
    Ok(Storage {
        account,
        container,
        sas: sas.as_ref().map(as_query).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use rstest::rstest;

    use super::*;

    fn args() -> ManifestsArgs {
        ManifestsArgs {
            namespace: names::NAMESPACE.to_owned(),
            ..ManifestsArgs::default()
        }
    }

    #[test]
    fn nothing_said_is_the_file_in_deployment() {
        let said = to_yaml(&objects(&settings(args()).unwrap()));
        assert_eq!(said, to_yaml(&objects(&Settings::default())));
    }

    #[test]
    fn a_signature_from_a_file_is_in_the_secret_alone() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "sv=1&sig=abc").unwrap();
        let storage = StorageArgs {
            storage_account: Some("account".to_owned()),
            sas_file: Some(file.path().to_owned()),
            ..StorageArgs::default()
        };
        let settings = settings(ManifestsArgs { storage, ..args() }).unwrap();
        for object in objects(&settings) {
            assert_eq!(
                object.yaml().contains("abc"),
                object.kind == "Secret",
                "{}",
                object.kind
            );
            assert_eq!(object.yaml().contains("?sv=1&sig=abc"), object.kind == "Secret");
        }
    }

    #[rstest]
    #[case::namespace(ManifestsArgs { namespace: "Not_One".into(), ..args() }, "Not_One")]
    #[case::no_account(
        ManifestsArgs {
            storage: StorageArgs { sas_token: Some("sig=abc".into()), ..StorageArgs::default() },
            ..args()
        },
        "--storage-account"
    )]
    fn what_cannot_be_used_is_named(#[case] args: ManifestsArgs, #[case] expected: &str) {
        let error = settings(args).expect_err("refused").to_string();
        assert!(error.contains(expected) && !error.contains("abc"), "{error}");
    }
}

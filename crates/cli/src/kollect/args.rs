//! The command line of `kollect`, as clap reads it: the names of `az aks kollect`, and a few more.

use std::path::PathBuf;

use secrecy::SecretString;

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
/// Where archives go must be said: a storage account, `--to`, or both.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct KollectArgs {
    // Where a help text is no Markdown it is given as such.
    #[arg(
        help = "Folder of this machine that the archives are fetched to, as DIR/<run-id>/<node>.zip",
        long,
        value_name = "DIR"
    )]
    pub(crate) to: Option<PathBuf>,
    /// Namespaces whose containers' logs are taken [default: kube-system]
    #[arg(long, value_name = "NAME ...", num_args = 1..)]
    pub(crate) container_logs: Option<Vec<String>>,
    #[arg(
        long,
        value_name = "OBJECT ...",
        num_args = 1..,
        help = "Objects to describe: namespace/resource[.group][/name] \
                [default: kube-system/pod kube-system/service kube-system/deployment]"
    )]
    pub(crate) kube_objects: Option<Vec<String>>,
    /// Log files and globs of the nodes [default: those of AKS nodes]
    #[arg(long, value_name = "PATH ...", num_args = 1..)]
    pub(crate) node_logs: Option<Vec<String>>,
    /// Name of this run [default: the time, as 2026-11-20T20-10-33Z]
    #[arg(long, value_name = "ID")]
    pub(crate) run_id: Option<String>,
    /// How long nodes are waited for, as 90s or 10m [default: 10m]
    #[arg(long, value_name = "SPAN")]
    pub(crate) timeout: Option<String>,
    /// Do not ask for consent: whoever runs this has it
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// Leave in the cluster what was applied there
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Show no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) storage: StorageArgs,
}

/// Which cluster, and what runs there.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterArgs {
    /// Kubeconfig of the cluster [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Namespace that the agents run in
    #[arg(long, value_name = "NAME", default_value = periscope_manifests::names::NAMESPACE)]
    pub(crate) namespace: String,
    /// Image of the agents [default: the one of this version]
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// Let the agents run without privileges: they see less of the nodes
    #[arg(long)]
    pub(crate) restricted: bool,
    /// Let the agents list Helm releases: these are Secrets
    #[arg(long)]
    pub(crate) helm: bool,
    /// Not used: the kubeconfig says which cluster. Accepted as `az aks kollect` has it
    #[arg(long, short = 'g', value_name = "NAME")]
    pub(crate) resource_group: Option<String>,
    /// Not used: the kubeconfig says which cluster. Accepted as `az aks kollect` has it
    #[arg(long, short = 'n', value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// Where the nodes upload their archives to.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Azure storage")]
pub(crate) struct StorageArgs {
    /// Storage account: its name, resource id or blob endpoint URL
    #[arg(long, value_name = "ACCOUNT", env = "AZURE_BLOB_ACCOUNT_NAME")]
    pub(crate) storage_account: Option<String>,
    /// Shared access signature. Other users see command lines: prefer the environment or --sas-file
    #[arg(long, value_name = "SAS", env = "AZURE_BLOB_SAS_KEY", hide_env_values = true)]
    pub(crate) sas_token: Option<SecretString>,
    /// File that holds the shared access signature
    #[arg(long, value_name = "FILE", conflicts_with = "sas_token")]
    pub(crate) sas_file: Option<PathBuf>,
    /// Container [default: after the API server's name, as `az aks kollect` does]
    #[arg(long, value_name = "NAME", env = "AZURE_BLOB_CONTAINER_NAME")]
    pub(crate) container: Option<String>,
}

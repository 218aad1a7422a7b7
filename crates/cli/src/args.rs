//! The command line, as clap reads it. What the words mean is checked by the commands.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use secrecy::SecretString;

use crate::agent::AgentArgs;
use crate::exit::Exit;
use crate::hand_over::HandOverArgs;
use crate::kollect::KollectArgs;
use crate::manifests::ManifestsArgs;

/// Takes everything a Kubernetes node knows about itself safely out of it.
#[derive(Debug, Parser)]
#[command(name = "aks-periscope", version, about, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Collect this node's diagnostics into one archive, and upload it if storage is configured
    #[command(after_help = exit_codes())]
    Collect(Box<CollectArgs>),
    /// Stay on this node: collect whenever a new run id is set, report to the cluster, sample connections in between
    Agent(AgentArgs),
    /// Collect the diagnostics of a whole cluster, from a workstation with a kubeconfig
    #[command(after_help = exit_codes())]
    Kollect(Box<KollectArgs>),
    /// Print the Kubernetes objects that put the agent on every node of a cluster, for `kubectl apply --filename -`
    Manifests(Box<ManifestsArgs>),
    /// Hand an archive over to `kollect`
    #[command(hide = true)]
    HandOver(HandOverArgs),
    /// Upload an archive that `collect` wrote earlier
    #[command(after_help = exit_codes())]
    Upload(UploadArgs),
    /// List or print what is in an archive, without unpacking it
    #[command(after_help = exit_codes())]
    Inspect(InspectArgs),
    /// Judge an archive offline, as `collect` did at its end
    #[command(after_help = exit_codes())]
    Analyze(AnalyzeArgs),
    /// Check and list the rules that find trouble in logs
    Rules(RulesArgs),
    /// List what `collect` can gather
    Actions(ActionsArgs),
    /// Print what makes a shell complete this program's command lines
    #[command(after_help = "For bash, for example: source <(aks-periscope completions bash)")]
    Completions(CompletionsArgs),
    /// Print this program's manual page
    #[command(after_help = "To read it: aks-periscope man | man -l -")]
    Man,
}

fn exit_codes() -> String {
    let rows = Exit::TABLE.map(|(exit, meaning)| format!("  {}  {meaning}", exit as u8));
    format!("Exit codes:\n{}", rows.join("\n"))
}

#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// The archive: a tar.gz or zip file, or the folder that it was unpacked to
    pub(crate) archive: PathBuf,
    // Where a help text is no Markdown it is given as such.
    #[arg(help = "What to print of it: a path, the end of one, or a glob as '*/kubelet.log'; \
                  a folder is listed [default: the list of everything]")]
    pub(crate) path: Option<String>,
    /// Print the lines that match this regular expression, as path:line: text
    #[arg(long, short, value_name = "PATTERN")]
    pub(crate) grep: Option<String>,
    /// Let the pattern match upper and lower case alike
    #[arg(long, short, requires = "grep")]
    pub(crate) ignore_case: bool,
    /// Print the list as JSON, and lines as one JSON object each
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AnalyzeArgs {
    /// The archive: a tar.gz or zip file, or the folder that it was unpacked to
    pub(crate) archive: PathBuf,
    /// Folder with rules of your own (*.yaml), beside those that are built in
    #[arg(long, value_name = "DIR")]
    pub(crate) rules: Option<PathBuf>,
    /// How to print the findings; json is the archive's analysis.json
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t = Report::Text)]
    pub(crate) output: Report,
}

/// Forms of the findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Report {
    Text,
    Json,
    Sarif,
    Junit,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RulesArgs {
    #[command(subcommand)]
    pub(crate) command: RulesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Check rules with the examples in them
    Lint {
        /// Folder with rules of your own (*.yaml) [default: those that are built in]
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// List the rules
    List {
        /// Folder with rules of your own (*.yaml), beside those that are built in
        #[arg(long, value_name = "DIR")]
        rules: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ActionsArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct UploadArgs {
    /// The archive
    pub(crate) archive: PathBuf,
    #[command(flatten)]
    pub(crate) storage: StorageArgs,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
/// Settings may also stand in the file given with `--config`, under the same names; a flag wins over the file.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct CollectArgs {
    // Where a help text is no Markdown it is given as such.
    #[arg(
        long,
        short,
        value_name = "DIR",
        help = "Folder for archives; they are written to DIR/<run-id>/ \
                [default: /var/log/aks-periscope, else ./aks-periscope]"
    )]
    pub(crate) output: Option<PathBuf>,
    /// Name of this run [default: the time, as 2026-11-20T20-10-33Z]
    #[arg(long, value_name = "ID", env = "DIAGNOSTIC_RUN_ID")]
    pub(crate) run_id: Option<String>,
    /// Name of this node [default: the kubelet's, else the host's]
    #[arg(long, value_name = "NAME", env = "HOST_NODE_NAME")]
    pub(crate) node_name: Option<String>,
    /// Root folder of the node [default: the first of /host, /proc/1/root and / that is one]
    #[arg(long, value_name = "DIR")]
    pub(crate) host_root: Option<PathBuf>,
    /// Kubeconfig for the API server [default: the pod's, the caller's or the kubelet's own]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Only these actions (see `aks-periscope actions`)
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    pub(crate) actions: Option<Vec<String>>,
    /// All but these actions
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    pub(crate) skip: Option<Vec<String>>,
    /// Namespaces whose containers' logs are taken; * for all [default: kube-system]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub(crate) namespaces: Option<Vec<String>>,
    #[arg(
        long,
        value_name = "OBJECT,...",
        value_delimiter = ',',
        help = "Objects to describe: namespace/resource[.group][/name] \
                [default: kube-system/pods,kube-system/services,kube-system/deployments]"
    )]
    pub(crate) kube_objects: Option<Vec<String>>,
    /// Node log files and globs [default: those of AKS nodes]
    #[arg(long, value_name = "PATH,...", value_delimiter = ',')]
    pub(crate) node_logs: Option<Vec<String>>,
    /// More systemd units whose journal is taken, as globs
    #[arg(long, value_name = "UNIT,...", value_delimiter = ',')]
    pub(crate) journal_units: Option<Vec<String>>,
    #[arg(
        long,
        value_name = "TARGET",
        help = "What stands for the Internet: host[:port] or an http(s) URL [default: www.microsoft.com]"
    )]
    pub(crate) internet_target: Option<String>,
    #[arg(
        long,
        value_name = "TARGET,...",
        value_delimiter = ',',
        help = "More hosts to reach: host[:port] or an http(s) URL"
    )]
    pub(crate) outbound_targets: Option<Vec<String>>,
    /// Nothing older than this: a time as 2026-11-20T20:00:00Z, or a span back from now as 24h or 7d
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Form of the local archive: tar.gz, zip or unpacked [default: tar.gz]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Most bytes of the archive, as 500MB or 2GiB [default: 4GiB]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_bytes: Option<String>,
    /// What the collecting may take, as 90s or 10m; then what there is gets packed [default: 20m]
    #[arg(long, value_name = "SPAN")]
    pub(crate) timeout: Option<String>,
    /// Folder with rules of your own (*.yaml), beside those that are built in
    #[arg(long, value_name = "DIR")]
    pub(crate) rules: Option<PathBuf>,
    /// Upload the archive [default: if storage is configured]
    #[arg(long, overrides_with = "no_upload")]
    pub(crate) upload: bool,
    /// Do not upload, whatever storage is configured
    #[arg(long, overrides_with = "upload")]
    pub(crate) no_upload: bool,
    /// YAML file with settings
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// List everything that would be taken, with estimated sizes and what would be denied; take and write nothing
    #[arg(long)]
    pub(crate) plan: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Show no progress
    #[arg(long, short, action = ArgAction::SetTrue)]
    pub(crate) quiet: bool,
    // Last: what follows would stand below its heading in the help.
    #[command(flatten)]
    pub(crate) storage: StorageArgs,
}

/// Where archives are uploaded to.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Azure storage")]
pub(crate) struct StorageArgs {
    /// Storage account: its name, resource id or blob endpoint URL
    #[arg(long, value_name = "ACCOUNT", env = "AZURE_BLOB_ACCOUNT_NAME")]
    pub(crate) storage_account: Option<String>,
    /// Container [default: after the API server's name, as `az aks kollect` does]
    #[arg(long, value_name = "NAME", env = "AZURE_BLOB_CONTAINER_NAME")]
    pub(crate) container: Option<String>,
    /// Shared access signature. Other users see command lines: prefer the environment or --sas-file
    #[arg(long, value_name = "SAS", env = "AZURE_BLOB_SAS_KEY", hide_env_values = true)]
    pub(crate) sas_token: Option<SecretString>,
    /// File that holds the shared access signature
    #[arg(long, value_name = "FILE", conflicts_with = "sas_token")]
    pub(crate) sas_file: Option<PathBuf>,
    /// Without a signature: workload-identity or managed-identity
    /// [default: workload-identity where its environment is set]
    #[arg(long, value_name = "KIND")]
    pub(crate) identity: Option<String>,
    /// Azure cloud: public, china, us-government, or the storage endpoint suffix
    /// [default: the node's azure.json, else public]
    #[arg(long, value_name = "CLOUD")]
    pub(crate) cloud: Option<String>,
    /// Formats to upload: tar.gz, zip or both [default: as --format]
    #[arg(long, value_name = "FORMAT,...", value_delimiter = ',')]
    pub(crate) upload_format: Option<Vec<String>>,
}

//! From the command line to an agent that waits for run ids.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use periscope_actions::{Deps, outbound_sampling};
use periscope_agent::rows::{Home, LAST_WORDS, OwnPod, RowsReporter};
use periscope_agent::{
    Agent, AgentSettings, Configuration, DEFAULT_HEALTH_ADDRESS, Health, OWN_FOLDER, Reporter, Silent, Sources,
    WATCH_READ_TIMEOUT, serve,
};
use periscope_cluster::{ClusterAccess, ConnectOptions, Election};
use periscope_core::{NodeName, RunId};
use periscope_host::{HostCommands, HostRoot};
use periscope_sampling::Sampler;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::collector::NodeRuns;
use super::metrics;
use super::settings::{self, Own};
use crate::exit::{Ended, Exit};
use crate::run::{RunLog, choose_output, find_cluster, node_info, node_root};
use crate::runtime;
use crate::small_file;

/// Where our own manifests mount the node's `/var/log/aks-periscope`.
const MOUNTED_OUTPUT: &str = "/aks-periscope";
/// Where a pod is told its namespace (<https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/>).
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
/// The namespace of every manifest.
const NAMESPACE: &str = "aks-periscope";
/// Longest name of a namespace (RFC 1123), with a line's end.
const MAX_NAMESPACE_BYTES: u64 = 64;
/// What a run that is told to end may take where the manifest does not say: pods are killed after 30 s unless theirs
/// says otherwise.
const GRACE: Duration = Duration::from_secs(20);
/// What tasks may take at the end: the last samples are written within milliseconds, unless the disk hangs.
const TASKS_END: Duration = Duration::from_secs(2);
/// How much is left to others of a processor that is wanted by more than us, as for nice(1).
const NICENESS: i32 = 10;

/// The command line.
#[derive(Debug, clap::Args)]
pub(crate) struct AgentArgs {
    /// Folder with the keys of `diagnostic-config`; where it is absent they are read from the environment
    #[arg(long, value_name = "DIR", default_value = "/config")]
    config_dir: PathBuf,
    /// Folder with the keys of `azureblob-secret`; where it is absent they are read from the environment
    #[arg(long, value_name = "DIR", default_value = "/secret")]
    secret_dir: PathBuf,
    /// Folder for archives and for what the agent remembers
    /// [default: /aks-periscope if it is there, else the node's /var/log/aks-periscope]
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Name of this node [default: the kubelet's, else the host's]
    #[arg(long, value_name = "NAME", env = "HOST_NODE_NAME")]
    node_name: Option<String>,
    /// Root folder of the node [default: the first of /host, /proc/1/root and / that is one]
    #[arg(long, value_name = "DIR")]
    host_root: Option<PathBuf>,
    /// Kubeconfig for the API server [default: the pod's]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Address for /healthz, /readyz and /metrics, with a port or without [default: 127.0.0.1:9180]
    #[arg(long, value_name = "ADDRESS", env = "AKS_PERISCOPE_LISTEN", value_parser = address)]
    listen: Option<SocketAddr>,
    /// Seconds that a run which is told to end may take, less than until the pod is killed [default: 20]
    #[arg(long, value_name = "SECONDS", env = "AKS_PERISCOPE_GRACE")]
    grace: Option<u64>,
}

/// Reads an address, with the ordinary port where it names none: a pod is told its address so.
fn address(text: &str) -> Result<SocketAddr, String> {
    let alone = || {
        Some(SocketAddr::new(
            text.parse::<IpAddr>().ok()?,
            DEFAULT_HEALTH_ADDRESS.port(),
        ))
    };
    let address = text.parse().ok().or_else(alone);
    address.ok_or_else(|| "expected an address as 127.0.0.1, or one with a port as 127.0.0.1:9180".to_owned())
}

/// Runs the command.
pub(crate) fn run(args: AgentArgs) -> Result<Exit> {
    let log = RunLog::start_telling();
    // The node's own work comes first. Commands of the node inherit it.
    rustix::process::nice(NICENESS).ok();
    runtime::block_on(agent(args, log))
}

async fn agent(args: AgentArgs, log: RunLog) -> Result<Exit> {
    let AgentArgs {
        config_dir,
        secret_dir,
        output,
        node_name,
        host_root,
        kubeconfig,
        listen,
        grace,
    } = args;
    let cancel = CancellationToken::new();
    end_on_signal(cancel.clone())?;
    let root = node_root(host_root.as_deref())?;
    let name = match node_name.filter(|name| !name.is_empty()) {
        Some(name) => Some(name.parse::<NodeName>().map_err(Ended::usage)?),
        None => None,
    };
    let node = node_info(&root, name).name;
    let folder = folder(output, &root);
    let namespace = namespace();
    let connect = |silence| ConnectOptions {
        kubeconfig: kubeconfig.clone(),
        silence,
    };
    let cluster = find_cluster(&connect(None), &root).await?;
    let watching = find_cluster(&connect(Some(WATCH_READ_TIMEOUT)), &root).await?;
    if let Err(why) = &cluster {
        warn!(why, "No rows are written, and run ids are read from files only.");
    }

    let own = Own {
        node_name: node.clone(),
        host_root,
        output: folder.clone(),
    };
    let sampler = {
        let (root, cluster, own) = (root.clone(), cluster.clone(), own.clone());
        let made = spawn_blocking(move || sampler(&root, &cluster, &own)).await;
        made.context("the sampler's task ended early")??
    };
    let tally = sampler.tally();
    let flusher = sampler.flusher();
    let health = Arc::new(Health::new().with(Box::new(move || metrics::of(&tally))));
    let listener = match TcpListener::bind(listen.unwrap_or(DEFAULT_HEALTH_ADDRESS)).await {
        Ok(listener) => Some(listener),
        // Nobody asked for it: a run is worth more.
        Err(error) if listen.is_none() => {
            warn!(%error, "Nothing is served on {DEFAULT_HEALTH_ADDRESS}.");
            None
        }
        Err(error) => return Err(error).context("cannot serve /healthz, /readyz and /metrics"),
    };
    let rows = cluster.as_ref().ok().map(|access| {
        let home = Home {
            namespace: namespace.clone(),
            node: node.clone(),
            pod: pod(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Arc::new(RowsReporter::start(access, &home))
    });
    let reporter: Arc<dyn Reporter> = match &rows {
        Some(rows) => Arc::clone(rows) as _,
        None => Arc::new(Silent),
    };
    let runs = NodeRuns {
        own,
        root,
        cluster: cluster.clone(),
        log,
        flusher,
    };
    let agent_settings = AgentSettings {
        node: node.clone(),
        folder: folder.clone(),
        namespace: namespace.clone(),
        sources: Sources::new(config_dir, secret_dir, std::env::var_os),
        client: cluster.as_ref().ok().map(|access| access.client().clone()),
        watching_client: watching.ok().map(|access| access.client().clone()),
        grace: grace.map_or(GRACE, Duration::from_secs),
    };
    let mut agent = Agent::new(agent_settings, Arc::new(runs), reporter).with_health(Arc::clone(&health));
    if let Ok(access) = cluster {
        agent = agent.with_election(Arc::new(Election::new(access, &namespace, node.as_str())));
    }
    info!(%node, namespace, folder = %folder.display(), "Waiting for a run id.");
    let sampling = tokio::spawn(sampler.run(cancel.clone()));
    let serving = listener.map(|listener| tokio::spawn(serve(listener, health, cancel.clone())));
    agent.run(cancel.clone()).await;
    cancel.cancel();
    if let Some(rows) = rows
        && !rows.flush(LAST_WORDS).await
    {
        warn!("The last words did not reach the row.");
    }
    end_of([Some(sampling), serving].into_iter().flatten(), TASKS_END).await?;
    info!("Ended.");
    Ok(Exit::Complete)
}

/// Waits for tasks that were told to end, but not for a disk that hangs.
async fn end_of(tasks: impl Iterator<Item = JoinHandle<()>>, bound: Duration) -> Result<()> {
    let Ok(ended) = timeout(bound, try_join_all(tasks)).await else {
        warn!("The last samples of connections are not written: the node's disk does not answer.");
        return Ok(());
    };
    ended.map(drop).context("a task ended early")
}

/// Samples the targets of an unconfigured run. Blocks.
fn sampler(root: &HostRoot, cluster: &Result<ClusterAccess, String>, own: &Own) -> Result<Sampler> {
    let any = "sampling".parse::<RunId>().map_err(Ended::usage)?;
    let deps = Deps {
        root: root.clone(),
        commands: Arc::new(HostCommands::new(root.clone())),
        cluster: cluster.clone(),
        settings: settings::of(&Configuration::default(), &any, own)?.0.actions,
    };
    let sampling = outbound_sampling(&deps);
    Ok(Sampler::new(
        own.output.join(OWN_FOLDER),
        sampling.targets,
        sampling.probe,
    ))
}

/// The folder for archives: the user's, the one of our manifests, else the node's. One that cannot be written now is no
/// reason to end: a node whose disk is full or has become read-only is one to tell of, in its row.
fn folder(explicit: Option<PathBuf>, root: &HostRoot) -> PathBuf {
    let mounted = Path::new(MOUNTED_OUTPUT);
    let wanted = explicit.or_else(|| mounted.is_dir().then(|| mounted.to_owned()));
    match choose_output(wanted.clone(), root) {
        Ok(output) => {
            if let Some(note) = &output.note {
                warn!("{note}");
            }
            output.folder
        }
        Err(why) => {
            warn!("Archives cannot be kept on the node: {why:#}.");
            wanted.unwrap_or_else(|| mounted.to_owned())
        }
    }
}

/// The pod's namespace.
fn namespace() -> String {
    let of_environment = std::env::var("POD_NAMESPACE").ok().filter(|name| !name.is_empty());
    let named = of_environment.or_else(|| small_file::read(Path::new(NAMESPACE_FILE), MAX_NAMESPACE_BYTES).ok());
    let named = named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    named.unwrap_or_else(|| NAMESPACE.to_owned())
}

/// The pod. Manifests of the original do not tell it; a pod that is not on its node's network has its name as host
/// name.
fn pod() -> Option<OwnPod> {
    let told = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    Some(OwnPod {
        name: told("POD_NAME").or_else(|| told("HOSTNAME"))?,
        uid: told("POD_UID"),
    })
}

/// Ends in good order at SIGTERM, which is how the kubelet ends a pod, and at Ctrl-C.
fn end_on_signal(cancel: CancellationToken) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        info!("Ending.");
        cancel.cancel();
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{end_of, folder, node_root};

    #[tokio::test]
    async fn a_task_that_hangs_does_not_keep_the_agent_from_ending() {
        let hangs = tokio::spawn(std::future::pending());
        end_of([hangs].into_iter(), Duration::ZERO).await.unwrap();
        let fails = tokio::spawn(async { panic!("on purpose") });
        assert!(end_of([fails].into_iter(), Duration::MAX).await.is_err());
    }

    #[test]
    fn a_folder_that_cannot_be_written_does_not_end_the_agent() {
        let root = node_root(Some(Path::new("/"))).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let below_a_file = file.path().join("archives");
        assert_eq!(folder(Some(below_a_file.clone()), &root), below_a_file);
    }
}

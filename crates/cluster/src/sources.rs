//! The places where an API server and an identity may be found, in their order, and turning one into a client.
//!
//! It does not judge whether the server answers or what the identity may do.

use std::{fmt, io, path::Path, time::Duration};

use kube::{
    Client, Config,
    config::{ExecInteractiveMode, InClusterError, Kubeconfig, KubeconfigError},
};
use tokio::{task::spawn_blocking, time::timeout};

use crate::{
    access::{ApiServer, ClusterAccess, ConnectOptions, ReadNodeFile},
    call::{CONNECT_TIMEOUT, READ_TIMEOUT},
    error::{Cause, ClusterError},
    kubeconfig,
};

/// Where kubelets keep their kubeconfig: AKS and most distributions, then kubeadm.
const KUBELET_KUBECONFIGS: [&str; 2] = ["/var/lib/kubelet/kubeconfig", "/etc/kubernetes/kubelet.conf"];

/// How long a credential program named by a kubeconfig may take, e.g. `kubelogin` fetching a token.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Who requests are made as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The service account of the pod this process runs in.
    ServiceAccount,
    /// The user of a kubeconfig: the one named on the command line, or the caller's own.
    Kubeconfig(String),
    /// The node's kubelet, which may read little more than what its node runs.
    Kubelet(&'static str),
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceAccount => f.write_str("in-cluster service account"),
            Self::Kubeconfig(path) => write!(f, "kubeconfig {path}"),
            Self::Kubelet(path) => write!(f, "kubelet's kubeconfig {path}"),
        }
    }
}

pub(crate) async fn discover(options: &ConnectOptions, read: ReadNodeFile<'_>) -> Result<ClusterAccess, ClusterError> {
    if let Some(path) = &options.kubeconfig {
        let named = path.display().to_string();
        let connected = match of_file(path) {
            Ok(config) => connect(config, Identity::Kubeconfig(named.clone()), options).await,
            Err(cause) => Err(cause),
        };
        return connected.map_err(|source| ClusterError::Kubeconfig { path: named, source });
    }
    let mut tried = Vec::new();
    for source in [&of_pod as Source, &of_caller, &|| of_kubelet(read)] {
        match source() {
            Ok((config, identity)) => match connect(config, identity.clone(), options).await {
                Ok(access) => return Ok(access),
                Err(cause) => tried.push(format!("{identity}: {cause}")),
            },
            Err(lack) => tried.push(lack.to_string()),
        }
    }
    Err(ClusterError::NoApiServer { tried })
}

/// The cluster of a person's own kubeconfig, in this context of it or the current one.
pub(crate) async fn of_person(path: Option<&Path>, context: Option<&str>) -> Result<ClusterAccess, ClusterError> {
    let named = path.map_or_else(|| "of the caller".to_owned(), |path| path.display().to_string());
    let unusable = |source| ClusterError::Kubeconfig {
        path: named.clone(),
        source,
    };
    let read = path.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
    let mut kubeconfig = read.map_err(|error| unusable(Cause::chain(&error)))?;
    if let Some(context) = context {
        if !kubeconfig.contexts.iter().any(|known| known.name == context) {
            let known: Vec<_> = kubeconfig.contexts.iter().map(|known| known.name.as_str()).collect();
            let text = format!("it has no context {context:?}, expected one of {}", known.join(", "));
            return Err(unusable(Cause::text(text)));
        }
        kubeconfig.current_context = Some(context.to_owned());
    }
    let config = of_kubeconfig(kubeconfig).map_err(unusable)?;
    connect(config, Identity::Kubeconfig(named.clone()), &ConnectOptions::default())
        .await
        .map_err(unusable)
}

type Found = Result<(Config, Identity), Cause>;
type Source<'a> = &'a (dyn Fn() -> Found + Send + Sync);

fn of_pod() -> Found {
    match Config::incluster_env() {
        Ok(config) => Ok((config, Identity::ServiceAccount)),
        Err(InClusterError::ReadEnvironmentVariable(_)) => Err(Cause::text("not in a pod")),
        Err(error) => Err(Cause::text(format!(
            "the pod's service account: {}",
            Cause::chain(&error)
        ))),
    }
}

fn of_caller() -> Found {
    let lack = |cause: Cause| Cause::text(format!("the caller's kubeconfig: {cause}"));
    let kubeconfig = match Kubeconfig::read() {
        Ok(kubeconfig) => kubeconfig,
        Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Cause::text("the caller has no kubeconfig"));
        }
        Err(error) => return Err(lack(Cause::chain(&error))),
    };
    let config = of_kubeconfig(kubeconfig).map_err(lack)?;
    Ok((config, Identity::Kubeconfig("of the caller".into())))
}

fn of_kubelet(read: ReadNodeFile<'_>) -> Found {
    for path in KUBELET_KUBECONFIGS {
        let Some(text) = read(path) else { continue };
        return match kubeconfig::of_node(path, &text, read).and_then(of_kubeconfig) {
            Ok(config) => Ok((config, Identity::Kubelet(path))),
            Err(cause) => Err(Cause::text(format!("{path} on the node: {cause}"))),
        };
    }
    Err(Cause::text("the node has no kubeconfig of a kubelet"))
}

fn of_file(path: &Path) -> Result<Config, Cause> {
    let kubeconfig = Kubeconfig::read_from(path).map_err(|error| Cause::chain(&error))?;
    of_kubeconfig(kubeconfig)
}

fn of_kubeconfig(mut kubeconfig: Kubeconfig) -> Result<Config, Cause> {
    // A credential program must not ask questions on the terminal of a collector.
    for user in kubeconfig
        .auth_infos
        .iter_mut()
        .filter_map(|user| user.auth_info.as_mut())
    {
        if let Some(exec) = &mut user.exec {
            exec.interactive_mode = Some(ExecInteractiveMode::Never);
        }
    }
    let proxy_named = kubeconfig::current_cluster(&kubeconfig).is_some_and(|cluster| cluster.proxy_url.is_some());
    let mut config = Config::try_from(kubeconfig).map_err(|error| Cause::chain(&error))?;
    if !proxy_named {
        // An `HTTPS_PROXY` of the shell is for the Internet; nodes reach their API server directly.
        config.proxy_url = None;
    }
    Ok(config)
}

async fn connect(mut config: Config, identity: Identity, options: &ConnectOptions) -> Result<ClusterAccess, Cause> {
    let Some(server) = ApiServer::of(&config.cluster_url) else {
        return Err(Cause::text(format!("{} names no host", config.cluster_url)));
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(options.silence.unwrap_or(READ_TIMEOUT));
    config.write_timeout = Some(READ_TIMEOUT);
    // Otherwise the time a pooled connection lay idle counts against the next answer.
    config.reset_reader_on_write = true;
    // The client's own policy waits up to 1000 s between 15 tries.
    config.default_retry = false;
    // Building the client runs the credential program, if there is one, and waits for it.
    let building = spawn_blocking(move || Client::try_from(config));
    match timeout(LOGIN_TIMEOUT, building).await {
        Ok(Ok(Ok(client))) => Ok(ClusterAccess::new(client, identity, server)),
        Ok(Ok(Err(error))) => Err(Cause::chain(&error)),
        Ok(Err(stopped)) => Err(Cause::chain(&stopped)),
        Err(_) => Err(Cause::text(format!(
            "its credential program took longer than {} s",
            LOGIN_TIMEOUT.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rstest::rstest;

    use super::*;

    const KUBECONFIG: &str = r"
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: 'http://10.1.2.3:6443'}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
";

    async fn explicit(text: &str) -> Result<ClusterAccess, ClusterError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        fs::write(&path, text).unwrap();
        let options = ConnectOptions {
            kubeconfig: Some(path),
            ..ConnectOptions::default()
        };
        discover(&options, &|_| None).await
    }

    #[tokio::test]
    async fn the_named_kubeconfig_is_used() {
        let access = explicit(KUBECONFIG).await.unwrap();
        assert_eq!(
            access.server(),
            &ApiServer {
                host: "10.1.2.3".into(),
                port: 6443
            }
        );
        assert!(access.identity().to_string().starts_with("kubeconfig /"));
    }

    #[rstest]
    #[case::not_yaml("{", "failed to parse")]
    #[case::no_context("clusters: []", "current context")]
    #[case::no_server(
        "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c, cluster: {}}]",
        "cluster url"
    )]
    #[tokio::test]
    async fn a_named_kubeconfig_that_cannot_be_used_is_an_error(#[case] text: &str, #[case] said: &str) {
        let Err(ClusterError::Kubeconfig { source, .. }) = explicit(text).await else {
            panic!("expected an error about the kubeconfig");
        };
        assert!(source.to_string().contains(said), "{source}");
    }

    #[tokio::test]
    async fn an_error_about_a_kubeconfig_shows_nothing_of_it() {
        let text = "users:\n- name: u\n  user: {token: hunter2}\nclusters: 5\n";
        let Err(error) = explicit(text).await else {
            panic!("expected an error about the kubeconfig");
        };
        let text = Cause::chain(&error).to_string();
        assert!(!text.contains("hunter2"), "{text}");
        let ClusterError::Kubeconfig { source, .. } = error else {
            panic!("expected an error about the kubeconfig");
        };
        assert!(!source.to_string().contains("hunter2"), "{source}");
    }

    #[tokio::test]
    async fn a_missing_named_kubeconfig_is_an_error_that_names_it() {
        let options = ConnectOptions {
            kubeconfig: Some("/nowhere/config".into()),
            ..ConnectOptions::default()
        };
        let error = discover(&options, &|_| None).await.err().unwrap();
        assert_eq!(error.to_string(), "kubeconfig /nowhere/config cannot be used");
    }

    #[tokio::test]
    async fn a_context_is_chosen_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        let text = KUBECONFIG
            .replace(
                "clusters: [",
                "clusters: [{name: d, cluster: {server: 'http://10.9.9.9:6443'}}, ",
            )
            .replace("contexts: [", "contexts: [{name: y, context: {cluster: d, user: u}}, ");
        fs::write(&path, text).unwrap();
        for (context, host) in [(None, "10.1.2.3"), (Some("y"), "10.9.9.9")] {
            let access = of_person(Some(&path), context).await.unwrap();
            assert_eq!(access.server().host, host);
        }
        let Err(ClusterError::Kubeconfig { source, .. }) = of_person(Some(&path), Some("z")).await else {
            panic!("expected an error about the kubeconfig");
        };
        assert_eq!(source.to_string(), "it has no context \"z\", expected one of y, x");
    }

    #[test]
    fn the_kubelets_kubeconfig_is_found_in_either_place() {
        for place in KUBELET_KUBECONFIGS {
            let (config, identity) = of_kubelet(&|path| (path == place).then(|| KUBECONFIG.into())).unwrap();
            assert_eq!(identity, Identity::Kubelet(place));
            assert_eq!(config.cluster_url.host(), Some("10.1.2.3"));
        }
        assert!(of_kubelet(&|_| None).is_err());
    }

    #[test]
    fn a_named_proxy_is_kept() {
        let kubeconfig = KUBECONFIG.replace("6443'", "6443', proxy-url: 'http://p:3128'");
        let config = of_kubeconfig(Kubeconfig::from_yaml(&kubeconfig).unwrap()).unwrap();
        assert_eq!(config.proxy_url.unwrap().host(), Some("p"));
    }
}

//! The connection to a cluster: the client, who it speaks as, and where the API server is.
//!
//! It makes no request by itself: finding an API server reads files and the environment only.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use kube::Client;

use crate::{
    error::ClusterError,
    sources::{self, Identity},
};

/// Reads a file of the node by its absolute path there, through the caller's host root; `None` when it cannot be read.
pub type ReadNodeFile<'a> = &'a (dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync);

/// What the user said about reaching a cluster.
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    /// A kubeconfig named by the user: it is used, or the reason why it cannot be is an error.
    pub kubeconfig: Option<PathBuf>,
    /// How long the server may be silent in the middle of an answer, where that is not the ordinary: a watch says
    /// nothing for minutes.
    pub silence: Option<Duration>,
}

/// Where the API server listens, as the chosen configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiServer {
    /// Host name or address; an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl ApiServer {
    /// Host and port of a server URL, with the scheme's port when it names none.
    pub(crate) fn of(url: &Uri) -> Option<Self> {
        let host = url.host()?.trim_matches(['[', ']']);
        let default_port = if url.scheme_str() == Some("http") { 80 } else { 443 };
        Some(Self {
            host: host.to_owned(),
            port: url.port_u16().unwrap_or(default_port),
        })
    }
}

/// A way to the API server of the cluster.
#[derive(Clone)]
pub struct ClusterAccess {
    client: Client,
    identity: Identity,
    server: ApiServer,
}

impl ClusterAccess {
    /// Takes the first that is there: the kubeconfig the user named, the service account of our own pod, the caller's
    /// `$KUBECONFIG` or
    /// `~/.kube/config`, the kubelet's own kubeconfig on the node.
    ///
    /// Makes no network call, and so does not prove that the server answers.
    ///
    /// # Errors
    /// [`ClusterError::NoApiServer`] when no source gives a server, which is ordinary outside a cluster; [`ClusterError::Kubeconfig`] when the
    /// user's own choice cannot be used.
    pub async fn discover(options: &ConnectOptions, read: ReadNodeFile<'_>) -> Result<Self, ClusterError> {
        sources::discover(options, read).await
    }

    /// Takes the kubeconfig of a person at a workstation, the named one or his own, in the context that he names. No
    /// pod's and no node's identity is tried.
    ///
    /// Makes no network call, and so does not prove that the server answers.
    ///
    /// # Errors
    /// [`ClusterError::Kubeconfig`] when it cannot be used.
    pub async fn of_person(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Self, ClusterError> {
        sources::of_person(kubeconfig, context).await
    }

    /// Access over a client that is already there.
    pub fn new(client: Client, identity: Identity, server: ApiServer) -> Self {
        Self {
            client,
            identity,
            server,
        }
    }

    /// The client, for typed requests. It retries nothing and bounds connecting and reading.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Who the requests are made as.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Where the API server is.
    pub fn server(&self) -> &ApiServer {
        &self.server
    }
}

/// A client whose requests get the given answers in order, and the path and query of each request once all are
/// answered.
#[cfg(test)]
pub(crate) fn mock_api(answers: Vec<(u16, serde_json::Value)>) -> (Client, tokio::task::JoinHandle<Vec<String>>) {
    use http::{Request, Response};
    use kube::client::Body;

    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let served = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (request, send) = handle.next_request().await.expect("a request for every answer");
            asked.push(request.uri().to_string());
            let answer = Response::builder()
                .status(status)
                .body(Body::from(body.to_string().into_bytes()));
            send.send_response(answer.expect("a valid answer"));
        }
        asked
    });
    (Client::new(service, "default"), served)
}

/// Access over [`mock_api`].
#[cfg(test)]
pub(crate) fn mock_access(
    answers: Vec<(u16, serde_json::Value)>,
) -> (ClusterAccess, tokio::task::JoinHandle<Vec<String>>) {
    let (client, asked) = mock_api(answers);
    let server = ApiServer {
        host: "api.test".into(),
        port: 443,
    };
    (ClusterAccess::new(client, Identity::ServiceAccount, server), asked)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::with_port("https://10.0.0.1:6443", "10.0.0.1", 6443)]
    #[case::default_port("https://a-dns-1.hcp.centralus.azmk8s.io", "a-dns-1.hcp.centralus.azmk8s.io", 443)]
    #[case::plain("http://localhost/", "localhost", 80)]
    #[case::v6("https://[fd00::1]:6443/", "fd00::1", 6443)]
    fn host_and_port_come_from_the_url(#[case] url: &str, #[case] host: &str, #[case] port: u16) {
        let server = ApiServer::of(&url.parse().unwrap()).unwrap();
        assert_eq!((server.host.as_str(), server.port), (host, port));
    }
}

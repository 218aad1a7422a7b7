//! Where the runtime's socket may be: what the kubelet was told, then the usual places.

use periscope_host::HostPath;

/// The protocol of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// The container runtime interface.
    Cri,
    /// Docker's HTTP API.
    Docker,
}

/// A socket that may be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Its path on the node.
    pub(super) path: HostPath,
    /// What is spoken there.
    pub(super) speaks: Speaks,
    /// Whether the kubelet was told to use it.
    pub(super) is_the_kubelets: bool,
}

/// Where containerd, CRI-O and cri-dockerd listen unless told otherwise (`defaultRuntimeEndpoints` of
/// kubernetes-sigs/cri-tools, `cmd/crictl/main_unix.go`).
const CRI_SOCKETS: [&str; 3] = [
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/var/run/cri-dockerd.sock",
];
const DOCKER_SOCKET: &str = "/var/run/docker.sock";
/// The part of the kubelet, until Kubernetes 1.24, that spoke with docker.
const DOCKERSHIM: &str = "dockershim";

/// The sockets to try, in order. `told` is the kubelet's `containerRuntimeEndpoint`.
pub(super) fn endpoints(told: Option<&str>) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    let mut add = |path: &str, speaks, is_the_kubelets| {
        let Ok(path) = HostPath::new(path) else { return };
        if endpoints.iter().all(|known| known.path != path) {
            endpoints.push(Endpoint {
                path,
                speaks,
                is_the_kubelets,
            });
        }
    };
    match told.map(|told| told.strip_prefix("unix://").unwrap_or(told)) {
        Some(told) if told.contains(DOCKERSHIM) => add(DOCKER_SOCKET, Speaks::Docker, true),
        Some(told) => add(told, Speaks::Cri, true),
        None => {}
    }
    for path in CRI_SOCKETS {
        add(path, Speaks::Cri, false);
    }
    add(DOCKER_SOCKET, Speaks::Docker, false);
    endpoints
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Speaks, endpoints};

    #[rstest]
    #[case::nothing_said(None, "/run/containerd/containerd.sock", Speaks::Cri, false)]
    #[case::by_url(Some("unix:///run/crio/crio.sock"), "/run/crio/crio.sock", Speaks::Cri, true)]
    #[case::by_path(Some("/run/k3s/containerd.sock"), "/run/k3s/containerd.sock", Speaks::Cri, true)]
    #[case::dockershim(
        Some("unix:///var/run/dockershim.sock"),
        "/var/run/docker.sock",
        Speaks::Docker,
        true
    )]
    #[case::no_path(Some("tcp://127.0.0.1:1"), "/run/containerd/containerd.sock", Speaks::Cri, false)]
    fn the_kubelets_is_first(
        #[case] told: Option<&str>,
        #[case] path: &str,
        #[case] speaks: Speaks,
        #[case] is_the_kubelets: bool,
    ) {
        let endpoints = endpoints(told);
        let first = &endpoints[0];
        assert_eq!(
            (first.path.as_str(), first.speaks, first.is_the_kubelets),
            (path, speaks, is_the_kubelets)
        );
        let mut paths: Vec<_> = endpoints.iter().map(|endpoint| endpoint.path.as_str()).collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), endpoints.len(), "no socket is tried twice");
    }
}

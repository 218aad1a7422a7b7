//! Which pod and container a control group belongs to, by its path; what the pod is called is not in the path.

/// A pod's control group, or that of a container in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodCgroup {
    /// The pod's uid as the kubelet knows it; of a static pod, the hash of its file.
    pub uid: String,
    /// The container's id, where the group is a container's (or below one).
    pub container_id: Option<String>,
}

/// Longest prefix of a runtime before the id of a container (`cri-containerd-…scope`, `crio-…`, `docker-…`).
const SCOPE: &str = ".scope";

impl PodCgroup {
    /// Parses a path as the kubelet and the runtimes name it, with either driver
    /// (`k8s.io/kubernetes/pkg/kubelet/cm`: `…/kubepods-burstable-pod<uid with _>.slice/cri-containerd-<id>.scope` by
    /// systemd, `…/kubepods/burstable/pod<uid>/<id>` by cgroupfs).
    pub fn parse(path: &str) -> Option<Self> {
        let mut below_kubepods = false;
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let uid = parts.by_ref().find_map(|part| {
            let known = below_kubepods || part.starts_with("kubepods");
            below_kubepods |= part == "kubepods" || part == "kubepods.slice";
            known.then(|| pod_uid(part)).flatten()
        })?;
        Some(Self {
            uid,
            container_id: parts.next().and_then(container_id),
        })
    }

    /// Whether a path is in the tree of pods at all.
    pub fn is_in_pods(path: &str) -> bool {
        path.split('/').any(|part| part.starts_with("kubepods"))
    }
}

fn pod_uid(part: &str) -> Option<String> {
    let name = match part.strip_suffix(".slice") {
        // By systemd a dash separates levels, so those of the uid are written as underscores.
        Some(slice) => slice.rsplit('-').next()?.strip_prefix("pod")?.replace('_', "-"),
        None => part.strip_prefix("pod")?.to_owned(),
    };
    let is_uid = name.len() >= 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_uid.then_some(name)
}

fn container_id(part: &str) -> Option<String> {
    let name = part.strip_suffix(SCOPE).unwrap_or(part);
    let id = name.rsplit('-').next()?;
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::PodCgroup;

    const UID: &str = "11111111-2222-3333-4444-555555555555";
    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[rstest]
    #[case::systemd(
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod11111111_2222_3333_4444_555555555555.slice/\
         cri-containerd-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope",
        Some(ID)
    )]
    #[case::systemd_guaranteed("/kubepods.slice/kubepods-pod11111111_2222_3333_4444_555555555555.slice", None)]
    #[case::cgroupfs(
        "/kubepods/besteffort/pod11111111-2222-3333-4444-555555555555/\
         0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        Some(ID)
    )]
    #[case::below_another_root("/node-1/kubepods/pod11111111-2222-3333-4444-555555555555", None)]
    #[case::docker(
        "/kubepods.slice/kubepods-pod11111111_2222_3333_4444_555555555555.slice/\
         docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope",
        Some(ID)
    )]
    #[case::conmon("/kubepods/pod11111111-2222-3333-4444-555555555555/crio-conmon-x.scope", None)]
    fn pods(#[case] path: &str, #[case] container: Option<&str>) {
        let expected = PodCgroup {
            uid: UID.to_owned(),
            container_id: container.map(str::to_owned),
        };
        assert_eq!(PodCgroup::parse(path), Some(expected));
    }

    #[test]
    fn a_static_pod_is_named_by_the_hash_of_its_file() {
        let parsed = PodCgroup::parse("/kubepods/burstable/pod0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(parsed.uid, "0123456789abcdef0123456789abcdef");
    }

    #[rstest]
    #[case::service("/system.slice/kubelet.service")]
    #[case::qos("/kubepods.slice/kubepods-burstable.slice")]
    #[case::impostor("/user.slice/pod11111111-2222-3333-4444-555555555555")]
    #[case::short("/kubepods/pod1")]
    #[case::root("/")]
    fn no_pods(#[case] path: &str) {
        assert_eq!(PodCgroup::parse(path), None);
    }
}

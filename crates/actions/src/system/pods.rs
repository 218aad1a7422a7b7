//! What the pods and containers of the node are called, from the names of the kubelet's own log folders and links. The
//! API server is not asked: the node may have lost it.

use std::collections::HashMap;

use periscope_documents::{NodePod, PodCgroup};
use periscope_host::{HostError, HostPath, HostRoot};

/// Folders named `<namespace>_<pod>_<uid>` (`k8s.io/kubernetes/pkg/kubelet/kuberuntime`, `BuildPodLogsDirectory`).
const POD_FOLDERS: &str = "/var/log/pods";

/// Links named `<pod>_<namespace>_<container>-<id>.log` (the same package, `logSymlink`).
const CONTAINER_LINKS: &str = "/var/log/containers";

/// The names of pods and containers.
#[derive(Debug, Default, Clone)]
pub(super) struct PodNames {
    pods: Vec<NodePod>,
    by_uid: HashMap<String, usize>,
    by_container: HashMap<String, usize>,
}

/// What a control group belongs to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// `namespace/name`, or the uid where the name is not known.
    pub(super) pod: Option<String>,
    /// The container's name, or its id where the name is not known.
    pub(super) container: Option<String>,
}

impl PodNames {
    /// Reads the folders. Blocks.
    pub(super) fn look(root: &HostRoot) -> Result<Self, HostError> {
        let mut names = Self::default();
        for folder in root.read_dir(&HostPath::new(POD_FOLDERS)?)? {
            names.add_pod(&folder.name);
        }
        for link in root.read_dir(&HostPath::new(CONTAINER_LINKS)?).unwrap_or_default() {
            names.add_container(&link.name);
        }
        Ok(names)
    }

    fn add_pod(&mut self, folder: &str) {
        let mut words = folder.split('_');
        let (Some(namespace), Some(name), Some(uid), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return;
        };
        self.by_uid.insert(uid.to_owned(), self.pods.len());
        self.pods.push(NodePod {
            uid: uid.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..NodePod::default()
        });
    }

    fn add_container(&mut self, link: &str) {
        let mut words = link.strip_suffix(".log").unwrap_or(link).split('_');
        let (Some(pod), Some(namespace), Some(container), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return;
        };
        let Some((container, id)) = container.rsplit_once('-') else {
            return;
        };
        // Of two pods of one name the younger has the later folder; a container of the older is then named after it
        // too.
        let Some(index) = self
            .pods
            .iter()
            .rposition(|known| known.name == pod && known.namespace == namespace)
        else {
            return;
        };
        if let Some(pod) = self.pods.get_mut(index) {
            pod.containers.insert(id.to_owned(), container.to_owned());
            self.by_container.insert(id.to_owned(), index);
        }
    }

    /// The pods, for `pods.json`.
    pub(super) fn pods(&self) -> &[NodePod] {
        &self.pods
    }

    /// Who the control group at `path` belongs to.
    pub(super) fn owner(&self, path: &str) -> Owner {
        let Some(group) = PodCgroup::parse(path) else {
            return Owner::default();
        };
        let container = group.container_id.map(|id| {
            let named = self.container(&id).and_then(|owner| owner.container);
            // A pod's sandbox has no log, and so no name.
            named.unwrap_or_else(|| id.chars().take(12).collect())
        });
        Owner {
            pod: Some(self.pod(&group.uid).unwrap_or(group.uid)),
            container,
        }
    }

    /// The name of the pod with this uid.
    pub(super) fn pod(&self, uid: &str) -> Option<String> {
        let pod = self.pods.get(*self.by_uid.get(uid)?)?;
        Some(format!("{}/{}", pod.namespace, pod.name))
    }

    /// Who the container with this id is.
    pub(super) fn container(&self, id: &str) -> Option<Owner> {
        let pod = self.pods.get(*self.by_container.get(id)?)?;
        Some(Owner {
            pod: Some(format!("{}/{}", pod.namespace, pod.name)),
            container: pod.containers.get(id).cloned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use periscope_testkit::HostFixture;

    use super::{Owner, PodNames};

    const UID: &str = "11111111-2222-3333-4444-555555555555";
    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_group_is_named_by_the_folders_of_logs() {
        let node = HostFixture::new()
            .dir(&format!("/var/log/pods/kube-system_coredns-x_{UID}/coredns"))
            .dir("/var/log/pods/not a pod")
            .link(
                &format!("/var/log/containers/coredns-x_kube-system_coredns-{ID}.log"),
                "/nowhere",
            )
            .link("/var/log/containers/odd.log", "/nowhere");
        let names = PodNames::look(&node.root()).unwrap();
        let owner = |path: &str| names.owner(path);
        let coredns = Owner {
            pod: Some("kube-system/coredns-x".to_owned()),
            container: Some("coredns".to_owned()),
        };
        assert_eq!(owner(&format!("/kubepods/burstable/pod{UID}/{ID}")), coredns);
        assert_eq!(names.container(ID), Some(coredns));
        let sandbox = owner(&format!("/kubepods/burstable/pod{UID}/{}", ID.replace('0', "f")));
        assert_eq!(sandbox.container.as_deref(), Some("f123456789ab"));
        let unknown = owner("/kubepods/podaaaaaaaa-2222-3333-4444-555555555555");
        assert_eq!(unknown.pod.as_deref(), Some("aaaaaaaa-2222-3333-4444-555555555555"));
        assert_eq!(owner("/system.slice/kubelet.service"), Owner::default());
        assert_eq!(names.pods().len(), 1);
    }
}

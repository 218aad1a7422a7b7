//! Which container wrote an overlay's upper folder, so that a full disk can be told by name. Runtimes mount each
//! container's file system at a path with its id in it.

use std::collections::HashMap;

use periscope_documents::Mount;
use periscope_host::{HostPath, HostRoot};

use super::pods::{Owner, PodNames};

/// Where docker writes which layer is a container's (`moby`, `layer/filestore.go`): `<id>/mount-id`.
const DOCKER_LAYERS: &str = "/var/lib/docker/image/overlay2/layerdb/mounts";

/// Where docker keeps layers.
const DOCKER_OVERLAYS: &str = "/var/lib/docker/overlay2";

/// The name of a layer is 64 bytes, with `-init` behind it for a short while.
const MAX_MOUNT_ID_BYTES: usize = 256;

/// Most containers of docker that are asked for their layer.
const MAX_LAYERS: usize = 1024;

/// Finds the owners of upper folders: the folder's parent, as it is on the node, with its owner. Blocks.
pub(super) fn owners(root: &HostRoot, mounts: &[Mount], names: &PodNames) -> HashMap<String, Owner> {
    let mut owners = HashMap::new();
    for mount in mounts.iter().filter(|mount| mount.fstype == "overlay") {
        let upper = mount
            .super_options
            .split(',')
            .find_map(|option| option.strip_prefix("upperdir="));
        let owner = mount.point.split('/').find_map(|part| names.container(part));
        if let (Some((folder, _)), Some(owner)) = (upper.and_then(|upper| upper.rsplit_once('/')), owner) {
            owners.insert(folder.to_owned(), owner);
        }
    }
    let layers = HostPath::new(DOCKER_LAYERS)
        .ok()
        .and_then(|folder| Some((root.read_dir(&folder).ok()?, folder)));
    for (id, folder) in layers
        .iter()
        .flat_map(|(ids, folder)| ids.iter().take(MAX_LAYERS).map(move |id| (id, folder)))
    {
        let layer = folder
            .join(&format!("{}/mount-id", id.name))
            .ok()
            .and_then(|path| root.read_text(&path, MAX_MOUNT_ID_BYTES).ok());
        if let (Some(layer), Some(owner)) = (layer, names.container(&id.name)) {
            owners.insert(format!("{DOCKER_OVERLAYS}/{}", layer.trim()), owner);
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use periscope_documents::Mount;
    use periscope_testkit::HostFixture;

    use super::owners;
    use crate::system::pods::PodNames;

    const UID: &str = "11111111-2222-3333-4444-555555555555";
    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn layers_are_named_after_their_containers() {
        let node = HostFixture::new()
            .dir(&format!("/var/log/pods/default_app-0_{UID}/app"))
            .link(&format!("/var/log/containers/app-0_default_app-{ID}.log"), "/nowhere")
            .file(
                &format!("/var/lib/docker/image/overlay2/layerdb/mounts/{ID}/mount-id"),
                "feedfeed",
            )
            .file("/var/lib/docker/image/overlay2/layerdb/mounts/other/mount-id", "beef");
        let line = format!(
            "90 1 0:90 / /run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/rootfs rw - overlay overlay \
             rw,lowerdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs,\
             upperdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs,workdir=/x"
        );
        let mounts = [Mount::parse(&line).unwrap()];
        let root = node.root();
        let owners = owners(&root, &mounts, &PodNames::look(&root).unwrap());
        let mut found: Vec<_> = owners
            .iter()
            .map(|(path, owner)| (path.as_str(), owner.pod.as_deref().unwrap()))
            .collect();
        found.sort_unstable();
        assert_eq!(
            found,
            [
                (
                    "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/7",
                    "default/app-0"
                ),
                ("/var/lib/docker/overlay2/feedfeed", "default/app-0"),
            ]
        );
    }
}

//! Lists the files that the kubelet keeps under `/var/log/pods`, from the file system alone: a pod that the API has
//! forgotten is there as long as its files are.

use periscope_core::State;
use periscope_host::{EntryKind, HostError, HostPath, HostRoot};

use super::file::{Keeper, Listing};
use crate::Namespaces;
use crate::host_files::inflated_name;

/// Where the kubelet keeps the logs of pods: `<namespace>_<pod>_<uid>/<container>/<instance>.log[.<time>[.gz]]`
/// (`k8s.io/kubernetes/pkg/kubelet/kuberuntime`, `BuildContainerLogsDirectory`).
pub(super) const POD_LOGS: &str = "/var/log/pods";

/// The end of a file that the kubelet has not finished compressing; the file it is made from is still there.
const UNFINISHED: &str = ".tmp";

/// Adds the log files of the pods in the chosen namespaces.
///
/// # Errors
/// When the folder of all pods cannot be listed.
pub(super) fn list(root: &HostRoot, namespaces: &Namespaces, listing: &mut Listing) -> Result<(), HostError> {
    let pods = HostPath::new(POD_LOGS)?;
    for entry in root.read_dir(&pods)? {
        if !matches!(entry.kind, EntryKind::Dir | EntryKind::Link) {
            continue;
        }
        let name = format!("pods/{}", entry.name);
        match namespace_of(&entry.name) {
            Some(namespace) if !namespaces.contains(namespace) => {}
            None if *namespaces != Namespaces::All => {
                let reason = "the name of the folder does not say which namespace the pod is in".to_owned();
                listing.gaps.push((name, State::NotApplicable, reason));
            }
            _ => list_pod(root, &pods.join(&entry.name)?, &name, listing),
        }
        if listing.is_full {
            break;
        }
    }
    Ok(())
}

/// The namespace in the name of a pod's folder. No part of it can contain `_`.
fn namespace_of(folder: &str) -> Option<&str> {
    let mut parts = folder.split('_');
    let namespace = parts.next()?;
    (parts.count() == 2).then_some(namespace)
}

fn list_pod(root: &HostRoot, pod: &HostPath, name: &str, listing: &mut Listing) {
    let containers = match root.read_dir(pod) {
        Ok(containers) => containers,
        // It was deleted since the folder above was listed.
        Err(HostError::NotFound { .. }) => return,
        Err(error) => return listing.miss(name.to_owned(), &error),
    };
    for container in containers {
        let name = format!("{name}/{}", container.name);
        let path = match pod.join(&container.name) {
            Ok(path) => path,
            Err(error) => {
                listing.miss(name, &error.into());
                continue;
            }
        };
        if container.kind == EntryKind::Dir {
            list_container(root, &path, &name, listing);
        } else {
            listing.add(root, name, path, Keeper::Kubelet);
        }
    }
}

fn list_container(root: &HostRoot, container: &HostPath, name: &str, listing: &mut Listing) {
    let files = match root.read_dir(container) {
        Ok(files) => files,
        Err(HostError::NotFound { .. }) => return,
        Err(error) => return listing.miss(name.to_owned(), &error),
    };
    for file in &files {
        // The archive holds everything inflated.
        let plain = inflated_name(&file.name);
        let compressed = format!("{plain}.gz");
        let is_superseded = plain == file.name
            && files
                .binary_search_by(|other| other.name.as_str().cmp(&compressed))
                .is_ok();
        if plain.ends_with(UNFINISHED) || is_superseded {
            continue;
        }
        let name = format!("{name}/{plain}");
        match container.join(&file.name) {
            Ok(path) => listing.add(root, name, path, Keeper::Kubelet),
            Err(error) => listing.miss(name, &error.into()),
        }
    }
}

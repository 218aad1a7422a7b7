//! Lists the files that dockerd keeps under `/var/lib/docker/containers` for containers of pods, told by the labels
//! that the kubelet gives them. Of a container's configuration nothing but those labels is looked at.

use periscope_host::{EntryKind, HostError, HostPath, HostRoot};
use serde::Deserialize;

use super::file::{Keeper, Listing};
use crate::Namespaces;
use crate::host_files::inflated_name;

/// Where dockerd keeps its containers: `<id>/config.v2.json` and `<id>/<id>-json.log[.<n>[.gz]]`.
pub(super) const CONTAINERS: &str = "/var/lib/docker/containers";

/// Largest container configuration read; they are a few KiB, with a large environment some hundred.
const MAX_CONFIG_BYTES: usize = 1024 * 1024;

/// How much of a container's id stands in names, as docker's own tools show it.
const SHORT_ID: usize = 12;

/// The part of `config.v2.json` that says whose container it is.
#[derive(Debug, Deserialize)]
struct Container {
    #[serde(rename = "Config")]
    config: Config,
}

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(rename = "Labels", default)]
    labels: Labels,
}

/// The labels that dockershim gives to containers (`k8s.io/kubernetes/pkg/kubelet/types/labels.go`).
#[derive(Debug, Default, Deserialize)]
struct Labels {
    #[serde(rename = "io.kubernetes.pod.namespace")]
    namespace: Option<String>,
    #[serde(rename = "io.kubernetes.pod.name", default)]
    pod: String,
    #[serde(rename = "io.kubernetes.pod.uid", default)]
    uid: String,
    #[serde(rename = "io.kubernetes.container.name", default)]
    container: String,
}

/// The name of the container that holds a pod's namespaces and writes nothing.
const SANDBOX: &str = "POD";

/// Adds the log files of the containers in the chosen namespaces that are not in the listing under their pod's name.
///
/// # Errors
/// When the folder of all containers cannot be listed.
pub(super) fn list(root: &HostRoot, namespaces: &Namespaces, listing: &mut Listing) -> Result<(), HostError> {
    let linked: std::collections::HashSet<_> = listing.files.iter().map(|file| file.identity).collect();
    let containers = HostPath::new(CONTAINERS)?;
    let mut found = Listing::default();
    for entry in root
        .read_dir(&containers)?
        .iter()
        .filter(|entry| entry.kind == EntryKind::Dir)
    {
        let folder = containers.join(&entry.name)?;
        match list_container(root, &folder, &entry.name, namespaces, &mut found) {
            // It was removed since the folder above was listed.
            Ok(()) | Err(HostError::NotFound { .. }) => {}
            Err(error) => found.miss(format!("docker/{}", short(&entry.name)), &error),
        }
    }
    listing
        .files
        .extend(found.files.into_iter().filter(|file| !linked.contains(&file.identity)));
    listing.gaps.extend(found.gaps);
    Ok(())
}

fn list_container(
    root: &HostRoot,
    folder: &HostPath,
    id: &str,
    namespaces: &Namespaces,
    found: &mut Listing,
) -> Result<(), HostError> {
    let path = folder.join("config.v2.json")?;
    let config = root.read(&path, MAX_CONFIG_BYTES)?;
    let labels = match serde_json::from_slice::<Container>(&config) {
        Ok(container) => container.config.labels,
        Err(error) => {
            return Err(HostError::Io {
                path: path.to_string(),
                source: error.into(),
            });
        }
    };
    let Labels {
        namespace,
        pod,
        uid,
        container,
    } = labels;
    let Some(namespace) = namespace.filter(|namespace| namespaces.contains(namespace)) else {
        return Ok(());
    };
    if container == SANDBOX {
        return Ok(());
    }
    let log = format!("{id}-json.log");
    for entry in root.read_dir(folder)? {
        if !entry.name.starts_with(&log) {
            continue;
        }
        let rotation = entry.name.strip_prefix(&log).unwrap_or_default();
        let rotation = inflated_name(rotation);
        let name = format!(
            "docker/{namespace}_{pod}_{uid}/{container}/{}-json.log{rotation}",
            short(id)
        );
        found.add(root, name, folder.join(&entry.name)?, Keeper::Docker);
    }
    Ok(())
}

fn short(id: &str) -> &str {
    id.get(..SHORT_ID).unwrap_or(id)
}

//! Finding the root folder of the node.
//!
//! It decides which folders are the node's; reading them is [`HostRoot`]'s work.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::mounts::RemoteMounts;
use crate::view::View;
use crate::{HostError, HostPath, HostRoot, RootOrigin};

/// Set by the kubelet in every container of a pod.
const IN_POD_VARIABLE: &str = "KUBERNETES_SERVICE_HOST";

/// Where the manifests of the first Periscope mount the node's `/etc`.
const MOUNTED_ETC: &str = "etchostlogs";

/// Folders of the node that those manifests mount at their own place.
const MOUNTED_AT_THEIR_PLACE: [&str; 2] = ["/var/log", "/run/systemd/resolve"];

/// Finds the node as seen from the folder `own`, which is `/` outside of tests.
pub(crate) fn discover(own: &Path) -> Result<HostRoot, HostError> {
    for (folder, origin) in [("host", RootOrigin::Mounted), ("proc/1/root", RootOrigin::FirstProcess)] {
        match open_root(&own.join(folder), origin) {
            Ok(root) if is_root(&root) => return Ok(root),
            Ok(_) => tracing::debug!(folder, "The folder is no root folder of a node."),
            Err(error) => tracing::debug!(folder, error = &error as &dyn std::error::Error, "No root folder here."),
        }
    }
    discover_own(own, std::env::var_os(IN_POD_VARIABLE).is_some())
}

fn discover_own(own: &Path, in_pod: bool) -> Result<HostRoot, HostError> {
    let root = open_root(own, RootOrigin::Own)?;
    if !in_pod && is_root(&root) {
        Ok(root)
    } else {
        pod_mounts(own)
    }
}

/// Opens `folder` as a root; nothing is asked of it but that it is a folder that can be searched.
pub(crate) fn open_root(folder: &Path, origin: RootOrigin) -> Result<HostRoot, HostError> {
    let (base, path) = open_folder(folder)?;
    let mounts = match process_of(&path) {
        Some(pid) => RemoteMounts::of_process(&pid, Path::new("/")),
        None => RemoteMounts::of_process("self", &path),
    };
    let view = View {
        base,
        overlays: Vec::new(),
        visible: None,
        mounts,
    };
    Ok(HostRoot::new(view, origin, path))
}

/// The node as far as the pod has mounted it; the container's own files are not shown.
fn pod_mounts(own: &Path) -> Result<HostRoot, HostError> {
    let (base, path) = open_folder(own)?;
    let mut visible = Vec::new();
    let mut overlays = Vec::new();
    if let Ok((etc, _)) = open_folder(&own.join(MOUNTED_ETC)) {
        overlays.push(("/etc".to_owned(), etc));
        visible.push("/etc".to_owned());
    }
    visible.extend(MOUNTED_AT_THEIR_PLACE.map(str::to_owned));
    // The kernel's own files are the node's, unless `/proc` is that of a container: kthreadd is in no other namespace.
    if std::fs::read_to_string(own.join("proc/2/comm")).is_ok_and(|name| name == "kthreadd\n") {
        visible.extend(["/proc".to_owned(), "/sys".to_owned()]);
    }
    let mounts = RemoteMounts::of_process("self", &path);
    Ok(HostRoot::new(
        View {
            base,
            overlays,
            visible: Some(visible),
            mounts,
        },
        RootOrigin::PodMounts,
        path,
    ))
}

fn open_folder(folder: &Path) -> Result<(OwnedFd, PathBuf), HostError> {
    let failed = |source| HostError::Root {
        path: folder.display().to_string(),
        source,
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let handle = rustix::fs::open(folder, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
    // Not the canonical path of `/proc/<pid>/root`: that would read `/`.
    let path = if process_of(folder).is_some() {
        folder.to_path_buf()
    } else {
        folder.canonicalize().map_err(failed)?
    };
    Ok((handle, path))
}

/// The process whose root folder `/proc/<pid>/root` is.
fn process_of(folder: &Path) -> Option<String> {
    let pid = folder.to_str()?.strip_prefix("/proc/")?.strip_suffix("/root")?;
    pid.bytes().all(|byte| byte.is_ascii_digit()).then(|| pid.to_owned())
}

/// A root folder has a distribution installed and a `/proc` with a first process.
fn is_root(root: &HostRoot) -> bool {
    ["/etc/os-release", "/proc/1"]
        .into_iter()
        .all(|path| HostPath::new(path).is_ok_and(|path| root.metadata(&path).is_ok()))
}

//! Finding the root folder of the node.
//!
//! It decides which folders are the node's; reading them is [`HostRoot`]'s work.

use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::mounts::{RemoteMounts, points};
use crate::view::{View, is_within};
use crate::{HostError, HostPath, HostRoot, RootOrigin};

/// Set by the kubelet in every container of a pod.
const IN_POD_VARIABLE: &str = "KUBERNETES_SERVICE_HOST";

/// Where the manifests of the first Periscope mount the node's `/etc`.
const MOUNTED_ETC: &str = "etchostlogs";

/// Where those manifests mount folders of the node at their own place. What no mount holds there is the container's.
const MOUNTED_AT_THEIR_PLACE: [&str; 2] = ["/var/log", "/run/systemd/resolve"];

/// Finds the node as seen from the folder `own`, which is `/` outside of tests.
pub(crate) fn discover(own: &Path) -> Result<HostRoot, HostError> {
    for (folder, origin) in [("host", RootOrigin::Mounted), ("proc/1/root", RootOrigin::FirstProcess)] {
        match open_root(&own.join(folder), origin) {
            // Our own root under another name: on the node itself, and in a container that has a process 1 of its own.
            Ok(root) if is_same_folder(root.path(), own) => {}
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
#[expect(clippy::disallowed_methods, reason = "this crate is the one that reaches the node")]
pub(crate) fn pod_mounts(own: &Path) -> Result<HostRoot, HostError> {
    let (base, path) = open_folder(own)?;
    let mut visible = Vec::new();
    let mut overlays = Vec::new();
    if let Ok((etc, _)) = open_folder(&own.join(MOUNTED_ETC)) {
        overlays.push(("/etc".to_owned(), etc));
        visible.push("/etc".to_owned());
    }
    let is_of_the_node = |point: &String| MOUNTED_AT_THEIR_PLACE.iter().any(|folder| is_within(point, folder));
    visible.extend(
        points(&own.join("proc/self/mountinfo"))
            .into_iter()
            .filter(is_of_the_node),
    );
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

fn is_same_folder(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// A root folder has a distribution installed and a `/proc` with a first process.
fn is_root(root: &HostRoot) -> bool {
    ["/etc/os-release", "/proc/1"]
        .into_iter()
        .all(|path| HostPath::new(path).is_ok_and(|path| root.metadata(&path).is_ok()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rstest::rstest;
    use tempfile::TempDir;

    use super::*;
    use crate::Absence;

    fn place(own: &Path, files: &[&str]) {
        for file in files {
            let file = own.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, file.file_name().unwrap().as_encoded_bytes()).unwrap();
        }
    }

    #[rstest]
    #[case::mounted(&["host/etc/os-release", "host/proc/1/comm"], RootOrigin::Mounted)]
    #[case::mounted_before_first_process(
        &["host/etc/os-release", "host/proc/1/comm", "proc/1/root/etc/os-release", "proc/1/root/proc/1/comm"],
        RootOrigin::Mounted
    )]
    #[case::a_folder_of_that_name_only(
        &["host/x", "proc/1/root/etc/os-release", "proc/1/root/proc/1/comm"],
        RootOrigin::FirstProcess
    )]
    fn the_first_that_is_a_root(#[case] files: &[&str], #[case] expected: RootOrigin) {
        let own = TempDir::new().unwrap();
        place(own.path(), files);
        assert_eq!(discover(own.path()).unwrap().origin(), expected);
    }

    #[rstest]
    #[case::on_the_node(&["etc/os-release", "proc/1/comm"], false, RootOrigin::Own)]
    #[case::in_a_pod_with_a_distribution(&["etc/os-release", "proc/1/comm"], true, RootOrigin::PodMounts)]
    #[case::in_an_empty_container(&["proc/1/comm"], false, RootOrigin::PodMounts)]
    fn the_last_is_our_own(#[case] files: &[&str], #[case] in_pod: bool, #[case] expected: RootOrigin) {
        let own = TempDir::new().unwrap();
        place(own.path(), files);
        assert_eq!(discover_own(own.path(), in_pod).unwrap().origin(), expected);
    }

    #[rstest]
    #[case::etc_from_where_it_is_mounted("/etc/resolv.conf", Ok("resolv.conf"))]
    #[case::logs_at_their_place("/var/log/syslog", Ok("syslog"))]
    #[case::no_such_log("/var/log/none", Err(Absence::NotPresent))]
    #[case::nothing_mounted_at_the_place("/run/systemd/resolve/resolv.conf", Err(Absence::Denied))]
    #[case::mounted_by_somebody_else("/run/secrets/token", Err(Absence::Denied))]
    #[case::files_of_the_container("/opt/app", Err(Absence::Denied))]
    #[case::not_even_in_the_container("/opt/none/x", Err(Absence::Denied))]
    #[case::etc_of_the_container("/etc/hosts", Err(Absence::NotPresent))]
    #[case::proc_of_the_container("/proc/1/comm", Err(Absence::Denied))]
    fn mounts_of_a_pod(#[case] path: &str, #[case] expected: Result<&str, Absence>) {
        let own = TempDir::new().unwrap();
        place(
            own.path(),
            &[
                "etchostlogs/resolv.conf",
                "etc/hosts",
                "var/log/syslog",
                "run/systemd/resolve/resolv.conf",
                "run/secrets/token",
                "opt/app",
                "proc/1/comm",
            ],
        );
        let mounted = |point| format!("29 22 0:53 / {point} rw - ext4 /dev/sdb1 rw\n");
        fs::create_dir(own.path().join("proc/self")).unwrap();
        fs::write(
            own.path().join("proc/self/mountinfo"),
            ["/", "/var/log", "/run/secrets"].map(mounted).concat(),
        )
        .unwrap();
        let root = discover_own(own.path(), true).unwrap();
        let read = root.read_text(&HostPath::new(path).unwrap(), 100);
        assert_eq!(read.as_deref().map_err(HostError::absence), expected);
        assert!(!root.is_own_root());
    }

    #[test]
    fn a_log_folder_of_the_containers_own_shows_no_logs() {
        let own = TempDir::new().unwrap();
        place(own.path(), &["var/log/x"]);
        let root = HostRoot::mounted_into(own.path()).unwrap();
        for path in ["/var/log/x", "/var/log/pods", "/var", "/"] {
            let error = root.metadata(&HostPath::new(path).unwrap()).unwrap_err();
            assert!(matches!(error, HostError::NotShown { .. }), "{path}: {error}");
        }
        let found = root.glob("/var/log/*").unwrap();
        assert!(found.paths.is_empty());
        assert_eq!(found.unread.len(), 1, "that nothing was found says nothing");
    }

    #[test]
    fn the_kernels_files_are_the_nodes_where_kthreadd_is_seen() {
        let own = TempDir::new().unwrap();
        place(own.path(), &["proc/1/comm", "sys/x"]);
        fs::create_dir(own.path().join("proc/2")).unwrap();
        fs::write(own.path().join("proc/2/comm"), "kthreadd\n").unwrap();
        let root = discover_own(own.path(), true).unwrap();
        for path in ["/proc/1/comm", "/sys/x"] {
            assert!(root.metadata(&HostPath::new(path).unwrap()).is_ok(), "{path}");
        }
    }

    #[rstest]
    #[case::number("/proc/12/root", Some("12"))]
    #[case::not_a_number("/proc/self/root", None)]
    #[case::below("/proc/12/root/etc", None)]
    fn root_of_a_process(#[case] path: &str, #[case] expected: Option<&str>) {
        assert_eq!(process_of(Path::new(path)).as_deref(), expected);
    }
}

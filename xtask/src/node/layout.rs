//! The node's file system: the machine's own, with private `/etc`, `/var`, `/usr`, `/run` and `/sys` over it,
//! and the files of an AKS node in them. Nothing of it is seen, or left, outside the node's mount namespace.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{ACCOUNT, DNS_IP, MACHINE_ID, Node, STATE, outside};
use crate::command::run;

/// Folders of the node that are real folders on the machine's disk, below the state folder: the runtime cannot stack
/// its file systems on a stacked one, and logs are worth a look after a failure.
const ON_DISK: &[&str] = &["/var/log", "/var/lib/kubelet", "/var/lib/containerd"];

const TRUSTED: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Builds the mounts.
pub(super) fn mount(node: &Node) -> Result<()> {
    mount_with(&["-t", "tmpfs", "tmpfs", "/run"])?;
    fs::create_dir(STATE).context("cannot make the state folder in the node")?;
    mount_with(&["--bind", &node.state.to_string_lossy(), STATE])?;
    for folder in ["/etc", "/var", "/usr"] {
        overlay(folder)?;
    }
    for folder in ON_DISK {
        let source = format!("{STATE}/disk{folder}");
        for path in [&*source, *folder] {
            fs::create_dir_all(path).with_context(|| format!("cannot make {path}"))?;
        }
        mount_with(&["--bind", &source, folder])?;
    }
    see_own_interfaces()?;
    // Pods may ask for mounts that propagate, which takes a shared root.
    mount_with(&["--make-rshared", "/"])
}

/// Writes the node's own files: the tree `root` of the node's files, with its `@NAMES@` replaced.
pub(super) fn fill(node: &Node) -> Result<()> {
    copy(node, &node.files.join("node/root"), Path::new("/"))?;
    let journal = Path::new("/var/log/journal").join(MACHINE_ID);
    for folder in [
        Path::new("/etc/kubernetes/manifests"),
        Path::new("/etc/kubernetes/certs"),
        &journal,
    ] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    for program in ["kubelet", "kubectl"] {
        let path = Path::new("/usr/local/bin").join(program);
        clear(&path)
            .and_then(|()| symlink(node.kube.join(program), &path))
            .with_context(|| format!("cannot link {}", path.display()))?;
    }
    trust_outside()?;
    for group in node.control_groups() {
        fs::create_dir_all(&group).with_context(|| format!("cannot make {}", group.display()))?;
    }
    Ok(())
}

/// Adds the authority of what is outside to those that the node trusts, where Debian keeps them all in one file.
fn trust_outside() -> Result<()> {
    let mut trusted = fs::read(TRUSTED).with_context(|| format!("cannot read {TRUSTED}"))?;
    trusted.extend(fs::read(outside::authority(Path::new(STATE))).context("cannot read the outside's authority")?);
    fs::write(TRUSTED, trusted).with_context(|| format!("cannot write {TRUSTED}"))
}

/// A text of the node's files with its `@NAMES@` replaced.
pub(super) fn replace_names(node: &Node, text: &str) -> String {
    text.replace("@NODE_IP@", &node.ip())
        .replace("@NODE_NAME@", &node.name())
        .replace("@ACCOUNT@", ACCOUNT)
        .replace("@DNS_IP@", DNS_IP)
        .replace("@MACHINE_ID@", MACHINE_ID)
        .replace("@CGROUP@", &node.link())
}

fn mount_with(arguments: &[&str]) -> Result<()> {
    run(Command::new("mount").args(arguments))?;
    Ok(())
}

/// Makes a folder of the machine writable without being written.
fn overlay(folder: &str) -> Result<()> {
    let layers = format!("/run/layers{folder}");
    for layer in ["upper", "work"] {
        fs::create_dir_all(format!("{layers}/{layer}")).context("cannot make the layers of the node's file system")?;
    }
    let options = format!("lowerdir={folder},upperdir={layers}/upper,workdir={layers}/work");
    mount_with(&["-t", "overlay", "overlay", "-o", &options, folder])
}

/// `/sys/class/net` shows the network namespace in which `/sys` was mounted. The control groups are below it, and stay.
fn see_own_interfaces() -> Result<()> {
    let aside = "/run/cgroup";
    fs::create_dir(aside).context("cannot make a place for the control groups")?;
    mount_with(&["--rbind", "/sys/fs/cgroup", aside])?;
    mount_with(&["-t", "sysfs", "sysfs", "/sys"])?;
    mount_with(&["--rbind", aside, "/sys/fs/cgroup"])?;
    run(Command::new("umount").args(["--recursive", "--lazy", aside]))?;
    fs::remove_dir(aside).context("cannot remove the place of the control groups")
}

fn copy(node: &Node, from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry.with_context(|| format!("cannot list {}", from.display()))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry
            .file_type()
            .with_context(|| format!("cannot look at {}", source.display()))?;
        if kind.is_dir() {
            copy(node, &source, &target)?;
        } else {
            replace(node, &source, &target, kind.is_symlink())
                .with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}

fn replace(node: &Node, source: &Path, target: &Path, is_link: bool) -> Result<()> {
    clear(target)?;
    if is_link {
        symlink(fs::read_link(source)?, target)?;
    } else {
        fs::write(target, replace_names(node, &fs::read_to_string(source)?))?;
    }
    Ok(())
}

/// What the machine has at a path, perhaps a link out of the private folders, must not be written through.
fn clear(path: &Path) -> std::io::Result<()> {
    match path.symlink_metadata() {
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

//! The node's own units: containerd and the kubelet, with the flags, files and credentials at the paths where AKS has
//! them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::pki::Authority;
use super::units::Units;
use super::{Node, control_plane};
use crate::command::run;
use crate::services::image;

const SOCKET: &str = "/run/containerd/containerd.sock";
const CERTIFICATES: &str = "/etc/kubernetes/certs";
const CLIENT_CERTIFICATES: &str = "/var/lib/kubelet/pki";

/// Writes the kubelet's certificates and its kubeconfig.
pub(super) fn issue_credentials(node: &Node, authority: &Authority) -> Result<()> {
    let (name, ip) = (node.name(), node.ip());
    let certificates = Path::new(CERTIFICATES);
    let (server, server_key) = authority.issue(
        "kubeletserver",
        &format!("/O=system:nodes/CN=system:node:{name}"),
        &format!("DNS:{name},IP:{ip}"),
    )?;
    fs::copy(authority.certificate(), certificates.join("ca.crt")).context("cannot copy the cluster's authority")?;
    fs::copy(server, certificates.join("kubeletserver.crt")).context("cannot copy the kubelet's certificate")?;
    fs::copy(server_key, certificates.join("kubeletserver.key")).context("cannot copy the kubelet's key")?;

    // The kubelet keeps certificate and key in one dated file, and a link to the current one.
    let (client, client_key) = authority.issue(
        "kubelet-client",
        &format!("/O=system:nodes/CN=system:node:{name}"),
        &format!("DNS:{name}"),
    )?;
    let folder = Path::new(CLIENT_CERTIFICATES);
    let dated = folder.join("kubelet-client-2026-01-05-08-00-04.pem");
    let current = folder.join("kubelet-client-current.pem");
    let both = [fs::read(client), fs::read(client_key)]
        .into_iter()
        .collect::<Result<Vec<_>, _>>();
    fs::create_dir_all(folder).context("cannot make the folder of the kubelet's certificates")?;
    fs::write(&dated, both.context("cannot read the kubelet's certificate")?.concat())
        .context("cannot write the kubelet's certificate")?;
    symlink(&dated, &current).context("cannot link the kubelet's certificate")?;
    let credentials = format!(
        "    client-certificate: {current}\n    client-key: {current}\n",
        current = current.display()
    );
    let authority = format!("certificate-authority: {CERTIFICATES}/ca.crt");
    fs::write(
        "/var/lib/kubelet/kubeconfig",
        control_plane::kubeconfig(node, &authority, &credentials),
    )
    .context("cannot write the kubelet's kubeconfig")
}

/// Starts containerd; its configuration is at the usual place.
pub(super) fn start_runtime(units: &mut Units) -> Result<()> {
    units.start_in_journal("containerd", &mut Command::new("/usr/bin/containerd"))
}

/// Gives the runtime the cluster's images.
pub(super) fn import_images(node: &Node, units: &mut Units) -> Result<()> {
    units.wait_for("containerd answers", || ctr(&["version"]).is_ok())?;
    for image in [&node.image, &node.coredns.join(image::ARCHIVE)] {
        ctr(&[
            "--namespace=k8s.io",
            "images",
            "import",
            "--snapshotter=native",
            &image.to_string_lossy(),
        ])?;
    }
    Ok(())
}

/// Starts the kubelet, and kube-proxy beside it.
pub(super) fn start(node: &Node, units: &mut Units) -> Result<()> {
    units.start_in_journal(
        "kubelet",
        Command::new("/usr/local/bin/kubelet").args([
            "--enable-server",
            "--node-labels=agentpool=nodepool1,kubernetes.azure.com/mode=system",
            "--v=2",
            &format!("--node-ip={}", node.ip()),
            "--kubeconfig=/var/lib/kubelet/kubeconfig",
            "--config=/etc/default/kubeletconfig.json",
        ]),
    )?;
    control_plane::start_proxy(node, units)
}

fn ctr(arguments: &[&str]) -> Result<()> {
    run(Command::new("ctr")
        .args(["--address", SOCKET, "--timeout=5s"])
        .args(arguments))?;
    Ok(())
}

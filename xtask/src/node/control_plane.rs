//! The control plane: etcd, API server, controller manager and scheduler, and the objects that the cluster starts with.
//! On AKS none of it is on the node, so all its files stay in the state folder.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::pki::Authority;
use super::units::Units;
use super::{CONNECT_LIMIT, Node, STATE, layout};
use crate::command::run;

const ETCD: &str = "http://127.0.0.1:2379";
const ETCD_PEER: &str = "http://127.0.0.1:2380";
const API_PORT: u16 = 6443;
const PODS: &str = "10.244.0.0/16";
const SERVICES: &str = "10.96.0.0/16";
/// The first address of [`SERVICES`] is the API server's.
const API_SERVICE_IP: &str = "10.96.0.1";
/// As in `objects.yaml`, and in the kubelet's settings.
const DNS_SERVICE_IP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

/// Starts it all, and returns when the API server is ready.
pub(super) fn start(node: &Node, units: &mut Units) -> Result<()> {
    let folder = folder();
    let authority = Authority::create(&folder, "periscope-test-cluster")?;
    start_etcd(units)?;
    start_api_server(node, units, &authority)?;
    let admin = issue_kubeconfig(node, &authority, "admin", "/O=system:masters/CN=admin")?;
    fs::copy(&admin, Path::new(STATE).join("admin.kubeconfig")).context("cannot copy the kubeconfig")?;
    let manager = issue_kubeconfig(node, &authority, "manager", "/CN=system:kube-controller-manager")?;
    let scheduler = issue_kubeconfig(node, &authority, "scheduler", "/CN=system:kube-scheduler")?;
    super::kubelet::issue_credentials(node, &authority)?;
    units.wait_for("the API server answers", || {
        kubectl(node, &["get", "--raw", "/readyz"]).is_ok()
    })?;

    let manager = manager.to_string_lossy();
    let account_key = folder.join("accounts.key");
    units.start(
        "kube-controller-manager",
        Command::new(node.kube.join("kube-controller-manager"))
            .arg(format!("--kubeconfig={manager}"))
            .arg(format!("--authentication-kubeconfig={manager}"))
            .arg(format!("--authorization-kubeconfig={manager}"))
            .arg(format!("--service-account-private-key-file={}", account_key.display()))
            .arg(format!("--root-ca-file={}", authority.certificate().display()))
            .args([
                "--use-service-account-credentials=true",
                "--leader-elect=false",
                "--allocate-node-cidrs=true",
            ])
            .arg(format!("--cluster-cidr={PODS}")),
    )?;
    units.start(
        "kube-scheduler",
        Command::new(node.kube.join("kube-scheduler"))
            .arg(format!("--kubeconfig={}", scheduler.display()))
            .arg("--leader-elect=false"),
    )
}

/// Creates the objects that the cluster starts with, and waits for the node and its pods.
pub(super) fn apply_objects(node: &Node, units: &mut Units) -> Result<()> {
    let account = ["get", "serviceaccount", "default", "--namespace=kube-system"];
    units.wait_for("the controller manager has made the first accounts", || {
        kubectl(node, &account).is_ok()
    })?;
    let objects = fs::read_to_string(node.files.join("node/objects.yaml")).context("cannot read the objects")?;
    let path = folder().join("objects.yaml");
    fs::write(&path, layout::replace_names(node, &objects)).context("cannot write the objects")?;
    kubectl(node, &["apply", "--filename", &path.to_string_lossy()])?;
    let ready = [
        "wait",
        "--for=condition=Ready",
        "--timeout=1s",
        &format!("node/{}", node.name()),
    ];
    units.wait_for("the node is ready", || kubectl(node, &ready).is_ok())?;
    let available = [
        "wait",
        "--namespace=kube-system",
        "--for=condition=Available",
        "--timeout=1s",
        "deployment/chatty",
        "deployment/coredns",
    ];
    units.wait_for("the pods run", || kubectl(node, &available).is_ok())?;
    let dns = SocketAddr::from((DNS_SERVICE_IP, 53));
    units.wait_for("the cluster's name server answers", || {
        TcpStream::connect_timeout(&dns, CONNECT_LIMIT).is_ok()
    })
}

/// Starts kube-proxy, which is a pod on AKS, and a process here. Without it service addresses lead nowhere.
pub(super) fn start_proxy(node: &Node, units: &mut Units) -> Result<()> {
    units.start(
        "kube-proxy",
        Command::new(node.kube.join("kube-proxy"))
            .arg(format!("--kubeconfig={STATE}/admin.kubeconfig"))
            .arg(format!("--hostname-override={}", node.name()))
            .arg(format!("--cluster-cidr={PODS}"))
            // The kernel's limits are the machine's, and not ours to change.
            .args(["--proxy-mode=iptables", "--conntrack-max-per-core=0"])
            .args([
                "--conntrack-tcp-timeout-established=0",
                "--conntrack-tcp-timeout-close-wait=0",
            ]),
    )
}

/// A kubeconfig for this cluster, around the lines that name a user's credentials.
pub(super) fn kubeconfig(node: &Node, authority: &str, credentials: &str) -> String {
    format!(
        "apiVersion: v1\n\
         kind: Config\n\
         clusters:\n\
         - name: localcluster\n\
         \x20 cluster:\n\
         \x20   {authority}\n\
         \x20   server: https://{ip}:{API_PORT}\n\
         users:\n\
         - name: client\n\
         \x20 user:\n\
         {credentials}\
         contexts:\n\
         - context:\n\
         \x20   cluster: localcluster\n\
         \x20   user: client\n\
         \x20 name: localclustercontext\n\
         current-context: localclustercontext\n",
        ip = node.ip()
    )
}

fn start_etcd(units: &mut Units) -> Result<()> {
    units.start(
        "etcd",
        Command::new("etcd")
            .arg(format!("--data-dir={STATE}/etcd"))
            .args(["--listen-client-urls", ETCD, "--advertise-client-urls", ETCD])
            .args([
                "--listen-peer-urls",
                ETCD_PEER,
                "--initial-advertise-peer-urls",
                ETCD_PEER,
            ])
            .args(["--initial-cluster", &format!("default={ETCD_PEER}")])
            // What is in it is gone at the next start anyway.
            .arg("--unsafe-no-fsync"),
    )
}

fn start_api_server(node: &Node, units: &mut Units, authority: &Authority) -> Result<()> {
    let ip = node.ip();
    let names = format!(
        "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1,IP:{API_SERVICE_IP},IP:{ip}"
    );
    let (certificate, key) = authority.issue("api-server", "/CN=kube-apiserver", &names)?;
    let (client, client_key) = authority.issue(
        "api-client",
        "/O=system:masters/CN=kube-apiserver",
        "DNS:kube-apiserver",
    )?;
    // Its key signs the tokens of service accounts, its certificate verifies them.
    let (accounts, accounts_key) = authority.issue("accounts", "/CN=accounts", "DNS:accounts")?;
    units.start(
        "kube-apiserver",
        Command::new(node.kube.join("kube-apiserver"))
            .arg(format!("--etcd-servers={ETCD}"))
            .arg(format!("--secure-port={API_PORT}"))
            .arg(format!("--advertise-address={ip}"))
            .arg(format!("--service-cluster-ip-range={SERVICES}"))
            .arg(format!("--tls-cert-file={}", certificate.display()))
            .arg(format!("--tls-private-key-file={}", key.display()))
            .arg(format!("--client-ca-file={}", authority.certificate().display()))
            .arg(format!("--kubelet-client-certificate={}", client.display()))
            .arg(format!("--kubelet-client-key={}", client_key.display()))
            .arg(format!("--service-account-key-file={}", accounts.display()))
            .arg(format!("--service-account-signing-key-file={}", accounts_key.display()))
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .args([
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
            ])
            .args([
                "--allow-privileged=true",
                "--kubelet-preferred-address-types=InternalIP",
            ])
            .arg(format!(
                "--audit-policy-file={}",
                node.files.join("node/audit-policy.yaml").display()
            ))
            .arg(format!("--audit-log-path={STATE}/log/audit.log")),
    )
}

/// A kubeconfig that works everywhere, because it holds what others refer to.
fn issue_kubeconfig(node: &Node, authority: &Authority, file: &str, subject: &str) -> Result<PathBuf> {
    let (certificate, key) = authority.issue(file, subject, &format!("DNS:{file}"))?;
    let encoded =
        |path: &Path| Ok::<_, anyhow::Error>(STANDARD.encode(fs::read(path).context("cannot read a certificate")?));
    let text = kubeconfig(
        node,
        &format!("certificate-authority-data: {}", encoded(&authority.certificate())?),
        &format!(
            "    client-certificate-data: {}\n    client-key-data: {}\n",
            encoded(&certificate)?,
            encoded(&key)?
        ),
    );
    let path = folder().join(file).with_extension("kubeconfig");
    fs::write(&path, text).context("cannot write a kubeconfig")?;
    Ok(path)
}

fn kubectl(node: &Node, arguments: &[&str]) -> Result<String> {
    run(Command::new(node.kube.join("kubectl"))
        .arg(format!("--kubeconfig={STATE}/admin.kubeconfig"))
        .arg("--request-timeout=30s")
        .args(arguments))
}

fn folder() -> PathBuf {
    Path::new(STATE).join("control-plane")
}

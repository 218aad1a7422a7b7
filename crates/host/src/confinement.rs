//! Which files of the node a configuration may name.
//!
//! It judges names only. [`HostRoot::open_confined`](crate::HostRoot::open_confined) asks it twice: for the name asked
//! for, and for the file that its links lead to.

use thiserror::Error;

use crate::pattern::NamePattern;
use crate::{HostPath, HostPathError};

/// Folders of logs and of provisioning, of AKS nodes and of Linux machines in general.
const LOG_FOLDERS: [&str; 12] = [
    "/var/log",
    "/run/log",
    // Log files of Docker's containers: `<id>/<id>-json.log`.
    "/var/lib/docker/containers",
    "/var/lib/cloud",
    "/var/lib/waagent",
    "/run/cloud-init",
    "/opt/azure",
    "/etc/cni/net.d",
    // State of Azure's network plug-ins; `/var/run` is a link to `/run`, and both names are checked.
    "/var/run/azure-vnet.json",
    "/run/azure-vnet.json",
    "/var/run/azure-vnet-ipam.json",
    "/run/azure-vnet-ipam.json",
];

/// File names that hold keys, tokens or passwords wherever they are.
///
/// Narrow on purpose: `secrets-store-csi-driver-x.log` and `token-refresher.log` are logs.
const SECRET_FILES: [&str; 39] = [
    "*.key",
    "*.pem",
    "*.pfx",
    "*.p12",
    "*.prv",
    "*.jks",
    "*.keytab",
    // Network plug-ins keep theirs as `calico-kubeconfig` beside their configuration.
    "*kubeconfig*",
    "*token",
    "token.*",
    "*[-_]token.*",
    "*.tokens",
    "shadow",
    "shadow-",
    "gshadow",
    "gshadow-",
    "id_*",
    "ssh_host_*_key",
    "credentials",
    "credentials.*",
    "*.credentials",
    "*password",
    "password.*",
    "secret",
    "secret.*",
    "secrets.*",
    "*.secret",
    ".netrc",
    ".git-credentials",
    "ovf-env.xml",
    "azure.json",
    // What a machine was provisioned with, keys and bootstrap tokens included.
    "user-data*",
    "vendor-data*",
    "customdata",
    "cloud-config*",
    "combined-cloud-config*",
    "instance-data-sensitive*",
    "aks-node-controller-config*",
    "cse_cmd*",
];

/// Folders below which nothing is read, wherever they are.
const SECRET_FOLDERS: [&str; 6] = [
    ".ssh",
    ".kube",
    ".docker",
    ".gnupg",
    "kubernetes.io~secret",
    "kubernetes.io~projected",
];

/// Files and folders that hold credentials under names that do not say so.
const SECRET_PATHS: [&str; 9] = [
    "/etc/kubernetes/*.conf",
    "/etc/kubernetes/certs",
    "/etc/kubernetes/pki",
    "/var/lib/kubelet/pki",
    "/var/lib/cloud/seed",
    // Provisioning scripts carry the cluster's bootstrap token and keys.
    "/var/lib/cloud/instance/scripts",
    "/var/lib/cloud/instances/*/scripts",
    "/var/lib/cloud/instances/*/obj.pkl",
    "/var/lib/waagent/*.xml",
];

/// The folders that paths from a configuration may lie in, and the files that are never read.
#[derive(Debug, Clone)]
pub struct Confinement {
    folders: Vec<HostPath>,
    secret_files: Vec<NamePattern>,
    secret_paths: Vec<Vec<NamePattern>>,
}

/// Why a path may not be collected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfinementError {
    /// It is in none of the folders.
    #[error("outside of the log and provisioning folders")]
    Outside,
    /// It is one of the files that are never read.
    #[error("keys, tokens and passwords are never read")]
    Secret,
}

impl Confinement {
    /// The compiled list of log and provisioning folders, and `extra` folders given by the process's own arguments.
    ///
    /// Extra folders widen where files are taken from; what is never read stays so.
    pub fn new(extra: &[HostPath]) -> Result<Self, HostPathError> {
        let mut folders = LOG_FOLDERS
            .iter()
            .map(|folder| HostPath::new(folder))
            .collect::<Result<Vec<_>, _>>()?;
        folders.extend_from_slice(extra);
        Self::only(folders)
    }

    /// These folders and no others, for files whose links must not lead elsewhere; what is never read stays so.
    pub fn only(folders: Vec<HostPath>) -> Result<Self, HostPathError> {
        let secret_files = SECRET_FILES.iter().map(|name| NamePattern::new(name)).collect();
        let secret_paths = SECRET_PATHS
            .iter()
            .map(|path| HostPath::new(path).map(|path| patterns(&path)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            folders,
            secret_files,
            secret_paths,
        })
    }

    /// Whether the file `path`, without patterns, may be read.
    pub fn check(&self, path: &HostPath) -> Result<(), ConfinementError> {
        if self.is_secret(path) {
            return Err(ConfinementError::Secret);
        }
        if self.folders.iter().any(|folder| path.is_within(folder)) {
            Ok(())
        } else {
            Err(ConfinementError::Outside)
        }
    }

    fn is_secret(&self, path: &HostPath) -> bool {
        // Case-folded, because `TOKEN` and `server.KEY` hold the same.
        let lower: Vec<String> = path.components().map(str::to_lowercase).collect();
        let by_name = lower
            .last()
            .is_some_and(|name| self.secret_files.iter().any(|secret| secret.matches(name)));
        let by_folder = lower.iter().any(|part| SECRET_FOLDERS.contains(&part.as_str()));
        let by_path = self.secret_paths.iter().any(|secret| {
            secret.len() <= lower.len() && secret.iter().zip(&lower).all(|(pattern, part)| pattern.matches(part))
        });
        by_name || by_folder || by_path
    }
}

fn patterns(path: &HostPath) -> Vec<NamePattern> {
    path.components().map(NamePattern::new).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::syslog("/var/log/syslog")]
    #[case::provisioning("/var/log/azure/cluster-provision.log")]
    #[case::pod_log_of_a_secret_driver("/var/log/pods/kube-system_secrets-store-csi_1/driver/0.log")]
    #[case::named_like_a_token("/var/log/containers/token-refresher-x.log")]
    #[case::docker("/var/lib/docker/containers/abc/abc-json.log")]
    #[case::cni_config("/etc/cni/net.d/10-azure.conflist")]
    #[case::extra("/srv/app/out.log")]
    fn allows(#[case] path: &str) {
        let confinement = Confinement::new(&[HostPath::new("/srv/app").unwrap()]).unwrap();
        assert_eq!(confinement.check(&HostPath::new(path).unwrap()), Ok(()));
    }

    #[rstest]
    #[case::elsewhere("/etc/passwd", ConfinementError::Outside)]
    #[case::sibling("/var/logs/x", ConfinementError::Outside)]
    #[case::shadow("/etc/shadow", ConfinementError::Secret)]
    #[case::key_among_logs("/var/log/app/server.KEY", ConfinementError::Secret)]
    #[case::ssh("/srv/app/.ssh/config", ConfinementError::Secret)]
    #[case::ssh_key("/srv/app/id_ed25519", ConfinementError::Secret)]
    #[case::service_account(
        "/var/log/pods/u/volumes/kubernetes.io~projected/kube-api-access-x/token",
        ConfinementError::Secret
    )]
    #[case::kubelet_conf("/etc/kubernetes/kubelet.conf", ConfinementError::Secret)]
    #[case::node_credentials("/etc/kubernetes/azure.json", ConfinementError::Secret)]
    #[case::bootstrap_script("/var/lib/cloud/instances/i-1/scripts/part-001", ConfinementError::Secret)]
    #[case::network_plugin("/etc/cni/net.d/calico-kubeconfig", ConfinementError::Secret)]
    #[case::custom_data("/var/lib/waagent/CustomData", ConfinementError::Secret)]
    #[case::wire_server("/var/lib/waagent/SharedConfig.xml", ConfinementError::Secret)]
    fn refuses(#[case] path: &str, #[case] expected: ConfinementError) {
        let confinement = Confinement::new(&[HostPath::new("/srv/app").unwrap()]).unwrap();
        assert_eq!(confinement.check(&HostPath::new(path).unwrap()), Err(expected));
    }

    #[test]
    fn only_some_folders() {
        let confinement = Confinement::only(vec![HostPath::new("/var/log/pods").unwrap()]).unwrap();
        let check = |path| confinement.check(&HostPath::new(path).unwrap());
        assert_eq!(check("/var/log/pods/a/b/0.log"), Ok(()));
        assert_eq!(check("/var/log/syslog"), Err(ConfinementError::Outside));
        assert_eq!(check("/var/log/pods/a/b/server.key"), Err(ConfinementError::Secret));
    }

    #[test]
    fn extra_folders_do_not_widen_what_is_never_read() {
        let confinement = Confinement::new(&[HostPath::root()]).unwrap();
        assert_eq!(confinement.check(&HostPath::new("/etc/passwd").unwrap()), Ok(()));
        assert_eq!(
            confinement.check(&HostPath::new("/etc/shadow").unwrap()),
            Err(ConfinementError::Secret)
        );
    }
}

//! The names that others know our objects by (Periscope contract, sections 1.1 and 2). `az aks kollect` deletes by
//! them, VS Code and
//! `kubectl set image` find by them: none may change.

/// The namespace of everything that is in one.
pub const NAMESPACE: &str = "aks-periscope";
/// The service account that the agent speaks as.
pub const SERVICE_ACCOUNT: &str = "aks-periscope-service-account";
/// The cluster role, and in the namespace the role.
pub const ROLE: &str = "aks-periscope-role";
/// What binds them to the service account.
pub const ROLE_BINDING: &str = "aks-periscope-role-binding";
/// What binds Kubernetes' own role `view`.
pub const VIEW_BINDING: &str = "aks-periscope-role-binding-view";
/// The `DaemonSet`, its container, and the value of the label [`LABEL`].
pub const DAEMON_SET: &str = "aks-periscope";
/// The label by which the pods are found.
pub const LABEL: &str = "app";
/// What is collected, and when.
pub const CONFIG_MAP: &str = "diagnostic-config";
/// Where archives are uploaded to.
pub const SECRET: &str = "azureblob-secret";
/// What stands for the image in `deployment/base`: tools put the real one there by this name.
pub const IMAGE_PLACEHOLDER: &str = "periscope-linux";
/// The folder of archives on the node.
pub const NODE_FOLDER: &str = "/var/log/aks-periscope";
/// The same folder in the pod.
pub const POD_FOLDER: &str = "/aks-periscope";
/// The node's root folder in the pod.
pub const HOST_ROOT: &str = "/host";

//! From what the user says about Azure storage to an exporter; what is left open is asked of the node and the cluster.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use periscope_cluster::ClusterAccess;
use periscope_core::{Archive, ExportContext, ExportError, Exporter, Format, Receipt};
use periscope_exporters::{
    AzureBlobConfig, AzureBlobExporter, BlobCredential, Cloud, DEFAULT_UPLOAD_TIMEOUT, WorkloadIdentity,
    container_name_from_fqdn,
};
use periscope_host::{HostPath, HostRoot};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::args::StorageArgs;
use crate::exit::Ended;
use crate::small_file;

/// How long an upload may go on after the run was told to end.
const UPLOAD_GRACE: Duration = Duration::from_secs(30);
/// Longest file that is taken for a signature.
const MAX_SAS_BYTES: u64 = 16 * 1024;
/// Longest description of a cloud that is read from the node.
const MAX_CLOUD_BYTES: usize = 256 * 1024;
/// Which cloud a node is in (`cloud`). It holds credentials too: nothing else of it is looked at.
const AZURE_JSON: &str = "/etc/kubernetes/azure.json";
/// What an Azure Stack says of itself (`storageEndpointSuffix`).
const AZURE_STACK_JSON: &str = "/etc/kubernetes/azurestackcloud.json";
/// The authority of an Azure Stack, below the node's root.
const AZURE_STACK_CA: &str = "etc/ssl/certs/azsCertificate.pem";
/// What `cloud` is on an Azure Stack.
const AZURE_STACK: &str = "AzureStackCloud";
/// Set by the webhook of workload identity in the pods it is meant for.
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// What the user says, as far as it can be checked without asking anybody.
#[derive(Clone)]
pub(crate) struct StorageSettings {
    account: String,
    container: Option<String>,
    credential: BlobCredential,
    cloud: Option<String>,
    formats: Vec<Format>,
    create_container: bool,
}

/// Where archives are uploaded to.
pub(crate) struct Storage {
    exporter: AzureBlobExporter,
    formats: Vec<Format>,
}

/// Checks what the user says. `format` is uploaded if he names none.
pub(crate) fn check(args: StorageArgs, format: Format) -> Result<StorageSettings> {
    let StorageArgs {
        storage_account,
        container,
        sas_token,
        sas_file,
        identity,
        cloud,
        upload_format,
    } = args;
    let given = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let account = given(storage_account).ok_or_else(|| {
        Ended::usage("no storage account: expected --storage-account with a name, a resource id or a URL")
    })?;
    let formats = match upload_format {
        None => vec![format],
        Some(words) => words
            .iter()
            .map(|word| word.parse().map_err(Ended::usage))
            .collect::<Result<_>>()?,
    };
    // An empty one is none: an unset key of a Secret arrives so.
    let sas_token = sas_token.filter(|sas| !sas.expose_secret().trim().is_empty());
    let sas = match (sas_token, sas_file) {
        (Some(sas), _) => Some(sas),
        (None, Some(path)) => Some(read_sas(&path)?),
        (None, None) => None,
    };
    let credential = credential(sas, given(identity).as_deref())?;
    Ok(StorageSettings {
        account,
        container: given(container),
        credential,
        cloud: given(cloud),
        formats,
        create_container: true,
    })
}

/// Reads a signature.
pub(crate) fn read_sas(path: &Path) -> Result<SecretString> {
    let unusable = |what: &str| Ended::usage(format!("invalid --sas-file {}: {what}", path.display()));
    let sas = small_file::read(path, MAX_SAS_BYTES).map_err(|what| unusable(&what))?;
    match sas.trim() {
        "" => Err(unusable("it is empty")),
        sas => Ok(sas.into()),
    }
}

fn credential(sas: Option<SecretString>, identity: Option<&str>) -> Result<BlobCredential> {
    match (sas, identity) {
        (Some(_), Some(_)) => Err(Ended::usage("both a SAS and --identity: expected one of them")),
        (Some(sas), None) => Ok(BlobCredential::Sas(sas)),
        (None, Some("workload-identity")) => Ok(BlobCredential::WorkloadIdentity(WorkloadIdentity::default())),
        (None, Some("managed-identity")) => Ok(BlobCredential::ManagedIdentity { client_id: None }),
        (None, Some(other)) => Err(Ended::usage(format!(
            "unknown identity {other:?}: expected workload-identity or managed-identity"
        ))),
        (None, None) if std::env::var_os(TOKEN_FILE).is_some() => {
            Ok(BlobCredential::WorkloadIdentity(WorkloadIdentity::default()))
        }
        (None, None) => Err(Ended::usage(
            "no credential for the storage account: expected a SAS or --identity",
        )),
    }
}

impl StorageSettings {
    /// The same with a container that exists, and is not to be made.
    pub(crate) fn with_container_that_exists(mut self) -> Self {
        self.create_container = false;
        self
    }

    /// The formats to upload, in order.
    pub(crate) fn formats(&self) -> Vec<Format> {
        self.formats.clone()
    }

    /// The exporter, with the container and the cloud found out where the user left them open.
    pub(crate) fn exporter(self, root: &HostRoot, cluster: Option<&ClusterAccess>) -> Result<Storage> {
        let node_cloud = read_json(root, AZURE_JSON).and_then(|json| text_of(&json, "cloud"));
        let on_azure_stack = self.cloud.is_none() && node_cloud.as_deref() == Some(AZURE_STACK);
        let cloud = if on_azure_stack {
            let suffix = read_json(root, AZURE_STACK_JSON).and_then(|json| text_of(&json, "storageEndpointSuffix"));
            Some(suffix.ok_or_else(|| {
                Ended::usage(format!(
                    "unknown cloud: expected --cloud, as {AZURE_STACK_JSON} has no storageEndpointSuffix"
                ))
            })?)
        } else {
            self.cloud.or(node_cloud)
        };
        let container = match self.container {
            Some(container) => container,
            None => default_container(cluster)?,
        };
        let config = AzureBlobConfig {
            account: self.account,
            cloud: cloud.map_or(Cloud::Public, |word| word.parse().unwrap_or_default()),
            container,
            create_container: self.create_container,
            credential: self.credential,
            ca_file: azure_stack_ca(root, on_azure_stack),
            formats: self.formats.clone(),
            timeout: DEFAULT_UPLOAD_TIMEOUT,
        };
        let exporter = AzureBlobExporter::new(config).map_err(Ended::usage)?;
        Ok(Storage {
            exporter,
            formats: self.formats,
        })
    }
}

impl StorageSettings {
    /// The same in the cloud of the cluster whose API server has this name, unless another one was named.
    pub(crate) fn in_cloud_of(self, server: &str) -> Self {
        let cloud = CLOUDS.iter().find(|(domain, _)| server.ends_with(domain));
        let cloud = cloud.map(|(_, cloud)| (*cloud).to_owned());
        Self {
            cloud: self.cloud.or(cloud),
            ..self
        }
    }
}

/// The clouds by the domains of their API servers
/// (<https://learn.microsoft.com/azure/private-link/private-endpoint-dns>, "Azure Kubernetes Service").
const CLOUDS: [(&str, &str); 3] = [
    (".azmk8s.io", "public"),
    (".azk8s.cn", "china"),
    (".containerservice.azure.us", "us-government"),
];

impl Storage {
    /// The container's URL, fit to be shown to anybody.
    pub(crate) fn url(&self) -> &str {
        self.exporter.container_url().as_str()
    }

    /// The container's name.
    pub(crate) fn container(&self) -> &str {
        self.url().rsplit('/').next().unwrap_or_default()
    }

    /// The sizes of blobs that are there: see [`AzureBlobExporter::sizes_of`].
    pub(crate) async fn sizes_of(
        &self,
        names: &[String],
    ) -> Result<Vec<Result<Option<u64>, ExportError>>, ExportError> {
        self.exporter.sizes_of(names).await
    }

    /// The formats to upload, in order.
    pub(crate) fn formats(&self) -> Vec<Format> {
        self.formats.clone()
    }

    /// The host that must be reachable.
    pub(crate) fn host(&self) -> Option<String> {
        self.exporter.container_url().host_str().map(str::to_owned)
    }

    /// See [`Exporter::check`].
    pub(crate) async fn check(&self) -> Result<(), ExportError> {
        self.exporter.check().await
    }

    /// See [`Exporter::export`]; after the run was told to end, it goes on only for a while.
    pub(crate) async fn export_until(
        &self,
        archive: Arc<dyn Archive>,
        ended: CancellationToken,
    ) -> Result<Vec<Receipt>, ExportError> {
        let cx = ExportContext {
            cancel: CancellationToken::new(),
        };
        let give_up = async {
            ended.cancelled().await;
            tokio::time::sleep(UPLOAD_GRACE).await;
            cx.cancel.cancel();
            std::future::pending().await
        };
        tokio::select! {
            result = self.exporter.export(&cx, archive) => result,
            never = give_up => never,
        }
    }
}

/// The container that `az aks kollect` would use: named after the API server. An address names nothing.
fn default_container(cluster: Option<&ClusterAccess>) -> Result<String> {
    let fqdn = cluster.map(|cluster| cluster.server().host.as_str());
    let fqdn = fqdn.filter(|host| host.contains('.') && host.parse::<IpAddr>().is_err());
    let fqdn = fqdn.ok_or_else(|| {
        Ended::usage("no container: expected --container, as no API server is known by name to call one after")
    })?;
    container_name_from_fqdn(fqdn).map_err(Ended::usage)
}

fn azure_stack_ca(root: &HostRoot, on_azure_stack: bool) -> Option<PathBuf> {
    Some(root.path().join(AZURE_STACK_CA)).filter(|path| on_azure_stack && path.exists())
}

fn read_json(root: &HostRoot, path: &str) -> Option<Value> {
    serde_json::from_slice(&root.read(&HostPath::new(path).ok()?, MAX_CLOUD_BYTES).ok()?).ok()
}

fn text_of(json: &Value, key: &str) -> Option<String> {
    json.get(key)?
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{check, credential};
    use crate::args::StorageArgs;
    use periscope_core::Format;
    use rstest::rstest;

    #[rstest]
    #[case(Some("sig"), Some("managed-identity"), "both a SAS and --identity")]
    #[case(None, Some("me"), "unknown identity \"me\"")]
    fn bad_credentials_are_named(#[case] sas: Option<&str>, #[case] identity: Option<&str>, #[case] start: &str) {
        let error = credential(sas.map(secrecy::SecretString::from), identity)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(start) && error.contains("expected"), "{error}");
    }

    #[test]
    fn an_empty_sas_file_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let args = StorageArgs {
            storage_account: Some("account".into()),
            sas_file: Some(file.path().into()),
            ..StorageArgs::default()
        };
        let error = check(args, Format::Zip).err().expect("refused").to_string();
        assert!(
            error.starts_with("invalid --sas-file") && error.ends_with("it is empty"),
            "{error}"
        );
    }
}

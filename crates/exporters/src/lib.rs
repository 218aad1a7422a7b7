//! Where a finished archive goes: a folder of the node, a container of an Azure storage account.
//!
//! Every exporter is a folder with the same file names: `exporter.rs` is what the engine sees, `check.rs` is what is
//! found out before anything is collected. Nothing here looks into an archive or decides which exporter is used.

mod azure_blob;
mod dir;

pub use azure_blob::{
    AzureBlobConfig, AzureBlobExporter, BlobCredential, Cloud, ConfigError, DEFAULT_UPLOAD_TIMEOUT, WorkloadIdentity,
    container_name_from_fqdn,
};
pub use dir::DirExporter;

//! The exporter that puts archives into a container of an Azure storage account.

mod account;
mod blocks;
mod check;
mod client;
mod config;
mod container;
mod destination;
mod exporter;
mod failure;
mod look;
mod sas;
mod upload;

#[cfg(test)]
mod fake_service;
#[cfg(test)]
mod tests;

pub use account::Cloud;
pub use config::{AzureBlobConfig, BlobCredential, ConfigError, DEFAULT_UPLOAD_TIMEOUT, WorkloadIdentity};
pub use container::container_name_from_fqdn;
pub use exporter::AzureBlobExporter;

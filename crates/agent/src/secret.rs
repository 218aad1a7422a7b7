//! Fresh credentials of the storage, for when those that a run began with are refused.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

/// What is known of the storage, by the keys of the `Secret` (Periscope contract, section 1.1).
#[derive(Debug, Clone, Default)]
pub struct StorageCredentials {
    /// `AZURE_BLOB_ACCOUNT_NAME`.
    pub account: Option<String>,
    /// `AZURE_BLOB_CONTAINER_NAME`.
    pub container: Option<String>,
    /// `AZURE_BLOB_SAS_KEY`, with or without its leading `?`.
    pub sas: Option<SecretString>,
    /// `AZURE_STORAGE_SAS_KEY_TYPE` is `Container`: the container exists, and may not be made.
    pub container_exists: bool,
}

/// Where credentials come from.
#[async_trait]
pub trait Credentials: fmt::Debug + Send + Sync + 'static {
    /// Reads them again; `None` when nothing can be read, or there is no SAS in it. Bounded in time.
    async fn reread(&self) -> Option<StorageCredentials>;
}

//! Looks whether archives are in the container, put there by whomever. Reads none of them.

use azure_core::http::StatusCode;
use azure_storage_blob::models::BlobClientGetPropertiesResultHeaders as _;
use futures::stream::{StreamExt as _, iter};
use periscope_core::ExportError;
use tokio::time::timeout;

use super::check::CHECK_TIMEOUT;
use super::client::{Connection, Patience};
use super::exporter::AzureBlobExporter;

/// Blobs that are asked for at the same time.
const AT_ONCE: usize = 8;

impl AzureBlobExporter {
    /// The sizes of the blobs with these names, in their order; nothing for one that is not there.
    ///
    /// # Errors
    /// When nobody can be asked. Each blob has an error of its own too: a credential may write and not read.
    pub async fn sizes_of(&self, names: &[String]) -> Result<Vec<Result<Option<u64>, ExportError>>, ExportError> {
        let connection = self.destination().connect(Patience::Short)?;
        let sizes = iter(names).map(|name| self.size_of(&connection, name));
        Ok(sizes.buffered(AT_ONCE).collect().await)
    }

    async fn size_of(&self, connection: &Connection, name: &str) -> Result<Option<u64>, ExportError> {
        let destination = self.destination();
        let blob = connection.container.blob_client(name);
        let look = async { blob.get_properties(None).await?.content_length() };
        match timeout(CHECK_TIMEOUT, look).await {
            Ok(Ok(size)) => Ok(size),
            Ok(Err(error)) if error.http_status() == Some(StatusCode::NotFound) => Ok(None),
            Ok(Err(error)) => Err(destination.service_refusal(&error)),
            Err(_) => Err(destination.refusal(format_args!("no answer within {} s", CHECK_TIMEOUT.as_secs()))),
        }
    }
}

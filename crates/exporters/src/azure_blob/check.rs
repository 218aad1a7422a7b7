//! Finds out, before anything is collected, whether an archive could be put into the container.
//!
//! The container is made where that is allowed. Then one byte is staged as a block of a blob that is never committed:
//! the only request that needs exactly the rights of the upload and leaves no blob, whatever the container's policies
//! are. The service drops such a block after a week; checking again replaces it.

use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::StatusCode;
use azure_storage_blob::clients::BlobContainerClient;
use bytes::Bytes;
use tokio::time::timeout;

use super::client::Connection;

/// The longest time for everything together: somebody waits for it.
pub(super) const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// Leaves time to say that it is the identity that does not answer.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(6);

/// What tokens are asked for, in every cloud
/// (<https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory>).
const TOKEN_SCOPE: &str = "https://storage.azure.com/.default";

/// The blob that never is.
const PROBE: &str = "aks-periscope-check";

/// Why nothing can be put there.
#[derive(Debug, thiserror::Error)]
pub(super) enum CheckError {
    #[error(transparent)]
    Service(#[from] azure_core::Error),
    #[error("no token from the identity within {} s", TOKEN_TIMEOUT.as_secs())]
    TokenTimeout,
}

/// Asks the service. `create` says whether making the container is worth trying.
pub(super) async fn check(connection: &Connection, create: bool) -> Result<(), CheckError> {
    if let Some(tokens) = &connection.tokens {
        let token = timeout(TOKEN_TIMEOUT, tokens.get_token(&[TOKEN_SCOPE], None)).await;
        token.map_err(|_| CheckError::TokenTimeout)??;
    }
    if create {
        create_container(&connection.container).await?;
    }
    let probe = connection.container.blob_client(PROBE).block_blob_client();
    probe
        .stage_block(b"check", 1, Bytes::from_static(b"x").into(), None)
        .await?;
    Ok(())
}

/// A credential that may write into a container need not be allowed to make one: that is no reason to stop.
async fn create_container(container: &BlobContainerClient) -> Result<(), azure_core::Error> {
    let Err(error) = container.create(None).await else {
        return Ok(());
    };
    let ErrorKind::HttpResponse { status, error_code, .. } = error.kind() else {
        return Err(error);
    };
    match (*status, error_code.as_deref()) {
        (StatusCode::Conflict, Some("ContainerAlreadyExists")) => Ok(()),
        (StatusCode::Forbidden, code) if code != Some("AuthenticationFailed") => Ok(()),
        _ => Err(error),
    }
}

//! Puts one blob into the container: its blocks in parallel, then the list that makes a blob of them, then a look at
//! it. Until the list is there the blob does not exist, or is still the old one.

use azure_core::Uuid;
use azure_core::http::StatusCode;
use azure_storage_blob::clients::{BlobClient, BlobContainerClient};
use azure_storage_blob::models::{
    BlobClientGetPropertiesResultHeaders as _, BlockBlobClientCommitBlockListOptions,
    BlockBlobClientCommitBlockListResultHeaders as _, BlockLookupList,
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _};

/// Blocks on the way at the same time. With the one that is filled and the one that waits, six of 4 MiB are in memory.
const IN_FLIGHT: usize = 4;

/// The service's limit (<https://learn.microsoft.com/rest/api/storageservices/put-block-list>).
const MOST_BLOCKS: usize = 50_000;

/// Why a blob is not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum UploadError {
    #[error(transparent)]
    Service(#[from] azure_core::Error),
    #[error("it is larger than {MOST_BLOCKS} blocks")]
    TooLarge,
    #[error("{sent} bytes were sent, but the blob has {found}")]
    WrongSize { sent: u64, found: u64 },
    #[error("the blob was replaced by somebody else")]
    Replaced,
}

/// Blocks that the service holds, but that are no blob yet. It drops them after a week.
pub(super) struct Staged {
    blob: BlobClient,
    ids: Vec<Vec<u8>>,
    bytes: u64,
}

/// Sends the blocks of the blob called `name`.
pub(super) async fn stage(
    container: &BlobContainerClient,
    name: &str,
    blocks: impl Stream<Item = Bytes>,
) -> Result<Staged, UploadError> {
    let blob = container.blob_client(name);
    let block_blob = blob.block_blob_client();
    // Two uploads of one name at the same time must not make one blob of their blocks: each has ids of its own.
    let upload = Uuid::new_v4();
    let id = |number: usize| [upload.as_bytes().as_slice(), &number.to_be_bytes()].concat();
    let sent = blocks.enumerate().map(|(number, block)| {
        let (blob, id) = (&block_blob, id(number));
        async move {
            if number >= MOST_BLOCKS {
                return Err(UploadError::TooLarge);
            }
            let size = block.len() as u64;
            blob.stage_block(&id, size, block.into(), None).await?;
            Ok(size)
        }
    });
    let (count, bytes) = sent
        .buffer_unordered(IN_FLIGHT)
        .try_fold((0, 0), async |(count, bytes), size| Ok((count + 1, bytes + size)))
        .await?;
    Ok(Staged {
        ids: (0..count).map(id).collect(),
        blob,
        bytes,
    })
}

/// Makes a blob of the blocks and finds out whether it is the one that was sent. Gives its size.
pub(super) async fn commit(staged: Staged, content_type: &str) -> Result<u64, UploadError> {
    let Staged { blob, ids, bytes } = staged;
    // `latest`, because a list whose answer was lost is sent again, and its blocks are committed by then.
    let list = BlockLookupList {
        latest: Some(ids),
        ..Default::default()
    };
    let options = BlockBlobClientCommitBlockListOptions {
        blob_content_type: Some(content_type.to_owned()),
        ..Default::default()
    };
    let etag = blob
        .block_blob_client()
        .commit_block_list(list.try_into()?, Some(options))
        .await?
        .etag()?;
    let found = match blob.get_properties(None).await {
        Ok(found) => found,
        Err(error) if error.http_status() == Some(StatusCode::Forbidden) => {
            tracing::warn!("The credential may write but not read: the size of the blob was not verified.");
            return Ok(bytes);
        }
        Err(error) => return Err(error.into()),
    };
    match found.content_length()? {
        Some(size) if size == bytes => {}
        size => {
            return Err(UploadError::WrongSize {
                sent: bytes,
                found: size.unwrap_or(0),
            });
        }
    }
    if etag.is_none() || found.etag()? != etag {
        return Err(UploadError::Replaced);
    }
    Ok(bytes)
}

//! The command `upload`: sends an archive that was written earlier.

use std::sync::Arc;

use anyhow::{Context, Result};
use periscope_bundle::ArchiveFile;
use periscope_cluster::ConnectOptions;
use periscope_core::Archive;
use tokio_util::sync::CancellationToken;

use crate::args::UploadArgs;
use crate::exit::{Ended, Exit, print};
use crate::run::{find_cluster, loose_names, node_root, show_size};
use crate::{runtime, storage};

/// Runs the command.
pub(crate) fn run(args: UploadArgs) -> Result<Exit> {
    let UploadArgs { archive, storage } = args;
    let archive = ArchiveFile::open(&archive, &loose_names())
        .map_err(|error| Ended::usage(format!("{:#}", anyhow::Error::from(error))))?;
    let format = archive
        .formats()
        .into_iter()
        .next()
        .context("the archive has no format")?;
    let settings = storage::check(storage, format)?;
    runtime::block_on(async {
        let root = node_root(None)?;
        let cluster = find_cluster(&ConnectOptions::default(), &root).await?;
        let storage = settings.exporter(&root, cluster.as_ref().ok())?;
        if let Some(other) = storage.formats().into_iter().find(|wanted| *wanted != format) {
            return Err(Ended::usage(format!(
                "cannot upload a {format} file as {other}: expected {format}"
            )));
        }
        let failed = |error| Ended::upload(format!("not uploaded: {:#}", anyhow::Error::from(error)));
        storage.check().await.map_err(failed)?;
        for receipt in storage
            .export_until(Arc::new(archive), CancellationToken::new())
            .await
            .map_err(failed)?
        {
            print(&format!(
                "uploaded to {}  ({})\n",
                receipt.location,
                show_size(receipt.bytes)
            ));
        }
        Ok(Exit::Complete)
    })
}

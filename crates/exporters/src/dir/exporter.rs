//! What the engine sees of the folder exporter; how a file gets there is in `write`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use periscope_core::{Archive, ExportContext, ExportError, Exporter, Format, Receipt};
use tokio::task::spawn_blocking;

use super::{check, write};

/// Puts archives into `DIR/<run-id>/`: `<node>.tar.gz`, `<node>.zip`, or the folder `<node>`.
///
/// An archive has its name only when it is whole and on the disk. One of the same run and node is replaced.
#[derive(Debug, Clone)]
pub struct DirExporter {
    folder: PathBuf,
    formats: Vec<Format>,
}

impl DirExporter {
    /// An exporter into `folder`, which it makes when it is missing, in each of the formats.
    pub fn new(folder: impl Into<PathBuf>, formats: Vec<Format>) -> Self {
        Self {
            folder: folder.into(),
            formats,
        }
    }
}

#[async_trait]
impl Exporter for DirExporter {
    fn name(&self) -> &'static str {
        "dir"
    }

    async fn check(&self) -> Result<(), ExportError> {
        let folder = self.folder.clone();
        blocking(&self.folder, move || check::check(&folder)).await
    }

    async fn export(&self, cx: &ExportContext, archive: Arc<dyn Archive>) -> Result<Vec<Receipt>, ExportError> {
        let folder = self.folder.join(archive.run_id().as_str());
        let mut receipts = Vec::new();
        for &format in &self.formats {
            let written = {
                let (archive, cancel, folder) = (Arc::clone(&archive), cx.cancel.clone(), folder.clone());
                blocking(&self.folder, move || match format {
                    Format::Unpacked => write::unpacked(archive.as_ref(), &folder),
                    Format::TarGz | Format::Zip => write::packed(archive.as_ref(), format, &folder, &cancel),
                })
                .await?
            };
            receipts.push(Receipt {
                location: written.path.display().to_string(),
                format,
                bytes: written.bytes,
            });
        }
        Ok(receipts)
    }
}

async fn blocking<T: Send + 'static>(
    folder: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ExportError> {
    let outcome = spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| Err(io::Error::other(panic)));
    outcome.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ExportError::new(format!("cannot write to {}: its disk is full", folder.display()))
        }
        _ => ExportError::new(format!("cannot write to {}", folder.display())).because(error),
    })
}

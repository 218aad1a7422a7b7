//! What the engine sees of the Azure exporter: what is sent in which order, and everything within its time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{iter, poll_fn};
use jiff::Timestamp;
use periscope_core::{Archive, ExportContext, ExportError, Exporter, Format, LooseFile, Receipt};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use super::blocks::{BLOCK, blocks};
use super::check::{CHECK_TIMEOUT, CheckError, check};
use super::client::{Connection, Patience};
use super::config::{AzureBlobConfig, ConfigError};
use super::destination::{Access, Destination};
use super::upload::{Staged, UploadError, commit, stage};

/// Puts archives into a container of an Azure storage account, as `<run-id>/<node>/<node>.<format>`.
///
/// The loose files of an archive come first, beside it, and the archive in the last of the formats comes last: who
/// waits for it finds everything. Needs memory for six blocks of 4 MiB. A process-wide rustls provider must have been
/// installed.
#[derive(Debug)]
pub struct AzureBlobExporter {
    destination: Destination,
    create_container: bool,
    formats: Vec<Format>,
    timeout: Duration,
}

impl AzureBlobExporter {
    /// An exporter with these settings. Asks nobody yet.
    ///
    /// # Errors
    /// When a setting cannot be right; the message names its value and what was expected.
    pub fn new(config: AzureBlobConfig) -> Result<Self, ConfigError> {
        let AzureBlobConfig {
            account,
            cloud,
            container,
            create_container,
            credential,
            ca_file,
            formats,
            timeout,
        } = config;
        if formats.is_empty() {
            return Err(ConfigError::NoFormat);
        }
        if formats.contains(&Format::Unpacked) {
            return Err(ConfigError::Format(Format::Unpacked));
        }
        let destination = Destination::new(&account, &cloud, &container, credential, ca_file)?;
        let create_container = create_container && destination.may_create_container();
        Ok(Self {
            destination,
            create_container,
            formats,
            timeout,
        })
    }

    /// The same with something else in place of the network.
    #[cfg(test)]
    pub(super) fn through(mut self, transport: Arc<dyn azure_core::http::HttpClient>) -> Self {
        self.destination.transport = Some(transport);
        self
    }

    /// The container's URL, fit to be shown to anybody.
    pub fn container_url(&self) -> &Url {
        &self.destination.container
    }

    pub(super) fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Does what may take long, as long as there is time.
    async fn in_time<T>(
        &self,
        cx: &ExportContext,
        end: Instant,
        work: impl Future<Output = Result<T, UploadError>>,
    ) -> Result<T, ExportError> {
        let destination = &self.destination;
        tokio::select! {
            done = timeout_at(end, work) => match done {
                Ok(Ok(done)) => Ok(done),
                Ok(Err(UploadError::Service(error))) => Err(destination.service_refusal(&error)),
                Ok(Err(error)) => Err(destination.refusal(error)),
                Err(_) => Err(destination.refusal(format_args!("not done after {} s", self.timeout.as_secs()))),
            },
            () = cx.cancel.cancelled() => Err(destination.refusal("cancelled")),
        }
    }

    /// Sends the blocks of the archive while they are made. The thread that makes them is always waited for.
    async fn stage_archive(
        &self,
        cx: &ExportContext,
        end: Instant,
        connection: &Connection,
        archive: Arc<dyn Archive>,
        format: Format,
        name: &str,
    ) -> Result<Staged, ExportError> {
        let (mut writer, mut full) = blocks();
        let making = spawn_blocking(move || {
            archive.write_to(format, &mut writer)?;
            writer.finish()
        });
        let sending = stage(&connection.container, name, poll_fn(|cx| full.poll_recv(cx)));
        let staged = self.in_time(cx, end, sending).await;
        // Without a reader the thread ends at its next block.
        drop(full);
        let made = making.await;
        let staged = staged?;
        let unreadable = || self.destination.refusal("the archive cannot be read");
        match made {
            Ok(Ok(())) => Ok(staged),
            Ok(Err(error)) => Err(unreadable().because(error)),
            Err(panic) => Err(unreadable().because(panic)),
        }
    }

    async fn upload_loose(&self, connection: &Connection, folder: &str, file: LooseFile) -> Result<u64, UploadError> {
        let name = format!("{folder}/{}", file.name);
        let content = Bytes::from(file.bytes);
        let starts = (0..content.len()).step_by(BLOCK);
        let pieces = starts.map(|start| content.slice(start..content.len().min(start + BLOCK)));
        let staged = stage(&connection.container, &name, iter(pieces)).await?;
        commit(staged, content_type(&name)).await
    }
}

#[async_trait]
impl Exporter for AzureBlobExporter {
    fn name(&self) -> &'static str {
        "azure-blob"
    }

    async fn check(&self) -> Result<(), ExportError> {
        let destination = &self.destination;
        if let Access::Sas(sas) = &destination.access {
            let now = Timestamp::now();
            sas.usable(now, &destination.container)
                .map_err(|problem| destination.refusal(problem).refused())?;
            if let Some(expires) = sas.expires_soon(now) {
                tracing::warn!(%expires, "The SAS expires within ten minutes: the upload may come too late.");
            }
        }
        let connection = destination.connect(Patience::Short)?;
        match timeout(CHECK_TIMEOUT, check(&connection, self.create_container)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(CheckError::Service(error))) => Err(destination.service_refusal(&error)),
            Ok(Err(error @ CheckError::TokenTimeout)) => Err(destination.refusal(error)),
            Err(_) => Err(destination.refusal(format_args!("no usable answer within {} s", CHECK_TIMEOUT.as_secs()))),
        }
    }

    async fn export(&self, cx: &ExportContext, archive: Arc<dyn Archive>) -> Result<Vec<Receipt>, ExportError> {
        let writable = archive.formats();
        if let Some(format) = self.formats.iter().find(|format| !writable.contains(format)) {
            let cause = format_args!("the archive cannot be written as {format}");
            return Err(self.destination.refusal(cause));
        }
        let end = Instant::now() + self.timeout;
        let connection = self.destination.connect(Patience::Long)?;
        let folder = format!("{}/{}", archive.run_id(), archive.node());
        for file in archive.loose_files() {
            self.in_time(cx, end, self.upload_loose(&connection, &folder, file))
                .await?;
        }
        let mut receipts = Vec::new();
        for &format in &self.formats {
            let name = format!("{folder}/{}.{format}", archive.node());
            let staged = self
                .stage_archive(cx, end, &connection, Arc::clone(&archive), format, &name)
                .await?;
            let bytes = self.in_time(cx, end, commit(staged, content_type(&name))).await?;
            receipts.push(Receipt {
                location: format!("{}/{name}", self.destination.container),
                format,
                bytes,
            });
        }
        Ok(receipts)
    }
}

/// Lets a browser show what can be shown. The loose files without an extension hold text.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "gz")) => "application/gzip",
        Some((_, "zip")) => "application/zip",
        Some((_, "json")) => "application/json",
        _ => "text/plain; charset=utf-8",
    }
}

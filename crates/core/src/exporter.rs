//! What takes a finished archive somewhere; it adds nothing to the archive and leaves nothing out.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::{Archive, Format};

/// What is the same for all exporters of a run.
#[derive(Debug, Clone)]
pub struct ExportContext {
    /// Cancelled when there is no time left.
    pub cancel: CancellationToken,
}

/// Where an archive now is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Path or URL, fit to be shown to anybody: no signature, no credentials.
    pub location: String,
    /// In which format.
    pub format: Format,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Why an archive did not get where it should.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ExportError {
    message: String,
    refused: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ExportError {
    /// An error that names the cause, and holds no secret.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            refused: false,
            source: None,
        }
    }

    /// The same error, of somebody who answered and said no: trying again helps only after something was changed.
    #[must_use]
    pub fn refused(mut self) -> Self {
        self.refused = true;
        self
    }

    /// Whether somebody answered and said no.
    pub fn is_refused(&self) -> bool {
        self.refused
    }

    /// The same error with what caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// Takes finished archives to one place.
#[async_trait]
pub trait Exporter: Send + Sync + 'static {
    /// What it is called in messages, such as `dir` or `azure-blob`.
    fn name(&self) -> &'static str;

    /// Finds out, before anything is collected, whether an archive could be put there. Leaves nothing behind.
    ///
    /// # Errors
    /// When it could not, with the cause.
    async fn check(&self) -> Result<(), ExportError>;

    /// Puts the archive there, whole or not at all. One receipt for each format.
    ///
    /// # Errors
    /// When it is not there as it should be.
    async fn export(&self, cx: &ExportContext, archive: Arc<dyn Archive>) -> Result<Vec<Receipt>, ExportError>;
}

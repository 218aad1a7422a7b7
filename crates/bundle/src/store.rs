//! The store of a run: where artifacts lie until they are packed. Which of them there should be is the manifest's
//! affair.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use flate2::read::{DeflateDecoder, MultiGzDecoder};
use jiff::Timestamp;
use periscope_core::{
    ArtifactObserver, ArtifactPath, ArtifactSpec, ArtifactStream, Encoding, Observer, ReadSeek, Store, StoreError,
    Stored,
};
use periscope_redact::{Rules, redact_str};

use crate::budget::{Budget, BudgetLimits, Exhausted};
use crate::buffers::BufferPool;
use crate::gzip;
use crate::pipeline::{Kept, Pipeline, Stream, spool_error};
use crate::segment::{Extent, Segments};

/// Bytes inflated at a time when an artifact is read.
const READ_BUFFER: usize = 64 * 1024;

/// One artifact that was kept.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Its deflate stream.
    pub extent: Extent,
    /// CRC-32 of its content.
    pub crc32: u32,
    /// Its content's length in bytes.
    pub len: u64,
    /// When its source was last written, where that is known.
    pub modified: Option<Timestamp>,
}

impl Artifact {
    /// Reads its content.
    pub fn reader(&self) -> impl BufRead + use<> {
        BufReader::with_capacity(READ_BUFFER, DeflateDecoder::new(self.extent.reader()))
    }
}

/// The artifacts that were kept so far.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    artifacts: Mutex<BTreeMap<ArtifactPath, Artifact>>,
}

impl Shelf {
    pub(crate) fn put(&self, path: ArtifactPath, modified: Option<Timestamp>, kept: Kept) -> Stored {
        let len = kept.sums.len();
        let (sha256, crc32) = kept.sums.finish();
        let compressed_bytes = kept.extent.len();
        let artifact = Artifact {
            extent: kept.extent,
            crc32,
            len,
            modified,
        };
        self.artifacts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(path, artifact);
        Stored {
            raw_bytes: kept.raw_bytes,
            stored_bytes: len,
            compressed_bytes,
            sha256,
            redactions: kept.redactions,
            end: kept.end,
        }
    }
}

/// Keeps the artifacts of one run, redacted and compressed, in unlinked files on the output's disk.
pub struct SpoolStore {
    rules: Arc<Rules>,
    segments: Arc<Segments>,
    buffers: Arc<BufferPool>,
    shelf: Arc<Shelf>,
    observer: Option<Arc<dyn Observer>>,
}

impl std::fmt::Debug for SpoolStore {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SpoolStore")
            .field("shelf", &self.shelf)
            .finish_non_exhaustive()
    }
}

impl SpoolStore {
    /// A store whose files lie, unseen, in `folder`.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn new(folder: &Path, limits: BudgetLimits) -> io::Result<Self> {
        let disk: Arc<File> = Arc::new(tempfile::tempfile_in(folder)?);
        let budget = Arc::new(Budget::new(limits, disk));
        Ok(Self {
            rules: Arc::clone(Rules::shared()),
            segments: Arc::new(Segments::new(folder, budget)),
            buffers: Arc::default(),
            shelf: Arc::default(),
            observer: None,
        })
    }

    /// Shows what is kept, as it is kept, to somebody who wants to see it too.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The artifact at `path`, if it was kept.
    pub fn artifact(&self, path: &ArtifactPath) -> Option<Artifact> {
        self.shelf
            .artifacts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(path)
            .cloned()
    }

    /// The paths of what was kept, sorted.
    pub fn paths(&self) -> Vec<ArtifactPath> {
        self.shelf
            .artifacts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .cloned()
            .collect()
    }

    /// Refuses to begin another artifact when nothing is left for it. The run's own documents in the top folder are few
    /// and small, and say why the others are missing: they are always begun.
    fn check_budget(&self, path: &ArtifactPath) -> Result<(), StoreError> {
        if !path.as_str().contains('/') {
            return Ok(());
        }
        self.segments
            .budget
            .check()
            .map_err(|Exhausted { reason, by_user }| StoreError::OverBudget { reason, by_user })
    }

    fn pipeline(&self, spec: &ArtifactSpec, path: &ArtifactPath) -> Result<Pipeline, StoreError> {
        let segment = self.segments.writer().map_err(spool_error)?;
        let observer = self.observer(path);
        Ok(Pipeline::new(spec, &self.rules, segment, &self.buffers, observer))
    }

    fn observer(&self, path: &ArtifactPath) -> Option<Box<dyn ArtifactObserver>> {
        self.observer.as_ref()?.artifact(path)
    }

    fn keep(
        &self,
        spec: &ArtifactSpec,
        path: &ArtifactPath,
        source: &mut dyn ReadSeek,
        on_bytes: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Kept, StoreError> {
        match spec.encoding {
            Encoding::Identity => self.pipeline(spec, path)?.pump(source, on_bytes),
            Encoding::Gzip => {
                if spec.context == 0 {
                    let observer = self.observer(path);
                    let (rules, segments, buffers) = (&self.rules, &self.segments, &self.buffers);
                    let kept = gzip::keep_as_is(spec, rules, segments, buffers, source, on_bytes, observer)?;
                    if let Some(kept) = kept {
                        return Ok(kept);
                    }
                }
                source.seek(SeekFrom::Start(0)).map_err(|source| StoreError::Io {
                    what: "could not read the source again",
                    source,
                })?;
                let mut inflated = MultiGzDecoder::new(BufReader::new(source));
                self.pipeline(spec, path)?.pump(&mut inflated, on_bytes)
            }
        }
    }
}

impl Store for SpoolStore {
    fn open(&self, spec: &ArtifactSpec, path: &ArtifactPath) -> Result<Box<dyn ArtifactStream>, StoreError> {
        self.check_budget(path)?;
        Ok(Box::new(Stream {
            pipeline: self.pipeline(spec, path)?,
            shelf: Arc::clone(&self.shelf),
            path: path.clone(),
            modified: spec.modified_at(),
        }))
    }

    fn copy(
        &self,
        spec: &ArtifactSpec,
        path: &ArtifactPath,
        source: &mut dyn ReadSeek,
        on_bytes: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Stored, StoreError> {
        self.check_budget(path)?;
        let kept = self.keep(spec, path, source, on_bytes)?;
        Ok(self.shelf.put(path.clone(), spec.modified_at(), kept))
    }

    fn redact(&self, text: &str) -> String {
        redact_str(text).into_owned()
    }
}

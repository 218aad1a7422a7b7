//! The one way in for bytes: redact → limit → hash → deflate → spool, in this order. Limiting before redaction could
//! cut a secret in half and let the half through; hashing and compressing come after, so that both speak of what is
//! kept.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use flate2::{FlushCompress, Status};
use periscope_core::{ArtifactObserver, ArtifactSpec, ArtifactStream, Content, End, StoreError, Stored};
use periscope_redact::{ContentKind, Redactor, Rules};
use sha2::{Digest, Sha256};

use crate::buffers::{BufferPool, Buffers, CHUNK};
use crate::segment::{Extent, SegmentWriter};
use crate::store::Shelf;

/// What the redactor calls the kinds of content.
pub(crate) fn kind_of(content: Content) -> ContentKind {
    match content {
        Content::Text => ContentKind::Text,
        Content::CriLog => ContentKind::CriLog,
        Content::DockerLog => ContentKind::DockerLog,
        Content::Json => ContentKind::Json,
        Content::Yaml => ContentKind::Yaml,
        Content::Binary => ContentKind::Binary,
    }
}

/// Checksums of what is kept: both are needed, CRC-32 by the archive formats and SHA-256 by whoever doubts them.
#[derive(Clone, Default)]
pub(crate) struct Sums {
    sha256: Sha256,
    crc32: crc32fast::Hasher,
    len: u64,
}

impl Sums {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.crc32.update(bytes);
        self.len += bytes.len() as u64;
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The checksum of what came so far.
    pub(crate) fn crc32(&self) -> u32 {
        self.crc32.clone().finalize()
    }

    pub(crate) fn finish(self) -> (String, u32) {
        let digest = self.sha256.finalize();
        let mut hex = String::with_capacity(64);
        for byte in digest {
            for nibble in [byte >> 4, byte & 15] {
                hex.extend(char::from_digit(u32::from(nibble), 16));
            }
        }
        (hex, self.crc32.finalize())
    }
}

/// Bytes that were kept, before the shelf knows of them.
pub(crate) struct Kept {
    pub(crate) extent: Extent,
    pub(crate) sums: Sums,
    pub(crate) raw_bytes: u64,
    pub(crate) redactions: BTreeMap<String, u64>,
    pub(crate) end: End,
}

/// One artifact on its way in.
pub(crate) struct Pipeline {
    redactor: Redactor,
    buffers: Buffers,
    pool: Arc<BufferPool>,
    raw_bytes: u64,
    limit: u64,
    lines: bool,
    sums: Sums,
    segment: SegmentWriter,
    observer: Option<Box<dyn ArtifactObserver>>,
    end: End,
}

impl Pipeline {
    pub(crate) fn new(
        spec: &ArtifactSpec,
        rules: &Arc<Rules>,
        segment: SegmentWriter,
        pool: &Arc<BufferPool>,
        observer: Option<Box<dyn ArtifactObserver>>,
    ) -> Self {
        Self {
            redactor: Redactor::new(rules, kind_of(spec.content)).discard_before(spec.context),
            buffers: pool.take(),
            pool: Arc::clone(pool),
            raw_bytes: 0,
            limit: spec.limit.bytes,
            lines: !matches!(spec.content, Content::Binary),
            sums: Sums::default(),
            segment,
            observer,
            end: End::Source,
        }
    }

    /// Takes all that `source` has. One that breaks off keeps what came before.
    pub(crate) fn pump(
        mut self,
        source: &mut dyn Read,
        on_bytes: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Kept, StoreError> {
        self.buffers.raw.resize(CHUNK, 0);
        let end = loop {
            let read = match source.read(&mut self.buffers.raw) {
                Ok(0) => break End::Source,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => break End::Error(error),
            };
            let raw = std::mem::take(&mut self.buffers.raw);
            let pushed = self.push(raw.get(..read).unwrap_or_default());
            self.buffers.raw = raw;
            if pushed?.is_break() {
                break End::Source;
            }
            if on_bytes(read as u64).is_break() {
                break End::Stopped;
            }
        };
        self.finish(end)
    }

    /// Takes bytes; `Break` when nothing further will be kept.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<ControlFlow<()>, StoreError> {
        if !matches!(self.end, End::Source) {
            return Ok(ControlFlow::Break(()));
        }
        self.raw_bytes += bytes.len() as u64;
        self.redactor
            .push(bytes, &mut self.buffers.clean)
            .map_err(|error| StoreError::Withheld(error.to_string()))?;
        self.keep_clean().map_err(spool_error)?;
        Ok(if matches!(self.end, End::Source) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    }

    /// Ends the artifact; `why` says what ended its source.
    pub(crate) fn finish(mut self, why: End) -> Result<Kept, StoreError> {
        if matches!(self.end, End::Source) {
            self.redactor
                .finish(&mut self.buffers.clean)
                .map_err(|error| StoreError::Withheld(error.to_string()))?;
            self.keep_clean().map_err(spool_error)?;
        }
        self.end_deflate().map_err(spool_error)?;
        let end = if matches!(self.end, End::Source) { why } else { self.end };
        let redactions = counts(&self.redactor);
        let extent = self.segment.finish().map_err(spool_error)?;
        self.pool.give_back(self.buffers);
        if let Some(observer) = self.observer {
            observer.finish();
        }
        Ok(Kept {
            extent,
            sums: self.sums,
            raw_bytes: self.raw_bytes,
            redactions,
            end,
        })
    }

    fn keep_clean(&mut self) -> io::Result<()> {
        let room = self.limit - self.sums.len();
        let mut keep = self.buffers.clean.as_slice();
        if keep.len() as u64 > room {
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            keep = keep.get(..room).unwrap_or(keep);
            if self.lines {
                // A line that is cut could be taken for a whole one.
                let whole = memchr::memrchr(b'\n', keep).map_or(0, |at| at + 1);
                keep = keep.get(..whole).unwrap_or(keep);
            }
            self.end = End::Limit;
        }
        self.sums.update(keep);
        if let Some(observer) = &mut self.observer {
            observer.push(keep);
        }
        self.segment.add_content(keep.len() as u64);
        while !keep.is_empty() {
            let deflate = &mut self.buffers.deflate;
            let before = deflate.total_in();
            deflate.compress_vec(keep, self.segment.room()?, FlushCompress::None)?;
            let taken = usize::try_from(deflate.total_in() - before).unwrap_or(usize::MAX);
            keep = keep.get(taken..).unwrap_or_default();
        }
        self.buffers.clean.clear();
        if let Some(exhausted) = self.segment.exhausted()
            && matches!(self.end, End::Source)
        {
            self.end = End::Budget {
                reason: exhausted.reason.clone(),
                by_user: exhausted.by_user,
            };
        }
        Ok(())
    }

    fn end_deflate(&mut self) -> io::Result<()> {
        let deflate = &mut self.buffers.deflate;
        while deflate.compress_vec(&[], self.segment.room()?, FlushCompress::Finish)? != Status::StreamEnd {}
        Ok(())
    }
}

/// The redactor's hits in the form of the manifest.
pub(crate) fn counts(redactor: &Redactor) -> BTreeMap<String, u64> {
    redactor
        .counts()
        .iter()
        .map(|(rule, hits)| (rule.to_owned(), hits))
        .collect()
}

/// What a failure to write the spool means: a full disk is a budget that is used up.
pub(crate) fn spool_error(error: io::Error) -> StoreError {
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return StoreError::OverBudget {
            reason: "the output's disk is full".to_owned(),
            by_user: false,
        };
    }
    StoreError::Io {
        what: "could not write the spool",
        source: error,
    }
}

/// A [`Pipeline`] whose bytes come piece by piece, and that ends on the shelf.
pub(crate) struct Stream {
    pub(crate) pipeline: Pipeline,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) path: periscope_core::ArtifactPath,
    pub(crate) modified: Option<jiff::Timestamp>,
}

impl ArtifactStream for Stream {
    fn write(&mut self, bytes: &[u8]) -> Result<ControlFlow<()>, StoreError> {
        self.pipeline.push(bytes)
    }

    fn finish(self: Box<Self>) -> Result<Stored, StoreError> {
        let kept = self.pipeline.finish(End::Source)?;
        Ok(self.shelf.put(self.path, self.modified, kept))
    }
}

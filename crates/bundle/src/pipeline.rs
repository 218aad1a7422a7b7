//! The one way in for bytes: redact → limit → hash → deflate → spool, in this order. Limiting before redaction could
//! cut a secret in half and let the half through; hashing and compressing come after, so that both speak of what is
//! kept.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use periscope_core::{ArtifactSpec, ArtifactStream, Content, End, StoreError, Stored};
use periscope_redact::{ContentKind, Redactor, Rules};
use sha2::{Digest, Sha256};

use crate::segment::{Extent, SegmentWriter};
use crate::store::Shelf;

/// The level at which `zlib-rs` gives almost the size of `gzip -6` for half of its time (docs/design/spool.md).
const LEVEL: u32 = 3;

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
    clean: Vec<u8>,
    raw_bytes: u64,
    limit: u64,
    lines: bool,
    sums: Sums,
    deflate: DeflateEncoder<SegmentWriter>,
    end: End,
}

impl Pipeline {
    pub(crate) fn new(spec: &ArtifactSpec, rules: &Arc<Rules>, segment: SegmentWriter) -> Self {
        Self {
            redactor: Redactor::new(rules, kind_of(spec.content)).discard_before(spec.context),
            clean: Vec::new(),
            raw_bytes: 0,
            limit: spec.limit.bytes,
            lines: !matches!(spec.content, Content::Binary),
            sums: Sums::default(),
            deflate: DeflateEncoder::new(segment, Compression::new(LEVEL)),
            end: End::Source,
        }
    }

    /// Takes bytes; `Break` when nothing further will be kept.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<ControlFlow<()>, StoreError> {
        if !matches!(self.end, End::Source) {
            return Ok(ControlFlow::Break(()));
        }
        self.raw_bytes += bytes.len() as u64;
        self.redactor
            .push(bytes, &mut self.clean)
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
                .finish(&mut self.clean)
                .map_err(|error| StoreError::Withheld(error.to_string()))?;
            self.keep_clean().map_err(spool_error)?;
        }
        let end = if matches!(self.end, End::Source) { why } else { self.end };
        let redactions = counts(&self.redactor);
        let extent = self
            .deflate
            .finish()
            .and_then(SegmentWriter::finish)
            .map_err(spool_error)?;
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
        let mut keep = self.clean.as_slice();
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
        self.deflate.get_mut().add_content(keep.len() as u64);
        self.deflate.write_all(keep)?;
        self.clean.clear();
        if let Some(exhausted) = self.deflate.get_ref().exhausted()
            && matches!(self.end, End::Source)
        {
            self.end = End::Budget {
                reason: exhausted.reason.clone(),
                by_user: exhausted.by_user,
            };
        }
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

//! A store that keeps artifacts in memory, as they are written: nothing is redacted, compressed or limited but by their
//! own limit.

use std::collections::BTreeMap;
use std::io::{Read, SeekFrom};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use periscope_core::{ArtifactPath, ArtifactSpec, ArtifactStream, End, ReadSeek, Store, StoreError, Stored};

/// Bytes read from a source at a time.
const CHUNK: usize = 16 * 1024;

type Shelf = Arc<Mutex<BTreeMap<ArtifactPath, Vec<u8>>>>;

/// Keeps artifacts in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    shelf: Shelf,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The content of an artifact that was kept.
    pub fn content(&self, path: &ArtifactPath) -> Option<Vec<u8>> {
        self.shelf
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(path)
            .cloned()
    }
}

struct MemoryStream {
    shelf: Shelf,
    path: ArtifactPath,
    limit: usize,
    content: Vec<u8>,
    raw_bytes: u64,
    end: End,
}

impl ArtifactStream for MemoryStream {
    fn write(&mut self, bytes: &[u8]) -> Result<ControlFlow<()>, StoreError> {
        self.raw_bytes += bytes.len() as u64;
        self.content.extend_from_slice(bytes);
        if self.content.len() <= self.limit {
            return Ok(ControlFlow::Continue(()));
        }
        self.content.truncate(self.limit);
        self.end = End::Limit;
        Ok(ControlFlow::Break(()))
    }

    fn finish(self: Box<Self>) -> Result<Stored, StoreError> {
        let stored = Stored {
            raw_bytes: self.raw_bytes,
            stored_bytes: self.content.len() as u64,
            compressed_bytes: self.content.len() as u64,
            sha256: String::new(),
            redactions: BTreeMap::new(),
            end: self.end,
        };
        self.shelf
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(self.path, self.content);
        Ok(stored)
    }
}

impl Store for MemoryStore {
    fn open(&self, spec: &ArtifactSpec, path: &ArtifactPath) -> Result<Box<dyn ArtifactStream>, StoreError> {
        Ok(Box::new(MemoryStream {
            shelf: Arc::clone(&self.shelf),
            path: path.clone(),
            limit: usize::try_from(spec.limit.bytes).unwrap_or(usize::MAX),
            content: Vec::new(),
            raw_bytes: 0,
            end: End::Source,
        }))
    }

    fn copy(
        &self,
        spec: &ArtifactSpec,
        path: &ArtifactPath,
        source: &mut dyn ReadSeek,
        on_bytes: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Stored, StoreError> {
        let failed = |source| StoreError::Io {
            what: "could not read the source",
            source,
        };
        // What is shown to the redactor only is nothing to a store that has none.
        let context = i64::try_from(spec.context).unwrap_or(i64::MAX);
        source.seek(SeekFrom::Current(context)).map_err(failed)?;
        let mut stream = self.open(spec, path)?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = Read::read(source, &mut chunk).map_err(failed)?;
            if read == 0 || on_bytes(read as u64).is_break() || stream.write(&chunk[..read])?.is_break() {
                return stream.finish();
            }
        }
    }

    fn redact(&self, text: &str) -> String {
        text.to_owned()
    }
}

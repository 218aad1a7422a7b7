//! The ring as its one writer has it. Blocks wherever it touches the disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::file::RingFile;
use crate::layout::{Image, Write};
use crate::recorder::Recorder;
use crate::target::{Sample, Target};

/// What the file is called, in the agent's own folder.
pub const FILE_NAME: &str = "connectivity.ring";

/// A ring that could not be had.
#[derive(Debug, thiserror::Error)]
#[error("the ring of samples {} cannot be used", path.display())]
pub struct RingError {
    path: PathBuf,
    source: io::Error,
}

/// The samples of a node, on its disk; of many samples alike only when they began and ended.
pub struct Ring {
    pub(crate) recorder: Recorder,
    pub(crate) file: Arc<RingFile>,
    path: PathBuf,
}

impl Ring {
    /// Opens the ring in `folder`, or makes one there, and goes on where it ended. Samples are of these targets, by
    /// their places. A ring that cannot be understood gives way to an empty one. Blocks.
    pub fn open(folder: &Path, targets: &[Target]) -> Result<Self, RingError> {
        let path = folder.join(FILE_NAME);
        let failed = |source| RingError {
            path: path.clone(),
            source,
        };
        let file = RingFile::open(folder, FILE_NAME).map_err(failed)?;
        let content = file.load().map_err(failed)?;
        let (recorder, writes) = Recorder::restore(Image::parse(&content).ok(), targets);
        let ring = Self {
            recorder,
            file: Arc::new(file),
            path,
        };
        ring.write(&writes)?;
        Ok(ring)
    }

    /// Adds a sample of the target in place `index`, and writes when something changed. Blocks.
    pub fn record(&mut self, index: usize, sample: &Sample) -> Result<(), RingError> {
        let writes = self.recorder.record(index, sample);
        self.write(&writes)
    }

    /// Writes what has grown longer. Blocks.
    pub fn flush(&mut self) -> Result<(), RingError> {
        let write = self.recorder.beat();
        self.write(write.as_slice())
    }

    fn write(&self, writes: &[Write]) -> Result<(), RingError> {
        let written = writes.iter().try_for_each(|write| self.file.write(write));
        written.map_err(|source| RingError {
            path: self.path.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests;

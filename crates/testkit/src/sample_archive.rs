//! An archive of any size that is made while it is written, so that no test holds it.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use periscope_core::{Archive, Format, LooseFile, NodeName, RunId};

/// The size of one write: about what comes out of a spool file at once.
const PIECE: usize = 64 * 1024;

/// An archive of noise: as its packed forms, [`SampleArchive::bytes`] bytes that follow from its seed.
pub struct SampleArchive {
    run_id: RunId,
    node: NodeName,
    /// What decides the bytes.
    pub seed: u64,
    /// How many there are.
    pub bytes: u64,
    /// The files beside it.
    pub loose: Vec<LooseFile>,
    /// Where writing it fails, if it does.
    pub fails_after: Option<(u64, io::ErrorKind)>,
    /// How many bytes were taken from it so far.
    pub taken: AtomicU64,
}

impl SampleArchive {
    /// The archive of node `node-1` in run `run-1`, with the loose file `manifest.json`.
    ///
    /// # Panics
    /// Never.
    pub fn new(seed: u64, bytes: u64) -> Self {
        Self {
            run_id: "run-1".parse().expect("it is a valid run id"),
            node: "node-1".parse().expect("it is a valid node name"),
            seed,
            bytes,
            loose: vec![LooseFile {
                name: "manifest.json".to_owned(),
                bytes: b"{}".to_vec(),
            }],
            fails_after: None,
            taken: AtomicU64::new(0),
        }
    }

    /// What its packed forms hold. Held whole: only for small ones.
    ///
    /// # Panics
    /// When it is one that fails.
    pub fn packed(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write_to(Format::TarGz, &mut bytes)
            .expect("a vector takes everything");
        bytes
    }
}

impl Archive for SampleArchive {
    fn run_id(&self) -> &RunId {
        &self.run_id
    }

    fn node(&self) -> &NodeName {
        &self.node
    }

    fn formats(&self) -> Vec<Format> {
        vec![Format::TarGz, Format::Zip]
    }

    fn write_to(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        // xorshift64, which does not get away from 0.
        let mut state = self.seed | 1;
        let mut piece = vec![0; PIECE];
        let mut left = self.bytes;
        while left > 0 {
            for word in piece.chunks_exact_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                word.copy_from_slice(&state.to_le_bytes());
            }
            if let Some((_, kind)) = self.fails_after.filter(|(sound, _)| self.bytes - left >= *sound) {
                return Err(kind.into());
            }
            let size = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            out.write_all(&piece[..size])?;
            self.taken.fetch_add(size as u64, Ordering::Relaxed);
            left -= size as u64;
        }
        Ok(())
    }

    fn unpack_to(&self, folder: &Path) -> io::Result<()> {
        if let Some((_, kind)) = self.fails_after {
            return Err(kind.into());
        }
        fs::create_dir(folder.join("logs"))?;
        fs::write(folder.join("logs/a.log"), self.seed.to_string())
    }

    fn loose_files(&self) -> Vec<LooseFile> {
        self.loose.clone()
    }
}

//! What one run brought out of one node, ready to be written in any format.

use std::io::{self, Read, Write};
use std::path::Path;

use flate2::read::DeflateDecoder;
use jiff::Timestamp;
use periscope_core::{Archive, ArtifactPath, Format, LooseFile, NodeName, RunId};

use super::entry::Entry;
use super::{tar_gz, unpack, zip};

/// Largest file that is worth a blob of its own beside the archive.
const MAX_LOOSE: u64 = 16 * 1024 * 1024;

/// One node's archive. Its content lies in the spool until it is written.
#[derive(Debug)]
pub struct NodeArchive {
    run_id: RunId,
    node: NodeName,
    started: Timestamp,
    entries: Vec<Entry>,
    loose: Vec<ArtifactPath>,
    formats: Vec<Format>,
}

impl NodeArchive {
    /// An archive of these entries. `loose` names the ones that also stand beside it; `formats` are the packed formats
    /// that exporters are to use, the preferred one first.
    pub fn new(
        run_id: RunId,
        node: NodeName,
        started: Timestamp,
        mut entries: Vec<Entry>,
        loose: Vec<ArtifactPath>,
        formats: Vec<Format>,
    ) -> Self {
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Self {
            run_id,
            node,
            started,
            entries,
            loose,
            formats,
        }
    }

    /// The one folder in which everything stands.
    fn top(&self) -> String {
        format!("{}_{}", self.run_id, self.node)
    }
}

impl Archive for NodeArchive {
    fn run_id(&self) -> &RunId {
        &self.run_id
    }

    fn node(&self) -> &NodeName {
        &self.node
    }

    fn formats(&self) -> Vec<Format> {
        self.formats.clone()
    }

    fn write_to(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::TarGz => {
                let started = u64::try_from(self.started.as_second()).unwrap_or(0);
                tar_gz::write(&self.top(), &self.entries, started, out)
            }
            Format::Zip => zip::write(&self.top(), &self.entries, self.started, out),
            Format::Unpacked => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a folder is not one stream of bytes",
            )),
        }
    }

    fn unpack_to(&self, folder: &Path) -> io::Result<()> {
        unpack::write(&self.entries, folder)
    }

    fn loose_files(&self) -> Vec<LooseFile> {
        let wanted = self
            .loose
            .iter()
            .filter_map(|path| self.entries.iter().find(|entry| entry.path == *path));
        wanted
            .filter(|entry| entry.len <= MAX_LOOSE)
            .filter_map(|entry| {
                let mut bytes = Vec::new();
                DeflateDecoder::new(entry.source.reader().take(MAX_LOOSE))
                    .read_to_end(&mut bytes)
                    .ok()?;
                let name = entry.path.as_str().rsplit('/').next().unwrap_or_default().to_owned();
                Some(LooseFile { name, bytes })
            })
            .collect()
    }
}

//! A gzip file read through, member after member, with a note of where each begins: there reading can start again.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use flate2::bufread::GzDecoder;

use super::content::Slice;

/// Bytes of the file read at a time.
const READ_BUFFER: usize = 128 * 1024;
/// Most places that are noted; of a file with more members, those at the beginning.
const MAX_STARTS: usize = 1_000_000;

/// Where a member begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// In the file.
    pub(super) compressed: u64,
    /// In what comes out.
    pub(super) content: u64,
}

/// The content of a gzip file.
pub(super) struct Members {
    member: Option<GzDecoder<BufReader<Slice>>>,
    content: u64,
    starts: Vec<Start>,
}

impl Members {
    /// Begins at a member's start.
    pub(super) fn new(file: &Arc<File>, len: u64, start: Start) -> Self {
        let slice = Slice::new(file, start.compressed, len.saturating_sub(start.compressed));
        Self {
            member: Some(GzDecoder::new(BufReader::with_capacity(READ_BUFFER, slice))),
            content: start.content,
            starts: vec![start],
        }
    }

    /// The members that were begun so far.
    pub(super) fn into_starts(self) -> Vec<Start> {
        self.starts
    }

    /// Goes on with the next member. Returns whether there is one.
    fn next(&mut self) -> io::Result<bool> {
        let Some(ended) = self.member.take() else {
            return Ok(false);
        };
        let mut rest = ended.into_inner();
        // What is no member behind the last one is nothing, as for gzip(1): a tape's padding, for example.
        if !rest.fill_buf()?.starts_with(&[0x1f]) {
            return Ok(false);
        }
        let compressed = rest.get_ref().position() - rest.buffer().len() as u64;
        if self.starts.len() < MAX_STARTS {
            self.starts.push(Start {
                compressed,
                content: self.content,
            });
        }
        self.member = Some(GzDecoder::new(rest));
        Ok(true)
    }
}

impl Read for Members {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match &mut self.member {
                Some(member) => member.read(buffer)?,
                None => return Ok(0),
            };
            self.content += read as u64;
            if read > 0 || buffer.is_empty() || !self.next()? {
                return Ok(read);
            }
        }
    }
}

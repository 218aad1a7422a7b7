//! Cuts what a blocking writer writes into blocks for an async reader; it does not know what the blocks are for.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// The size of a block: the service puts at most 50,000 into one blob, which makes 195 GiB.
pub(super) const BLOCK: usize = 4 * 1024 * 1024;

/// Blocks that wait between the writer and the reader: one is enough for the writer to fill the next meanwhile.
const WAITING: usize = 1;

/// A writer and the reader of its blocks.
pub(super) fn blocks() -> (BlockWriter, Receiver<Bytes>) {
    let (full, blocks) = channel(WAITING);
    (
        BlockWriter {
            block: BytesMut::new(),
            full,
        },
        blocks,
    )
}

/// Fills blocks, one at a time. What is written last arrives with [`BlockWriter::finish`].
pub(super) struct BlockWriter {
    block: BytesMut,
    full: Sender<Bytes>,
}

impl BlockWriter {
    /// Hands over the last block.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.block.is_empty() {
            Ok(())
        } else {
            self.hand_over()
        }
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let block = self.block.split().freeze();
        self.full
            .blocking_send(block)
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for BlockWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.block.is_empty() {
            self.block = BytesMut::with_capacity(BLOCK);
        }
        let taken = bytes.get(..BLOCK - self.block.len()).unwrap_or(bytes);
        self.block.extend_from_slice(taken);
        if self.block.len() == BLOCK {
            self.hand_over()?;
        }
        Ok(taken.len())
    }

    /// Does nothing: a short block would only cost a request.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use periscope_core::{Archive as _, Format};
    use periscope_testkit::SampleArchive;
    use proptest::prelude::{ProptestConfig, proptest};

    use super::{BLOCK, blocks};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn blocks_are_full_but_the_last_and_make_up_what_was_written(bytes in 0..3 * BLOCK as u64, seed: u64) {
            let archive = SampleArchive::new(seed, bytes);
            let (mut writer, mut reader) = blocks();
            let mut read = Vec::new();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    archive.write_to(Format::Zip, &mut writer).unwrap();
                    writer.finish().unwrap();
                });
                while let Some(block) = reader.blocking_recv() {
                    assert!(!block.is_empty());
                    assert_eq!(read.len() % BLOCK, 0, "a short block came before the last");
                    read.extend_from_slice(&block);
                }
            });
            assert!(read == archive.packed());
        }
    }

    #[test]
    fn a_writer_without_a_reader_stops() {
        let (mut writer, reader) = blocks();
        drop(reader);
        assert!(writer.write_all(&vec![0; BLOCK]).is_err());
    }
}

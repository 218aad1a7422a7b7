//! Inflates compressed payloads within bounds of memory; does not know what they mean.
//!
//! Formats: ZSTD is one frame; LZ4 is the length (64 bits, little-endian) and one raw block; XZ is an `.xz` stream.

use std::io::{self, Read};

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use xz4rust::XzDecoder;

use crate::layout::le64;

/// An LZ4 block can only be inflated whole, so this is the longest that is inflated at all.
const MAX_LZ4: usize = 4 * 1024 * 1024;

/// The largest window (ZSTD) or dictionary (XZ) accepted; journald's own settings need 2 and 8 MiB.
const MAX_HISTORY: usize = 8 * 1024 * 1024;

/// A decoder keeps its history; beyond this it is made anew, so that one large payload does not cost memory for ever.
const KEPT_FRAME: usize = 256 * 1024;

/// Dictionary that an XZ decoder starts with; it grows to what the stream asks for.
const XZ_INITIAL: usize = 64 * 1024;

const FLAG_XZ: u8 = 1;
const FLAG_LZ4: u8 = 2;
const FLAG_ZSTD: u8 = 4;

/// The payload is damaged, too large, or compressed in an unknown way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Unreadable;

/// Whether the flags of an object say that its payload is compressed.
pub(crate) const fn is_compressed(flags: u8) -> bool {
    flags & (FLAG_XZ | FLAG_LZ4 | FLAG_ZSTD) != 0
}

/// Inflates payloads one after another.
#[derive(Default)]
pub(crate) struct Decompressor {
    zstd: FrameDecoder,
}

impl std::fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decompressor").finish_non_exhaustive()
    }
}

impl Decompressor {
    /// Replaces `out` by at most `limit` bytes of what `input` inflates to; true when there was more.
    pub(crate) fn inflate(
        &mut self,
        flags: u8,
        input: &[u8],
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, Unreadable> {
        out.clear();
        match flags & (FLAG_XZ | FLAG_LZ4 | FLAG_ZSTD) {
            FLAG_ZSTD => {
                self.zstd.set_max_window_size(MAX_HISTORY as u64);
                let frame = StreamingDecoder::new_with_decoder(input, &mut self.zstd).map_err(|_| Unreadable)?;
                let taken = take(frame, limit, out);
                if out.len() > KEPT_FRAME {
                    self.zstd = FrameDecoder::default();
                }
                taken
            }
            FLAG_XZ => {
                let decoder = XzDecoder::in_heap_with_alloc_dict_size(XZ_INITIAL, MAX_HISTORY);
                take(
                    Xz {
                        decoder: Some(decoder),
                        input,
                    },
                    limit,
                    out,
                )
            }
            FLAG_LZ4 => lz4(input, limit, out),
            _ => Err(Unreadable),
        }
    }
}

/// An `.xz` stream in memory. The reader of the crate itself only takes what lives for ever.
struct Xz<'a> {
    /// Gone at the end of the stream.
    decoder: Option<Box<XzDecoder<'static>>>,
    input: &'a [u8],
}

impl Read for Xz<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder
            && !buf.is_empty()
        {
            let step = decoder.decode(self.input, buf).map_err(io::Error::other)?;
            self.input = self.input.get(step.input_consumed()..).unwrap_or_default();
            if step.is_end_of_stream() {
                self.decoder = None;
            } else if !step.made_progress() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if step.output_produced() > 0 {
                return Ok(step.output_produced());
            }
        }
        Ok(0)
    }
}

/// Reads up to the limit. A stream that breaks off after some bytes was cut, by damage or by our own bound of input;
/// what came before is still worth having.
fn take(stream: impl Read, limit: usize, out: &mut Vec<u8>) -> Result<bool, Unreadable> {
    let broken = stream.take(limit as u64 + 1).read_to_end(out).is_err();
    if broken && out.is_empty() {
        return Err(Unreadable);
    }
    let more = broken || out.len() > limit;
    out.truncate(limit);
    Ok(more)
}

fn lz4(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<bool, Unreadable> {
    let size = usize::try_from(le64(input, 0))
        .ok()
        .filter(|size| (1..=MAX_LZ4).contains(size))
        .ok_or(Unreadable)?;
    let block = input.get(8..).ok_or(Unreadable)?;
    out.resize(size, 0);
    let written = lz4_flex::block::decompress_into(block, out).map_err(|_| Unreadable)?;
    out.truncate(written.min(limit));
    Ok(written > limit)
}

//! Sources that are gzip streams already, as a kubelet leaves rotated logs. They are inflated and looked at like
//! everything else; where nothing had to be redacted, their own deflate stream is kept instead of making a new one.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, SeekFrom};
use std::ops::ControlFlow;
use std::sync::Arc;

use flate2::{FlushDecompress, Status};
use periscope_core::{ArtifactObserver, ArtifactSpec, End, ReadSeek, StoreError};
use periscope_redact::{Redactor, Rules};
use sha2::{Digest, Sha256};

use crate::buffers::{BufferPool, Buffers, CHUNK};
use crate::pipeline::{Kept, Sums, kind_of, spool_error};
use crate::segment::Segments;

/// Compressed bytes read at a time.
const COMPRESSED: usize = 16 * 1024;
/// The fixed part of a gzip member's header (RFC 1952, section 2.3).
const HEADER: usize = 10;
/// CRC-32 and length behind the deflate stream (RFC 1952, section 2.3).
const TRAILER: u64 = 8;
/// Longest header that is accepted: file name and comment are of no use here.
const MAX_HEADER: u64 = 64 * 1024;

const FLAG_CRC: u8 = 2;
const FLAG_EXTRA: u8 = 4;
const FLAG_NAME: u8 = 8;
const FLAG_COMMENT: u8 = 16;

/// What a look through the whole source found, when its deflate stream can be kept as it is.
struct Clean {
    data_start: u64,
    data_len: u64,
    compressed: [u8; 32],
    sums: Sums,
}

/// Keeps the source's own deflate stream. `None` when that cannot be: something has to be redacted or cut, or it is not
/// exactly one whole gzip member. Then nothing is kept, and the source has to be taken the ordinary way.
///
/// Two passes, so that nothing is written before all of it was looked at. Whoever can write to the file could change it
/// between them: what is copied is what was looked at only if both passes saw the same bytes.
pub(crate) fn keep_as_is(
    spec: &ArtifactSpec,
    rules: &Arc<Rules>,
    segments: &Arc<Segments>,
    pool: &BufferPool,
    source: &mut dyn ReadSeek,
    on_bytes: &mut dyn FnMut(u64) -> ControlFlow<()>,
    mut observer: Option<Box<dyn ArtifactObserver>>,
) -> Result<Option<Kept>, StoreError> {
    let mut buffers = pool.take();
    let clean = look_through(spec, rules, &mut buffers, source, on_bytes, &mut observer);
    pool.give_back(buffers);
    // A source that cannot be read is the ordinary way's to report.
    let Ok(Some(clean)) = clean else {
        return Ok(None);
    };
    let mut segment = segments.writer().map_err(spool_error)?;
    segment.add_content(clean.sums.len());
    let mut hash = Sha256::new();
    let copied = (|| {
        source.seek(SeekFrom::Start(0))?;
        let mut source = HashingReader {
            source,
            hash: &mut hash,
        };
        skip(&mut source, clean.data_start)?;
        io::copy(&mut source.by_ref().take(clean.data_len), &mut segment)?;
        skip(&mut source, TRAILER)
    })();
    if copied.is_err() || <[u8; 32]>::from(hash.finalize()) != clean.compressed || segment.exhausted().is_some() {
        return Ok(None);
    }
    let raw_bytes = clean.sums.len();
    let extent = segment.finish().map_err(spool_error)?;
    if let Some(observer) = observer {
        observer.finish();
    }
    Ok(Some(Kept {
        extent,
        sums: clean.sums,
        raw_bytes,
        redactions: BTreeMap::new(),
        end: End::Source,
    }))
}

fn skip(source: &mut impl Read, bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut source.take(bytes), &mut io::sink())?;
    if skipped == bytes {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

struct HashingReader<'a> {
    source: &'a mut dyn ReadSeek,
    hash: &'a mut Sha256,
}

impl Read for HashingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// Inflates and redacts the whole source without keeping anything.
fn look_through(
    spec: &ArtifactSpec,
    rules: &Arc<Rules>,
    buffers: &mut Buffers,
    source: &mut dyn ReadSeek,
    on_bytes: &mut dyn FnMut(u64) -> ControlFlow<()>,
    observer: &mut Option<Box<dyn ArtifactObserver>>,
) -> io::Result<Option<Clean>> {
    let Buffers {
        inflate,
        raw: inflated,
        clean: redacted,
        ..
    } = buffers;
    inflated.resize(CHUNK, 0);
    let mut hash = Sha256::new();
    let mut reader = BufReader::with_capacity(
        COMPRESSED,
        HashingReader {
            source,
            hash: &mut hash,
        },
    );
    let Some(data_start) = read_header(&mut reader)? else {
        return Ok(None);
    };
    let mut redactor = Redactor::new(rules, kind_of(spec.content));
    let mut sums = Sums::default();
    loop {
        let input = reader.fill_buf()?;
        let (taken, made) = (inflate.total_in(), inflate.total_out());
        let Ok(status) = inflate.decompress(input, inflated, FlushDecompress::None) else {
            return Ok(None);
        };
        let taken = usize::try_from(inflate.total_in() - taken).unwrap_or(usize::MAX);
        let made = usize::try_from(inflate.total_out() - made).unwrap_or(usize::MAX);
        if taken == 0 && made == 0 && status != Status::StreamEnd {
            return Ok(None);
        }
        reader.consume(taken);
        let bytes = inflated.get(..made).unwrap_or_default();
        if redactor.push(bytes, redacted).is_err() || on_bytes(made as u64).is_break() {
            return Ok(None);
        }
        let ended = status == Status::StreamEnd;
        if ended && redactor.finish(redacted).is_err() {
            return Ok(None);
        }
        sums.update(redacted);
        if let Some(observer) = observer {
            observer.push(redacted);
        }
        redacted.clear();
        if redactor.counts().total() > 0 || sums.len() > spec.limit.bytes {
            return Ok(None);
        }
        if ended {
            break;
        }
    }
    let mut trailer = [0; 8];
    reader.read_exact(&mut trailer)?;
    let [c0, c1, c2, c3, l0, l1, l2, l3] = trailer;
    // Of what the redactor gave out: it gave out what went in.
    let same_crc = u32::from_le_bytes([c0, c1, c2, c3]) == sums.crc32();
    let same_len = u64::from(u32::from_le_bytes([l0, l1, l2, l3])) == inflate.total_out() & u64::from(u32::MAX);
    let is_last = reader.fill_buf()?.is_empty();
    let unchanged = sums.len() == inflate.total_out();
    let data_len = inflate.total_in();
    drop(reader);
    let whole = same_crc && same_len && is_last && unchanged;
    Ok(whole.then(|| Clean {
        data_start,
        data_len,
        compressed: hash.finalize().into(),
        sums,
    }))
}

/// Reads a member's header. Returns its length; `None` when it is not a gzip header.
fn read_header(reader: &mut impl BufRead) -> io::Result<Option<u64>> {
    let mut fixed = [0; HEADER];
    reader.read_exact(&mut fixed)?;
    let [0x1f, 0x8b, 8, flags, ..] = fixed else {
        return Ok(None);
    };
    let mut len = HEADER as u64;
    if flags & FLAG_EXTRA != 0 {
        let mut size = [0; 2];
        reader.read_exact(&mut size)?;
        let size = u64::from(u16::from_le_bytes(size));
        skip(reader, size)?;
        len += 2 + size;
    }
    for flag in [FLAG_NAME, FLAG_COMMENT] {
        if flags & flag != 0 {
            len += skip_text(reader)?;
        }
    }
    if flags & FLAG_CRC != 0 {
        skip(reader, 2)?;
        len += 2;
    }
    Ok(Some(len))
}

/// Reads up to and with the next zero byte.
fn skip_text(reader: &mut impl BufRead) -> io::Result<u64> {
    let mut text = Vec::new();
    reader.take(MAX_HEADER).read_until(0, &mut text)?;
    if text.last() == Some(&0) {
        Ok(text.len() as u64)
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

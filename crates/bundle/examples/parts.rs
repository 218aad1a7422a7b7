//! How long each part of the pipeline takes alone, on two threads: the limit that the whole cannot pass. It reads the
//! log files that it is given, plain or gzipped, as often as there are parts, and prints a line for each part: name,
//! bytes that went in, bytes that came out, seconds.
#![expect(clippy::disallowed_methods, reason = "a file of our own making")]
#![expect(clippy::print_stdout, reason = "what it prints is its result")]

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::DeflateEncoder;
use periscope_redact::{ContentKind, Redactor, Rules};
use sha2::{Digest, Sha256};

/// The cores that the whole is measured on.
const THREADS: usize = 2;
/// As the store reads.
const CHUNK: usize = 128 * 1024;

/// Takes a file; returns the bytes that went in, and those that came out where that is of interest.
type Part = fn(&Path) -> io::Result<(u64, u64)>;

fn main() -> io::Result<()> {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (gzipped, plain): (Vec<_>, Vec<_>) = files.iter().cloned().partition(|path| is_gzip(path));
    run("read the files", &files, |path| {
        Ok((each_chunk(&mut File::open(path)?, |_| Ok(()))?, 0))
    })?;
    run("inflate the gzipped files", &gzipped, |path| {
        Ok((each_line_chunk(path, |_| Ok(()))?, 0))
    })?;
    run("redact all lines", &files, redact)?;
    run("SHA-256 and CRC-32 of all lines", &files, sums)?;
    for (name, part) in [
        ("deflate the plain files, level 1", deflate::<1> as Part),
        ("deflate the plain files, level 2", deflate::<2>),
        ("deflate the plain files, level 3", deflate::<3>),
        ("deflate the plain files, level 4", deflate::<4>),
        ("deflate the plain files, level 5", deflate::<5>),
        ("deflate the plain files, level 6", deflate::<6>),
    ] {
        run(name, &plain, part)?;
    }
    Ok(())
}

/// Runs one part over the files, on all threads.
fn run(name: &str, files: &[PathBuf], part: Part) -> io::Result<()> {
    let next = AtomicUsize::new(0);
    let (bytes_in, bytes_out) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (taken, made) = part(file)?;
            bytes_in.fetch_add(taken, Ordering::Relaxed);
            bytes_out.fetch_add(made, Ordering::Relaxed);
        }
        io::Result::Ok(())
    };
    let clock = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
        })
    })?;
    let seconds = clock.elapsed().as_secs_f64();
    println!(
        "{name}\t{}\t{}\t{seconds:.3}",
        bytes_in.into_inner(),
        bytes_out.into_inner()
    );
    Ok(())
}

fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

/// Gives the file's lines, inflated, to `take`; returns how many bytes that were.
fn each_line_chunk(path: &Path, take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
    let mut file = File::open(path)?;
    if is_gzip(path) {
        each_chunk(&mut GzDecoder::new(io::BufReader::with_capacity(CHUNK, file)), take)
    } else {
        each_chunk(&mut file, take)
    }
}

fn each_chunk(source: &mut dyn Read, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
    let mut buffer = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        let read = source.read(&mut buffer)?;
        let chunk = buffer.get(..read).unwrap_or_default();
        if chunk.is_empty() {
            return Ok(bytes);
        }
        bytes += read as u64;
        take(black_box(chunk))?;
    }
}

fn redact(path: &Path) -> io::Result<(u64, u64)> {
    let rules: &Arc<Rules> = Rules::shared();
    let mut redactor = Redactor::new(rules, ContentKind::CriLog);
    let mut clean = Vec::new();
    let mut kept = 0;
    let bytes = each_line_chunk(path, |chunk| {
        clean.clear();
        redactor.push(chunk, &mut clean).map_err(io::Error::other)?;
        kept += clean.len() as u64;
        Ok(())
    })?;
    Ok((bytes, kept))
}

fn sums(path: &Path) -> io::Result<(u64, u64)> {
    let mut sha256 = Sha256::new();
    let mut crc32 = crc32fast::Hasher::new();
    let bytes = each_line_chunk(path, |chunk| {
        sha256.update(chunk);
        crc32.update(chunk);
        Ok(())
    })?;
    black_box((sha256.finalize(), crc32.finalize()));
    Ok((bytes, 0))
}

fn deflate<const LEVEL: u32>(path: &Path) -> io::Result<(u64, u64)> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(LEVEL));
    let bytes = each_line_chunk(path, |chunk| {
        // What was made so far is of no use.
        encoder.get_mut().clear();
        encoder.write_all(chunk)
    })?;
    encoder.try_finish()?;
    Ok((bytes, encoder.total_out()))
}

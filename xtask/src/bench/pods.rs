//! The logs of containers as a kubelet leaves them after some days: the current file, the one before it as it was, and
//! older ones compressed.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::log_text::{MANNERS, Manner, Moment, Speaker};
use super::random::Random;

/// As many as the kubelet keeps of a container (`containerLogMaxFiles`), of which all but the newest two are
/// compressed.
const FILES: u64 = 5;
/// Go's `gzip.DefaultCompression`, with which the kubelet compresses.
const KUBELET_LEVEL: u32 = 6;
/// One line in so many is longer than the runtime writes in one piece.
const LONG_LINES: u64 = 4000;
/// What containerd writes in one piece (`max_container_log_line_size`).
const PIECE: usize = 16 * 1024;
/// Lines between two secrets, in the few files that have any.
const SECRET_EVERY: u64 = 5000;

/// Writes the logs of `pods` pods, each file of `file_bytes` before it is compressed.
pub(super) fn write(folder: &Path, pods: u64, file_bytes: u64) -> Result<()> {
    // Two threads, as the machine that this is meant for has two cores.
    std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            scope.spawn(move || {
                (0..pods)
                    .filter(|pod| pod % 2 == half)
                    .try_for_each(|pod| write_pod(folder, pod, file_bytes))
            })
        });
        halves.into_iter().try_for_each(|half| {
            half.join()
                .unwrap_or_else(|_| anyhow::bail!("making the logs panicked"))
        })
    })
}

fn write_pod(folder: &Path, pod: u64, file_bytes: u64) -> Result<()> {
    let uid = Random::new(pod).uuid();
    let folder = folder.join(format!("shop_app-{pod}_{uid}/main"));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut log = ContainerLog {
        speaker: Speaker::new(pod + 1),
        manner: MANNERS[usize::try_from(pod).unwrap_or(0) % MANNERS.len()],
        at: 0,
        lines: 0,
    };
    for file in 0..FILES {
        // Every tenth pod leaks in its current file, and another one in its oldest.
        let leaks = matches!((pod % 10, FILES - file), (0, 1) | (5, FILES));
        let name = match FILES - file {
            1 => "0.log".to_owned(),
            2 => format!("0.log.{}", Moment(log.at).compact()),
            _ => format!("0.log.{}.gz", Moment(log.at).compact()),
        };
        let path = folder.join(&name);
        let out = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let mut out = BufWriter::new(out);
        if FILES - file > 2 {
            let mut gzip = GzEncoder::new(out, Compression::new(KUBELET_LEVEL));
            log.write(&mut gzip, file_bytes, leaks)?;
            out = gzip.finish()?;
        } else {
            log.write(&mut out, file_bytes, leaks)?;
        }
        out.flush()?;
    }
    Ok(())
}

/// What one container has said so far.
struct ContainerLog {
    speaker: Speaker,
    manner: Manner,
    at: u64,
    lines: u64,
}

impl ContainerLog {
    fn write(&mut self, out: &mut impl Write, bytes: u64, leaks: bool) -> Result<()> {
        let mut written = 0;
        while written < bytes {
            self.lines += 1;
            let random = self.speaker.random();
            self.at += 1_000_000 * random.skewed(4000) + random.below(1_000_000);
            let stream = if random.one_in(6) { "stderr" } else { "stdout" };
            let is_long = random.one_in(LONG_LINES);
            let stamp = Moment(self.at).rfc3339();
            let mut text = self.speaker.line(self.manner, Moment(self.at));
            if leaks && self.lines.is_multiple_of(SECRET_EVERY) {
                text.push_str(&secret(self.speaker.random(), self.lines / SECRET_EVERY));
            }
            if is_long {
                text = text.repeat(2 * PIECE / text.len());
            }
            let mut rest = text.as_str();
            while let Some((piece, next)) = rest.split_at_checked(PIECE) {
                written += write_line(out, &stamp, stream, "P", piece)?;
                rest = next;
            }
            written += write_line(out, &stamp, stream, "F", rest)?;
        }
        Ok(())
    }
}

/// One line of the CRI's log format; returns its length.
fn write_line(out: &mut impl Write, stamp: &str, stream: &str, tag: &str, text: &str) -> Result<u64> {
    let line = format!("{stamp} {stream} {tag} {text}\n");
    out.write_all(line.as_bytes())?;
    Ok(line.len() as u64)
}

/// Something that must not leave the node; no such key was ever given out.
fn secret(random: &mut Random, which: u64) -> String {
    let key = random.hex(86);
    match which % 3 {
        0 => format!(
            " DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={key}==;EndpointSuffix=core.windows.net"
        ),
        1 => format!(" Authorization: Bearer {key}"),
        _ => {
            format!(" https://shop.blob.core.windows.net/x?sv=2024-11-04&sp=r&se=2026-12-01T00%3A00%3A00Z&sig={key}%3D")
        }
    }
}

//! Writes a large archive for measuring how fast archives are looked into: `large_archive FILE tar.gz|zip FILES BYTES`
//! makes one of so many files whose compressed content has so many bytes in all, with a manifest that names them.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use jiff::Timestamp;
use periscope_bundle::{Entry, NodeArchive, Source};
use periscope_core::{
    Archive, ArtifactPath, Completeness, Format, ItemRecord, MANIFEST_FILE, MANIFEST_SCHEMA, Manifest, State,
};

fn main() -> io::Result<()> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [file, format, files, bytes] = words.as_slice() else {
        return Err(io::Error::other("expected: FILE tar.gz|zip FILES BYTES"));
    };
    let format: Format = format.parse().map_err(io::Error::other)?;
    let files: usize = files.parse().map_err(io::Error::other)?;
    let bytes: usize = bytes.parse().map_err(io::Error::other)?;
    let entries = entries(files, bytes / files.max(1))?;
    let archive = NodeArchive::new(
        "run-1".parse().map_err(io::Error::other)?,
        "node-1".parse().map_err(io::Error::other)?,
        Timestamp::UNIX_EPOCH,
        entries,
        Vec::new(),
        vec![format],
    );
    let mut out = BufWriter::new(File::create(file)?);
    archive.write_to(format, &mut out)?;
    out.flush()
}

/// Files of log lines with a number that does not compress, each `packed` bytes when compressed. All share one content.
fn entries(files: usize, packed: usize) -> io::Result<Vec<Entry>> {
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::new(4));
    let mut crc = crc32fast::Hasher::new();
    let (mut len, mut state) = (0_u64, 1_u64);
    while deflate.get_ref().len() < packed {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let line = format!(
            "2026-11-20T10:00:00.{:09}Z stdout F request {state:016x} done\n",
            state >> 35
        );
        deflate.write_all(line.as_bytes())?;
        crc.update(line.as_bytes());
        len += line.len() as u64;
    }
    let source = Source::Memory(deflate.finish()?.into());
    let crc32 = crc.finalize();
    let path = |n: usize| {
        let pod = format!("kube-system_pod-{}_{:032x}", n / 4, n / 4);
        let name = format!("nodes/node-1/container-logs/pods/{pod}/container-{}/{n}.log", n % 4);
        ArtifactPath::from_names([name.as_str()])
    };
    let mut entries: Vec<_> = (0..files)
        .map(|n| Entry {
            path: path(n),
            modified: Timestamp::UNIX_EPOCH,
            len,
            crc32,
            source: source.clone(),
        })
        .collect();
    let items = entries.iter().map(|entry| item(entry, len)).collect();
    let text = serde_json::to_vec_pretty(&manifest(items).map_err(io::Error::other)?)?;
    let path = ArtifactPath::from_names([MANIFEST_FILE]);
    entries.push(Entry::of_document(path, &text, Timestamp::UNIX_EPOCH)?);
    Ok(entries)
}

fn item(entry: &Entry, len: u64) -> ItemRecord {
    ItemRecord {
        action: "container-logs".to_owned(),
        path: entry.path.clone(),
        state: State::Collected,
        reason: None,
        source: Some(format!("/var/log/{}", entry.path)),
        modified: None,
        raw_bytes: len,
        stored_bytes: len,
        compressed_bytes: 0,
        sha256: Some("0".repeat(64)),
        redactions: std::collections::BTreeMap::new(),
        limit_by_user: false,
    }
}

fn manifest(items: Vec<ItemRecord>) -> Result<Manifest, periscope_core::InvalidName> {
    Ok(Manifest {
        schema: MANIFEST_SCHEMA.to_owned(),
        run_id: "run-1".parse()?,
        node: "node-1".parse()?,
        os: String::new(),
        kernel: String::new(),
        version: String::new(),
        started: Timestamp::UNIX_EPOCH,
        finished: Timestamp::UNIX_EPOCH,
        completeness: Completeness::Complete,
        actions: Vec::new(),
        items,
    })
}

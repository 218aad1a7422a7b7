//! Artifacts all the way through: into the store, out of an archive, read back by readers that are not ours.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use periscope_core::{
    Archive, ArtifactObserver, ArtifactPath, ArtifactSpec, Content, Encoding, End, Format, Observer, Store, StoreError,
    Stored,
};
use proptest::prelude::*;
use rstest::rstest;

use crate::{BudgetLimits, Entry, NodeArchive, SpoolStore};

const SECRET_LINE: &str =
    "GET https://a.blob.core.windows.net/c?sv=2024&sig=c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0%3D 200\n";

fn store(archive_bytes: u64) -> (tempfile::TempDir, SpoolStore) {
    let folder = tempfile::tempdir().unwrap();
    let limits = BudgetLimits {
        archive_bytes,
        by_user: true,
        unpacked: false,
    };
    let store = SpoolStore::new(folder.path(), limits).unwrap();
    (folder, store)
}

fn path(name: &str) -> ArtifactPath {
    ArtifactPath::from_names([name])
}

fn copy(store: &SpoolStore, name: &str, spec: &ArtifactSpec, bytes: &[u8]) -> Result<Stored, StoreError> {
    store.copy(spec, &path(name), &mut Cursor::new(bytes), &mut |_| {
        ControlFlow::Continue(())
    })
}

fn content(store: &SpoolStore, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    store
        .artifact(&path(name))
        .unwrap()
        .reader()
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(6));
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn log_lines(count: u32) -> Vec<u8> {
    (0..count)
        .flat_map(|n| format!("I1120 20:10:33.{n:06} 1 sync.go:{n}] syncing pod {}\n", n * 7919).into_bytes())
        .collect()
}

fn text() -> ArtifactSpec {
    ArtifactSpec::new("x", Content::Text)
}

#[test]
fn a_secret_never_reaches_the_store_and_is_counted() {
    let (_folder, store) = store(u64::MAX);
    let stored = copy(&store, "a", &text(), SECRET_LINE.as_bytes()).unwrap();
    let kept = String::from_utf8(content(&store, "a")).unwrap();
    assert!(!kept.contains("c2VjcmV0"), "{kept}");
    assert!(
        kept.starts_with("GET https://a.blob.core.windows.net/c?sv=2024&sig="),
        "{kept}"
    );
    assert_eq!(stored.redactions.values().sum::<u64>(), 1);
    assert_eq!(stored.raw_bytes, SECRET_LINE.len() as u64);
    assert_eq!(stored.stored_bytes, kept.len() as u64);
}

#[test]
fn a_clean_gzip_source_keeps_its_own_deflate_stream() {
    let (_folder, store) = store(u64::MAX);
    let lines = log_lines(20_000);
    let wrapped = gzip(&lines);
    let stored = copy(&store, "a", &text().encoding(Encoding::Gzip), &wrapped).unwrap();
    assert_eq!(content(&store, "a"), lines);
    // Ten bytes of header and eight of trailer are not kept.
    assert_eq!(stored.compressed_bytes, wrapped.len() as u64 - 18);
    let plain = copy(&store, "b", &text(), &lines).unwrap();
    assert_eq!((stored.sha256, stored.stored_bytes), (plain.sha256, plain.stored_bytes));
}

#[rstest]
#[case::redacted(gzip(&[log_lines(5_000), SECRET_LINE.into(), log_lines(9)].concat()), 1)]
#[case::two_members([gzip(&log_lines(100)), gzip(&log_lines(100))].concat(), 0)]
fn other_gzip_sources_are_made_anew(#[case] wrapped: Vec<u8>, #[case] redactions: u64) {
    let (_folder, store) = store(u64::MAX);
    let stored = copy(&store, "a", &text().encoding(Encoding::Gzip), &wrapped).unwrap();
    assert!(matches!(stored.end, End::Source));
    assert_eq!(stored.redactions.values().sum::<u64>(), redactions);
    let mut inflated = Vec::new();
    MultiGzDecoder::new(wrapped.as_slice())
        .read_to_end(&mut inflated)
        .unwrap();
    let kept = content(&store, "a");
    assert!(!String::from_utf8_lossy(&kept).contains("c2VjcmV0"));
    assert_eq!(stored.raw_bytes, inflated.len() as u64);
    assert_eq!(
        memchr::memchr_iter(b'\n', &kept).count(),
        memchr::memchr_iter(b'\n', &inflated).count()
    );
}

#[test]
fn a_broken_gzip_source_keeps_what_could_be_read() {
    let (_folder, store) = store(u64::MAX);
    let lines = log_lines(20_000);
    let mut wrapped = gzip(&lines);
    wrapped.truncate(wrapped.len() / 2);
    let stored = copy(&store, "a", &text().encoding(Encoding::Gzip), &wrapped).unwrap();
    assert!(matches!(stored.end, End::Error(_)), "{:?}", stored.end);
    assert!(stored.stored_bytes > 100_000 && lines.starts_with(&content(&store, "a")));
}

/// A source that shows other bytes when it is read again, as somebody who can write the file could arrange it.
struct Changing {
    first: Cursor<Vec<u8>>,
    then: Vec<u8>,
}

impl Read for Changing {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.first.read(buffer)
    }
}

impl std::io::Seek for Changing {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.first = Cursor::new(self.then.clone());
        self.first.seek(to)
    }
}

#[test]
fn what_is_kept_of_a_gzip_source_is_what_was_looked_at() {
    let (_folder, store) = store(u64::MAX);
    let mut secret = SECRET_LINE.repeat(50).into_bytes();
    secret.extend(log_lines(1000));
    let mut source = Changing {
        first: Cursor::new(gzip(&log_lines(1000))),
        then: gzip(&secret),
    };
    let spec = text().encoding(Encoding::Gzip);
    store
        .copy(&spec, &path("a"), &mut source, &mut |_| ControlFlow::Continue(()))
        .unwrap();
    assert!(!String::from_utf8_lossy(&content(&store, "a")).contains("c2VjcmV0"));
}

#[test]
fn a_limit_cuts_at_a_line_and_never_inside_a_secret() {
    let (_folder, store) = store(u64::MAX);
    let lines = [log_lines(100), SECRET_LINE.into(), log_lines(100)].concat();
    for limit in [0, 1, 50, 4_000, 5_000, 5_050, 5_100] {
        let stored = copy(&store, &format!("a{limit}"), &text().at_most(limit), &lines).unwrap();
        let kept = content(&store, &format!("a{limit}"));
        assert!(matches!(stored.end, End::Limit));
        assert!(kept.len() as u64 <= limit && (kept.is_empty() || kept.ends_with(b"\n")));
        assert!(!String::from_utf8_lossy(&kept).contains("c2VjcmV0"));
    }
}

#[test]
fn a_source_that_breaks_off_keeps_what_came_before() {
    struct Breaking(usize);
    impl Read for Breaking {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0 == 0 {
                return Err(std::io::Error::other("disk error"));
            }
            self.0 -= 1;
            buffer[..5].copy_from_slice(b"line\n");
            Ok(5)
        }
    }
    impl std::io::Seek for Breaking {
        fn seek(&mut self, _: std::io::SeekFrom) -> std::io::Result<u64> {
            Ok(0)
        }
    }
    let (_folder, store) = store(u64::MAX);
    let stored = store
        .copy(
            &text(),
            &path("a"),
            &mut Breaking(3),
            &mut |_| ControlFlow::Continue(()),
        )
        .unwrap();
    assert!(matches!(stored.end, End::Error(_)));
    assert_eq!(content(&store, "a"), b"line\nline\nline\n");
}

#[test]
fn the_budget_of_the_archive_ends_artifacts_but_leaves_them_readable() {
    let (_folder, store) = store(100_000);
    let mut state = 1_u64;
    let mut noise = Vec::new();
    while noise.len() < 600_000 {
        // Xorshift: nothing that deflate could make smaller.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend(state.to_le_bytes());
    }
    let spec = ArtifactSpec::new("x", Content::Binary);
    let stored = copy(&store, "a", &spec, &noise).unwrap();
    assert!(
        matches!(&stored.end, End::Budget { by_user: true, .. }),
        "{:?}",
        stored.end
    );
    assert!(noise.starts_with(&content(&store, "a")));
    assert!(stored.compressed_bytes < 400_000);
}

/// An archive of artifacts with names of every awkward kind, and their content.
fn sample() -> (tempfile::TempDir, NodeArchive, Vec<(String, Vec<u8>)>) {
    let (folder, store) = store(u64::MAX);
    let long = format!("nodes/n/container-logs/{}/{}/0.log", "p".repeat(200), "ü".repeat(100));
    let names = [
        "manifest.json",
        "nodes/n/a/empty.txt",
        "nodes/n/a/one.txt",
        "nodes/n/b/two.log",
        &long,
    ];
    let contents = [
        b"{}".to_vec(),
        Vec::new(),
        b"1".to_vec(),
        log_lines(30_000),
        vec![b'x'; 512],
    ];
    let now = "2026-11-20T20:10:33Z".parse().unwrap();
    let mut entries = Vec::new();
    for (name, content) in names.iter().zip(&contents) {
        copy(&store, name, &text(), content).unwrap();
        entries.push(Entry::of_artifact(
            path(name),
            &store.artifact(&path(name)).unwrap(),
            now,
        ));
    }
    let (run, node) = ("run-1".parse().unwrap(), "n".parse().unwrap());
    let archive = NodeArchive::new(run, node, now, entries, vec![path("manifest.json")], vec![Format::Zip]);
    let expected = names
        .iter()
        .map(|name| format!("run-1_n/{name}"))
        .zip(contents)
        .collect();
    (folder, archive, expected)
}

fn written(archive: &NodeArchive, format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive.write_to(format, &mut bytes).unwrap();
    bytes
}

#[test]
fn the_tar_crate_reads_what_was_written() {
    let (_folder, archive, expected) = sample();
    let bytes = written(&archive, Format::TarGz);
    let mut reader = tar::Archive::new(MultiGzDecoder::new(bytes.as_slice()));
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    for entry in reader.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let parent = path
            .trim_end_matches('/')
            .rfind('/')
            .map_or("", |at| path.get(..=at).unwrap())
            .to_owned();
        assert!(folders.contains(&parent), "{path} comes before its folder");
        if entry.header().entry_type().is_dir() {
            folders.push(path);
        } else {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            found.push((path, content));
        }
    }
    assert_eq!(found, expected);
}

#[test]
fn the_zip_crate_reads_what_was_written() {
    let (_folder, archive, expected) = sample();
    let mut reader = zip::ZipArchive::new(Cursor::new(written(&archive, Format::Zip))).unwrap();
    let mut found = Vec::new();
    for index in 0..reader.len() {
        let mut entry = reader.by_index(index).unwrap();
        if entry.is_file() {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            found.push((entry.name().unwrap().into_owned(), content));
        }
    }
    assert_eq!(found, expected);
}

#[rstest]
#[case(Format::TarGz)]
#[case(Format::Zip)]
fn an_archive_is_the_same_each_time(#[case] format: Format) {
    let (_folder, archive, _) = sample();
    assert_eq!(written(&archive, format), written(&archive, format));
}

#[test]
fn an_unpacked_archive_is_a_folder_of_plain_files() {
    let (_folder, archive, expected) = sample();
    let target = tempfile::tempdir().unwrap();
    archive.unpack_to(target.path()).unwrap();
    for (name, content) in expected {
        let path = target.path().join(name.strip_prefix("run-1_n/").unwrap());
        assert_eq!(std::fs::read(path).unwrap(), content);
    }
}

#[test]
fn loose_files_are_whole() {
    let (_folder, archive, _) = sample();
    let loose = archive.loose_files();
    assert_eq!(loose.len(), 1);
    assert_eq!(
        (loose[0].name.as_str(), loose[0].bytes.as_slice()),
        ("manifest.json", b"{}".as_slice())
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_holds_no_secret_comes_out_as_it_went_in(
        bytes in prop::collection::vec(prop_oneof![Just(b'\n'), 0_u8..32, 128_u8..255], 0..5000),
        splits in prop::collection::vec(0_usize..5000, 0..8),
    ) {
        let (_folder, store) = store(u64::MAX);
        let mut stream = store.open(&text(), &path("a")).unwrap();
        let mut splits: Vec<_> = splits.into_iter().map(|at| at.min(bytes.len())).collect();
        splits.sort_unstable();
        let mut start = 0;
        for end in splits.into_iter().chain([bytes.len()]) {
            prop_assert!(stream.write(&bytes[start..end]).unwrap().is_continue());
            start = end;
        }
        let stored = stream.finish().unwrap();
        prop_assert_eq!(stored.stored_bytes, bytes.len() as u64);
        prop_assert_eq!(content(&store, "a"), bytes);
    }
}

#[test]
fn when_the_budget_is_used_up_only_documents_of_the_run_itself_get_in() {
    let (_folder, store) = store(100_000);
    let spec = ArtifactSpec::new("log", Content::Text);
    let nested = |n: u32| ArtifactPath::from_names(["nodes", &n.to_string()]);
    // Each of them fits into the writer's buffer: nothing is written before it ends.
    let noise: Vec<u8> = (0..40_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let spec_binary = ArtifactSpec::new("noise", Content::Binary);
    let results: Vec<_> = noise
        .chunks(20_000)
        .zip(0..)
        .map(|(bytes, n)| {
            store.copy(&spec_binary, &nested(n), &mut Cursor::new(bytes), &mut |_| {
                ControlFlow::Continue(())
            })
        })
        .collect();
    let kept: u64 = results.iter().flatten().map(|stored| stored.compressed_bytes).sum();
    assert!((100_000..130_000).contains(&kept), "{kept}");
    let refused = results.into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert!(!refused.is_empty());
    for error in refused {
        assert!(matches!(error, StoreError::OverBudget { by_user: true, .. }), "{error}");
    }
    copy(&store, "run.log", &spec, b"why\n").unwrap();
}

/// What an observer saw of each artifact that was kept to its end.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

struct Seeing {
    name: String,
    bytes: Vec<u8>,
    seen: Seen,
}

impl Observer for Seen {
    fn artifact(&self, path: &ArtifactPath) -> Option<Box<dyn ArtifactObserver>> {
        let seeing = Seeing {
            name: path.to_string(),
            bytes: Vec::new(),
            seen: self.clone(),
        };
        (path.as_str() != "unseen").then(|| Box::new(seeing) as _)
    }
}

impl ArtifactObserver for Seeing {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn finish(self: Box<Self>) {
        let first = self.seen.0.lock().unwrap().insert(self.name, self.bytes);
        assert_eq!(first, None, "an artifact was seen twice");
    }
}

#[test]
fn an_observer_sees_what_a_reader_will_find_and_nothing_else() {
    let (_folder, store) = store(u64::MAX);
    let seen = Seen::default();
    let store = store.observed_by(Arc::new(seen.clone()));
    let mut lines = log_lines(2000);
    let text = || ArtifactSpec::new("x", Content::Text);
    let gzipped = || text().encoding(Encoding::Gzip);
    copy(&store, "gzip-kept", &gzipped(), &gzip(&lines)).unwrap();
    copy(&store, "unseen", &text(), &lines).unwrap();
    lines.extend_from_slice(SECRET_LINE.as_bytes());
    copy(&store, "text", &text(), &lines).unwrap();
    copy(&store, "cut", &text().at_most(5000), &lines).unwrap();
    copy(&store, "gzip-made-anew", &gzipped(), &gzip(&lines)).unwrap();
    copy(&store, "gzip-cut", &gzipped().at_most(5000), &gzip(&lines)).unwrap();
    let mut stream = store.open(&text(), &path("stream")).unwrap();
    for part in lines.chunks(777) {
        assert!(stream.write(part).unwrap().is_continue());
    }
    stream.finish().unwrap();
    drop(store.open(&text(), &path("dropped")).unwrap());
    copy(&store, "withheld", &text(), &[0xff, 0xfe, b'a', 0, b'b', 0]).ok();

    let seen = seen.0.lock().unwrap();
    for name in ["gzip-kept", "text", "cut", "gzip-made-anew", "gzip-cut", "stream"] {
        assert!(seen[name] == content(&store, name), "{name}");
        assert!(!String::from_utf8_lossy(&seen[name]).contains("c2VjcmV0"), "{name}");
    }
    assert!(seen["cut"].ends_with(b"\n") && seen["cut"].len() <= 5000);
    assert_eq!(seen.len(), 6, "{:?}", seen.keys());
}

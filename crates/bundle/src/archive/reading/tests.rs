//! Archives of ours, of others and of nobody good, looked into.
#![expect(clippy::disallowed_methods, reason = "tests make files of their own")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use periscope_core::{Archive, ArtifactPath, Format};
use rstest::rstest;
use tempfile::TempDir;

use super::OpenArchive;
use crate::{Entry, NodeArchive};

const LONG: &str = "nodes/n/container-logs/pods/kube-system_coredns-7d8f6b9c5-abcde_0f3a9b1e-2222-4444-8888-123456789abc/coredns/0.log.20261120-201033";

/// The files of the archive that the tests look into.
fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::from([
        ("manifest.json".to_owned(), b"{}".to_vec()),
        ("nodes/n/empty.txt".to_owned(), Vec::new()),
        ("nodes/n/block.txt".to_owned(), vec![b'x'; 512]),
        (LONG.to_owned(), b"2026-11-20T20:10:33Z stdout F hello\n".repeat(5_000)),
    ]);
    for n in 0..50 {
        files.insert(
            format!("nodes/n/f/{n}.txt"),
            format!("file {n}\n").repeat(n).into_bytes(),
        );
    }
    files
}

fn archive() -> NodeArchive {
    let entries = files()
        .iter()
        .map(|(path, content)| Entry::of_document(path.parse().unwrap(), content, Timestamp::UNIX_EPOCH).unwrap())
        .collect();
    let (run, node) = ("run".parse().unwrap(), "n".parse().unwrap());
    NodeArchive::new(
        run,
        node,
        Timestamp::UNIX_EPOCH,
        entries,
        Vec::new(),
        vec![Format::TarGz],
    )
}

fn packed(format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive().write_to(format, &mut bytes).unwrap();
    bytes
}

fn tar() -> Vec<u8> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(packed(Format::TarGz).as_slice())
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(6));
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn file(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("archive");
    File::create(&path).unwrap().write_all(bytes).unwrap();
    path
}

fn contents(archive: &OpenArchive) -> BTreeMap<String, Vec<u8>> {
    let read = archive.members().iter().map(|member| {
        let mut bytes = Vec::new();
        archive.read(member).unwrap().read_to_end(&mut bytes).unwrap();
        (member.path.to_string(), bytes)
    });
    read.collect()
}

fn open(path: &Path) -> OpenArchive {
    OpenArchive::open(path).unwrap()
}

#[rstest]
#[case::tar_gz(packed(Format::TarGz), true)]
#[case::zip(packed(Format::Zip), true)]
#[case::packed_again(gzip(&tar()), false)]
#[case::packed_again_in_two(gzip(&tar()[..70_000]).into_iter().chain(gzip(&tar()[70_000..])).collect(), false)]
#[case::with_something_behind_it([packed(Format::TarGz), vec![0; 100]].concat(), false)]
fn every_file_is_found_and_whole(#[case] bytes: Vec<u8>, #[case] is_random: bool) {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(&file(&folder, &bytes));
    assert_eq!((archive.notes(), archive.damage()), ([].as_slice(), None));
    assert_eq!(archive.is_random(), is_random);
    assert_eq!(contents(&archive), files());
    let archive = archive.into_random().unwrap();
    assert!(archive.is_random());
    assert_eq!(contents(&archive), files());
}

#[test]
fn a_folder_is_an_archive_but_its_links_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("run_n");
    fs::create_dir(&top).unwrap();
    archive().unpack_to(&top).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", top.join("link")).unwrap();
    for path in [&top, folder.path()] {
        let archive = open(path);
        assert_eq!(contents(&archive), files());
        assert_eq!(archive.notes(), ["left out \"link\": it is no file"]);
    }
}

#[rstest]
#[case::tar_gz(packed(Format::TarGz))]
#[case::packed_again(gzip(&tar()))]
fn of_a_cut_archive_there_is_what_was_before_the_cut(#[case] bytes: Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(&file(&folder, &bytes[..bytes.len() * 2 / 3]));
    assert_eq!(archive.damage(), Some("it ends early: what is behind that is missing"));
    assert!(!archive.is_random() && archive.members().len() > 3);
    let whole = files();
    let last = archive.members().len() - 1;
    for member in &archive.members()[..last] {
        let mut bytes = Vec::new();
        archive.read(member).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, whole[member.path.as_str()], "{}", member.path);
    }
    let random = archive.into_random().unwrap();
    assert!(random.members().len() >= last && random.damage().is_some());
}

/// A tar of one entry whose header says what it likes.
fn one_entry(name: &str, kind: tar::EntryType, len: u64, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o600);
    header.set_size(len);
    header.set_mtime(0);
    header.set_cksum();
    let padding = content.len().next_multiple_of(512) - content.len();
    [header.as_bytes(), content, &vec![0; padding]].concat()
}

#[rstest]
#[case::link(
    "top/a",
    tar::EntryType::Symlink,
    "left out \"top/a\": it is no file but of type '2'"
)]
#[case::device("top/a", tar::EntryType::Char, "left out \"top/a\": it is no file but of type '3'")]
#[case::out(
    "top/../../a",
    tar::EntryType::Regular,
    "left out \"top/../../a\": its path leads out of the archive"
)]
#[case::absolute("/etc/a", tar::EntryType::Regular, "left out \"/etc/a\": its path is absolute")]
#[case::escape(
    "top/\x1b[2J",
    tar::EntryType::Fifo,
    "left out \"top/\\u{1b}[2J\": it is no file but of type '6'"
)]
fn hostile_entries_are_told_and_left_out(#[case] name: &str, #[case] kind: tar::EntryType, #[case] note: &str) {
    let folder = tempfile::tempdir().unwrap();
    let good = one_entry("top/good", tar::EntryType::Regular, 4, b"good");
    let archive = open(&file(
        &folder,
        &gzip(&[good, one_entry(name, kind, 0, b""), vec![0; 1024]].concat()),
    ));
    assert_eq!(archive.notes(), [note]);
    assert_eq!(archive.members().len(), 1);
}

#[rstest]
#[case::more_than_there_is(one_entry("top/a", tar::EntryType::Regular, 1 << 40, b"abc"), "it ends early")]
#[case::more_than_can_be(one_entry("top/a", tar::EntryType::Regular, u64::MAX / 2, b"abc"), "it ends early")]
#[case::a_name_without_end(one_entry("x", tar::EntryType::GNULongName, 1 << 40, b"abc"), "a name in it has an impossible length")]
#[case::records_without_end(one_entry("x", tar::EntryType::XHeader, 1 << 40, b"abc"), "a name in it has an impossible length")]
#[case::no_tar(vec![7; 2048], "what it holds is no tar")]
fn a_length_that_lies_is_told(#[case] tar: Vec<u8>, #[case] damage: &str) {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(&file(&folder, &gzip(&tar)));
    assert!(
        archive.damage().is_some_and(|found| found.starts_with(damage)),
        "{:?}",
        archive.damage()
    );
}

#[test]
fn an_index_that_tells_of_other_files_than_the_archive_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = packed(Format::TarGz);
    let mut rows = crate::archive::index::Index::new("run_n");
    let path = file(&folder, &bytes);
    // The same places under other names.
    let mut last = 0;
    let read = crate::archive::index::read(&File::open(&path).unwrap(), bytes.len() as u64, &mut |row| {
        last = row.data + row.compressed + 18;
        rows.push(&crate::archive::index::Row {
            path: &format!("other/{}", row.path),
            ..row
        })
    });
    assert_eq!(read.unwrap().as_deref(), Some("run_n"));
    let start = usize::try_from(last).unwrap();
    let mut forged = bytes[..start].to_vec();
    forged.extend(gzip(&[0; 1024]));
    let at = forged.len() as u64;
    rows.write(at, &mut forged).unwrap();
    let archive = open(&file(&folder, &forged));
    for member in archive.members() {
        let error = archive.read(member).err().unwrap().to_string();
        assert_eq!(error, "the index and the archive tell different things of it");
    }
}

#[test]
fn a_bomb_is_read_as_far_as_somebody_wants() {
    let folder = tempfile::tempdir().unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(9));
    gzip.write_all(&one_entry("top/bomb", tar::EntryType::Regular, 1 << 30, b""))
        .unwrap();
    for _ in 0..1024 {
        gzip.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let archive = open(&file(&folder, &gzip.finish().unwrap()));
    let mut first = [1; 100];
    archive
        .read(&archive.members()[0])
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    assert_eq!(first, [0; 100]);
}

#[rstest]
#[case::nothing(b"")]
#[case::text(b"hello there")]
#[case::almost_a_zip(b"PK but no zip")]
fn what_is_no_archive_is_refused(#[case] bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    assert!(OpenArchive::open(&file(&folder, bytes)).is_err());
}

#[test]
fn a_file_without_a_manifest_is_no_archive_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(&file(
        &folder,
        &gzip(&one_entry("top/a", tar::EntryType::Regular, 0, b"")),
    ));
    let error = archive.manifest().unwrap_err().to_string();
    assert!(error.contains("has no manifest.json"), "{error}");
    assert!(archive.get(&"a".parse::<ArtifactPath>().unwrap()).is_some());
}

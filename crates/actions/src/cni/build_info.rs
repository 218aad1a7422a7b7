//! What the Go linker wrote into a program: its release, module and version; nothing of the program is run.
//!
//! The section `.go.buildinfo` begins with 32 bytes, of which byte 15 says whether two strings follow: the release of
//! Go, and lines about modules and flags (`debug/buildinfo` of Go's standard library). The latter stands between two
//! marks of 16 bytes.

use std::io;

use periscope_host::HostFile;

/// The section's first bytes.
const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The strings follow at once, since Go 1.18.
const INLINE_STRINGS: u8 = 2;
const HEADER_BYTES: usize = 32;
/// Marks around the lines about modules.
const MARK_BYTES: usize = 16;
/// The section of a plugin with many dependencies has some 20 KiB.
const MAX_SECTION_BYTES: u64 = 256 * 1024;
/// A program has some 30 sections, of 64 bytes each.
const MAX_SECTIONS: u64 = 256;
const SECTION_BYTES: u64 = 64;

/// What is known of a program.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct BuildInfo {
    pub(super) go: Option<String>,
    pub(super) module: Option<String>,
    pub(super) version: Option<String>,
}

/// Reads it from a program; nothing of one that is not made by Go, or not for 64 bits and little-endian. Blocks.
pub(super) fn read(file: &HostFile) -> BuildInfo {
    section(file)
        .ok()
        .flatten()
        .and_then(|section| parse(&section))
        .unwrap_or_default()
}

/// The section that begins with [`MAGIC`], by the table of sections (elf(5)).
fn section(file: &HostFile) -> io::Result<Option<Vec<u8>>> {
    let mut header = [0; 64];
    read_exactly(file, &mut header, 0)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(None);
    }
    let table = number(&header, 0x28, 8);
    let count = number(&header, 0x3c, 2).min(MAX_SECTIONS);
    let mut entry = [0; 64];
    let mut start = [0; MAGIC.len()];
    for at in 0..count {
        read_exactly(file, &mut entry, table.saturating_add(at * SECTION_BYTES))?;
        let (offset, size) = (number(&entry, 0x18, 8), number(&entry, 0x20, 8));
        if size < HEADER_BYTES as u64 || read_exactly(file, &mut start, offset).is_err() || start != MAGIC {
            continue;
        }
        let size = usize::try_from(size.min(MAX_SECTION_BYTES)).unwrap_or(0);
        let mut section = vec![0; size];
        read_exactly(file, &mut section, offset)?;
        return Ok(Some(section));
    }
    Ok(None)
}

fn read_exactly(file: &HostFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let mut at = 0;
    while let Some(rest) = buffer.get_mut(at..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(at as u64))? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => at += read,
        }
    }
    Ok(())
}

fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    let bytes = bytes.get(at..at + len).unwrap_or_default();
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn parse(section: &[u8]) -> Option<BuildInfo> {
    if section.get(MAGIC.len() + 1)? & INLINE_STRINGS == 0 {
        return None;
    }
    let (go, rest) = string(section.get(HEADER_BYTES..)?)?;
    let mut info = BuildInfo {
        go: Some(String::from_utf8_lossy(go).into_owned()),
        ..BuildInfo::default()
    };
    let lines = string(rest).map_or(&[][..], |(lines, _)| lines);
    let lines = lines
        .get(MARK_BYTES..lines.len().saturating_sub(MARK_BYTES))
        .unwrap_or_default();
    let lines = String::from_utf8_lossy(lines);
    let mut revision = None;
    for line in lines.lines() {
        let mut words = line.split('\t');
        match words.next() {
            // What was built without a module still has the path of its package.
            Some("path") => info.module = words.next().map(str::to_owned),
            Some("mod") => {
                info.module = words.next().map(str::to_owned);
                // `(devel)` says nothing: it was built in its own source tree.
                info.version = words.next().filter(|version| *version != "(devel)").map(str::to_owned);
            }
            Some("build") => match words.next().and_then(|setting| setting.split_once('=')) {
                Some(("-ldflags", flags)) => info.version = linked_version(flags).or(info.version),
                Some(("vcs.revision", value)) => revision = Some(value.to_owned()),
                _ => {}
            },
            _ => {}
        }
    }
    info.version = info.version.or(revision);
    Some(info)
}

/// A string and what follows it: its length in groups of seven bits, then its bytes.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut len = 0_usize;
    for (at, byte) in bytes.iter().enumerate().take(4) {
        len |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return bytes.get(at + 1..)?.split_at_checked(len);
        }
    }
    None
}

/// The value of the variable that the linker was told to set and whose name ends in `version`.
fn linked_version(flags: &str) -> Option<String> {
    flags.split([' ', '"', '\'']).find_map(|word| {
        let (name, value) = word.trim_start_matches("-X=").split_once('=')?;
        let is_version = name.to_ascii_lowercase().ends_with("version");
        (is_version && !value.is_empty()).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use periscope_host::HostPath;
    use periscope_testkit::HostFixture;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::{BuildInfo, MAGIC, parse, read};

    fn section(go: &str, lines: &str) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([8, 2]);
        bytes.resize(32, 0);
        for text in [go.to_owned(), format!("0123456789abcdef{lines}0123456789abcdef")] {
            let len = text.len();
            if len < 0x80 {
                bytes.push(u8::try_from(len).unwrap());
            } else {
                bytes.push(u8::try_from(len & 0x7f).unwrap() | 0x80);
                bytes.push(u8::try_from(len >> 7).unwrap());
            }
            bytes.extend(text.as_bytes());
        }
        bytes
    }

    /// A program with that section behind its header and its table of sections.
    fn program(section: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01".to_vec();
        bytes.resize(64, 0);
        bytes[0x28] = 64;
        bytes[0x3c] = 2;
        bytes.resize(64 + 2 * 64, 0);
        bytes[64 + 64 + 0x18] = 192;
        bytes[64 + 64 + 0x20..64 + 64 + 0x22].copy_from_slice(&u16::try_from(section.len()).unwrap().to_le_bytes());
        bytes.extend(section);
        bytes
    }

    #[rstest]
    #[case::linked(
        "path\tgithub.com/containernetworking/plugins/plugins/main/bridge\nmod\tgithub.com/containernetworking/plugins\t(devel)\t\n\
         build\t-ldflags=\"-X github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=v1.6.2\"\n",
        Some("v1.6.2")
    )]
    #[case::module("mod\tgithub.com/containernetworking/plugins\tv1.5.1\th1:x\n", Some("v1.5.1"))]
    #[case::revision(
        "mod\tgithub.com/containernetworking/plugins\t(devel)\t\nbuild\tvcs.revision=0123abc\n",
        Some("0123abc")
    )]
    #[case::nothing("mod\tgithub.com/containernetworking/plugins\t(devel)\t\n", None)]
    fn versions(#[case] lines: &str, #[case] version: Option<&str>) {
        let node = HostFixture::new().file("/opt/cni/bin/bridge", program(&section("go1.24.1", lines)));
        let file = node
            .root()
            .open(&HostPath::new("/opt/cni/bin/bridge").unwrap())
            .unwrap();
        assert_eq!(
            read(&file),
            BuildInfo {
                go: Some("go1.24.1".to_owned()),
                module: Some("github.com/containernetworking/plugins".to_owned()),
                version: version.map(str::to_owned),
            }
        );
    }

    #[rstest]
    #[case::script(b"#!/bin/sh\n".to_vec())]
    #[case::no_go(program(&[0; 64]))]
    #[case::cut(program(&section("go1.24", "x"))[..200].to_vec())]
    fn what_is_not_made_by_go_has_no_version(#[case] bytes: Vec<u8>) {
        let node = HostFixture::new().file("/x", bytes);
        let file = node.root().open(&HostPath::new("/x").unwrap()).unwrap();
        assert_eq!(read(&file), BuildInfo::default());
    }

    proptest! {
        #[test]
        fn nothing_breaks_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut section = MAGIC.to_vec();
            section.extend(bytes);
            parse(&section);
        }
    }
}

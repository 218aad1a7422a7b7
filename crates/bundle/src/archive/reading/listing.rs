//! What an archive holds, as it is found: names are checked here, and what is strange is noted in a line each.

use std::collections::HashMap;

use jiff::Timestamp;
use periscope_core::ArtifactPath;

use super::Place;
use crate::archive::index::MAX_ROWS;

/// Most notes that are kept one by one.
const MAX_NOTES: usize = 20;
/// Most characters of a name that is told in a note.
const MAX_SHOWN: usize = 120;

/// One file of an archive.
#[derive(Debug)]
pub struct Member {
    /// Its path below the top folder.
    pub path: ArtifactPath,
    /// Length of its content, as the archive says.
    pub len: u64,
    /// When its source was last written, as the archive says.
    pub modified: Option<Timestamp>,
    pub(super) place: Place,
}

/// The files of an archive and what was strange.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) members: Vec<Member>,
    by_path: HashMap<ArtifactPath, usize>,
    pub(super) top: Option<String>,
    pub(super) notes: Vec<String>,
    unnoted: u64,
}

impl Listing {
    /// Adds a file with the name that it has in the archive. Returns whether there is room for more.
    pub(super) fn add(&mut self, name: &[u8], len: u64, modified: Option<u64>, place: Place) -> bool {
        match self.path_of(name) {
            Ok(path) => self.insert(path, len, modified, place),
            Err(why) => self.leave_out(name, why),
        }
        self.has_room()
    }

    /// Adds a file whose path below the top folder is known.
    pub(super) fn insert(&mut self, path: ArtifactPath, len: u64, modified: Option<u64>, place: Place) {
        if self.by_path.contains_key(&path) {
            return self.leave_out(path.as_str().as_bytes(), "there is one of this name before it");
        }
        let modified = modified
            .and_then(|seconds| i64::try_from(seconds).ok())
            .and_then(|seconds| Timestamp::from_second(seconds).ok());
        self.by_path.insert(path.clone(), self.members.len());
        self.members.push(Member {
            path,
            len,
            modified,
            place,
        });
    }

    /// Adds a file of another listing, in another place.
    pub(super) fn insert_member(&mut self, member: &Member, place: Place) {
        self.by_path.insert(member.path.clone(), self.members.len());
        self.members.push(Member {
            path: member.path.clone(),
            len: member.len,
            modified: member.modified,
            place,
        });
    }

    /// Puts the files into the order of their paths.
    pub(super) fn sort(&mut self) {
        self.members.sort_by(|a, b| a.path.cmp(&b.path));
        let paths = self.members.iter().enumerate();
        self.by_path = paths.map(|(index, member)| (member.path.clone(), index)).collect();
    }

    pub(super) fn get(&self, path: &ArtifactPath) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    pub(super) fn has_room(&mut self) -> bool {
        let room = self.members.len() < MAX_ROWS;
        if !room {
            self.note(format!("there are more than {MAX_ROWS} files: the others are left out"));
        }
        room
    }

    /// Notes that a file is left out, and why.
    pub(super) fn leave_out(&mut self, name: &[u8], why: &str) {
        self.note(format!("left out {}: {why}", shown(name)));
    }

    /// Notes what is strange. Of very many notes the first are kept.
    pub(super) fn note(&mut self, note: String) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(note);
        } else {
            self.unnoted += 1;
        }
    }

    /// Ends the list of notes.
    pub(super) fn finish(mut self) -> Self {
        if self.unnoted > 0 {
            self.notes.push(format!("and {} more like these", self.unnoted));
        }
        self
    }

    /// The path below the top folder, which is the first name of the first file.
    fn path_of(&mut self, name: &[u8]) -> Result<ArtifactPath, &'static str> {
        let name = std::str::from_utf8(name).map_err(|_| "its name is not UTF-8")?;
        let name = name.strip_prefix("./").unwrap_or(name);
        if name.starts_with('/') {
            return Err("its path is absolute");
        }
        if name.split('/').any(|segment| segment == "..") {
            return Err("its path leads out of the archive");
        }
        let whole: ArtifactPath = name.parse().map_err(|_| "its name cannot stand in an archive")?;
        let (first, rest) = whole
            .as_str()
            .split_once('/')
            .ok_or("it stands outside the top folder")?;
        match &self.top {
            None => self.top = Some(first.to_owned()),
            Some(top) if top == first => {}
            Some(_) => return Err("it stands outside the top folder"),
        }
        rest.parse().map_err(|_| "its name cannot stand in an archive")
    }
}

/// A name as it can be shown: what a terminal would obey is written as an escape.
fn shown(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let short: String = name.chars().take(MAX_SHOWN).collect();
    format!(
        "\"{}\"{}",
        short.escape_debug(),
        if short.len() < name.len() { "…" } else { "" }
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Listing, Place};

    fn listing(names: &[&[u8]]) -> Listing {
        let mut listing = Listing::default();
        for name in names {
            listing.add(name, 1, None, Place::Uncompressed { offset: 0 });
        }
        listing.finish()
    }

    #[rstest]
    #[case::absolute(b"/etc/shadow", "its path is absolute")]
    #[case::out(b"top/../../etc/shadow", "its path leads out of the archive")]
    #[case::nul(b"top/a\0b", "its name cannot stand in an archive")]
    #[case::escape(b"top/\x1b]0;pwned\x07", "its name cannot stand in an archive")]
    #[case::not_text(b"top/\xff", "its name is not UTF-8")]
    #[case::beside(b"other/a", "it stands outside the top folder")]
    #[case::alone(b"a", "it stands outside the top folder")]
    #[case::twice(b"top/good", "there is one of this name before it")]
    fn a_strange_name_is_left_out_in_one_harmless_line(#[case] name: &[u8], #[case] why: &str) {
        let listing = listing(&[b"top/good", name]);
        assert_eq!(listing.members.len(), 1);
        assert!(listing.notes[0].ends_with(why), "{:?}", listing.notes);
        assert!(!listing.notes[0].chars().any(char::is_control));
    }

    #[test]
    fn of_very_many_strange_names_some_are_told() {
        let listing = listing(&[b"/a".as_slice(); 100]);
        assert_eq!(listing.notes.len(), 21);
        assert_eq!(listing.notes[20], "and 80 more like these");
    }

    #[test]
    fn a_leading_dot_is_nothing() {
        let listing = listing(&[b"./top/a/b"]);
        assert_eq!(
            (listing.top.as_deref(), listing.members[0].path.as_str()),
            (Some("top"), "a/b")
        );
    }
}

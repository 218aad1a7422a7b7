//! Paths inside the archive: always relative, never leaving it, readable on every file system; not paths on the node.

use serde::{Deserialize, Serialize};

/// Longest name of one file or folder, in bytes (the least that common file systems allow).
const MAX_SEGMENT: usize = 255;
/// Longest path, in bytes. Leaves room for the top folder below the 4096 of `PATH_MAX`.
const MAX_PATH: usize = 1024;
/// Longest mark that tells artifacts of one name apart: `~` and a number of 32 bits. It must still fit in.
const MAX_MARK: usize = 11;

/// A string that cannot be a path inside the archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid archive path {0:?}: expected relative segments without `.`, `..`, empty names or control characters")]
pub struct InvalidPath(String);

/// A relative path of `/`-separated names inside the archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactPath(String);

impl ArtifactPath {
    /// Makes a path of names that come from the node, the cluster or a configuration. What cannot stand in a path is
    /// replaced by `_`, what is too long is cut; the result is always a legal path below the parts given.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self::clean(names, MAX_PATH - MAX_MARK)
    }

    fn clean<'a>(names: impl IntoIterator<Item = &'a str>, max: usize) -> Self {
        let mut path = String::new();
        for segment in names
            .into_iter()
            .flat_map(|name| name.split('/'))
            .filter(|s| !s.is_empty())
        {
            if !path.is_empty() {
                path.push('/');
            }
            push_clean(&mut path, segment);
        }
        if path.is_empty() {
            path.push('_');
        }
        truncate(&mut path, max);
        // A cut may have left a slash at the end, or of a name nothing but the dots it began with.
        let last = path.rfind('/').map_or(0, |at| at + 1);
        if path.get(last..).is_some_and(|name| matches!(name, "" | "." | "..")) {
            path.truncate(last.saturating_sub(1));
        }
        Self(path)
    }

    /// The path one level or more below this one, made as [`Self::from_names`] makes it.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        Self::from_names([self.as_str(), name])
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders above this path, outermost first.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').filter_map(|(at, _)| self.0.get(..at))
    }

    /// The same path with `~n` before its file extension: the name for the `n`th artifact of one name.
    #[must_use]
    pub(crate) fn numbered(&self, n: u32) -> Self {
        let name_start = self.0.rfind('/').map_or(0, |at| at + 1);
        let dot = self.0.rfind('.').filter(|&at| at > name_start).unwrap_or(self.0.len());
        let (stem, extension) = self.0.split_at(dot);
        let mark = format!("~{n}");
        let mut path = stem.to_owned();
        // A name as long as it may be gives up the end of its stem, or of its extension where that is nearly all of it.
        let end = name_start + MAX_SEGMENT;
        truncate(
            &mut path,
            end.saturating_sub(mark.len() + extension.len()).max(name_start),
        );
        path.push_str(&mark);
        path.push_str(extension);
        truncate(&mut path, end);
        Self(path)
    }
}

fn push_clean(path: &mut String, segment: &str) {
    let start = path.len();
    // Backslash and colon are separators elsewhere; a leading dot-dot is the classic way out of an archive.
    path.extend(segment.chars().map(|c| {
        if c.is_control() || matches!(c, '\\' | ':') {
            '_'
        } else {
            c
        }
    }));
    if path.get(start..).is_some_and(|s| s == "." || s == "..") {
        path.truncate(start);
        path.push('_');
    }
    truncate(path, start + MAX_SEGMENT);
}

fn truncate(text: &mut String, mut len: usize) {
    while len < text.len() && !text.is_char_boundary(len) {
        len -= 1;
    }
    text.truncate(len);
}

impl TryFrom<String> for ArtifactPath {
    type Error = InvalidPath;
    fn try_from(value: String) -> Result<Self, InvalidPath> {
        let clean = Self::clean([value.as_str()], MAX_PATH);
        if clean.0 == value {
            Ok(clean)
        } else {
            Err(InvalidPath(value))
        }
    }
}

impl std::str::FromStr for ArtifactPath {
    type Err = InvalidPath;
    fn from_str(value: &str) -> Result<Self, InvalidPath> {
        Self::try_from(value.to_owned())
    }
}

impl From<ArtifactPath> for String {
    fn from(path: ArtifactPath) -> Self {
        path.0
    }
}

impl std::fmt::Display for ArtifactPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::ArtifactPath;
    use proptest::prelude::*;

    #[test]
    fn hostile_names_stay_inside() {
        for (names, expected) in [
            (&["../../etc/passwd"][..], "_/_/etc/passwd"),
            (&["/etc/shadow"], "etc/shadow"),
            (&["a", "..", "b"], "a/_/b"),
            (&["a\0b\n", "C:\\x"], "a_b_/C__x"),
            (&["", "//"], "_"),
        ] {
            assert_eq!(ArtifactPath::from_names(names.iter().copied()).as_str(), expected);
        }
    }

    #[test]
    fn numbering_keeps_the_extension() {
        let path = |s: &str| s.parse::<ArtifactPath>().unwrap();
        assert_eq!(path("a.d/x.log").numbered(2).as_str(), "a.d/x~2.log");
        assert_eq!(path("a.d/x").numbered(3).as_str(), "a.d/x~3");
    }

    #[test]
    fn a_cut_leaves_no_way_out_and_no_folder() {
        // The longest path would end just behind a slash, or behind the dots that a name begins with.
        for (first, folders, tail) in [("aa", 505, "x"), ("aa", 504, "..x"), ("a", 505, ".x")] {
            let above = first.to_owned() + &"/a".repeat(folders);
            let path = ArtifactPath::from_names([above.as_str(), tail]);
            assert!(path.as_str().ends_with('a'), "{}", path.as_str().len());
            assert_eq!(path.as_str().parse(), Ok(path.clone()));
        }
    }

    #[test]
    fn parents_come_outermost_first() {
        let path: ArtifactPath = "a/b/c.txt".parse().unwrap();
        assert_eq!(path.parents().collect::<Vec<_>>(), ["a", "a/b"]);
    }

    proptest! {
        #[test]
        fn whatever_comes_in_a_legal_path_comes_out(names in prop::collection::vec(".*", 0..6)) {
            let path = ArtifactPath::from_names(names.iter().map(String::as_str));
            prop_assert!(path.as_str().len() <= super::MAX_PATH);
            prop_assert!(path.as_str().split('/').all(|s| !s.is_empty() && s != "." && s != ".." && s.len() <= super::MAX_SEGMENT));
            prop_assert!(!path.as_str().chars().any(char::is_control));
            prop_assert_eq!(ArtifactPath::try_from(path.as_str().to_owned()).unwrap(), path);
        }

        #[test]
        fn a_number_keeps_a_path_legal_and_tells_it_from_others(
            names in prop::collection::vec("[a-z./é]{1,300}", 1..6),
            n in 2_u32..,
        ) {
            let path = ArtifactPath::from_names(names.iter().map(String::as_str));
            let numbered = path.numbered(n);
            prop_assert!(numbered != path && numbered != path.numbered(n - 1));
            prop_assert_eq!(ArtifactPath::try_from(numbered.as_str().to_owned()), Ok(numbered));
        }
    }
}

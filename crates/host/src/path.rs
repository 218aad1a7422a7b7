//! The name of a file on the node, kept apart from paths of this process.
//!
//! A [`HostPath`] is only a name: it says nothing about existence, and it is never joined onto a folder of ours.
//! [`HostRoot`](crate::HostRoot) resolves it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Longest path the kernel takes, its terminating NUL included (`PATH_MAX`, `path_resolution(7)`).
const PATH_MAX: usize = 4096;

/// An absolute path on the node, without `.`, `..`, doubled or trailing slashes.
///
/// `..` is refused because its meaning depends on the links before it: a path that reads as confined to a folder
/// could leave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPath(String);

/// Why a text is not a [`HostPath`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HostPathError {
    /// It does not begin with `/`.
    #[error("{0:?} is not an absolute path")]
    NotAbsolute(String),
    /// It contains a NUL byte, which no file name can.
    #[error("{0:?} contains a NUL byte")]
    Nul(String),
    /// It contains a `..` component.
    #[error("{0:?} contains \"..\"")]
    Parent(String),
    /// It is longer than the kernel takes.
    #[error("path of {0} bytes is longer than {max} bytes", max = PATH_MAX - 1)]
    TooLong(usize),
}

impl HostPath {
    /// Checks and normalises `path`.
    pub fn new(path: &str) -> Result<Self, HostPathError> {
        if !path.starts_with('/') {
            return Err(HostPathError::NotAbsolute(path.to_owned()));
        }
        Self::root().join(path)
    }

    /// The node's root folder, `/`.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// This path with `relative` (one or more components; leading slashes are ignored) below it.
    pub fn join(&self, relative: &str) -> Result<Self, HostPathError> {
        let mut joined = self.0.clone();
        for part in relative.split('/').filter(|part| !part.is_empty() && *part != ".") {
            if part == ".." {
                return Err(HostPathError::Parent(relative.to_owned()));
            }
            if part.contains('\0') {
                return Err(HostPathError::Nul(relative.to_owned()));
            }
            if !joined.ends_with('/') {
                joined.push('/');
            }
            joined.push_str(part);
        }
        if joined.len() >= PATH_MAX {
            return Err(HostPathError::TooLong(joined.len()));
        }
        Ok(Self(joined))
    }

    /// The whole path, beginning with `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component; `None` for `/`.
    pub fn file_name(&self) -> Option<&str> {
        self.components().last()
    }

    /// The folder it is in; `None` for `/`.
    pub fn parent(&self) -> Option<Self> {
        let (folder, name) = self.0.rsplit_once('/')?;
        match (folder, name) {
            (_, "") => None,
            ("", _) => Some(Self::root()),
            _ => Some(Self(folder.to_owned())),
        }
    }

    /// The components from the root on; none for `/`.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// Whether this is `folder` or lies below it, by name.
    pub fn is_within(&self, folder: &Self) -> bool {
        match self.0.strip_prefix(folder.0.trim_end_matches('/')) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }
}

impl fmt::Display for HostPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for HostPath {
    type Err = HostPathError;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        Self::new(path)
    }
}

impl TryFrom<&str> for HostPath {
    type Error = HostPathError;

    fn try_from(path: &str) -> Result<Self, Self::Error> {
        Self::new(path)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("/var/log/syslog", "/var/log/syslog")]
    #[case::root("/", "/")]
    #[case::doubled_and_trailing("//var///log/", "/var/log")]
    #[case::dots("/./var/./log/.", "/var/log")]
    #[case::not_quite_parent("/var/..log", "/var/..log")]
    fn normalises(#[case] given: &str, #[case] expected: &str) {
        assert_eq!(HostPath::new(given).unwrap().as_str(), expected);
    }

    #[rstest]
    #[case::empty("", HostPathError::NotAbsolute(String::new()))]
    #[case::relative("var/log", HostPathError::NotAbsolute("var/log".into()))]
    #[case::parent("/var/../etc", HostPathError::Parent("/var/../etc".into()))]
    #[case::nul("/var/\0", HostPathError::Nul("/var/\0".into()))]
    fn refuses(#[case] given: &str, #[case] expected: HostPathError) {
        assert_eq!(HostPath::new(given).unwrap_err(), expected);
    }

    #[rstest]
    #[case::inside("/var/log/x", "/var/log", true)]
    #[case::itself("/var/log", "/var/log", true)]
    #[case::sibling("/var/logs", "/var/log", false)]
    #[case::root("/etc", "/", true)]
    #[case::above("/var", "/var/log", false)]
    fn within(#[case] path: &str, #[case] folder: &str, #[case] expected: bool) {
        assert_eq!(
            HostPath::new(path).unwrap().is_within(&HostPath::new(folder).unwrap()),
            expected
        );
    }

    #[test]
    fn parents_end_at_the_root() {
        let path = HostPath::new("/var/log").unwrap();
        let var = path.parent().unwrap();
        assert_eq!((var.as_str(), path.file_name()), ("/var", Some("log")));
        assert_eq!(var.parent(), Some(HostPath::root()));
        assert_eq!(HostPath::root().parent(), None);
        assert_eq!(HostPath::root().file_name(), None);
    }

    proptest! {
        #[test]
        fn an_accepted_path_is_its_own_normal_form(text in "/[a./\\x00]{0,20}") {
            if let Ok(path) = HostPath::new(&text) {
                prop_assert_eq!(&HostPath::new(path.as_str()).unwrap(), &path);
                prop_assert!(path.components().all(|part| part != ".." && part != "."));
            }
        }
    }
}

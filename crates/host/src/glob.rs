//! Finding the files of the node that a shell pattern names.
//!
//! `*`, `?` and `[…]` match within one component; `**` as a whole component matches any number of real folders.
//! Names beginning with a dot are only matched by a dot, as in a shell. Nothing is opened but folders.

use crate::pattern::{NamePattern, is_pattern};
use crate::{DirEntry, EntryKind, HostError, HostPath, HostRoot};

/// Most paths one pattern may find; more is a mistake in the pattern or an attack.
const MAX_MATCHES: usize = 16_384;

/// Most entries looked at for one pattern: bounds the time that `/**` takes on a whole node.
const MAX_VISITED: usize = 262_144;

/// How deep `**` descends below where it stands.
const MAX_DEPTH: usize = 32;

/// What a pattern found.
#[derive(Debug, Default)]
pub struct GlobMatches {
    /// The paths, sorted; whatever their kind.
    pub paths: Vec<HostPath>,
    /// Folders that could not be looked into, so that matches may be missing.
    pub unread: Vec<HostError>,
    /// Whether a bound was reached, so that matches are missing.
    pub cut: bool,
}

impl HostRoot {
    /// Finds what `pattern`, an absolute path whose components may be shell patterns, names.
    ///
    /// Links to folders are followed, inside the root, where a component of the pattern names them; `**` does not
    /// follow links, so it cannot run in circles. The only error is a pattern that is no path.
    pub fn glob(&self, pattern: &str) -> Result<GlobMatches, HostError> {
        let parts: Vec<Part> = HostPath::new(pattern)?.components().map(Part::new).collect();
        let mut search = Search {
            root: self,
            visited: 0,
            over: false,
            found: GlobMatches::default(),
        };
        search.expand(&HostPath::root(), &parts, 0);
        let mut found = search.found;
        found.paths.sort();
        found.paths.dedup();
        Ok(found)
    }
}

impl HostPath {
    /// Whether [`HostRoot::glob`] takes any component for a pattern.
    pub fn is_pattern(&self) -> bool {
        self.components().any(is_pattern)
    }
}

enum Part {
    Name(String),
    Pattern(NamePattern),
    /// `**`
    Folders,
}

impl Part {
    fn new(text: &str) -> Self {
        if text == "**" {
            return Self::Folders;
        }
        let pattern = NamePattern::new(text);
        match pattern.literal() {
            Some(name) => Self::Name(name),
            None => Self::Pattern(pattern),
        }
    }
}

struct Search<'a> {
    root: &'a HostRoot,
    visited: usize,
    found: GlobMatches,
    /// A bound on the whole search was reached.
    over: bool,
}

impl Search<'_> {
    /// Adds what `parts` name below `folder`; `depth` counts the folders that a `**` has gone down.
    fn expand(&mut self, folder: &HostPath, parts: &[Part], depth: usize) {
        if self.over {
            return;
        }
        let Some((part, rest)) = parts.split_first() else {
            self.add(folder);
            return;
        };
        match part {
            Part::Name(name) => {
                let Some(path) = self.below(folder, name) else { return };
                if !rest.is_empty() {
                    self.expand(&path, rest, 0);
                    return;
                }
                match self.root.link_metadata(&path) {
                    Ok(_) => self.add(&path),
                    Err(error) => self.missed(error),
                }
            }
            Part::Pattern(pattern) => {
                for entry in self.entries(folder) {
                    if pattern.matches(&entry.name) {
                        self.descend(folder, &entry, rest);
                    }
                }
            }
            Part::Folders => {
                // A trailing `**` names everything below.
                if !rest.is_empty() {
                    self.expand(folder, rest, 0);
                }
                for entry in self.entries(folder) {
                    if entry.name.starts_with('.') {
                        continue;
                    }
                    let Some(path) = self.below(folder, &entry.name) else {
                        continue;
                    };
                    if rest.is_empty() {
                        self.add(&path);
                    }
                    if entry.kind == EntryKind::Dir {
                        if depth < MAX_DEPTH {
                            self.expand(&path, parts, depth + 1);
                        } else {
                            self.found.cut = true;
                        }
                    }
                }
            }
        }
    }

    fn descend(&mut self, folder: &HostPath, entry: &DirEntry, rest: &[Part]) {
        let Some(path) = self.below(folder, &entry.name) else {
            return;
        };
        if rest.is_empty() {
            self.add(&path);
        } else if matches!(entry.kind, EntryKind::Dir | EntryKind::Link) {
            self.expand(&path, rest, 0);
        }
    }

    fn entries(&mut self, folder: &HostPath) -> Vec<DirEntry> {
        match self.root.read_dir(folder) {
            Ok(entries) => {
                self.visited += entries.len();
                if self.visited > MAX_VISITED {
                    self.stop();
                    return Vec::new();
                }
                entries
            }
            Err(error) => {
                self.missed(error);
                Vec::new()
            }
        }
    }

    fn add(&mut self, path: &HostPath) {
        if self.found.paths.len() == MAX_MATCHES {
            self.stop();
        } else {
            self.found.paths.push(path.clone());
        }
    }

    fn stop(&mut self) {
        self.over = true;
        self.found.cut = true;
    }

    /// The path of `name` in `folder`, unless it is longer than paths can be.
    fn below(&mut self, folder: &HostPath, name: &str) -> Option<HostPath> {
        let path = folder.join(name).ok();
        self.found.cut |= path.is_none();
        path
    }

    fn missed(&mut self, error: HostError) {
        // What is not there, or is no folder, matches nothing: that is no gap.
        if !matches!(error, HostError::NotFound { .. } | HostError::WrongKind { .. }) {
            self.found.unread.push(error);
        }
    }
}

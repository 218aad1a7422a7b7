//! The few ways in which actions say what they would take: by names, sizes and permissions. No content is read.

use std::time::SystemTime;

use jiff::Timestamp;
use periscope_core::{PlannedItem, State};
use periscope_host::{Confinement, EntryKind, HostError, HostPath, HostRoot};

use crate::commands::CommandRow;
use crate::host_files::{inflated_name, reason_of, state_of, too_old, unseen};

/// The bits of a mode that let anybody run a file.
const ANY_EXECUTE: u32 = 0o111;

/// A file that a listing found.
pub(crate) struct Found {
    /// The artifact's name.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: HostPath,
    /// Bytes.
    pub(crate) len: u64,
    /// When it was last written.
    pub(crate) modified: SystemTime,
}

/// A file that would be copied, if it may be opened. Blocks.
pub(crate) fn file(
    root: &HostRoot,
    found: Found,
    within: Option<&Confinement>,
    since: Option<Timestamp>,
) -> PlannedItem {
    let Found {
        name,
        path,
        len,
        modified,
    } = found;
    if since.is_some_and(|since| modified < SystemTime::from(since)) {
        return PlannedItem::missing(name, State::NotApplicable, too_old(modified)).source(path.as_str());
    }
    // Opening is what shows whether it may be read; nothing is read.
    let opened = match within {
        Some(within) => root.open_confined(&path, within),
        None => root.open(&path),
    };
    match opened {
        Ok(_) if inflated_name(path.as_str()) != path.as_str() => PlannedItem::new(name, path.as_str()).of_gzip(len),
        Ok(_) => PlannedItem::new(name, path.as_str()).of_text(len),
        Err(error) => refused(name, path.as_str(), &error),
    }
}

/// A file of the kernel's, which has no length. Blocks.
pub(crate) fn kernel_file(root: &HostRoot, name: &str, path: &str) -> PlannedItem {
    match HostPath::new(path)
        .map_err(HostError::from)
        .and_then(|path| root.metadata(&path))
    {
        Ok(_) => PlannedItem::new(name, path),
        Err(error) => refused(name, path, &error),
    }
}

/// The first of these files that is there. Blocks.
pub(crate) fn first_of(root: &HostRoot, name: &str, paths: &[String]) -> PlannedItem {
    let mut item = PlannedItem::missing(name, State::NotPresent, "there is no such file");
    for path in paths {
        let found = matching(root, path, "").into_iter().next();
        match found {
            Some(found) if found.state == State::Collected => {
                return PlannedItem {
                    name: name.to_owned(),
                    ..found
                };
            }
            Some(found) => {
                item = PlannedItem {
                    name: name.to_owned(),
                    ..found
                }
            }
            None => {}
        }
    }
    item
}

/// The files that a glob matches, below `folder` of the action's. Blocks.
pub(crate) fn matching(root: &HostRoot, pattern: &str, folder: &str) -> Vec<PlannedItem> {
    let matches = match root.glob(pattern) {
        Ok(matches) => matches,
        Err(HostError::NotFound { .. }) => return Vec::new(),
        Err(error) => return vec![refused(pattern, pattern, &error)],
    };
    let unread = matches.unread.iter().map(|error| refused(pattern, pattern, error));
    let mut items: Vec<_> = unread.collect();
    for path in matches.paths {
        let name = format!("{folder}{path}");
        match root.metadata(&path) {
            Ok(metadata) if metadata.kind == EntryKind::File => {
                let found = Found {
                    name,
                    path,
                    len: metadata.len,
                    modified: metadata.modified,
                };
                items.push(file(root, found, None, None));
            }
            Err(error) if !matches!(error, HostError::NotFound { .. }) => {
                items.push(refused(name, path.as_str(), &error));
            }
            _ => {}
        }
    }
    items
}

/// A command that would be run, if the node has it. Blocks.
pub(crate) fn command(root: &HostRoot, row: &CommandRow) -> PlannedItem {
    let mut words = vec![row.programs.first().copied().unwrap_or_default()];
    words.extend(row.args);
    let line = words.join(" ");
    let is_program = |path: &&&str| {
        let metadata = HostPath::new(path).ok().and_then(|path| root.metadata(&path).ok());
        metadata.is_some_and(|file| file.kind == EntryKind::File && file.mode & ANY_EXECUTE != 0)
    };
    if row.programs.iter().any(|path| is_program(&path)) {
        PlannedItem::new(row.artifact, line)
    } else if let Some(error) = unseen(root, row.programs.iter().copied()) {
        refused(row.artifact, &line, &error)
    } else {
        let reason = format!("the node has none of {}", row.programs.join(", "));
        PlannedItem::missing(row.artifact, State::NotPresent, reason).source(line)
    }
}

fn refused(name: impl Into<String>, path: &str, error: &HostError) -> PlannedItem {
    PlannedItem::missing(name, state_of(error), reason_of(error)).source(path)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use periscope_core::{Content, State};
    use periscope_host::{HostPath, HostRoot, NetworkChoice};
    use periscope_testkit::HostFixture;

    use super::{command, first_of, matching};
    use crate::commands::CommandRow;

    #[test]
    fn files_have_sizes_and_compressed_ones_count_as_they_are() {
        let node = HostFixture::new()
            .file("/var/log/a.log", "x".repeat(100).as_str())
            .file("/var/log/b.log.gz", "y".repeat(40).as_str());
        let items = matching(&node.root(), "/var/log/*", "files");
        let rows: Vec<_> = items
            .iter()
            .map(|item| (item.name.as_str(), item.bytes, item.packed_bytes))
            .collect();
        assert_eq!(
            rows,
            [
                ("files/var/log/a.log", Some(100), Some(20)),
                ("files/var/log/b.log.gz", Some(200), Some(40))
            ]
        );
    }

    #[test]
    fn of_several_places_the_one_that_is_there_counts() {
        let node = HostFixture::new().file("/etc/b", "1234");
        let paths = ["/etc/a".to_owned(), "/etc/b".to_owned()];
        let item = first_of(&node.root(), "config", &paths);
        assert_eq!(
            (item.name.as_str(), item.source.as_deref(), item.bytes),
            ("config", Some("/etc/b"), Some(4))
        );
        assert_eq!(first_of(&node.root(), "config", &paths[..1]).state, State::NotPresent);
        assert!(HostPath::new("/etc/b").is_ok());
    }

    #[test]
    fn a_command_that_the_node_lacks_is_told() {
        const ROW: CommandRow = CommandRow {
            artifact: "out.txt",
            programs: &["/usr/sbin/tool", "/sbin/tool"],
            args: &["-c"],
            content: Content::Text,
            network: NetworkChoice::Own,
            timeout: Duration::from_secs(1),
        };
        let item = command(&HostFixture::new().root(), &ROW);
        assert_eq!(item.state, State::NotPresent);
        assert_eq!(
            item.reason.as_deref(),
            Some("the node has none of /usr/sbin/tool, /sbin/tool")
        );
        assert_eq!(item.source.as_deref(), Some("/usr/sbin/tool -c"));
        let unseen = HostRoot::mounted_into(&HostFixture::new().real_path("/")).unwrap();
        assert_eq!(command(&unseen, &ROW).state, State::Denied);
    }
}

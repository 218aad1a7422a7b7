//! Finds and opens the journal files of the node; it does not look into them.

use std::cmp::Reverse;
use std::fs::File;

use periscope_host::{HostError, HostPath, HostRoot};
use periscope_journal::Source;

/// Where journald keeps its files: on disk, and in memory until the disk is there (systemd-journald.service(8)).
const FOLDERS: [&str; 2] = ["/var/log/journal", "/run/log/journal"];

/// Most files that are open at once; journald keeps 100 rotated ones of a kind unless told otherwise
/// (`SystemMaxFiles=`).
const MAX_FILES: usize = 400;

/// The machine's own id (machine-id(5)): the name of the folder of its own journals.
const MACHINE_ID: &str = "/etc/machine-id";

/// Longest content of that file that is an id.
const MACHINE_ID_BYTES: usize = 64;

/// The journal files of the node.
#[derive(Default)]
pub(super) struct JournalFiles {
    /// The open files.
    pub(super) open: Vec<Source<File>>,
    /// The files and folders that could not be opened or listed, apart from what is not there.
    pub(super) unread: Vec<(String, HostError)>,
    /// The names of files that are left out because they are too many, the oldest.
    pub(super) too_many: Vec<HostPath>,
}

/// Opens the files that hold entries of services and of the kernel, current and rotated, whole and damaged. Blocks.
pub(super) fn open(root: &HostRoot) -> JournalFiles {
    let mut files = JournalFiles::default();
    let mut paths = Vec::new();
    for folder in FOLDERS {
        match list(root, folder, &mut files.unread) {
            Ok(found) => paths.extend(found),
            Err(HostError::NotFound { .. }) => {}
            Err(error) => files.unread.push((folder.to_owned(), error)),
        }
    }
    paths.sort_by_key(|path| root.metadata(path).ok().map(|metadata| Reverse(metadata.modified)));
    files.too_many = paths.split_off(paths.len().min(MAX_FILES));
    for path in paths {
        match root.open(&path) {
            Ok(file) => files.open.push(Source {
                name: path.to_string(),
                file: file.into_std(),
            }),
            // Removed since the folder was listed: journald makes room for new entries so.
            Err(HostError::NotFound { .. }) => {}
            Err(error) => files.unread.push((path.to_string(), error)),
        }
    }
    files
}

/// The journal files below one folder: of this machine if it has any, else of all. An image's own journals may lie
/// beside those of the machines that were made from it.
fn list(root: &HostRoot, folder: &str, unread: &mut Vec<(String, HostError)>) -> Result<Vec<HostPath>, HostError> {
    let folder = HostPath::new(folder)?;
    let mut machines = root.read_dir(&folder)?;
    let own = root
        .read_text(&HostPath::new(MACHINE_ID)?, MACHINE_ID_BYTES)
        .unwrap_or_default();
    if machines.iter().any(|machine| machine.name == own.trim()) {
        machines.retain(|machine| machine.name == own.trim());
    }
    let mut found = Vec::new();
    for machine in machines {
        let machine = folder.join(&machine.name)?;
        match root.read_dir(&machine) {
            Ok(entries) => {
                let journals = entries.iter().filter(|entry| is_journal(&entry.name));
                found.extend(journals.filter_map(|entry| machine.join(&entry.name).ok()));
            }
            Err(HostError::NotFound { .. } | HostError::WrongKind { .. }) => {}
            Err(error) => unread.push((machine.to_string(), error)),
        }
    }
    Ok(found)
}

/// `.journal~` is a file that was not closed properly. Files of users hold nothing of services or the kernel.
fn is_journal(name: &str) -> bool {
    (name.ends_with(".journal") || name.ends_with(".journal~")) && !name.starts_with("user-")
}

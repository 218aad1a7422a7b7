//! Removes the archives of older runs from the agent's folder on the node, which would else grow with every run.
//!
//! It knows what it made by its name and removes nothing else: whatever somebody put beside it stays, and so does the
//! folder around it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, SystemTime};

use periscope_core::{NodeName, RunId};
use rustix::fs::{AtFlags, CWD, Dir, FileType};

use crate::own_folder::open_folder;

/// Runs whose archives stay.
pub const KEPT_RUNS: usize = 3;

/// Most bytes that the archives of all runs but the newest take.
const MAX_BYTES: u64 = 2 << 30;

/// The same as a part of the file system, which is the node's own: 5 %.
const MAX_PART: u64 = 20;

/// Entries looked at in one folder; there are a handful.
const MAX_ENTRIES: usize = 4096;

/// The ends of our archives' names.
const SUFFIXES: [&str; 2] = [".zip", ".tar.gz"];

/// The name of what the cluster's part leaves, where a node's archive has the node's.
const CLUSTER: &str = "cluster";

/// One of our files in a run's folder.
struct Archive {
    name: String,
    bytes: u64,
}

/// What one run left.
struct Left {
    run: RunId,
    folder: OwnedFd,
    archives: Vec<Archive>,
    newest: SystemTime,
}

/// Keeps the newest `runs` runs, and of them no more than the bound on bytes allows, though always the newest. `spared`
/// is kept in any case.
///
/// Blocks; the number of bytes that were freed.
///
/// # Errors
/// When the folder cannot be looked at. A file that cannot be removed is said and stays.
pub(crate) fn prune(folder: &Path, node: &NodeName, runs: usize, spared: &RunId) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(folder)?;
    let whole = stat.f_blocks.saturating_mul(stat.f_frsize);
    prune_to(folder, node, runs, spared, MAX_BYTES.min(whole / MAX_PART))
}

fn prune_to(folder: &Path, node: &NodeName, runs: usize, spared: &RunId, max_bytes: u64) -> io::Result<u64> {
    let top = open_folder(CWD, folder)?;
    let mut left = what_is_left(&top, node)?;
    left.sort_by(|a, b| (b.newest, &b.run).cmp(&(a.newest, &a.run)));
    let mut bytes = 0;
    let mut freed = 0;
    for (place, left) in left.iter().enumerate() {
        let own: u64 = left.archives.iter().map(|archive| archive.bytes).sum();
        let fits = place < runs && (place == 0 || bytes + own <= max_bytes);
        if fits || left.run == *spared {
            bytes += own;
        } else {
            freed += remove(&top, left);
        }
    }
    Ok(freed)
}

fn what_is_left(top: &OwnedFd, node: &NodeName) -> io::Result<Vec<Left>> {
    let mut all = Vec::new();
    for name in names(top)? {
        // Names of runs begin with a letter or a digit, so that our own folder is none.
        let Ok(run) = name.parse::<RunId>() else { continue };
        // A link, a file, a mount that hangs: not ours.
        let Ok(folder) = open_folder(top, name.as_str()) else {
            continue;
        };
        let mut archives = Vec::new();
        let mut newest = SystemTime::UNIX_EPOCH;
        for name in names(&folder)?.into_iter().filter(|name| is_ours(name, node)) {
            let Ok(stat) = rustix::fs::statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            if FileType::from_raw_mode(stat.st_mode).is_file() {
                let bytes = u64::try_from(stat.st_size).unwrap_or_default();
                let seconds = u64::try_from(stat.st_mtime).unwrap_or_default();
                newest = newest.max(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
                archives.push(Archive { name, bytes });
            }
        }
        if !archives.is_empty() {
            all.push(Left {
                run,
                folder,
                archives,
                newest,
            });
        }
    }
    Ok(all)
}

/// `<node>.zip`, `cluster.tar.gz`, or such a one as it is called before it is whole (`.<node>.zip.x1Y2z3.partial`).
fn is_ours(name: &str, node: &NodeName) -> bool {
    let whole = name
        .strip_prefix('.')
        .and_then(|name| name.strip_suffix(".partial")?.rsplit_once('.'))
        .map_or(name, |(whole, _)| whole);
    let stem = SUFFIXES.iter().find_map(|suffix| whole.strip_suffix(suffix));
    stem.is_some_and(|stem| stem == node.as_str() || stem == CLUSTER)
}

fn remove(top: &OwnedFd, left: &Left) -> u64 {
    let mut freed = 0;
    for archive in &left.archives {
        match rustix::fs::unlinkat(&left.folder, &archive.name, AtFlags::empty()) {
            Ok(()) => freed += archive.bytes,
            Err(error) => {
                tracing::warn!("Cannot remove {} of the older run {}: {error}.", archive.name, left.run);
            }
        }
    }
    // What holds something that is not ours stays.
    if rustix::fs::unlinkat(top, left.run.as_str(), AtFlags::REMOVEDIR).is_ok() {
        tracing::debug!(run = %left.run, freed, "Removed an older run from the node.");
    }
    freed
}

fn names(folder: &OwnedFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)?.take(MAX_ENTRIES) {
        if let Ok(name) = entry?.file_name().to_str() {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rstest::rstest;
    use rustix::fs::{Timespec, Timestamps};
    use tempfile::TempDir;

    use super::*;

    fn put(folder: &TempDir, path: &str, bytes: usize, minute: i64) {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, vec![0; bytes]).unwrap();
        let time = Timespec {
            tv_sec: 60 * (1_000_000 + minute),
            tv_nsec: 0,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        rustix::fs::utimensat(CWD, &path, &times, AtFlags::empty()).unwrap();
    }

    fn pruned(folder: &TempDir, runs: usize, max_bytes: u64) -> u64 {
        let (node, spared) = ("node-1".parse().unwrap(), "spared".parse().unwrap());
        prune_to(folder.path(), &node, runs, &spared, max_bytes).unwrap()
    }

    fn has(folder: &TempDir, path: &str) -> bool {
        folder.path().join(path).symlink_metadata().is_ok()
    }

    #[test]
    fn the_newest_runs_stay() {
        let folder = tempfile::tempdir().unwrap();
        for (run, minute) in [("d", 1), ("c", 2), ("b", 3), ("a", 4), ("spared", 0)] {
            put(&folder, &format!("{run}/node-1.zip"), 10, minute);
        }
        put(&folder, "c/cluster.zip", 5, 2);
        put(&folder, "c/.node-1.tar.gz.abc123.partial", 5, 2);
        assert_eq!(pruned(&folder, 2, 1000), 30);
        for (run, stays) in [("a", true), ("b", true), ("c", false), ("d", false), ("spared", true)] {
            assert_eq!(has(&folder, run), stays, "{run}");
        }
    }

    #[rstest]
    #[case::all_fit(30, 0)]
    #[case::one_too_many(29, 10)]
    #[case::the_newest_stays(0, 20)]
    fn bytes_are_bounded(#[case] max_bytes: u64, #[case] freed: u64) {
        let folder = tempfile::tempdir().unwrap();
        for (run, minute) in [("c", 2), ("b", 3), ("a", 4)] {
            put(&folder, &format!("{run}/node-1.zip"), 10, minute);
        }
        assert_eq!(pruned(&folder, 3, max_bytes), freed);
        assert!(has(&folder, "a/node-1.zip"));
    }

    #[test]
    fn what_it_did_not_make_stays() {
        let folder = tempfile::tempdir().unwrap();
        let foreign = [
            "a/notes.txt",
            "a/node-2.zip",
            "b/deep/node-1.zip",
            ".agent/node-1.zip",
            ".agent/runs.json",
            "node-1.zip",
            "c/.hidden.zip",
        ];
        for path in foreign {
            put(&folder, path, 10, 1);
        }
        put(&folder, "a/node-1.zip", 10, 1);
        put(&folder, "elsewhere", 10, 1);
        symlink(folder.path().join("b/deep"), folder.path().join("link")).unwrap();
        fs::create_dir(folder.path().join("d")).unwrap();
        symlink(folder.path().join("elsewhere"), folder.path().join("d/node-1.zip")).unwrap();
        assert_eq!(pruned(&folder, 0, 0), 10);
        assert!(
            foreign
                .into_iter()
                .chain(["elsewhere", "link", "d/node-1.zip"])
                .all(|path| has(&folder, path))
        );
        assert!(!has(&folder, "a/node-1.zip"));
    }
}

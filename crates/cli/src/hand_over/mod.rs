//! The hidden command `hand-over`: writes an archive of the agent's folder to standard output, for `kollect`, which
//! runs it in the agent's pod (`pods/exec`). So only who may run commands in the pod gets archives, and no port is open
//! for it.

mod framing;

pub(crate) use framing::{Arrival, Torn};

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use periscope_core::{NodeName, RunId};
use periscope_manifests::names;

use crate::exit::{Ended, Exit};

/// Where agents keep archives, as their pods see it: under our own manifests, and under those that mount `/var/log`
/// alone.
const FOLDERS: [&str; 2] = [names::POD_FOLDER, names::NODE_FOLDER];

#[derive(Debug, clap::Args)]
pub(crate) struct HandOverArgs {
    /// The run
    #[arg(long, value_name = "ID")]
    pub(crate) run_id: RunId,
    /// Whose archive: the node's name, or `cluster`
    #[arg(long, value_name = "NAME")]
    pub(crate) name: NodeName,
    /// Bytes that arrived before
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) offset: u64,
    /// Folder of the archives [default: the agent's]
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: HandOverArgs) -> Result<Exit> {
    let HandOverArgs {
        run_id,
        name,
        offset,
        folder,
    } = args;
    let folders = folder.map_or_else(|| FOLDERS.map(PathBuf::from).to_vec(), |folder| vec![folder]);
    // The names are checked to be such: no path leaves the folder.
    let mut paths = folders
        .iter()
        .map(|folder| folder.join(run_id.as_str()).join(format!("{name}.zip")));
    let file = paths.find_map(|path| open(&path).transpose());
    let Some(file) = file else {
        return Err(Ended::usage(format!(
            "no archive of {name} for run {run_id}: expected one that this agent made"
        )));
    };
    let file = file.context("could not open the archive")?;
    let length = file.metadata().context("could not look at the archive")?.len();
    framing::send(BufReader::new(file), length, offset, io::stdout().lock())
        .context("could not hand the archive over")?;
    Ok(Exit::Complete)
}

/// The file, if there is one. A link in its place is none: what others put there is not handed out.
#[expect(
    clippy::disallowed_methods,
    reason = "an archive of ours, which the node's own files do not lead to"
)]
fn open(path: &Path) -> io::Result<Option<File>> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.union(rustix::fs::OFlags::NONBLOCK);
    let flags = i32::try_from(no_follow.bits()).unwrap_or_default();
    match std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::open;

    #[test]
    fn only_a_file_is_handed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n.zip");
        assert!(open(&path).unwrap().is_none());
        symlink("/etc/hostname", &path).unwrap();
        assert!(open(&path).is_err());
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(open(&path).unwrap().is_none());
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, "PK").unwrap();
        assert!(open(&path).unwrap().is_some());
    }
}

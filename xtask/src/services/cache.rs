//! What was built or fetched once and is kept between runs and clones. Each entry is a folder named after its content,
//! made completely or not at all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::command::say;

/// Enough of a SHA-256 to tell apart the few versions that a machine ever sees.
const KEY_BYTES: usize = 6;

/// `$XDG_CACHE_HOME/aks-periscope-services`, locked: a second clone waits and then finds everything made.
pub(crate) struct Cache {
    folder: PathBuf,
    _turn: File,
}

impl Cache {
    pub(crate) fn open() -> Result<Self> {
        let base = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
            .context("neither XDG_CACHE_HOME nor HOME is set")?;
        Self::at(base.join("aks-periscope-services"))
    }

    fn at(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let turn = File::create(folder.join("lock")).context("cannot make the lock of the cache")?;
        turn.lock().context("cannot lock the cache")?;
        Ok(Self { folder, _turn: turn })
    }

    /// The folder of the entry `name` made from `inputs`; `make` fills it if it is not there yet.
    pub(crate) fn entry(
        &self,
        name: &str,
        inputs: &[&[u8]],
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let done = self.folder.join(format!("{name}-{}", key(inputs)));
        if done.is_dir() {
            return Ok(done);
        }
        let start = Instant::now();
        say(&format!("building {name}"));
        let partial = done.with_added_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).with_context(|| format!("cannot remove {}", partial.display()))?;
        }
        fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
        make(&partial)?;
        fs::rename(&partial, &done).with_context(|| format!("cannot rename {}", partial.display()))?;
        say(&format!("built {name} in {} s", start.elapsed().as_secs()));
        Ok(done)
    }
}

fn key(inputs: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for input in inputs {
        hash.update(input.len().to_le_bytes());
        hash.update(input);
    }
    let digest = hash.finalize();
    hex(digest.get(..KEY_BYTES).unwrap_or(&digest))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn an_entry_is_made_once_and_anew_for_other_inputs() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_owned()).unwrap();
        let get = |inputs: &[&[u8]]| {
            let mut made = false;
            let path = cache.entry("thing", inputs, |_| {
                made = true;
                Ok(())
            });
            (path.unwrap(), made)
        };
        let (first, made) = get(&[b"a", b"b"]);
        assert!(made && first.is_dir());
        assert_eq!(get(&[b"a", b"b"]), (first.clone(), false));
        let (other, made) = get(&[b"ab", b""]);
        assert!(made && other != first);
    }

    #[test]
    fn a_failed_entry_is_made_again_from_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_owned()).unwrap();
        let failed = cache.entry("thing", &[], |path| {
            fs::write(path.join("half"), "")?;
            bail!("out of luck")
        });
        assert_eq!(failed.unwrap_err().to_string(), "out of luck");
        let path = cache
            .entry("thing", &[], |path| Ok(fs::write(path.join("whole"), "")?))
            .unwrap();
        assert!(path.join("whole").is_file() && !path.join("half").exists());
    }
}

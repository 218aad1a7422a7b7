//! The programs in the folders of plugins, with the versions that are written into them.

use jiff::Timestamp;
use periscope_documents::CniPlugin;
use periscope_host::{EntryKind, HostError, HostPath, HostRoot};

use super::build_info;
use crate::table;

/// Most programs that are looked at; the plugins of all makers together are some 40.
const MAX_PLUGINS: usize = 256;

/// The bits of a mode that let anybody run a file.
const ANY_EXECUTE: u32 = 0o111;

/// The programs of these folders, by name. Blocks.
///
/// # Errors
/// When none of the folders can be listed.
pub(super) fn read(root: &HostRoot, folders: &[HostPath]) -> Result<Vec<CniPlugin>, HostError> {
    let mut found = Vec::new();
    let mut failed = None;
    for folder in folders {
        match root.read_dir(folder) {
            Ok(entries) => found.extend(
                entries
                    .iter()
                    .filter(|entry| matches!(entry.kind, EntryKind::File | EntryKind::Link))
                    .filter_map(|entry| plugin(root, folder, &entry.name)),
            ),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if found.is_empty() => Err(error),
        _ => {
            found.truncate(MAX_PLUGINS);
            Ok(found)
        }
    }
}

fn plugin(root: &HostRoot, folder: &HostPath, name: &str) -> Option<CniPlugin> {
    let path = folder.join(name).ok()?;
    let metadata = root.metadata(&path).ok().filter(|it| it.kind == EntryKind::File)?;
    let info = root.open(&path).map(|file| build_info::read(&file)).unwrap_or_default();
    Some(CniPlugin {
        name: name.to_owned(),
        folder: folder.to_string(),
        size: metadata.len,
        executable: metadata.mode & ANY_EXECUTE != 0,
        modified: Timestamp::try_from(metadata.modified).ok(),
        go: info.go,
        module: info.module,
        version: info.version,
    })
}

/// The programs as a table for people.
pub(super) fn as_table(plugins: &[CniPlugin]) -> String {
    let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let rows: Vec<_> = plugins
        .iter()
        .map(|plugin| {
            vec![
                plugin.name.clone(),
                word(&plugin.version),
                word(&plugin.go),
                plugin.size.to_string(),
                if plugin.executable { "yes" } else { "no" }.to_owned(),
                plugin
                    .modified
                    .map_or_else(|| "-".to_owned(), |time| time.strftime("%Y-%m-%d").to_string()),
                word(&plugin.module),
            ]
        })
        .collect();
    table::render(
        &["PLUGIN", "VERSION", "GO", "BYTES", "RUNS", "CHANGED", "MODULE"],
        &rows,
    )
}

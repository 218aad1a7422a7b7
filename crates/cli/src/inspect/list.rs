//! The list of an archive: its files, and what was to be in it and is not, each with its state, size, source and
//! reason.

use std::collections::BTreeMap;
use std::io::{self, Write};

use periscope_bundle::{Member, OpenArchive};
use periscope_core::{ItemRecord, Manifest};
use serde::Serialize;

use crate::run::show_size;

/// One row: a file of the archive, an item of its manifest, or both.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row<'a> {
    /// Path below the top folder.
    pub(super) path: &'a str,
    /// How the item ended; absent for a file that the manifest does not know.
    state: Option<&'static str>,
    /// Who was to gather it.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    /// Length of its content; absent where the archive has none.
    bytes: Option<u64>,
    /// When its source was last written.
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<jiff::Timestamp>,
    /// Where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    /// Why it is not simply there.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// The rows of an archive, by path. Without a manifest they are its files.
pub(super) fn rows<'a>(archive: &'a OpenArchive, manifest: Option<&'a Manifest>) -> Vec<Row<'a>> {
    let mut rows: BTreeMap<&str, Row<'a>> = BTreeMap::new();
    for member in archive.members() {
        rows.insert(member.path.as_str(), of_member(member));
    }
    for item in manifest.iter().flat_map(|manifest| &manifest.items) {
        let row = rows.entry(item.path.as_str()).or_insert_with(|| of_nothing(item));
        row.state = Some(item.state.as_str());
        row.action = Some(&item.action);
        row.source = item.source.as_deref();
        row.reason = item.reason.as_deref();
        row.modified = item.modified.or(row.modified);
    }
    let mut rows: Vec<_> = rows.into_values().collect();
    // As in the archive: what is in the top folder first.
    rows.sort_by_key(|row| row.path.contains('/'));
    rows
}

fn of_member(member: &Member) -> Row<'_> {
    Row {
        path: member.path.as_str(),
        state: None,
        action: None,
        bytes: Some(member.len),
        modified: member.modified,
        source: None,
        reason: None,
    }
}

fn of_nothing(item: &ItemRecord) -> Row<'_> {
    let lost = item
        .is_in_archive()
        .then_some("the manifest says that it is here, and it is not");
    Row {
        path: item.path.as_str(),
        state: None,
        action: None,
        bytes: None,
        modified: None,
        source: None,
        reason: lost,
    }
}

/// Prints rows for people.
pub(super) fn print(rows: &[&Row<'_>], out: &mut dyn Write) -> io::Result<()> {
    for row in rows {
        let state = row.state.unwrap_or("-");
        let size = row.bytes.map_or_else(|| "-".to_owned(), show_size);
        write!(out, "{state:<14} {size:>10}  {}", row.path)?;
        if let Some(source) = row.source {
            write!(out, "  {}", in_one_line(source))?;
        }
        if let Some(reason) = row.reason {
            write!(out, "  ({})", in_one_line(reason))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Prints rows for machines.
pub(super) fn print_json(rows: &[&Row<'_>], out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, rows)?;
    writeln!(out)
}

/// What the item at this path is, when the archive does not hold it.
pub(super) fn absence<'a>(word: &str, manifest: &'a Manifest) -> Option<&'a ItemRecord> {
    let word = word.trim_matches('/');
    let end = format!("/{word}");
    let mut named = manifest
        .items
        .iter()
        .filter(|item| item.path.as_str() == word || item.path.as_str().ends_with(&end));
    named.next()
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

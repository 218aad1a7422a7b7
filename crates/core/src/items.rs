//! Every item of a run, from its planning to its one state; what the items are is the actions' affair.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{ArtifactPath, ItemRecord, State};

/// Every item of a run, from its planning to its one state.
#[derive(Debug, Default)]
pub(crate) struct Items {
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    by_path: BTreeMap<ArtifactPath, Row>,
    /// Lower-cased paths: two names that differ by case only are one on some file systems.
    taken: HashSet<String>,
}

#[derive(Debug)]
enum Row {
    Planned(&'static str),
    Open(&'static str),
    Done(Box<ItemRecord>),
}

impl Items {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn plan(&self, action: &'static str, path: ArtifactPath) {
        let mut rows = self.rows();
        if rows.taken.insert(path.as_str().to_lowercase()) {
            rows.by_path.insert(path, Row::Planned(action));
        }
    }

    /// Takes the path for an artifact that is now being written, or the next free one like it.
    pub(crate) fn open(&self, action: &'static str, wanted: ArtifactPath) -> ArtifactPath {
        let mut rows = self.rows();
        if matches!(rows.by_path.get(&wanted), Some(Row::Planned(by)) if *by == action) {
            rows.by_path.insert(wanted.clone(), Row::Open(action));
            return wanted;
        }
        let mut path = wanted.clone();
        let mut n = 1;
        while !rows.taken.insert(path.as_str().to_lowercase()) {
            n += 1;
            path = wanted.numbered(n);
        }
        rows.by_path.insert(path.clone(), Row::Open(action));
        path
    }

    /// Gives an item its state, unless it has one: an item that was given up stays so.
    pub(crate) fn done(&self, record: ItemRecord) {
        let mut rows = self.rows();
        if !matches!(rows.by_path.get(&record.path), Some(Row::Done(_))) {
            rows.by_path.insert(record.path.clone(), Row::Done(Box::new(record)));
        }
    }

    /// Gives every item of the action that has no state yet this one.
    pub(crate) fn close(&self, action: &'static str, state: State, reason: &str) {
        let mut rows = self.rows();
        for (path, row) in &mut rows.by_path {
            if matches!(row, Row::Planned(by) | Row::Open(by) if *by == action) {
                *row = Row::Done(Box::new(bare_record(
                    action,
                    path.clone(),
                    state,
                    Some(reason.to_owned()),
                )));
            }
        }
    }

    /// Whether the action has any item.
    pub(crate) fn has_some_of(&self, action: &str) -> bool {
        self.rows().by_path.values().any(|row| match row {
            Row::Planned(by) | Row::Open(by) => *by == action,
            Row::Done(record) => record.action == action,
        })
    }

    pub(crate) fn records(&self) -> Vec<ItemRecord> {
        let rows = self.rows();
        rows.by_path
            .values()
            .filter_map(|row| {
                if let Row::Done(record) = row {
                    Some(record.as_ref().clone())
                } else {
                    None
                }
            })
            .collect()
    }
}

/// The record of an item of which nothing is kept, or not yet.
pub(crate) fn bare_record(action: &str, path: ArtifactPath, state: State, reason: Option<String>) -> ItemRecord {
    ItemRecord {
        action: action.to_owned(),
        path,
        state,
        reason,
        source: None,
        modified: None,
        raw_bytes: 0,
        stored_bytes: 0,
        compressed_bytes: 0,
        sha256: None,
        redactions: BTreeMap::new(),
        limit_by_user: false,
    }
}

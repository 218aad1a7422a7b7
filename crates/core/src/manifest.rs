//! The record of a run as it stands in the archive (`manifest.json`): every item and its state; holds no content.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ActionRecord, Completeness, ItemRecord, NodeName, RunId, State};

/// The schema's name and version, as written into the manifest.
pub const MANIFEST_SCHEMA: &str = "aks-periscope/manifest/v1";

/// The manifest's name in the top folder of the archive.
pub const MANIFEST_FILE: &str = "manifest.json";

/// The record of one run on one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always [`MANIFEST_SCHEMA`].
    pub schema: String,
    /// The run.
    pub run_id: RunId,
    /// The node.
    pub node: NodeName,
    /// The node's operating system.
    pub os: String,
    /// The node's kernel.
    pub kernel: String,
    /// Version of the program that collected.
    pub version: String,
    /// When the run started.
    pub started: Timestamp,
    /// When the last item had its state.
    pub finished: Timestamp,
    /// What the run amounts to.
    pub completeness: Completeness,
    /// What became of the actions, in the order of the plan.
    pub actions: Vec<ActionRecord>,
    /// What became of the items, by path.
    pub items: Vec<ItemRecord>,
}

impl Manifest {
    /// What a run with these rows amounts to.
    pub fn judge(actions: &[ActionRecord], items: &[ItemRecord]) -> Completeness {
        if !items.iter().any(ItemRecord::is_in_archive) {
            return Completeness::Nothing;
        }
        let whole = items.iter().all(|item| item.state.leaves_complete(item.limit_by_user))
            && actions.iter().all(|action| action.state.leaves_complete(false));
        if whole {
            Completeness::Complete
        } else {
            Completeness::Partial
        }
    }

    /// The items that are missing or cut, and the actions that ended early without an item that says so.
    pub fn missing(&self) -> impl Iterator<Item = Missing<'_>> {
        let items = self.items.iter().filter(|item| !item.state.leaves_complete(false));
        let told: BTreeSet<_> = items.clone().map(|item| item.action.as_str()).collect();
        let untold = self
            .actions
            .iter()
            .filter(move |action| !action.state.leaves_complete(false) && !told.contains(action.id.as_str()));
        let untold = untold.map(|action| Missing {
            action: &action.id,
            path: None,
            state: action.state,
            reason: action.reason.as_deref(),
        });
        items
            .map(|item| Missing {
                action: &item.action,
                path: Some(item.path.as_str()),
                state: item.state,
                reason: item.reason.as_deref(),
            })
            .chain(untold)
    }

    /// How many items ended in each state, in the order of [`State::ALL`], states without items left out.
    pub fn counts(&self) -> Vec<(State, usize)> {
        let count = |state| self.items.iter().filter(|item| item.state == state).count();
        State::ALL
            .into_iter()
            .map(|state| (state, count(state)))
            .filter(|(_, n)| *n > 0)
            .collect()
    }
}

/// What is not in the archive, or not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing<'a> {
    /// The action that was to gather it.
    pub action: &'a str,
    /// The item; none where the action ended before it knew its items.
    pub path: Option<&'a str>,
    /// How it ended.
    pub state: State,
    /// Why.
    pub reason: Option<&'a str>,
}

impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.unwrap_or(self.action), self.state)?;
        self.reason.map_or(Ok(()), |reason| write!(f, ": {reason}"))
    }
}

//! What the cluster is told of a run: the node's `Diagnostic` row, which `az aks kanalyze`, `kubectl get apd` and
//! `aks-periscope kollect` read, and Events on the agent's pod.
//!
//! It gathers and judges nothing, and no run waits for it.

mod api;
mod bounds;
mod crd;
mod diary;
mod events;
mod merge;
mod notice;
mod row;
mod rows_reporter;
mod schema;
mod status;
mod writer;

pub use crd::{COLUMNS, Column, crd};
pub use notice::{MADE_BEFORE, made_before_message};
pub use row::{Row, Spec, resource, row_name};
pub use rows_reporter::{Home, LAST_WORDS, OwnPod, RowsReporter};
pub use status::{Archive, Condition, Findings, GraveFinding, Phase, RowProgress, RunStatus, Status, StoredAt};

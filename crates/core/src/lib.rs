//! The contract that everything else is written against, and the engine that runs it; it knows neither Kubernetes, HTTP
//! nor processes.
//!
//! The way of the data: an [`Action`] opens artifacts in its [`Sink`]; their bytes go through an [`ArtifactWriter`] (or
//! [`Sink::copy`]) into the [`Store`], which redacts, limits, hashes and compresses them. The [`Engine`] runs the
//! planned actions side by side and gives every planned item exactly one [`State`], of which the [`Manifest`] is the
//! record. [`Analyzer`]s read the stored artifacts, [`Exporter`]s take the finished [`Archive`] out.

mod action;
mod analyzer;
mod archive;
mod causes;
mod descriptor;
mod engine;
mod exporter;
mod fault;
mod finding;
mod group;
mod item;
mod items;
mod line_hit;
mod manifest;
mod name;
mod observer;
mod path;
mod plan;
mod progress;
mod sink;
mod spec;
mod state;
mod store;
mod writer;

pub use action::{Action, ActionContext, ActionError, NodeInfo, Support};
pub use analyzer::{AnalyzeError, Analyzer, AnalyzerDescriptor, Inputs, analyze_all};
pub use archive::{Archive, Format, LooseFile, UnknownFormat};
pub use causes::with_causes;
pub use descriptor::{Descriptor, ItemDescriptor, Rbac, Scope, Sensitivity};
pub use engine::{Engine, Planned};
pub use exporter::{ExportContext, ExportError, Exporter, Receipt};
pub use fault::{Fault, Severity};
pub use finding::{Evidence, Finding, Verdict};
pub use group::group;
pub use item::{ActionRecord, ItemRecord};
pub use line_hit::{Hits, LineHit};
pub use manifest::{MANIFEST_FILE, MANIFEST_SCHEMA, Manifest, Missing};
pub use name::{InvalidName, NodeName, RunId};
pub use observer::{ArtifactObserver, Observer};
pub use path::{ArtifactPath, InvalidPath};
pub use plan::{PlanContext, PlannedItem};
pub use progress::{ActionProgress, Progress};
pub use sink::Sink;
pub use spec::{ArtifactSpec, Place};
pub use state::{Completeness, State};
pub use store::{ArtifactStream, Content, Encoding, End, Limit, ReadSeek, Store, StoreError, Stored};
pub use writer::ArtifactWriter;

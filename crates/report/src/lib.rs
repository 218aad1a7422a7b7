//! The page `index.html` at the top of an archive: what is wrong with the node, what happened when, what was gathered,
//! and links to the files that say so. It opens offline, asks for nothing, and is under 2 MB whatever the archive's
//! size. A pure function of the run's documents: it judges nothing and reads neither the node nor the clock.
//!
//! The archives of a whole cluster get one page beside them, which looks alike: [`render_cluster`].

mod bounds;
mod chart;
mod charts;
mod checks;
mod clean;
mod cluster;
mod embed;
mod events;
mod findings;
mod head;
mod html;
mod item_rows;
mod items;
mod link;
mod measurements;
mod overview;
mod page;
mod quantity;
mod timeline;
mod timeline_rows;

pub use bounds::MAX_PAGE_BYTES;
pub use chart::{Bars, Chart, ChartRow, Unit};
pub use charts::charts;
pub use cluster::{ClusterFinding, ClusterMissing, ClusterNode, ClusterReport, NodeMark, render_cluster};
pub use events::add_events;
pub use page::{REPORT_FILE, Report, render};

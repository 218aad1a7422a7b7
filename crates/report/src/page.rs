//! The page as a whole: its parts in their order.

use periscope_core::{Finding, Manifest};
use periscope_scan::Timeline;

use crate::chart::Chart;
use crate::html::Html;
use crate::{checks, findings, head, items, measurements, overview, timeline};

/// The page's name in the top folder of the archive.
pub const REPORT_FILE: &str = "index.html";

/// What the page tells. Its texts were redacted when they were gathered.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The run, its actions and its items.
    pub manifest: &'a Manifest,
    /// The findings in the order of [`periscope_core::group`].
    pub findings: &'a [Finding],
    /// The errors and warnings of all logs.
    pub timeline: &'a Timeline,
    /// What has samples; see [`charts`](crate::charts()).
    pub charts: &'a [Chart],
}

/// Writes the page: UTF-8, at most [`MAX_PAGE_BYTES`](crate::MAX_PAGE_BYTES) bytes.
pub fn render(report: &Report<'_>) -> Vec<u8> {
    let mut html = Html::default();
    let troubles = report.findings.iter().filter(|finding| finding.is_trouble()).count();
    head::write(&mut html, report.manifest.node.as_str(), troubles);
    html.raw("<body>\n<a class=\"skip\" href=\"#findings\">Skip to the findings</a>\n");
    overview::write(&mut html, report);
    html.raw("<main>\n");
    findings::write(&mut html, report.findings);
    checks::write(&mut html, report.findings);
    timeline::write(&mut html, report.timeline, report.manifest.node.as_str());
    measurements::write(&mut html, report.charts);
    items::write(&mut html, report.manifest);
    html.raw("</main>\n");
    overview::write_foot(&mut html, report.manifest);
    html.raw("</body>\n</html>\n");
    html.into_bytes()
}

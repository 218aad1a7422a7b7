//! What could not be judged and why, and what was looked at and is in order: a page without findings says what it
//! means.

use periscope_core::{Finding, Verdict};

use crate::bounds::{CHECKS_BYTES, NAME_CHARS, TITLE_CHARS};
use crate::html::Html;

/// Writes both lists; folded when there are findings that matter more.
pub(crate) fn write(html: &mut Html, findings: &[Finding]) {
    let is_calm = !findings.iter().any(Finding::is_trouble);
    html.raw("<section id=\"checks\" tabindex=\"-1\" aria-labelledby=\"checks-title\">\n");
    html.raw("<div class=\"section-head\"><h2 id=\"checks-title\">Checks</h2></div>\n");
    let start = html.len();
    for (verdict, title) in [
        (Verdict::Unknown, "Could not be judged"),
        (Verdict::Pass, "Looked at and in order"),
    ] {
        let of_verdict: Vec<_> = findings.iter().filter(|finding| finding.verdict == verdict).collect();
        if of_verdict.is_empty() {
            continue;
        }
        html.raw("<details class=\"checks\"")
            .raw(if is_calm { " open" } else { "" })
            .raw("><summary>");
        html.raw(title).raw(" <span class=\"count\">").count(of_verdict.len());
        html.raw("</span></summary>\n<ul>\n");
        let mut left_out = 0;
        for finding in of_verdict {
            if html.len() - start > CHECKS_BYTES {
                left_out += 1;
                continue;
            }
            html.raw("<li><code>")
                .line(&finding.analyzer, NAME_CHARS)
                .raw("</code> <span>");
            html.line(&finding.title, TITLE_CHARS).raw("</span></li>\n");
        }
        html.raw("</ul>");
        if left_out > 0 {
            html.raw("<p class=\"left-out\">").count(left_out);
            html.raw(" more in <a href=\"./analysis.json\">analysis.json</a></p>");
        }
        html.raw("</details>\n");
    }
    if html.len() == start {
        html.raw("<p class=\"muted\">Nothing was judged.</p>\n");
    }
    html.raw("</section>\n");
}

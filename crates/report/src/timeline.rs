//! The timeline: errors and warnings of all logs, events and kernel messages on one axis. It is drawn by the page's
//! scripts; here is its data and what stands around it.

use periscope_scan::Timeline;

use crate::html::Html;
use crate::quantity;
use crate::timeline_rows;

pub(crate) fn write(html: &mut Html, timeline: &Timeline, node: &str) {
    html.raw("<section id=\"timeline\" tabindex=\"-1\" aria-labelledby=\"timeline-title\">\n");
    html.raw("<div class=\"section-head\"><h2 id=\"timeline-title\">Timeline</h2>\n<p class=\"muted\">");
    let Some((first, last)) = timeline_rows::span(timeline) else {
        html.raw("No log, event or kernel message of an error or a warning was found.</p></div>\n</section>\n");
        return;
    };
    let packed = timeline_rows::pack(timeline, node);
    let (shown, counted) = (packed.shown, timeline_rows::counted(timeline));
    html.raw("Errors and warnings of all logs, events and kernel messages, ");
    html.line(&quantity::time(first), 40).raw(" to ");
    html.line(&quantity::time(last), 40)
        .raw(" UTC: ")
        .count(counted)
        .raw(" lines");
    if shown < counted {
        html.raw(", the newest ")
            .count(shown)
            .raw(" of them in words. The files have all");
    }
    html.raw(".");
    if timeline.untimed > 0 {
        html.raw(" ")
            .count(usize::try_from(timeline.untimed).unwrap_or(usize::MAX));
        html.raw(" more have no time and no place here.");
    }
    html.raw("</p></div>\n<noscript><p>The timeline is drawn by a script, and scripts are off. ");
    html.raw("The findings above and all files can be read without.</p></noscript>\n");
    html.raw("<div id=\"timeline-app\" hidden></div>\n");
    if let Some(json) = &packed.json {
        html.data("timeline-data", json);
    }
    html.raw("</section>\n");
}

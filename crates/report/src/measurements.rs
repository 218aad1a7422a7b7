//! The charts: tables whose numbers have bars, so that they can be read aloud, printed and compared. Needs no script.

use std::fmt::Write;

use crate::bounds::{CHART_ROWS, CHARTS_BYTES, NAME_CHARS, REASON_CHARS, STRIP_STEPS};
use crate::chart::{Bars, Chart, ChartRow, Unit};
use crate::html::Html;

/// Columns of a chart at most: there are so many colours.
const COLUMNS: usize = 4;
/// The colours' classes.
const CLASSES: [&str; COLUMNS] = ["k0", "k1", "k2", "k3"];
/// The classes of a strip: good, bad, not known.
const STATES: [&str; COLUMNS] = ["up", "down", "gap", "gap"];

pub(crate) fn write(html: &mut Html, charts: &[Chart]) {
    if charts.is_empty() {
        return;
    }
    html.raw("<section id=\"measurements\" tabindex=\"-1\" aria-labelledby=\"measurements-title\">\n");
    html.raw("<div class=\"section-head\"><h2 id=\"measurements-title\">Measurements</h2></div>\n");
    html.raw("<div class=\"charts\">\n");
    let start = html.len();
    let mut left_out = 0;
    for chart in charts {
        if html.len() - start > CHARTS_BYTES {
            left_out += 1;
            continue;
        }
        write_chart(html, chart, start + CHARTS_BYTES);
    }
    html.raw("</div>\n");
    if left_out > 0 {
        html.raw("<p class=\"left-out\">")
            .counted(left_out, "chart is", "charts are");
        html.raw(" left out; their files have the samples.</p>\n");
    }
    html.raw("</section>\n");
}

/// Writes a chart whose rows end before the page is as long as `end`.
fn write_chart(html: &mut Html, chart: &Chart, end: usize) {
    html.raw("<figure class=\"chart\">\n<figcaption><h3>")
        .line(&chart.title, NAME_CHARS);
    html.raw("</h3><p class=\"muted\">").line(&chart.about, REASON_CHARS);
    for file in chart.files.iter().take(3) {
        html.raw(" ").file_link(file.as_str(), "");
    }
    html.raw("</p></figcaption>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
    html.line(&chart.title, NAME_CHARS);
    html.raw("\"><table>\n<thead><tr><th scope=\"col\">");
    html.line(&chart.rows_are, NAME_CHARS).raw("</th>");
    let classes = if chart.bars == Bars::Strip { STATES } else { CLASSES };
    for (column, class) in chart.columns.iter().zip(classes) {
        html.raw("<th scope=\"col\" class=\"number\">");
        if chart.bars != Bars::EachColumn {
            html.raw("<svg class=\"key ").raw(class);
            html.raw("\" viewBox=\"0 0 1 1\" aria-hidden=\"true\"><rect width=\"1\" height=\"1\"/></svg>");
        }
        html.line(column, NAME_CHARS).raw("</th>");
    }
    if chart.bars == Bars::Stacked {
        html.raw("<th scope=\"col\" class=\"number\">total</th><th scope=\"col\" class=\"bar\"><span class=\"unseen\">bar</span></th>");
    }
    if chart.bars == Bars::Strip {
        html.raw("<th scope=\"col\" class=\"bar\"><span class=\"ends\"><span>24 h before</span> <span>the run</span></span></th>");
    }
    html.raw("<th scope=\"col\">result</th></tr></thead>\n<tbody>\n");
    let top = scale(chart);
    let mut shown = 0;
    for row in chart.rows.iter().take(CHART_ROWS) {
        if html.len() > end {
            break;
        }
        write_row(html, chart, row, top);
        shown += 1;
    }
    html.raw("</tbody></table></div>\n");
    if chart.rows.len() > shown {
        html.raw("<p class=\"left-out\">").count(chart.rows.len() - shown);
        html.raw(" more rows are in the file.</p>\n");
    }
    html.raw("</figure>\n");
}

/// What a full bar means.
fn scale(chart: &Chart) -> f64 {
    let of_row = |row: &ChartRow| match chart.bars {
        Bars::Stacked => row.values.iter().flatten().sum::<f64>(),
        Bars::EachColumn | Bars::Strip => row.values.iter().flatten().copied().fold(0.0, f64::max),
    };
    match chart.unit {
        Unit::Percent => 100.0,
        Unit::Millis => chart.rows.iter().map(of_row).fold(1.0, f64::max),
    }
}

fn write_row(html: &mut Html, chart: &Chart, row: &ChartRow, top: f64) {
    html.raw(if row.failed { "<tr class=\"failed\">" } else { "<tr>" });
    html.raw("<th scope=\"row\">").line(&row.label, NAME_CHARS).raw("</th>");
    let values = row.values.iter().chain(std::iter::repeat(&None));
    let mut parts = Vec::new();
    let mut at = 0.0;
    for ((value, class), _) in values.zip(CLASSES).zip(&chart.columns) {
        html.raw("<td class=\"number\">");
        if let Some(value) = value.filter(|value| value.is_finite() && *value >= 0.0) {
            write_value(html, chart.unit, value);
            let width = (value / top * 100.0).min(100.0);
            match chart.bars {
                Bars::Stacked => {
                    parts.push((class, at, width));
                    at += width;
                }
                Bars::EachColumn => write_bar(html, &[("k0", 0.0, width)]),
                Bars::Strip => {}
            }
        } else {
            html.raw("<span class=\"muted\">–</span>");
        }
        html.raw("</td>");
    }
    if chart.bars == Bars::Stacked {
        html.raw("<td class=\"number\">");
        write_value(html, chart.unit, row.values.iter().flatten().sum());
        html.raw("</td><td class=\"bar\">");
        write_bar(html, &parts);
        html.raw("</td>");
    }
    if chart.bars == Bars::Strip {
        html.raw("<td class=\"bar\">");
        write_strip(html, &row.strip);
        html.raw("</td>");
    }
    html.raw("<td class=\"note\">")
        .line(&row.note, REASON_CHARS)
        .raw("</td></tr>\n");
}

fn write_value(html: &mut Html, unit: Unit, value: f64) {
    let (decimals, unit) = match unit {
        Unit::Millis if value >= 10.0 || value.fract() == 0.0 => (0, "ms"),
        Unit::Millis => (1, "ms"),
        Unit::Percent => (1, "%"),
    };
    let text = format!("{value:.decimals$}");
    match text.parse() {
        Ok(number) => html.count(number),
        Err(_) => html.line(&text, NAME_CHARS),
    };
    html.raw("&nbsp;<small>").raw(unit).raw("</small>");
}

/// Draws a bar of parts, each from where to how far in parts of a hundred.
fn write_bar(html: &mut Html, parts: &[(&'static str, f64, f64)]) {
    html.raw("<svg class=\"bar\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
    html.raw("<rect class=\"track\" width=\"100\" height=\"1\"/>");
    for (class, from, width) in parts {
        html.raw("<rect class=\"").raw(class).raw("\" x=\"");
        html.line(&format!("{from:.2}"), NAME_CHARS).raw("\" width=\"");
        html.line(&format!("{width:.2}"), NAME_CHARS).raw("\" height=\"1\"/>");
    }
    html.raw("</svg>");
}

/// Draws a strip: what was good is low, what was not is tall. The row's values and its note say the same in words.
fn write_strip(html: &mut Html, strip: &[Option<bool>]) {
    let strip = strip.get(..strip.len().min(STRIP_STEPS)).unwrap_or_default();
    html.raw("<svg class=\"bar strip\" viewBox=\"0 0 ")
        .line(&strip.len().to_string(), NAME_CHARS);
    html.raw(" 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"gap\" y=\"9\" width=\"100%\" height=\"1\"/>");
    for (state, class, top) in [(true, "up", 5), (false, "down", 0)] {
        let mut path = String::new();
        let mut at = 0;
        for run in strip.chunk_by(|a, b| a == b) {
            if run.first() == Some(&Some(state)) {
                // Writing into a string does not fail.
                write!(path, "M{at} {top}h{}V10H{at}z", run.len()).ok();
            }
            at += run.len();
        }
        if !path.is_empty() {
            html.raw("<path class=\"").raw(class).raw("\" d=\"");
            html.line(&path, path.len()).raw("\"/>");
        }
    }
    html.raw("</svg>");
}

//! What stands above and below everything else: which node, which run, how it looks in one sentence.

use periscope_core::{Completeness, Finding, Manifest, Severity, State, Verdict};

use crate::bounds::NAME_CHARS;
use crate::html::Html;
use crate::page::Report;
use crate::quantity;
use crate::timeline_rows;

pub(crate) fn write(html: &mut Html, report: &Report<'_>) {
    let manifest = report.manifest;
    html.raw("<header>\n<p class=\"product\">AKS Periscope</p>\n<h1>")
        .line(manifest.node.as_str(), NAME_CHARS)
        .raw("</h1>\n");
    write_verdict(html, &report.findings.iter());
    write_facts(html, manifest);
    html.raw("</header>\n<nav aria-label=\"Parts of this page\">\n<ul>\n");
    let troubles = report.findings.iter().filter(|finding| finding.is_trouble()).count();
    let link = |html: &mut Html, id: &'static str, name: &'static str, count: Option<usize>| {
        html.raw("<li><a href=\"#").raw(id).raw("\">").raw(name);
        if let Some(count) = count {
            html.raw(" <span class=\"count\">").count(count).raw("</span>");
        }
        html.raw("</a></li>\n");
    };
    link(html, "findings", "Findings", Some(troubles));
    link(html, "checks", "Checks", None);
    link(
        html,
        "timeline",
        "Timeline",
        Some(timeline_rows::counted(report.timeline)),
    );
    if !report.charts.is_empty() {
        link(html, "measurements", "Measurements", None);
    }
    link(html, "items", "Items", Some(manifest.items.len()));
    html.raw("</ul>\n<div id=\"theme\" class=\"theme\"></div>\n</nav>\n");
}

pub(crate) fn write_verdict<'a>(html: &mut Html, findings: &(impl Iterator<Item = &'a Finding> + Clone)) {
    let of = |verdict| findings.clone().filter(|finding| finding.verdict == verdict).count();
    let (failures, warnings) = (of(Verdict::Fail), of(Verdict::Warn));
    let class = match (failures, warnings) {
        (0, 0) => "calm",
        (0, _) => "warn",
        _ => "fail",
    };
    html.raw("<p class=\"verdict ").raw(class).raw("\"><strong>");
    if failures + warnings == 0 {
        html.raw("Nothing wrong was found.</strong>");
    } else {
        let mut first = true;
        for (count, one, many) in [(failures, "failure", "failures"), (warnings, "warning", "warnings")] {
            if count > 0 {
                html.raw(if first { "" } else { ", " }).counted(count, one, many);
                first = false;
            }
        }
        html.raw("</strong>");
        let mut separator = ": ";
        for (severity, class) in SEVERITIES {
            let is_of = |finding: &&Finding| finding.is_trouble() && finding.severity == severity;
            let count = findings.clone().filter(is_of).count();
            if count > 0 {
                html.raw(separator).raw("<span class=\"").raw(class).raw("\">");
                html.count(count).raw(" ").raw(severity.as_str()).raw("</span>");
                separator = ", ";
            }
        }
        html.raw(".");
    }
    html.raw(" <span class=\"muted\">").count(of(Verdict::Pass));
    html.raw(" looked at and in order");
    if of(Verdict::Unknown) > 0 {
        html.raw(", ").count(of(Verdict::Unknown)).raw(" could not be judged");
    }
    html.raw(".</span></p>\n");
}

/// The severities and the classes of their colours.
pub(crate) const SEVERITIES: [(Severity, &str); 4] = [
    (Severity::Critical, "s-critical"),
    (Severity::High, "s-high"),
    (Severity::Medium, "s-medium"),
    (Severity::Low, "s-low"),
];

fn write_facts(html: &mut Html, manifest: &Manifest) {
    let fact = |html: &mut Html, name: &'static str, value: &str| {
        html.raw("<div><dt>").raw(name).raw("</dt><dd>");
        html.line(value, NAME_CHARS).raw("</dd></div>\n");
    };
    html.raw("<dl class=\"facts\">\n");
    fact(html, "Run", manifest.run_id.as_str());
    let took = quantity::between(manifest.started, manifest.finished);
    fact(
        html,
        "Collected (UTC)",
        &format!("{}, in {took}", quantity::time(manifest.started)),
    );
    fact(html, "System", &manifest.os);
    fact(html, "Kernel", &manifest.kernel);
    fact(html, "Version", &manifest.version);
    html.raw("<div><dt>Archive</dt><dd>");
    match manifest.completeness {
        Completeness::Complete => html.raw("complete"),
        Completeness::Partial => html.raw("<strong>partial</strong>"),
        Completeness::Nothing => html.raw("<strong>nothing was collected</strong>"),
    };
    let is_missing = |state: State| !state.leaves_complete(false);
    let missing = manifest.items.iter().filter(|item| is_missing(item.state)).count();
    if missing > 0 {
        html.raw(": <a href=\"#items\">").count(missing).raw(" of ");
        html.counted(manifest.items.len(), "item", "items")
            .raw(" missing or cut</a>");
    } else {
        html.raw(": ").counted(manifest.items.len(), "item", "items");
    }
    html.raw("</dd></div>\n</dl>\n");
}

pub(crate) fn write_foot(html: &mut Html, manifest: &Manifest) {
    html.raw("<footer>\n<p>All times are UTC. Everything here comes from the files beside this page: ");
    html.raw("<a href=\"./manifest.json\">manifest.json</a> has every item, ");
    html.raw("<a href=\"./analysis.json\">analysis.json</a> every finding, ");
    html.raw("<a href=\"./run.log\">run.log</a> what the collector said. Made by aks-periscope ");
    html.line(&manifest.version, NAME_CHARS)
        .raw("; this page asks for nothing from anywhere.</p>\n</footer>\n");
}

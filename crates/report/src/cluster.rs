//! The page beside the archives of a whole cluster: which nodes reported, what is wrong on which of them, and where
//! each archive is. The pages of the nodes are inside their archives.

use std::collections::BTreeMap;

use jiff::Timestamp;
use periscope_core::{Finding, Verdict};

use crate::bounds::{
    CHECKS_BYTES, EVIDENCE, FINDINGS_BYTES, MISSING_LINES, NAME_CHARS, NODES_BYTES, NODES_OF_A_FINDING, OPEN_FINDINGS,
    REASON_CHARS, REMEDY_CHARS, TITLE_CHARS,
};
use crate::html::Html;
use crate::overview::{SEVERITIES, write_verdict};
use crate::{findings, head, quantity};

/// From how many findings on the tools to search and unfold them are shown.
const TOOLS_FROM: usize = 6;

/// What the page tells. Its texts were redacted when they were gathered.
#[derive(Debug, Clone, Copy)]
pub struct ClusterReport<'a> {
    /// Name of the run.
    pub run_id: &'a str,
    /// The API server, as `host:port`.
    pub server: &'a str,
    /// When the run was asked for.
    pub started: Timestamp,
    /// When there was nothing left to wait for.
    pub finished: Timestamp,
    /// Version of the program.
    pub version: &'a str,
    /// The nodes, and the cluster's own part.
    pub nodes: &'a [ClusterNode],
    /// The findings in the order of [`periscope_core::group`].
    pub findings: &'a [ClusterFinding],
    /// What is missing in the archives.
    pub missing: &'a [ClusterMissing],
}

/// One node, or the cluster's own part.
#[derive(Debug, Clone)]
pub struct ClusterNode {
    /// Its name.
    pub name: String,
    /// Whether it is the cluster's own part.
    pub is_cluster: bool,
    /// How its state is to be taken.
    pub mark: NodeMark,
    /// Its state in a word or two.
    pub state: String,
    /// Why.
    pub note: String,
    /// Its archive beside the page, and how large that is.
    pub archive: Option<(String, u64)>,
}

/// How a node's state is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeMark {
    /// It reported everything.
    Good,
    /// Something is missing.
    Cut,
    /// It reported nothing.
    Bad,
    /// Nothing was asked of it.
    Apart,
}

/// A finding and whose archives say it.
#[derive(Debug, Clone)]
pub struct ClusterFinding {
    /// As one of them says it.
    pub finding: Finding,
    /// Whose archives, as [`ClusterNode::name`].
    pub on: Vec<String>,
}

/// Something that is missing in archives.
#[derive(Debug, Clone)]
pub struct ClusterMissing {
    /// What and why, in one line.
    pub what: String,
    /// In whose archives, as [`ClusterNode::name`].
    pub on: Vec<String>,
}

/// What is known of a node by its name.
#[derive(Default)]
struct Known<'a> {
    archive: Option<&'a str>,
    failures: usize,
    warnings: usize,
}

type Nodes<'a> = BTreeMap<&'a str, Known<'a>>;

fn known<'a>(report: &ClusterReport<'a>) -> Nodes<'a> {
    let mut nodes = Nodes::new();
    for node in report.nodes {
        let archive = node.archive.as_ref().map(|(file, _)| file.as_str());
        nodes.entry(&node.name).or_default().archive = archive;
    }
    for across in report.findings {
        for name in &across.on {
            let known = nodes.entry(name).or_default();
            match across.finding.verdict {
                Verdict::Fail => known.failures += 1,
                Verdict::Warn => known.warnings += 1,
                Verdict::Unknown | Verdict::Pass => {}
            }
        }
    }
    nodes
}

/// Writes the page: UTF-8, at most [`MAX_PAGE_BYTES`](crate::MAX_PAGE_BYTES) bytes.
pub fn render_cluster(report: &ClusterReport<'_>) -> Vec<u8> {
    let mut html = Html::default();
    let troubles = report
        .findings
        .iter()
        .filter(|across| across.finding.is_trouble())
        .count();
    head::write(&mut html, report.server, troubles);
    html.raw("<body>\n<a class=\"skip\" href=\"#findings\">Skip to the findings</a>\n");
    write_overview(&mut html, report, troubles);
    html.raw("<main>\n");
    let known = known(report);
    write_findings(&mut html, report, &known, troubles);
    write_nodes(&mut html, report, &known);
    write_missing(&mut html, report.missing);
    write_checks(&mut html, report.findings);
    html.raw("</main>\n<footer>\n<p>All times are UTC. The page of each node, with its files, is <code>index.html</code> inside ");
    html.raw("its archive: unpack that, or see <code>aks-periscope inspect</code>. <a href=\"./analysis.json\">analysis.json</a> ");
    html.raw("has every finding. Made by aks-periscope ")
        .line(report.version, NAME_CHARS);
    html.raw("; this page asks for nothing from anywhere.</p>\n</footer>\n</body>\n</html>\n");
    html.into_bytes()
}

fn write_overview(html: &mut Html, report: &ClusterReport<'_>, troubles: usize) {
    html.raw("<header>\n<p class=\"product\">AKS Periscope</p>\n<h1>Cluster ")
        .line(report.server, NAME_CHARS)
        .raw("</h1>\n");
    write_verdict(html, &report.findings.iter().map(|across| &across.finding));
    let fact = |html: &mut Html, name: &'static str, value: &str| {
        html.raw("<div><dt>").raw(name).raw("</dt><dd>");
        html.line(value, NAME_CHARS).raw("</dd></div>\n");
    };
    html.raw("<dl class=\"facts\">\n");
    fact(html, "Run", report.run_id);
    let took = quantity::between(report.started, report.finished);
    fact(
        html,
        "Collected (UTC)",
        &format!("{}, in {took}", quantity::time(report.started)),
    );
    html.raw("<div><dt>Nodes</dt><dd>");
    let asked = report
        .nodes
        .iter()
        .filter(|node| node.mark != NodeMark::Apart && !node.is_cluster);
    let reported = asked.clone().filter(|node| node.mark != NodeMark::Bad).count();
    html.count(reported)
        .raw(" of ")
        .count(asked.count())
        .raw(" reported</dd></div>\n</dl>\n");
    html.raw("</header>\n<nav aria-label=\"Parts of this page\">\n<ul>\n");
    let counts = [
        ("findings", "Findings", Some(troubles)),
        ("nodes", "Nodes", Some(report.nodes.len())),
        ("missing", "Missing", Some(report.missing.len())),
        ("checks", "Checks", None),
    ];
    for (id, name, count) in counts {
        html.raw("<li><a href=\"#").raw(id).raw("\">").raw(name);
        if let Some(count) = count {
            html.raw(" <span class=\"count\">").count(count).raw("</span>");
        }
        html.raw("</a></li>\n");
    }
    html.raw("</ul>\n<div id=\"theme\" class=\"theme\"></div>\n</nav>\n");
}

fn write_findings(html: &mut Html, report: &ClusterReport<'_>, known: &Nodes<'_>, troubles: usize) {
    html.raw("<section id=\"findings\" tabindex=\"-1\" aria-labelledby=\"findings-title\">\n");
    html.raw("<div class=\"section-head\"><h2 id=\"findings-title\">Findings</h2>\n");
    if troubles >= TOOLS_FROM {
        html.raw("<div id=\"findings-tools\" class=\"tools\" hidden></div>\n");
    }
    html.raw("</div>\n");
    if troubles == 0 {
        html.raw(
            "<p class=\"calm-note\">No check failed and none warned on the nodes that reported.</p>\n</section>\n",
        );
        return;
    }
    html.raw("<ol class=\"findings\" id=\"findings-list\">\n");
    let start = html.len();
    let mut left_out = 0;
    let shown = report.findings.iter().filter(|across| across.finding.is_trouble());
    for (place, across) in shown.enumerate() {
        if html.len() - start > FINDINGS_BYTES {
            left_out += 1;
            continue;
        }
        // An effect stands below its cause, as a list of its own within that one's element would say; here a class
        // does.
        html.raw("<li class=\"group\">\n");
        if across.finding.cause.is_some() {
            html.raw("<div class=\"effects\">\n");
        }
        write_finding(html, across, known, place < OPEN_FINDINGS);
        if across.finding.cause.is_some() {
            html.raw("</div>\n");
        }
        html.raw("</li>\n");
    }
    html.raw("</ol>\n");
    if left_out > 0 {
        html.raw("<p class=\"left-out\">")
            .counted(left_out, "more finding is", "more findings are")
            .raw(" not told here: <a href=\"./analysis.json\">analysis.json</a> has all of them.</p>\n");
    }
    html.raw("</section>\n");
}

fn write_finding(html: &mut Html, across: &ClusterFinding, known: &Nodes<'_>, open: bool) {
    let ClusterFinding { finding, on } = across;
    let class = SEVERITIES.iter().find(|(severity, _)| *severity == finding.severity);
    html.raw("<details class=\"finding ")
        .raw(class.map_or("s-low", |(_, class)| class));
    html.raw(if open { "\" open>" } else { "\">" }).raw("<summary>");
    findings::write_title(html, finding);
    html.raw("</summary>\n<div class=\"body\">\n<p class=\"nodes-of\"><span class=\"on\">On ");
    html.counted(on.len(), "archive", "archives").raw(":</span>");
    for name in on.iter().take(NODES_OF_A_FINDING) {
        html.raw(" ");
        write_archive(html, name, known);
    }
    if on.len() > NODES_OF_A_FINDING {
        html.raw(" <span>and ")
            .count(on.len() - NODES_OF_A_FINDING)
            .raw(" more</span>");
    }
    html.raw("</p>\n");
    if !finding.remedy.is_empty() {
        html.raw("<p class=\"remedy\"><b>What to do:</b> ");
        html.text(&finding.remedy, REMEDY_CHARS).raw("</p>\n");
    }
    for piece in finding.evidence.iter().take(EVIDENCE) {
        findings::write_figure(html, piece, |html| {
            html.line(&piece.file, NAME_CHARS);
        });
    }
    findings::write_origin(html, finding);
    html.raw("</div></details>\n");
}

/// The name of a node, as a link where its archive is beside the page.
fn write_archive(html: &mut Html, name: &str, known: &Nodes<'_>) {
    match known.get(name).and_then(|known| known.archive) {
        Some(file) => html.named_link(file, name),
        None => html.raw("<span>").line(name, NAME_CHARS).raw("</span>"),
    };
}

fn write_nodes(html: &mut Html, report: &ClusterReport<'_>, known: &Nodes<'_>) {
    html.raw("<section id=\"nodes\" tabindex=\"-1\" aria-labelledby=\"nodes-title\">\n<div class=\"section-head\">");
    html.raw("<h2 id=\"nodes-title\">Nodes</h2></div>\n<div class=\"scroll nodes\"><table>\n<thead><tr><th scope=\"col\">Node</th>");
    html.raw("<th scope=\"col\">State</th><th scope=\"col\" class=\"number\">Failures</th><th scope=\"col\" class=\"number\">Warnings</th>");
    html.raw("<th scope=\"col\" class=\"number\">Archive</th><th scope=\"col\">Note</th></tr></thead>\n<tbody>\n");
    let start = html.len();
    let mut left_out = 0;
    for node in report.nodes {
        if html.len() - start > NODES_BYTES {
            left_out += 1;
            continue;
        }
        write_node(html, node, known.get(node.name.as_str()));
    }
    html.raw("</tbody></table></div>\n");
    if left_out > 0 {
        html.raw("<p class=\"left-out\">")
            .counted(left_out, "more node is", "more nodes are")
            .raw(" not listed.</p>\n");
    }
    html.raw("</section>\n");
}

fn write_node(html: &mut Html, node: &ClusterNode, known: Option<&Known<'_>>) {
    let class = match node.mark {
        NodeMark::Good => "good",
        NodeMark::Cut => "cut",
        NodeMark::Bad => "bad",
        NodeMark::Apart => "apart",
    };
    html.raw("<tr><th scope=\"row\">");
    match &node.archive {
        Some((file, _)) => html.named_link(file, &node.name),
        None => html.line(&node.name, NAME_CHARS),
    };
    html.raw("</th><td class=\"mark ")
        .raw(class)
        .raw("\">")
        .line(&node.state, NAME_CHARS)
        .raw("</td>");
    for count in known.map_or([0, 0], |known| [known.failures, known.warnings]) {
        html.raw("<td class=\"number\">");
        // A node that told nothing is not one without faults.
        if matches!(node.mark, NodeMark::Good | NodeMark::Cut) {
            html.count(count);
        }
        html.raw("</td>");
    }
    html.raw("<td class=\"number\">");
    if let Some((_, bytes)) = &node.archive {
        html.line(&quantity::bytes(*bytes), NAME_CHARS);
    }
    html.raw("</td><td class=\"note\">")
        .line(&node.note, REASON_CHARS)
        .raw("</td></tr>\n");
}

fn write_missing(html: &mut Html, missing: &[ClusterMissing]) {
    html.raw(
        "<section id=\"missing\" tabindex=\"-1\" aria-labelledby=\"missing-title\">\n<div class=\"section-head\">",
    );
    html.raw("<h2 id=\"missing-title\">Missing</h2></div>\n");
    if missing.is_empty() {
        html.raw("<p class=\"muted\">The archives that are here are whole.</p>\n</section>\n");
        return;
    }
    html.raw("<ul class=\"missing-lines\">\n");
    for line in missing.iter().take(MISSING_LINES) {
        html.raw("<li>")
            .line(&line.what, TITLE_CHARS)
            .raw(" <span class=\"muted\">");
        match line.on.as_slice() {
            [name] => html.line(name, NAME_CHARS),
            names => html.raw("on ").count(names.len()).raw(" nodes"),
        };
        html.raw("</span></li>\n");
    }
    html.raw("</ul>\n");
    if missing.len() > MISSING_LINES {
        html.raw("<p class=\"left-out\">").count(missing.len() - MISSING_LINES);
        html.raw(" more in the archives' own pages.</p>\n");
    }
    html.raw("</section>\n");
}

fn write_checks(html: &mut Html, findings: &[ClusterFinding]) {
    html.raw("<section id=\"checks\" tabindex=\"-1\" aria-labelledby=\"checks-title\">\n<div class=\"section-head\">");
    html.raw("<h2 id=\"checks-title\">Checks</h2></div>\n");
    let start = html.len();
    for (verdict, title) in [
        (Verdict::Unknown, "Could not be judged"),
        (Verdict::Pass, "Looked at and in order"),
    ] {
        let of: Vec<_> = findings
            .iter()
            .filter(|across| across.finding.verdict == verdict)
            .collect();
        if of.is_empty() {
            continue;
        }
        html.raw("<details class=\"checks\"><summary>")
            .raw(title)
            .raw(" <span class=\"count\">")
            .count(of.len());
        html.raw("</span></summary>\n<ul>\n");
        for across in of {
            if html.len() - start > CHECKS_BYTES {
                break;
            }
            html.raw("<li><code>")
                .line(&across.finding.analyzer, NAME_CHARS)
                .raw("</code> <span>");
            html.line(&across.finding.title, TITLE_CHARS)
                .raw(" <span class=\"muted\">on ");
            html.counted(across.on.len(), "archive", "archives")
                .raw("</span></span></li>\n");
        }
        html.raw("</ul></details>\n");
    }
    if html.len() == start {
        html.raw("<p class=\"muted\">Nothing was judged.</p>\n");
    }
    html.raw("</section>\n");
}

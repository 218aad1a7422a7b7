//! The findings: what is wrong, gravest first, each with what it caused below it, its evidence and what to do.

use periscope_core::{Evidence, Finding, Severity, Verdict};

use crate::bounds::{
    EVIDENCE, FINDINGS_BYTES, FULL_FINDINGS_BYTES, NAME_CHARS, OF_ONE_FAULT, OPEN_EVIDENCE, OPEN_FINDINGS, QUOTE_CHARS,
    REMEDY_CHARS, TITLE_CHARS,
};
use crate::html::Html;
use crate::overview::SEVERITIES;

/// From how many findings on the tools to search and unfold them are shown.
const TOOLS_FROM: usize = 6;

/// A finding and what it is the likeliest cause of, all levels in reading order.
struct Group<'a> {
    root: &'a Finding,
    effects: Vec<&'a Finding>,
}

/// Where the writing of findings stands against its bounds.
struct Writer<'h> {
    html: &'h mut Html,
    start: usize,
    left_out: usize,
}

/// Writes the findings that are troubles.
pub(crate) fn write(html: &mut Html, findings: &[Finding]) {
    let groups = groups(findings);
    let troubles = groups.iter().map(|group| 1 + group.effects.len()).sum::<usize>();
    html.raw("<section id=\"findings\" tabindex=\"-1\" aria-labelledby=\"findings-title\">\n");
    html.raw("<div class=\"section-head\"><h2 id=\"findings-title\">Findings</h2>\n");
    if troubles >= TOOLS_FROM {
        html.raw("<div id=\"findings-tools\" class=\"tools\" hidden></div>\n");
    }
    html.raw("</div>\n");
    if troubles == 0 {
        html.raw(
            "<p class=\"calm-note\">No check failed and none warned. What was looked at is listed below, and what ",
        );
        html.raw("could not be judged, with the reason.</p>\n</section>\n");
        return;
    }
    let start = html.len();
    let mut writer = Writer {
        html,
        start,
        left_out: 0,
    };
    writer.html.raw("<ol class=\"findings\" id=\"findings-list\">\n");
    let mut rest = groups.as_slice();
    let mut shown = 0;
    while let Some(group) = rest.first() {
        // A run of groups about one kind of fault is folded after the first few.
        let run = rest
            .iter()
            .take_while(|next| next.root.fault == group.root.fault && !group.root.fault.is_empty())
            .count()
            .max(1);
        let (of_one_fault, others) = rest.split_at(run);
        rest = others;
        let (seen, folded) = of_one_fault.split_at(of_one_fault.len().min(OF_ONE_FAULT));
        for group in seen {
            writer.group(group, shown < OPEN_FINDINGS);
            shown += 1;
        }
        writer.fold(folded, &group.root.fault);
    }
    writer.html.raw("</ol>\n");
    let left_out = writer.left_out;
    if left_out > 0 {
        html.raw("<p class=\"left-out\">")
            .counted(left_out, "more finding is", "more findings are")
            .raw(" not told here: <a href=\"./analysis.json\">analysis.json</a> has all of them.</p>\n");
    }
    html.raw("</section>\n");
}

/// Findings stand behind their cause already: see [`periscope_core::group`].
fn groups(findings: &[Finding]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.is_trouble()) {
        match groups.last_mut() {
            Some(group) if finding.cause.is_some() => group.effects.push(finding),
            _ => groups.push(Group {
                root: finding,
                effects: Vec::new(),
            }),
        }
    }
    groups
}

impl Writer<'_> {
    fn written(&self) -> usize {
        self.html.len() - self.start
    }

    fn group(&mut self, group: &Group<'_>, open: bool) {
        if self.written() > FINDINGS_BYTES {
            self.left_out += 1 + group.effects.len();
            return;
        }
        self.html.raw("<li class=\"group\">\n");
        self.finding(group.root, open);
        if !group.effects.is_empty() {
            self.html.raw("<div class=\"effects\"><p>Likely caused by this: ");
            self.html
                .counted(group.effects.len(), "finding", "findings")
                .raw("</p>\n<ol>\n");
            let (seen, folded) = group.effects.split_at(group.effects.len().min(OF_ONE_FAULT));
            self.effects(seen);
            if !folded.is_empty() {
                self.html.raw("<li><details class=\"more\"><summary>");
                self.html.count(folded.len()).raw(" more</summary>\n<ol>\n");
                self.effects(folded);
                self.html.raw("</ol></details></li>\n");
            }
            self.html.raw("</ol></div>\n");
        }
        self.html.raw("</li>\n");
    }

    fn effects(&mut self, effects: &[&Finding]) {
        for effect in effects {
            if self.written() > FINDINGS_BYTES {
                self.left_out += 1;
                continue;
            }
            self.html.raw("<li>");
            self.finding(effect, false);
            self.html.raw("</li>\n");
        }
    }

    fn fold(&mut self, groups: &[Group<'_>], fault: &str) {
        if groups.is_empty() {
            return;
        }
        if self.written() > FINDINGS_BYTES {
            self.left_out += groups.iter().map(|group| 1 + group.effects.len()).sum::<usize>();
            return;
        }
        let html = self
            .html
            .raw("<li class=\"group\"><details class=\"more\"><summary>")
            .count(groups.len());
        html.raw(" more: <code>").line(fault, NAME_CHARS);
        html.raw("</code></summary>\n<ol class=\"findings\">\n");
        for group in groups {
            self.group(group, false);
        }
        self.html.raw("</ol></details></li>\n");
    }

    fn finding(&mut self, finding: &Finding, open: bool) {
        let in_full = self.written() <= FULL_FINDINGS_BYTES;
        let html = &mut *self.html;
        let class = SEVERITIES
            .iter()
            .find(|(severity, _)| *severity == finding.severity)
            .map_or("s-low", |(_, class)| class);
        if !in_full {
            html.raw("<div class=\"finding brief ").raw(class).raw("\">");
            write_title(html, finding);
            html.raw("</div>\n");
            return;
        }
        html.raw("<details class=\"finding ").raw(class);
        html.raw(if open { "\" open>" } else { "\">" }).raw("<summary>");
        write_title(html, finding);
        html.raw("</summary>\n<div class=\"body\">\n");
        if !finding.remedy.is_empty() {
            html.raw("<p class=\"remedy\"><b>What to do:</b> ");
            html.text(&finding.remedy, REMEDY_CHARS).raw("</p>\n");
        }
        write_evidence(html, &finding.evidence);
        write_origin(html, finding);
        html.raw("</div></details>\n");
    }
}

pub(crate) fn write_title(html: &mut Html, finding: &Finding) {
    let verdict = match finding.verdict {
        Verdict::Warn => "warning",
        _ => "failure",
    };
    html.raw("<span class=\"severity\">")
        .raw(severity_word(finding.severity));
    html.raw("</span> <span class=\"title\">")
        .line(&finding.title, TITLE_CHARS)
        .raw("</span> <span class=\"kind\">")
        .raw(verdict)
        .raw("</span>");
}

fn severity_word(severity: Severity) -> &'static str {
    severity.as_str()
}

fn write_evidence(html: &mut Html, evidence: &[Evidence]) {
    let shown = evidence.len().min(EVIDENCE);
    let (seen, folded) = evidence.split_at(shown.min(OPEN_EVIDENCE));
    for piece in seen {
        write_piece(html, piece);
    }
    let folded = folded.split_at(folded.len().min(EVIDENCE - OPEN_EVIDENCE)).0;
    if !folded.is_empty() {
        html.raw("<details class=\"more\"><summary>");
        html.counted(folded.len(), "more piece", "more pieces")
            .raw(" of evidence</summary>\n");
        for piece in folded {
            write_piece(html, piece);
        }
        html.raw("</details>\n");
    }
    if evidence.len() > shown {
        html.raw("<p class=\"left-out\">").count(evidence.len() - shown);
        html.raw(" more in <a href=\"./analysis.json\">analysis.json</a></p>\n");
    }
}

fn write_piece(html: &mut Html, piece: &Evidence) {
    write_figure(html, piece, |html| {
        html.file_link(&piece.file, &piece.quote);
    });
}

/// A piece of evidence, its file named as `write_file` does.
pub(crate) fn write_figure(html: &mut Html, piece: &Evidence, write_file: impl FnOnce(&mut Html)) {
    html.raw("<figure class=\"evidence\"><figcaption>");
    write_file(html);
    if let Some(line) = piece.line {
        html.raw(" <span class=\"line\">line ")
            .count(usize::try_from(line).unwrap_or(usize::MAX))
            .raw("</span>");
    }
    html.raw("</figcaption>");
    if !piece.quote.is_empty() {
        html.raw("<pre>").text(&piece.quote, QUOTE_CHARS).raw("</pre>");
    }
    html.raw("</figure>\n");
}

pub(crate) fn write_origin(html: &mut Html, finding: &Finding) {
    html.raw("<p class=\"origin\">");
    if !finding.object.is_empty() {
        html.raw("<span>").line(&finding.object, NAME_CHARS).raw("</span> ");
    }
    if !finding.fault.is_empty() {
        html.raw("<span>fault <code>")
            .line(&finding.fault, NAME_CHARS)
            .raw("</code></span> ");
    }
    if let Some(cause) = &finding.cause {
        html.raw("<span>caused by <code>")
            .line(cause, NAME_CHARS)
            .raw("</code></span> ");
    }
    html.raw("<span>check <code>")
        .line(&finding.analyzer, NAME_CHARS)
        .raw("</code></span></p>\n");
}

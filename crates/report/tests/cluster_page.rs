//! The page of a whole cluster: how large it can become, that no text of a node becomes markup, and what it links to.

use jiff::Timestamp;
use periscope_core::{Evidence, Finding, Severity, Verdict};
use periscope_report::{
    ClusterFinding, ClusterMissing, ClusterNode, ClusterReport, MAX_PAGE_BYTES, NodeMark, render_cluster,
};
use proptest::prelude::*;

/// A page of so many nodes and findings, on which every text that a node can choose has `text` in it.
fn page(nodes: usize, findings: usize, text: &str) -> String {
    let numbered = |n: usize| format!("{n}{text}");
    let node = |n: usize| ClusterNode {
        name: numbered(n),
        is_cluster: false,
        mark: [NodeMark::Good, NodeMark::Cut, NodeMark::Bad, NodeMark::Apart][n % 4],
        state: numbered(n),
        note: numbered(n),
        archive: n.is_multiple_of(2).then(|| (format!("{}.zip", numbered(n)), 1 << 20)),
    };
    let nodes: Vec<_> = (0..nodes).map(node).collect();
    let names: Vec<_> = nodes.iter().take(100).map(|node| node.name.clone()).collect();
    let finding = |n: usize| ClusterFinding {
        finding: Finding {
            analyzer: numbered(n),
            fault: numbered(n),
            verdict: [Verdict::Fail, Verdict::Warn, Verdict::Unknown, Verdict::Pass][n % 4],
            severity: Severity::High,
            object: numbered(n),
            title: numbered(n),
            evidence: vec![
                Evidence {
                    file: numbered(n),
                    line: Some(1),
                    quote: numbered(n),
                };
                12
            ],
            remedy: numbered(n),
            cause: n.is_multiple_of(3).then(|| numbered(n)),
            caused_by: Vec::new(),
        },
        on: names.clone(),
    };
    let findings: Vec<_> = (0..findings).map(finding).collect();
    let missing: Vec<_> = (0..findings.len())
        .map(|n| ClusterMissing {
            what: numbered(n),
            on: names.clone(),
        })
        .collect();
    let report = ClusterReport {
        run_id: text,
        server: text,
        started: Timestamp::UNIX_EPOCH,
        finished: Timestamp::UNIX_EPOCH,
        version: text,
        nodes: &nodes,
        findings: &findings,
        missing: &missing,
    };
    String::from_utf8(render_cluster(&report)).expect("a page is text")
}

#[test]
fn a_huge_cluster_has_a_small_page() {
    let html = page(5_000, 500, &"<&\u{202e}".repeat(200));
    assert!(html.len() < MAX_PAGE_BYTES, "{}", html.len());
    assert!(html.ends_with("</html>\n"));
    assert!(html.contains("more nodes are") && html.contains("more findings are"));
}

#[test]
fn archives_beside_the_page_are_linked_and_others_named() {
    let html = page(4, 8, "-node");
    assert!(html.contains("<a href=\"./0-node.zip\">0-node</a>"));
    assert!(html.contains("<th scope=\"row\">1-node</th>"));
    assert!(!html.contains("href=\"./1-node.zip\""));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_text_becomes_markup(text in ".{0,40}") {
        let tags = |html: &str| html.matches('<').count();
        // The same page of texts that are none, and that make no links either.
        let plain = page(4, 8, &text.chars().map(|c| if matches!(c, '<' | '>' | '"' | '\'' | '&') { '+' } else { c }).collect::<String>());
        prop_assert_eq!(tags(&page(4, 8, &text)), tags(&plain));
    }
}

//! The page as a whole: how large it can become, and that no text of a node becomes markup.

use std::collections::BTreeMap;

use jiff::Timestamp;
use periscope_core::{
    ActionRecord, ArtifactPath, Completeness, Evidence, Finding, ItemRecord, MANIFEST_SCHEMA, Manifest, Severity,
    State, Verdict,
};
use periscope_report::{Bars, Chart, ChartRow, MAX_PAGE_BYTES, Report, Unit, render};
use periscope_scan::{Level, Timeline, TimelineBucket, TimelineEntry};
use proptest::prelude::*;

/// How many there are of everything.
struct Size {
    findings: usize,
    checks: usize,
    items: usize,
    actions: usize,
    entries: usize,
    charts: usize,
}

const SMALL: Size = Size {
    findings: 12,
    checks: 4,
    items: 10,
    actions: 3,
    entries: 5,
    charts: 2,
};
const HUGE: Size = Size {
    findings: 5_000,
    checks: 5_000,
    items: 100_000,
    actions: 1_000,
    entries: 10_000,
    charts: 100,
};

#[expect(clippy::too_many_lines, reason = "one of everything that a page tells")]
/// A page on which every text that a node can choose is `text`, each made different by its number.
fn page(size: &Size, text: &str) -> String {
    let numbered = |n: usize| format!("{n}{text}");
    let at = |n: usize| Timestamp::from_second(1_760_000_000 + i64::try_from(n).unwrap_or(0)).unwrap_or_default();
    let finding = |verdict, n: usize| Finding {
        analyzer: numbered(n),
        // Some groups have effects, and some kinds of faults have many groups.
        fault: if n.is_multiple_of(2) {
            numbered(n)
        } else {
            text.to_owned()
        },
        verdict,
        severity: [Severity::Critical, Severity::High, Severity::Medium, Severity::Low][n % 4],
        object: numbered(n),
        title: numbered(n),
        evidence: (0..12)
            .map(|line| Evidence {
                file: format!("nodes/{}", numbered(n)),
                line: Some(line),
                quote: numbered(n),
            })
            .collect(),
        remedy: numbered(n),
        cause: n.is_multiple_of(3).then(|| text.to_owned()),
        caused_by: Vec::new(),
    };
    let mut findings: Vec<_> = (0..size.findings).map(|n| finding(Verdict::Fail, n)).collect();
    for verdict in [Verdict::Unknown, Verdict::Pass] {
        findings.extend((0..size.checks).map(|n| finding(verdict, n)));
    }
    let action = |n: usize| ActionRecord {
        id: numbered(n),
        state: State::Failed,
        reason: Some(numbered(n)),
        started: at(0),
        millis: u64::MAX,
    };
    let item = |n: usize| ItemRecord {
        action: numbered(n % size.actions),
        path: ArtifactPath::from_names(["nodes", &numbered(n % 1000), &numbered(n)]),
        state: State::ALL[n % 10],
        reason: Some(numbered(n)),
        source: None,
        modified: None,
        raw_bytes: 0,
        stored_bytes: u64::from(u32::MAX),
        compressed_bytes: 0,
        sha256: Some(String::new()),
        redactions: BTreeMap::new(),
        limit_by_user: false,
    };
    let entry = |n: usize| TimelineEntry {
        time: at(n),
        level: if n.is_multiple_of(2) {
            Level::Error
        } else {
            Level::Warning
        },
        source: numbered(n % 20),
        file: ArtifactPath::from_names(["nodes", &numbered(n % 50)]),
        line: Some(n as u64),
        text: numbered(n),
    };
    let bucket = |n: usize| TimelineBucket {
        start: at(n),
        source: numbered(n % 20),
        level: Level::Error,
        count: 1,
    };
    let timeline = Timeline {
        bucket_seconds: 1,
        buckets: (0..size.entries.min(4_000)).map(bucket).collect(),
        entries: (0..size.entries).map(entry).collect(),
        omitted: 7,
        untimed: 7,
    };
    let chart = |n: usize| Chart {
        title: numbered(n),
        about: numbered(n),
        files: vec![ArtifactPath::from_names([text])],
        unit: Unit::Millis,
        bars: [Bars::Stacked, Bars::EachColumn, Bars::Strip][n % 3],
        rows_are: numbered(n),
        columns: vec![numbered(n); 4],
        rows: (0..100)
            .map(|n| ChartRow {
                label: numbered(n),
                values: vec![Some(1e300), Some(f64::NAN), Some(-1.0), None],
                note: numbered(n),
                failed: true,
                strip: (0..1000).map(|n| Some(n % 2 == 0)).collect(),
            })
            .collect(),
    };
    let charts: Vec<_> = (0..size.charts).map(chart).collect();
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA.to_owned(),
        run_id: "run".parse().expect("a run"),
        node: "node".parse().expect("a node"),
        os: text.to_owned(),
        kernel: text.to_owned(),
        version: text.to_owned(),
        started: at(0),
        finished: at(9),
        completeness: Completeness::Partial,
        actions: (0..size.actions).map(action).collect(),
        items: (0..size.items).map(item).collect(),
    };
    let page = render(&Report {
        manifest: &manifest,
        findings: &findings,
        timeline: &timeline,
        charts: &charts,
    });
    String::from_utf8(page).expect("UTF-8")
}

#[test]
fn a_page_is_under_its_bound_whatever_stands_in_it() {
    for text in [
        "",
        " an ordinary sentence of a log",
        &"<\"'&>\u{202e}\u{1b}".repeat(30),
        &"é世🦀".repeat(60),
    ] {
        let page = page(&HUGE, text);
        assert!(page.len() < MAX_PAGE_BYTES, "{:?}: {}", text.get(..8), page.len());
        // It is not small because it lost something without a word.
        for word in [
            "more findings are",
            "more items are not listed here",
            "manifest.json",
            "charts are left out",
        ] {
            assert!(page.contains(word), "{word}");
        }
    }
}

#[test]
fn the_policy_allows_the_script_and_the_style_of_the_page_and_nothing_else() {
    let page = page(&SMALL, "text");
    let policy = page.split("Content-Security-Policy\" content=\"").nth(1).unwrap();
    let policy = policy.split('"').next().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(
        !policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"),
        "{policy}"
    );
    assert!(!page.contains(" style=") && !page.contains(" onclick=") && !page.contains(" onload="));
}

/// The page without its own style and scripts: what is made of texts.
fn body(page: &str) -> &str {
    page.split("<body>").nth(1).expect("a body")
}

/// The names of all elements, as they begin.
fn elements(page: &str) -> Vec<&str> {
    let name = |tag: &&str| !tag.starts_with(['/', '!']);
    body(page)
        .split('<')
        .skip(1)
        .filter(name)
        .map(|tag| tag.split([' ', '>', '/', '\n']).next().unwrap_or_default())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_text_becomes_markup(text in "(<|>|\"|'|&|/|!|-|=|script|img|\\]|`|\\\\|\\PC|\u{0}|\n){0,40}") {
        // Letters instead of the text: as many elements.
        let harmless = elements(&page(&SMALL, "x")).len();
        let page = page(&SMALL, &text);
        // A path that cannot be one is no link; nothing else may differ.
        let links = body(&page).matches("<a href=").count() + body(&page).matches("<wbr>").count();
        let of_links = |page: &str| elements(page).iter().filter(|name| !matches!(**name, "a" | "wbr")).count();
        prop_assert!(links > 0);
        prop_assert!(of_links(&page) <= harmless);
        let known = ["a", "article", "b", "code", "dd", "details", "div", "dl", "dt", "figcaption", "figure", "footer", "h1", "h2",
            "h3", "header", "li", "main", "nav", "noscript", "ol", "p", "pre", "rect", "script", "small", "section", "span",
            "strong", "summary", "svg", "table", "tbody", "td", "th", "thead", "tr", "ul", "wbr"];
        for name in elements(&page) {
            prop_assert!(known.contains(&name), "{}", name);
        }
        prop_assert_eq!(body(&page).matches("<script").count(), 2);
        for link in body(&page).split("href=\"").skip(1) {
            let link = link.split('"').next().unwrap();
            prop_assert!(link.starts_with("./") || link.starts_with('#'), "{}", link);
        }
    }
}

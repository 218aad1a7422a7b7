//! Reports of made-up runs, for looking at the page: nothing wrong, a few findings, very many, and hostile text
//! everywhere.

mod charts;
mod findings;
mod run;
mod timeline;

use jiff::{SignedDuration, Timestamp};
use periscope_core::{ArtifactPath, Completeness, Finding, ItemRecord, Manifest};
use periscope_report::{Chart, Report, render};
use periscope_scan::Timeline;

use charts::charts;
use findings::{checks, crash, evidence, few};
use run::manifest;
use timeline::timeline;

const NODE: &str = "aks-nodepool1-31415926-vmss00000a";
/// Pods that are named.
const PODS: [&str; 6] = [
    "kube-system/coredns-6d9f7c8b5-x2x7k",
    "payments/ledger-5c9d7f6b4-abcde",
    "payments/gateway-7f8b9c6d5-zxcvb",
    "kube-system/azure-ip-masq-agent-h4k2p",
    "monitoring/ama-logs-9wq8r",
    "shop/cart-0",
];

/// A made-up run with everything that its page tells.
pub struct SampleReport {
    /// What ran and what became of it.
    pub manifest: Manifest,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What happened when.
    pub timeline: Timeline,
    /// What was measured.
    pub charts: Vec<Chart>,
}

impl SampleReport {
    /// A run that found nothing wrong.
    pub fn healthy() -> Self {
        let mut sample = Self {
            manifest: manifest(),
            findings: checks(),
            timeline: timeline(40),
            charts: charts(false),
        };
        sample.manifest.items.retain(|item| item.state.leaves_complete(false));
        sample.manifest.completeness = Completeness::Complete;
        sample
    }

    /// A run with five findings, three of them with one cause.
    pub fn ill() -> Self {
        let mut findings = few();
        findings.extend(checks());
        Self {
            manifest: manifest(),
            findings,
            timeline: timeline(900),
            charts: charts(true),
        }
    }

    /// A run with five hundred findings and as many lines as there can be.
    pub fn swamped() -> Self {
        let mut findings = few();
        findings.extend((0..495).map(crash));
        findings.extend(checks());
        Self {
            manifest: manifest(),
            findings,
            timeline: timeline(10_000),
            charts: charts(true),
        }
    }

    /// A run in which every text that a node can choose tries to break out of the page.
    pub fn hostile(text: &str) -> Self {
        let mut sample = Self::ill();
        text.clone_into(&mut sample.manifest.os);
        text.clone_into(&mut sample.manifest.kernel);
        for action in &mut sample.manifest.actions {
            action.reason = Some(text.to_owned());
        }
        for item in &mut sample.manifest.items {
            let path = ArtifactPath::from_names(["nodes", text, item.path.as_str()]);
            *item = ItemRecord {
                path,
                reason: Some(text.to_owned()),
                ..item.clone()
            };
        }
        for finding in &mut sample.findings {
            for field in [
                &mut finding.title,
                &mut finding.object,
                &mut finding.remedy,
                &mut finding.analyzer,
                &mut finding.fault,
            ] {
                text.clone_into(field);
            }
            finding.evidence = vec![evidence(text, text), evidence("nodes/n/a.log", text)];
        }
        for entry in &mut sample.timeline.entries {
            text.clone_into(&mut entry.text);
            text.clone_into(&mut entry.source);
            entry.file = ArtifactPath::from_names(["nodes", text]);
        }
        for chart in &mut sample.charts {
            text.clone_into(&mut chart.title);
            for row in &mut chart.rows {
                text.clone_into(&mut row.label);
                text.clone_into(&mut row.note);
            }
        }
        sample
    }

    /// The page of this run.
    pub fn page(&self) -> Vec<u8> {
        render(&Report {
            manifest: &self.manifest,
            findings: &self.findings,
            timeline: &self.timeline,
            charts: &self.charts,
        })
    }
}

fn start() -> Timestamp {
    // 2026-11-20 09:12:00 UTC
    Timestamp::from_second(1_795_165_920).unwrap_or_default()
}

fn before_start(seconds: i64) -> Timestamp {
    start()
        .saturating_sub(SignedDuration::from_secs(seconds))
        .unwrap_or_default()
}

fn path(name: &str) -> String {
    format!("nodes/{NODE}/{name}")
}

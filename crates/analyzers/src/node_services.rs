//! Whether the node's services run and stay: units that failed, that systemd starts again and again, and the kubelet
//! among them. The container runtime's restarts are the runtime's own affair.

use jiff::{SignedDuration, Timestamp};
use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, LineHit, Severity, State};
use periscope_documents::{SystemdUnit, names};

use crate::rows::{self, Lack, Rows};
use crate::span;

static UNIT_FAILED: Fault = Fault {
    id: "unit-failed",
    summary: "A systemd unit has failed and is not started again",
    severity: Severity::Medium,
    caused_by: &[
        "filesystem-read-only",
        "disk-full",
        "inodes-full",
        "oom-kill",
        "provisioning-failed",
    ],
    remedy: "Read why with `journalctl -u` and the unit's name, mend it, and start the unit.",
};

static UNIT_RESTARTING: Fault = Fault {
    id: "unit-restarting",
    summary: "Systemd starts a unit again and again",
    severity: Severity::Medium,
    caused_by: &["filesystem-read-only", "disk-full", "oom-kill", "memory-pressure"],
    remedy: "Read why it ends with `journalctl -u` and the unit's name.",
};

static KUBELET_RESTARTING: Fault = Fault {
    id: "kubelet-restarting",
    summary: "The kubelet ends and is started again and again",
    severity: Severity::Critical,
    caused_by: &[
        "certificate-expired",
        "runtime-not-answering",
        "provisioning-failed",
        "disk-full",
        "oom-kill",
        "filesystem-read-only",
    ],
    remedy: "Read the kubelet's last lines before it ended in system-logs/journal/kubelet.log.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "node-services",
    summary: "Whether units of systemd failed or are restarted again and again, the kubelet among them",
    faults: &[&UNIT_FAILED, &UNIT_RESTARTING, &KUBELET_RESTARTING],
};

const KUBELET: &str = "kubelet.service";
/// Lines of systemd about the kubelet, in `crates/scan/rules/cluster.yaml`.
const KUBELET_LINES: &str = "kubelet-restarted";

/// From so many restarts on they are more than somebody's work on the node.
const RESTARTS: u64 = 3;
/// A unit whose last start is longer ago has stayed up since.
const RECENT: SignedDuration = SignedDuration::from_hours(1);
/// Most findings of one fault; the rest is counted.
const MAX_FINDINGS: usize = 5;

/// Judged by `runtime-restarting`.
const RUNTIMES: [&str; 3] = ["containerd.service", "docker.service", "crio.service"];

/// Without these the node does not do its work, on AKS or at all.
const ESSENTIAL: [&str; 17] = [
    KUBELET,
    "containerd.service",
    "docker.service",
    "systemd-networkd.service",
    "systemd-resolved.service",
    "systemd-journald.service",
    "systemd-udevd.service",
    "dbus.service",
    "NetworkManager.service",
    "chrony.service",
    "chronyd.service",
    "walinuxagent.service",
    "waagent.service",
    "localdns.service",
    "cloud-final.service",
    "cloud-init.service",
    "secure-tls-bootstrap.service",
];

/// Housekeeping that fails on machines in good order: news, package lists, firmware lists, waiting for links that pods
/// come and go with. Beginnings of names.
const HARMLESS: [&str; 15] = [
    "motd-news",
    "apt-daily",
    "apt-news",
    "esm-cache",
    "ua-",
    "ubuntu-advantage",
    "fwupd",
    "man-db",
    "plymouth",
    "update-notifier",
    "snapd",
    "snap.",
    "systemd-networkd-wait-online",
    "NetworkManager-wait-online",
    "systemd-update-utmp",
];

/// Judges the units.
pub(crate) struct NodeServices;

impl Analyzer for NodeServices {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let now = inputs.started();
        let lines = kubelet_lines(inputs);
        let units = match rows::read::<SystemdUnit>(inputs, names::NODE_SERVICES, names::UNITS)? {
            // Without systemd only processes are known, and no states.
            Ok(units) if units.incomplete.is_none() => Ok(units),
            Ok(units) => Err(Lack::Missing(units.incomplete.unwrap_or_default())),
            Err(lack) => Err(lack),
        };
        let kubelet = units.as_ref().ok().and_then(|units| {
            let (line, unit) = units.lines.iter().find(|(_, unit)| unit.name == KUBELET)?;
            Some((units, *line, unit))
        });
        let mut findings: Vec<_> = kubelet_restarting(kubelet, &lines, now).into_iter().collect();
        match units {
            Ok(units) => {
                findings.extend(failed(&units, now));
                findings.extend(restarting(&units, now));
                if findings.is_empty() {
                    let title = format!(
                        "None of the node's {} units has failed or is restarting.",
                        units.lines.len()
                    );
                    findings.push(DESCRIPTOR.pass(title));
                }
            }
            Err(_) if !findings.is_empty() => {}
            Err(Lack::NoSuchThing(State::NotApplicable)) => {
                findings.push(DESCRIPTOR.pass("The node is not run by systemd: there are no units to judge."));
            }
            Err(Lack::NoSuchThing(_)) => {
                findings.push(unknown("the node has no systemctl"));
            }
            Err(Lack::Missing(why)) => findings.push(unknown(&why)),
        }
        Ok(findings)
    }
}

fn unknown(why: &str) -> Finding {
    let title = format!("The states of the node's units are not known: {why}.");
    DESCRIPTOR
        .unknown(title)
        .remedy("Collect again with `--actions node-services` as root on the node.")
}

fn kubelet_lines(inputs: &dyn Inputs) -> Vec<LineHit> {
    let now = inputs.started();
    let is_recent = |hit: &LineHit| hit.time.is_some_and(|time| span::ago(now, time) <= RECENT);
    inputs.hits(KUBELET_LINES).into_iter().filter(is_recent).collect()
}

fn kubelet_restarting(
    unit: Option<(&Rows<SystemdUnit>, u64, &SystemdUnit)>,
    lines: &[LineHit],
    now: Timestamp,
) -> Option<Finding> {
    let flaps = unit.is_some_and(|(_, _, unit)| is_restarting(unit, now));
    if !flaps && (lines.len() as u64) < RESTARTS {
        return None;
    }
    let mut evidence = Vec::new();
    let title = match unit {
        Some((units, line, unit)) if flaps => {
            evidence.push(units.text.evidence(line));
            format!("The kubelet {}.", restarts(unit, now))
        }
        _ => format!(
            "systemd has started the kubelet again {} times within the last hour.",
            lines.len()
        ),
    };
    evidence.extend(lines.last().map(LineHit::evidence));
    Some(
        KUBELET_RESTARTING
            .fail("unit kubelet.service", title)
            .evidences(evidence),
    )
}

fn failed(units: &Rows<SystemdUnit>, now: Timestamp) -> Vec<Finding> {
    let is_failed =
        |unit: &SystemdUnit| unit.active == "failed" && !HARMLESS.iter().any(|start| unit.name.starts_with(start));
    let mut found: Vec<_> = units.lines.iter().filter(|(_, unit)| is_failed(unit)).collect();
    found.sort_by_key(|(_, unit)| (!is_essential(unit), unit.changed.map(std::cmp::Reverse), &unit.name));
    let more = found.len().saturating_sub(MAX_FINDINGS);
    let mut findings: Vec<_> = found
        .into_iter()
        .take(MAX_FINDINGS)
        .map(|(line, unit)| {
            let since = unit
                .changed
                .map(|time| format!(" {} ago", span::words(span::ago(now, time))));
            let title = format!(
                "Unit {} failed{}: {}.",
                unit.name,
                since.unwrap_or_default(),
                how_it_ended(unit)
            );
            let object = format!("unit {}", unit.name);
            let mut finding = if is_essential(unit) {
                UNIT_FAILED.fail(object, title)
            } else {
                UNIT_FAILED.warn(object, title)
            };
            if unit.name == KUBELET {
                finding.severity = Severity::Critical;
            }
            let remedy = format!(
                "Read why with `journalctl -u {}`, mend it, and start the unit.",
                unit.name
            );
            finding.remedy(remedy).evidence(units.text.evidence(*line))
        })
        .collect();
    if more > 0 {
        findings.push(UNIT_FAILED.warn(
            "other units",
            format!("{more} more units have failed: see node-services/units.txt."),
        ));
    }
    findings
}

fn restarting(units: &Rows<SystemdUnit>, now: Timestamp) -> impl Iterator<Item = Finding> {
    let is_judged = |unit: &SystemdUnit| unit.name != KUBELET && !RUNTIMES.contains(&unit.name.as_str());
    let found = units
        .lines
        .iter()
        .filter(move |(_, unit)| is_judged(unit) && is_restarting(unit, now));
    found.take(MAX_FINDINGS).map(move |(line, unit)| {
        let title = format!("Unit {} {}.", unit.name, restarts(unit, now));
        let object = format!("unit {}", unit.name);
        let finding = if is_essential(unit) {
            UNIT_RESTARTING.fail(object, title)
        } else {
            UNIT_RESTARTING.warn(object, title)
        };
        let remedy = format!("Read why it ends with `journalctl -u {}`.", unit.name);
        finding.remedy(remedy).evidence(units.text.evidence(*line))
    })
}

/// Whether it is started again and again at this time: it waits for its next start, or its last one was lately.
fn is_restarting(unit: &SystemdUnit, now: Timestamp) -> bool {
    let lately = unit
        .started
        .or(unit.changed)
        .is_some_and(|time| span::ago(now, time) <= RECENT);
    unit.active != "failed"
        && unit.restarts.is_some_and(|count| count >= RESTARTS)
        && (lately || unit.sub == "auto-restart")
}

fn is_essential(unit: &SystemdUnit) -> bool {
    ESSENTIAL.contains(&unit.name.as_str()) || unit.kind() == "mount"
}

/// `was started again 37 times, the last time 5 s ago; it exited with status 1`.
fn restarts(unit: &SystemdUnit, now: Timestamp) -> String {
    let last = unit
        .started
        .map(|time| format!(", the last time {} ago", span::words(span::ago(now, time))));
    format!(
        "was started again {} times{}; {}",
        unit.restarts.unwrap_or_default(),
        last.unwrap_or_default(),
        how_it_ended(unit)
    )
}

fn how_it_ended(unit: &SystemdUnit) -> String {
    let result = match unit.result.as_str() {
        "oom-kill" => "it was killed for want of memory".to_owned(),
        "start-limit-hit" => "it ended too often in a short time, and systemd gave up".to_owned(),
        "timeout" => "it took too long to start or stop".to_owned(),
        "watchdog" => "it no longer answered systemd's watchdog".to_owned(),
        "resources" => "systemd lacked what it needed to start it".to_owned(),
        "" | "success" => "it ended".to_owned(),
        other => format!("it ended with the result {other}"),
    };
    match (unit.exit_status, unit.exit_kind.as_str()) {
        (Some(status), "exited") => format!("{result} (exit status {status})"),
        (Some(signal), "killed" | "dumped") => format!("{result} (signal {signal})"),
        _ => result,
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, Severity, State, Verdict};
    use periscope_documents::names;
    use rstest::rstest;

    use super::NodeServices;
    use crate::fixture::Artifacts;

    const HEALTHY: [&str; 3] = [
        r#"{"name":"containerd.service","active":"active","sub":"running","result":"success","restarts":0}"#,
        r#"{"name":"kubelet.service","active":"active","sub":"running","result":"success","restarts":1,"started":"2026-11-20T09:30:00Z"}"#,
        r#"{"name":"motd-news.service","active":"failed","sub":"failed","result":"exit-code"}"#,
    ];

    fn artifacts(more: &[&str]) -> Artifacts {
        let rows: Vec<_> = HEALTHY.iter().chain(more).copied().collect();
        Artifacts::default().with(
            names::NODE_SERVICES,
            names::UNITS,
            format!("[\n{}\n]\n", rows.join(",\n")),
        )
    }

    fn judge(unit: &str) -> Vec<Finding> {
        NodeServices.analyze(&artifacts(&[unit])).unwrap()
    }

    #[rstest]
    #[case::nothing(r#"{"name":"a.service","active":"inactive"}"#)]
    #[case::restarts_long_ago(
        r#"{"name":"a.service","active":"active","sub":"running","restarts":40,"started":"2026-11-18T09:30:00Z"}"#
    )]
    #[case::a_restart_or_two(r#"{"name":"a.service","active":"active","restarts":2,"started":"2026-11-20T09:59:00Z"}"#)]
    #[case::runtime(r#"{"name":"docker.service","active":"active","restarts":9,"started":"2026-11-20T09:59:00Z"}"#)]
    fn a_node_in_order_passes(#[case] unit: &str) {
        let findings = judge(unit);
        assert_eq!(
            (findings.len(), findings[0].verdict),
            (1, Verdict::Pass),
            "{findings:?}"
        );
    }

    #[rstest]
    #[case::essential(
        r#"{"name":"systemd-resolved.service","active":"failed","result":"exit-code","exitStatus":1,"exitKind":"exited","changed":"2026-11-20T09:00:00Z"}"#,
        (Verdict::Fail, "unit-failed"),
        "Unit systemd-resolved.service failed 60 min ago: it ended with the result exit-code (exit status 1)."
    )]
    #[case::other(
        r#"{"name":"backup.service","active":"failed","result":"oom-kill"}"#,
        (Verdict::Warn, "unit-failed"),
        "Unit backup.service failed: it was killed for want of memory."
    )]
    #[case::restarting(
        r#"{"name":"localdns.service","active":"activating","sub":"auto-restart","result":"signal","exitStatus":9,"exitKind":"killed","restarts":12,"started":"2026-11-20T09:59:00Z"}"#,
        (Verdict::Fail, "unit-restarting"),
        "Unit localdns.service was started again 12 times, the last time 60 s ago; it ended with the result signal (signal 9)."
    )]
    fn faults_are_named_with_their_unit(
        #[case] unit: &str,
        #[case] (verdict, fault): (Verdict, &str),
        #[case] title: &str,
    ) {
        let findings = judge(unit);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!((findings[0].verdict, findings[0].fault.as_str()), (verdict, fault));
        assert_eq!(findings[0].title, title);
        let evidence = &findings[0].evidence[0];
        assert_eq!(
            (evidence.file.as_str(), evidence.line),
            ("nodes/node1/node-services/units.json", Some(5))
        );
        assert_eq!(evidence.quote, unit);
    }

    #[test]
    fn the_kubelet_has_a_fault_of_its_own() {
        let unit = r#"{"name":"kubelet.service","active":"activating","sub":"auto-restart","result":"exit-code","exitStatus":1,"exitKind":"exited","restarts":37,"started":"2026-11-20T09:59:55Z"}"#;
        let rows = format!("[\n{unit}\n]\n");
        let log = "nodes/node1/system-logs/journal/kubelet.log";
        let artifacts = Artifacts::default().with(names::NODE_SERVICES, names::UNITS, rows).hit(
            "kubelet-restarted",
            (log, 99),
            Some("2026-11-20T09:59:50Z"),
            "restart counter is at 37",
            &[],
        );
        let findings = NodeServices.analyze(&artifacts).unwrap();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(
            (findings[0].fault.as_str(), findings[0].severity),
            ("kubelet-restarting", Severity::Critical)
        );
        assert!(
            findings[0].title.starts_with("The kubelet was started again 37 times"),
            "{}",
            findings[0].title
        );
        let places: Vec<_> = findings[0].evidence.iter().map(|e| e.line).collect();
        assert_eq!(places, [Some(2), Some(99)]);
    }

    #[test]
    fn a_failed_kubelet_is_critical() {
        let artifacts = Artifacts::default().with(
            names::NODE_SERVICES,
            names::UNITS,
            "[\n{\"name\":\"kubelet.service\",\"active\":\"failed\",\"result\":\"start-limit-hit\"}\n]\n",
        );
        let findings = NodeServices.analyze(&artifacts).unwrap();
        assert_eq!(
            (findings[0].fault.as_str(), findings[0].severity),
            ("unit-failed", Severity::Critical)
        );
    }

    #[test]
    fn restarts_in_the_journal_are_enough() {
        let log = "nodes/node1/system-logs/journal/kubelet.log";
        let mut artifacts = Artifacts::default().without(names::NODE_SERVICES, names::UNITS, State::NotPresent);
        for (line, time) in [
            (1, "2026-11-20T09:50:00Z"),
            (5, "2026-11-20T09:51:00Z"),
            (9, "2026-11-20T09:52:00Z"),
        ] {
            artifacts = artifacts.hit(
                "kubelet-restarted",
                (log, line),
                Some(time),
                "Scheduled restart job",
                &[],
            );
        }
        let findings = NodeServices.analyze(&artifacts).unwrap();
        assert_eq!((findings.len(), findings[0].fault.as_str()), (1, "kubelet-restarting"));
        assert!(
            findings[0].title.contains("3 times within the last hour"),
            "{}",
            findings[0].title
        );
    }

    #[test]
    fn many_failed_units_are_counted() {
        let rows: Vec<_> = (0..9)
            .map(|n| format!(r#"{{"name":"u{n}.service","active":"failed"}}"#))
            .collect();
        let rows: Vec<_> = rows.iter().map(String::as_str).collect();
        let findings = NodeServices.analyze(&artifacts(&rows)).unwrap();
        assert_eq!(findings.len(), 6);
        assert!(findings[5].title.starts_with("4 more units"), "{}", findings[5].title);
    }

    #[rstest]
    #[case::not_gathered(Artifacts::default(), Verdict::Unknown)]
    #[case::processes_only(
        Artifacts::default().ended(names::NODE_SERVICES, names::UNITS, State::Denied, "[\n{\"name\":\"a.service\",\"active\":\"active\"}\n]\n"),
        Verdict::Unknown
    )]
    #[case::no_systemctl(Artifacts::default().without(names::NODE_SERVICES, names::UNITS, State::NotPresent), Verdict::Unknown)]
    #[case::other_init(Artifacts::default().without(names::NODE_SERVICES, names::UNITS, State::NotApplicable), Verdict::Pass)]
    fn what_is_not_known_is_not_passed(#[case] artifacts: Artifacts, #[case] verdict: Verdict) {
        let findings = NodeServices.analyze(&artifacts).unwrap();
        assert_eq!((findings.len(), findings[0].verdict), (1, verdict), "{findings:?}");
    }
}

//! How a row's content comes about: what the agent tells of its runs, put into a bounded [`Status`]. It sends nothing.

use jiff::Timestamp;
use periscope_core::{Completeness, Finding, Receipt, State, Verdict};
use serde_json::{Value, json};

use super::bounds::{self, line};
use super::row::Spec;
use super::status::{Archive, Condition, Findings, GraveFinding, Phase, RowProgress, RunStatus, Status, StoredAt};
use crate::reporter::{Ending, Run};
use crate::{Outcome, Part, Progress};

/// With the texts' own bounds these keep a row below 64 KiB, both parts of a run in it and full.
const MAX_FINDINGS: usize = 20;
const MAX_FAILURES: usize = 16;
const MAX_ARCHIVES: usize = 4;
const MAX_RUNNING: usize = 16;
/// Bytes of a title, a remedy or a failure.
const MAX_SENTENCE: usize = 240;
/// Bytes of an action's id.
const MAX_ID: usize = 48;
/// Bytes of a location: a storage account, a container, a run and a node of their greatest lengths fit.
const MAX_LOCATION: usize = 640;

/// What is to stand in the row.
#[derive(Debug, Clone, Default)]
pub(super) struct Diary {
    node: String,
    version: String,
    /// What this agent has told of the node's part; `None` until it begins one.
    own: Option<Own>,
    /// What this agent has told of the cluster's part.
    cluster: Option<RunStatus>,
}

#[derive(Debug, Clone)]
struct Own {
    spec: Spec,
    run: RunStatus,
    conditions: Vec<Condition>,
}

impl Diary {
    pub(super) fn of(node: &str, version: &str) -> Self {
        Self {
            node: node.to_owned(),
            version: line(version, MAX_SENTENCE),
            ..Self::default()
        }
    }

    pub(super) fn begin(&mut self, run: &Run) {
        let began = RunStatus {
            run_id: run.id.to_string(),
            phase: Phase::Running,
            started_at: Some(whole_seconds(run.started)),
            ..RunStatus::default()
        };
        match run.part {
            Part::Node => {
                self.cluster.take_if(|cluster| cluster.run_id != began.run_id);
                let conditions = [
                    ("Diagnosed", "False", "Pending", "The two texts are not there yet."),
                    ("Collected", "False", "Collecting", "The run is under way."),
                    ("Uploaded", "Unknown", "Pending", "The run is under way."),
                    ("Healthy", "Unknown", "Pending", "The run is under way."),
                ];
                self.own = Some(Own {
                    spec: Spec::default(),
                    conditions: conditions
                        .map(|(kind, status, reason, message)| condition(kind, status, reason, message, run.started))
                        .into(),
                    run: began,
                });
            }
            Part::Cluster => self.cluster = Some(began),
        }
    }

    pub(super) fn diagnosed(&mut self, network_config: &str, network_outbound: &str, at: Timestamp) {
        if let Some(own) = &mut self.own {
            own.spec.networkconfig = bounds::network_config(network_config);
            own.spec.networkoutbound = bounds::network_outbound(network_outbound);
            own.say(condition("Diagnosed", "True", "Diagnosed", "", at));
        }
    }

    pub(super) fn progress(&mut self, part: Part, progress: &Progress) {
        if let Some(run) = self.part(part) {
            let running = progress.running.iter().take(MAX_RUNNING).map(|&id| line(id, MAX_ID));
            run.progress = Some(RowProgress {
                actions: format!("{}/{}", progress.ended, progress.planned),
                ended: progress.ended as u64,
                planned: progress.planned as u64,
                running: running.collect(),
                bytes: progress.bytes,
            });
            run.message = match (&progress.waiting, progress.running.first()) {
                (Some(waiting), _) => line(waiting, MAX_SENTENCE),
                (None, Some(_)) => line(&format!("Under way: {}.", progress.running.join(", ")), MAX_SENTENCE),
                (None, None) => String::new(),
            };
        }
    }

    pub(super) fn end(&mut self, run: &Run, ending: &Ending) {
        let Some(told) = self.part(run.part) else { return };
        told.finished_at = Some(whole_seconds(ending.at));
        told.phase = phase(ending);
        told.message = line(&in_one_sentence(ending), MAX_SENTENCE);
        if let Some(progress) = &mut told.progress {
            progress.running.clear();
            // The last progress that was told may be some seconds old.
            if ending.result.is_ok() && told.phase != Phase::Cancelled {
                progress.complete();
            }
        }
        match &ending.result {
            Ok(outcome) => fill(told, outcome),
            Err(why) => told.failures = vec![line(why, MAX_SENTENCE)],
        }
        if run.part == Part::Node
            && let Some(own) = &mut self.own
        {
            own.conclude(ending);
        }
    }

    fn part(&mut self, part: Part) -> Option<&mut RunStatus> {
        match part {
            Part::Node => self.own.as_mut().map(|own| &mut own.run),
            Part::Cluster => self.cluster.as_mut(),
        }
    }

    /// The row's `spec` and `status` over what is in the row now: a part that another agent of this node has told stays
    /// as long as it is of the same run, and a node whose own part had ended before this agent began keeps that.
    pub(super) fn content(&self, present: &Value) -> Value {
        let (spec, mut status) = self.own.as_ref().map_or_else(
            || self.others(present),
            |own| (json!(own.spec), self.status(own, present)),
        );
        if let Some(cluster) = &self.cluster {
            status["cluster"] = json!(cluster);
        }
        json!({"spec": spec, "status": status})
    }

    fn status(&self, own: &Own, present: &Value) -> Value {
        let mut status = json!(Status {
            node: self.node.clone(),
            version: self.version.clone(),
            run: own.run.clone(),
            conditions: own.conditions.clone(),
            cluster: None,
        });
        let cluster = present.pointer("/status/cluster");
        if let Some(cluster) = cluster.filter(|cluster| cluster["runId"] == own.run.run_id.as_str()) {
            status["cluster"] = cluster.clone();
        }
        status
    }

    /// The row's `spec` and `status` where this agent has nothing to say about the node's own part.
    fn others(&self, present: &Value) -> (Value, Value) {
        let there = |key: &str| present.get(key).filter(|value| value.is_object()).cloned();
        let spec = there("spec").unwrap_or_else(|| json!(Spec::default()));
        let status = there("status").unwrap_or_else(|| json!({"node": self.node, "version": self.version}));
        (spec, status)
    }
}

impl Own {
    /// Replaces a condition; it keeps its time where only the reason is new.
    fn say(&mut self, mut condition: Condition) {
        match self.conditions.iter_mut().find(|said| said.kind == condition.kind) {
            Some(said) => {
                if said.status == condition.status {
                    condition.last_transition_time = said.last_transition_time;
                }
                *said = condition;
            }
            None => self.conditions.push(condition),
        }
    }

    fn conclude(&mut self, ending: &Ending) {
        let at = ending.at;
        if self.spec == Spec::default() {
            let message = "The run ended before the two texts were there.";
            self.say(condition("Diagnosed", "False", "NotDiagnosed", message, at));
        }
        let collected = if self.run.phase == Phase::Complete {
            "True"
        } else {
            "False"
        };
        let message = self.run.message.clone();
        self.say(condition("Collected", collected, self.run.phase.as_str(), &message, at));
        let uploaded = match &ending.result {
            Ok(outcome) => uploaded(outcome),
            Err(why) => ("Unknown", "Nothing", why.clone()),
        };
        self.say(condition("Uploaded", uploaded.0, uploaded.1, &uploaded.2, at));
        let healthy = match &ending.result {
            Ok(outcome) => healthy(&outcome.findings, ending.interrupted),
            Err(why) => ("Unknown", "NotJudged", why.clone()),
        };
        self.say(condition("Healthy", healthy.0, healthy.1, &healthy.2, at));
    }
}

fn condition(kind: &str, status: &str, reason: &str, message: &str, at: Timestamp) -> Condition {
    Condition {
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: line(message, MAX_SENTENCE),
        last_transition_time: whole_seconds(at),
    }
}

fn uploaded(outcome: &Outcome) -> (&'static str, &'static str, String) {
    match &outcome.uploads {
        None => ("False", "NoStorage", "No storage is configured.".to_owned()),
        Some(Ok(receipts)) => {
            let last = receipts.last().map(|receipt| bounds::without_query(&receipt.location));
            ("True", "Uploaded", last.unwrap_or_default().to_owned())
        }
        Some(Err(why)) => ("False", "Failed", why.clone()),
    }
}

fn healthy(findings: &[Finding], interrupted: bool) -> (&'static str, &'static str, String) {
    let first = |verdict| findings.iter().find(|finding| finding.verdict == verdict);
    if let Some(fault) = first(Verdict::Fail) {
        ("False", "FaultsFound", fault.title.clone())
    } else if interrupted {
        let message = "The run was ended before everything could be judged.";
        ("Unknown", "NotJudged", message.to_owned())
    } else if let Some(warning) = first(Verdict::Warn) {
        ("True", "WarningsFound", warning.title.clone())
    } else if first(Verdict::Pass).is_some() {
        ("True", "NoFaultsFound", String::new())
    } else {
        ("Unknown", "NotJudged", "Nothing could be judged.".to_owned())
    }
}

pub(super) fn phase(ending: &Ending) -> Phase {
    match &ending.result {
        _ if ending.interrupted => Phase::Cancelled,
        Err(_) => Phase::Failed,
        Ok(outcome) if count(outcome, |state| state == State::Cancelled) > 0 => Phase::Cancelled,
        Ok(outcome) => match outcome.completeness {
            Completeness::Complete => Phase::Complete,
            Completeness::Partial => Phase::Partial,
            Completeness::Nothing => Phase::Failed,
        },
    }
}

/// What the run amounts to, with the first thing that went wrong.
pub(super) fn in_one_sentence(ending: &Ending) -> String {
    let outcome = match &ending.result {
        Err(why) => return why.clone(),
        Ok(outcome) => outcome,
    };
    let missing = count(outcome, |state| !state.leaves_complete(false));
    let all = count(outcome, |_| true);
    let failure = outcome
        .failures
        .first()
        .map_or(String::new(), |first| format!(": {first}"));
    let collected = match phase(ending) {
        Phase::Complete => match count(outcome, |state| state == State::Collected) {
            collected if collected == all => format!("all {all} items collected"),
            collected => format!("{collected} of {all} items collected, the others are rightly absent"),
        },
        Phase::Cancelled => format!("ended early, {missing} of {all} items are missing or cut"),
        Phase::Failed => format!("not one of {all} items could be collected{failure}"),
        Phase::Partial | Phase::Running | Phase::Unknown => {
            format!("{missing} of {all} items are missing or cut{failure}")
        }
    };
    match &outcome.uploads {
        Some(Err(why)) => format!("not uploaded: {why}; {collected}"),
        Some(Ok(_)) | None => collected,
    }
}

fn count(outcome: &Outcome, of: impl Fn(State) -> bool) -> usize {
    let states = outcome.states.iter().filter(|(state, _)| of(*state));
    states.map(|(_, items)| items).sum()
}

fn fill(told: &mut RunStatus, outcome: &Outcome) {
    let items = outcome.states.iter();
    told.items = items
        .map(|(state, items)| (field_name(*state), *items as u64))
        .collect();
    let on_node = outcome.archives.iter().map(|receipt| archive(StoredAt::Node, receipt));
    let uploads = outcome.uploads.as_ref().and_then(|uploads| uploads.as_ref().ok());
    let in_storage = uploads
        .into_iter()
        .flatten()
        .map(|receipt| archive(StoredAt::Storage, receipt));
    told.archives = in_storage.chain(on_node).take(MAX_ARCHIVES).collect();
    told.findings = Some(findings(&outcome.findings));
    let failures = outcome.failures.iter().take(MAX_FAILURES);
    told.failures = failures.map(|failure| line(failure, MAX_SENTENCE)).collect();
}

/// The state's word as Kubernetes writes names of fields, which `kubectl describe` makes words of again.
fn field_name(state: State) -> String {
    let mut name = String::new();
    for (at, word) in state.as_str().split('-').enumerate() {
        let mut letters = word.chars();
        let first = letters.next().filter(|_| at > 0);
        name.extend(first.map(|letter| letter.to_ascii_uppercase()));
        name.push_str(if first.is_some() { letters.as_str() } else { word });
    }
    name
}

fn archive(at: StoredAt, receipt: &Receipt) -> Archive {
    Archive {
        at,
        location: line(bounds::without_query(&receipt.location), MAX_LOCATION),
        format: receipt.format.to_string(),
        bytes: receipt.bytes,
    }
}

fn findings(all: &[Finding]) -> Findings {
    let count = |verdict| all.iter().filter(|finding| finding.verdict == verdict).count() as u64;
    let (fail, warn) = (count(Verdict::Fail), count(Verdict::Warn));
    let gravest = all.iter().filter(|finding| finding.is_trouble()).take(MAX_FINDINGS);
    Findings {
        summary: match (fail, warn) {
            (0, 0) => "none".to_owned(),
            (fail, 0) => format!("{fail} fail"),
            (0, warn) => format!("{warn} warn"),
            (fail, warn) => format!("{fail} fail, {warn} warn"),
        },
        fail,
        warn,
        unknown: count(Verdict::Unknown),
        pass: count(Verdict::Pass),
        gravest: gravest
            .map(|finding| GraveFinding {
                verdict: finding.verdict,
                impact: finding.severity,
                title: line(&finding.title, MAX_SENTENCE),
                remedy: line(&finding.remedy, MAX_SENTENCE),
            })
            .collect(),
    }
}

/// As Kubernetes writes its times (`metav1.Time`).
pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
#[path = "diary_tests.rs"]
pub(super) mod tests;

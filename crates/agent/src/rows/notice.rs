//! What an Event says of a run, in words. It makes no object of the API.

use std::fmt::Write as _;

use jiff::Timestamp;
use periscope_core::{RunId, Verdict};

use super::bounds::{line, without_query};
use super::diary::{in_one_sentence, phase};
use super::status::Phase;
use crate::Part;
use crate::reporter::{Ending, Run};

/// Bytes of a message. `events.k8s.io` takes 1024 and no more; the core group, which is used here, has no such bound.
const MAX_MESSAGE: usize = 1000;
/// Faults that are named in the one Event about them.
const MAX_FAULTS: usize = 3;

/// One Event to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) at: Timestamp,
    pub(super) kind: Kind,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// The two types of Events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Warning,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// The node's part has begun anew. That one has begun is in the row, and the cluster's part is in the row of the node
/// that does it: an Event costs a request of every node.
pub(super) fn begun(run: &Run) -> Option<Notice> {
    let message = format!("Run {} has begun again, for the {}. time.", run.id, run.attempt);
    (run.part == Part::Node && run.attempt > 1).then(|| notice(run.started, Kind::Normal, "RunStarted", &message))
}

/// How a part has ended, in one Event: where its archive is or why it is not there, what is missing, what is wrong with
/// the node.
pub(super) fn ended(run: &Run, ending: &Ending) -> Notice {
    let phase = phase(ending);
    let upload = ending.result.as_ref().ok().and_then(|outcome| outcome.uploads.as_ref());
    let (finished, what) = match run.part {
        Part::Node => ("RunFinished", "Run"),
        Part::Cluster => ("ClusterPartFinished", "The cluster's part of run"),
    };
    let reason = match upload {
        Some(Err(_)) => "UploadFailed",
        _ => finished,
    };
    let mut message = format!("{what} {}: {phase}: {}", run.id, in_one_sentence(ending));
    if let Some(Ok(receipts)) = upload
        && let Some(last) = receipts.last()
    {
        message.push_str("; uploaded to ");
        message.push_str(without_query(&last.location));
    }
    let findings = ending.result.iter().flat_map(|outcome| &outcome.findings);
    let faults: Vec<&str> = findings
        .filter(|finding| finding.verdict == Verdict::Fail)
        .map(|finding| finding.title.as_str())
        .collect();
    if !faults.is_empty() {
        let named: Vec<&str> = faults.iter().take(MAX_FAULTS).copied().collect();
        message.push_str("; found: ");
        message.push_str(&named.join("; "));
        if faults.len() > named.len() {
            // Writing to a string cannot fail.
            write!(message, "; and {} more", faults.len() - named.len()).ok();
        }
    }
    let in_order = phase == Phase::Complete && reason == finished && faults.is_empty();
    let kind = if in_order { Kind::Normal } else { Kind::Warning };
    notice(ending.at, kind, reason, &message)
}

/// The reason of the Event that says why nothing comes of a run id.
pub const MADE_BEFORE: &str = "RunMadeBefore";

/// What that Event says.
pub fn made_before_message(id: &RunId) -> String {
    format!("Run {id} was made before and is not made again: expected another run id.")
}

/// The run is not made again. The row stays as it is: it may be of a later run.
pub(super) fn made_before(id: &RunId, at: Timestamp) -> Notice {
    notice(at, Kind::Warning, MADE_BEFORE, &made_before_message(id))
}

fn notice(at: Timestamp, kind: Kind, reason: &'static str, message: &str) -> Notice {
    Notice {
        at,
        kind,
        reason,
        message: line(message, MAX_MESSAGE),
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::Completeness;
    use rstest::rstest;

    use super::*;
    use crate::Outcome;
    use crate::rows::diary::tests::{ending, outcome, run};

    fn complete(outcome: &mut Outcome) {
        outcome.completeness = Completeness::Complete;
        outcome.findings.clear();
    }

    #[rstest]
    #[case::in_order(
        complete,
        "Normal RunFinished Run r1: Complete: 40 of 45 items collected, the others are rightly absent; uploaded to https://a.blob.core.windows.net/c/r1/n1/n1.zip"
    )]
    #[case::with_a_fault(
        |outcome: &mut Outcome| outcome.completeness = Completeness::Complete,
        "Warning RunFinished Run r1: Complete: 40 of 45 items collected, the others are rightly absent; uploaded to https://a.blob.core.windows.net/c/r1/n1/n1.zip; found: disk /var is full",
    )]
    #[case::many_faults(
        |outcome: &mut Outcome| {
            let fault = outcome.findings.first().unwrap().clone();
            outcome.findings = vec![fault; 5];
            outcome.uploads = None;
        },
        "Warning RunFinished Run r1: Partial: 3 of 45 items are missing or cut: kubelet: no answer within 10 s; found: disk /var is full; disk /var is full; disk /var is full; and 2 more",
    )]
    #[case::no_upload(
        |outcome: &mut Outcome| { complete(outcome); outcome.uploads = Some(Err("the SAS has expired".to_owned())); },
        "Warning UploadFailed Run r1: Complete: not uploaded: the SAS has expired; 40 of 45 items collected, the others are rightly absent",
    )]
    fn an_event_tells_how_a_run_ended(#[case] change: impl Fn(&mut Outcome), #[case] expected: &str) {
        let mut outcome = outcome();
        change(&mut outcome);
        let notice = ended(&run("r1", Part::Node), &ending(Ok(outcome)));
        let told = format!("{} {} {}", notice.kind.as_str(), notice.reason, notice.message);
        assert_eq!(told, expected);
    }

    #[test]
    fn a_run_that_is_made_again_says_so() {
        let mut again = run("r1", Part::Node);
        again.attempt = 2;
        assert_eq!(
            begun(&again).unwrap().message,
            "Run r1 has begun again, for the 2. time."
        );
        assert_eq!(begun(&run("r1", Part::Node)), None);
        again.part = Part::Cluster;
        assert_eq!(begun(&again), None);
    }

    #[test]
    fn a_run_that_could_not_be_made_is_a_warning() {
        let notice = ended(&run("r1", Part::Node), &ending(Err("no room".to_owned())));
        assert_eq!(
            (notice.kind, notice.message.as_str()),
            (Kind::Warning, "Run r1: Failed: no room")
        );
    }
}

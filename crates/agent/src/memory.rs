//! Remembers runs across restarts of the pod, in a file on the node: one that is finished is not made again, one that
//! was ended in the middle is.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use periscope_core::RunId;
use serde::{Deserialize, Serialize};

use crate::Part;
use crate::own_folder::{OWN_FOLDER, OwnFolder};

/// The file's name.
const FILE: &str = "runs.json";

/// Runs that are remembered. Only the last few can come again: a mounted file is minutes behind.
const MAX_RUNS: usize = 128;

/// Longest file that is taken for ours: a run is at most some 300 bytes in it.
const MAX_BYTES: usize = 256 * 1024;

/// How often one run is begun. What ends the pod three times in a row, such as its memory, will end it a fourth time.
pub const MAX_ATTEMPTS: u32 = 3;

/// A run that was ended in the middle is resumed by itself within this time: longer than a node takes to boot, and than
/// the pauses between restarts (5 min,
/// <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy>); shorter than what nobody waits
/// for any longer.
const RESUMED_WITHIN: Duration = Duration::from_hours(1);

/// What is known of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    id: RunId,
    /// When its id came, or when it was last begun.
    touched: Timestamp,
    /// How often it was begun.
    #[serde(default)]
    attempts: u32,
    /// The parts that need not be made again.
    #[serde(default)]
    node_ended: bool,
    #[serde(default)]
    cluster_ended: bool,
}

impl Known {
    fn has_ended(&self, part: Part) -> bool {
        match part {
            Part::Node => self.node_ended,
            Part::Cluster => self.cluster_ended,
        }
    }

    fn is_over(&self) -> bool {
        self.node_ended && self.cluster_ended
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Runs {
    /// The oldest first.
    runs: VecDeque<Known>,
}

/// The runs that are remembered.
#[derive(Debug)]
pub(crate) struct Memory {
    runs: VecDeque<Known>,
    /// The agent's folder, which its own is in.
    folder: PathBuf,
    /// Once it could be had.
    own: Option<OwnFolder>,
    /// The last write failed, and that was said.
    failing: bool,
}

impl Memory {
    /// Remembers nothing that was before it; see [`recall`](Self::recall).
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            runs: VecDeque::new(),
            folder: folder.to_owned(),
            own: None,
            failing: false,
        }
    }

    /// Reads what earlier agents remembered below the agent's folder, and keeps others from writing there from now on.
    /// `false` where another agent has it and that `can_wait`. What cannot be read is forgotten, and said.
    pub(crate) fn recall(&mut self, can_wait: bool) -> bool {
        let own = match self.take_own() {
            Err(error) if can_wait && error.kind() == io::ErrorKind::WouldBlock => return false,
            own => own,
        };
        self.say(&own);
        self.own = own.ok();
        true
    }

    /// The folder, with what is in it added to what is known where it was not had before.
    fn take_own(&mut self) -> io::Result<OwnFolder> {
        if let Some(own) = self.own.take() {
            return Ok(own);
        }
        let own = OwnFolder::open(&self.folder)?;
        let runs = self.read(&own);
        self.add(runs);
        Ok(own)
    }

    fn read(&self, own: &OwnFolder) -> VecDeque<Known> {
        let read = own.read(FILE, MAX_BYTES).and_then(|text| match text {
            Some(text) => serde_json::from_slice::<Runs>(&text).map_err(io::Error::from),
            None => Ok(Runs::default()),
        });
        let runs = read.unwrap_or_else(|error| {
            let file = self.file();
            tracing::warn!(
                "Earlier runs are forgotten, as {} cannot be read: {error}.",
                file.display()
            );
            Runs::default()
        });
        runs.runs
    }

    /// Adds the runs that were before, as far as nothing newer is known of them.
    fn add(&mut self, mut runs: VecDeque<Known>) {
        runs.retain(|known| !self.knows(&known.id));
        runs.append(&mut self.runs);
        let surplus = runs.len().saturating_sub(MAX_RUNS);
        runs.drain(..surplus);
        self.runs = runs;
    }

    fn file(&self) -> PathBuf {
        self.folder.join(OWN_FOLDER).join(FILE)
    }

    /// A run's id came: it is to be made, even by the next process. `false` when that was done before.
    pub(crate) fn accept(&mut self, id: &RunId, now: Timestamp) -> bool {
        if let Some(known) = self.find(id) {
            return !known.is_over();
        }
        if self.runs.len() >= MAX_RUNS {
            self.runs.pop_front();
        }
        self.runs.push_back(Known {
            id: id.clone(),
            touched: now,
            attempts: 0,
            node_ended: false,
            cluster_ended: false,
        });
        self.write();
        true
    }

    /// Whether anything is known of the run.
    pub(crate) fn knows(&self, id: &RunId) -> bool {
        self.runs.iter().any(|known| known.id == *id)
    }

    /// The run was made by somebody else, wholly.
    pub(crate) fn close(&mut self, id: &RunId, now: Timestamp) {
        self.accept(id, now);
        for part in [Part::Node, Part::Cluster] {
            self.end(id, part);
        }
    }

    /// The run begins, or begins again: the number of this attempt. Above [`MAX_ATTEMPTS`] it should not. `None` when
    /// it was made before.
    pub(crate) fn begin(&mut self, id: &RunId, now: Timestamp) -> Option<u32> {
        if !self.accept(id, now) {
            return None;
        }
        let known = self.find(id)?;
        known.attempts = known.attempts.saturating_add(1);
        known.touched = now;
        let attempts = known.attempts;
        self.write();
        Some(attempts)
    }

    /// The part has ended, and need not be made again.
    pub(crate) fn end(&mut self, id: &RunId, part: Part) {
        if let Some(known) = self.find(id) {
            match part {
                Part::Node => known.node_ended = true,
                Part::Cluster => known.cluster_ended = true,
            }
            self.write();
        }
    }

    /// Whether the part need not be made again.
    pub(crate) fn has_ended(&self, id: &RunId, part: Part) -> bool {
        self.runs.iter().any(|known| known.id == *id && known.has_ended(part))
    }

    /// Whether no part of the run need be made again.
    pub(crate) fn is_over(&self, id: &RunId) -> bool {
        self.runs.iter().any(|known| known.id == *id && known.is_over())
    }

    /// The runs that an earlier process left unfinished, not long ago, the oldest first.
    pub(crate) fn unfinished(&self, now: Timestamp) -> Vec<RunId> {
        let recent = |known: &&Known| now.duration_since(known.touched) < RESUMED_WITHIN.try_into().unwrap_or_default();
        let unfinished = self.runs.iter().filter(|known| !known.is_over());
        unfinished.filter(recent).map(|known| known.id.clone()).collect()
    }

    fn find(&mut self, id: &RunId) -> Option<&mut Known> {
        self.runs.iter_mut().find(|known| known.id == *id)
    }

    /// A disk that is full now may have room when the run is over, so each change is tried to be written.
    fn write(&mut self) {
        let mut written = self.try_write();
        if let Err(error) = &written
            && error.kind() == io::ErrorKind::NotFound
        {
            // Somebody removed the folder: it is made anew.
            self.own = None;
            written = self.try_write();
        }
        self.say(&written);
    }

    fn try_write(&mut self) -> io::Result<()> {
        let own = self.take_own()?;
        let text = serde_json::to_vec(&serde_json::json!({ "runs": self.runs }))?;
        let written = own.write(FILE, &text);
        self.own = Some(own);
        written
    }

    /// Says once that it fails.
    fn say<T>(&mut self, written: &io::Result<T>) {
        if let Err(error) = written
            && !self.failing
        {
            let file = self.file();
            tracing::warn!(
                "Runs are not remembered for now, and would be made again by another pod: cannot write {}: {error}.",
                file.display()
            );
        }
        self.failing = written.is_err();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rstest::rstest;

    use super::*;

    fn id(text: &str) -> RunId {
        text.parse().unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    /// What an agent knows that begins with this folder.
    fn open(folder: &Path) -> Memory {
        let mut memory = Memory::new(folder);
        assert!(memory.recall(false));
        memory
    }

    #[test]
    fn a_finished_run_is_not_accepted_again_by_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = open(folder.path());
        assert!(memory.accept(&id("a"), at(0)));
        assert_eq!(memory.begin(&id("a"), at(0)), Some(1));
        memory.end(&id("a"), Part::Node);
        assert!(memory.accept(&id("a"), at(1)));
        memory.end(&id("a"), Part::Cluster);
        for _ in 0..2 {
            assert!(!memory.accept(&id("a"), at(2)));
            assert_eq!(memory.begin(&id("a"), at(2)), None);
            assert!(memory.unfinished(at(2)).is_empty());
            drop(memory);
            memory = open(folder.path());
        }
    }

    #[test]
    fn an_unfinished_run_is_resumed_with_what_is_left_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = open(folder.path());
        memory.begin(&id("a"), at(0));
        memory.end(&id("a"), Part::Node);
        memory.accept(&id("queued"), at(1));
        drop(memory);
        let mut memory = open(folder.path());
        assert_eq!(memory.unfinished(at(60)), [id("a"), id("queued")]);
        assert!(memory.has_ended(&id("a"), Part::Node));
        assert!(!memory.has_ended(&id("a"), Part::Cluster));
        assert_eq!(memory.begin(&id("a"), at(60)), Some(2));
        assert_eq!(memory.begin(&id("queued"), at(60)), Some(1));
        assert!(memory.unfinished(at(60 + 3600)).is_empty());
    }

    #[rstest]
    #[case::no_json("{\"runs\": [{")]
    #[case::another_json("[]")]
    #[case::a_bad_id(r#"{"runs": [{"id": "../a", "touched": "2026-11-20T20:10:33Z"}]}"#)]
    #[case::no_text("\u{0}")]
    fn a_damaged_file_is_forgotten_and_replaced(#[case] text: &str) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(OWN_FOLDER)).unwrap();
        fs::write(folder.path().join(OWN_FOLDER).join(FILE), text).unwrap();
        let mut memory = open(folder.path());
        assert!(memory.unfinished(at(0)).is_empty());
        assert!(memory.accept(&id("a"), at(0)));
        drop(memory);
        assert_eq!(open(folder.path()).unfinished(at(0)), [id("a")]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = open(folder.path());
        let longest = "x".repeat(120);
        for number in 0..MAX_RUNS + 10 {
            memory.begin(&id(&format!("{longest}{number}")), at(0));
        }
        drop(memory);
        assert_eq!(open(folder.path()).unfinished(at(0)).len(), MAX_RUNS);
    }

    #[test]
    fn without_a_folder_it_remembers_within_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let mut memory = open(&file);
        assert!(memory.accept(&id("a"), at(0)));
        memory.begin(&id("a"), at(0));
        memory.end(&id("a"), Part::Node);
        memory.end(&id("a"), Part::Cluster);
        assert!(!memory.accept(&id("a"), at(1)));
    }

    #[test]
    fn what_could_not_be_written_is_written_with_the_next_change() {
        let folder = tempfile::tempdir().unwrap();
        let full = folder.path().join("full");
        fs::write(&full, "").unwrap();
        let mut memory = open(&full);
        memory.begin(&id("a"), at(0));
        fs::remove_file(&full).unwrap();
        memory.end(&id("a"), Part::Node);
        drop(memory);
        assert!(open(&full).has_ended(&id("a"), Part::Node));
    }

    #[rstest]
    #[case::its_own_folder("agents/.agent")]
    #[case::the_one_above("agents")]
    fn nothing_is_written_through_a_link(#[case] link: &str) {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let link = folder.path().join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(outside.path(), &link).unwrap();
        let agents = folder.path().join("agents");
        let mut memory = open(&agents);
        memory.begin(&id("a"), at(0));
        memory.end(&id("a"), Part::Node);
        assert!(memory.has_ended(&id("a"), Part::Node));
        // Which is said: see `say`.
        assert!(memory.failing);
        let why = OwnFolder::open(&agents).unwrap_err();
        assert_eq!(why.to_string(), "there is a link or a file, expected a folder");
        // What is not empty is not removed.
        fs::remove_dir(outside.path()).unwrap();
    }

    #[test]
    fn a_folder_that_was_removed_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = open(folder.path());
        memory.begin(&id("a"), at(0));
        fs::remove_dir_all(folder.path()).unwrap();
        memory.end(&id("a"), Part::Node);
        drop(memory);
        assert!(open(folder.path()).has_ended(&id("a"), Part::Node));
    }

    #[test]
    fn what_another_agent_remembered_meanwhile_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = open(folder.path());
        first.begin(&id("a"), at(0));
        let mut second = Memory::new(folder.path());
        assert!(!second.recall(true));
        second.begin(&id("b"), at(1));
        first.end(&id("a"), Part::Node);
        drop(first);
        second.end(&id("b"), Part::Node);
        drop(second);
        let third = open(folder.path());
        assert_eq!(third.unfinished(at(2)), [id("a"), id("b")]);
        assert!(third.has_ended(&id("a"), Part::Node) && third.has_ended(&id("b"), Part::Node));
    }
}

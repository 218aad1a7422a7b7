//! The one task that writes: the row as it is to be at that moment, however often it changed before, and Events after
//! it.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::api::{Api, Refusal};
use super::diary::Diary;
use super::events::Events;
use super::merge;
use super::notice::Notice;
use crate::{PROGRESS_EVERY, Part};

/// The pause after the first write that failed; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause without an answer, or with one that is of the moment: an API server that is back has its rows
/// within that time.
const MAX_PAUSE: Duration = Duration::from_secs(8);
/// The longest pause after a refusal, such as without a definition of rows: it will hardly change, and many nodes ask.
const MAX_PAUSE_REFUSED: Duration = Duration::from_secs(32);
/// How long after the end of a run a row is still tried to be written.
const PATIENCE: Duration = Duration::from_mins(5);
/// Requests of one write at most: a patch that finds no row, a creation, a look at the row that was in the way, a patch
/// of it.
const MAX_STEPS: usize = 4;

/// What is to be written.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) diary: Diary,
    /// Counts the changes that are written at once.
    pub(super) told: u64,
    /// Counts the changes that may wait.
    pub(super) progress: u64,
    /// The parts that have begun and not ended.
    pub(super) under_way: BTreeSet<Part>,
    /// When the last of them ended; `None` while one is under way.
    pub(super) over: Option<Instant>,
}

/// The changes that are in the row, or given up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) told: u64,
    pub(super) progress: u64,
    /// Events that are sent, or given up.
    pub(super) notices: u64,
}

pub(super) struct Writer {
    pub(super) api: Api,
    pub(super) row: String,
    pub(super) wanted: watch::Receiver<Wanted>,
    pub(super) notices: mpsc::Receiver<Notice>,
    pub(super) events: Events,
    pub(super) done: watch::Sender<Done>,
    pub(super) place: Place,
    pub(super) pace: Pace,
    /// Since when nobody can tell it anything any more.
    pub(super) abandoned: Option<Instant>,
}

/// What is known of the row on the API server.
#[derive(Debug, Default)]
pub(super) struct Place {
    row: Known,
    /// The API server called the status invalid: an older definition has one of another shape.
    without_status: bool,
    /// The API server drops the status: an older definition has none.
    drops_status: bool,
}

#[derive(Debug, Default)]
enum Known {
    /// Nothing: most likely there is no row.
    #[default]
    Nothing,
    /// There is one, written by another agent.
    There,
    /// There is one, with this content.
    Content(Value),
}

/// When the next write may be.
#[derive(Debug)]
pub(super) struct Pace {
    last: Option<Instant>,
    not_before: Instant,
    failures: u32,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            last: None,
            not_before: Instant::now(),
            failures: 0,
        }
    }

    fn succeeded(&mut self) {
        *self = Self::new();
        self.last = Some(Instant::now());
    }

    fn failed(&mut self, refusal: &Refusal) {
        let longest = match refusal.code {
            Some(400..=404) => MAX_PAUSE_REFUSED,
            _ => MAX_PAUSE,
        };
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10)).min(longest);
        self.failures += 1;
        // Many nodes meet the same API server: each waits up to a half longer than it must.
        let share = u32::try_from(RandomState::new().hash_one(0) % 512).unwrap_or(0);
        self.not_before = Instant::now() + refusal.after.max(pause + pause * share / 1024);
    }
}

impl Writer {
    /// Writes until nobody can tell it anything any more, and what it was told is written or given up.
    pub(super) async fn run(mut self) {
        let mut more_wanted = true;
        let mut more_notices = true;
        loop {
            let row = self.row_due();
            let event = self.events.due();
            if row.is_none() && event.is_none() && !more_wanted && !more_notices {
                return;
            }
            tokio::select! {
                biased;
                () = at(row), if row.is_some() => self.write_row().await,
                changed = self.wanted.changed(), if more_wanted => if changed.is_err() {
                    more_wanted = false;
                    self.abandoned = Some(Instant::now());
                },
                notice = self.notices.recv(), if more_notices => match notice {
                    Some(notice) => self.events.add(notice),
                    None => more_notices = false,
                },
                () = at(event), if event.is_some() => self.events.send(&self.api).await,
            }
            self.done.send_if_modified(|done| {
                let changed = done.notices != self.events.closed();
                done.notices = self.events.closed();
                changed
            });
        }
    }
}

/// Waits for a moment; for ever where there is none, which a branch's condition rules out.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

impl Writer {
    /// When the row is to be written next; `None` where there is nothing to write.
    fn row_due(&self) -> Option<Instant> {
        let wanted = self.wanted.borrow();
        let done = *self.done.borrow();
        if wanted.told != done.told {
            Some(self.pace.not_before)
        } else if wanted.progress != done.progress && !self.place.is_without_status() {
            let spaced = self
                .pace
                .last
                .map_or(self.pace.not_before, |last| last + PROGRESS_EVERY);
            Some(spaced.max(self.pace.not_before))
        } else {
            None
        }
    }

    async fn write_row(&mut self) {
        let wanted = self.wanted.borrow_and_update().clone();
        let written = self.place.write(&self.api, &self.row, &wanted.diary).await;
        let row = self.row.as_str();
        match written {
            Ok(()) => {
                if self.pace.failures > 0 {
                    tracing::info!(row, "The Diagnostic row is written again.");
                }
                self.pace.succeeded();
            }
            Err(refusal) => {
                let over = wanted.over.or(self.abandoned);
                if over.is_none_or(|over| over.elapsed() < PATIENCE) {
                    if self.pace.failures == 0 {
                        tracing::warn!(row, %refusal, "The Diagnostic row cannot be written: trying again while the run lasts.");
                    }
                    self.pace.failed(&refusal);
                    return;
                }
                tracing::warn!(row, %refusal, "The Diagnostic row could not be written.");
                self.pace = Pace::new();
            }
        }
        self.done.send_modify(|done| {
            done.told = wanted.told;
            done.progress = wanted.progress;
        });
    }
}

impl Place {
    fn is_without_status(&self) -> bool {
        self.without_status || self.drops_status
    }

    /// Makes the row say what the diary says, with as few requests as may be: mostly one.
    async fn write(&mut self, api: &Api, name: &str, diary: &Diary) -> Result<(), Refusal> {
        for _ in 0..MAX_STEPS {
            let result = match std::mem::take(&mut self.row) {
                Known::Nothing => {
                    let content = self.content(diary, &json!({}));
                    api.create_row(name, &content).await.map(Known::Content)
                }
                Known::There => match api.get_row(name).await {
                    Ok(content) => {
                        self.row = Known::Content(content);
                        continue;
                    }
                    Err(refusal) => {
                        self.row = Known::There;
                        Err(refusal)
                    }
                },
                Known::Content(present) => match merge::patch(&present, &self.content(diary, &present)) {
                    None => Ok(Known::Content(present)),
                    Some(patch) => {
                        let patched = api.patch_row(name, &patch).await;
                        // Without an answer the patch may be in the row or not.
                        let answered = patched.as_ref().err().is_some_and(|refusal| refusal.code.is_some());
                        self.row = if answered {
                            Known::Content(present)
                        } else {
                            Known::There
                        };
                        patched.map(Known::Content)
                    }
                },
            };
            match result {
                Ok(known) => {
                    self.learn(name, known);
                    return Ok(());
                }
                Err(Refusal { code: Some(409), .. }) if matches!(self.row, Known::Nothing) => self.row = Known::There,
                Err(Refusal { code: Some(404), .. }) if !matches!(self.row, Known::Nothing) => {
                    self.row = Known::Nothing;
                }
                Err(refusal) if matches!(refusal.code, Some(400 | 413 | 422)) && !self.without_status => {
                    tracing::warn!(row = name, %refusal, "The cluster's definition of Diagnostic rows takes no status of ours: the row has the two texts only.");
                    self.without_status = true;
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Err(Refusal::of_our_own("the row comes and goes"))
    }

    fn content(&self, diary: &Diary, present: &Value) -> Value {
        let mut content = diary.content(present);
        if self.without_status
            && let Some(content) = content.as_object_mut()
        {
            content.remove("status");
            if let Some(status) = present.get("status") {
                content.insert("status".to_owned(), status.clone());
            }
        }
        content
    }

    fn learn(&mut self, name: &str, row: Known) {
        if let Known::Content(content) = &row {
            let drops = content.get("status").is_none();
            if drops && !self.is_without_status() {
                tracing::info!(
                    row = name,
                    "The cluster's definition of Diagnostic rows has no status: the row has the two texts only."
                );
            }
            self.drops_status = drops;
        }
        self.row = row;
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;

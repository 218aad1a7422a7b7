//! The scan of an archive's logs by the rules, on all processors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use jiff::Timestamp;
use periscope_bundle::{Member, OpenArchive};
use periscope_scan::{Outcome, RuleSet, Scanner};

use crate::exit::in_one_line;

/// Scans these files of the archive. Returns also what could not be read, a line each.
pub(super) fn scan(
    archive: &OpenArchive,
    members: &[&Member],
    rules: Arc<RuleSet>,
    started: Timestamp,
) -> (Outcome, Vec<String>) {
    let scanner = Scanner::new(rules, started);
    let next = AtomicUsize::new(0);
    let unread = Mutex::new(Vec::new());
    let work = || {
        while let Some(member) = members.get(next.fetch_add(1, Ordering::Relaxed)) {
            let read = archive
                .read(member)
                .and_then(|mut content| scanner.read(&member.path, &mut *content));
            if let Err(error) = read {
                let line = format!("{} is damaged: {}", member.path, in_one_line(&error));
                unread.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(work);
        }
        work();
    });
    let mut unread = unread.into_inner().unwrap_or_else(PoisonError::into_inner);
    unread.sort();
    (scanner.outcome(), unread)
}

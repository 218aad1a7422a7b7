//! What a run may take of the disk: a total for the archive and a floor below which free space must not fall.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Spooled bytes between two looks at the disk's free space.
const LOOK_EVERY: u64 = 4 * 1024 * 1024;
/// Free space that is always left alone, unless there is less than twice that to begin with.
const FLOOR: u64 = 1024 * 1024 * 1024;

/// What the user, or the program for him, allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetLimits {
    /// Most bytes of all artifacts together, as compressed.
    pub archive_bytes: u64,
    /// Whether the user set that.
    pub by_user: bool,
}

/// What is left of what a run may take.
#[derive(Debug)]
pub struct Budget {
    limits: BudgetLimits,
    spent: AtomicU64,
    looked_at: AtomicU64,
    floor: u64,
    disk: Arc<File>,
}

/// Something is used up: what, and whether the user set the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exhausted {
    pub(crate) reason: String,
    pub(crate) by_user: bool,
}

impl Budget {
    /// A budget on the file system that `disk` lies on.
    pub(crate) fn new(limits: BudgetLimits, disk: Arc<File>) -> Self {
        // On a disk that is nearly full already, half of what is free may be used: such a node needs its archive most.
        let floor = FLOOR.min(free_space(&disk).unwrap_or(0) / 2);
        Self {
            limits,
            spent: AtomicU64::new(0),
            looked_at: AtomicU64::new(0),
            floor,
            disk,
        }
    }

    /// Takes `bytes` that are about to be written.
    pub(crate) fn spend(&self, bytes: u64) -> Result<(), Exhausted> {
        let spent = self.spent.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if spent > self.limits.archive_bytes {
            let reason = format!("the archive's limit of {} bytes is used up", self.limits.archive_bytes);
            return Err(Exhausted {
                reason,
                by_user: self.limits.by_user,
            });
        }
        if spent.saturating_sub(self.looked_at.load(Ordering::Relaxed)) >= LOOK_EVERY {
            self.looked_at.store(spent, Ordering::Relaxed);
            self.look(spent)?;
        }
        Ok(())
    }

    /// Gives back what was written for an artifact that was discarded.
    pub(crate) fn give_back(&self, bytes: u64) {
        self.spent.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The archive is a second copy of what is spooled: it must fit above the floor too.
    fn look(&self, spent: u64) -> Result<(), Exhausted> {
        match free_space(&self.disk) {
            Some(free) if free < self.floor.saturating_add(spent) => Err(Exhausted {
                reason: format!(
                    "only {free} bytes are free on the output's disk: the archive needs {spent} and {} are left alone",
                    self.floor
                ),
                by_user: false,
            }),
            _ => Ok(()),
        }
    }
}

/// Bytes that may still be written; `None` when the file system does not say.
fn free_space(disk: &File) -> Option<u64> {
    rustix::fs::fstatvfs(disk)
        .ok()
        .map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::{Budget, BudgetLimits};
    use std::sync::Arc;

    fn budget(archive_bytes: u64) -> Budget {
        let disk = Arc::new(tempfile::tempfile().unwrap());
        Budget::new(
            BudgetLimits {
                archive_bytes,
                by_user: true,
            },
            disk,
        )
    }

    #[test]
    fn what_is_given_back_can_be_spent_again() {
        let budget = budget(100);
        budget.spend(100).unwrap();
        budget.give_back(40);
        budget.spend(40).unwrap();
        let exhausted = budget.spend(1).unwrap_err();
        assert!(exhausted.by_user);
        assert_eq!(exhausted.reason, "the archive's limit of 100 bytes is used up");
    }

    #[test]
    fn the_free_space_must_hold_the_archive_too() {
        let budget = budget(u64::MAX);
        let free = super::free_space(&budget.disk).unwrap();
        assert!(budget.floor <= free / 2 + 1 && budget.floor <= super::FLOOR);
        budget.look(1).unwrap();
        let exhausted = budget.look(free).unwrap_err();
        assert!(!exhausted.by_user);
    }
}

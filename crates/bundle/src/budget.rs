//! What a run may take of the disk: a total for the archive and a floor below which free space must not fall.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Most spooled bytes between two looks at the disk's free space.
const LOOK_EVERY: u64 = 4 * 1024 * 1024;
/// Which part of the free space may be spooled between two looks: what several artifacts write at once until each of
/// them has noticed must stay small beside the floor.
const LOOKS: u64 = 64;
/// Free space that is always left alone, unless there is less than twice that to begin with.
const FLOOR: u64 = 1024 * 1024 * 1024;

/// What the user, or the program for him, allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetLimits {
    /// Most bytes of all artifacts together, as compressed.
    pub archive_bytes: u64,
    /// Whether the user set that.
    pub by_user: bool,
    /// Whether the archive will be written uncompressed: then the disk must hold that much.
    pub unpacked: bool,
}

/// What is left of what a run may take.
#[derive(Debug)]
pub struct Budget {
    limits: BudgetLimits,
    spent: AtomicU64,
    content: AtomicU64,
    looked_at: AtomicU64,
    look_every: u64,
    low: AtomicBool,
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
        let free = free_space(&disk).unwrap_or(0);
        Self {
            limits,
            spent: AtomicU64::new(0),
            content: AtomicU64::new(0),
            looked_at: AtomicU64::new(0),
            look_every: LOOK_EVERY.min(free / LOOKS),
            low: AtomicBool::new(false),
            floor: FLOOR.min(free / 2),
            disk,
        }
    }

    /// Takes `bytes` that are about to be written.
    pub(crate) fn spend(&self, bytes: u64) -> Result<(), Exhausted> {
        let spent = self.spent.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if spent > self.limits.archive_bytes {
            return Err(self.used_up());
        }
        let copy = self.copy_bytes();
        if self.low.load(Ordering::Relaxed)
            || copy.saturating_sub(self.looked_at.load(Ordering::Relaxed)) >= self.look_every
        {
            self.looked_at.store(copy, Ordering::Relaxed);
            self.look(copy)?;
        }
        Ok(())
    }

    /// Takes note of content as a reader of the archive will find it.
    pub(crate) fn add_content(&self, bytes: u64) {
        self.content.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether another artifact may be begun. Without this every small one would still get in when nothing is left.
    pub(crate) fn check(&self) -> Result<(), Exhausted> {
        if self.spent.load(Ordering::Relaxed) >= self.limits.archive_bytes {
            return Err(self.used_up());
        }
        if self.low.load(Ordering::Relaxed) {
            return self.look(self.copy_bytes());
        }
        Ok(())
    }

    /// Notes that the disk refused to take more.
    pub(crate) fn disk_is_full(&self) {
        self.low.store(true, Ordering::Relaxed);
    }

    fn used_up(&self) -> Exhausted {
        Exhausted {
            reason: format!("the archive's limit of {} bytes is used up", self.limits.archive_bytes),
            by_user: self.limits.by_user,
        }
    }

    /// What the archive of everything so far takes of the disk.
    fn copy_bytes(&self) -> u64 {
        if self.limits.unpacked {
            self.content.load(Ordering::Relaxed)
        } else {
            self.spent.load(Ordering::Relaxed)
        }
    }

    /// Gives back what was written for an artifact that was discarded, and its content.
    pub(crate) fn give_back(&self, bytes: u64, content: u64) {
        self.spent.fetch_sub(bytes, Ordering::Relaxed);
        self.content.fetch_sub(content, Ordering::Relaxed);
    }

    /// The archive is a second copy of what is spooled: it must fit above the floor too.
    fn look(&self, copy: u64) -> Result<(), Exhausted> {
        match free_space(&self.disk) {
            Some(free) if free < self.floor.saturating_add(copy) => {
                self.low.store(true, Ordering::Relaxed);
                Err(Exhausted {
                    reason: format!(
                        "too little is free on the output's disk: {free} bytes, of which the archive needs {copy} and \
                         {} are left alone",
                        self.floor
                    ),
                    by_user: false,
                })
            }
            _ => {
                self.low.store(false, Ordering::Relaxed);
                Ok(())
            }
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
                unpacked: false,
            },
            disk,
        )
    }

    #[test]
    fn what_is_given_back_can_be_spent_again() {
        let budget = budget(100);
        budget.spend(100).unwrap();
        assert!(budget.check().is_err(), "nothing is begun when nothing is left");
        budget.give_back(40, 0);
        budget.check().unwrap();
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
        budget.check().unwrap();
        assert!(
            !budget.low.load(std::sync::atomic::Ordering::Relaxed),
            "space that is free again is used again"
        );
    }
}

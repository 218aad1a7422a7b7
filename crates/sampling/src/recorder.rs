//! Joins samples into segments and says which bytes of the ring change with each; writes none of them.
//!
//! A segment that ends is appended before the bank of open segments forgets it, and the banks take turns: whenever the
//! writing stops, every segment is whole in one place at least, without its latest samples at worst.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::layout::{
    CLOSED_SLOTS, Image, Segment, TargetRecord, Write, as_kept, bank_write, closed_write, target_write,
};
use crate::target::{MAX_TARGETS, Sample, TRY_LIMIT, Target};

/// How often what has only grown longer is written: a minute is what a killed pod may forget of a steady state.
pub(crate) const HEARTBEAT: Duration = Duration::from_mins(1);
/// A segment is ended after this even if nothing changed, so that latencies of a day are not one figure.
const MAX_LENGTH: SignedDuration = SignedDuration::from_hours(1);
/// Over this a sample is late: someone was away (Periscope contract, section 1.4).
const GAP: Duration = Duration::from_secs(5);
/// Longer intervals mean nothing here.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);
/// Clocks are set by less than this all the time.
const CLOCK_STEP: SignedDuration = SignedDuration::from_secs(2);

/// The open end of what is recorded.
pub(crate) struct Recorder {
    lanes: Vec<Lane>,
    next_version: u64,
    next_id: u64,
    next_closed: usize,
    next_bank: usize,
    /// Segments have grown since the last bank was written.
    grown: bool,
}

/// One target's part.
struct Lane {
    number: u32,
    every: SignedDuration,
    /// The samples that may be missing between two without a break.
    allowance: SignedDuration,
    open: Option<Segment>,
    /// The open segment is from before this start.
    restored: bool,
}

impl Recorder {
    /// Goes on where the ring ended; `None` is an empty one. Targets beyond [`MAX_TARGETS`] are left out. Says what to
    /// write before all else.
    pub(crate) fn restore(image: Option<Image>, targets: &[Target]) -> (Self, Vec<Write>) {
        let image = image.unwrap_or_default();
        let targets = targets.get(..MAX_TARGETS).unwrap_or(targets);
        let (numbers, mut writes) = seat(&image.targets, targets);
        let last_version = |segments: &[(usize, Segment)]| {
            let newest = segments.iter().max_by_key(|(_, segment)| segment.version);
            newest.map(|(place, segment)| (*place, segment.version))
        };
        let (last_open, last_closed) = (last_version(&image.open), last_version(&image.closed));
        let of_all = || image.open.iter().chain(&image.closed).map(|(_, segment)| segment);
        let mut recorder = Self {
            lanes: Vec::with_capacity(targets.len()),
            next_version: of_all().map(|s| s.version).max().unwrap_or(0).saturating_add(1),
            next_id: of_all().map(|s| s.id).max().unwrap_or(0).saturating_add(1),
            next_closed: last_closed.map_or(0, |(slot, _)| (slot + 1) % CLOSED_SLOTS),
            next_bank: last_open.map_or(0, |(bank, _)| 1 - bank.min(1)),
            grown: false,
        };
        for (target, number) in targets.iter().zip(numbers) {
            let every = duration(target.every);
            recorder.lanes.push(Lane {
                number,
                every,
                // An interval is up to a fifth longer than it should be.
                allowance: every + every / 5 + duration(TRY_LIMIT) + duration(GAP),
                open: image.last_open(number),
                restored: true,
            });
        }
        // What was open of targets that are no more has ended.
        let mut left: Vec<u32> = image.targets.iter().map(|(_, record)| record.number).collect();
        left.retain(|number| recorder.lanes.iter().all(|lane| lane.number != *number));
        for segment in left.into_iter().filter_map(|number| image.last_open(number)) {
            writes.push(recorder.close(segment));
        }
        (recorder, writes)
    }

    /// Adds a sample of the target in place `index`. What it says must be written, in this order; nothing as long as
    /// nothing changes.
    pub(crate) fn record(&mut self, index: usize, sample: &Sample) -> Vec<Write> {
        let Some(lane) = self.lanes.get_mut(index) else {
            return Vec::new();
        };
        let mut next = lane.first(sample, self.next_id);
        let mut ended = None;
        if let Some(mut open) = lane.open.take() {
            if !lane.restored {
                open.follow_clock(sample.at, lane.every);
            }
            next.follows = lane.follows(&open, sample.at);
            let goes_on = open.outcome == next.outcome && sample.at.duration_since(open.start) < MAX_LENGTH;
            if next.follows && goes_on {
                open.grow(&next);
                lane.open = Some(open);
                lane.restored = false;
                self.grown = true;
                return Vec::new();
            }
            ended = Some(open);
        }
        lane.open = Some(next);
        lane.restored = false;
        self.next_id += 1;
        let mut writes = Vec::with_capacity(2);
        writes.extend(ended.map(|segment| self.close(segment)));
        writes.push(self.bank());
        writes
    }

    /// What has grown since the last write.
    pub(crate) fn beat(&mut self) -> Option<Write> {
        self.grown.then(|| self.bank())
    }

    fn close(&mut self, mut segment: Segment) -> Write {
        segment.version = self.version();
        let write = closed_write(self.next_closed, &segment);
        self.next_closed = (self.next_closed + 1) % CLOSED_SLOTS;
        write
    }

    fn bank(&mut self) -> Write {
        let mut version = self.next_version;
        for open in self.lanes.iter_mut().filter_map(|lane| lane.open.as_mut()) {
            open.version = version;
            version += 1;
        }
        self.next_version = version;
        self.grown = false;
        let write = bank_write(self.next_bank, self.lanes.iter().filter_map(|lane| lane.open.as_ref()));
        self.next_bank = 1 - self.next_bank;
        write
    }

    fn version(&mut self) -> u64 {
        let version = self.next_version;
        self.next_version += 1;
        version
    }
}

impl Lane {
    /// The segment that begins with a sample.
    fn first(&self, sample: &Sample, id: u64) -> Segment {
        let millis = u32::try_from(sample.took.as_millis()).unwrap_or(u32::MAX);
        Segment {
            version: 0,
            id,
            target: self.number,
            follows: false,
            outcome: as_kept(&sample.outcome),
            start: sample.at,
            end: sample.at,
            samples: 1,
            worst_millis: millis,
            total_millis: millis.into(),
        }
    }

    /// Whether a sample at this time comes without a break.
    fn follows(&self, open: &Segment, at: Timestamp) -> bool {
        // A pod that was killed had its last heartbeat some time before.
        let unwritten = if self.restored {
            duration(HEARTBEAT)
        } else {
            SignedDuration::ZERO
        };
        let late = at.duration_since(open.end);
        -CLOCK_STEP <= late && late <= self.allowance + unwritten
    }
}

impl Segment {
    /// Moves the segment when the clock was set back under it, so that its length stays what it was. A clock that was
    /// set forward cannot be told from a machine that stood still, and leaves a gap.
    fn follow_clock(&mut self, at: Timestamp, every: SignedDuration) {
        let ahead = self.end.duration_since(at);
        if ahead <= CLOCK_STEP {
            return;
        }
        let step = ahead + every;
        if let (Ok(start), Ok(end)) = (self.start.checked_sub(step), self.end.checked_sub(step)) {
            (self.start, self.end) = (start, end);
        }
    }

    fn grow(&mut self, next: &Self) {
        self.end = self.end.max(next.end);
        self.samples = self.samples.saturating_add(1);
        self.worst_millis = self.worst_millis.max(next.worst_millis);
        self.total_millis = self.total_millis.saturating_add(next.total_millis);
    }
}

impl Image {
    /// The segment of a target that had not ended.
    fn last_open(&self, number: u32) -> Option<Segment> {
        let of_target = |segments: &[(usize, Segment)]| {
            let segments = segments.iter().map(|(_, segment)| segment);
            let newest = segments
                .filter(|s| s.target == number)
                .max_by_key(|s| (s.id, s.version));
            newest.cloned()
        };
        let open = of_target(&self.open)?;
        let closed = of_target(&self.closed);
        closed.is_none_or(|closed| closed.id < open.id).then_some(open)
    }
}

/// Finds each target's number in the table, or a place there; a target that is no longer sampled gives up its own, and
/// with it what was known of it.
fn seat(table: &[(usize, TargetRecord)], targets: &[Target]) -> (Vec<u32>, Vec<Write>) {
    let known = |target: &Target| {
        let seat = table
            .iter()
            .find(|(_, record)| record.target.is_same_connection(target));
        seat.map(|(slot, record)| (*slot, record))
    };
    let kept: Vec<usize> = targets.iter().filter_map(|target| Some(known(target)?.0)).collect();
    let mut free: Vec<usize> = (0..MAX_TARGETS).filter(|slot| !kept.contains(slot)).collect();
    // Empty places first, then those of the targets that are longest known.
    free.sort_by_key(|slot| table.iter().find(|(taken, _)| taken == slot).map(|(_, r)| r.number));
    let mut free = free.into_iter();
    let mut next_number = table.iter().map(|(_, record)| record.number).max().unwrap_or(0);
    let mut writes = Vec::new();
    let mut numbers = Vec::with_capacity(targets.len());
    for target in targets {
        let (slot, number) = match known(target) {
            Some((_, record)) if record.target == *target => {
                numbers.push(record.number);
                continue;
            }
            Some((slot, record)) => (slot, record.number),
            None => {
                next_number = next_number.saturating_add(1);
                let Some(slot) = free.next() else { break };
                (slot, next_number)
            }
        };
        let target = target.clone();
        writes.push(target_write(slot, &TargetRecord { number, target }));
        numbers.push(number);
    }
    (numbers, writes)
}

fn duration(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).map_or(LONGEST, |duration| duration.min(LONGEST))
}

#[cfg(test)]
mod tests;

//! What a ring tells of the past: the stretches of one status and the times without a connection.

use jiff::{SignedDuration, Timestamp};
use periscope_documents::{ConnectionStretch, DownPeriod};

use crate::layout::{Image, NoHeader, Segment};
use crate::target::Target;

/// How far back a ring is read; it may hold more.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(24);
/// Beyond this a last sample is old: a heartbeat and what may come late on a node that is under load, besides
/// the interval.
const STALE: SignedDuration = SignedDuration::from_mins(3);
/// Times this far ahead are those of a clock that was wrong.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// Most errors that are named beside the first one.
const MAX_OTHER_ERRORS: usize = 3;

/// What a ring holds.
#[derive(Debug)]
pub struct History {
    connections: Vec<(Target, Vec<Segment>)>,
}

/// Bytes that are no ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRing {
    /// It does not begin as one.
    #[error("this is no ring of samples")]
    NotARing,
    /// It was written by a program that has another idea of it.
    #[error("ring of samples of version {0}, expected 1")]
    OtherVersion(u16),
}

impl From<NoHeader> for InvalidRing {
    fn from(error: NoHeader) -> Self {
        match error {
            NoHeader::NotARing => Self::NotARing,
            NoHeader::OtherVersion(version) => Self::OtherVersion(version),
        }
    }
}

impl History {
    /// Reads a ring file that someone may be writing: what is not whole is left out.
    pub fn parse(file: &[u8]) -> Result<Self, InvalidRing> {
        let Image {
            mut targets,
            open,
            closed,
        } = Image::parse(file)?;
        let mut segments: Vec<Segment> = open.into_iter().chain(closed).map(|(_, segment)| segment).collect();
        // Of each segment its latest version.
        segments.sort_by_key(|segment| (segment.id, std::cmp::Reverse(segment.version)));
        segments.dedup_by_key(|segment| segment.id);
        targets.sort_by_key(|(_, record)| record.number);
        targets.dedup_by_key(|(_, record)| record.number);
        let connections = targets.into_iter().map(|(_, record)| {
            let of_target = segments.iter().filter(|segment| segment.target == record.number);
            (record.target, of_target.cloned().collect())
        });
        Ok(Self {
            connections: connections.collect(),
        })
    }

    /// The stretches that reach into the time of [`RETENTION`] before `now`, by connection and in order.
    pub fn stretches(&self, now: Timestamp) -> Vec<ConnectionStretch> {
        let connections = self.connections.iter();
        let all = connections.flat_map(|(target, segments)| segments.iter().map(move |segment| (target, segment)));
        all.filter(|(_, segment)| is_recent(segment, now))
            .map(|(target, segment)| ConnectionStretch {
                kind: target.kind.clone(),
                host: target.host.clone(),
                port: target.port,
                optional: target.optional,
                start: segment.start,
                end: segment.end,
                samples: segment.samples,
                status: segment.outcome.status(),
                mean_millis: segment.total_millis / u64::from(segment.samples).max(1),
                worst_millis: segment.worst_millis,
                continues: segment.follows,
            })
            .collect()
    }

    /// The times without a connection that reach into the time of [`RETENTION`] before `now`, the oldest first.
    pub fn down_periods(&self, now: Timestamp) -> Vec<DownPeriod> {
        let mut periods = Vec::new();
        for (target, segments) in &self.connections {
            let recent = segments.iter().filter(|segment| is_recent(segment, now));
            periods.append(&mut down_periods(target, recent, now));
        }
        periods.sort_by_key(|period| period.start);
        periods
    }
}

fn is_recent(segment: &Segment, now: Timestamp) -> bool {
    now.duration_since(segment.end) <= RETENTION && segment.start.duration_since(now) <= AHEAD
}

fn down_periods<'a>(target: &Target, segments: impl Iterator<Item = &'a Segment>, now: Timestamp) -> Vec<DownPeriod> {
    let every = SignedDuration::try_from(target.every).unwrap_or(SignedDuration::MAX);
    let mut ended = Vec::new();
    let mut current: Option<DownPeriod> = None;
    for segment in segments {
        if let Some(period) = current.take_if(|_| !segment.follows) {
            ended.push(DownPeriod {
                unknown_after: true,
                ..period
            });
        }
        match (segment.outcome.error(), &mut current) {
            (Some(error), Some(period)) => extend(period, segment, error),
            (Some(error), None) => current = Some(begin(target, segment, error)),
            (None, _) => ended.extend(current.take().map(|period| DownPeriod {
                end: Some(segment.start),
                ..period
            })),
        }
    }
    ended.extend(current.map(|period| DownPeriod {
        unknown_after: now.duration_since(period.last_failure) > STALE.saturating_add(every),
        ..period
    }));
    ended
}

fn begin(target: &Target, segment: &Segment, error: String) -> DownPeriod {
    DownPeriod {
        kind: target.kind.clone(),
        host: target.host.clone(),
        port: target.port,
        optional: target.optional,
        start: segment.start,
        end: None,
        last_failure: segment.end,
        unknown_after: false,
        error,
        other_errors: Vec::new(),
        samples: segment.samples.into(),
    }
}

fn extend(period: &mut DownPeriod, segment: &Segment, error: String) {
    period.last_failure = segment.end;
    period.samples += u64::from(segment.samples);
    let is_new = period.error != error && !period.other_errors.contains(&error);
    if is_new && period.other_errors.len() < MAX_OTHER_ERRORS {
        period.other_errors.push(error);
    }
}

#[cfg(test)]
mod tests;

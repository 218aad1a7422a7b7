//! Reads several journal files as one, in order of time; does not select.
//!
//! Each file is in order by itself; of the files whose time has come, the one with the oldest entry goes next. A file
//! is started only when its first entry is due, so that many rotated files cost little memory.

use crate::error::Error;
use crate::read_at::ReadAt;
use crate::reader::Reader;
use crate::report::FileReport;

/// Files read at the same time, each with its window and cache. More than that do not overlap on a sound system; if
/// they do, the others wait, and their entries come late rather than not at all.
const MAX_ACTIVE: usize = 8;

/// A journal file that the caller has opened.
#[derive(Debug)]
pub struct Source<R> {
    /// What to call it in the report.
    pub name: String,
    /// The file.
    pub file: R,
}

/// What makes an entry the same in two files: copies of a file may lie side by side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Identity {
    seqnum_id: [u8; 16],
    seqnum: u64,
    realtime: u64,
    monotonic: u64,
}

/// Several journal files in order of time.
#[derive(Debug)]
pub struct Merge<R> {
    /// Not started yet, the oldest last.
    waiting: Vec<Waiting<R>>,
    /// Each stands at an entry that is yet to be returned, but for `current`.
    active: Vec<Reader<R>>,
    /// The index of the active file whose entry was returned last.
    current: Option<usize>,
    last: Option<Identity>,
    since_usec: Option<u64>,
    reports: Vec<FileReport>,
}

/// A file of which only the header was read: its buffers are made when its turn comes.
#[derive(Debug)]
struct Waiting<R> {
    source: Source<R>,
    head_realtime: u64,
}

impl<R: ReadAt> Merge<R> {
    /// Takes the files in any order. `since_usec` (microseconds since 1970) leaves out older entries.
    pub fn new(sources: impl IntoIterator<Item = Source<R>>, since_usec: Option<u64>) -> Self {
        let mut reports = Vec::new();
        let mut waiting = Vec::new();
        for source in sources {
            match Reader::head_realtime(&source.file) {
                Ok(head_realtime) => waiting.push(Waiting { source, head_realtime }),
                Err(error) => reports.push(failed(source.name, error)),
            }
        }
        waiting.sort_by_key(|file| std::cmp::Reverse(file.head_realtime));
        Self {
            waiting,
            active: Vec::new(),
            current: None,
            last: None,
            since_usec,
            reports,
        }
    }

    /// The file that stands at the next entry; nothing at the end of all files.
    pub fn advance(&mut self) -> Option<&mut Reader<R>> {
        loop {
            if let Some(index) = self.current.take()
                && !self.active[index].advance()
            {
                self.reports.push(self.active.swap_remove(index).into_report());
            }
            self.start_due();
            let index = (0..self.active.len()).min_by_key(|index| {
                let entry = self.active[*index].entry();
                (entry.realtime_usec(), entry.seqnum())
            })?;
            self.current = Some(index);
            let reader = &self.active[index];
            let entry = reader.entry();
            let identity = Identity {
                seqnum_id: reader.seqnum_id(),
                seqnum: entry.seqnum(),
                realtime: entry.realtime_usec(),
                monotonic: entry.monotonic_usec(),
            };
            let too_old = self.since_usec.is_some_and(|since| identity.realtime < since);
            if !too_old && self.last.replace(identity) != Some(identity) {
                return self.active.get_mut(index);
            }
        }
    }

    /// The accounts of all files, after reading or in the midst of it.
    pub fn into_reports(mut self) -> Vec<FileReport> {
        self.reports.extend(self.active.into_iter().map(Reader::into_report));
        self.reports.extend(self.waiting.into_iter().map(|file| FileReport {
            name: file.source.name,
            ..FileReport::default()
        }));
        self.reports.sort_by(|a, b| a.name.cmp(&b.name));
        self.reports
    }

    /// Starts the files whose first entry may be the next one.
    fn start_due(&mut self) {
        while self.active.len() < MAX_ACTIVE {
            let next = self.active.iter().map(|reader| reader.entry().realtime_usec()).min();
            let due = self
                .waiting
                .pop_if(|file| next.is_none_or(|next| file.head_realtime <= next));
            let Some(Waiting { source, .. }) = due else { break };
            match Reader::open(source.name.clone(), source.file) {
                Ok(mut reader) => {
                    if let Some(since) = self.since_usec {
                        reader.seek(since);
                    }
                    if reader.advance() {
                        self.active.push(reader);
                    } else {
                        self.reports.push(reader.into_report());
                    }
                }
                Err(error) => self.reports.push(failed(source.name, error)),
            }
        }
    }
}

fn failed(name: String, error: Error) -> FileReport {
    FileReport {
        name,
        error: Some(error),
        ..FileReport::default()
    }
}

//! Reads several journal files as one, in order of time; does not select.
//!
//! Each file is in order by itself; of the files whose time has come, the one with the oldest entry goes next. A file
//! is started only when its first entry is due, so that many rotated files cost little memory.

use crate::error::Error;
use crate::layout::Header;
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
            match Header::read(&source.file) {
                Ok(header) => waiting.push(Waiting {
                    source,
                    head_realtime: header.head_realtime,
                }),
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::fixture::{Writer, simple};

    /// A file with an entry at each of the times.
    fn file(name: &str, seqnum: u64, times: &[u64]) -> Source<Vec<u8>> {
        let mut writer = Writer::new(false);
        writer.seqnum = seqnum;
        for time in times {
            writer.entry(*time, &["MESSAGE=m"]);
        }
        Source {
            name: name.into(),
            file: writer.finish(),
        }
    }

    fn times(sources: Vec<Source<Vec<u8>>>) -> (Vec<u64>, Vec<FileReport>) {
        let mut merge = Merge::new(sources, None);
        let mut times = Vec::new();
        while let Some(reader) = merge.advance() {
            times.push(reader.entry().realtime_usec());
        }
        (times, merge.into_reports())
    }

    #[rstest]
    #[case::one_after_another(vec![vec![1, 2], vec![3, 4]], &[1, 2, 3, 4])]
    #[case::overlapping(vec![vec![1, 4, 6], vec![2, 3, 5]], &[1, 2, 3, 4, 5, 6])]
    #[case::one_within_another(vec![vec![1, 9], vec![2, 3]], &[1, 2, 3, 9])]
    #[case::clock_set_back(vec![vec![5, 6, 1, 2], vec![3]], &[3, 5, 6, 1, 2])]
    #[case::empty_file(vec![vec![], vec![3]], &[3])]
    #[case::nothing(vec![], &[])]
    fn entries_come_in_order_of_time(#[case] files: Vec<Vec<u64>>, #[case] expected: &[u64]) {
        let sources = || {
            files
                .iter()
                .enumerate()
                .map(|(at, times)| file(&at.to_string(), at as u64 * 100, times))
        };
        assert_eq!(times(sources().collect()).0, expected);
        assert_eq!(times(sources().rev().collect()).0, expected);
    }

    #[test]
    fn an_entry_in_two_copies_of_a_file_comes_once() {
        let (times, reports) = times(vec![file("a", 0, &[1, 2, 3]), file("copy of a", 0, &[1, 2, 3])]);
        assert_eq!(times, [1, 2, 3]);
        assert_eq!(reports.iter().map(|report| report.entries).sum::<u64>(), 6);
    }

    #[test]
    fn entries_of_one_time_are_all_kept() {
        assert_eq!(times(vec![file("a", 0, &[5, 5, 5]), file("b", 100, &[5, 5])]).0, [5; 5]);
    }

    #[test]
    fn more_files_than_can_be_active_at_once_are_read_all_the_same() {
        let sources = (1..=40)
            .map(|at| file(&at.to_string(), at * 100, &[at, 1000 + at]))
            .collect();
        let (mut times, reports) = times(sources);
        times.sort_unstable();
        assert_eq!(times, (1..=40).chain(1001..=1040).collect::<Vec<_>>());
        assert_eq!(reports.len(), 40);
    }

    #[test]
    fn a_bad_file_takes_nothing_from_the_others() {
        let mut cut = simple(false, 100, 50);
        cut.truncate(cut.len() / 2);
        let sources = vec![
            Source {
                name: "bad".into(),
                file: vec![1, 2, 3],
            },
            Source {
                name: "cut".into(),
                file: cut,
            },
            file("good", 1000, &[7, 8]),
        ];
        let (times, reports) = times(sources);
        assert!(
            times.contains(&7) && times.contains(&8) && times.len() > 20,
            "{times:?}"
        );
        let names: Vec<_> = reports
            .iter()
            .map(|report| (report.name.as_str(), report.is_whole()))
            .collect();
        assert_eq!(names, [("bad", false), ("cut", false), ("good", true)]);
        assert!(matches!(reports[0].error, Some(Error::NotAJournal)));
        assert!(reports[1].truncated);
    }
}

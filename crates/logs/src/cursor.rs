//! Where a reader of a container's log stopped, and where it goes on after the files were rotated or removed; does not
//! read files.
//!
//! A device and inode number alone do not identify a file: after the kubelet compresses a rotated file and removes the
//! original, the next file often gets the same inode. The time of the first line tells the two apart.

use serde::{Deserialize, Serialize};

use crate::gap::{Gap, Why};
use crate::time::UnixNanos;

/// Which file it is, by whatever name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FileId {
    /// `st_dev` of the file.
    pub device: u64,
    /// `st_ino` of the file.
    pub inode: u64,
    /// The time of the first line; none while the file is empty.
    pub born: Option<UnixNanos>,
}

impl FileId {
    /// Whether this is the file that `earlier` was: an empty one may have got its first line since.
    fn was(&self, earlier: &Self) -> bool {
        (self.device, self.inode) == (earlier.device, earlier.inode)
            && (earlier.born.is_none() || self.born == earlier.born)
    }
}

/// Identifies a line among those of its container, without its text.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LineMark {
    /// The time of the line.
    pub time: UnixNanos,
    /// How many lines of the same time came before it.
    pub ordinal: u32,
    /// FNV-1a of the line as it stands in the file.
    pub hash: u64,
}

impl LineMark {
    /// The mark of a line that follows the line marked `before`.
    pub fn after(before: Option<Self>, time: UnixNanos, line: &[u8]) -> Self {
        let ordinal = before
            .filter(|before| before.time == time)
            .map_or(0, |before| before.ordinal.saturating_add(1));
        Self {
            time,
            ordinal,
            hash: fnv1a(line),
        }
    }
}

/// The hash is stored, so it must stay the same for ever: 64-bit FNV-1a.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// How far the log of a container has been read.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Cursor {
    /// The UID of the pod, as in the path of its logs.
    pub pod_uid: String,
    /// The name of the container.
    pub container: String,
    /// The runtime's id of the instance, where it is known.
    pub container_id: Option<String>,
    /// Which instance of the container: how often it had been restarted.
    pub restart: u32,
    /// The file that was being read.
    pub file: FileId,
    /// The bytes of that file that were read, always whole lines.
    pub offset: u64,
    /// The last line that was read; none when there was none yet.
    pub last: Option<LineMark>,
}

/// A log file of the container, as found now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LogFile {
    /// Which file it is.
    pub id: FileId,
    /// Which instance of the container wrote it.
    pub restart: u32,
    /// Its length in bytes, as stored.
    pub size: u64,
}

/// Where to start in a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// At its first line.
    Beginning,
    /// At this byte.
    Offset(u64),
    /// Behind the line with this mark. Lines before its time were read. If a later line comes and the mark was not
    /// seen, the lines between may be missing: a [`Gap`] with [`Why::Rotated`], from the mark's time to that line's.
    Behind(LineMark),
}

/// One file to read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Step {
    /// The index among the files given to [`resume`].
    pub file: usize,
    /// Where to start in it.
    pub start: Start,
}

/// How a reader goes on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resume {
    /// The files to read, in this order.
    pub steps: Vec<Step>,
    /// What is known to be missing before the first step.
    pub gap: Option<Gap>,
}

/// Decides how a reader goes on from `cursor`, given the files that the container has now, from the oldest to the
/// youngest.
///
/// * The same file is there: go on at the offset, then read the younger ones. That it has another name now is of no
///   matter.
/// * It is there but shorter: read it from its beginning, after a gap.
/// * It is gone, but its instance has files: it may have been compressed, so search all of them for the last line read.
/// * Its instance is gone: read the younger instances, after a gap.
pub fn resume(cursor: &Cursor, files: &[LogFile]) -> Resume {
    let same = files
        .iter()
        .position(|file| file.restart == cursor.restart && file.id.was(&cursor.file));
    let first_left = || files.iter().position(|file| file.restart >= cursor.restart);
    let first = same.or_else(first_left).unwrap_or(files.len());
    let truncated = same.is_some_and(|at| files[at].size < cursor.offset);
    let instance_left = files.get(first).is_some_and(|file| file.restart == cursor.restart);

    let start = |file: usize| match cursor.last {
        _ if same == Some(file) && !truncated => Start::Offset(cursor.offset),
        Some(last) if same.is_none() && files[file].restart == cursor.restart => Start::Behind(last),
        _ => Start::Beginning,
    };
    let why = match (truncated, instance_left) {
        (true, _) => Some(Why::Truncated),
        (false, false) => Some(Why::Removed),
        (false, true) => None,
    };
    Resume {
        steps: (first..files.len())
            .map(|file| Step {
                file,
                start: start(file),
            })
            .collect(),
        gap: why.map(|why| Gap {
            from: cursor.last.map(|last| last.time),
            to: None,
            why,
            bytes: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const LAST: LineMark = LineMark {
        time: UnixNanos::new(50),
        ordinal: 1,
        hash: 7,
    };

    const fn id(inode: u64, born: i64) -> FileId {
        FileId {
            device: 1,
            inode,
            born: Some(UnixNanos::new(born)),
        }
    }

    const fn file(inode: u64, born: i64, restart: u32, size: u64) -> LogFile {
        LogFile {
            id: id(inode, born),
            restart,
            size,
        }
    }

    fn cursor() -> Cursor {
        Cursor {
            pod_uid: "3f1c9a52-0d5b-4c64-9f5e-0123456789ab".into(),
            container: "app".into(),
            container_id: None,
            restart: 2,
            file: id(10, 40),
            offset: 100,
            last: Some(LAST),
        }
    }

    #[rstest]
    #[case::unchanged(&[file(10, 40, 2, 100)], &[(0, Start::Offset(100))], None)]
    #[case::grown(&[file(9, 1, 1, 5), file(10, 40, 2, 300)], &[(1, Start::Offset(100))], None)]
    #[case::rotated(
        &[file(10, 40, 2, 300), file(11, 60, 2, 5)],
        &[(0, Start::Offset(100)), (1, Start::Beginning)], None)]
    #[case::restarted(
        &[file(10, 40, 2, 300), file(12, 70, 3, 5)],
        &[(0, Start::Offset(100)), (1, Start::Beginning)], None)]
    #[case::truncated(&[file(10, 40, 2, 50)], &[(0, Start::Beginning)], Some(Why::Truncated))]
    #[case::compressed(
        &[file(20, 40, 2, 30), file(11, 60, 2, 5), file(12, 70, 3, 5)],
        &[(0, Start::Behind(LAST)), (1, Start::Behind(LAST)), (2, Start::Beginning)], None)]
    #[case::inode_used_again(
        &[file(20, 40, 2, 30), file(10, 60, 2, 500)],
        &[(0, Start::Behind(LAST)), (1, Start::Behind(LAST))], None)]
    #[case::instance_removed(&[file(12, 70, 3, 5)], &[(0, Start::Beginning)], Some(Why::Removed))]
    #[case::only_older_ones(&[file(9, 1, 1, 5)], &[], Some(Why::Removed))]
    #[case::all_gone(&[], &[], Some(Why::Removed))]
    fn a_reader_goes_on(#[case] files: &[LogFile], #[case] steps: &[(usize, Start)], #[case] why: Option<Why>) {
        let resumed = resume(&cursor(), files);
        let found: Vec<_> = resumed.steps.iter().map(|step| (step.file, step.start)).collect();
        assert_eq!(found, steps);
        assert_eq!(resumed.gap.as_ref().map(|gap| gap.why), why);
        assert!(resumed.gap.is_none_or(|gap| gap.from == Some(LAST.time)));
    }

    #[test]
    fn an_empty_file_is_the_same_when_it_has_got_its_first_line() {
        let mut cursor = cursor();
        cursor.file.born = None;
        cursor.offset = 0;
        cursor.last = None;
        let resumed = resume(&cursor, &[file(10, 40, 2, 300)]);
        assert_eq!(
            resumed.steps,
            [Step {
                file: 0,
                start: Start::Offset(0)
            }]
        );
    }

    #[test]
    fn without_a_last_line_nothing_is_searched_for() {
        let cursor = Cursor { last: None, ..cursor() };
        let resumed = resume(&cursor, &[file(20, 40, 2, 30)]);
        assert_eq!(
            resumed,
            Resume {
                steps: vec![Step {
                    file: 0,
                    start: Start::Beginning
                }],
                gap: None
            }
        );
    }

    #[test]
    fn marks_tell_lines_of_one_time_apart() {
        let time = UnixNanos::new(5);
        let first = LineMark::after(None, time, b"same");
        let second = LineMark::after(Some(first), time, b"same");
        assert_ne!(first, second);
        assert_eq!(LineMark::after(Some(second), UnixNanos::new(6), b"same").ordinal, 0);
    }

    #[test]
    fn stored_cursors_stay_valid_as_the_hash_is_fnv_1a() {
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_cursor_survives_storing() {
        let json = serde_json::to_string(&cursor()).unwrap();
        assert_eq!(serde_json::from_str::<Cursor>(&json).unwrap(), cursor());
    }
}

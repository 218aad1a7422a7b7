//! Whether file systems have bytes and inodes left, by the kubelet's own thresholds where it watches them; and who took
//! them.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::{Consumer, Disk, Fill, names};

use super::eviction::{Threshold, Thresholds};
use super::fillers::{self, Amount};
use super::input::{self, Input, Rows};
use super::words::{bytes, list, percent};

static DISK_FULL: Fault = Fault {
    id: "disk-full",
    summary: "A file system has no or hardly any space left",
    severity: Severity::Critical,
    caused_by: &[],
    remedy: "Free space where the sentence says that it went: delete or move what nobody needs, bound the logs, set \
             `ephemeral-storage` limits for the pods, or give the node a larger disk.",
};

static INODES_FULL: Fault = Fault {
    id: "inodes-full",
    summary: "A file system has no or hardly any inodes left: no file can be made, however much space there is",
    severity: Severity::Critical,
    caused_by: &[],
    remedy: "Delete the many small files where the sentence says that they are, and have what makes them clean up.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "disk-space",
    summary: "Whether file systems have space and inodes left, and who took them",
    faults: &[&DISK_FULL, &INODES_FULL],
};

/// On a disk that nobody watches this little left, in hundredths of a percent, is a failure, and this little a warning.
const OTHER_FAIL: Threshold = Threshold::Share(100);
const OTHER_WARN: Threshold = Threshold::Share(500);

/// This much above the kubelet's threshold a warning begins, in hundredths of a percent.
const NEAR: u64 = 300;

/// Most findings of one fault.
const MAX_FINDINGS: usize = 5;

/// Judges disks.
pub(crate) struct DiskSpace;

impl Analyzer for DiskSpace {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let disks: Rows<Disk> = match input::rows(inputs, names::DISKS)? {
            Input::Known(disks) => disks,
            Input::NoSuchThing => return Ok(vec![DESCRIPTOR.unknown("The node shows no list of mounts.")]),
            Input::Missing(why) => return Ok(vec![DESCRIPTOR.unknown(why)]),
        };
        let consumers = input::rows(inputs, names::DISK_USAGE)?.known();
        let judge = Judge {
            disks: &disks,
            consumers: consumers.as_ref(),
            thresholds: Thresholds::of(inputs)?,
        };
        let mut findings = judge.all(Amount::Bytes);
        findings.extend(judge.all(Amount::Inodes));
        let unasked: Vec<_> = disks
            .rows
            .iter()
            .filter(|(_, disk)| disk.fill.is_none() && !disk.holds.is_empty())
            .collect();
        for (line, disk) in unasked.into_iter().take(MAX_FINDINGS) {
            let why = disk.error.as_deref().unwrap_or_default();
            let title = format!("How full disk {} is, is not known: {why}.", disk.mount_point);
            findings.push(DESCRIPTOR.unknown(title).evidence(disks.evidence(*line)));
        }
        if findings.is_empty() {
            let asked = disks.rows.iter().filter(|(_, disk)| disk.fill.is_some()).count();
            findings.push(DESCRIPTOR.pass(format!("All {asked} file systems have space and inodes left.")));
        }
        Ok(findings)
    }
}

struct Judge<'a> {
    disks: &'a Rows<Disk>,
    consumers: Option<&'a Rows<Consumer>>,
    thresholds: Thresholds,
}

impl Judge<'_> {
    fn all(&self, amount: Amount) -> Vec<Finding> {
        let mut findings: Vec<_> = self
            .disks
            .rows
            .iter()
            // What can only be read is full on purpose.
            .filter(|(_, disk)| !disk.read_only)
            .filter_map(|(line, disk)| self.one(*line, disk, &disk.fill?, amount))
            .collect();
        findings.sort_by_key(|finding| finding.verdict);
        let others = findings.len().saturating_sub(MAX_FINDINGS);
        findings.truncate(MAX_FINDINGS);
        if others > 0
            && let Some(last) = findings.last_mut()
        {
            last.title = format!("{} {others} further file systems are no better.", last.title);
        }
        findings
    }

    fn one(&self, line: u64, disk: &Disk, fill: &Fill, amount: Amount) -> Option<Finding> {
        let (left, whole) = match amount {
            Amount::Bytes => (fill.available_bytes, fill.total_bytes),
            Amount::Inodes => (fill.inodes_available, fill.inodes),
        };
        if whole == 0 {
            return None;
        }
        let watched = self.watched(disk, amount);
        let (fail, warn) = match watched {
            Some(threshold) => (threshold, threshold.and_more(whole, NEAR)),
            None => (OTHER_FAIL, OTHER_WARN),
        };
        let is_failure = fail.is_passed(left, whole);
        if !is_failure && !warn.is_passed(left, whole) {
            return None;
        }
        let object = format!("disk {}", disk.mount_point);
        let title = self.title(disk, fill, amount, watched.is_some(), is_failure);
        let fault = match amount {
            Amount::Bytes => &DISK_FULL,
            Amount::Inodes => &INODES_FULL,
        };
        let finding = if is_failure {
            fault.fail(object, title.0)
        } else {
            fault.warn(object, title.0)
        };
        Some(finding.evidence(self.disks.evidence(line)).evidences(title.1))
    }

    /// From where on the kubelet evicts pods because of this disk.
    fn watched(&self, disk: &Disk, amount: Amount) -> Option<Threshold> {
        let holds = |folder: &str| disk.holds.iter().any(|held| held == folder);
        let images = holds("/var/lib/containerd") || holds("/var/lib/docker");
        match amount {
            // On one disk with both the stricter one acts first.
            Amount::Bytes if images => Some(self.thresholds.image_disk),
            Amount::Bytes if holds("/var/lib/kubelet") => Some(self.thresholds.node_disk),
            Amount::Inodes if images || holds("/var/lib/kubelet") => Some(self.thresholds.node_inodes),
            _ => None,
        }
    }

    fn title(
        &self,
        disk: &Disk,
        fill: &Fill,
        amount: Amount,
        is_watched: bool,
        is_failure: bool,
    ) -> (String, Vec<periscope_core::Evidence>) {
        let name = match disk.source.as_str() {
            source if source.starts_with("/dev/") => format!("{} ({source})", disk.mount_point),
            _ => format!("{} ({})", disk.mount_point, disk.fstype),
        };
        let mut title = match amount {
            Amount::Bytes => format!(
                "Disk {name} is {} full: {} of {} are left",
                percent(fill.total_bytes.saturating_sub(fill.available_bytes), fill.total_bytes),
                bytes(fill.available_bytes),
                bytes(fill.total_bytes)
            ),
            Amount::Inodes => format!(
                "Disk {name} has used {} of its inodes: {} of {} are left",
                percent(fill.inodes.saturating_sub(fill.inodes_available), fill.inodes),
                fill.inodes_available,
                fill.inodes
            ),
        };
        if is_watched && is_failure && self.thresholds.are_known {
            title.push_str(", and the kubelet evicts pods");
        }
        let fillers = self
            .consumers
            .map(|rows| fillers::of_disk(rows, &disk.mount_point, fill, amount));
        let (words, evidence) = fillers.unwrap_or_default();
        if !words.is_empty() {
            title.push_str("; most is in ");
            title.push_str(&list(&words));
        }
        title.push('.');
        (title, evidence)
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, State, Verdict};
    use periscope_documents::{Consumer, Disk, Fill, to_lines};

    use super::DiskSpace;
    use crate::fixture::Artifacts;

    const GIB: u64 = 1 << 30;

    fn disk(mount_point: &str, source: &str, holds: &[&str], available_percent: u64, inodes_percent: u64) -> Disk {
        Disk {
            mount_point: mount_point.to_owned(),
            source: source.to_owned(),
            fstype: "ext4".to_owned(),
            holds: holds.iter().map(|&folder| folder.to_owned()).collect(),
            fill: Some(Fill {
                total_bytes: 100 * GIB,
                available_bytes: available_percent * GIB,
                inodes: 1_000_000,
                inodes_available: inodes_percent * 10_000,
            }),
            ..Disk::default()
        }
    }

    fn consumer(path: &str, gib: u64, inodes: u64, pod: Option<&str>) -> Consumer {
        Consumer {
            path: path.to_owned(),
            mount_point: "/".to_owned(),
            bytes: gib * GIB,
            inodes,
            pod: pod.map(str::to_owned),
            ..Consumer::default()
        }
    }

    fn usage() -> Vec<Consumer> {
        let pod = Some("default/app-0");
        let volume = "/var/lib/kubelet/pods/u/volumes/kubernetes.io~empty-dir/scratch";
        vec![
            consumer("/var/lib/kubelet", 52, 900_000, None),
            consumer("/var/lib/kubelet/pods/u", 51, 890_000, pod),
            consumer(volume, 50, 880_000, pod),
            consumer("/var/lib/containerd", 30, 20_000, None),
            consumer("/tmp", 1, 10, None),
        ]
    }

    fn findings(disks: &[Disk]) -> Vec<Finding> {
        let artifacts = Artifacts::default()
            .with("system", "disks.json", to_lines(disks).unwrap())
            .with("system", "disk-usage.json", to_lines(&usage()).unwrap())
            .with(
                "kubelet",
                "cmdline.txt",
                "kubelet\n--eviction-hard=imagefs.available<15%,nodefs.available<10%\n",
            );
        DiskSpace.analyze(&artifacts).unwrap()
    }

    const NODE: [&str; 3] = ["/", "/var/lib/kubelet", "/var/lib/containerd"];

    #[test]
    fn a_full_disk_is_told_with_who_filled_it() {
        let found = findings(&[
            disk("/boot", "/dev/sda15", &[], 50, 50),
            disk("/", "/dev/sda1", &NODE, 4, 60),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].verdict, found[0].fault.as_str()),
            (Verdict::Fail, "disk-full")
        );
        assert_eq!(
            found[0].title,
            "Disk / (/dev/sda1) is 96 % full: 4.0 GiB of 100.0 GiB are left, and the kubelet evicts pods; most is in \
             volume scratch of pod default/app-0 (50.0 GiB) and /var/lib/containerd (30.0 GiB)."
        );
        let places: Vec<_> = found[0].evidence.iter().map(|e| (e.file.as_str(), e.line)).collect();
        assert_eq!(
            places,
            [
                ("nodes/node1/system/disks.json", Some(3)),
                ("nodes/node1/system/disk-usage.json", Some(4)),
                ("nodes/node1/system/disk-usage.json", Some(5)),
            ]
        );
        assert!(found[0].evidence[0].quote.contains("/dev/sda1"));
    }

    #[test]
    fn used_up_inodes_are_told_with_who_uses_them() {
        let found = findings(&[disk("/", "/dev/sda1", &NODE, 60, 1)]);
        assert_eq!((found.len(), found[0].fault.as_str()), (1, "inodes-full"));
        assert!(
            found[0]
                .title
                .ends_with("most is in volume scratch of pod default/app-0 (880000 files)."),
            "{}",
            found[0].title
        );
    }

    #[test]
    fn a_disk_near_the_threshold_is_a_warning_and_a_healthy_one_is_none() {
        assert_eq!(
            findings(&[disk("/", "/dev/sda1", &NODE, 17, 60)])[0].verdict,
            Verdict::Warn
        );
        assert_eq!(
            findings(&[disk("/", "/dev/sda1", &NODE, 19, 60)])[0].verdict,
            Verdict::Pass
        );
        // A data disk that is used well.
        assert_eq!(
            findings(&[disk("/data", "/dev/sdc", &[], 7, 60)])[0].verdict,
            Verdict::Pass
        );
        assert_eq!(
            findings(&[disk("/data", "/dev/sdc", &[], 4, 60)])[0].verdict,
            Verdict::Warn
        );
        assert_eq!(
            findings(&[disk("/data", "/dev/sdc", &[], 0, 60)])[0].verdict,
            Verdict::Fail
        );
    }

    #[test]
    fn images_of_file_systems_are_full_on_purpose() {
        let image = Disk {
            read_only: true,
            ..disk("/snap/core", "/dev/loop1", &[], 0, 0)
        };
        assert_eq!(findings(&[image])[0].verdict, Verdict::Pass);
    }

    #[test]
    fn what_is_not_known_is_unknown() {
        let unasked = Disk {
            fill: None,
            error: Some("a fuse.x mount may hang and is not asked".to_owned()),
            ..disk("/", "x", &NODE, 0, 0)
        };
        assert_eq!(findings(&[unasked])[0].verdict, Verdict::Unknown);
        let missing = Artifacts::default();
        assert_eq!(DiskSpace.analyze(&missing).unwrap()[0].verdict, Verdict::Unknown);
        let denied = Artifacts::default().without("system", "disks.json", State::Denied);
        assert_eq!(DiskSpace.analyze(&denied).unwrap()[0].verdict, Verdict::Unknown);
    }
}

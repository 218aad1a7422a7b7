//! File systems that should take writes and do not: those that the kernel made read-only after an error, and those that
//! were mounted so against what was asked for. What is read-only on purpose is left alone.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Evidence, Fault, Finding, Inputs, Severity};
use periscope_documents::{Mount, mount_of, names};

use super::input::{self, Input};
use crate::artifact::Text;

static FILESYSTEM_READ_ONLY: Fault = Fault {
    id: "filesystem-read-only",
    summary: "A file system that should take writes is read-only",
    severity: Severity::Critical,
    caused_by: &["io-errors", "filesystem-corrupt"],
    remedy: "Look for the error in the kernel's messages; drain the node and replace it, or for a data disk detach it and \
             check its file system before it is mounted again.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "read-only-file-systems",
    summary: "Whether file systems that should take writes do",
    faults: &[&FILESYSTEM_READ_ONLY],
};

/// Most findings.
const MAX_FINDINGS: usize = 5;

/// What ext4 and FAT do at an error, where they were told to: make themselves read-only (`ext4(5)`, `mount(8)`).
const ON_ERROR: &str = "errors=remount-ro";

/// How ext4 says since Linux 6.15 that it did so.
const EMERGENCY: &str = "emergency_ro";

/// Folders that a node writes to.
const WRITTEN: [&str; 4] = ["/", "/var/lib/kubelet", "/var/log", "/tmp"];

/// Finds file systems that are read-only.
pub(crate) struct ReadOnly;

impl Analyzer for ReadOnly {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let text = match input::text(inputs, names::MOUNTS)? {
            Input::Known(text) => text,
            Input::NoSuchThing => return Ok(vec![DESCRIPTOR.unknown("The node shows no list of mounts.")]),
            Input::Missing(why) => return Ok(vec![DESCRIPTOR.unknown(why)]),
        };
        let fstab = input::text(inputs, names::FSTAB)?.known();
        let mounts: Vec<_> = (1..)
            .zip(text.text.lines())
            .filter_map(|(line, text)| Some((line, Mount::parse(text)?)))
            .collect();
        let all: Vec<_> = mounts.iter().map(|(_, mount)| mount.clone()).collect();
        let mut told: Vec<&str> = Vec::new();
        let mut findings = Vec::new();
        for (line, mount) in &mounts {
            if !mount.is_on_disk() || mount.is_image() || told.contains(&mount.device.as_str()) {
                continue;
            }
            let Some((why, more)) = reason(mount, &all, fstab.as_ref()) else {
                continue;
            };
            told.push(&mount.device);
            let title = format!("File system {} ({}) is read-only: {why}.", mount.point, mount.source);
            let finding = FILESYSTEM_READ_ONLY.fail(format!("file system {}", mount.point), title);
            findings.push(finding.evidence(text.evidence(*line)).evidences(more));
        }
        findings.truncate(MAX_FINDINGS);
        if findings.is_empty() {
            findings.push(DESCRIPTOR.pass("No file system that should take writes is read-only."));
        }
        Ok(findings)
    }
}

/// Why a mount should take writes, and does not.
fn reason(mount: &Mount, all: &[Mount], fstab: Option<&Text>) -> Option<(String, Option<Evidence>)> {
    let asked_read_only = mount.options.split(',').any(|option| option == "ro");
    let is_read_only = mount.file_system_is_read_only();
    if mount.has_super_option(EMERGENCY) || (is_read_only && !asked_read_only) {
        // Somebody who mounts read-only says so at the mount, too: this one was made so later.
        let why = "it was mounted for writing, and the kernel made it read-only after an error";
        return Some((why.to_owned(), None));
    }
    if !is_read_only {
        return None;
    }
    if mount.has_super_option(ON_ERROR) && mount.is_visible(all) {
        let why = format!("it has the option {ON_ERROR}, by which it makes itself so at an error");
        return Some((why, None));
    }
    if let Some(line) = fstab.and_then(|fstab| wanted_for_writing(fstab, &mount.point)) {
        let why = "/etc/fstab wants it writable".to_owned();
        return Some((why, fstab.map(|fstab| fstab.evidence(line))));
    }
    let written = WRITTEN
        .iter()
        .find(|folder| mount_of(all, folder).is_some_and(|on| on == mount) && **folder != "/")?;
    Some((format!("the node writes to {written}"), None))
}

/// The line of fstab(5) that asks for this mount point and does not ask for `ro`.
fn wanted_for_writing(fstab: &Text, point: &str) -> Option<u64> {
    input::find_line(fstab, |line| {
        let mut words = line.split_whitespace();
        let source = words.next().filter(|word| !word.starts_with('#'))?;
        let (place, fstype, options) = (words.next()?, words.next()?, words.next().unwrap_or("defaults"));
        let is_disk = source.starts_with("/dev/") || source.contains('=');
        let is_ro = options.split(',').any(|option| option == "ro");
        (place == point && is_disk && fstype != "iso9660" && !is_ro).then_some(())
    })
    .map(|(line, ())| line)
}

trait Visible {
    fn is_visible(&self, all: &[Mount]) -> bool;
}

impl Visible for Mount {
    /// Whether no later mount covers it.
    fn is_visible(&self, all: &[Mount]) -> bool {
        mount_of(all, &self.point) == Some(self)
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, Verdict};
    use rstest::rstest;

    use super::ReadOnly;
    use crate::fixture::Artifacts;

    const HEALTHY: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,discard,errors=remount-ro
23 22 7:1 / /snap/core ro,nodev - squashfs /dev/loop1 ro,errors=continue
24 22 11:0 / /media/cd ro - iso9660 /dev/sr0 ro
25 22 0:5 / /run/credentials/x ro - ramfs ramfs rw,mode=700
26 22 8:1 /etc /bound ro,relatime - ext4 /dev/sda1 rw,discard,errors=remount-ro
27 22 8:33 / /var/lib/kubelet/pods/u/volumes/v ro,relatime - ext4 /dev/sdc ro
28 22 254:0 / /usr ro,relatime - ext4 /dev/mapper/usr ro
";

    fn findings(more: &str) -> Vec<Finding> {
        let fstab = "# a comment\nUUID=x / ext4 discard,errors=remount-ro 0 1\n/dev/sdd1 /data ext4 defaults 0 2\n\
                     /dev/sde1 /archive ext4 ro 0 2\n";
        let artifacts = Artifacts::default()
            .with("system", "mountinfo.txt", format!("{HEALTHY}{more}"))
            .with("system", "fstab.txt", fstab);
        ReadOnly.analyze(&artifacts).unwrap()
    }

    #[test]
    fn what_is_read_only_on_purpose_is_no_trouble() {
        let found = findings("30 22 8:65 / /archive ro,relatime - ext4 /dev/sde1 ro\n");
        assert_eq!((found.len(), found[0].verdict), (1, Verdict::Pass), "{found:?}");
    }

    #[rstest]
    #[case::after_an_error("rw,relatime - ext4 /dev/sdd1 ro", "the kernel made it read-only after an error")]
    #[case::newer_kernels("rw,relatime - ext4 /dev/sdd1 rw,emergency_ro", "after an error")]
    #[case::told_to("ro,relatime - ext4 /dev/sdd1 ro,errors=remount-ro", "errors=remount-ro")]
    #[case::against_fstab("ro,relatime - ext4 /dev/sdd1 ro", "/etc/fstab wants it writable")]
    fn what_should_take_writes_is_told(#[case] line: &str, #[case] why: &str) {
        let found = findings(&format!("30 22 8:49 / /data {line}\n"));
        assert_eq!((found.len(), found[0].verdict), (1, Verdict::Fail), "{found:?}");
        assert_eq!(found[0].object, "file system /data");
        assert!(found[0].title.contains(why), "{}", found[0].title);
        assert_eq!(found[0].evidence[0].line, Some(8));
        let of_fstab = found[0].evidence.get(1).and_then(|evidence| evidence.line);
        assert_eq!(of_fstab, why.contains("fstab").then_some(3));
    }

    #[test]
    fn a_disk_that_the_kubelet_writes_to_is_told() {
        let found = findings("30 22 8:49 / /var/lib/kubelet ro,relatime - xfs /dev/sdf1 ro\n");
        assert!(
            found[0].title.ends_with("the node writes to /var/lib/kubelet."),
            "{found:?}"
        );
    }

    #[test]
    fn what_is_not_gathered_is_unknown() {
        assert_eq!(
            ReadOnly.analyze(&Artifacts::default()).unwrap()[0].verdict,
            Verdict::Unknown
        );
    }
}

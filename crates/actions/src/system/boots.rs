//! Starts and ends of the system, from the records that systemd writes to `wtmp` (`wtmp(5)`), and the present start
//! from the kernel. Who logged in is not told.

use std::io::{Read, Seek, SeekFrom};

use jiff::Timestamp;
use periscope_documents::{Boot, BootEvent};
use periscope_host::{HostError, HostPath, HostRoot};

use super::processes::boot_time;

const WTMP: &str = "/var/log/wtmp";

/// As much of the file's end is read: months of a node's life.
const MAX_BYTES: u64 = 1024 * 1024;

/// Most starts and ends that are told, the newest.
const MAX_BOOTS: usize = 200;

/// `RUN_LVL` and `BOOT_TIME` of `utmp.h`.
const RUN_LEVEL: i32 = 1;
const BOOT_TIME: i32 = 2;

/// Where a record's parts are, in bytes. glibc keeps the 32-bit layout on x86; on 64-bit Arm the time is 64 bits wide.
struct Layout {
    len: usize,
    time: usize,
    wide: bool,
}

const LAYOUT: Layout = if cfg!(target_arch = "aarch64") {
    Layout {
        len: 400,
        time: 344,
        wide: true,
    }
} else {
    Layout {
        len: 384,
        time: 340,
        wide: false,
    }
};

/// `ut_user`: `reboot` or `shutdown`; `ut_host`: the kernel's release.
const USER: (usize, usize) = (44, 32);
const HOST: (usize, usize) = (76, 256);

/// Reads them, oldest first. Blocks.
pub(super) fn boots(root: &HostRoot) -> Result<Vec<Boot>, HostError> {
    let mut boots = match records(root) {
        Ok(boots) => boots,
        Err(HostError::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    if let Some(time) = boot_time(root) {
        // Both clocks are read shortly after one another, and one of them may be set between.
        let is_known =
            |boot: &Boot| boot.event == BootEvent::Boot && boot.time.duration_since(time).as_secs().abs() < 120;
        if !boots.iter().any(is_known) {
            boots.push(Boot {
                time,
                event: BootEvent::Boot,
                kernel: String::new(),
            });
        }
    }
    boots.sort_by_key(|boot| boot.time);
    boots.drain(..boots.len().saturating_sub(MAX_BOOTS));
    Ok(boots)
}

fn records(root: &HostRoot) -> Result<Vec<Boot>, HostError> {
    let mut file = root.open(&HostPath::new(WTMP)?)?;
    let failed = |source| HostError::Io {
        path: WTMP.to_owned(),
        source,
    };
    let record = LAYOUT.len as u64;
    let newest = file.len().saturating_sub(MAX_BYTES).div_ceil(record) * record;
    file.seek(SeekFrom::Start(newest)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes.chunks_exact(LAYOUT.len).filter_map(boot).collect())
}

fn boot(record: &[u8]) -> Option<Boot> {
    let kind = i32::from_ne_bytes(record.get(..4)?.try_into().ok()?);
    let user = text(record, USER)?;
    let event = match (kind, user.as_str()) {
        (BOOT_TIME, _) => BootEvent::Boot,
        (RUN_LEVEL, "shutdown") => BootEvent::Shutdown,
        _ => return None,
    };
    let time = record.get(LAYOUT.time..)?;
    let seconds = if LAYOUT.wide {
        i64::from_ne_bytes(time.get(..8)?.try_into().ok()?)
    } else {
        // Seconds after 1970 in 32 bits: read as unsigned they last until 2106.
        i64::from(u32::from_ne_bytes(time.get(..4)?.try_into().ok()?))
    };
    Some(Boot {
        time: Timestamp::from_second(seconds).ok()?,
        event,
        kernel: text(record, HOST)?,
    })
}

fn text(record: &[u8], (start, len): (usize, usize)) -> Option<String> {
    let field = record.get(start..start + len)?;
    let field = field.split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(field).into_owned())
}

#[cfg(test)]
mod tests {
    use periscope_documents::{Boot, BootEvent};
    use periscope_testkit::HostFixture;

    use super::{BOOT_TIME, LAYOUT, RUN_LEVEL, boots};

    fn record(kind: i32, user: &str, kernel: &str, seconds: u32) -> Vec<u8> {
        let mut record = vec![0; LAYOUT.len];
        record[..4].copy_from_slice(&kind.to_ne_bytes());
        record[44..44 + user.len()].copy_from_slice(user.as_bytes());
        record[76..76 + kernel.len()].copy_from_slice(kernel.as_bytes());
        record[LAYOUT.time..LAYOUT.time + 4].copy_from_slice(&seconds.to_le_bytes());
        record
    }

    #[test]
    fn starts_and_ends_are_told_and_logins_are_not() {
        let wtmp = [
            record(BOOT_TIME, "reboot", "5.15.0-1073-azure", 1_763_000_000),
            record(7, "person", "192.0.2.7", 1_763_000_100),
            record(RUN_LEVEL, "runlevel", "5.15.0-1073-azure", 1_763_000_050),
            record(RUN_LEVEL, "shutdown", "5.15.0-1073-azure", 1_763_500_000),
            vec![2; 100],
        ];
        let node = HostFixture::new()
            .file("/var/log/wtmp", wtmp.concat())
            .file("/proc/stat", "btime 1763500060\n");
        let boot = |seconds: i64, event, kernel: &str| Boot {
            time: jiff::Timestamp::from_second(seconds).unwrap(),
            event,
            kernel: kernel.to_owned(),
        };
        assert_eq!(
            boots(&node.root()).unwrap(),
            [
                boot(1_763_000_000, BootEvent::Boot, "5.15.0-1073-azure"),
                boot(1_763_500_000, BootEvent::Shutdown, "5.15.0-1073-azure"),
                boot(1_763_500_060, BootEvent::Boot, ""),
            ]
        );
    }

    #[test]
    fn the_present_start_is_told_once() {
        let node = HostFixture::new()
            .file("/var/log/wtmp", record(BOOT_TIME, "reboot", "6.1", 1_763_000_030))
            .file("/proc/stat", "btime 1763000000\n");
        assert_eq!(boots(&node.root()).unwrap().len(), 1);
        assert_eq!(boots(&HostFixture::new().root()).unwrap(), []);
    }
}

//! Times, durations and sizes as people read them.

use jiff::Timestamp;

/// `2026-11-21 14:35:07`, which is UTC here always.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How long it was from one time to another.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> String {
    millis(u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0))
}

/// `12 ms`, `3.4 s`, `5 min 6 s`.
pub(crate) fn millis(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{seconds}.{} s", millis % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `17 B`, `1.4 KiB`, `230 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut tenths, mut unit) = (u128::from(bytes) * 10, "B");
    for next in UNITS {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, next);
    }
    if unit == "B" || tenths >= 1000 {
        format!("{} {unit}", tenths / 10)
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, millis};

    #[test]
    fn sizes_and_durations_are_short() {
        let sizes = [0, 1023, 1024, 1500, 240 << 20, u64::MAX].map(bytes);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.4 KiB", "240 MiB", "15.9 EiB"]);
        let durations = [7, 3_456, 306_000, 7_260_000].map(millis);
        assert_eq!(durations, ["7 ms", "3.4 s", "5 min 6 s", "2 h 1 min"]);
    }
}

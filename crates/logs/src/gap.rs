//! What is known to be missing from a stream of log lines; does not find that out.
//!
//! A gap goes into the stream as one line of text and to machines as data, so that no absence is silent.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::UnixNanos;

/// Why lines are missing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The file was rotated, and then removed, before it was read to its end.
    Rotated,
    /// The file became shorter than what had been read of it.
    Truncated,
    /// The files of this instance of the container are gone.
    Removed,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rotated => "the file was rotated away before it was read to its end",
            Self::Truncated => "the file was truncated",
            Self::Removed => "the files of the container's instance were removed",
        })
    }
}

/// Lines that are missing, or may be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The time of the last line before; unknown when there is none.
    pub from: Option<UnixNanos>,
    /// The time of the first line after; unknown when there is none yet.
    pub to: Option<UnixNanos>,
    /// What happened.
    pub why: Why,
    /// How many bytes of the file are missing, where that is known.
    pub bytes: Option<u64>,
}

/// The line that stands in the stream, without a newline.
impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[log lines may be missing")?;
        if let Some(from) = self.from {
            write!(f, " from {from}")?;
        }
        if let Some(to) = self.to {
            write!(f, " to {to}")?;
        }
        write!(f, ": {}", self.why)?;
        if let Some(bytes) = self.bytes {
            write!(f, ", {bytes} bytes")?;
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const FROM: UnixNanos = UnixNanos::new(1_795_205_433_000_000_000);
    const TO: UnixNanos = UnixNanos::new(1_795_205_434_500_000_000);

    #[rstest]
    #[case::all_known(
        Gap { from: Some(FROM), to: Some(TO), why: Why::Rotated, bytes: Some(7) },
        "[log lines may be missing from 2026-11-20T20:10:33Z to 2026-11-20T20:10:34.5Z: the file was rotated away before it was read to its end, 7 bytes]",
        r#"{"from":"2026-11-20T20:10:33Z","to":"2026-11-20T20:10:34.5Z","why":"rotated","bytes":7}"#
    )]
    #[case::little_known(
        Gap { from: None, to: None, why: Why::Removed, bytes: None },
        "[log lines may be missing: the files of the container's instance were removed]",
        r#"{"from":null,"to":null,"why":"removed","bytes":null}"#
    )]
    fn a_gap_is_told_to_people_and_machines(#[case] gap: Gap, #[case] line: &str, #[case] json: &str) {
        assert_eq!(gap.to_string(), line);
        assert_eq!(serde_json::to_string(&gap).unwrap(), json);
        assert_eq!(serde_json::from_str::<Gap>(json).unwrap(), gap);
    }
}

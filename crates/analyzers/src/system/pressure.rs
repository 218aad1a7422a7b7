//! The kernel's pressure stall information (kernel documentation, `accounting/psi.rst`): the share of time in which
//! some tasks, or all that had work, waited for a resource.

use periscope_core::{AnalyzeError, Evidence, Inputs};

use super::input::{self, Input, find_line};
use crate::artifact::Text;

/// One line, in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stall {
    /// Over the last minute.
    pub(super) minute: u64,
    /// Over the last five minutes.
    pub(super) five_minutes: u64,
    line: u64,
}

impl Stall {
    /// Whether it was at least so much over both times: high now, and not for the first time.
    pub(super) fn is_lasting(&self, share: u64) -> bool {
        self.minute >= share && self.five_minutes >= share
    }

    /// The last minute's share in percent, rounded down.
    pub(super) fn percent(&self) -> String {
        format!("{} %", self.minute / 100)
    }
}

/// The file of one resource.
pub(super) struct Pressure {
    text: Text,
    /// Time in which at least one task waited.
    pub(super) some: Stall,
    /// Time in which all tasks that had work waited. The kernel knows none for the processors.
    pub(super) full: Option<Stall>,
}

impl Pressure {
    /// Reads it; kernels before 4.20, and those that were told not to, have none.
    pub(super) fn of(inputs: &dyn Inputs, name: &str) -> Result<Input<Self>, AnalyzeError> {
        let text = match input::text(inputs, name)? {
            Input::Known(text) => text,
            Input::NoSuchThing => return Ok(Input::NoSuchThing),
            Input::Missing(why) => return Ok(Input::Missing(why)),
        };
        let stall = |kind: &str| {
            let (line, (minute, five_minutes)) = find_line(&text, |line| parse(line, kind))?;
            Some(Stall {
                minute,
                five_minutes,
                line,
            })
        };
        let Some(some) = stall("some") else {
            return Err(text.not_understood(&"expected a line that begins with \"some avg10=\""));
        };
        let full = stall("full");
        Ok(Input::Known(Self { text, some, full }))
    }

    /// The stall's line.
    pub(super) fn evidence(&self, stall: &Stall) -> Evidence {
        self.text.evidence(stall.line)
    }
}

/// `some avg10=0.00 avg60=1.60 avg300=2.75 total=33700429`
fn parse(line: &str, kind: &str) -> Option<(u64, u64)> {
    let rest = line.strip_prefix(kind)?;
    let value = |key: &str| {
        let word = rest.split(' ').find_map(|word| word.strip_prefix(key))?;
        let (whole, fraction) = word.split_once('.')?;
        Some(whole.parse::<u64>().ok()? * 100 + fraction.parse::<u64>().ok()?)
    };
    Some((value("avg60=")?, value("avg300=")?))
}

#[cfg(test)]
mod tests {
    use super::{Input, Pressure, Stall};
    use crate::fixture::Artifacts;

    #[test]
    fn both_lines_are_read() {
        let text =
            "some avg10=6.29 avg60=1.60 avg300=2.75 total=33700429\nfull avg10=0.00 avg60=0.05 avg300=0.00 total=0\n";
        let artifacts = Artifacts::default().with("system", "pressure/io.txt", text);
        let Input::Known(pressure) = Pressure::of(&artifacts, "pressure/io.txt").unwrap() else {
            unreachable!("it is there")
        };
        let some = Stall {
            minute: 160,
            five_minutes: 275,
            line: 1,
        };
        assert_eq!(pressure.some, some);
        assert_eq!(pressure.full.map(|full| (full.minute, full.line)), Some((5, 2)));
        assert!(some.is_lasting(160) && !some.is_lasting(161));
        assert!(pressure.evidence(&some).quote.starts_with("some avg10"));
        let garbage = Artifacts::default().with("system", "pressure/io.txt", "nothing\n");
        assert!(Pressure::of(&garbage, "pressure/io.txt").is_err());
    }
}

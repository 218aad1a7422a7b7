//! From where on the kubelet evicts pods: what its command line and configuration say, else its defaults
//! (`k8s.io/kubernetes/pkg/kubelet/eviction`, `DefaultEvictionHard`).

use periscope_core::{AnalyzeError, Inputs};
use periscope_documents::names;
use serde_json::Value;

use super::words::basis_points;
use crate::artifact::{self, Artifact};

/// An amount below which pods are evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Threshold {
    /// Bytes or inodes.
    Amount(u64),
    /// A share of the whole, in hundredths of a percent.
    Share(u64),
}

impl Threshold {
    /// Whether so much of `whole` is below it.
    pub(super) fn is_passed(self, left: u64, whole: u64) -> bool {
        match self {
            Self::Amount(amount) => left < amount,
            Self::Share(share) => basis_points(left, whole).is_some_and(|left| left < share),
        }
    }

    /// The threshold with a share of the whole on top.
    pub(super) fn and_more(self, whole: u64, share: u64) -> Self {
        match self {
            Self::Amount(amount) => Self::Amount(amount.saturating_add(whole / 10_000 * share)),
            Self::Share(own) => Self::Share(own + share),
        }
    }

    /// `100Mi`, `1.5Gi`, `10%`.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(percent) = text.strip_suffix('%') {
            return Some(Self::Share(hundredths(percent)?));
        }
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(end)?;
        let unit: u64 = match unit {
            "" => 1,
            "k" => 1000,
            "M" => 1_000_000,
            "G" => 1_000_000_000,
            "Ki" => 1 << 10,
            "Mi" => 1 << 20,
            "Gi" => 1 << 30,
            "Ti" => 1 << 40,
            _ => return None,
        };
        Some(Self::Amount(hundredths(number)?.saturating_mul(unit) / 100))
    }
}

/// A decimal number in hundredths.
fn hundredths(number: &str) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction: String = fraction.chars().chain("00".chars()).take(2).collect();
    let fraction: u64 = fraction.parse().ok()?;
    Some(whole.parse::<u64>().ok()?.saturating_mul(100).saturating_add(fraction))
}

/// The thresholds of one kubelet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Thresholds {
    pub(super) memory: Threshold,
    pub(super) node_disk: Threshold,
    pub(super) node_inodes: Threshold,
    pub(super) image_disk: Threshold,
    /// Whether this kubelet was asked, and these are not merely the defaults.
    pub(super) are_known: bool,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            memory: Threshold::Amount(100 << 20),
            node_disk: Threshold::Share(1000),
            node_inodes: Threshold::Share(500),
            image_disk: Threshold::Share(1500),
            are_known: false,
        }
    }
}

impl Thresholds {
    /// Reads them.
    pub(super) fn of(inputs: &dyn Inputs) -> Result<Self, AnalyzeError> {
        let read = |name| artifact::read(inputs, names::KUBELET, name);
        if let Artifact::Whole(text) = read("cmdline.txt")?
            && let Some(found) = Self::of_flag(&text.text)
        {
            return Ok(found);
        }
        for name in ["config.json", "config.yaml"] {
            if let Artifact::Whole(text) = read(name)? {
                return Ok(Self::of_configuration(&text.text).unwrap_or_default());
            }
        }
        Ok(Self::default())
    }

    /// `--eviction-hard=memory.available<100Mi,nodefs.available<10%`, an argument a line.
    fn of_flag(command_line: &str) -> Option<Self> {
        let mut lines = command_line.lines();
        let value = lines.find_map(|line| line.strip_prefix("--eviction-hard"))?;
        let value = match value.strip_prefix('=') {
            Some(value) => value,
            None => lines.next()?,
        };
        let pairs = value.split(',').filter_map(|pair| pair.split_once('<'));
        Some(Self::of_pairs(pairs))
    }

    fn of_configuration(text: &str) -> Option<Self> {
        // JSON is YAML.
        let configuration: Value = serde_saphyr::from_str(text).ok()?;
        let hard = configuration.get("evictionHard")?.as_object()?;
        let pairs = hard
            .iter()
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
        Some(Self::of_pairs(pairs))
    }

    /// What is named; of what is not, nothing is known to be watched, and the disk of images counts as any other.
    fn of_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let default = Self::default();
        let mut found = Self {
            image_disk: default.node_disk,
            are_known: true,
            ..default
        };
        for (signal, value) in pairs {
            let Some(threshold) = Threshold::parse(value) else {
                continue;
            };
            match signal {
                "memory.available" => found.memory = threshold,
                "nodefs.available" => found.node_disk = threshold,
                "nodefs.inodesFree" => found.node_inodes = threshold,
                "imagefs.available" => found.image_disk = threshold,
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Threshold, Thresholds};
    use crate::fixture::Artifacts;

    #[rstest]
    #[case("750Mi", Some(Threshold::Amount(786_432_000)))]
    #[case("1.5Gi", Some(Threshold::Amount(1_610_612_736)))]
    #[case("10%", Some(Threshold::Share(1000)))]
    #[case("7.5%", Some(Threshold::Share(750)))]
    #[case("lots", None)]
    fn quantities(#[case] text: &str, #[case] expected: Option<Threshold>) {
        assert_eq!(Threshold::parse(text), expected);
    }

    #[test]
    fn the_flag_counts_before_the_file_and_the_file_before_the_defaults() {
        let nothing = Artifacts::default();
        assert_eq!(Thresholds::of(&nothing).unwrap(), Thresholds::default());
        let yaml = Artifacts::default().with("kubelet", "config.yaml", "evictionHard:\n  memory.available: 300Mi\n");
        assert_eq!(Thresholds::of(&yaml).unwrap().memory, Threshold::Amount(300 << 20));
        let file = nothing.with(
            "kubelet",
            "config.json",
            r#"{"evictionHard": {"memory.available": "200Mi"}}"#,
        );
        assert_eq!(Thresholds::of(&file).unwrap().memory, Threshold::Amount(200 << 20));
        let flag = file.with(
            "kubelet",
            "cmdline.txt",
            "kubelet\n--eviction-hard=memory.available<750Mi,nodefs.available<12%\n",
        );
        let found = Thresholds::of(&flag).unwrap();
        assert_eq!(
            (found.memory, found.node_disk, found.image_disk),
            (
                Threshold::Amount(750 << 20),
                Threshold::Share(1200),
                Threshold::Share(1000)
            )
        );
    }

    #[test]
    fn thresholds_are_passed_by_less() {
        assert!(Threshold::Share(1000).is_passed(99, 1000) && !Threshold::Share(1000).is_passed(100, 1000));
        assert!(Threshold::Amount(100).is_passed(99, 1000) && !Threshold::Amount(100).is_passed(100, 1000));
        assert!(Threshold::Share(1000).and_more(1000, 500).is_passed(149, 1000));
        assert!(Threshold::Amount(100).and_more(10_000, 500).is_passed(599, 10_000));
    }
}

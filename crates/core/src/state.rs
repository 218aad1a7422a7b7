//! How a planned item ended, and what that means for the run as a whole; says nothing about why (that is the item's
//! reason).

use serde::{Deserialize, Serialize};

/// The one state in which every planned item ends (`manifest.json`, `items[].state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Everything the item promises is in the archive.
    Collected,
    /// A limit was reached: the archive holds a part, and says how much is missing.
    Truncated,
    /// The redactor could not vouch for the content, so none of it was shipped.
    Withheld,
    /// The node, the kernel or the API server refused, or this process does not even see whether it is there.
    Denied,
    /// The deadline passed; what had arrived by then is kept.
    TimedOut,
    /// The node does not have it.
    NotPresent,
    /// It makes no sense here, or reading it could hang the node.
    NotApplicable,
    /// The archive's size or the disk's free space is used up.
    OverBudget,
    /// The run was ended from outside; what had arrived by then is kept.
    Cancelled,
    /// It went wrong; the reason says how. What had arrived by then is kept.
    Failed,
}

impl State {
    /// Every state, in the order in which summaries name them.
    pub const ALL: [Self; 10] = [
        Self::Collected,
        Self::Truncated,
        Self::Withheld,
        Self::Denied,
        Self::TimedOut,
        Self::NotPresent,
        Self::NotApplicable,
        Self::OverBudget,
        Self::Cancelled,
        Self::Failed,
    ];

    /// The word used in the manifest, in summaries and in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Collected => "collected",
            Self::Truncated => "truncated",
            Self::Withheld => "withheld",
            Self::Denied => "denied",
            Self::TimedOut => "timed-out",
            Self::NotPresent => "not-present",
            Self::NotApplicable => "not-applicable",
            Self::OverBudget => "over-budget",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Whether a run in which this item ended so may still be called complete.
    /// `limit_by_user`: the limit that was reached is one that the user set.
    pub fn leaves_complete(self, limit_by_user: bool) -> bool {
        match self {
            Self::Collected | Self::NotPresent | Self::NotApplicable => true,
            Self::Truncated | Self::OverBudget => limit_by_user,
            Self::Withheld | Self::Denied | Self::TimedOut | Self::Cancelled | Self::Failed => false,
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a run amounts to; the exit code follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Completeness {
    /// Every item is there, or is rightly absent.
    Complete,
    /// Some items are missing or cut.
    Partial,
    /// Not one item was collected.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn words_are_what_serde_writes() {
        for state in State::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }

    #[test]
    fn only_rightful_absence_and_user_limits_leave_a_run_complete() {
        let complete = |by_user| {
            State::ALL
                .into_iter()
                .filter(|s| s.leaves_complete(by_user))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            complete(false),
            [State::Collected, State::NotPresent, State::NotApplicable]
        );
        assert_eq!(
            complete(true),
            [
                State::Collected,
                State::Truncated,
                State::NotPresent,
                State::NotApplicable,
                State::OverBudget
            ]
        );
    }
}

//! Run ids and node names: the two names that become folders and blob names; nothing else may be put there.

use serde::{Deserialize, Serialize};

/// Longest run id or node name, in bytes.
const MAX_LEN: usize = 128;

/// A name that cannot become a folder or a blob name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} {value:?}: expected 1 to {MAX_LEN} of A-Z a-z 0-9 . _ - beginning with a letter or a digit")]
pub struct InvalidName {
    what: &'static str,
    value: String,
}

fn check(what: &'static str, value: &str) -> Result<(), InvalidName> {
    let well_formed = value.len() <= MAX_LEN
        && value.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if well_formed {
        Ok(())
    } else {
        Err(InvalidName {
            what,
            value: value.chars().take(MAX_LEN + 1).collect(),
        })
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as it stands in paths.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(value: String) -> Result<Self, InvalidName> {
                check($what, &value)?;
                Ok(Self(value))
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;
            fn from_str(value: &str) -> Result<Self, InvalidName> {
                Self::try_from(value.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// What names one run: the folder of its archives and the first part of its blob names.
    RunId,
    "run id"
);
name!(
    /// The node's name as Kubernetes knows it.
    NodeName,
    "node name"
);

impl RunId {
    /// The run id of a run that nobody named: its start in UTC, as `az aks kollect` writes it (`2026-11-20T20-10-33Z`;
    /// Periscope contract, section 3, step 7).
    pub fn at(start: jiff::Timestamp) -> Self {
        Self(start.strftime("%Y-%m-%dT%H-%M-%SZ").to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{NodeName, RunId};

    #[test]
    fn a_name_cannot_leave_its_folder() {
        for bad in ["", ".", "..", "../x", "a/b", "-x", "a b", "é", "a\0", &"x".repeat(129)] {
            assert!(bad.parse::<RunId>().is_err(), "{bad:?}");
        }
        for good in [
            "a",
            "0",
            "aks-nodepool1-12345678-vmss000000",
            "2026-11-20T20-10-33Z",
            "ip-10-0-0-1.ec2.internal",
        ] {
            assert_eq!(good.parse::<NodeName>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn the_error_names_the_value() {
        let error = "a/b".parse::<RunId>().unwrap_err().to_string();
        assert!(error.starts_with(r#"invalid run id "a/b": expected"#), "{error}");
    }

    #[test]
    fn unnamed_runs_are_named_as_the_azure_cli_does() {
        let start: jiff::Timestamp = "2026-11-20T20:10:33.9Z".parse().unwrap();
        assert_eq!(RunId::at(start).as_str(), "2026-11-20T20-10-33Z");
    }
}

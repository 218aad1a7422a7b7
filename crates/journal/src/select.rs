//! Which entries are wanted, for several receivers in one pass; does not read entries.

use crate::entry::Entry;
use crate::error::Error;
use crate::field::Field;

/// Receivers that one pass can serve: one bit each.
pub const MAX_SELECTORS: usize = 64;

/// `MESSAGE_ID` of the entries that systemd-coredump writes about a crash.
const COREDUMP: &[u8] = b"fc2e22bc6ee647b6b90729ab34a250b1";

/// What one receiver wants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Selector {
    /// The entries that `journalctl --unit NAME` shows: those of the unit's own processes (`_SYSTEMD_UNIT`), of pid 1
    /// about it (`UNIT`), of root's daemons about it (`OBJECT_SYSTEMD_UNIT`), and of its crashes (`COREDUMP_UNIT`).
    ///
    /// The name is a full unit name (`kubelet.service`), in which `*` and `?` stand for any text and any character.
    Unit(String),
    /// The entries of the kernel, as `journalctl --dmesg` shows them, but of all boots.
    Kernel,
    /// The entries under one `SYSLOG_IDENTIFIER`, as `journalctl --identifier` shows them.
    Identifier(String),
    /// Every entry.
    All,
}

impl Selector {
    /// Whether the receiver wants the entry.
    pub fn matches(&self, entry: &Entry) -> bool {
        match self {
            Self::Unit(name) => unit_matches(name.as_bytes(), entry),
            Self::Kernel => is(entry, Field::Transport, b"kernel"),
            Self::Identifier(name) => is(entry, Field::SyslogIdentifier, name.as_bytes()),
            Self::All => true,
        }
    }
}

fn is(entry: &Entry, field: Field, value: &[u8]) -> bool {
    entry.field(field) == Some(value)
}

fn unit_matches(name: &[u8], entry: &Entry) -> bool {
    let named = |field| entry.field(field).is_some_and(|value| glob(name, value));
    named(Field::SystemdUnit)
        || (named(Field::Unit) && is(entry, Field::Pid, b"1"))
        || (named(Field::ObjectSystemdUnit) && is(entry, Field::Uid, b"0"))
        || (named(Field::CoredumpUnit) && is(entry, Field::Uid, b"0") && is(entry, Field::MessageId, COREDUMP))
}

/// Whether `text` fits `pattern` with `*` and `?`. Only the last star is ever tried again, so the time is bounded by
/// the product of both lengths.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star_p, star_t)) = star else { return false };
                star = Some((star_p, star_t + 1));
                p = star_p + 1;
                t = star_t + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// The selectors of one pass.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    selectors: Vec<Selector>,
}

impl Selection {
    /// At most [`MAX_SELECTORS`]; their order gives the index by which each is named from here on.
    pub fn new(selectors: Vec<Selector>) -> Result<Self, Error> {
        if selectors.len() > MAX_SELECTORS {
            return Err(Error::TooManySelectors {
                count: selectors.len(),
                max: MAX_SELECTORS,
            });
        }
        Ok(Self { selectors })
    }

    /// How many selectors there are.
    pub fn len(&self) -> usize {
        self.selectors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.selectors.is_empty()
    }

    /// The selectors that want the entry.
    pub fn matches(&self, entry: &Entry) -> Matches {
        let wanted = self
            .selectors
            .iter()
            .enumerate()
            .filter(|(_, selector)| selector.matches(entry));
        Matches(wanted.fold(0, |bits, (index, _)| bits | 1 << index))
    }
}

/// The indices of the selectors that want an entry, in ascending order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Matches(u64);

impl Matches {
    /// Whether no selector wants the entry.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }
}

impl Iterator for Matches {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let index = self.0.trailing_zeros();
        // Clears the lowest bit that is set; nothing is left to clear at the end.
        self.0 &= self.0.wrapping_sub(1);
        (index < u64::BITS).then_some(index as usize)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::own("kubelet.service", &[(Field::SystemdUnit, "kubelet.service")], true)]
    #[case::other("kubelet.service", &[(Field::SystemdUnit, "kubelet2.service")], false)]
    #[case::pid_1_about_it("kubelet.service", &[(Field::SystemdUnit, "init.scope"), (Field::Unit, "kubelet.service"), (Field::Pid, "1")], true)]
    #[case::anybody_about_it("kubelet.service", &[(Field::Unit, "kubelet.service"), (Field::Pid, "2")], false)]
    #[case::root_about_it("kubelet.service", &[(Field::ObjectSystemdUnit, "kubelet.service"), (Field::Uid, "0")], true)]
    #[case::user_about_it("kubelet.service", &[(Field::ObjectSystemdUnit, "kubelet.service"), (Field::Uid, "1000")], false)]
    #[case::crash("kubelet.service", &[(Field::CoredumpUnit, "kubelet.service"), (Field::Uid, "0"), (Field::MessageId, "fc2e22bc6ee647b6b90729ab34a250b1")], true)]
    #[case::no_crash("kubelet.service", &[(Field::CoredumpUnit, "kubelet.service"), (Field::Uid, "0")], false)]
    #[case::glob("kube*.service", &[(Field::SystemdUnit, "kubelet.service")], true)]
    #[case::no_unit("*", &[(Field::Transport, "kernel")], false)]
    fn units_match_as_in_journalctl(#[case] name: &str, #[case] fields: &[(Field, &str)], #[case] expected: bool) {
        assert_eq!(
            Selector::Unit(name.into()).matches(&Entry::for_test(1, fields)),
            expected
        );
    }

    #[rstest]
    #[case("", "", true)]
    #[case("*", "", true)]
    #[case("a*b*c", "aXbYbZc", true)]
    #[case("a*b*c", "aXbYbZ", false)]
    #[case("?b", "ab", true)]
    #[case("?b", "b", false)]
    #[case("ab", "abc", false)]
    #[case("**", "abc", true)]
    fn globs(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
        assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), expected);
    }

    #[test]
    fn an_entry_goes_to_everyone_who_wants_it() {
        let mut selectors = vec![Selector::Identifier("none".into()); MAX_SELECTORS];
        selectors[0] = Selector::All;
        selectors[3] = Selector::Kernel;
        selectors[63] = Selector::Kernel;
        let selection = Selection::new(selectors).unwrap();
        let entry = Entry::for_test(1, &[(Field::Transport, "kernel")]);
        assert_eq!(selection.matches(&entry).collect::<Vec<_>>(), [0, 3, 63]);
        assert!(matches!(
            Selection::new(vec![Selector::All; 65]),
            Err(Error::TooManySelectors { count: 65, max: 64 })
        ));
    }
}

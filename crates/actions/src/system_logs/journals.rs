//! The journals that are gathered: which entries go into which artifact.

use jiff::Timestamp;
use periscope_journal::{MAX_SELECTORS, Selector};

/// The services that every node is asked for.
const SERVICES: [&str; 3] = ["kubelet.service", "containerd.service", "docker.service"];

/// One artifact of journal entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Journal {
    /// The artifact's name.
    pub(super) name: String,
    /// The entries in it.
    pub(super) selector: Selector,
    /// What those are called in messages.
    pub(super) what: String,
}

/// The kernel's, those of [`SERVICES`], and those of the services that the user names, each once. A name without a
/// type is a service's, as for `systemctl`; of more than one pass can serve, the last are left out and returned.
pub(super) fn journals(services: &[String]) -> (Vec<Journal>, Vec<String>) {
    let mut journals = vec![Journal {
        name: "journal/kernel.log".to_owned(),
        selector: Selector::Kernel,
        what: "the kernel".to_owned(),
    }];
    let mut too_many = Vec::new();
    for service in SERVICES.into_iter().chain(services.iter().map(String::as_str)) {
        let unit = if has_type(service) {
            service.to_owned()
        } else {
            format!("{service}.service")
        };
        let selector = Selector::Unit(unit.clone());
        if journals.iter().any(|journal| journal.selector == selector) {
            continue;
        }
        if journals.len() == MAX_SELECTORS {
            too_many.push(unit);
            continue;
        }
        // Stars are no file names elsewhere.
        let file = unit
            .strip_suffix(".service")
            .unwrap_or(&unit)
            .replace(['*', '?', '/'], "_");
        journals.push(Journal {
            name: format!("journal/{file}.log"),
            selector,
            what: unit,
        });
    }
    (journals, too_many)
}

/// The reason for a journal without entries.
pub(super) fn no_entries(journal: &Journal, since: Option<Timestamp>) -> String {
    match since {
        Some(since) => format!("the journal has no entries of {} since {since}", journal.what),
        None => format!("the journal has no entries of {}", journal.what),
    }
}

/// Whether the name of a unit ends in its type, as in systemd.unit(5).
fn has_type(unit: &str) -> bool {
    const TYPES: [&str; 11] = [
        ".service",
        ".socket",
        ".device",
        ".mount",
        ".automount",
        ".swap",
        ".target",
        ".path",
        ".timer",
        ".slice",
        ".scope",
    ];
    TYPES.iter().any(|suffix| unit.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use periscope_journal::{MAX_SELECTORS, Selector};

    use super::journals;

    #[test]
    fn units_are_named_once_and_in_full() {
        let asked = ["kubelet", "localdns.service", "kube*", "tmp.mount"].map(str::to_owned);
        let (found, too_many) = journals(&asked);
        let rows: Vec<_> = found
            .iter()
            .map(|journal| match &journal.selector {
                Selector::Unit(unit) => (journal.name.as_str(), unit.as_str()),
                _ => (journal.name.as_str(), ""),
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("journal/kernel.log", ""),
                ("journal/kubelet.log", "kubelet.service"),
                ("journal/containerd.log", "containerd.service"),
                ("journal/docker.log", "docker.service"),
                ("journal/localdns.log", "localdns.service"),
                ("journal/kube_.log", "kube*.service"),
                ("journal/tmp.mount.log", "tmp.mount"),
            ]
        );
        assert_eq!(too_many, [""; 0]);
    }

    #[test]
    fn more_than_one_pass_can_serve_is_not_lost() {
        let asked: Vec<_> = (0..100).map(|n| format!("unit{n}")).collect();
        let (found, too_many) = journals(&asked);
        assert_eq!(found.len(), MAX_SELECTORS);
        assert_eq!(found.len() + too_many.len(), 4 + asked.len());
        assert_eq!(too_many.last().unwrap(), "unit99.service");
    }
}

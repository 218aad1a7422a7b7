//! The rules of the legacy backend, which `iptables-save` does not show where the node's tools use nftables. Asking for
//! them makes the kernel load that backend, so it is only done where it has tables already.

use std::time::Duration;

use periscope_core::{Content, Sink, State};
use periscope_documents::names;
use periscope_host::{CommandRunner, HostError, HostPath, HostRoot, NetworkChoice};

use crate::commands::{self, CommandRow};
use crate::host_files::{off_thread, reason_of, state_of};

const TABLES: &str = "/proc/1/net/ip_tables_names";
/// A table's name on each line.
const MAX_TABLES_BYTES: usize = 4096;
const PROGRAMS: &[&str] = &["/usr/sbin/iptables-legacy-save", "/sbin/iptables-legacy-save"];
/// What shows the rules of one of the backends.
const SHOWN: &str = "/usr/sbin/iptables-save";

const LEGACY: CommandRow = CommandRow {
    artifact: names::IPTABLES_LEGACY_SAVE,
    programs: PROGRAMS,
    args: &["-c"],
    content: Content::Text,
    network: NetworkChoice::Host,
    // As long as the other dumps.
    timeout: Duration::from_secs(50),
};

/// Writes the rules, or why there are none.
pub(super) async fn collect(root: &HostRoot, commands: &dyn CommandRunner, sink: &Sink) {
    let root = root.clone();
    let why_not = off_thread(move || why_not(&root)).await;
    match why_not.unwrap_or_else(|error| Some((State::Failed, error.to_string()))) {
        Some((state, reason)) => sink.record(LEGACY.artifact, state, reason),
        None => drop(commands::collect(commands, sink, &LEGACY).await),
    }
}

/// Why the legacy backend is not asked: it has no tables, or it is the one that is shown anyway; or its tables may not
/// be seen. Blocks.
fn why_not(root: &HostRoot) -> Option<(State, String)> {
    let tables = HostPath::new(TABLES)
        .map_err(HostError::from)
        .and_then(|path| root.read_text(&path, MAX_TABLES_BYTES));
    match tables {
        Ok(tables) if !tables.trim().is_empty() => {}
        Ok(_) | Err(HostError::NotFound { .. }) => {
            return Some((State::NotApplicable, "the legacy backend has no tables".to_owned()));
        }
        Err(error) => return Some((state_of(&error), reason_of(&error))),
    }
    let identity = |path: &str| {
        let metadata = root.metadata(&HostPath::new(path).ok()?).ok()?;
        Some((metadata.dev, metadata.ino))
    };
    let shown = identity(SHOWN);
    let is_shown = shown.is_some() && PROGRAMS.iter().any(|path| identity(path) == shown);
    is_shown.then(|| (State::NotApplicable, format!("{SHOWN} shows the legacy backend")))
}

#[cfg(test)]
mod tests {
    use periscope_testkit::HostFixture;

    use super::{SHOWN, TABLES, why_not};
    use periscope_core::State;

    #[test]
    fn it_is_asked_where_it_has_tables_that_are_not_shown() {
        let node = HostFixture::new();
        assert_eq!(
            why_not(&node.root()),
            Some((State::NotApplicable, "the legacy backend has no tables".to_owned()))
        );
        let node = node
            .file(TABLES, "nat\n")
            .file("/usr/sbin/xtables-nft-multi", "nft")
            .file("/usr/sbin/xtables-legacy-multi", "legacy")
            .link("/usr/sbin/iptables-legacy-save", "xtables-legacy-multi");
        let nft = node.link(SHOWN, "xtables-nft-multi");
        assert_eq!(why_not(&nft.root()), None);
        let node = HostFixture::new()
            .file(TABLES, "nat\n")
            .file("/usr/sbin/xtables-legacy-multi", "legacy")
            .link("/usr/sbin/iptables-legacy-save", "xtables-legacy-multi")
            .link(SHOWN, "xtables-legacy-multi");
        assert!(why_not(&node.root()).is_some());
    }
}

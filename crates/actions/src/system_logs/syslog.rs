//! The files of syslog, for nodes without a journal: current and rotated.

use std::time::SystemTime;

use jiff::Timestamp;
use periscope_core::{Content, Sink, State};
use periscope_host::{Confinement, HostPath, HostRoot};

use crate::host_files::{collect_within, inflated_name, off_thread, record, too_old};

/// What distributions call them, as globs.
const FILES: [&str; 3] = ["/var/log/syslog*", "/var/log/messages*", "/var/log/kern.log*"];

/// Where they are.
const FOLDER: &str = "/var/log";

/// Copies the files. One that was last written before `since` is left out.
pub(super) async fn copy(root: &HostRoot, sink: &Sink, since: Option<Timestamp>) {
    let since = since.map(SystemTime::from);
    let within = match HostPath::new(FOLDER).and_then(|folder| Confinement::only(vec![folder])) {
        Ok(within) => within,
        Err(error) => return sink.record("syslog", State::Failed, error.to_string()),
    };
    let mut is_there = false;
    let mut unread = Vec::new();
    for pattern in FILES {
        let asked = root.clone();
        let matches = match off_thread(move || asked.glob(pattern)).await {
            Ok(Ok(matches)) => matches,
            Ok(Err(error)) => {
                unread.push(error);
                continue;
            }
            Err(error) => {
                sink.record("syslog", State::Failed, error.to_string());
                continue;
            }
        };
        unread.extend(matches.unread);
        for path in matches.paths {
            is_there = true;
            let file = path.file_name().unwrap_or_default();
            let name = format!("syslog/{}", inflated_name(file));
            let written = root.metadata(&path).ok().map(|metadata| metadata.modified);
            match written.filter(|&written| since.is_some_and(|since| written < since)) {
                Some(written) => sink.record(&name, State::NotApplicable, too_old(written)),
                None => {
                    collect_within(&within, root, sink, &path, &name, Content::Text).await;
                }
            }
        }
    }
    if let Some(error) = unread.first() {
        record(sink, "syslog", error);
    } else if !is_there {
        sink.record("syslog", State::NotPresent, "there are no files of syslog");
    }
}

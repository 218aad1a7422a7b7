//! `system-logs`: the journals of the node's services and of its kernel. They are read from the journal files, in one pass for
//! all services; `journalctl` and the files of syslog are for nodes without journal files.
//!
//! * `journals`: which receivers there are, and what they are called
//! * `journal_files`: which files there are
//! * `pass`: reads them into the artifacts
//! * `journalctl`, `syslog`: what is taken instead

mod action;
mod journal_files;
mod journalctl;
mod journals;
mod pass;
mod syslog;

pub(crate) use action::{DESCRIPTOR, SystemLogs};

//! The state of one unit of the node's systemd, as a line of `units.json`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A unit as `systemctl show` describes it (`systemctl(1)`, `org.freedesktop.systemd1(5)`). A property that is empty or
/// that this version of systemd does not have is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SystemdUnit {
    /// Its name with its type, such as `kubelet.service`.
    pub name: String,
    /// `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub load: String,
    /// `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`.
    pub active: String,
    /// The finer state of its type: `running`, `exited`, `auto-restart`, `dead`, …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sub: String,
    /// Why it ended the last time: `success`, `exit-code`, `signal`, `oom-kill`, `timeout`, `start-limit-hit`, …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub result: String,
    /// `enabled`, `disabled`, `static`, `masked`, …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unit_file_state: String,
    /// What it is, in its author's words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// How often systemd has started it again by itself since it was last started by somebody (systemd 235 and later).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u64>,
    /// Exit status or number of the signal of the main process' last end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_status: Option<i64>,
    /// How the main process ended the last time: `exited`, `killed` or `dumped` (`waitid(2)`, `CLD_*`).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub exit_kind: String,
    /// Its main process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main_pid: Option<u32>,
    /// When it last changed its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Timestamp>,
    /// When it last became active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activated: Option<Timestamp>,
    /// When its main process was last started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When its main process last ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// The file that defines it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unit_file: String,
    /// The files that change that definition.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop_ins: Vec<String>,
    /// What it starts: a timer, socket or path a service.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub triggers: String,
    /// When a timer last elapsed, as systemd writes it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_trigger: String,
    /// When a timer elapses next, as systemd writes it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub next_trigger: String,
}

impl SystemdUnit {
    /// The kind of unit: `service`, `timer`, …
    pub fn kind(&self) -> &str {
        self.name.rsplit_once('.').map_or("", |(_, kind)| kind)
    }
}

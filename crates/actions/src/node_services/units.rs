//! Asks systemd for its units through the node's `systemctl show`, whose output is the same in every version, and reads
//! it. What the units' states mean is for analyzers.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use periscope_core::State;
use periscope_documents::SystemdUnit;
use periscope_host::{Absence, CommandRunner, HostCommand, HostPath, HostRoot, NetworkChoice};
use tokio::io::AsyncReadExt;

use crate::host_files::reason_of;

const PROGRAMS: [&str; 2] = ["/usr/bin/systemctl", "/bin/systemctl"];

/// Asking for some hundred units takes a busy systemd a second or two.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most of its output that is read: a unit is about a kilobyte, and a node has some hundred.
const MAX_OUTPUT_BYTES: u64 = 8 * 1024 * 1024;

/// Most units that are described.
pub(super) const MAX_UNITS: usize = 8_192;

/// Kinds of units that do something or can fail. Devices, slices and scopes come by the thousand and say nothing.
const PATTERNS: [&str; 8] = [
    "*.service",
    "*.timer",
    "*.socket",
    "*.mount",
    "*.automount",
    "*.swap",
    "*.path",
    "*.target",
];

/// What is asked of each. Times are asked for in microseconds since the boot, which no time zone or version changes.
const PROPERTIES: &str = "--property=Id,LoadState,ActiveState,SubState,Result,UnitFileState,Description,NRestarts,\
                          ExecMainStatus,ExecMainCode,MainPID,FragmentPath,DropInPaths,Triggers,\
                          StateChangeTimestampMonotonic,ActiveEnterTimestampMonotonic,ExecMainStartTimestampMonotonic,\
                          ExecMainExitTimestampMonotonic,LastTriggerUSec,NextElapseUSecRealtime";

/// What `systemctl` says where another init runs the machine (`src/basic/util.c`, `sd_booted`).
const NOT_SYSTEMD: &str = "not been booted with systemd";

/// Where the kernel says when it booted (`proc(5)`, `btime`).
const STAT: &str = "/proc/stat";

/// Most of it that is read: its first line is one CPU after another, and the counts of interrupts can be long.
const MAX_STAT_BYTES: usize = 1024 * 1024;

/// The command.
pub(super) fn command() -> Option<HostCommand> {
    let command = HostCommand::new(&PROGRAMS, TIMEOUT).ok()?;
    let command = command.args(["show", "--all", "--no-pager", PROPERTIES]).args(PATTERNS);
    Some(command.network(NetworkChoice::Own))
}

/// The units that systemd has loaded, or how the item ends and why.
pub(super) async fn ask(
    commands: &dyn CommandRunner,
    command: &HostCommand,
    booted: Option<Timestamp>,
) -> Result<Vec<SystemdUnit>, (State, String)> {
    let mut running = commands.spawn(command).await.map_err(|error| {
        let state = match error.absence() {
            Absence::NotPresent => State::NotPresent,
            Absence::Denied => State::Denied,
            Absence::NotApplicable => State::NotApplicable,
            Absence::Failed => State::Failed,
        };
        (state, reason_of(&error))
    })?;
    let mut output = Vec::new();
    let read = running.stdout().take(MAX_OUTPUT_BYTES).read_to_end(&mut output).await;
    let is_cut = output.len() as u64 >= MAX_OUTPUT_BYTES;
    let end = running.wait().await;
    if let Err(error) = read {
        return Err((State::Failed, format!("systemctl cannot be read: {error}")));
    }
    match end.problem() {
        Some(_) if end.stderr_tail.contains(NOT_SYSTEMD) => {
            Err((State::NotApplicable, "the node is not run by systemd".to_owned()))
        }
        Some(problem) if !is_cut => {
            let state = if end.timed_out { State::TimedOut } else { State::Failed };
            Err((state, format!("systemctl show {problem}")))
        }
        _ => Ok(parse(&String::from_utf8_lossy(&output), booted)),
    }
}

/// When the node booted. Blocks.
pub(super) fn boot_time(root: &HostRoot) -> Option<Timestamp> {
    let text = root.read_text(&HostPath::new(STAT).ok()?, MAX_STAT_BYTES).ok()?;
    let seconds = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    Timestamp::from_second(seconds.trim().parse().ok()?).ok()
}

/// Reads `systemctl show` of several units: `Property=value` lines, an empty line between units. A unit that is loaded
/// under several names is there once.
pub(super) fn parse(text: &str, booted: Option<Timestamp>) -> Vec<SystemdUnit> {
    let mut units: BTreeMap<String, SystemdUnit> = BTreeMap::new();
    for block in text.split("\n\n") {
        let properties: BTreeMap<&str, &str> = block.lines().filter_map(|line| line.split_once('=')).collect();
        if let Some(unit) = unit(&properties, booted)
            && units.len() < MAX_UNITS
        {
            units.insert(unit.name.clone(), unit);
        }
    }
    units.into_values().collect()
}

fn unit(properties: &BTreeMap<&str, &str>, booted: Option<Timestamp>) -> Option<SystemdUnit> {
    let word = |name: &str| properties.get(name).copied().unwrap_or_default().to_owned();
    let number = |name: &str| properties.get(name)?.parse::<i64>().ok();
    let time = |name: &str| {
        // 0 is never, and so is the largest number.
        let micros = number(name).filter(|&micros| micros > 0)?;
        booted?.checked_add(SignedDuration::from_micros(micros)).ok()
    };
    let name = word("Id");
    if name.is_empty() {
        return None;
    }
    Some(SystemdUnit {
        load: word("LoadState"),
        active: word("ActiveState"),
        sub: word("SubState"),
        result: word("Result"),
        unit_file_state: word("UnitFileState"),
        description: word("Description"),
        restarts: number("NRestarts").and_then(|count| u64::try_from(count).ok()),
        exit_status: number("ExecMainStatus").filter(|_| number("ExecMainCode").is_some_and(|code| code > 0)),
        // CLD_EXITED, CLD_KILLED and CLD_DUMPED of waitid(2).
        exit_kind: match number("ExecMainCode") {
            Some(1) => "exited",
            Some(2) => "killed",
            Some(3) => "dumped",
            _ => "",
        }
        .to_owned(),
        main_pid: number("MainPID")
            .and_then(|pid| u32::try_from(pid).ok())
            .filter(|&pid| pid > 0),
        changed: time("StateChangeTimestampMonotonic"),
        activated: time("ActiveEnterTimestampMonotonic"),
        started: time("ExecMainStartTimestampMonotonic"),
        ended: time("ExecMainExitTimestampMonotonic"),
        unit_file: word("FragmentPath"),
        drop_ins: word("DropInPaths").split_whitespace().map(str::to_owned).collect(),
        triggers: word("Triggers"),
        last_trigger: never_is_empty(word("LastTriggerUSec")),
        next_trigger: never_is_empty(word("NextElapseUSecRealtime")),
        name,
    })
}

fn never_is_empty(time: String) -> String {
    if matches!(time.as_str(), "n/a" | "0" | "infinity") {
        String::new()
    } else {
        time
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use periscope_core::State;
    use periscope_testkit::{HostFixture, Script, ScriptedCommands};

    use super::{MAX_UNITS, ask, boot_time, command, parse};

    /// As systemd 255 of an AKS node prints it.
    pub(crate) const SHOWN: &str = "\
Id=kubelet.service
Description=Kubelet
LoadState=loaded
ActiveState=activating
SubState=auto-restart
FragmentPath=/etc/systemd/system/kubelet.service
DropInPaths=/etc/systemd/system/kubelet.service.d/10-containerd.conf /etc/systemd/system/kubelet.service.d/10-tlsbootstrap.conf
UnitFileState=enabled
StateChangeTimestampMonotonic=3600000000
ActiveEnterTimestampMonotonic=3590000000
Triggers=
Result=exit-code
NRestarts=37
MainPID=0
ExecMainStartTimestampMonotonic=3590000000
ExecMainExitTimestampMonotonic=3600000000
ExecMainCode=1
ExecMainStatus=1

Id=logrotate.timer
LoadState=loaded
ActiveState=active
SubState=waiting
Triggers=logrotate.service
Result=success
NextElapseUSecRealtime=Sun 2026-11-22 00:00:00 UTC
LastTriggerUSec=n/a
";

    #[test]
    fn units_are_read_with_times_from_the_boot() {
        let booted: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let units = parse(SHOWN, Some(booted));
        let [kubelet, timer] = &units[..] else {
            panic!("{units:?}")
        };
        assert_eq!(
            (kubelet.restarts, kubelet.exit_status, kubelet.exit_kind.as_str()),
            (Some(37), Some(1), "exited")
        );
        assert_eq!(kubelet.main_pid, None);
        assert_eq!(kubelet.ended, Some("2026-11-20T11:00:00Z".parse().unwrap()));
        assert_eq!(kubelet.drop_ins.len(), 2);
        assert_eq!(
            (timer.triggers.as_str(), timer.last_trigger.as_str()),
            ("logrotate.service", "")
        );
        assert_eq!(timer.next_trigger, "Sun 2026-11-22 00:00:00 UTC");
        assert_eq!((timer.restarts, timer.exit_status), (None, None));
    }

    #[test]
    fn there_is_a_most_of_units_and_no_unit_without_a_name() {
        let blocks: Vec<_> = (0..MAX_UNITS + 5)
            .map(|n| format!("Id={n}.service\nActiveState=active\n\n"))
            .collect();
        assert_eq!(parse(&blocks.concat(), None).len(), MAX_UNITS);
        assert!(parse("\n\nActiveState=active\n\nnonsense\n", None).is_empty());
    }

    #[test]
    fn the_boot_is_told_by_the_kernel() {
        let node = HostFixture::new().file("/proc/stat", "cpu  1 2 3\nbtime 1795168800\nprocesses 5\n");
        assert_eq!(boot_time(&node.root()), Some("2026-11-20T10:00:00Z".parse().unwrap()));
        assert_eq!(boot_time(&HostFixture::new().root()), None);
    }

    #[tokio::test]
    async fn a_node_with_another_init_has_no_units() {
        let said = "System has not been booted with systemd as init system (PID 1). Can't operate.\n\
                    Failed to connect to bus: Host is down\n";
        let commands = ScriptedCommands::new().with("/bin/systemctl", Script::fails(1, said));
        let answer = ask(&commands, &command().unwrap(), None).await.unwrap_err();
        assert_eq!(
            answer,
            (State::NotApplicable, "the node is not run by systemd".to_owned())
        );
        let none = ask(&ScriptedCommands::new(), &command().unwrap(), None)
            .await
            .unwrap_err();
        assert_eq!(none.0, State::NotPresent);
    }
}

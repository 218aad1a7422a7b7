//! The action `system` on an AKS node of today (cgroup v2, systemd, chrony, a journal) and on one of the time of docker
//! (cgroup v1, no journal, no pressure files). All names are invented.

use periscope_actions::Settings;
use periscope_core::State;
use periscope_testkit::{ActionRun, HostFixture, RunOptions, Script, ScriptedCommands};
use serde_json::Value;

use crate::run::run_commands;

const UID: &str = "11111111-2222-3333-4444-555555555555";
const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What both nodes have, as their kernels write it.
fn with_kernel(node: HostFixture) -> HostFixture {
    node.file("/proc/loadavg", "0.52 0.58 0.59 1/1312 81234\n")
        .file(
            "/proc/meminfo",
            "MemTotal:       16393244 kB\nMemFree:          412340 kB\nMemAvailable:   11234512 kB\n",
        )
        .file("/proc/stat", "cpu  1 2 3 4\ncpu0 1 2 3 4\nbtime 1763632800\n")
        .file("/proc/sys/kernel/pid_max", "4194304\n")
        .file("/proc/sys/kernel/threads-max", "127855\n")
        .file("/proc/sys/fs/file-nr", "3456\t0\t9223372036854775807\n")
        .file(
            "/proc/cmdline",
            "BOOT_IMAGE=/boot/vmlinuz root=UUID=x ro console=ttyS0\n",
        )
        .file("/proc/modules", "overlay 151552 41 - Live 0x0000000000000000\n")
        .file(
            "/proc/812/stat",
            "812 (kubelet) S 1 812 812 0 -1 0 0 0 0 0 900 300 0 0 20 0 17 0 2200 1 1\n",
        )
        .file("/proc/812/status", "Name:\tkubelet\nVmRSS:\t   98304 kB\n")
        .file(
            "/proc/812/cmdline",
            "/usr/local/bin/kubelet\0--token\0Zx8notreal-Zx8notreal\0--v=2\0",
        )
        .file("/proc/812/fd/0", "")
        .dir(&format!("/var/log/pods/kube-system_coredns-x_{UID}/coredns"))
        .link(
            &format!("/var/log/containers/coredns-x_kube-system_coredns-{ID}.log"),
            "/x",
        )
}

fn aks_node() -> HostFixture {
    let group = format!(
        "/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice/cri-containerd-{ID}.scope",
        UID.replace('-', "_")
    );
    with_kernel(HostFixture::new())
        .file("/proc/812/cgroup", "0::/system.slice/kubelet.service\n")
        .file(
            "/proc/pressure/memory",
            "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
        )
        .file(
            "/proc/1/mountinfo",
            "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,discard,errors=remount-ro\n\
             26 22 0:50 / /mnt/share rw shared:9 - cifs //account.file.core.windows.net/share rw,vers=3.1.1\n",
        )
        .file("/etc/fstab", "UUID=x / ext4 discard,errors=remount-ro 0 1\n")
        .file("/sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n")
        .file(
            &format!("{group}/cpu.stat"),
            "usage_usec 5000000\nnr_periods 1000\nnr_throttled 400\nthrottled_usec 9000000\n",
        )
        .file(&format!("{group}/cpu.max"), "50000 100000\n")
        .file(&format!("{group}/memory.current"), "1024\n")
        .file(
            "/etc/chrony/chrony.conf",
            "refclock PHC /dev/ptp_hyperv poll 3 dpoll -2 offset 0 stratum 2\n",
        )
        .file("/sys/kernel/security/lsm", "lockdown,capability,yama,apparmor")
        .file("/var/log/journal/0123/system.journal", "")
}

fn docker_node() -> HostFixture {
    let group = |controller: &str| format!("/sys/fs/cgroup/{controller}/kubepods/burstable/pod{UID}/{ID}");
    with_kernel(HostFixture::new())
        .file(
            "/proc/812/cgroup",
            "9:memory:/system.slice/kubelet.service\n1:name=systemd:/x\n",
        )
        .file(
            "/proc/1/mountinfo",
            "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,discard\n",
        )
        .file(&format!("{}/memory.usage_in_bytes", group("memory")), "2048\n")
        .file(&format!("{}/memory.oom_control", group("memory")), "oom_kill 3\n")
        .file(
            &format!("{}/cpu.stat", group("cpu")),
            "nr_periods 10\nnr_throttled 0\nthrottled_time 0\n",
        )
}

const TRACKING: &str = "Reference ID    : 50484330 (PHC0)\nStratum         : 3\nLeap status     : Normal\n";

async fn run(node: &HostFixture, commands: ScriptedCommands) -> ActionRun {
    run_commands(node, "system", Settings::default(), &RunOptions::default(), commands).await
}

fn rows(run: &ActionRun, name: &str) -> Vec<Value> {
    serde_json::from_str(&run.text(name)).expect("a JSON array")
}

#[tokio::test(start_paused = true)]
async fn an_aks_node_is_described() {
    let commands = ScriptedCommands::new()
        .with("/usr/bin/chronyc -n tracking", Script::prints(TRACKING))
        .with("/usr/bin/chronyc -n sources -v", Script::prints("#* PHC0\n"))
        .with(
            "/usr/bin/timedatectl",
            Script::prints("System clock synchronized: yes\n"),
        );
    let run = run(&aks_node(), commands).await;
    assert_eq!(run.record().state, State::Collected, "{:?}", run.record());
    for (name, content) in [
        ("loadavg.txt", "0.52 0.58 0.59 1/1312 81234\n"),
        ("time/chrony-tracking.txt", TRACKING),
        ("security/lsm.txt", "lockdown,capability,yama,apparmor"),
        (
            "sysctls.txt",
            "fs.file-nr = 3456 0 9223372036854775807\nkernel.pid_max = 4194304\nkernel.threads-max = 127855\n",
        ),
    ] {
        assert_eq!(run.text(name), content, "{name}");
    }
    assert_eq!(run.state("dmesg.txt"), State::NotApplicable);
    assert_eq!(run.state("modules.txt"), State::Collected);

    let disks = rows(&run, "disks.json");
    assert_eq!((disks[0]["mountPoint"].as_str(), disks.len()), (Some("/"), 2));
    assert!(
        disks[0]["totalBytes"].as_u64() > Some(0) && disks[1]["error"].is_string(),
        "{disks:?}"
    );
    let groups = rows(&run, "cgroups.json");
    assert_eq!(
        (groups[0]["pod"].as_str(), groups.len()),
        (Some("kube-system/coredns-x"), 1)
    );
    assert_eq!(groups[0]["cpu"]["limitMillis"], 500);
    assert_eq!(groups[0]["cpu"]["recent"]["periods"], 0);
    let processes = rows(&run, "processes.json");
    assert_eq!(processes[0]["cpuMillis"], 12_000);
    assert_eq!(processes[0]["started"], "2025-11-20T10:00:22Z");
    assert_eq!(rows(&run, "pods.json")[0]["containers"][ID], "coredns");
    assert_eq!(rows(&run, "boots.json")[0]["event"], "boot");
    assert!(
        run.text("cgroups.txt").contains("kube-system/coredns-x coredns  500m"),
        "{}",
        run.text("cgroups.txt")
    );
    assert!(run.text("disks.txt").contains("a cifs mount may hang"));
}

#[tokio::test(start_paused = true)]
async fn secrets_in_command_lines_stay_on_the_node() {
    let run = run(&aks_node(), ScriptedCommands::new()).await;
    for name in ["processes.json", "processes.txt"] {
        let text = run.text(name);
        assert!(
            text.contains("/usr/local/bin/kubelet") && text.contains("--v=2"),
            "{name}: {text}"
        );
        assert!(!text.contains("Zx8notreal"), "{name}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_of_the_time_of_docker_is_described() {
    let commands = ScriptedCommands::new()
        .with(
            "/bin/dmesg --time-format iso",
            Script::prints("2026-11-20T10:00:00,123456+00:00 Linux version 4.15\n"),
        )
        .with("/usr/bin/timedatectl", Script::fails(1, "Failed to connect to bus"));
    let run = run(&docker_node(), commands).await;
    assert_eq!(
        run.text("dmesg.txt"),
        "2026-11-20T10:00:00,123456+00:00 Linux version 4.15\n"
    );
    assert_eq!(run.state("time/timedatectl.txt"), State::Failed);
    for missing in [
        "pressure/cpu.txt",
        "pressure/memory.txt",
        "pressure/io.txt",
        "time/chrony-tracking.txt",
        "fstab.txt",
    ] {
        assert_eq!(run.state(missing), State::NotPresent, "{missing}");
    }
    let groups = rows(&run, "cgroups.json");
    assert_eq!(groups[0]["memory"]["oomKills"], 3);
    assert_eq!(groups[0]["container"], "coredns");
    assert_eq!(
        rows(&run, "processes.json")[0]["cgroup"],
        "/system.slice/kubelet.service"
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_shows_nothing_has_a_word_on_every_item() {
    let run = run(&HostFixture::new(), ScriptedCommands::new()).await;
    let silent: Vec<_> = run
        .items()
        .iter()
        .filter(|item| item.state != State::Collected && item.reason.is_none())
        .collect();
    assert!(silent.is_empty(), "{silent:?}");
    for name in ["disks.json", "cgroups.json", "pods.json", "sysctls.txt", "dmesg.txt"] {
        assert_eq!(run.state(name), State::NotPresent, "{name}: {}", run.reason(name));
    }
}

//! Faults of the machine made for real on the test node: disks filled, limits reached, processes that hang or are never
//! reaped, file systems that break. Each is found first, with its evidence, and is not found without it.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use periscope_core::{Finding, Verdict};
use periscope_tests::{ChangedFile, Cluster, Diagnosis, KernelLines, Pod, SmallDisk, Turn, eventually};
use rstest::rstest;
use serde_json::{Value, json};

/// The action that these faults are read from, and the one that knows from where on the kubelet evicts.
const SYSTEM: [&str; 2] = ["--actions", "system,kubelet"];

/// Where a small disk is mounted.
const DISK: &str = "/mnt";

fn turn() -> (Turn, &'static Diagnosis) {
    static HEALTHY: OnceLock<Diagnosis> = OnceLock::new();
    let turn = Turn::take();
    let healthy = HEALTHY.get_or_init(|| Diagnosis::of_node(&turn.services, &SYSTEM));
    (turn, healthy)
}

fn quote(finding: &Finding) -> &str {
    finding.evidence.first().map_or("", |evidence| &evidence.quote)
}

fn file(finding: &Finding) -> &str {
    let file = finding.evidence.first().map_or("", |evidence| &evidence.file);
    file.splitn(3, '/').nth(2).unwrap_or(file)
}

/// A shell script that runs on the node until this is dropped, with all that it started.
struct Script(Child);

impl Script {
    fn start(cluster: &Cluster, script: &str) -> Self {
        let child = cluster
            .on_node("bash")
            .args(["-c", script])
            .stdin(Stdio::null())
            .process_group(0)
            .spawn();
        Self(child.expect("nsenter runs bash"))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        Command::new("kill").args(["-KILL", "--", &group]).status().ok();
        self.0.wait().ok();
    }
}

/// A control group of the node, of version 1, with limits; removed when dropped.
struct Group<'a> {
    cluster: &'a Cluster,
    path: &'static str,
    controllers: &'static [&'static str],
}

impl<'a> Group<'a> {
    fn make(
        cluster: &'a Cluster,
        path: &'static str,
        controllers: &'static [&'static str],
        limits: &[(&str, &str)],
    ) -> Self {
        let made = Self {
            cluster,
            path,
            controllers,
        };
        for controller in controllers {
            fs::create_dir_all(made.folder(controller)).expect("a control group of version 1");
        }
        for (file, limit) in limits {
            let controller = file.split('.').next().expect("a file is named after its controller");
            fs::write(format!("{}/{file}", made.folder(controller)), limit).expect("a limit");
        }
        made
    }

    fn folder(&self, controller: &str) -> String {
        let root = self.cluster.root();
        format!("{}/sys/fs/cgroup/{controller}{}", root.display(), self.path)
    }

    /// What moves the shell that runs it into the group.
    fn enter(&self) -> String {
        let enter = |controller: &&str| format!("echo $$ > /sys/fs/cgroup/{controller}{}/cgroup.procs; ", self.path);
        self.controllers.iter().map(enter).collect()
    }

    fn read(&self, controller: &str, file: &str) -> String {
        fs::read_to_string(format!("{}/{file}", self.folder(controller))).expect("a file of the group")
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        for controller in self.controllers {
            // Processes that were killed leave the group a moment later.
            eventually("a group without processes", || {
                fs::remove_dir(self.folder(controller)).ok()
            });
        }
    }
}

#[test]
fn the_healthy_node_is_silent() {
    let (_turn, healthy) = turn();
    healthy.silent_but_for(&[]);
    for analyzer in [
        "disk-space",
        "memory-pressure",
        "task-limits",
        "open-files",
        "zombie-processes",
    ] {
        let found = healthy.findings.iter().find(|finding| finding.analyzer == analyzer);
        assert!(found.is_some_and(|found| found.verdict == Verdict::Pass), "{found:#?}");
    }
}

#[test]
fn a_disk_without_space() {
    let (turn, healthy) = turn();
    healthy.without("disk-full");
    let disk = SmallDisk::mount(&turn.services.cluster, DISK, 16);
    disk.fill();
    let diagnosis = turn.diagnose(&SYSTEM);
    let found = diagnosis.first("disk-full");
    assert_eq!((found.verdict, found.object.as_str()), (Verdict::Fail, "disk /mnt"));
    assert!(found.title.contains("/mnt/filler"), "{found:#?}");
    assert_eq!(file(found), "system/disks.json");
    assert!(quote(found).contains(r#""mountPoint":"/mnt""#), "{found:#?}");
    assert!(found.evidence[1].quote.contains("/mnt/filler"), "{found:#?}");
    diagnosis.silent_but_for(&["disk-full"]);
}

#[test]
fn a_disk_without_inodes() {
    let (turn, healthy) = turn();
    healthy.without("inodes-full");
    let cluster = &turn.services.cluster;
    let _disk = SmallDisk::mount(cluster, DISK, 16);
    // It ends with an error, for want of inodes.
    let script = "mkdir /mnt/many && cd /mnt/many && for n in $(seq 10000); do : > $n || exit 0; done";
    cluster.run_on_node(&["bash", "-c", &format!("{{ {script}; }} 2>/dev/null")]);
    let diagnosis = turn.diagnose(&SYSTEM);
    let found = diagnosis.first("inodes-full");
    assert_eq!((found.verdict, found.object.as_str()), (Verdict::Fail, "disk /mnt"));
    assert!(found.title.contains("/mnt/many"), "{found:#?}");
    assert_eq!(file(found), "system/disks.json");
}

#[test]
fn processes_that_nobody_reaps() {
    let (turn, healthy) = turn();
    healthy.without("zombie-processes");
    let cluster = &turn.services.cluster;
    // What `exec` puts in place of the shell knows nothing of the shell's children, which end only then.
    let child = "( while read -r name < /proc/$$/comm && [ $name = bash ]; do :; done )";
    let script = format!("for n in $(seq 30); do {child} & done; exec sleep 1000");
    let _parent = Script::start(cluster, &script);
    eventually("thirty zombies", || {
        let states = cluster.run_on_node(&["ps", "-eo", "stat="]);
        (states.lines().filter(|state| state.starts_with('Z')).count() >= 30).then_some(())
    });
    let diagnosis = turn.diagnose(&SYSTEM);
    let found = diagnosis.first("zombie-processes");
    assert!(found.title.contains("30 of them by sleep"), "{found:#?}");
    assert_eq!(file(found), "system/processes.json");
    assert!(quote(found).contains(r#""name":"sleep""#), "{found:#?}");
    assert!(found.evidence[1].quote.contains(r#""state":"Z""#), "{found:#?}");
}

#[test]
fn a_process_without_file_descriptors() {
    let (turn, healthy) = turn();
    healthy.without("fd-exhaustion");
    let script =
        "ulimit -n 300; for n in $(seq 10 299); do eval \"exec $n</dev/null\"; done; read < <(exec sleep 1000)";
    let _leaky = Script::start(&turn.services.cluster, script);
    let diagnosis = turn.diagnose(&SYSTEM);
    let found = diagnosis.first("fd-exhaustion");
    assert!(
        found.title.contains("bash") && found.title.contains("limit is 300"),
        "{found:#?}"
    );
    assert_eq!(file(found), "system/processes.json");
}

#[test]
fn a_control_group_at_its_limit_of_processes() {
    let (turn, healthy) = turn();
    healthy.without("pid-exhaustion");
    let cluster = &turn.services.cluster;
    let group = Group::make(cluster, "/busy.service", &["pids", "memory"], &[("pids.max", "40")]);
    let script = format!(
        "{}for n in $(seq 60); do sleep 1000 & done 2>/dev/null; wait",
        group.enter()
    );
    let _busy = Script::start(cluster, &script);
    eventually("the limit is reached", || {
        (!group.read("pids", "pids.events").contains("max 0")).then_some(())
    });
    let diagnosis = turn.diagnose(&SYSTEM);
    let found = diagnosis.first("pid-exhaustion");
    assert_eq!((found.verdict, found.object.as_str()), (Verdict::Fail, "busy.service"));
    assert!(found.title.contains("its limit is 40"), "{found:#?}");
    assert_eq!(file(found), "system/cgroups.json");
}

#[test]
fn a_service_that_is_held_back_by_its_limit() {
    let (turn, healthy) = turn();
    healthy.without("cpu-throttling");
    let cluster = &turn.services.cluster;
    let limits = [("cpu.cfs_period_us", "20000"), ("cpu.cfs_quota_us", "1000")];
    let group = Group::make(cluster, "/system.slice/slow.service", &["cpu", "cpuacct"], &limits);
    let _busy = Script::start(cluster, &format!("{}while :; do :; done", group.enter()));
    eventually("a hundred periods", || {
        let stat = group.read("cpu", "cpu.stat");
        let periods = stat.lines().find_map(|line| line.strip_prefix("nr_periods "))?;
        (periods.parse::<u64>().ok()? > 120).then_some(())
    });
    let diagnosis = turn.diagnose(&SYSTEM);
    let found = diagnosis.first("cpu-throttling");
    assert_eq!(found.object, "slow.service");
    assert!(found.title.contains("limit of 50m"), "{found:#?}");
    assert!(quote(found).contains("slow.service"), "{found:#?}");
}

/// A process in a container that takes more memory than the container may; the kernel's own line is put into the node's
/// journal as journald does it.
#[test]
fn a_container_that_the_kernel_kills() {
    let (turn, healthy) = turn();
    healthy.without("oom-kill");
    let cluster = &turn.services.cluster;
    let limited = json!({ "resources": { "limits": { "memory": "24Mi" } } });
    let pod = Pod::start(cluster, "hungry", &["wait"], &limited, &Value::Null);
    let id = eventually("the container runs", || {
        let id = pod.status(".containerStatuses[0].containerID");
        Some(id.strip_prefix("containerd://")?.to_owned())
    });
    let group = cluster.run_on_node(&["find", "/sys/fs/cgroup/memory", "-type", "d", "-name", &id]);
    let script = format!("echo $$ > {}/cgroup.procs; exec tail /dev/zero", group.trim());
    let hungry = Script::start(cluster, &script);
    let line = eventually("the kernel kills it", || kill_in(&id));
    drop(hungry);
    let _lines = KernelLines::write(cluster, &[&line]);
    let diagnosis = turn.diagnose(&["--actions", "system,kubelet,system-logs"]);
    let found = diagnosis.first("oom-kill");
    assert_eq!(found.verdict, Verdict::Fail);
    assert_eq!(found.object, "container main of pod kube-system/hungry");
    assert!(found.title.contains("tail (pid "), "{found:#?}");
    assert!(found.title.contains("memory limit of 24.0 MiB"), "{found:#?}");
    assert_eq!(file(found), "system-logs/journal/kernel.log");
    assert!(
        quote(found).contains("oom-kill:constraint=CONSTRAINT_MEMCG"),
        "{found:#?}"
    );
}

/// The kernel's line about whom it killed in this container.
fn kill_in(container: &str) -> Option<String> {
    let output = Command::new("dmesg").arg("--notime").output().expect("dmesg runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut kills = text.lines().filter(|line| line.starts_with("oom-kill:constraint="));
    kills.find(|line| line.contains(container)).map(str::to_owned)
}

/// A file system that finds itself broken, and goes read-only by its own option.
#[test]
fn a_file_system_that_the_kernel_makes_read_only() {
    let (turn, healthy) = turn();
    healthy.without("filesystem-read-only");
    let cluster = &turn.services.cluster;
    let _disk = SmallDisk::mount(cluster, DISK, 16);
    cluster.run_on_node(&["mount", "-o", "remount,errors=remount-ro", DISK]);
    let source = cluster.run_on_node(&["findmnt", "-n", "-o", "SOURCE", DISK]);
    let device = source.trim().rsplit('/').next().expect("a device").to_owned();
    fs::write(format!("/sys/fs/ext4/{device}/trigger_fs_error"), "test").expect("ext4 can be told to fail");
    let diagnosis = turn.diagnose(&SYSTEM);
    let found = diagnosis.first("filesystem-read-only");
    assert_eq!(
        (found.verdict, found.object.as_str()),
        (Verdict::Fail, "file system /mnt")
    );
    assert_eq!(file(found), "system/mountinfo.txt");
    assert!(quote(found).contains(" /mnt "), "{found:#?}");
}

/// Thaws a frozen file system.
struct Frozen<'a>(&'a Cluster);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.on_node("fsfreeze").args(["--unfreeze", DISK]).status().ok();
    }
}

#[test]
fn a_process_that_waits_for_a_frozen_disk() {
    let (turn, healthy) = turn();
    healthy.without("stuck-processes");
    let cluster = &turn.services.cluster;
    let _disk = SmallDisk::mount(cluster, DISK, 16);
    cluster.run_on_node(&["fsfreeze", "--freeze", DISK]);
    let writer = Script::start(cluster, "echo text > /mnt/file");
    let frozen = Frozen(cluster);
    let diagnosis = turn.diagnose(&SYSTEM);
    drop(frozen);
    drop(writer);
    let found = diagnosis.first("stuck-processes");
    assert!(found.title.contains("bash (pid"), "{found:#?}");
    assert_eq!(file(found), "system/processes.json");
    assert!(quote(found).contains(r#""stuck":true"#), "{found:#?}");
}

/// What the kernel would say of a node that stands still, shown in place of its own file: nothing else on this machine
/// must stand still.
#[rstest]
#[case::memory(
    "memory-pressure",
    "/proc/pressure/memory",
    "some avg10=81.00 avg60=72.00 avg300=40.00 total=99\nfull avg10=60.00 avg60=55.10 avg300=30.00 total=99\n",
    "55 %",
    1
)]
#[case::disks(
    "io-pressure",
    "/proc/pressure/io",
    "some avg10=99.00 avg60=99.00 avg300=99.00 total=99\nfull avg10=95.00 avg60=93.20 avg300=88.00 total=99\n",
    "93 %",
    1
)]
#[case::no_memory(
    "memory-pressure",
    "/proc/meminfo",
    "MemTotal:       16393244 kB\nMemFree:          12340 kB\nMemAvailable:      81920 kB\n",
    "80.0 MiB",
    2
)]
fn a_node_that_stands_still(
    #[case] fault: &str,
    #[case] path: &str,
    #[case] text: &str,
    #[case] said: &str,
    #[case] line: usize,
) {
    let (turn, healthy) = turn();
    healthy.without(fault);
    let _shown = Shown::instead(&turn.services.cluster, path, text);
    let diagnosis = turn.diagnose(&SYSTEM);
    let found = diagnosis.first(fault);
    assert!(found.title.contains(said), "{found:#?}");
    assert_eq!(Some(quote(found)), text.lines().nth(line), "{found:#?}");
}

/// A file mounted over one of the node's, until this is dropped.
struct Shown<'a> {
    cluster: &'a Cluster,
    path: String,
    _file: ChangedFile,
}

impl<'a> Shown<'a> {
    fn instead(cluster: &'a Cluster, path: &str, text: &str) -> Self {
        let file = ChangedFile::write(cluster, "/run/shown-instead", text);
        cluster.run_on_node(&["mount", "--bind", "/run/shown-instead", path]);
        Self {
            cluster,
            path: path.to_owned(),
            _file: file,
        }
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.cluster.on_node("umount").arg(&self.path).status().ok();
    }
}

#[rstest]
#[case::alone("Leap status     : Not synchronised\n", "reaches no source of time")]
#[case::far_off(
    "System time     : 312.5 seconds slow of NTP time\nLeap status     : Normal\n",
    "312.500 s slow"
)]
fn a_clock_that_nobody_keeps_right(#[case] says: &str, #[case] told: &str) {
    let (turn, healthy) = turn();
    healthy.without("clock-unsynchronised");
    let cluster = &turn.services.cluster;
    let script = format!("#!/bin/sh\ncat <<'EOT'\nReference ID    : 00000000 ()\n{says}EOT\n");
    let _chronyc = ChangedFile::write(cluster, "/usr/bin/chronyc", script);
    cluster.run_on_node(&["chmod", "755", "/usr/bin/chronyc"]);
    let diagnosis = turn.diagnose(&SYSTEM);
    let found = diagnosis.first("clock-unsynchronised");
    assert!(found.title.contains(told), "{found:#?}");
    assert_eq!(file(found), "system/time/chrony-tracking.txt");
}

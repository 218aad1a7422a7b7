//! Lines of the kernel in the node's journal: in a journal file of their own, which is removed again.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use jiff::Timestamp;

use crate::Cluster;

/// Lines that the kernel seems to have written just now. They are gone when this is dropped.
#[derive(Debug)]
pub struct KernelLines {
    path: PathBuf,
}

impl KernelLines {
    /// Writes them, one entry a line, as journald stores what it reads from `/dev/kmsg`.
    ///
    /// # Panics
    ///
    /// When systemd-journal-remote fails.
    pub fn write(cluster: &Cluster, lines: &[&str]) -> Self {
        let root = cluster.root();
        let machine = fs::read_to_string(root.join("etc/machine-id")).expect("the node has a machine id");
        let machine = machine.trim();
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("the kernel has a boot id");
        let boot = boot.trim().replace('-', "");
        let mut entries = String::new();
        for (n, line) in lines.iter().enumerate() {
            let micros = Timestamp::now().as_microsecond() + i64::try_from(n).expect("few lines");
            write!(
                entries,
                "__REALTIME_TIMESTAMP={micros}\n_BOOT_ID={boot}\n_MACHINE_ID={machine}\n_HOSTNAME={host}\n\
                 _TRANSPORT=kernel\nSYSLOG_IDENTIFIER=kernel\nSYSLOG_FACILITY=0\nPRIORITY=3\nMESSAGE={line}\n\n",
                host = cluster.node_name,
            )
            .expect("a string takes everything");
        }
        let path = format!("/var/log/journal/{machine}/kernel-of-{}.journal", std::process::id());
        let made = Self {
            path: root.join(path.trim_start_matches('/')),
        };
        let mut writer = cluster
            .on_node("/lib/systemd/systemd-journal-remote")
            .args([&format!("--output={path}"), "-"])
            .stdin(Stdio::piped())
            // It says how many entries it wrote.
            .stderr(Stdio::null())
            .spawn()
            .expect("nsenter runs systemd-journal-remote");
        let mut input = writer.stdin.take().expect("its input");
        input.write_all(entries.as_bytes()).expect("it reads its input");
        drop(input);
        assert!(writer.wait().expect("it ends").success(), "the journal takes no lines");
        made
    }
}

impl Drop for KernelLines {
    fn drop(&mut self) {
        fs::remove_file(&self.path).ok();
    }
}

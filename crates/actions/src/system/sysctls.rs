//! The kernel's settings below `/proc/sys`, one `name = value` a line as sysctl(8) prints them.
//!
//! Left out is what can only be written, what does something when it is read, what is a secret, what repeats for every
//! interface, and, where this program is in another network than the node, what would be about that other network.

use std::fmt::Write;

use periscope_core::{ArtifactSpec, Content, Sink, State};
use periscope_documents::names;
use periscope_host::{EntryKind, HostError, HostPath, HostRoot, NetworkNamespace};

use crate::host_files::{self, off_thread};

const TOP: &str = "/proc/sys";

/// Longest value read; a few are lists of some hundred bytes.
const MAX_VALUE_BYTES: usize = 8 * 1024;

/// Most settings read: a node has about 1,500.
const MAX_SETTINGS: usize = 8_192;

/// How deep folders are nested; the kernel has five levels.
const MAX_DEPTH: usize = 8;

/// Read permission for anybody (`S_IRUSR|S_IRGRP|S_IROTH`).
const READABLE: u32 = 0o444;

/// Folders and files that are not read.
const LEFT_OUT: [&str; 6] = [
    // An automount, on older systems.
    "fs/binfmt_misc",
    // A new number each time, and entropy.
    "kernel/random/uuid",
    // Hundreds of lines for each processor.
    "kernel/sched_domain",
    // Reading it makes every processor add up its counters.
    "vm/stat_refresh",
    // Secrets.
    "net/ipv4/tcp_fastopen_key",
    "net/ipv6/conf/all/stable_secret",
];

/// Settings of each interface and neighbour table: of these folders only the general ones are read.
const PER_INTERFACE: [&str; 5] = [
    "net/ipv4/conf",
    "net/ipv6/conf",
    "net/ipv4/neigh",
    "net/ipv6/neigh",
    "net/mpls/conf",
];

/// Keeps them.
pub(super) async fn collect(root: &HostRoot, sink: &Sink) {
    let there = root.clone();
    match off_thread(move || read(&there)).await {
        Ok(Ok(text)) => {
            let spec = ArtifactSpec::new(names::SYSCTLS, Content::Text).source(TOP);
            sink.document(spec, text).await;
        }
        Ok(Err(error)) => {
            host_files::record(sink, names::SYSCTLS, &error);
        }
        Err(error) => sink.record(names::SYSCTLS, State::Failed, error.to_string()),
    }
}

fn read(root: &HostRoot) -> Result<String, HostError> {
    let mut settings = Settings {
        root,
        of_network: root.network_namespace() == NetworkNamespace::Host,
        text: String::new(),
        left: MAX_SETTINGS,
    };
    let top = HostPath::new(TOP)?;
    root.metadata(&top)?;
    settings.below(&top, "", 0);
    Ok(settings.text)
}

struct Settings<'a> {
    root: &'a HostRoot,
    of_network: bool,
    text: String,
    left: usize,
}

impl Settings<'_> {
    fn below(&mut self, folder: &HostPath, name: &str, depth: usize) {
        // A folder that cannot be listed has no settings for us.
        for entry in self.root.read_dir(folder).unwrap_or_default() {
            let below = match name {
                "" => entry.name.clone(),
                name => format!("{name}/{}", entry.name),
            };
            let Ok(path) = folder.join(&entry.name) else { continue };
            if self.left == 0 || !self.is_wanted(&below) {
                continue;
            }
            match entry.kind {
                EntryKind::Dir if depth < MAX_DEPTH => self.below(&path, &below, depth + 1),
                EntryKind::File => self.setting(&path, &below),
                _ => {}
            }
        }
    }

    fn is_wanted(&self, name: &str) -> bool {
        let interface = PER_INTERFACE.iter().find_map(|folder| {
            let rest = name.strip_prefix(folder)?.strip_prefix('/')?;
            rest.split('/').next()
        });
        !LEFT_OUT.contains(&name)
            && !name.ends_with("/stable_secret")
            && (self.of_network || name != "net")
            && interface.is_none_or(|interface| ["all", "default", "eth0"].contains(&interface))
    }

    fn setting(&mut self, path: &HostPath, name: &str) {
        let is_readable = self
            .root
            .link_metadata(path)
            .is_ok_and(|metadata| metadata.mode & READABLE != 0);
        if !is_readable {
            return;
        }
        self.left -= 1;
        // sysctl(8) writes a dot for a slash and the other way round.
        let name: String = name
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                c => c,
            })
            .collect();
        let Ok(value) = self.root.read_text(path, MAX_VALUE_BYTES) else {
            return;
        };
        for line in value.trim_end_matches('\n').split('\n') {
            // Writing to a string cannot fail.
            writeln!(
                self.text,
                "{}",
                format!("{name} = {}", line.replace('\t', " ")).trim_end()
            )
            .ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use periscope_testkit::HostFixture;

    use super::read;

    #[test]
    fn settings_are_written_as_sysctl_does_and_some_are_left_out() {
        let node = HostFixture::new()
            .file("/proc/sys/fs/file-nr", "1312\t0\t9223372036854775807\n")
            .file("/proc/sys/fs/binfmt_misc/status", "enabled\n")
            .file("/proc/sys/kernel/pid_max", "4194304\n")
            .file("/proc/sys/kernel/random/uuid", "x\n")
            .file("/proc/sys/dev/cdrom/info", "CD-ROM\n\ndrive\n")
            .file("/proc/sys/net/ipv4/ip_forward", "1\n");
        let expected = "dev.cdrom.info = CD-ROM\ndev.cdrom.info =\ndev.cdrom.info = drive\n\
                        fs.file-nr = 1312 0 9223372036854775807\nkernel.pid_max = 4194304\n";
        // A folder is in no network.
        assert_eq!(read(&node.root()).unwrap(), expected);
    }

    #[test]
    fn a_node_without_settings_says_so() {
        assert!(read(&HostFixture::new().root()).is_err());
    }

    #[test]
    fn the_real_kernel_is_read_without_harm() {
        let text = read(&periscope_host::HostRoot::at(std::path::Path::new("/")).unwrap()).unwrap();
        assert!(text.contains("\nkernel.pid_max = "), "{text}");
        assert!(
            !text.contains("stable_secret") && !text.contains("drop_caches"),
            "{text}"
        );
    }
}

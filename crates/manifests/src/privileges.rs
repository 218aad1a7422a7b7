//! What the agent may do to a node, and why: one table, from which the pod's security context and
//! `docs/threat-model.md` are made.
//!
//! Which capabilities are needed was found by leaving out one after another on a node and comparing the states in
//! `manifest.json` with those of a privileged pod; a test of the end-to-end tests repeats the comparison.

use k8s_openapi::api::core::v1::{
    AppArmorProfile, Capabilities, HostPathVolumeSource, SeccompProfile, SecurityContext, Volume, VolumeMount,
};

use crate::names::{HOST_ROOT, NODE_FOLDER, POD_FOLDER};

/// One right over the node.
#[derive(Debug, Clone, Copy)]
pub struct Privilege {
    /// The capability without `CAP_`, or the field of the pod.
    pub name: &'static str,
    /// What is missing without it.
    pub purpose: &'static str,
    /// What somebody who controls the process could do with it.
    pub abuse: &'static str,
    /// What stands against that.
    pub prevention: &'static str,
}

/// The capabilities that are added after all have been dropped.
pub const CAPABILITIES: &[Privilege] = &[
    Privilege {
        name: "DAC_READ_SEARCH",
        purpose: "files that their owner alone may read: logs of `syslog:adm`, `/proc/<pid>/fd` of other users",
        abuse: "read any file of the node, also by handle",
        prevention: "it writes nothing; paths from the `ConfigMap` are confined, and keys, tokens and passwords are never opened",
    },
    Privilege {
        name: "NET_ADMIN",
        purpose: "`iptables-save` and `nft list ruleset` in the node's network namespace: the kernel gives rules to no one else",
        abuse: "change rules, routes and addresses of the node",
        prevention: "commands are a compiled list with fixed arguments, none of which changes anything; no shell is in the image",
    },
    Privilege {
        name: "NET_RAW",
        purpose: "`iptables-legacy-save`, which asks through a raw socket",
        abuse: "listen to and forge packets of the node",
        prevention: "as above; our own process opens no raw socket",
    },
    Privilege {
        name: "SYS_ADMIN",
        purpose: "`setns` into the network and mount namespaces of process 1: without it 14 items of the node's network are `denied`",
        abuse: "mount, and enter any namespace: whoever controls the process controls the node",
        prevention: "only a child that then becomes a command of the compiled list enters; the seccomp profile stays the runtime's; nothing \
                     that comes over the network is executed",
    },
    Privilege {
        name: "SYS_CHROOT",
        purpose: "`setns` into a mount namespace, and `chroot` where that is not permitted: without it no command of the node can be run",
        abuse: "run a program of the node with its files",
        prevention: "as for SYS_ADMIN",
    },
    Privilege {
        name: "SYS_PTRACE",
        purpose: "`/proc/1/ns`, `/proc/1/root` and `/proc/<pid>/fd` of processes that have more rights: how it is known which network is \
                  the node's",
        abuse: "read and change the memory of any process of the node",
        prevention: "no call of ptrace(2) is in the program; `unsafe` is forbidden in it",
    },
];

/// The fields of the pod, and its mounts.
pub const ACCESSES: &[Privilege] = &[
    Privilege {
        name: "hostPID",
        purpose: "the node's process 1, by whose namespaces commands run on the node, and its processes",
        abuse: "see and signal every process of the node",
        prevention: "CAP_KILL is dropped; command lines are redacted",
    },
    Privilege {
        name: "`/` at `/host`, read-only",
        purpose: "logs, the journal, configuration, `/proc` and `/sys` of the node",
        abuse: "read secrets of the node and of its pods; talk to sockets such as containerd's, which a read-only mount does not close; \
                write below mounts of the node that are not read-only themselves",
        prevention: "every path goes through `HostRoot` and every request to a socket is compiled in and asks for state only; \
                     `mountPropagation: HostToContainer`, which the API does not let be combined with `recursiveReadOnly`, because in a \
                     private copy what is mounted later is missing, and another file system is measured in its place",
    },
    Privilege {
        name: "`/var/log/aks-periscope` at `/aks-periscope`",
        purpose: "archives, the memory of finished runs, samples of connections: the only place that is written",
        abuse: "fill the node's disk",
        prevention: "an archive has a limit, the ring of samples too; readable by the node's root alone",
    },
    Privilege {
        name: "AppArmor `Unconfined`",
        purpose: "the runtimes' default profile refuses to look at processes outside of it, and with them `/proc/1/ns` and `/proc/1/root`",
        abuse: "what the capabilities allow",
        prevention: "the seccomp profile is `RuntimeDefault`",
    },
];

/// A user that exists nowhere: `nobody` of distroless images.
const NOBODY: i64 = 65532;

pub(crate) const GROUP: i64 = NOBODY;

/// The rights of the agent that sees the whole node.
pub(crate) fn of_node() -> SecurityContext {
    SecurityContext {
        privileged: Some(false),
        run_as_user: Some(0),
        // The API refuses `allowPrivilegeEscalation: false` beside CAP_SYS_ADMIN, so it is not named.
        app_armor_profile: Some(AppArmorProfile {
            type_: "Unconfined".to_owned(),
            ..AppArmorProfile::default()
        }),
        ..common(
            CAPABILITIES
                .iter()
                .map(|capability| capability.name.to_owned())
                .collect(),
        )
    }
}

/// Those of the agent that is let in where Pod Security admission enforces `restricted`.
pub(crate) fn restricted() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        run_as_non_root: Some(true),
        run_as_user: Some(NOBODY),
        run_as_group: Some(GROUP),
        ..common(Vec::new())
    }
}

fn common(add: Vec<String>) -> SecurityContext {
    SecurityContext {
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            add: Some(add).filter(|add| !add.is_empty()),
            drop: Some(vec!["ALL".to_owned()]),
        }),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            ..SeccompProfile::default()
        }),
        ..SecurityContext::default()
    }
}

/// The node's folders, and where they are mounted.
pub(crate) fn host_mounts() -> [(Volume, VolumeMount); 2] {
    let host = |name: &str, path: &str, kind: &str| Volume {
        name: name.to_owned(),
        host_path: Some(HostPathVolumeSource {
            path: path.to_owned(),
            type_: Some(kind.to_owned()),
        }),
        ..Volume::default()
    };
    let mounted = |name: &str, path: &str| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        ..VolumeMount::default()
    };
    [
        (
            host("host", "/", "Directory"),
            VolumeMount {
                read_only: Some(true),
                mount_propagation: Some("HostToContainer".to_owned()),
                ..mounted("host", HOST_ROOT)
            },
        ),
        (
            host("archives", NODE_FOLDER, "DirectoryOrCreate"),
            mounted("archives", POD_FOLDER),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_and_complete() {
        assert!(CAPABILITIES.is_sorted_by(|a, b| a.name < b.name));
        for privilege in CAPABILITIES.iter().chain(ACCESSES) {
            for text in [privilege.purpose, privilege.abuse, privilege.prevention] {
                assert!(!text.is_empty() && !text.contains(['|', '\n']), "{text}");
            }
        }
    }
}

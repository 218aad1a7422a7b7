//! One test at a time breaks the node: within a test binary, and between those that several people run.

use std::fs::File;

use jiff::{SignedDuration, Timestamp};

use crate::{Diagnosis, Services, eventually};

/// Files are stamped with the time of the kernel's last tick, some milliseconds ago.
const TICK: SignedDuration = SignedDuration::from_millis(50);

/// The right to break the node, until it is dropped. Make guards of faults after it, so that they end before it.
#[derive(Debug)]
pub struct Turn {
    /// The running services.
    pub services: Services,
    started: Timestamp,
    _lock: File,
}

impl Turn {
    /// Waits for its turn, and for the node to have got over what the one before did.
    ///
    /// # Panics
    ///
    /// When the services do not run, or the node does not recover.
    pub fn take() -> Self {
        Self::of(&Services::running())
    }

    /// The same with services that are known.
    ///
    /// # Panics
    ///
    /// When the node does not recover.
    pub fn of(services: &Services) -> Self {
        let services = services.clone();
        let state = services.cluster.kubeconfig.parent().expect("it is in the state folder");
        let lock = File::create(state.join("turn.lock")).expect("the state folder is writable");
        lock.lock().expect("files can be locked");
        let cluster = &services.cluster;
        let ready = r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}"#;
        eventually("the node is ready", || {
            let output = cluster.try_kubectl(&["get", "node", &cluster.node_name, "-o", ready])?;
            (output == "True").then_some(())
        });
        let dns = ["getent", "ahostsv4", "mcr.microsoft.com"];
        let rollout = [
            "rollout",
            "status",
            "deployment/coredns",
            "--namespace=kube-system",
            "--timeout=5s",
        ];
        eventually("names are resolved", || {
            cluster.try_kubectl(&rollout)?;
            let asked = cluster.on_node(dns[0]).args(&dns[1..]).output().ok()?;
            asked.status.success().then_some(())
        });
        Self {
            services,
            started: Timestamp::now() - TICK,
            _lock: lock,
        }
    }

    /// Collects on the node what has come about in this turn. What earlier tests left in the logs is not looked at.
    pub fn diagnose(&self, arguments: &[&str]) -> Diagnosis {
        let since = self.started.to_string();
        Diagnosis::of_node(&self.services, &[&["--since", &since], arguments].concat())
    }
}

//! A pod that has mounted nothing of its node, as the component `restricted` makes it: nothing that it does not see is
//! said to be missing on the node.

use std::sync::Arc;

use periscope_actions::{CATALOG, Deps, Settings};
use periscope_core::State;
use periscope_host::{HostCommands, HostRoot};
use periscope_testkit::{ActionRun, HostFixture};

/// What asks the API server or the network; of the node they need no file.
const NOT_OF_FILES: [&str; 5] = [
    "cluster-health",
    "cluster-objects",
    "dns",
    "kube-objects",
    "network-outbound",
];

#[tokio::test]
async fn what_a_pod_has_not_mounted_is_denied_and_not_absent() {
    // The container has a distribution and a log folder of its own.
    let container = HostFixture::new().file("/var/log/syslog", "of the container\n");
    let root = HostRoot::mounted_into(&container.real_path("/")).unwrap();
    let deps = Deps {
        commands: Arc::new(HostCommands::new(root.clone())),
        root,
        cluster: Err("no API server is known".to_owned()),
        settings: Settings::default(),
    };
    for entry in CATALOG
        .iter()
        .filter(|entry| !NOT_OF_FILES.contains(&entry.descriptor.id))
    {
        let run = ActionRun::of(entry.descriptor, (entry.build)(&deps)).await;
        assert!(!run.items().is_empty(), "{}", entry.descriptor.id);
        for item in run.items() {
            let reason = item.reason.as_deref().unwrap_or_default();
            let is_told = item.state == State::Denied && reason.contains("mounted into this pod");
            let is_of_the_api = reason == "no API server is known";
            // How the runtime was asked, and that it was not.
            let is_account = item.path.as_str().ends_with("container-runtime/calls.json");
            assert!(
                is_told || is_of_the_api || is_account,
                "{}: {} ({reason})",
                item.path,
                item.state
            );
        }
    }
}

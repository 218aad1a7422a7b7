//! The agent on a real kubelet: from `kubectl apply` and a run id to rows and blobs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use periscope_tests::{Azurite, DeployedAgent, Services, Storage, eventually};

/// The one file that a person applies.
fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deployment/aks-periscope.yaml")
}

/// A container of a test's own, with an account's signature.
fn storage(services: &Services, container: &str) -> Storage {
    let azurite = &services.azurite;
    Storage {
        account: azurite.account.clone(),
        container: container.to_owned(),
        sas: azurite.account_sas("rwdlacup", Azurite::in_an_hour()),
    }
}

#[test]
fn a_run_id_makes_the_node_report_and_upload() {
    let services = Services::running();
    let agent = DeployedAgent::apply(&services, &manifest(), |_| {});
    agent.store_in(&storage(&services, "agent-reports"));
    agent.ready_pod();

    let patched = Instant::now();
    agent.start_run("first-run");
    let row = eventually("the row of the run", || {
        agent.row().filter(|row| row["status"]["runId"] == "first-run")
    });
    let seen = patched.elapsed();
    assert!(
        row["spec"]["networkconfig"].is_string() && row["spec"]["networkoutbound"].is_string(),
        "{row:#}"
    );
    // The figure itself is the bench's; a row that came with the kubelet's next look at the ConfigMap is another thing.
    assert!(seen < Duration::from_secs(30), "{seen:?}");

    let row = agent.ended("first-run");
    assert_eq!(row["status"]["phase"], "Complete", "{row:#}\n{}", agent.logs());
    let node = &services.cluster.node_name;
    let blobs = services.azurite.list("agent-reports");
    assert!(blobs.contains(&format!("first-run/{node}/{node}.zip")), "{blobs:?}");
    assert!(blobs.contains(&format!("first-run/{node}/networkconfig")), "{blobs:?}");
}

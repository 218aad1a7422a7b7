//! Runs that come together.

use std::os::unix::fs::MetadataExt as _;

use periscope_core::Completeness;
use periscope_tests::eventually;

use crate::Life;

#[test]
fn runs_that_come_together_are_made_one_after_another_and_once() {
    let life = Life::begin();
    {
        let _slow = life.slow_network();
        life.agent.start_run("first");
        life.row("first", "Running");
        life.agent.start_run("second");
        life.agent.start_run("third");
    }
    life.complete("third");
    let runs = ["first", "second", "third"].map(|run| life.agent.archived(run));
    for pair in runs.windows(2) {
        assert!(pair[0].finished <= pair[1].started, "{pair:#?}");
        assert_eq!(pair[0].completeness, Completeness::Complete);
    }

    // The ConfigMap still names the last one when the next pod looks.
    let before = life
        .agent
        .file("third")
        .join(format!("{}.zip", life.cluster().node_name))
        .metadata()
        .expect("it is there");
    let pod = life.agent.ready_pod();
    life.agent.kubectl(&["delete", "pod", &pod]);
    life.next_pod(&pod);
    eventually("the agent knows that the run was made", || {
        life.agent.logs().contains("The run was made before.").then_some(())
    });
    life.agent.start_run("fourth");
    life.complete("fourth");
    let after = life
        .agent
        .file("third")
        .join(format!("{}.zip", life.cluster().node_name))
        .metadata()
        .expect("it is still there");
    assert_eq!((before.ino(), before.mtime()), (after.ino(), after.mtime()));
    assert!(!life.agent.logs().contains("run=third part="), "{}", life.agent.logs());
}

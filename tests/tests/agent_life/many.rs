//! A node as full as the kubelet lets it be, with what is left of fuller days.

use periscope_core::ItemRecord;
use periscope_tests::{Change, Cluster, eventually};
use serde_json::json;

use crate::{Life, sets_configuration};

#[test]
fn a_node_of_many_pods_is_borne() {
    let life = Life::begin_with(sets_configuration(&[(
        "DIAGNOSTIC_CONTAINERLOGS_LIST",
        "kube-system agent-many",
    )]));
    let pod = life.agent.ready_pod();
    let many = Many::pods(life.cluster());
    many.leave_logs();
    life.agent.start_run("many");
    let row = life.agent.ended("many");
    assert_eq!(row["status"]["phase"], "Complete", "{row:#}\n{}", life.agent.logs());
    let manifest = life.agent.archived("many");
    let of_many = |item: &&ItemRecord| item.path.as_str().contains(Many::NAMESPACE) && item.action == "container-logs";
    let logs = manifest
        .items
        .iter()
        .filter(of_many)
        .filter(|item| item.is_in_archive());
    assert!(logs.count() >= many.logs_left(), "{manifest:#?}");
    // Neither it nor a program that it started was too large for the container.
    assert_eq!(life.restarts(&pod), ("0".to_owned(), String::new()));
}

/// Pods of a namespace of the test's own, and folders of logs of pods that were.
struct Many {
    cluster: Cluster,
    _folders: Change,
}

impl Many {
    const NAMESPACE: &str = "agent-many";
    /// Pods that run: with those that are always there, nearly the 110 that the kubelet takes.
    const RUNNING: usize = 90;
    /// Pods of which only the logs are left. With those that run they are more than any node of AKS has.
    const LEFT: usize = 200;

    fn pods(cluster: &Cluster) -> Self {
        let removal = format!("rm -rf /var/log/pods/{}_*", Self::NAMESPACE);
        let folders = Change::make(cluster, &["true"], &["sh", "-c", &removal]);
        let many = Self {
            cluster: cluster.clone(),
            _folders: folders,
        };
        let labels = json!({ "app": "many" });
        let container = json!({
            "name": "main", "image": "periscope.test/guest:1", "imagePullPolicy": "Never", "args": ["wait"],
        });
        let spec = json!({
            "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": false, "containers": [container],
        });
        cluster.apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": Self::NAMESPACE } }));
        cluster.apply(&json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "many", "namespace": Self::NAMESPACE },
            "spec": {
                "replicas": Self::RUNNING, "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels }, "spec": spec },
            },
        }));
        let ready = [
            "get",
            "deployment",
            "many",
            "--namespace",
            Self::NAMESPACE,
            "--output=jsonpath={.status.readyReplicas}",
        ];
        eventually("the pods run", || {
            (cluster.kubectl(&ready) == Self::RUNNING.to_string()).then_some(())
        });
        many
    }

    /// Writes logs of pods that are not there any more; the kubelet removes such within a minute or two.
    fn leave_logs(&self) {
        let line =
            r#"2026-11-21T10:00:00.000000000Z stdout F level=info msg=\"the work goes on\" queue=orders depth=7"#;
        let script = format!(
            "for n in $(seq {}); do d=/var/log/pods/{}_gone-${{n}}_00000000-0000-4000-8000-$(printf %012d $n)/main; \
             mkdir -p $d; yes \"{line}\" | head -n 1000 > $d/0.log; done",
            Self::LEFT,
            Self::NAMESPACE
        );
        self.cluster.run_on_node(&["sh", "-c", &script]);
    }

    /// How many of them the kubelet has not removed yet.
    fn logs_left(&self) -> usize {
        let listed = self.cluster.run_on_node(&["ls", "/var/log/pods"]);
        let gone = format!("{}_gone-", Self::NAMESPACE);
        listed.lines().filter(|name| name.starts_with(&gone)).count()
    }
}

impl Drop for Many {
    fn drop(&mut self) {
        self.cluster.try_kubectl(&[
            "delete",
            "namespace",
            Self::NAMESPACE,
            "--ignore-not-found",
            "--timeout=90s",
        ]);
    }
}

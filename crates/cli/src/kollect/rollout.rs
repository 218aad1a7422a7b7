//! Brings the agents into the cluster and takes away again what was brought, and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use periscope_agent::rows::{Row, resource};
use periscope_core::RunId;
use periscope_manifests::{Object, Settings, names, objects};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::api::{ApiError, api_of, ask, named};
use super::picture::nodes_of;
use super::standing::has_reported;
use crate::exit::tell;

/// Who the API server notes as the owner of the applied fields.
const MANAGER: &str = "aks-periscope-kollect";
/// How long a new definition may take until it is served.
const SERVED: Duration = Duration::from_secs(20);
/// How long what was removed may take to be gone: agents end within seconds, a namespace within ten or so.
const GONE: Duration = Duration::from_mins(1);
/// How long an agent may take to end on a node that is well.
const ENDED: Duration = Duration::from_secs(10);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// The definition of rows: one for the whole cluster.
const DEFINITION: &str = "CustomResourceDefinition";
/// Rows that are looked at for whether the run was made before: a row has kilobytes.
const SOME_ROWS: u32 = 50;
/// Rows deleted in one run at most; more than a cluster may have nodes.
const MAX_ROWS: u32 = 5_000;

/// What was brought into the cluster.
pub(super) struct Rollout {
    client: Client,
    namespace: String,
    /// What did not exist before, in the order in which it was made.
    made: Vec<Made>,
    /// The rows that were there before.
    rows_before: BTreeSet<String>,
    /// What is put back in the end, where the agents were installed before.
    borrowed: Vec<Borrowed>,
}

struct Made {
    object: Object,
    /// The object that was made, and not one that somebody else puts in its place.
    uid: Option<String>,
}

/// An object whose data was changed for the run.
struct Borrowed {
    object: Object,
    restore: Value,
}

/// How the agents came to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// They were brought.
    Brought,
    /// They were there: somebody keeps them installed.
    Found,
}

impl Rollout {
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
            made: Vec::new(),
            rows_before: BTreeSet::new(),
            borrowed: Vec::new(),
        }
    }

    /// Whether agents are installed already.
    pub(super) async fn finds_agents(&self) -> Result<bool, ApiError> {
        let set: Api<k8s_openapi::api::apps::v1::DaemonSet> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = ask(
            format_args!("get daemonset {}", names::DAEMON_SET),
            set.get_metadata_opt(names::DAEMON_SET),
        )
        .await?;
        Ok(found.is_some_and(|found| found.metadata.deletion_timestamp.is_none()))
    }

    /// Has the run made that the settings name: by agents that are there, else by such as are brought.
    pub(super) async fn start(&mut self, settings: &Settings, has_storage: bool) -> Result<Arrival, ApiError> {
        self.rows_before = self.rows().await.into_iter().collect();
        if self.finds_agents().await? {
            self.start_found(settings, has_storage).await?;
            return Ok(Arrival::Found);
        }
        let mut objects = objects(settings);
        // What others stand on comes first, and the pods, which read it all, last.
        objects.sort_by_key(|object| match object.kind {
            "Namespace" => 0,
            DEFINITION => 1,
            "DaemonSet" => 3,
            _ => 2,
        });
        for object in objects {
            self.apply(object).await?;
        }
        Ok(Arrival::Brought)
    }

    async fn apply(&mut self, object: Object) -> Result<(), ApiError> {
        let api = api_of(&self.client, &object);
        let what = named(&object);
        let existed = self.settled(&api, &object).await?;
        let params = PatchParams::apply(MANAGER).force();
        let applied = ask(
            format_args!("apply {what}"),
            api.patch(&object.name, &params, &Patch::Apply(&object.body)),
        )
        .await;
        let is_definition = object.kind == DEFINITION;
        let name = object.name.clone();
        let uid = applied.as_ref().ok().and_then(|applied| applied.metadata.uid.clone());
        // Where no answer came it may have been made.
        if !existed && applied.as_ref().err().is_none_or(|error| error.code.is_none()) {
            self.made.push(Made { object, uid });
        }
        applied?;
        if is_definition {
            served(&api, &name).await?;
        }
        Ok(())
    }

    /// Whether the object exists. One that is being removed, as by a run just before this one, is waited for.
    async fn settled(&self, api: &Api<DynamicObject>, object: &Object) -> Result<bool, ApiError> {
        let what = named(object);
        let until = Instant::now() + GONE;
        let mut told = false;
        loop {
            let found = ask(format_args!("get {what}"), api.get_opt(&object.name)).await?;
            let Some(found) = found else { return Ok(false) };
            if let Some(other) = bound_elsewhere(object, &found.data) {
                return Err(ApiError::new(format!(
                    "{what} is of an installation in namespace {other}: expected --namespace {other}, or none there"
                )));
            }
            if found.metadata.deletion_timestamp.is_none() || Instant::now() > until {
                return Ok(true);
            }
            if !std::mem::replace(&mut told, true) {
                tell(&format!("waiting for {what} of an earlier run to be gone"));
            }
            sleep(LOOK).await;
        }
    }

    /// Agents that are installed get the credentials first: with the run id they begin.
    async fn start_found(&mut self, settings: &Settings, has_storage: bool) -> Result<(), ApiError> {
        let mut objects = objects(settings);
        objects.retain(|object| match object.kind {
            "Secret" => has_storage && object.name == names::SECRET,
            "ConfigMap" => object.name == names::CONFIG_MAP,
            _ => false,
        });
        objects.sort_by_key(|object| object.kind != "Secret");
        for object in objects {
            let api = api_of(&self.client, &object);
            let what = named(&object);
            // Who may not read it may still write it: then it cannot be put back.
            let before = ask(format_args!("get {what}"), api.get(&object.name)).await;
            let data = if object.kind == "Secret" {
                json!({"stringData": object.body["stringData"]})
            } else {
                json!({"data": wanted_data(&object, settings)})
            };
            ask(
                format_args!("patch {what}"),
                api.patch(&object.name, &PatchParams::default(), &Patch::Merge(&data)),
            )
            .await?;
            match before {
                Ok(before) => {
                    let restore = restoring(&before.data["data"], &data);
                    self.borrowed.push(Borrowed { object, restore });
                }
                Err(error) if error.is_absent() => self.made.push(Made { object, uid: None }),
                Err(error) => tell(&format!("note: {what} keeps what was put there for this run: {error}")),
            }
        }
        Ok(())
    }

    /// Takes away what was brought and puts back what was changed. Gives what could not be.
    pub(super) async fn end(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        for Borrowed { object, restore } in std::mem::take(&mut self.borrowed) {
            let api = api_of(&self.client, &object);
            let restored = ask(
                format_args!("put back {}", named(&object)),
                api.patch(&object.name, &PatchParams::default(), &Patch::Merge(&restore)),
            )
            .await;
            left.extend(restored.err().map(|error| error.to_string()));
        }
        let mut made = std::mem::take(&mut self.made);
        made.reverse();
        let brings_pods = made.iter().any(|made| made.object.kind == "DaemonSet");
        let brings_rows = made
            .iter()
            .any(|made| matches!(made.object.kind, DEFINITION | "Namespace"));
        for made in &made {
            match made.object.kind {
                // Everything else must be gone before: the agents would write rows until they end.
                DEFINITION | "Namespace" => continue,
                _ => left.extend(self.remove(made).await),
            }
            if made.object.kind == "DaemonSet" && !self.pods_are_gone().await {
                left.push(format!(
                    "the pods of daemonset {} did not end within {} s",
                    names::DAEMON_SET,
                    GONE.as_secs()
                ));
            }
        }
        if brings_pods && !brings_rows {
            left.extend(self.remove_rows().await);
        }
        for made in made
            .iter()
            .filter(|made| matches!(made.object.kind, DEFINITION | "Namespace"))
        {
            left.extend(self.remove(made).await);
        }
        for made in made.iter().filter(|made| made.object.kind == "Namespace") {
            if !self.is_gone(&made.object).await {
                left.push(format!("{} is still being removed by the cluster", named(&made.object)));
            }
        }
        left
    }

    async fn remove(&self, made: &Made) -> Option<String> {
        let what = named(&made.object);
        let api = api_of(&self.client, &made.object);
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: made.uid.clone().map(|uid| Preconditions {
                uid: Some(uid),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let mut last = None;
        // What is removed last is removed in vain if the API server is busy for a moment.
        for pause in [0, 1, 4] {
            sleep(Duration::from_secs(pause)).await;
            match ask(format_args!("delete {what}"), api.delete(&made.object.name, &params)).await {
                Ok(_) => return None,
                Err(error) if error.is_absent() => return None,
                Err(error) if error.may_pass() => last = Some(error.to_string()),
                Err(error) => return Some(error.to_string()),
            }
        }
        last
    }

    /// Waits until the agents have ended. Those on nodes that are not there to end them are taken off the list by
    /// force, or they, and their namespace, would stay until the node comes back.
    async fn pods_are_gone(&self) -> bool {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let agents = ListParams::default().labels(&format!("{}={}", names::LABEL, names::DAEMON_SET));
        let began = Instant::now();
        while began.elapsed() < GONE {
            let list = ask("list pods", pods.list(&agents)).await;
            let left = list.map(|list| list.items);
            if left.as_ref().is_ok_and(Vec::is_empty) {
                return true;
            }
            if began.elapsed() > ENDED {
                self.force(&pods, left.unwrap_or_default()).await;
            }
            sleep(LOOK * 2).await;
        }
        false
    }

    async fn force(&self, api: &Api<Pod>, pods: Vec<Pod>) {
        let Ok(nodes) = nodes_of(&self.client).await else {
            return;
        };
        let at_once = DeleteParams::default().grace_period(0);
        for pod in pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_some()) {
            let node = pod.spec.and_then(|spec| spec.node_name).unwrap_or_default();
            let is_up = nodes.get(&node).is_some_and(|node| node.not_ready.is_none());
            if let Some(name) = pod.metadata.name.filter(|_| !is_up) {
                // Whether it helped is seen in the next list.
                ask(format_args!("delete pod {name}"), api.delete(&name, &at_once))
                    .await
                    .ok();
            }
        }
    }

    async fn is_gone(&self, object: &Object) -> bool {
        let api = api_of(&self.client, object);
        let until = Instant::now() + GONE;
        while Instant::now() < until {
            if let Ok(None) = ask("get", api.get_metadata_opt(&object.name)).await {
                return true;
            }
            sleep(LOOK).await;
        }
        false
    }

    /// The names of the rows; none where there are no rows at all.
    async fn rows(&self) -> Vec<String> {
        let rows: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource());
        let listed = ask(
            "list diagnostics",
            rows.list_metadata(&ListParams::default().limit(MAX_ROWS)),
        )
        .await;
        let listed = listed.map(|list| list.items).unwrap_or_default();
        listed.into_iter().filter_map(|row| row.metadata.name).collect()
    }

    /// Whether nodes have reported of the run already. Of one that was the last, nearly every row says so.
    pub(super) async fn is_made(&self, run: &RunId) -> bool {
        let rows: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource());
        let listed = ask("list diagnostics", rows.list(&ListParams::default().limit(SOME_ROWS))).await;
        // Where there are no rows yet, nobody has reported.
        let mut listed = listed.map(|list| list.items).unwrap_or_default().into_iter();
        listed.any(|row| Row::read(row).is_ok_and(|row| has_reported(&row, run)))
    }

    async fn remove_rows(&self) -> Vec<String> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource());
        let mut left = Vec::new();
        for row in self.rows().await.iter().filter(|row| !self.rows_before.contains(*row)) {
            let what = format!("delete diagnostic {row}");
            match ask(what, api.delete(row, &DeleteParams::default())).await {
                Err(error) if !error.is_absent() => left.push(error.to_string()),
                _ => {}
            }
        }
        left
    }
}

/// The namespace that a binding of the whole cluster is for, where that is another one than ours: there is one binding
/// only, and whose agents it is for would lose their rights.
fn bound_elsewhere<'a>(object: &Object, found: &'a Value) -> Option<&'a str> {
    let of = |value: &'a Value| value["subjects"].as_array()?.first()?["namespace"].as_str();
    let ours = object.body["subjects"].as_array()?.first()?["namespace"].as_str()?;
    of(found).filter(|theirs| object.namespace.is_none() && *theirs != ours)
}

/// The run id, and of the lists those that the user gave: the others are the installation's.
fn wanted_data(object: &Object, settings: &Settings) -> Value {
    let lists = &settings.lists;
    let given = |key: &str| match key {
        "DIAGNOSTIC_CONTAINERLOGS_LIST" => !lists.container_logs.is_empty(),
        "DIAGNOSTIC_KUBEOBJECTS_LIST" => !lists.kube_objects.is_empty(),
        "DIAGNOSTIC_NODELOGS_LIST_LINUX" => !lists.node_logs.is_empty(),
        _ => key == RUN_ID,
    };
    let data = object.body["data"].as_object().cloned().unwrap_or_default();
    Value::Object(data.into_iter().filter(|(key, _)| given(key)).collect())
}

/// The key whose new value starts a run. It stays: putting the last one back would start that run once more.
const RUN_ID: &str = "DIAGNOSTIC_RUN_ID";

/// What puts back the values that a patch changes; keys that were not there are removed again.
fn restoring(before: &Value, patch: &Value) -> Value {
    let keys = ["data", "stringData"]
        .into_iter()
        .filter_map(|field| patch[field].as_object())
        .flat_map(|data| data.keys());
    let values = keys
        .filter(|key| *key != RUN_ID)
        .map(|key| (key.clone(), before[key].clone()));
    json!({"data": values.collect::<serde_json::Map<_, _>>()})
}

/// Waits until rows can be asked for.
async fn served(api: &Api<DynamicObject>, name: &str) -> Result<(), ApiError> {
    let until = Instant::now() + SERVED;
    loop {
        let definition = ask(format_args!("get customresourcedefinition {name}"), api.get(name)).await?;
        let conditions = definition.data["status"]["conditions"].as_array();
        let is_served = |condition: &Value| condition["type"] == "Established" && condition["status"] == "True";
        if conditions.into_iter().flatten().any(is_served) || Instant::now() > until {
            return Ok(());
        }
        sleep(LOOK / 2).await;
    }
}

#[cfg(test)]
mod tests {
    use periscope_manifests::{Lists, Settings, objects};
    use serde_json::json;

    use super::{bound_elsewhere, restoring, wanted_data};

    #[test]
    fn the_rights_of_another_installation_are_not_taken_away() {
        let objects = objects(&Settings::default());
        let binding = objects
            .iter()
            .find(|object| object.kind == "ClusterRoleBinding")
            .unwrap();
        let of =
            |namespace: &str| json!({"subjects": [{"kind": "ServiceAccount", "name": "s", "namespace": namespace}]});
        assert_eq!(bound_elsewhere(binding, &of("other")), Some("other"));
        assert_eq!(bound_elsewhere(binding, &of("aks-periscope")), None);
        assert_eq!(bound_elsewhere(binding, &json!({})), None);
    }

    #[test]
    fn of_an_installation_only_what_the_user_said_is_changed_and_put_back() {
        let settings = Settings {
            run_id: "r".to_owned(),
            lists: Lists {
                container_logs: vec!["shop".to_owned()],
                ..Lists::default()
            },
            ..Settings::default()
        };
        let objects = objects(&settings);
        let map = objects
            .iter()
            .find(|object| object.name == "diagnostic-config")
            .unwrap();
        let data = wanted_data(map, &settings);
        assert_eq!(
            data,
            json!({"DIAGNOSTIC_RUN_ID": "r", "DIAGNOSTIC_CONTAINERLOGS_LIST": "shop"})
        );
        let before = json!({"DIAGNOSTIC_RUN_ID": "q", "DIAGNOSTIC_CONTAINERLOGS_LIST": "kube-system"});
        assert_eq!(
            restoring(&before, &json!({"data": data})),
            json!({"data": {"DIAGNOSTIC_CONTAINERLOGS_LIST": "kube-system"}})
        );
    }

    #[test]
    fn a_key_that_was_not_there_is_removed_again() {
        let patch = json!({"stringData": {"AZURE_BLOB_SAS_KEY": "?s", "AZURE_BLOB_ACCOUNT_NAME": "a"}});
        let before = json!({"AZURE_BLOB_ACCOUNT_NAME": "Yg=="});
        assert_eq!(
            restoring(&before, &patch),
            json!({"data": {"AZURE_BLOB_SAS_KEY": null, "AZURE_BLOB_ACCOUNT_NAME": "Yg=="}})
        );
    }
}

//! The agent's core against a real API server: how soon it hears of a run id, and whose credentials it takes.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use periscope_agent::{
    Agent, AgentSettings, CONFIG_MAP_NAME, Collect, Order, Outcome, SECRET_NAME, Silent, Sources, Update,
    WATCH_READ_TIMEOUT,
};
use periscope_cluster::{ClusterAccess, ConnectOptions};
use periscope_core::Completeness;
use periscope_tests::{Cluster, Services};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Long enough for a machine that is busy with other tests, and shorter than any way but the watch: mounted files are
/// not there.
const SOON: Duration = Duration::from_secs(20);

/// What is asked of a program that collects: the order, and when it came.
struct Orders(mpsc::UnboundedSender<(Order, Instant)>);

impl Collect for Orders {
    // What the macro makes of `async fn`.
    fn collect<'me, 'call>(
        &'me self,
        order: Order,
        _updates: mpsc::Sender<Update>,
        _cancel: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Result<Outcome, String>> + Send + 'call>>
    where
        'me: 'call,
        Self: 'call,
    {
        Box::pin(async move {
            self.0.send((order, Instant::now())).expect("the test listens");
            Ok(Outcome {
                completeness: Completeness::Complete,
                states: Vec::new(),
                failures: Vec::new(),
                findings: Vec::new(),
                archives: Vec::new(),
                uploads: None,
            })
        })
    }
}

/// A namespace of a test's own, with a service account that may do what `rules` say.
struct Place {
    cluster: Cluster,
    name: &'static str,
}

impl Place {
    fn new(name: &'static str, rules: &Value) -> Self {
        let cluster = Services::running().cluster;
        cluster.kubectl(&["delete", "namespace", name, "--ignore-not-found", "--wait"]);
        cluster.kubectl(&["create", "namespace", name]);
        let place = Self { cluster, name };
        let group = "rbac.authorization.k8s.io";
        let subject = json!({"kind": "ServiceAccount", "name": "agent", "namespace": name});
        let role_ref = json!({"apiGroup": group, "kind": "Role", "name": "agent"});
        let metadata = json!({"name": "agent"});
        let api = format!("{group}/v1");
        place.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}));
        place.apply(&json!({"apiVersion": api, "kind": "Role", "metadata": metadata, "rules": rules}));
        place.apply(
            &json!({"apiVersion": api, "kind": "RoleBinding", "metadata": metadata, "roleRef": role_ref, "subjects": [subject]}),
        );
        place
    }

    fn apply(&self, object: &Value) {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), object.to_string()).expect("a temporary file");
        let path = file.path().display().to_string();
        self.cluster.kubectl(&["--namespace", self.name, "apply", "-f", &path]);
    }

    fn configure(&self, data: &Value) {
        self.apply(
            &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG_MAP_NAME}, "data": data}),
        );
    }

    fn sign(&self, sas: &str) {
        let data = json!({"AZURE_BLOB_ACCOUNT_NAME": "account", "AZURE_BLOB_SAS_KEY": sas});
        self.apply(
            &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET_NAME}, "stringData": data}),
        );
    }

    /// Access as the service account.
    async fn access(&self, silence: Option<Duration>) -> ClusterAccess {
        #[expect(clippy::disallowed_methods, reason = "a file of the test services")]
        let text = std::fs::read_to_string(&self.cluster.kubeconfig).expect("the kubeconfig of the services");
        let who = format!("  user:\n    as: system:serviceaccount:{}:agent\n", self.name);
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text.replacen("  user:\n", &who, 1)).expect("a temporary file");
        let options = ConnectOptions {
            kubeconfig: Some(file.path().to_owned()),
            silence,
        };
        ClusterAccess::discover(&options, &|_| None)
            .await
            .expect("a kubeconfig that works")
    }
}

/// An agent, until it is dropped.
struct Running {
    orders: mpsc::UnboundedReceiver<(Order, Instant)>,
    folder: tempfile::TempDir,
    cancel: CancellationToken,
    agent: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(place: &Place) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let nowhere = folder.path().join("nowhere");
        let settings = AgentSettings {
            node: "node-1".parse().expect("a name"),
            folder: folder.path().join("own"),
            namespace: place.name.to_owned(),
            sources: Sources::new(&nowhere, &nowhere, |_| None),
            client: Some(place.access(None).await.client().clone()),
            watching_client: Some(place.access(Some(WATCH_READ_TIMEOUT)).await.client().clone()),
            grace: Duration::from_secs(1),
        };
        let (sender, orders) = mpsc::unbounded_channel();
        let agent = Agent::new(settings, Arc::new(Orders(sender)), Arc::new(Silent));
        let cancel = CancellationToken::new();
        Self {
            orders,
            folder,
            agent: tokio::spawn(agent.run(cancel.clone())),
            cancel,
        }
    }

    async fn order(&mut self) -> (Order, Instant) {
        timeout(SOON, self.orders.recv())
            .await
            .expect("an order in time")
            .expect("an agent")
    }

    async fn end(self) {
        self.cancel.cancel();
        self.agent.await.expect("an agent that ends well");
        assert!(self.folder.path().join("own/.agent/runs.json").is_file());
    }
}

// kubectl is waited for on a thread: the agent works on another.
#[tokio::test(flavor = "multi_thread")]
async fn each_id_is_heard_of_with_its_settings_also_of_an_object_made_anew() {
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]);
    let place = Place::new("agent-trigger", &rules);
    let mut agent = Running::start(&place).await;
    place.configure(&json!({"DIAGNOSTIC_RUN_ID": "", "DIAGNOSTIC_CONTAINERLOGS_LIST": "none"}));
    for id in ["first", "second", "third"] {
        place.configure(&json!({"DIAGNOSTIC_RUN_ID": id, "DIAGNOSTIC_CONTAINERLOGS_LIST": format!("of-{id}")}));
        if id == "second" {
            place
                .cluster
                .kubectl(&["--namespace", place.name, "delete", "configmap", CONFIG_MAP_NAME]);
        }
    }
    for id in ["first", "second", "third"] {
        let (order, _) = agent.order().await;
        assert_eq!(order.run_id.as_str(), id);
        assert_eq!(
            order.configuration.namespaces.as_deref(),
            Some(&[format!("of-{id}")][..])
        );
        // It may not read the secret, and has no other.
        assert!(order.credentials.reread().await.is_none());
    }
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_as_fresh_as_the_id_for_who_may_get_it_and_for_who_may_list_it() {
    for (name, verb, named) in [("agent-secret-get", "get", true), ("agent-secret-list", "list", false)] {
        let names = if named { json!([SECRET_NAME]) } else { json!([]) };
        let rules = json!([
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": [verb], "resourceNames": names},
        ]);
        let place = Place::new(name, &rules);
        place.configure(&json!({"DIAGNOSTIC_RUN_ID": ""}));
        place.sign("?sig=old");
        let mut agent = Running::start(&place).await;
        place.sign("?sig=new\n");
        place.configure(&json!({"DIAGNOSTIC_RUN_ID": "run"}));
        let (order, _) = agent.order().await;
        let sas = |sas: &Option<secrecy::SecretString>| sas.as_ref().map(|sas| sas.expose_secret().to_owned());
        assert_eq!(sas(&order.configuration.sas).as_deref(), Some("?sig=new"), "{verb}");
        assert_eq!(order.configuration.storage_account.as_deref(), Some("account"));
        place.sign("?sig=newer");
        let fresh = order.credentials.reread().await.expect("a signature");
        assert_eq!(sas(&fresh.sas).as_deref(), Some("?sig=newer"), "{verb}");
        agent.end().await;
    }
}

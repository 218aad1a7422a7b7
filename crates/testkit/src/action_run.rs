//! Runs one action through the real engine and shows what became of its items.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use periscope_core::{
    Action, ActionRecord, ArtifactPath, Descriptor, Engine, ItemRecord, Limit, NodeInfo, Place, Planned, State, Store,
};
use tokio_util::sync::CancellationToken;

use crate::MemoryStore;

/// The name of the node in these runs.
const NODE: &str = "node1";

/// What the user asks of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// Nothing older than this.
    pub since: Option<Timestamp>,
    /// Most bytes of one artifact, instead of the action's own limit.
    pub limit: Option<u64>,
}

/// Reads what a store kept.
type Content = Box<dyn Fn(&ArtifactPath) -> Option<Vec<u8>> + Send + Sync>;

/// An action that has run.
pub struct ActionRun {
    action: &'static str,
    record: ActionRecord,
    items: Vec<ItemRecord>,
    content: Content,
}

#[expect(
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a question about an item that is not there is a broken test, as the crate's documentation says"
)]
impl ActionRun {
    /// Runs `action` on a node called `node1`, with what the user asks for when nothing is said.
    pub async fn of(descriptor: &'static Descriptor, action: Arc<dyn Action>) -> Self {
        Self::with(descriptor, action, &RunOptions::default()).await
    }

    /// Runs `action` on a node called `node1`.
    pub async fn with(descriptor: &'static Descriptor, action: Arc<dyn Action>, options: &RunOptions) -> Self {
        let store = Arc::new(MemoryStore::new());
        let shelf = Arc::clone(&store);
        Self::in_store(descriptor, action, options, store, move |path| shelf.content(path)).await
    }

    /// Runs `action` on a node called `node1`, its artifacts kept by `store`, from which `content` reads them.
    pub async fn in_store(
        descriptor: &'static Descriptor,
        action: Arc<dyn Action>,
        options: &RunOptions,
        store: Arc<dyn Store>,
        content: impl Fn(&ArtifactPath) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let node = NodeInfo {
            name: NODE.parse().expect("a node name"),
            os: "Fixture Linux 1".into(),
            kernel: "6.1".into(),
        };
        let engine = Engine::new(
            node,
            "run-1".parse().expect("a run id"),
            options.since,
            Duration::from_mins(10),
            2,
            store,
            CancellationToken::new(),
        );
        let limit = Limit {
            bytes: options.limit.unwrap_or(descriptor.limit),
            by_user: options.limit.is_some(),
        };
        let mut records = engine
            .run(vec![Planned {
                descriptor,
                action,
                limit,
            }])
            .await;
        let record = records.pop().expect("a record of the action");
        Self {
            action: descriptor.id,
            record,
            items: engine.items(),
            content: Box::new(content),
        }
    }

    /// What became of the action.
    pub fn record(&self) -> &ActionRecord {
        &self.record
    }

    /// What became of every item.
    pub fn items(&self) -> &[ItemRecord] {
        &self.items
    }

    /// What became of the item `name`, below the action's folder.
    pub fn item(&self, name: &str) -> &ItemRecord {
        let path = Place::Node.path(NODE, self.action, name);
        let item = self.items.iter().find(|item| item.path == path);
        item.unwrap_or_else(|| panic!("no item {path} among {:?}", self.items))
    }

    /// The state of the item `name`.
    pub fn state(&self, name: &str) -> State {
        self.item(name).state
    }

    /// Why the item `name` is in its state; empty when nothing is said.
    pub fn reason(&self, name: &str) -> &str {
        self.item(name).reason.as_deref().unwrap_or_default()
    }

    /// What was kept of the item `name`; `None` when nothing was.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        (self.content)(&self.item(name).path)
    }

    /// What was kept of the item `name`, as text.
    pub fn text(&self, name: &str) -> String {
        let content = self
            .content(name)
            .unwrap_or_else(|| panic!("nothing was kept of {name}"));
        String::from_utf8(content).expect("UTF-8")
    }

    /// What was kept at this path of the archive, as text; for artifacts outside the action's folder.
    pub fn text_at(&self, path: &str) -> Option<String> {
        let content = (self.content)(&ArtifactPath::from_names([path]))?;
        Some(String::from_utf8(content).expect("UTF-8"))
    }
}

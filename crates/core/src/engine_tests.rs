//! Actions that misbehave in every way, run by the engine over a store in memory: whatever they do, everything planned
//! has one state, and what was written is kept.

use std::collections::BTreeMap;
use std::future::pending;
use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use crate::{
    Action, ActionContext, ActionError, ActionRecord, ArtifactPath, ArtifactSpec, ArtifactStream, Completeness,
    Content, Descriptor, End, Engine, ItemDescriptor, ItemRecord, Limit, Manifest, NodeInfo, Planned, ReadSeek, Scope,
    Sensitivity, State, Store, StoreError, Stored, Support,
};

/// Keeps artifacts in memory, up to their limits. "secret" is its one secret, "poison" what it cannot vouch for.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<BTreeMap<ArtifactPath, Vec<u8>>>>);

struct MemoryStream {
    store: Memory,
    path: ArtifactPath,
    limit: usize,
    bytes: Vec<u8>,
}

impl ArtifactStream for MemoryStream {
    fn write(&mut self, bytes: &[u8]) -> Result<ControlFlow<()>, StoreError> {
        if bytes == b"poison" {
            return Err(StoreError::Withheld("poison".to_owned()));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(if self.bytes.len() > self.limit {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    fn finish(mut self: Box<Self>) -> Result<Stored, StoreError> {
        let end = if self.bytes.len() > self.limit {
            End::Limit
        } else {
            End::Source
        };
        self.bytes.truncate(self.limit);
        let len = self.bytes.len() as u64;
        self.store.0.lock().unwrap().insert(self.path, self.bytes);
        Ok(Stored {
            raw_bytes: len,
            stored_bytes: len,
            compressed_bytes: len,
            sha256: "0".to_owned(),
            redactions: BTreeMap::new(),
            end,
        })
    }
}

impl Store for Memory {
    fn open(&self, spec: &ArtifactSpec, path: &ArtifactPath) -> Result<Box<dyn ArtifactStream>, StoreError> {
        let limit = usize::try_from(spec.limit.bytes).unwrap_or(usize::MAX);
        Ok(Box::new(MemoryStream {
            store: self.clone(),
            path: path.clone(),
            limit,
            bytes: Vec::new(),
        }))
    }

    fn copy(
        &self,
        spec: &ArtifactSpec,
        path: &ArtifactPath,
        source: &mut dyn ReadSeek,
        on_bytes: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Stored, StoreError> {
        let mut stream = self.open(spec, path)?;
        let mut buffer = [0; 4];
        loop {
            let read = source.read(&mut buffer).unwrap();
            if read == 0 {
                return stream.finish();
            }
            if stream.write(&buffer[..read])?.is_break() {
                return stream.finish();
            }
            if on_bytes(read as u64).is_break() {
                return stream.finish().map(|stored| Stored {
                    end: End::Stopped,
                    ..stored
                });
            }
        }
    }

    fn redact(&self, text: &str) -> String {
        text.replace("secret", "[REDACTED]")
    }
}

macro_rules! descriptor {
    ($id:literal, [$($path:literal),*]) => {{
        static DESCRIPTOR: Descriptor = Descriptor {
            id: $id,
            summary: "",
            timeout: Duration::from_secs(10),
            limit: 1000,
            rbac: &[],
            scope: Scope::Node,
            sensitivity: Sensitivity::Node,
            items: &[$(ItemDescriptor { path: $path, summary: "" }),*],
        };
        &DESCRIPTOR
    }};
}

type Script =
    for<'a> fn(&'a ActionContext) -> std::pin::Pin<Box<dyn Future<Output = Result<(), ActionError>> + Send + 'a>>;

struct Scripted(Script);

#[async_trait]
impl Action for Scripted {
    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        (self.0)(cx).await
    }
}

struct Ran {
    actions: Vec<ActionRecord>,
    items: BTreeMap<String, ItemRecord>,
    store: Memory,
}

impl Ran {
    fn state(&self, name: &str) -> State {
        self.items[name].state
    }

    fn reason(&self, name: &str) -> &str {
        self.items[name].reason.as_deref().unwrap_or_default()
    }

    fn content(&self, name: &str) -> String {
        let path = self.items[name].path.clone();
        String::from_utf8(self.store.0.lock().unwrap()[&path].clone()).unwrap()
    }
}

async fn run_cancelled_by(cancel: CancellationToken, plan: Vec<(&'static Descriptor, Script)>) -> Ran {
    let store = Memory::default();
    let node = NodeInfo {
        name: "n".parse().unwrap(),
        os: String::new(),
        kernel: String::new(),
    };
    let time = Duration::from_mins(1);
    let run_id = "r".parse().unwrap();
    let engine = Engine::new(node, run_id, None, time, 2, Arc::new(store.clone()), cancel);
    let plan = plan
        .into_iter()
        .map(|(descriptor, script)| Planned {
            descriptor,
            action: Arc::new(Scripted(script)),
            limit: Limit {
                bytes: descriptor.limit,
                by_user: false,
            },
        })
        .collect();
    let actions = engine.run(plan).await;
    let items = engine.items().into_iter();
    let items = items
        .map(|item| (item.path.as_str().rsplit('/').next().unwrap().to_owned(), item))
        .collect();
    Ran { actions, items, store }
}

async fn run(plan: Vec<(&'static Descriptor, Script)>) -> Ran {
    run_cancelled_by(CancellationToken::new(), plan).await
}

fn text(name: &str) -> ArtifactSpec {
    ArtifactSpec::new(name, Content::Text)
}

#[tokio::test]
async fn a_panic_costs_one_action_its_open_items_and_the_others_nothing() {
    let ran = run(vec![
        (descriptor!("bad", ["never"]), |cx| {
            Box::pin(async {
                cx.sink.document(text("done"), "kept").await;
                panic!("the secret bug")
            })
        }),
        (descriptor!("good", ["fine"]), |cx| {
            Box::pin(async {
                cx.sink.document(text("fine"), "ok").await;
                Ok(())
            })
        }),
    ])
    .await;
    assert_eq!(
        (ran.state("never"), ran.state("done"), ran.state("fine")),
        (State::Failed, State::Collected, State::Collected)
    );
    assert_eq!(ran.reason("never"), "the action panicked: the [REDACTED] bug");
    assert_eq!(
        (ran.actions[0].state, ran.actions[1].state),
        (State::Failed, State::Collected)
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_keeps_what_was_written() {
    let ran = run(vec![(descriptor!("slow", ["never"]), |cx| {
        Box::pin(async {
            let mut writer = cx.sink.writer(text("half"));
            writer.write_all(b"first half").await.unwrap();
            // Paused time does not pass by itself while a thread works for the runtime.
            tokio::time::advance(Duration::from_secs(10)).await;
            pending().await
        })
    })])
    .await;
    assert_eq!(ran.state("half"), State::TimedOut);
    assert_eq!(ran.content("half"), "first half");
    assert_eq!(
        (ran.state("never"), ran.actions[0].state),
        (State::TimedOut, State::TimedOut)
    );
    assert_eq!(ran.reason("never"), "stopped at its time limit of 10 s");
}

#[tokio::test]
async fn a_cancelled_run_keeps_what_was_written() {
    let cancel = CancellationToken::new();
    let ran = run_cancelled_by(
        cancel,
        vec![(descriptor!("slow", ["never"]), |cx| {
            Box::pin(async {
                let mut writer = cx.sink.writer(text("half"));
                writer.write_all(b"first half").await.unwrap();
                cx.cancel.cancel();
                pending().await
            })
        })],
    )
    .await;
    assert_eq!(
        (ran.state("half"), ran.state("never")),
        (State::Cancelled, State::Cancelled)
    );
    assert_eq!(ran.content("half"), "first half");
}

#[tokio::test]
async fn what_an_action_forgets_is_not_silently_absent() {
    let ran = run(vec![(descriptor!("lazy", ["forgotten", "<name>.txt"]), |_| {
        Box::pin(async { Ok(()) })
    })])
    .await;
    assert_eq!(ran.items.len(), 1);
    assert_eq!(ran.state("forgotten"), State::Failed);
    assert_eq!(ran.reason("forgotten"), "the action said nothing about it");
}

#[tokio::test]
async fn an_error_ends_the_planned_items_with_its_own_state_and_causes() {
    let ran = run(vec![(descriptor!("denied", ["a"]), |_| {
        Box::pin(async { Err(ActionError::new(State::Denied, "no access").because("token secret is bad")) })
    })])
    .await;
    assert_eq!(ran.state("a"), State::Denied);
    assert_eq!(ran.reason("a"), "no access: token [REDACTED] is bad");
}

#[tokio::test]
async fn an_action_that_ends_before_it_knows_its_items_has_one_that_says_so() {
    let ran = run(vec![(descriptor!("early", ["<name>.txt"]), |_| {
        Box::pin(async { Err(ActionError::new(State::NotApplicable, "no API server")) })
    })])
    .await;
    assert_eq!(ran.state("early"), State::NotApplicable);
    assert_eq!(ran.reason("early"), "no API server");
}

#[tokio::test]
async fn an_action_that_makes_no_sense_here_is_not_run() {
    struct Elsewhere;
    #[async_trait]
    impl Action for Elsewhere {
        async fn supported(&self, _: &NodeInfo) -> Support {
            Support::No("this is not Windows".to_owned())
        }
        async fn run(&self, _: &ActionContext) -> Result<(), ActionError> {
            panic!("not to be run")
        }
    }
    let store = Arc::new(Memory::default());
    let node = NodeInfo {
        name: "n".parse().unwrap(),
        os: String::new(),
        kernel: String::new(),
    };
    let time = Duration::from_mins(1);
    let engine = Engine::new(
        node,
        "r".parse().unwrap(),
        None,
        time,
        1,
        store,
        CancellationToken::new(),
    );
    let planned = Planned {
        descriptor: descriptor!("elsewhere", ["a"]),
        action: Arc::new(Elsewhere),
        limit: Limit {
            bytes: 1,
            by_user: false,
        },
    };
    let actions = engine.run(vec![planned]).await;
    assert_eq!(actions[0].state, State::NotApplicable);
    assert_eq!(engine.items()[0].reason.as_deref(), Some("this is not Windows"));
}

#[tokio::test]
async fn limits_and_withheld_content_have_their_states() {
    let ran = run(vec![(descriptor!("mixed", []), |cx| {
        Box::pin(async {
            cx.sink.copy(text("long"), Cursor::new(vec![b'x'; 5000])).await;
            let mut poisoned = cx.sink.writer(text("poisoned"));
            poisoned.write_all(b"poison").await.unwrap();
            assert_eq!(poisoned.finish().await, State::Withheld);
            let mut endless = cx.sink.writer(text("endless"));
            endless.copy_from(tokio::io::repeat(b'x')).await.unwrap();
            assert_eq!(endless.finish().await, State::Truncated);
            let mut failed = cx.sink.writer(text("failed"));
            failed.write_all(b"some").await.unwrap();
            failed.finish_as(State::Failed, Some("exit status 1".to_owned())).await;
            Ok(())
        })
    })])
    .await;
    assert_eq!(
        (ran.state("long"), ran.reason("long")),
        (State::Truncated, "cut at 1000 bytes")
    );
    assert_eq!(ran.state("poisoned"), State::Withheld);
    assert!(!ran.items["poisoned"].is_in_archive());
    assert_eq!(
        (ran.state("failed"), ran.content("failed").as_str()),
        (State::Failed, "some")
    );
    let items: Vec<_> = ran.items.values().cloned().collect();
    assert_eq!(Manifest::judge(&ran.actions, &items), Completeness::Partial);
}

#[tokio::test]
async fn two_artifacts_of_one_name_are_both_kept_and_secrets_in_names_are_not() {
    let ran = run(vec![(descriptor!("twice", []), |cx| {
        Box::pin(async {
            cx.sink.document(text("a.txt"), "1").await;
            cx.sink.document(text("A.txt"), "2").await;
            cx.sink.document(text("secret.txt"), "3").await;
            Ok(())
        })
    })])
    .await;
    let names: Vec<_> = ran.items.keys().map(String::as_str).collect();
    assert_eq!(names, ["A~2.txt", "[REDACTED].txt", "a.txt"]);
}

#[tokio::test]
async fn a_run_without_one_artifact_is_nothing() {
    let ran = run(vec![(descriptor!("empty", ["a"]), |cx| {
        Box::pin(async {
            cx.sink.record("a", State::NotPresent, "no such file");
            Ok(())
        })
    })])
    .await;
    let items: Vec<_> = ran.items.values().cloned().collect();
    assert_eq!(Manifest::judge(&ran.actions, &items), Completeness::Nothing);
}

//! The agent and a storage that refuses, changes or is away: what the row tells, what stays on the node, and what
//! arrives after all.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use periscope_tests::{Azurite, DeployedAgent, PacketRule, Services, Storage, Where, eventually, files_below};
use serde_json::{Value, json};

/// How long the storage is away. It is the fault itself, and waited for as such.
const AWAY: Duration = Duration::from_mins(1);
/// What the storage is sent before it is away: more than the check and the loose blobs, less than the archive.
const ENOUGH_FOR_THE_LOOSE_BLOBS: &str = "150000";
/// Letters of a signature that stand alike in each way of writing it; nobody meets that many by chance.
const TELLING: usize = 8;

/// The agent of `deployment/aks-periscope.yaml`, and the storage whose signatures are made up for it.
struct Place {
    services: Services,
    agent: DeployedAgent,
    pod: String,
}

/// A part of a run as the row tells it.
struct Told {
    row: Value,
    part: Value,
}

impl Place {
    fn deploy() -> Self {
        let services = Services::running();
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deployment/aks-periscope.yaml");
        let agent = DeployedAgent::apply(&services, &manifest, |_| {});
        let pod = agent.ready_pod();
        Self { services, agent, pod }
    }

    fn azurite(&self) -> &Azurite {
        &self.services.azurite
    }

    fn node(&self) -> &str {
        &self.services.cluster.node_name
    }

    fn store_in(&self, container: &str, sas: &str) {
        self.agent.store_in(&Storage {
            account: self.azurite().account.clone(),
            container: container.to_owned(),
            sas: sas.to_owned(),
        });
    }

    /// Sets `AZURE_STORAGE_SAS_KEY_TYPE`, or takes it away.
    fn set_key_type(&self, word: Option<&str>) {
        let data = json!({ "AZURE_STORAGE_SAS_KEY_TYPE": word.map(|word| STANDARD.encode(word)) });
        self.agent.patch("secret", "azureblob-secret", &json!({ "data": data }));
    }

    /// What the row says while the part waits for the storage, once `cause` is in it.
    fn waits(&self, run: &str, part: &str, cause: &str) {
        eventually(&format!("the row says that {run} waits: {cause}"), || {
            let row = self.agent.row()?;
            let told = row.pointer(part)?;
            let message = told["message"].as_str()?;
            assert!(
                told["runId"] != run || told["finishedAt"].is_null(),
                "{row:#}\n{}",
                self.agent.logs()
            );
            let waits = message.starts_with("Waiting for the storage: ") && message.contains(cause);
            (told["runId"] == run && waits).then_some(())
        });
    }

    /// Waits until the storage has refused what the Secret has now.
    fn is_refused_once_more(&self) {
        let refusals = || self.log().matches("The archive is not in the storage yet.").count();
        let before = refusals();
        eventually("another refusal", || (refusals() > before).then_some(()));
    }

    fn ended(&self, run: &str, part: &str) -> Told {
        let (row, part) = eventually(&format!("{part} of {run} has ended"), || {
            let row = self.agent.row()?;
            let told = row.pointer(part)?.clone();
            (told["runId"] == run && told["finishedAt"].is_string()).then_some((row, told))
        });
        Told { row, part }
    }

    /// The run is whole: both archives are where the row says, with the loose blobs beside the node's, and on the node
    /// too.
    fn everything_arrived(&self, run: &str, container: &str) {
        let told = self.ended(run, NODE_PART);
        let (status, reason, message) = told.uploaded();
        let context = || format!("{:#}\n{}", told.row, self.agent.logs());
        assert_eq!((status, reason), ("True", "Uploaded"), "{}", context());
        let node = self.node();
        let archive = format!("{run}/{node}/{node}.zip");
        let url = |blob: &str| {
            format!(
                "https://{}.blob.core.windows.net/{container}/{blob}",
                self.azurite().account
            )
        };
        assert_eq!(message, url(&archive));
        self.is_in_storage_and_on_node(&told, container, &archive, &format!("{run}/{node}.zip"));
        let told = self.ended(run, CLUSTER_PART);
        let of_cluster = format!("{run}/cluster/cluster.zip");
        self.is_in_storage_and_on_node(&told, container, &of_cluster, &format!("{run}/cluster.zip"));

        let blobs = self.azurite().list(container);
        let beside = |name: &str| blobs.contains(&format!("{run}/{node}/{name}"));
        assert!(LOOSE.iter().all(|name| beside(name)), "{blobs:?}");
    }

    fn is_in_storage_and_on_node(&self, told: &Told, container: &str, blob: &str, file: &str) {
        let blobs = self.azurite().list(container);
        assert!(
            blobs.iter().any(|name| name == blob),
            "{blobs:?}\n{}",
            self.agent.logs()
        );
        let stored = self.azurite().get(container, blob);
        assert_eq!(told.archives("storage"), [stored.len() as u64], "{:#}", told.row);
        self.is_on_node(told, file);
        assert!(
            fs::read(self.agent.file(file)).expect("an archive") == stored,
            "{file} is not what is in {blob}"
        );
    }

    fn is_on_node(&self, told: &Told, file: &str) {
        let path = self.agent.file(file);
        let size = fs::metadata(&path).map(|metadata| metadata.len());
        let size = size.unwrap_or_else(|error| unreachable!("{}: {error}", path.display()));
        assert_eq!(told.archives("node"), [size], "{:#}", told.row);
        let whole = Command::new("unzip").arg("-tqq").arg(&path).status();
        assert!(whole.expect("unzip is there").success(), "{}", path.display());
    }

    /// The node's part ended without an upload, for `cause`, and its archive is on the node alone.
    fn only_on_node(&self, run: &str, cause: &str) {
        let told = self.ended(run, NODE_PART);
        let context = || format!("{:#}\n{}", told.row, self.agent.logs());
        let (status, reason, message) = told.uploaded();
        assert_eq!((status, reason), ("False", "Failed"), "{}", context());
        assert!(message.contains(cause), "{}", context());
        let said = told.part["message"].as_str().unwrap_or_default();
        assert!(
            said.starts_with("not uploaded: ") && said.contains(cause),
            "{}",
            context()
        );
        assert!(told.archives("storage").is_empty(), "{}", context());
        self.is_on_node(&told, &format!("{run}/{}.zip", self.node()));
        eventually("an Event tells of it", || {
            let events = self.events();
            let mut all = events["items"].as_array()?.iter();
            let tells = |event: &Value| {
                event["reason"] == "UploadFailed" && event["message"].as_str().is_some_and(|text| text.contains(cause))
            };
            all.any(tells).then_some(())
        });
    }

    fn log(&self) -> String {
        self.agent.kubectl(&["logs", &self.pod, "--tail=-1"])
    }

    fn events(&self) -> Value {
        let text = self.agent.kubectl(&["get", "events", "--output=json"]);
        serde_json::from_str(&text).expect("kubectl writes JSON")
    }

    /// No signature is in anything that leaves the agent; `run` was the last one.
    fn no_signature_is_told(&self, run: &str, signatures: &[&str]) {
        let rows = self.agent.kubectl(&["get", "apd", "--output=json"]);
        let mut all = vec![
            ("rows".to_owned(), rows.into_bytes()),
            ("Events".to_owned(), self.events().to_string().into_bytes()),
            ("log".to_owned(), self.log().into_bytes()),
        ];
        for path in files_below(&self.agent.file("")) {
            all.push((path.display().to_string(), content(&path)));
        }
        // They would show it if there were one: they tell of the run.
        for (what, content) in all.iter().take(3) {
            let text = String::from_utf8_lossy(content);
            assert!(text.contains(run), "{what}: {text}");
        }
        assert!(all.iter().any(|(what, _)| what.ends_with("/cluster.zip")));
        for sas in signatures {
            let secret = STANDARD.encode(format!("?{sas}"));
            for needle in [telling(sas), &secret] {
                for (what, content) in &all {
                    let found = content.windows(needle.len()).any(|window| window == needle.as_bytes());
                    assert!(!found, "a signature is in {what}");
                }
            }
        }
    }

    /// Keeps what the agent sends from the storage.
    fn drop_packets(&self, more: &[&str]) -> PacketRule {
        let path = "--output=jsonpath={.status.podIP}";
        let address = self.agent.kubectl(&["get", "pod", &self.pod, path]);
        let rule = ["INPUT", "--source", &address, "--protocol", "tcp", "--dport", "443"];
        let rule: Vec<&str> = rule.iter().chain(more).copied().chain(["--jump", "DROP"]).collect();
        PacketRule::add(&self.services.cluster, Where::Node, &rule)
    }
}

impl Told {
    /// Status, reason and message of the condition `Uploaded`.
    fn uploaded(&self) -> (&str, &str, &str) {
        let conditions = self.row["status"]["conditions"].as_array();
        let condition = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition["type"] == "Uploaded");
        let condition = condition.expect("a condition Uploaded");
        let text = |key: &str| condition[key].as_str().unwrap_or_default();
        (text("status"), text("reason"), text("message"))
    }

    /// The sizes of the archives in one kind of place.
    fn archives(&self, at: &str) -> Vec<u64> {
        let archives = self.part["archives"].as_array().into_iter().flatten();
        let there = archives.filter(|archive| archive["at"] == at);
        there.filter_map(|archive| archive["bytes"].as_u64()).collect()
    }
}

/// Where the parts of a run are in a row.
const NODE_PART: &str = "/status";
const CLUSTER_PART: &str = "/status/cluster";
/// Blobs beside a node's archive that readers look for.
const LOOSE: [&str; 3] = ["networkconfig", "networkoutbound", "manifest.json"];

/// What a signature of the whole account permits.
const RIGHTS: &str = "rwdlacup";
/// How the row names what happened. Azurite has no other word for a signature that does not match.
const REFUSED: &str = "(403 AuthorizationFailure)";
const GONE: &str = "the container is gone, or never was";

/// A file as it is, and an archive unpacked.
fn content(path: &PathBuf) -> Vec<u8> {
    if path.extension().is_none_or(|extension| extension != "zip") {
        return fs::read(path).unwrap_or_default();
    }
    let unzip = Command::new("unzip")
        .arg("-p")
        .arg(path)
        .output()
        .expect("unzip is there");
    assert!(!unzip.stdout.is_empty(), "{}", path.display());
    unzip.stdout
}

/// The longest piece of the signature that is the same encoded and decoded.
fn telling(sas: &str) -> &str {
    let signature = sas.split("sig=").nth(1).expect("it is signed");
    // Behind a % are two letters of its code.
    let (first, rest) = signature.split_once('%').unwrap_or((signature, ""));
    let pieces = rest.split('%').filter_map(|piece| piece.get(2..)).chain([first]);
    let longest = pieces.max_by_key(|piece| piece.len()).expect("at least one");
    assert!(longest.len() >= TELLING, "a signature that is hard to look for");
    longest
}

/// A container of this run of the tests alone: the service may live on between runs.
fn fresh(name: &str) -> String {
    format!("agent-{name}-{}", Timestamp::now().as_second())
}

#[test]
fn what_is_wrong_with_the_storage_is_told_and_what_is_set_right_is_taken() {
    let place = Place::deploy();
    let azurite = place.azurite();
    let container = fresh("refused");

    // Nobody has set a storage yet.
    place.agent.start_run("nowhere");
    let told = place.ended("nowhere", NODE_PART);
    let no_storage = ("False", "NoStorage", "No storage is configured.");
    assert_eq!(told.uploaded(), no_storage, "{:#}", told.row);
    assert!(told.archives("storage").is_empty());
    place.is_on_node(&told, &format!("nowhere/{}.zip", place.node()));
    let told = place.ended("nowhere", CLUSTER_PART);
    place.is_on_node(&told, "nowhere/cluster.zip");

    // Expired, then of another key; the cluster's part comes through with the one that is right at last.
    let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
    let expired = azurite.account_sas(RIGHTS, yesterday);
    let stranger = Azurite {
        key: STANDARD.encode([7; 64]),
        ..azurite.clone()
    };
    let wrong = stranger.account_sas(RIGHTS, Azurite::in_an_hour());
    place.store_in(&container, &expired);
    place.agent.start_run("refused");
    place.waits("refused", NODE_PART, "the SAS expired at ");
    place.store_in(&container, &wrong);
    place.only_on_node("refused", REFUSED);
    assert!(!azurite.has_container(&container));
    place.waits("refused", CLUSTER_PART, REFUSED);
    let right = azurite.account_sas(RIGHTS, Azurite::in_an_hour());
    place.store_in(&container, &right);
    let told = place.ended("refused", CLUSTER_PART);
    place.is_in_storage_and_on_node(&told, &container, "refused/cluster/cluster.zip", "refused/cluster.zip");
    let blobs = azurite.list(&container);
    let of_cluster = |name: &String| name.starts_with("refused/cluster/");
    assert!(blobs.iter().all(of_cluster), "{blobs:?}");

    // Away, then refusing, and then with a signature for the one container.
    let away = place.drop_packets(&[]);
    place.store_in(&container, &wrong);
    place.agent.start_run("renewed");
    place.waits("renewed", NODE_PART, "no usable answer within 10 s");
    drop(away);
    place.waits("renewed", NODE_PART, REFUSED);
    let of_container = azurite.container_sas(&container, "racwl", Azurite::in_an_hour());
    place.store_in(&container, &of_container);
    place.everything_arrived("renewed", &container);

    // Neither a signature for the one container nor one of which it is said that its container exists makes it again.
    azurite.delete_container(&container);
    place.agent.start_run("gone");
    place.waits("gone", NODE_PART, GONE);
    place.set_key_type(Some("Container"));
    place.store_in(&container, &right);
    place.is_refused_once_more();
    assert!(
        !azurite.has_container(&container),
        "it was made: {}",
        place.agent.logs()
    );
    place.set_key_type(None);
    place.everything_arrived("gone", &container);

    place.no_signature_is_told("gone", &[&expired, &wrong, &right, &of_container]);
}

#[test]
fn a_storage_that_goes_away_in_the_middle_gets_everything_and_the_archive_last() {
    let place = Place::deploy();
    let azurite = place.azurite();
    let container = fresh("away");
    azurite.create_container(&container);
    let sas = azurite.account_sas(RIGHTS, Azurite::in_an_hour());
    // It exists, as is said.
    place.set_key_type(Some("Container"));
    place.store_in(&container, &sas);

    let away = place.drop_packets(&["--match", "quota", "!", "--quota", ENOUGH_FOR_THE_LOOSE_BLOBS]);
    place.agent.start_run("middle");
    let node = place.node();
    let blobs = || {
        let folder = format!("middle/{node}/");
        let names = azurite.list(&container).into_iter();
        names
            .filter_map(|name| name.strip_prefix(&folder).map(str::to_owned))
            .collect::<BTreeSet<_>>()
    };
    eventually("the loose blobs are there", || {
        let there = blobs();
        LOOSE.iter().all(|name| there.contains(*name)).then_some(())
    });
    let status = || place.agent.row().map(|row| row["status"].clone());
    eventually("the row says what it does", || {
        status().filter(|status| status["message"] == "Uploading the archive.")
    });
    let since = Instant::now();
    while since.elapsed() < AWAY {
        let status = status().expect("a row");
        assert!(status["finishedAt"].is_null(), "{status:#}\n{}", place.log());
        thread::sleep(Duration::from_secs(5));
    }
    let before = blobs();
    let archive = format!("{node}.zip");
    assert!(!before.contains(&archive), "the storage was not away: {before:?}");
    drop(away);
    place.everything_arrived("middle", &container);
    let mut after = blobs();
    assert!(after.remove(&archive));
    assert_eq!(before, after, "blobs came after the archive was begun");

    place.no_signature_is_told("middle", &[&sas]);
}

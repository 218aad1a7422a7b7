//! From the command line to the exit code: consent, agents, waiting, archives, what they say, and nothing left behind.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use periscope_agent::rows::StoredAt;
use periscope_cluster::ClusterAccess;
use periscope_core::NodeName;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::across::CLUSTER;
use super::args::KollectArgs;
use super::consent::{self, Plan};
use super::display::Display;
use super::fetch::{Fetcher, Fetching, Wanted};
use super::outcome::{Outcome, Part};
use super::picture::{Picture, nodes_of};
use super::rollout::{Arrival, Rollout};
use super::settings::Settings;
use super::standing::View;
use super::{archives, page};
use crate::exit::{Ended, Exit, in_one_line, print, tell};
use crate::run::{node_root, show_size};
use crate::runtime;
use crate::screen::Ink;
use crate::storage::Storage;

/// Time between two looks at the nodes.
const LOOK: Duration = Duration::from_millis(500);
/// Time between two looks at a terminal while archives come.
const FETCH_LOOK: Duration = Duration::from_millis(200);

/// Runs the command.
pub(crate) fn run(args: KollectArgs) -> Result<Exit> {
    let settings = Settings::check(args)?;
    runtime::block_on(kollect(settings))
}

async fn kollect(mut settings: Settings) -> Result<Exit> {
    let access = ClusterAccess::of_person(settings.kubeconfig.as_deref(), settings.context.as_deref()).await;
    let access = access.map_err(|error| Ended::usage(in_one_line(&error)))?;
    let storage = open_storage(&mut settings, &access)?;
    let mut rollout = Rollout::new(access.client().clone(), &settings.manifests.namespace);
    if rollout.is_made(&settings.run_id).await {
        tell(&format!(
            "note: run {} was made before and is not made again: what there is of it is shown, expected another --run-id for a new one",
            settings.run_id
        ));
    }
    let found = agree(&settings, &access, storage.as_ref(), &rollout).await?;

    // A wrong signature is known in a second, not after everything was collected.
    if let Some(storage) = &storage {
        let unusable = |error| {
            Ended::upload(format!(
                "nothing was done, as nothing could be uploaded: {}",
                in_one_line(&error)
            ))
        };
        storage.check().await.map_err(unusable)?;
    }
    let folder = settings
        .to
        .as_deref()
        .map(|to| make_folder(to, settings.run_id.as_str()))
        .transpose()?;

    let cancel = CancellationToken::new();
    end_on_signal(cancel.clone())?;
    let mut work = Work {
        settings: &settings,
        access: &access,
        storage: storage.as_ref(),
        folder,
        display: Display::choose(settings.quiet),
        cancel,
    };
    let outcome = work.perform(&mut rollout).await;
    let left = if settings.keep {
        Vec::new()
    } else {
        work.display.say(if found {
            "putting back what was changed"
        } else {
            "removing what was applied"
        });
        rollout.end().await
    };
    work.display.clear();
    let mut outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            for line in &left {
                tell(&format!("left in the cluster: {line}"));
            }
            return Err(error);
        }
    };
    outcome.left = left;
    print(&if settings.json {
        outcome.as_json()?
    } else {
        outcome.as_text(Ink::of_stdout())
    });
    Ok(outcome.exit())
}

/// The storage, and what the agents are told of it.
fn open_storage(settings: &mut Settings, access: &ClusterAccess) -> Result<Option<Storage>> {
    let Some(storage) = settings.storage.clone() else {
        return Ok(None);
    };
    let storage = storage
        .in_cloud_of(&access.server().host)
        .exporter(&node_root(None)?, Some(access))?;
    storage
        .container()
        .clone_into(&mut settings.manifests.storage.container);
    Ok(Some(storage))
}

/// Says what will be done and asks for consent. Gives whether agents are installed already.
async fn agree(
    settings: &Settings,
    access: &ClusterAccess,
    storage: Option<&Storage>,
    rollout: &Rollout,
) -> Result<bool> {
    let nodes = nodes_of(access.client()).await?;
    let found = rollout.finds_agents().await?;
    let able = nodes
        .values()
        .filter(|node| node.not_ready.is_none() && node.excluded.is_none())
        .count();
    let server = format!("{}:{}", access.server().host, access.server().port);
    let lists = &settings.manifests.lists;
    let folder = settings.to.as_ref().map(|to| to.display().to_string());
    let plan = Plan {
        server: &server,
        identity: &access.identity().to_string(),
        namespace: &settings.manifests.namespace,
        image: &settings.manifests.image,
        nodes: (nodes.len(), able),
        found,
        restricted: settings.manifests.restricted,
        helm: !settings.manifests.components.is_empty(),
        keep: settings.keep,
        container_logs: &lists.container_logs,
        kube_objects: &lists.kube_objects,
        node_logs: &lists.node_logs,
        storage: storage.map(Storage::url),
        folder: folder.as_deref(),
    };
    if !(settings.quiet && settings.yes) {
        tell(&plan.text());
    }
    consent::ask(settings.yes)?;
    Ok(found)
}

/// Makes the folder of a run, which nobody else may read.
fn make_folder(to: &Path, run_id: &str) -> Result<PathBuf> {
    let folder = to.join(run_id);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    // A file that nobody sees, to know now what would fail after everything was collected.
    let usable = made.and_then(|()| tempfile::tempfile_in(&folder).map(drop));
    usable.map_err(|error| {
        let folder = folder.display();
        Ended::usage(format!(
            "invalid --to: cannot write to {folder}: {}",
            in_one_line(&error)
        ))
    })?;
    Ok(folder)
}

/// A run that is being made.
struct Work<'a> {
    settings: &'a Settings,
    access: &'a ClusterAccess,
    storage: Option<&'a Storage>,
    folder: Option<PathBuf>,
    display: Display,
    cancel: CancellationToken,
}

impl Work<'_> {
    async fn perform(&mut self, rollout: &mut Rollout) -> Result<Outcome> {
        let started = Timestamp::now();
        // Not ended in the middle: what was made must be known, to be removed again.
        let arrival = rollout.start(&self.settings.manifests, self.storage.is_some()).await?;
        if arrival == Arrival::Found {
            self.display.tell("The agents that are installed make the run.");
        }
        let namespace = &self.settings.manifests.namespace;
        let picture = Picture::watch(self.access.client(), namespace, &self.settings.run_id);
        let (view, mut uploads) = self.wait(&picture).await;

        let mut parts: Vec<_> = view.nodes.iter().map(Part::of_node).collect();
        for (part, node) in parts.iter_mut().zip(&view.nodes) {
            part.content = node.run.as_ref().filter(|_| node.has_ended()).map(archives::of_row);
        }
        if let Some((node, part)) = view.cluster.as_ref().filter(|_| view.cluster_has_ended()) {
            parts.push(Part {
                name: CLUSTER.to_owned(),
                word: "complete",
                note: format!("done by {node}: {}", part.message),
                is_excluded: false,
                content: Some(archives::of_row(part)),
                fetched: None,
                uploaded: None,
            });
        }
        self.fetch(&view, &mut parts).await;
        self.verify(&mut uploads, &mut parts).await;
        let mut outcome = Outcome {
            run_id: self.settings.run_id.clone(),
            server: format!("{}:{}", self.access.server().host, self.access.server().port),
            started,
            finished: Timestamp::now(),
            parts,
            is_interrupted: self.cancel.is_cancelled(),
            folder: self.folder.clone(),
            storage: self.storage.map(|storage| storage.url().to_owned()),
            page: None,
            left: Vec::new(),
        };
        if let Some(folder) = &self.folder {
            match page::write(&outcome, folder) {
                Ok(page) => outcome.page = Some(page),
                Err(error) => tell(&format!("could not write the page: {}", in_one_line(error.as_ref()))),
            }
        }
        Ok(outcome)
    }

    /// Waits until there is nothing left to wait for. Gives where the nodes stand, and what their rows say of uploads.
    async fn wait(&mut self, picture: &Picture) -> (View, Uploads) {
        let began = Instant::now();
        let mut settled = None;
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut set = std::pin::pin!(picture.look_at_set());
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = self.cancel.cancelled() => {}
                () = &mut set => {}
            }
            let seen = picture.seen();
            let view = View::of(&seen, &self.settings.run_id, began.elapsed());
            self.display.show(&view, began.elapsed().as_secs());
            if view.nodes_are_done() {
                settled.get_or_insert_with(Instant::now);
            } else {
                settled = None;
            }
            let settled = settled.map_or(Duration::ZERO, |since: Instant| since.elapsed());
            // The nodes themselves are known after the first list only.
            let is_over = !view.nodes.is_empty() && view.is_over(settled);
            let is_late = began.elapsed() >= self.settings.timeout;
            if is_late && !is_over {
                let seconds = self.settings.timeout.as_secs();
                self.display.tell(&format!("not all nodes reported within {seconds} s"));
            }
            if is_over || is_late || self.cancel.is_cancelled() {
                return (view, Uploads::of(&seen.rows, self.settings.run_id.as_str()));
            }
        }
    }

    /// Fetches the archives of what has ended.
    async fn fetch(&mut self, view: &View, parts: &mut [Part]) {
        let Some(folder) = self.folder.clone().filter(|_| !self.cancel.is_cancelled()) else {
            return;
        };
        let mut wanted = Vec::new();
        for part in parts.iter_mut().filter(|part| part.content.is_some()) {
            let on = match (&view.cluster, part.is_cluster()) {
                (Some((node, _)), true) => node.as_str(),
                _ => part.name.as_str(),
            };
            let pod = view
                .nodes
                .iter()
                .find(|node| node.name == on)
                .and_then(|node| node.pod.clone());
            match (part.name.parse::<NodeName>(), pod) {
                (Ok(name), Some(pod)) => wanted.push(Wanted { name, pod }),
                (Err(error), _) => part.fetched = Some(Err(in_one_line(&error))),
                (_, None) => part.fetched = Some(Err(format!("no agent runs on {on} any more"))),
            }
        }
        let fetcher = Fetcher {
            client: self.access.client().clone(),
            namespace: self.settings.manifests.namespace.clone(),
            run_id: self.settings.run_id.clone(),
            folder,
        };
        let total = wanted.len();
        let progress = Arc::new(Fetching::default());
        let mut all = Vec::new();
        {
            let mut work = std::pin::pin!(fetcher.fetch(wanted, Arc::clone(&progress)));
            let mut looks = interval(FETCH_LOOK);
            loop {
                let done = progress.done.load(Ordering::Relaxed);
                let bytes = show_size(progress.bytes.load(Ordering::Relaxed));
                self.display
                    .say(&format!("fetching archives: {done} of {total}, {bytes}"));
                tokio::select! {
                    done = &mut work => { all = done; break }
                    () = self.cancel.cancelled() => break,
                    _ = looks.tick() => {}
                }
            }
        }
        let mut results: BTreeMap<String, _> = all.into_iter().map(|one| (one.name.to_string(), one.result)).collect();
        for part in parts
            .iter_mut()
            .filter(|part| part.content.is_some() && part.fetched.is_none())
        {
            let result = results
                .remove(&part.name)
                .unwrap_or_else(|| Err("ended before it was fetched".to_owned()));
            read_content(part, &result).await;
            part.fetched = Some(result);
        }
    }

    /// Finds out whether the archives that rows tell of are in the storage.
    async fn verify(&mut self, uploads: &mut Uploads, parts: &mut [Part]) {
        let Some(storage) = self.storage else { return };
        self.display.say("looking for the archives in the storage");
        let run_id = &self.settings.run_id;
        let reported: Vec<_> = parts.iter_mut().filter(|part| part.content.is_some()).collect();
        let names: Vec<_> = reported
            .iter()
            .map(|part| format!("{run_id}/{0}/{0}.zip", part.name))
            .collect();
        let sizes = match storage.sizes_of(&names).await {
            Ok(sizes) => sizes,
            Err(error) => {
                let why = in_one_line(&error);
                for part in reported {
                    part.uploaded = Some(Err(why.clone()));
                }
                return;
            }
        };
        for (part, (size, name)) in reported.into_iter().zip(sizes.into_iter().zip(names)) {
            let location = format!("{}/{name}", storage.url());
            let told = uploads.bytes.get(&part.name).copied();
            let why = uploads.errors.remove(&part.name);
            part.uploaded = Some(match (size, told) {
                (Ok(Some(size)), Some(told)) if size != told => {
                    Err(format!("{location} has {size} bytes, expected {told}"))
                }
                (Ok(Some(size)), Some(_)) => Ok(vec![(location, size)]),
                (Ok(Some(_)), None) => Err(why.unwrap_or_else(|| format!("{location} is not of this run"))),
                (Ok(None), _) => Err(why.unwrap_or_else(|| format!("{location} is not there"))),
                (Err(error), _) => Err(in_one_line(&error)),
            });
        }
    }
}

/// What rows say of uploads, by part.
#[derive(Default)]
struct Uploads {
    bytes: BTreeMap<String, u64>,
    errors: BTreeMap<String, String>,
}

impl Uploads {
    fn of(rows: &BTreeMap<String, periscope_agent::rows::Row>, run_id: &str) -> Self {
        let mut uploads = Self::default();
        for (node, row) in rows {
            let own = std::iter::once((node.as_str(), &row.status.run));
            let parts = own.chain(row.status.cluster.as_ref().map(|part| (CLUSTER, part)));
            for (name, run) in parts.filter(|(_, run)| run.run_id == run_id) {
                let stored = run.archives.iter().rfind(|archive| archive.at == StoredAt::Storage);
                uploads
                    .bytes
                    .extend(stored.map(|archive| (name.to_owned(), archive.bytes)));
            }
            let failed = row
                .status
                .conditions
                .iter()
                .find(|condition| condition.kind == "Uploaded" && condition.status == "False");
            uploads
                .errors
                .extend(failed.map(|condition| (node.clone(), condition.message.clone())));
        }
        uploads
    }
}

/// Puts what the archive says into the place of what the row said, which was less.
async fn read_content(part: &mut Part, fetched: &Result<(PathBuf, u64), String>) {
    let Ok((path, _)) = fetched else { return };
    let path = path.clone();
    let read = spawn_blocking(move || archives::read(&path)).await;
    match read.unwrap_or_else(|error| Err(in_one_line(&error))) {
        Ok(content) => part.content = Some(content),
        Err(why) => {
            if let Some(content) = &mut part.content {
                content.missing.push(format!("its archive cannot be read: {why}"));
            }
        }
    }
}

/// Ends the run in good order at SIGTERM or SIGINT; what was applied is removed even so. Whoever presses Ctrl-C twice
/// does not want to wait.
fn end_on_signal(cancel: CancellationToken) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tell("ending: leaving the cluster as it was (Ctrl-C to end at once)");
        cancel.cancel();
        interrupt.recv().await;
        tell(
            "ended at once: see what is left with kubectl get all --namespace aks-periscope, and the cluster roles aks-periscope-role",
        );
        #[expect(clippy::exit, reason = "the user asked a second time: nothing is worth waiting for")]
        std::process::exit(Exit::Failed as i32);
    });
    Ok(())
}

//! Asks containerd or CRI-O over the container runtime interface: first whether it answers at all, then for everything.

use std::future::Future;
use std::time::Duration;

use periscope_core::State;
use periscope_documents::{CallFailure, ContainerState, RuntimeContainer, RuntimeVersion};
use periscope_host::{HostPath, HostRoot};
use prost::Message;
use tokio::net::UnixStream;

use super::calls::{CallError, Calls};
use super::cri::{self, Empty};
use super::cri_rows as rows;
use super::gathered::{Answer, Containers, Gathered};
use super::grpc::Grpc;
use crate::host_files::off_thread;

/// The versions of the interface, the newest first. Nodes before containerd 1.6 know the second only.
const VERSIONS: [&str; 2] = ["v1", "v1alpha2"];
/// How long the first answer may take, which the runtime has at hand: one that works gives it within milliseconds.
const FIRST_LIMIT: Duration = Duration::from_secs(4);
/// How long any other answer may take. The runtime reads its own tables, for some of them from a slow disk.
const LIMIT: Duration = Duration::from_secs(15);
/// Most containers that are asked how they ended, the newest first: a kubelet keeps one dead instance of each
/// container.
const MAX_STATUSES: usize = 256;
/// containerd's own service, on the same socket.
const PLUGINS: &str = "containerd.services.introspection.v1.Introspection/Plugins";

/// Asks the runtime at `path`.
///
/// # Errors
/// When there is no runtime there, or none that answers: [`CallFailure`] says which.
pub(super) async fn gather(root: &HostRoot, calls: &mut Calls, path: &HostPath) -> Result<Gathered, CallError> {
    let (mut runtime, version) = Runtime::reach(root, calls, path).await?;
    let status = runtime
        .ask(calls, "RuntimeService/Status", &cri::StatusRequest { verbose: true })
        .await;
    let sandboxes: Answer<cri::ListPodSandboxResponse> =
        runtime.ask(calls, "RuntimeService/ListPodSandbox", &Empty {}).await;
    let mut containers = runtime.containers(calls).await;
    let images: Answer<cri::ListImagesResponse> = runtime.ask(calls, "ImageService/ListImages", &Empty {}).await;
    let filesystem = runtime.ask(calls, "ImageService/ImageFsInfo", &Empty {}).await;
    let plugins: Answer<cri::PluginsResponse> = runtime.ask_method(calls, PLUGINS, &Empty {}).await;
    let images = images.map(|answer| answer.images.into_iter().map(rows::image_row).collect::<Vec<_>>());
    if let (Ok(containers), Ok(images)) = (&mut containers, &images) {
        rows::name_images(&mut containers.rows, images);
    }
    Ok(Gathered {
        version: Ok(version),
        status: status.map(rows::status),
        sandboxes: sandboxes.map(|answer| answer.items.into_iter().map(rows::sandbox).collect()),
        containers,
        images,
        filesystem: filesystem.map(rows::filesystems),
        plugins: plugins.map(|answer| answer.plugins.into_iter().map(rows::plugin).collect()),
    })
}

/// A runtime that has answered once.
struct Runtime<'a> {
    path: &'a HostPath,
    grpc: Grpc,
    version: &'static str,
}

impl<'a> Runtime<'a> {
    async fn reach(
        root: &HostRoot,
        calls: &mut Calls,
        path: &'a HostPath,
    ) -> Result<(Self, RuntimeVersion), CallError> {
        let stream = connect(root, calls, path).await?;
        let mut grpc = Grpc::on(stream).await?;
        let mut unknown = None;
        for version in VERSIONS {
            let method = format!("runtime.{version}.RuntimeService/Version");
            let asked = calls.ask(
                path,
                &method,
                FIRST_LIMIT,
                grpc.ask::<cri::VersionResponse>(&method, &Empty {}),
            );
            match asked.await {
                Ok(answer) => {
                    let document = RuntimeVersion {
                        endpoint: path.to_string(),
                        name: answer.runtime_name,
                        version: answer.runtime_version,
                        api_version: version.to_owned(),
                    };
                    return Ok((Self { path, grpc, version }, document));
                }
                Err(error) if error.failure == CallFailure::Unimplemented => unknown = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(unknown.unwrap_or_else(|| CallError {
            failure: CallFailure::Unimplemented,
            message: "no version of the interface was tried".to_owned(),
        }))
    }

    /// Asks a method of the interface in the version that the runtime speaks.
    fn ask<A: Message + Default>(
        &mut self,
        calls: &mut Calls,
        method: &str,
        question: &impl Message,
    ) -> impl Future<Output = Answer<A>> {
        let method = format!("runtime.{}.{method}", self.version);
        async move { self.ask_method(calls, &method, question).await }
    }

    async fn ask_method<A: Message + Default>(
        &mut self,
        calls: &mut Calls,
        method: &str,
        question: &impl Message,
    ) -> Answer<A> {
        calls
            .ask(self.path, method, LIMIT, self.grpc.ask(method, question))
            .await
    }

    async fn containers(&mut self, calls: &mut Calls) -> Answer<Containers> {
        let list: cri::ListContainersResponse = self.ask(calls, "RuntimeService/ListContainers", &Empty {}).await?;
        let mut rows: Vec<RuntimeContainer> = list.containers.into_iter().map(rows::container).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.created));
        let mut incomplete = self.add_statuses(calls, &mut rows).await;
        let stats: Answer<cri::ListContainerStatsResponse> =
            self.ask(calls, "RuntimeService/ListContainerStats", &Empty {}).await;
        match stats {
            Ok(stats) => rows::add_stats(&mut rows, stats.stats),
            // What containers use is more than was promised: how they ended counts.
            Err(error) => tracing::info!(error = error.message, "The runtime has no figures of its containers."),
        }
        // Of one that has no status the list is still worth having.
        incomplete = incomplete.map(|(state, reason)| (state, format!("how containers ended is missing: {reason}")));
        Ok(Containers { rows, incomplete })
    }

    /// Asks how the containers that do not run ended. Returns how the document ends if not all could be asked.
    async fn add_statuses(&mut self, calls: &mut Calls, rows: &mut [RuntimeContainer]) -> Option<(State, String)> {
        let ended = rows.iter_mut().filter(|row| row.state != ContainerState::Running);
        let mut asked = 0;
        let mut incomplete = None;
        for row in ended {
            if asked == MAX_STATUSES {
                incomplete = Some((
                    State::Truncated,
                    format!("only the newest {MAX_STATUSES} were asked for"),
                ));
                break;
            }
            asked += 1;
            let question = cri::ContainerStatusRequest {
                container_id: row.id.clone(),
            };
            let answer: Answer<cri::ContainerStatusResponse> =
                self.ask(calls, "RuntimeService/ContainerStatus", &question).await;
            match answer {
                Ok(answer) => rows::add_status(row, answer.status.unwrap_or_default()),
                // Removed since the list was made.
                Err(error) if error.message.starts_with("NotFound") => {}
                Err(error) => {
                    let is_over = error.failure == CallFailure::TimedOut;
                    incomplete = Some((error.state(), error.message));
                    if is_over {
                        break;
                    }
                }
            }
        }
        if asked > 1 {
            calls.sum_up(asked);
        }
        incomplete
    }
}

/// Connects to the socket, which takes no time: the kernel does it, whatever its server is doing.
pub(super) async fn connect(root: &HostRoot, calls: &mut Calls, path: &HostPath) -> Result<UnixStream, CallError> {
    let work = async {
        let (root, path) = (root.clone(), path.clone());
        let stream = off_thread(move || root.connect(&path)).await??;
        Ok::<_, CallError>(UnixStream::from_std(stream)?)
    };
    calls.ask(path, "connect", FIRST_LIMIT, work).await
}

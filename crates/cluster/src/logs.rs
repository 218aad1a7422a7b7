//! Container logs from the API server, as a stream of bytes.
//!
//! It does not follow running containers and does not parse lines. The API has only the current and the previous
//! instance of a container, and of each only what the kubelet has not rotated away; the node's own files hold more.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Resource,
    core::{request::Request, subresource::LogParams},
};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::compat::FuturesAsyncReadCompatExt;

use crate::{
    access::ClusterAccess,
    call::open,
    error::{Call, ClusterError, Trouble, classify},
};

/// One container of one pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodContainer {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// Name of the container, also of an init or ephemeral one.
    pub container: String,
}

/// Which part of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// The instance before the current one.
    pub previous: bool,
    /// Only lines written at or after this moment.
    pub since: Option<Timestamp>,
    /// Each line begins with its RFC 3339 time.
    pub timestamps: bool,
    /// At most so many bytes; the kubelet may cut the last line, or give slightly more.
    pub limit_bytes: Option<u64>,
}

impl ClusterAccess {
    /// Opens the log of a container. The stream ends where the log ends now; a silent connection fails it after 30 s.
    ///
    /// # Errors
    /// [`ClusterError::Api`]: [`Failure::NotFound`](crate::Failure::NotFound) when the pod is gone; [`Failure::Failed`](crate::Failure::Failed)
    /// (the API answers 400) when there is no such instance, or the container has not started.
    pub async fn container_log(
        &self,
        of: &PodContainer,
        options: &LogOptions,
    ) -> Result<impl AsyncRead + Send + Unpin + use<>, ClusterError> {
        let call = Call::new("get", "pods/log").within(Some(&of.namespace)).of(&of.pod);
        let params = LogParams {
            container: Some(of.container.clone()),
            previous: options.previous,
            since_time: options.since,
            timestamps: options.timestamps,
            limit_bytes: options
                .limit_bytes
                .map(|limit| i64::try_from(limit).unwrap_or(i64::MAX)),
            ..LogParams::default()
        };
        let request = Request::new(Pod::url_path(&(), Some(&of.namespace)))
            .logs(&of.pod, &params)
            .map_err(|error| classify(&call, Trouble::Client(kube::Error::BuildRequest(error))))?;
        let body = open(self.client(), &request)
            .await
            .map_err(|trouble| classify(&call, trouble))?;
        // The server may overrun the limit a little, and is not trusted to keep it at all.
        Ok(body.compat().take(options.limit_bytes.unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{access::mock_access, error::Failure};

    fn container() -> PodContainer {
        PodContainer {
            namespace: "ns".into(),
            pod: "p".into(),
            container: "c".into(),
        }
    }

    #[tokio::test]
    async fn the_log_is_asked_for_and_streamed_up_to_its_limit() {
        let (access, served) = mock_access(vec![(200, json!("0123456789"))]);
        let options = LogOptions {
            previous: true,
            since: Some("2026-01-02T03:04:05Z".parse().unwrap()),
            timestamps: true,
            limit_bytes: Some(5),
        };
        let mut log = access.container_log(&container(), &options).await.unwrap();
        let mut text = String::new();
        log.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "\"0123");
        let expected = "/api/v1/namespaces/ns/pods/p/log?&container=c&limitBytes=5&previous=true\
                        &sinceTime=2026-01-02T03%3A04%3A05Z&timestamps=true";
        assert_eq!(served.await.unwrap(), [expected]);
    }

    #[tokio::test]
    async fn a_missing_instance_is_a_failure_with_the_servers_words() {
        let status = json!({"kind": "Status", "code": 400, "message": "previous terminated container \"c\" not found"});
        let (access, _) = mock_access(vec![(400, status)]);
        let error = access
            .container_log(&container(), &LogOptions::default())
            .await
            .err()
            .unwrap();
        assert_eq!(error.failure(), Some(Failure::Failed));
        assert_eq!(error.to_string(), "cannot get pods/log p in namespace ns");
    }
}

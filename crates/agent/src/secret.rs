//! Credentials of the storage: those a run begins with, and fresh ones for when they are refused.
//!
//! The kubelet brings a changed `Secret` into the pod up to a minute or two later than the API server has it
//! (<https://kubernetes.io/docs/concepts/configuration/secret/#using-secrets-as-files-from-a-pod>), and the environment
//! never changes.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::Client;
use kube::api::ListParams;
use secrecy::SecretString;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::configuration::{Folder, Sources, keys, trimmed};

/// The `Secret`'s name, in every era.
pub const SECRET_NAME: &str = "azureblob-secret";

/// The bound of one request for the `Secret`. A run waits for it before it begins.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// What is known of the storage, by the keys of the `Secret` (Periscope contract, section 1.1).
#[derive(Debug, Clone, Default)]
pub struct StorageCredentials {
    /// `AZURE_BLOB_ACCOUNT_NAME`.
    pub account: Option<String>,
    /// `AZURE_BLOB_CONTAINER_NAME`.
    pub container: Option<String>,
    /// `AZURE_BLOB_SAS_KEY`, with or without its leading `?`.
    pub sas: Option<SecretString>,
    /// `AZURE_STORAGE_SAS_KEY_TYPE` is `Container`: the container exists, and may not be made.
    pub container_exists: bool,
}

/// Where credentials come from.
#[async_trait]
pub trait Credentials: fmt::Debug + Send + Sync + 'static {
    /// Reads them again; `None` when nothing can be read, or there is no signature in it. Bounded in time.
    async fn reread(&self) -> Option<StorageCredentials>;
}

impl StorageCredentials {
    /// Those that are mounted, or in the environment.
    pub(crate) fn read(sources: &Sources, problems: &mut Vec<String>) -> Self {
        Self::of(|key| sources.value(Folder::Secret, key, problems))
    }

    /// Those of the `Secret` as the API server has it; a key it has not is looked up where it would be mounted: the
    /// first era kept the account and the container elsewhere.
    fn of_secret(secret: Secret, sources: &Sources) -> Self {
        let data = secret.data.unwrap_or_default();
        Self::of(|key| match data.get(key) {
            Some(value) => std::str::from_utf8(&value.0).ok().and_then(trimmed),
            None => sources.value(Folder::Secret, key, &mut Vec::new()),
        })
    }

    fn of(mut value: impl FnMut(&'static str) -> Option<String>) -> Self {
        Self {
            account: value(keys::ACCOUNT),
            container: value(keys::CONTAINER),
            sas: value(keys::SAS).map(SecretString::from),
            container_exists: value(keys::SAS_TYPE).as_deref() == Some("Container"),
        }
    }
}

/// The credentials of the pod: of the `Secret` through the API where that is allowed, else as they are mounted.
pub(crate) struct PodCredentials {
    client: Option<(Client, String)>,
    sources: Sources,
    /// The last answer came to a list, and not to a get. Asked first is what was answered last, so that not every run
    /// asks in vain; rights that are given or taken meanwhile count all the same.
    lists: AtomicBool,
}

impl PodCredentials {
    /// `client` with the namespace of the `Secret`.
    pub(crate) fn new(client: Option<(Client, String)>, sources: Sources) -> Self {
        Self {
            client,
            sources,
            lists: AtomicBool::new(false),
        }
    }

    /// Those of the API server; `None` where it does not give them.
    pub(crate) async fn of_api(&self) -> Option<StorageCredentials> {
        let (client, namespace) = self.client.as_ref()?;
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let lists = self.lists.load(Ordering::Relaxed);
        let mut answer = self.ask(&api, lists).await;
        if is_refusal(&answer) {
            answer = self.ask(&api, !lists).await;
        }
        match answer {
            Ok(Ok(secret)) => {
                let credentials = StorageCredentials::of_secret(secret?, &self.sources);
                credentials.sas.is_some().then_some(credentials)
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "The API server does not give the storage's secret.");
                None
            }
            Err(_) => {
                tracing::debug!("The API server does not answer about the storage's secret in time.");
                None
            }
        }
    }

    async fn ask(&self, api: &Api<Secret>, lists: bool) -> Answer {
        let answer = if lists {
            timeout(ANSWER_TIMEOUT, listed(api)).await
        } else {
            timeout(ANSWER_TIMEOUT, api.get_opt(SECRET_NAME)).await
        };
        if matches!(answer, Ok(Ok(_))) {
            self.lists.store(lists, Ordering::Relaxed);
        }
        answer
    }
}

type Answer = Result<kube::Result<Option<Secret>>, Elapsed>;

fn is_refusal(answer: &Answer) -> bool {
    matches!(answer, Ok(Err(kube::Error::Api(status))) if status.code == 403)
}

/// The historic role may list and not get.
async fn listed(api: &Api<Secret>) -> kube::Result<Option<Secret>> {
    let params = ListParams::default()
        .fields(&format!("metadata.name={SECRET_NAME}"))
        .limit(1);
    Ok(api.list(&params).await?.items.into_iter().next())
}

#[async_trait]
impl Credentials for PodCredentials {
    async fn reread(&self) -> Option<StorageCredentials> {
        if let Some(credentials) = self.of_api().await {
            return Some(credentials);
        }
        let credentials = StorageCredentials::read(&self.sources, &mut Vec::new());
        credentials.sas.is_some().then_some(credentials)
    }
}

impl fmt::Debug for PodCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PodCredentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rstest::rstest;
    use secrecy::ExposeSecret as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::mock_api::mock_api;

    fn mounted(folder: &Path) -> Sources {
        std::fs::write(folder.join(keys::SAS), "?sig=mounted").unwrap();
        std::fs::write(folder.join(keys::ACCOUNT), "mounted").unwrap();
        Sources::new(folder.join("none"), folder, |_| None)
    }

    fn secret() -> Value {
        // `?sig=fresh\n`
        json!({"metadata": {"name": SECRET_NAME}, "data": {"AZURE_BLOB_SAS_KEY": "P3NpZz1mcmVzaAo="}})
    }

    fn refused() -> (u16, Value) {
        (
            403,
            json!({"kind": "Status", "status": "Failure", "code": 403, "message": "no", "reason": "Forbidden"}),
        )
    }

    const GET: &str = "/api/v1/namespaces/ns/secrets/azureblob-secret";
    const LIST: &str = "/api/v1/namespaces/ns/secrets?&fieldSelector=metadata.name%3Dazureblob-secret&limit=1";

    #[rstest]
    #[case::may_get(vec![(200, secret())], "?sig=fresh", &[GET])]
    #[case::may_list(vec![refused(), (200, json!({"metadata": {}, "items": [secret()]}))], "?sig=fresh", &[GET, LIST])]
    #[case::may_neither(vec![refused(), refused()], "?sig=mounted", &[GET, LIST])]
    #[case::there_is_none(vec![(404, json!({"kind": "Status", "status": "Failure", "code": 404, "message": "", "reason": "NotFound"}))], "?sig=mounted", &[GET])]
    #[case::none_in_it(vec![(200, json!({"metadata": {}, "data": {"AZURE_BLOB_SAS_KEY": ""}}))], "?sig=mounted", &[GET])]
    #[tokio::test]
    async fn the_freshest_that_may_be_read_is_taken(
        #[case] answers: Vec<(u16, Value)>,
        #[case] sas: &str,
        #[case] expected: &[&str],
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (client, asked) = mock_api(answers);
        let credentials = PodCredentials::new(Some((client, "ns".into())), mounted(folder.path()));
        let read = credentials.reread().await.unwrap();
        assert_eq!(read.sas.unwrap().expose_secret(), sas);
        assert_eq!(read.account.as_deref(), Some("mounted"));
        assert_eq!(asked.await.unwrap(), expected);
    }

    #[tokio::test]
    async fn who_may_not_get_is_not_refused_twice() {
        let folder = tempfile::tempdir().unwrap();
        let listed = (200, json!({"metadata": {}, "items": [secret()]}));
        let (client, asked) = mock_api(vec![refused(), listed.clone(), listed]);
        let credentials = PodCredentials::new(Some((client, "ns".into())), mounted(folder.path()));
        for _ in 0..2 {
            assert!(credentials.of_api().await.is_some());
        }
        assert_eq!(asked.await.unwrap(), [GET, LIST, LIST]);
    }

    #[tokio::test]
    async fn rights_that_change_count_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let listed = (200, json!({"metadata": {}, "items": [secret()]}));
        let answers = [
            vec![refused(), refused()],
            // A right to list is given,
            vec![refused(), listed],
            // and one to get in its place.
            vec![refused(), (200, secret())],
            vec![(200, secret())],
        ];
        let (client, asked) = mock_api(answers.concat());
        let credentials = PodCredentials::new(Some((client, "ns".into())), mounted(folder.path()));
        for is_given in [false, true, true, true] {
            assert_eq!(credentials.of_api().await.is_some(), is_given);
        }
        assert_eq!(asked.await.unwrap(), [GET, LIST, GET, LIST, LIST, GET, GET]);
    }

    #[tokio::test]
    async fn without_any_there_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources::new(folder.path(), folder.path(), |_| None);
        assert!(PodCredentials::new(None, sources).reread().await.is_none());
    }
}

//! Makes the client that talks to the container: credential, transport, and how often something is tried again.
//!
//! All repetition is the SDK's: after 408, 429, 500, 502, 503, 504 and broken connections, with waits that double and
//! have a random part, and not before the `Retry-After` of a 429 or 503. Nothing here or above repeats anything. The
//! limits in time are the callers'.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, ExponentialRetryOptions, HttpClient, RetryOptions, Transport, UserAgentOptions};
use azure_core::time::Duration as AzureDuration;
use azure_identity::{
    ClientAssertionCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use azure_storage_blob::clients::{BlobContainerClient, BlobContainerClientOptions};
use periscope_core::ExportError;

use super::config::WorkloadIdentity;
use super::destination::{Access, Destination};

/// A packet that is dropped must show before the time for the check is over.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// The longest silence of the service. Its answer comes when a whole block was sent, so a line must carry 70 KB/s for
/// each of the blocks that are on the way.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// The metadata service is on the same machine: it answers at once or is not there.
const METADATA_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Several times the bundle of a distribution.
const LARGEST_CA_FILE: u64 = 2 * 1024 * 1024;

/// How long something that fails is tried again.
#[derive(Debug, Clone, Copy)]
pub(super) enum Patience {
    /// About a second: somebody waits for the answer, and a failure is one, too.
    Short,
    /// About a minute and a half: longer than a storage account takes to fail over to another partition server.
    Long,
}

impl Patience {
    fn retries(self) -> RetryOptions {
        // The first wait is twice the initial delay.
        let (initial_delay, max_retries, max_total_elapsed) = match self {
            Self::Short => (AzureDuration::milliseconds(100), 2, AzureDuration::seconds(2)),
            Self::Long => (AzureDuration::milliseconds(250), 8, AzureDuration::seconds(90)),
        };
        RetryOptions::exponential(ExponentialRetryOptions {
            initial_delay,
            max_retries,
            max_total_elapsed,
            max_delay: AzureDuration::seconds(30),
        })
    }
}

/// A client of one container, and what it gets its tokens from.
pub(super) struct Connection {
    pub(super) container: BlobContainerClient,
    pub(super) tokens: Option<Arc<dyn TokenCredential>>,
}

impl Destination {
    /// Makes a client. Asks nobody yet.
    pub(super) fn connect(&self, patience: Patience) -> Result<Connection, ExportError> {
        let transport = match &self.transport {
            Some(transport) => Arc::clone(transport),
            None => Arc::new(self.build(self.http()?)?),
        };
        let client_options = options(transport, patience);
        let (url, tokens) = match &self.access {
            Access::Sas(sas) => (sas.sign(self.container.clone()), Ok(None)),
            Access::Workload(identity) => (
                self.container.clone(),
                workload(identity, client_options.clone()).map(Some),
            ),
            Access::Managed { client_id } => {
                // A proxy would ask its own machine's metadata service, if any.
                let http = self.build(http().no_proxy().connect_timeout(METADATA_CONNECT_TIMEOUT))?;
                let tokens = managed(client_id.as_deref(), options(Arc::new(http), patience));
                (self.container.clone(), tokens.map(Some))
            }
        };
        let tokens = tokens.map_err(|error| self.service_refusal(&error))?;
        let options = BlobContainerClientOptions {
            client_options,
            ..Default::default()
        };
        let container = BlobContainerClient::new(url, tokens.clone(), Some(options));
        let container = container.map_err(|error| self.service_refusal(&error))?;
        Ok(Connection { container, tokens })
    }

    fn http(&self) -> Result<reqwest::ClientBuilder, ExportError> {
        let Some(path) = &self.ca_file else { return Ok(http()) };
        let unreadable = || self.refusal(format_args!("cannot read the authorities in {}", path.display()));
        let pem = bounded(path).map_err(|error| unreadable().because(error))?;
        let authorities = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unreadable().because(error))?;
        Ok(http().tls_certs_merge(authorities))
    }

    fn build(&self, http: reqwest::ClientBuilder) -> Result<reqwest::Client, ExportError> {
        let cause = "cannot read the authorities that this machine trusts";
        http.build().map_err(|error| self.refusal(cause).because(error))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the machine's own certificates, not the node's files"
)]
fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    File::open(path)?.take(LARGEST_CA_FILE).read_to_end(&mut pem)?;
    Ok(pem)
}

/// Trusts what the machine trusts. Follows no redirect: it could carry a signature elsewhere.
fn http() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
}

fn options(transport: Arc<dyn HttpClient>, patience: Patience) -> ClientOptions {
    ClientOptions {
        retry: patience.retries(),
        transport: Some(Transport::new(transport)),
        user_agent: UserAgentOptions {
            application_id: Some("aks-periscope".to_owned()),
        },
        ..Default::default()
    }
}

fn workload(
    identity: &WorkloadIdentity,
    mut client_options: ClientOptions,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    if let Some(authority_host) = &identity.authority_host {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(authority_host);
        client_options.cloud = Some(Arc::new(cloud.into()));
    }
    let credential = WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
        credential_options: ClientAssertionCredentialOptions { client_options },
        client_id: identity.client_id.clone(),
        tenant_id: identity.tenant_id.clone(),
        token_file_path: identity.token_file.clone(),
    }))?;
    Ok(credential)
}

fn managed(client_id: Option<&str>, client_options: ClientOptions) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let credential = ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
        user_assigned_id: client_id.map(|id| UserAssignedId::ClientId(id.to_owned())),
        client_options,
    }))?;
    Ok(credential)
}

//! One container and how it is reached, made from settings; and the one line that says why something did not get there.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

use azure_core::http::{HttpClient, StatusCode};
use jiff::Timestamp;
use periscope_core::ExportError;
use url::Url;

use super::account::{Cloud, endpoint};
use super::config::{BlobCredential, ConfigError, WorkloadIdentity};
use super::container;
use super::failure::cause;
use super::sas::Sas;

/// What says no: to the credential, to what it asks for, or that there is no such account or container.
const REFUSALS: [StatusCode; 5] = [
    StatusCode::BadRequest,
    StatusCode::Unauthorized,
    StatusCode::Forbidden,
    StatusCode::NotFound,
    StatusCode::Conflict,
];

/// One container and how it is reached.
#[derive(Debug)]
pub(super) struct Destination {
    /// Without a signature.
    pub(super) container: Url,
    pub(super) access: Access,
    pub(super) ca_file: Option<PathBuf>,
    /// `None` is the network.
    pub(super) transport: Option<Arc<dyn HttpClient>>,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(super) enum Access {
    Sas(Sas),
    Workload(WorkloadIdentity),
    Managed { client_id: Option<String> },
}

impl Destination {
    pub(super) fn new(
        account: &str,
        cloud: &Cloud,
        container: &str,
        credential: BlobCredential,
        ca_file: Option<PathBuf>,
    ) -> Result<Self, ConfigError> {
        let name = container::name(container)?;
        let mut container = endpoint(account, cloud)?;
        container
            .path_segments_mut()
            .map_err(|()| ConfigError::Account(account.to_owned()))?
            .pop_if_empty()
            .push(&name);
        let access = match credential {
            BlobCredential::Sas(sas) => Access::Sas(Sas::parse(&sas)?),
            _ if container.scheme() != "https" => return Err(ConfigError::IdentityOverHttp(container.into())),
            BlobCredential::WorkloadIdentity(identity) => Access::Workload(identity),
            BlobCredential::ManagedIdentity { client_id } => Access::Managed { client_id },
        };
        Ok(Self {
            container,
            access,
            ca_file,
            transport: None,
        })
    }

    /// Whether making the container is worth trying.
    pub(super) fn may_create_container(&self) -> bool {
        match &self.access {
            Access::Sas(sas) => sas.may_create_container(),
            Access::Workload(_) | Access::Managed { .. } => true,
        }
    }

    /// An error in one line. Whatever it was made of, there is no signature in it.
    pub(super) fn refusal(&self, cause: impl Display) -> ExportError {
        let line = format!("cannot upload to {}: {cause}", self.container);
        ExportError::new(match &self.access {
            Access::Sas(sas) => sas.scrub(&line),
            Access::Workload(_) | Access::Managed { .. } => line,
        })
    }

    /// The same for what the SDK reports. That does not become the source: it would show the URL and the signature.
    pub(super) fn service_refusal(&self, error: &azure_core::Error) -> ExportError {
        let expired = match &self.access {
            // The service would only say that the credential was refused.
            Access::Sas(sas) if error.http_status() == Some(StatusCode::Forbidden) => sas.expired(Timestamp::now()),
            _ => None,
        };
        let refusal = match expired {
            Some(expired) => self.refusal(expired),
            None => self.refusal(cause(error, self.container.host_str().unwrap_or_default())),
        };
        match error.http_status() {
            Some(status) if REFUSALS.contains(&status) => refusal.refused(),
            _ => refusal,
        }
    }
}

//! TLS handshakes that record the peer's certificates whether they are trusted or not, and judge them beside that.
//!
//! Nothing of value is sent over these connections, so going on with a peer that is not trusted risks nothing.

use std::sync::{Arc, Mutex, PoisonError};

use periscope_documents::Certificate;
use periscope_host::{HostPath, HostRoot};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::target::Trust;
use crate::host_files::unseen;
use crate::x509;

/// Where distributions keep the certificates that they trust: Debian and Ubuntu; Azure Linux and Fedora; its link;
/// Alpine.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// A distribution's bundle has some 250 KiB.
const MAX_BUNDLE_BYTES: usize = 4 * 1024 * 1024;
/// Most certificates of a chain that are kept.
const MAX_CHAIN: usize = 8;

/// Who vouches for certificates here.
#[derive(Debug)]
pub(super) struct TrustStores {
    node: Option<Arc<WebPkiServerVerifier>>,
    cluster: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl TrustStores {
    /// The authorities that the node trusts (where it has no list, those of our own file system), and the
    /// cluster's, given as PEM. Blocks.
    pub(super) fn load(root: &HostRoot, own: &HostRoot, cluster: Option<&[u8]>) -> Self {
        let provider = Arc::new(ring::default_provider());
        let read = |root: &HostRoot| {
            let mut places = BUNDLES.iter();
            places.find_map(|path| root.read(&HostPath::new(path).ok()?, MAX_BUNDLE_BYTES).ok())
        };
        // What our own image trusts says nothing about a node whose authorities are only not to be seen.
        let bundle = read(root).or_else(|| match unseen(root, BUNDLES.iter().copied()) {
            None => read(own),
            Some(_) => None,
        });
        Self {
            node: bundle.and_then(|pem| verifier(&pem, &provider)),
            cluster: cluster.and_then(|pem| verifier(pem, &provider)),
            provider,
        }
    }

    /// The configuration of one handshake, and what will be recorded of it.
    pub(super) fn handshake(&self, trust: Trust, alpn: &str) -> Result<(ClientConfig, Arc<Recorder>), Error> {
        let (judge, no_judge) = match trust {
            Trust::Node => (
                self.node.clone(),
                Some("the list of trusted authorities could not be read"),
            ),
            Trust::Cluster => (self.cluster.clone(), Some("the cluster's authority is not known")),
            Trust::Nobody => (None, None),
        };
        let recorder = Arc::new(Recorder {
            judge,
            no_judge,
            provider: Arc::clone(&self.provider),
            seen: Mutex::default(),
        });
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        Ok((config, recorder))
    }
}

fn verifier(pem: &[u8], provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).filter_map(Result::ok));
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .ok()
}

/// Lets every certificate pass and remembers what there was to say of it.
#[derive(Debug)]
pub(super) struct Recorder {
    judge: Option<Arc<WebPkiServerVerifier>>,
    /// Why nobody judges, where somebody should.
    no_judge: Option<&'static str>,
    provider: Arc<CryptoProvider>,
    seen: Mutex<Seen>,
}

/// What was seen of a peer.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// The certificates, the peer's own first. One that cannot be understood is left out.
    pub(super) chain: Vec<Certificate>,
    /// The judgement, where there was a judge.
    pub(super) trusted: Option<bool>,
    /// Why not, or why nobody judged.
    pub(super) distrust: Option<String>,
}

impl Recorder {
    /// What was seen until now.
    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).take(MAX_CHAIN);
        let chain = chain.filter_map(|der| x509::describe(der).ok()).collect();
        let judgement = self
            .judge
            .as_ref()
            .map(|judge| judge.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now));
        let (trusted, distrust) = match judgement {
            Some(Ok(_)) => (Some(true), None),
            Some(Err(error)) => (Some(false), Some(error.to_string())),
            None => (None, self.no_judge.map(str::to_owned)),
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen {
            chain,
            trusted,
            distrust,
        };
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

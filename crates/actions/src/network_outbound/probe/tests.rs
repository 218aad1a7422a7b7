//! Tries against real listeners on loopback, with certificates made for each case.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use periscope_documents::{Connection, Network, TlsPhase};
use periscope_host::HostRoot;
use periscope_testkit::HostFixture;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rstest::rstest;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{Prober, SystemResolver, TrustStores, to_try};
use crate::network_outbound::target::{OutboundTarget, Trust};

/// The name that servers of these tests have.
const NAME: &str = "server.test.example";
/// What such a server answers.
const ANSWER: &str = "HTTP/1.1 403 Forbidden\r\nServer: test\r\nContent-Length: 0\r\n\r\n";

/// An authority that the node trusts.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Test Authority");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A server's configuration with a certificate for `name` that ends in `until`.
    fn server(&self, name: &str, until: i32) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        server(certificate.der().clone(), &key)
    }
}

fn self_signed() -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![NAME.to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    server(certificate.der().clone(), &key)
}

fn server(certificate: CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

/// Answers every connection over TLS. Lives as long as the test's runtime.
async fn serve(config: Arc<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = TlsAcceptor::from(Arc::clone(&config)).accept(stream).await {
                let mut request = [0; 1024];
                if stream.read(&mut request).await.is_ok() {
                    stream.write_all(ANSWER.as_bytes()).await.ok();
                    stream.shutdown().await.ok();
                }
            }
        }
    });
    address
}

/// A node whose `hosts` file knows [`NAME`], whose name server is dead, and that trusts `authority`.
fn prober(authority: Option<&Authority>) -> Prober {
    let mut node = HostFixture::new()
        .file("/etc/hosts", format!("127.0.0.1 {NAME}\n"))
        // Nothing listens on this address of loopback.
        .file("/etc/resolv.conf", "nameserver 127.1.2.3\n");
    if let Some(authority) = authority {
        node = node.file("/etc/ssl/certs/ca-certificates.crt", &authority.pem);
    }
    let root = node.root();
    Prober {
        resolver: SystemResolver::new(&root),
        trust: TrustStores::load(&root, &root, None),
        from: Network::Unknown,
    }
}

/// The server at `address`, under the address itself.
fn by_address(address: SocketAddr) -> OutboundTarget {
    OutboundTarget::https("test", &address.ip().to_string(), address.port())
}

fn tls(connection: &Connection) -> &TlsPhase {
    connection.tls.as_ref().expect("a TLS phase")
}

#[rstest]
#[case::good("127.0.0.1", 2099, Some(true), "")]
#[case::expired("127.0.0.1", 2024, Some(false), "expired")]
#[case::for_another_name("other.example", 2099, Some(false), "not valid for name")]
#[tokio::test]
async fn certificates_are_judged_and_recorded(
    #[case] name: &str,
    #[case] until: i32,
    #[case] trusted: Option<bool>,
    #[case] why: &str,
) {
    let authority = Authority::new();
    let address = serve(authority.server(name, until)).await;
    let connection = prober(Some(&authority)).probe(&by_address(address)).await;
    assert_eq!(connection.status, "Connected");
    let tls = tls(&connection);
    assert_eq!(tls.trusted, trusted, "{:?}", tls.distrust);
    assert!(
        tls.distrust.as_deref().unwrap_or_default().contains(why),
        "{:?}",
        tls.distrust
    );
    assert_eq!((tls.version.as_deref(), tls.chain.len()), (Some("TLSv1.3"), 1));
    assert!(tls.chain[0].issuer.contains("Test Authority"));
    assert_eq!(tls.chain[0].not_after.to_string(), format!("{until}-01-01T00:00:00Z"));
    let http = connection.http.as_ref().unwrap();
    assert_eq!((http.status, http.server.as_deref()), (Some(403), Some("test")));
}

/// A pod that does not see whom its node trusts goes by nobody else's list.
#[tokio::test]
async fn nobody_vouches_for_a_node_that_is_not_seen() {
    let authority = Authority::new();
    let address = serve(authority.server("127.0.0.1", 2099)).await;
    let pod = HostFixture::new().file("/etc/ssl/certs/ca-certificates.crt", &Authority::new().pem);
    let unseen = HostRoot::mounted_into(&pod.real_path("/")).unwrap();
    let prober = Prober {
        trust: TrustStores::load(&unseen, &pod.root(), None),
        ..prober(None)
    };
    let connection = prober.probe(&by_address(address)).await;
    assert_eq!(tls(&connection).trusted, None, "{:?}", tls(&connection).distrust);
}

#[tokio::test]
async fn a_self_signed_certificate_is_recorded_and_not_trusted() {
    let address = serve(self_signed()).await;
    let connection = prober(Some(&Authority::new())).probe(&by_address(address)).await;
    assert_eq!(
        (connection.status.as_str(), tls(&connection).trusted),
        ("Connected", Some(false))
    );
    assert_eq!(tls(&connection).chain[0].names, [NAME]);
}

#[rstest]
#[case::no_bundle(Trust::Node, Some("the list of trusted authorities could not be read"))]
#[case::unknown_cluster(Trust::Cluster, Some("the cluster's authority is not known"))]
#[case::nobody(Trust::Nobody, None)]
#[tokio::test]
async fn without_a_judge_there_is_no_judgement(#[case] trust: Trust, #[case] why: Option<&str>) {
    let address = serve(self_signed()).await;
    let target = OutboundTarget {
        tls: Some(trust),
        ..by_address(address)
    };
    let connection = prober(None).probe(&target).await;
    assert_eq!(
        (tls(&connection).trusted, tls(&connection).distrust.as_deref()),
        (None, why)
    );
}

#[tokio::test]
async fn names_come_from_the_hosts_file() {
    let authority = Authority::new();
    let address = serve(authority.server(NAME, 2099)).await;
    let connection = prober(Some(&authority))
        .probe(&OutboundTarget::https("test", NAME, address.port()))
        .await;
    assert_eq!(connection.status, "Connected");
    assert_eq!(connection.dns.as_ref().unwrap().addresses, ["127.0.0.1"]);
    assert_eq!(connection.tcp[0].address, address.to_string());
    assert_eq!(tls(&connection).trusted, Some(true), "{:?}", tls(&connection).distrust);
}

#[tokio::test]
async fn a_name_that_leads_nowhere_ends_the_try() {
    let prober = prober(None);
    tokio::time::pause();
    let target = OutboundTarget::https("test", "nowhere.test.example", 443);
    let connection = prober.probe(&target).await;
    assert!(connection.status.starts_with("Error: dns: "), "{}", connection.status);
    assert!(connection.dns.unwrap().error.is_some());
    assert!(connection.tcp.is_empty() && connection.tls.is_none() && connection.http.is_none());
}

#[tokio::test]
async fn a_closed_port_ends_the_try() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let connection = prober(None).probe(&by_address(closed)).await;
    assert_eq!(connection.status, "Error: tcp: Connection refused (os error 111)");
    assert!(connection.tcp[0].error.is_some() && connection.tls.is_none());
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    // The kernel accepts for it.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let prober = prober(None);
    tokio::time::pause();
    let secure = prober.probe(&by_address(address)).await;
    assert_eq!(secure.status, "Error: tls: timed out");
    let plain = OutboundTarget {
        tls: None,
        ..by_address(address)
    };
    let plain = prober.probe(&plain).await;
    assert_eq!(plain.status, "Error: http: timed out");
    // On the paused clock: all of it stays within the five seconds that are promised.
    assert!(secure.millis < 5000 && plain.millis < 5000);
    let enough = OutboundTarget {
        tcp_is_enough: true,
        ..by_address(address)
    };
    assert_eq!(prober.probe(&enough).await.status, "Connected");
}

#[tokio::test]
async fn something_else_than_tls_is_an_error_of_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let connection = prober(None).probe(&by_address(address)).await;
    assert!(connection.status.starts_with("Error: tls: "), "{}", connection.status);
}

#[rstest]
#[case::few(&["10.0.0.1"], &["10.0.0.1"])]
#[case::v4_first(&["fd00::1", "10.0.0.1"], &["10.0.0.1", "fd00::1"])]
#[case::both_kinds(&["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "fd00::1", "fd00::2"],
    &["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1"])]
#[case::many(&["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"],
    &["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"])]
fn addresses_to_try(#[case] found: &[&str], #[case] expected: &[&str]) {
    let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
    assert_eq!(to_try(&parse(found)), parse(expected));
}

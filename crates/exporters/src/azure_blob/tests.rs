//! The whole exporter against a service that does things wrong.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use periscope_core::{ExportContext, ExportError, Exporter as _, Format, LooseFile, Receipt};
use periscope_testkit::{HttpFault, HttpFaults, SampleArchive};
use proptest::prelude::{ProptestConfig, proptest};
use rstest::rstest;
use secrecy::SecretString;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::form_urlencoded::byte_serialize;

use super::blocks::BLOCK;
use super::failure::CAUSES;
use super::fake_service::{Answer, FakeService, SIGNATURE, What, wrong};
use super::{AzureBlobConfig, AzureBlobExporter, BlobCredential, Cloud, DEFAULT_UPLOAD_TIMEOUT, WorkloadIdentity};

const SAS: &str = "sv=2022-11-02&ss=b&srt=sco&sp=rwdlac&se=2999-01-01T00:00:00Z&spr=https,http&sig=";

fn config(account: &str, credential: BlobCredential) -> AzureBlobConfig {
    // The second one of a process is refused, and the first is just as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    AzureBlobConfig {
        account: account.to_owned(),
        cloud: Cloud::Public,
        container: "cluster".to_owned(),
        create_container: true,
        credential,
        ca_file: None,
        formats: vec![Format::TarGz, Format::Zip],
        timeout: DEFAULT_UPLOAD_TIMEOUT,
    }
}

fn signed(account: &str) -> AzureBlobExporter {
    let sas = SecretString::from(format!(
        "{SAS}{}",
        byte_serialize(SIGNATURE.as_bytes()).collect::<String>()
    ));
    AzureBlobExporter::new(config(account, BlobCredential::Sas(sas))).unwrap()
}

/// An exporter and the service that it speaks to.
fn faked(script: impl Fn(What, usize) -> Answer + Send + Sync + 'static) -> (AzureBlobExporter, Arc<FakeService>) {
    let service = Arc::new(FakeService::new(script));
    let exporter = signed("diag01").through(service.clone());
    (exporter, service)
}

async fn export(exporter: &AzureBlobExporter, archive: SampleArchive) -> Result<Vec<Receipt>, ExportError> {
    exporter
        .export(
            &ExportContext {
                cancel: CancellationToken::new(),
            },
            Arc::new(archive),
        )
        .await
}

/// Every error of this exporter comes through here: it is one line, and nowhere in it is the signature.
fn line(error: &ExportError) -> String {
    let mut everything = format!("{error}\n{error:?}");
    let mut next = error.source();
    while let Some(source) = next {
        everything = format!("{everything}\n{source}\n{source:?}");
        next = source.source();
    }
    for spelling in [SIGNATURE.to_owned(), byte_serialize(SIGNATURE.as_bytes()).collect()] {
        assert!(!everything.contains(&spelling), "{everything}");
    }
    let line = error.to_string();
    assert!(!line.contains('\n') && line.len() < 500, "{line}");
    line
}

fn right(_: What, _: usize) -> Answer {
    Answer::Right
}

#[tokio::test]
async fn the_archive_comes_last_and_in_the_order_of_the_formats() {
    let (exporter, service) = faked(right);
    let mut archive = SampleArchive::new(1, 5_000_000);
    archive.loose.push(LooseFile {
        name: "networkconfig".to_owned(),
        bytes: Vec::new(),
    });
    archive.loose.push(LooseFile {
        name: "analysis.json".to_owned(),
        bytes: vec![b' '; BLOCK + 1],
    });
    let packed = archive.packed();
    let receipts = export(&exporter, archive).await.unwrap();

    let blobs = service.blobs();
    let stored: Vec<_> = blobs
        .iter()
        .map(|(name, blob)| (name.as_str(), blob.content_type.as_str(), blob.content.len()))
        .collect();
    assert_eq!(
        stored,
        [
            ("run-1/node-1/manifest.json", "application/json", 2),
            ("run-1/node-1/networkconfig", "text/plain; charset=utf-8", 0),
            ("run-1/node-1/analysis.json", "application/json", BLOCK + 1),
            ("run-1/node-1/node-1.tar.gz", "application/gzip", 5_000_000),
            ("run-1/node-1/node-1.zip", "application/zip", 5_000_000),
        ]
    );
    assert!(blobs[4].1.content == packed);
    let receipt = |format: Format| Receipt {
        location: format!("https://diag01.blob.core.windows.net/cluster/run-1/node-1/node-1.{format}"),
        format,
        bytes: 5_000_000,
    };
    assert_eq!(receipts, [receipt(Format::TarGz), receipt(Format::Zip)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn an_archive_of_any_size_arrives_as_it_was(seed: u64, bytes in 0..5 * BLOCK as u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        // Some requests fail, so that blocks overtake each other. One of four must not: time stands still while the
        // archive is made, and it is not made further while four wait.
        let (exporter, service) = faked(move |what, before| match what {
            What::Stage if (seed >> before) & 1 == 1 && before < 3 => Answer::Cut,
            _ => Answer::Right,
        });
        let archive = SampleArchive::new(seed, bytes);
        let packed = archive.packed();
        runtime.block_on(export(&exporter, archive)).unwrap();
        assert!(service.blobs().pop().unwrap().1.content == packed);
    }
}

#[tokio::test]
async fn no_more_than_six_blocks_are_in_memory() {
    let (exporter, service) = faked(|what, before| match what {
        // The loose file comes first.
        What::Stage if before > 0 => Answer::Silence,
        _ => Answer::Right,
    });
    let archive = Arc::new(SampleArchive::new(1, 20 * BLOCK as u64));
    let cx = ExportContext {
        cancel: CancellationToken::new(),
    };
    let mut in_flight = service.in_flight();
    let exporting = exporter.export(&cx, archive.clone());
    let watching = async {
        in_flight.wait_for(|count| *count == 4).await.unwrap();
        cx.cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(exporting, watching);
    assert!(line(&outcome.unwrap_err()).ends_with(": cancelled"));
    let taken = archive.taken.load(Ordering::Relaxed);
    assert!(
        (4 * BLOCK as u64..=6 * BLOCK as u64).contains(&taken),
        "{taken} bytes were taken"
    );
    assert_eq!(
        service.asked().iter().filter(|what| **what == What::Stage).count(),
        1 + 4
    );
    assert_eq!(service.names(), ["run-1/node-1/manifest.json"]);
}

#[rstest]
#[case::a_broken_connection(What::Stage, Answer::Cut)]
#[case::a_lost_answer_to_a_block(What::Stage, Answer::Lost)]
#[case::a_lost_answer_to_the_list(What::Commit, Answer::Lost)]
#[case::a_timeout(What::Commit, wrong(408, "OperationTimedOut"))]
#[case::an_internal_error(What::Stage, wrong(500, "InternalError"))]
#[case::throttling(What::Properties, wrong(503, "ServerBusy"))]
#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again(#[case] what: What, #[case] answer: Answer) {
    let (exporter, service) = faked(move |asked, before| {
        if asked == what && before % 2 == 0 {
            answer.clone()
        } else {
            Answer::Right
        }
    });
    export(&exporter, SampleArchive::new(1, 100)).await.unwrap();
    assert_eq!(service.names().last().unwrap(), "run-1/node-1/node-1.zip");
}

#[tokio::test(start_paused = true)]
async fn the_service_says_when_to_come_again() {
    let (exporter, _) = faked(|what, before| match what {
        What::Stage if before < 3 => Answer::Wrong(503, "ServerBusy", Some(("retry-after", "17"))),
        _ => Answer::Right,
    });
    let start = Instant::now();
    export(&exporter, SampleArchive::new(1, 100)).await.unwrap();
    let waited = start.elapsed();
    assert!(
        (Duration::from_secs(51)..Duration::from_mins(1)).contains(&waited),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_endless_storm_ends() {
    let (exporter, service) = faked(|_, _| wrong(503, "ServerBusy"));
    let start = Instant::now();
    let error = export(&exporter, SampleArchive::new(1, 100)).await.unwrap_err();
    assert_eq!(
        line(&error),
        "cannot upload to https://diag01.blob.core.windows.net/cluster: the service is too busy (503 ServerBusy)"
    );
    assert_eq!(service.asked().len(), 1 + 8);
    assert!(start.elapsed() < Duration::from_mins(3), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn nothing_takes_longer_than_it_may() {
    let (exporter, _) = faked(|what, _| match what {
        What::Commit => Answer::Wrong(503, "ServerBusy", Some(("retry-after", "86400"))),
        _ => Answer::Right,
    });
    let start = Instant::now();
    let error = export(&exporter, SampleArchive::new(1, 100)).await.unwrap_err();
    assert!(line(&error).ends_with(": not done after 1800 s"), "{error}");
    assert_eq!(start.elapsed().as_secs(), 1800);
}

#[tokio::test(start_paused = true)]
async fn a_check_of_a_black_hole_takes_ten_seconds() {
    let (exporter, _) = faked(|_, _| Answer::Silence);
    let start = Instant::now();
    let error = exporter.check().await.unwrap_err();
    assert!(line(&error).ends_with(": no usable answer within 10 s"), "{error}");
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[rstest]
#[case::gone_in_the_middle(
    What::Stage,
    wrong(404, "ContainerNotFound"),
    ": the container is gone, or never was and this credential may not make it (404 ContainerNotFound)"
)]
#[case::gone_before_the_list(
    What::Commit,
    wrong(404, "ContainerNotFound"),
    ": the container is gone, or never was and this credential may not make it (404 ContainerNotFound)"
)]
#[case::being_deleted(
    What::Stage,
    wrong(409, "ContainerBeingDeleted"),
    ": the container is being deleted: wait a minute, or use another (409 ContainerBeingDeleted)"
)]
#[case::another_upload(
    What::Commit,
    wrong(400, "InvalidBlockList"),
    ": another upload of the same archive ended at the same time (400 InvalidBlockList)"
)]
#[case::a_code_that_is_new(
    What::Stage,
    wrong(418, "Teapot"),
    ": diag01.blob.core.windows.net answered 418 Teapot"
)]
#[case::another_size(
    What::Properties,
    Answer::Altered("content-length", "99"),
    ": 100 bytes were sent, but the blob has 99"
)]
#[case::another_blob(
    What::Properties,
    Answer::Altered("etag", "\"0x0\""),
    ": the blob was replaced by somebody else"
)]
#[tokio::test]
async fn what_does_not_pass_ends_the_upload(#[case] what: What, #[case] answer: Answer, #[case] expected: &str) {
    let (exporter, service) = faked(move |asked, before| {
        // The loose file gets through.
        if asked == what && before > 0 {
            answer.clone()
        } else {
            Answer::Right
        }
    });
    let error = export(&exporter, SampleArchive::new(1, 100)).await.unwrap_err();
    assert!(line(&error).ends_with(expected), "{error}");
    assert!(!service.names().contains(&"run-1/node-1/node-1.zip".to_owned()));
    assert_eq!(
        service.asked().iter().filter(|asked| **asked == what).count(),
        2,
        "it is not tried again"
    );
}

#[tokio::test]
async fn a_credential_that_may_not_read_is_good_enough() {
    let (exporter, service) = faked(|what, _| match what {
        What::Properties => wrong(403, "AuthorizationPermissionMismatch"),
        _ => Answer::Right,
    });
    export(&exporter, SampleArchive::new(1, 100)).await.unwrap();
    assert_eq!(service.names().len(), 3);
}

#[tokio::test]
async fn an_archive_that_breaks_off_becomes_no_blob() {
    let (exporter, service) = faked(right);
    let mut archive = SampleArchive::new(1, 3 * BLOCK as u64);
    archive.fails_after = Some((2 * BLOCK as u64, io::ErrorKind::UnexpectedEof));
    let error = export(&exporter, archive).await.unwrap_err();
    assert!(line(&error).ends_with(": the archive cannot be read"), "{error}");
    assert_eq!(service.names(), ["run-1/node-1/manifest.json"]);
}

#[tokio::test]
async fn a_check_makes_the_container_and_no_blob() {
    let (exporter, service) = faked(right);
    exporter.check().await.unwrap();
    assert_eq!(service.asked(), [What::CreateContainer, What::Stage]);
    assert_eq!(service.staged(), ["aks-periscope-check"]);
    assert_eq!(service.names(), [""; 0]);
}

#[rstest]
#[case::it_is_there(wrong(409, "ContainerAlreadyExists"))]
#[case::it_may_not_be_made(wrong(403, "AuthorizationPermissionMismatch"))]
#[case::it_may_not_be_made_says_azurite(wrong(403, "AuthorizationFailure"))]
#[tokio::test]
async fn a_container_that_cannot_be_made_may_be_there(#[case] answer: Answer) {
    let (exporter, service) = faked(move |what, _| match what {
        What::CreateContainer => answer.clone(),
        _ => Answer::Right,
    });
    exporter.check().await.unwrap();
    assert_eq!(service.asked(), [What::CreateContainer, What::Stage]);
}

#[tokio::test]
async fn a_refused_signature_is_not_tried_twice() {
    let (exporter, service) = faked(|_, _| wrong(403, "AuthenticationFailed"));
    let error = exporter.check().await.unwrap_err();
    assert!(
        line(&error).ends_with("or a clock is wrong (403 AuthenticationFailed)"),
        "{error}"
    );
    assert_eq!(service.asked(), [What::CreateContainer]);
}

#[tokio::test]
async fn a_check_in_a_container_that_nobody_may_make_asks_once() {
    let service = Arc::new(FakeService::new(right));
    let sas = format!(
        "sv=2022-11-02&sr=c&sp=rcwl&se=2999-01-01&sig={}",
        byte_serialize(SIGNATURE.as_bytes()).collect::<String>()
    );
    let config = config("diag01", BlobCredential::Sas(SecretString::from(sas)));
    AzureBlobExporter::new(config)
        .unwrap()
        .through(service.clone())
        .check()
        .await
        .unwrap();
    assert_eq!(service.asked(), [What::Stage]);
}

#[tokio::test(start_paused = true)]
async fn every_known_code_has_its_line() {
    for (code, cause) in CAUSES {
        let (exporter, _) = faked(|what, _| {
            if what == What::Stage {
                wrong(403, code)
            } else {
                Answer::Right
            }
        });
        let error = exporter.check().await.unwrap_err();
        assert!(
            line(&error).ends_with(&format!("cluster: {cause} (403 {code})")),
            "{error}"
        );
    }
}

#[rstest]
#[case::closed(HttpFault::Closed, "no connection to 127.0.0.1: ")]
#[case::cut_head(HttpFault::CutHead, "no connection to 127.0.0.1: ")]
#[case::cut_body(HttpFault::CutBody, "no connection to 127.0.0.1: ")]
#[case::garbage(HttpFault::Garbage, "no connection to 127.0.0.1: ")]
#[case::redirect(HttpFault::Answered("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/".to_owned()), "127.0.0.1 answered 302")]
#[case::firewall(
    HttpFault::Answered("HTTP/1.1 403 This request is not authorized\r\nx-ms-error-code: AuthorizationFailure".to_owned()),
    "the account's firewall refuses this node, or the credential does not permit this (403 AuthorizationFailure)"
)]
#[tokio::test]
async fn a_bad_network_is_named(#[case] fault: HttpFault, #[case] expected: &str) {
    let server = HttpFaults::start(vec![fault]).await;
    let error = signed(&format!("http://{}", server.address)).check().await.unwrap_err();
    assert!(line(&error).contains(expected), "{error}");
}

#[tokio::test]
async fn a_closed_port_is_named() {
    let address = HttpFaults::nobody().await;
    let error = signed(&format!("http://{address}")).check().await.unwrap_err();
    assert!(
        line(&error).ends_with(": no connection to 127.0.0.1: connection refused"),
        "{error}"
    );
}

#[tokio::test]
async fn plain_http_where_tls_should_be_is_named() {
    let server = HttpFaults::start(vec![HttpFault::Garbage]).await;
    let error = signed(&format!("https://{}", server.address))
        .check()
        .await
        .unwrap_err();
    assert!(line(&error).contains("no connection to 127.0.0.1: "), "{error}");
}

#[tokio::test]
async fn an_identity_without_its_token_file_is_named() {
    let identity = WorkloadIdentity {
        client_id: Some("client".to_owned()),
        tenant_id: Some("tenant".to_owned()),
        token_file: Some("/nonexistent/token".into()),
        authority_host: None,
    };
    let exporter = AzureBlobExporter::new(config("diag01", BlobCredential::WorkloadIdentity(identity))).unwrap();
    let error = exporter.check().await.unwrap_err();
    assert_eq!(
        line(&error),
        "cannot upload to https://diag01.blob.core.windows.net/cluster: no token from the identity: \
         failed to read federated token from file /nonexistent/token: No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn authorities_that_cannot_be_read_are_named() {
    let mut config = config("diag01", BlobCredential::Sas(SecretString::from(format!("{SAS}abc"))));
    config.ca_file = Some("/nonexistent/ca.pem".into());
    let error = AzureBlobExporter::new(config).unwrap().check().await.unwrap_err();
    assert!(
        line(&error).ends_with(": cannot read the authorities in /nonexistent/ca.pem"),
        "{error}"
    );
}

#[rstest]
#[case::no_format(|config: &mut AzureBlobConfig| config.formats.clear(), "no upload format: expected tar.gz, zip or both")]
#[case::unpacked(|config: &mut AzureBlobConfig| config.formats.push(Format::Unpacked), "cannot upload as unpacked: expected tar.gz or zip")]
#[case::container(|config: &mut AzureBlobConfig| config.container.push('_'), "invalid container name \"cluster_\": expected ")]
#[case::account(|config: &mut AzureBlobConfig| config.account.push('_'), "invalid storage account \"diag01_\": expected ")]
#[case::cloud(|config: &mut AzureBlobConfig| config.cloud = Cloud::Custom("moon".to_owned()), "invalid cloud \"moon\": expected ")]
#[case::identity_over_http(
    |config: &mut AzureBlobConfig| {
        config.account = "http://127.0.0.1:1/a".to_owned();
        config.credential = BlobCredential::ManagedIdentity { client_id: None };
    },
    "cannot use an identity with \"http://127.0.0.1:1/a/cluster\": expected an https endpoint, or a SAS"
)]
fn a_wrong_setting_is_named(#[case] spoil: fn(&mut AzureBlobConfig), #[case] expected: &str) {
    let mut config = config("diag01", BlobCredential::Sas(SecretString::from(format!("{SAS}abc"))));
    spoil(&mut config);
    let error = AzureBlobExporter::new(config).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
}

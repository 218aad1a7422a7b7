//! The Azure exporter against a real blob service.

use std::error::Error as _;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use periscope_core::{ExportContext, ExportError, Exporter as _, Format, Receipt};
use periscope_exporters::{AzureBlobConfig, AzureBlobExporter, BlobCredential, Cloud, DEFAULT_UPLOAD_TIMEOUT};
use periscope_testkit::SampleArchive;
use periscope_tests::{Azurite, Services};
use rstest::rstest;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

fn exporter(azurite: &Azurite, container: &str, sas: &str) -> AzureBlobExporter {
    trusting(Some(azurite.ca_file.clone()), azurite, container, sas)
}

fn trusting(ca_file: Option<PathBuf>, azurite: &Azurite, container: &str, sas: &str) -> AzureBlobExporter {
    // The second one of a process is refused, and the first is just as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    AzureBlobExporter::new(AzureBlobConfig {
        account: azurite.endpoint.clone(),
        cloud: Cloud::Public,
        container: container.to_owned(),
        create_container: true,
        credential: BlobCredential::Sas(SecretString::from(sas)),
        ca_file,
        formats: vec![Format::TarGz, Format::Zip],
        timeout: DEFAULT_UPLOAD_TIMEOUT,
    })
    .expect("these settings are right")
}

async fn export(exporter: &AzureBlobExporter, archive: SampleArchive) -> Result<Vec<Receipt>, ExportError> {
    let cx = ExportContext {
        cancel: CancellationToken::new(),
    };
    exporter.export(&cx, Arc::new(archive)).await
}

/// A container of its own for each test and each run: the service may live on between runs.
fn fresh(name: &str) -> String {
    format!("blob-{name}-{}", Timestamp::now().as_microsecond())
}

fn names(azurite: &Azurite, container: &str, run: &str) -> Vec<String> {
    let folder = format!("{run}/node-1/");
    let all = azurite.list(container);
    all.into_iter()
        .filter_map(|name| name.strip_prefix(&folder).map(str::to_owned))
        .collect()
}

/// Everything that an error says, however it is printed.
fn everything(error: &ExportError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text} {source} {source:?}");
        next = source.source();
    }
    text
}

fn signature(sas: &str) -> &str {
    sas.split("sig=").nth(1).expect("it is signed")
}

#[rstest]
#[case::as_it_is("plain", |_: &Azurite, sas: &str| sas.to_owned())]
#[case::with_a_question_mark("marked", |_: &Azurite, sas: &str| format!("?{sas}"))]
#[case::with_a_line_break("broken", |_: &Azurite, sas: &str| format!("\"?{sas}\"\n"))]
#[case::as_a_url("url", |azurite: &Azurite, sas: &str| format!("{}/?{sas}", azurite.endpoint))]
#[case::decoded("decoded", |_: &Azurite, sas: &str| {
    let raw = signature(sas).replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    sas.replace(signature(sas), &raw)
})]
#[tokio::test]
async fn an_account_signature_makes_the_container_and_uploads(
    #[case] name: &str,
    #[case] pasted: fn(&Azurite, &str) -> String,
) {
    let azurite = Services::running().azurite;
    let container = fresh(name);
    let sas = azurite.account_sas("rwdlac", Azurite::in_an_hour());
    let exporter = exporter(&azurite, &container, &pasted(&azurite, &sas));

    exporter.check().await.unwrap();
    assert_eq!(azurite.list(&container), [""; 0], "the check leaves no blob");

    let receipts = export(&exporter, SampleArchive::new(1, 100_000)).await.unwrap();
    assert_eq!(
        names(&azurite, &container, "run-1"),
        ["manifest.json", "node-1.tar.gz", "node-1.zip"]
    );
    let expected = SampleArchive::new(1, 100_000).packed();
    assert!(azurite.get(&container, "run-1/node-1/node-1.zip") == expected);
    assert_eq!(azurite.get(&container, "run-1/node-1/manifest.json"), b"{}");
    let location = format!("{}/{container}/run-1/node-1/node-1.tar.gz", azurite.endpoint);
    assert_eq!(
        receipts[0],
        Receipt {
            location,
            format: Format::TarGz,
            bytes: 100_000
        }
    );
}

#[rstest]
#[case::all_rights("all", "rcwl")]
#[case::the_least("least", "w")]
#[tokio::test]
async fn a_container_signature_uploads(#[case] name: &str, #[case] permissions: &str) {
    let azurite = Services::running().azurite;
    let container = fresh(name);
    azurite.create_container(&container);
    let sas = azurite.container_sas(&container, permissions, Azurite::in_an_hour());
    let exporter = exporter(&azurite, &container, &sas);
    exporter.check().await.unwrap();
    // Twice, because the second time there is something to be replaced.
    for seed in [1, 2] {
        export(&exporter, SampleArchive::new(seed, 5_000_000)).await.unwrap();
    }
    let expected = SampleArchive::new(2, 5_000_000).packed();
    assert!(azurite.get(&container, "run-1/node-1/node-1.tar.gz") == expected);
}

#[tokio::test]
async fn a_hundred_megabytes_arrive_as_they_were() {
    let azurite = Services::running().azurite;
    let sas = azurite.account_sas("rwdlac", Azurite::in_an_hour());
    let container = fresh("large");
    let exporter = exporter(&azurite, &container, &sas);
    exporter.check().await.unwrap();
    export(&exporter, SampleArchive::new(3, 100_000_001)).await.unwrap();
    let expected = SampleArchive::new(3, 100_000_001).packed();
    assert!(azurite.get(&container, "run-1/node-1/node-1.zip") == expected);
}

#[rstest]
#[case::expired("the SAS expired at ", |azurite: &Azurite| {
    azurite.account_sas("rwdlac", Timestamp::now() - SignedDuration::from_secs(1))
})]
#[case::read_only("the SAS does not permit to write: sp is \"rl\"", |azurite: &Azurite| {
    azurite.account_sas("rl", Azurite::in_an_hour())
})]
#[case::read_only_container("the SAS does not permit to write: sp is \"rl\"", |azurite: &Azurite| {
    azurite.container_sas("blob-refused", "rl", Azurite::in_an_hour())
})]
#[case::another_key("(403 ", |azurite: &Azurite| {
    Azurite { key: "QUFBQQ==".to_owned(), ..azurite.clone() }.account_sas("rwdlac", Azurite::in_an_hour())
})]
#[case::another_container("(403 ", |azurite: &Azurite| {
    azurite.container_sas("blob-another", "rcwl", Azurite::in_an_hour())
})]
#[case::claims_more_than_was_signed("(403 ", |azurite: &Azurite| {
    azurite.account_sas("rl", Azurite::in_an_hour()).replace("sp=rl", "sp=rwl")
})]
#[case::no_container_and_no_right_to_make_one("the container is gone", |azurite: &Azurite| {
    azurite.container_sas("blob-refused", "rcwl", Azurite::in_an_hour())
})]
#[tokio::test]
async fn a_check_names_what_is_wrong(#[case] expected: &str, #[case] sas: fn(&Azurite) -> String) {
    let azurite = Services::running().azurite;
    let sas = sas(&azurite);
    let exporter = exporter(&azurite, "blob-refused", &sas);
    let error = exporter.check().await.unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
    assert!(error.is_refused(), "{error}");
    assert!(!everything(&error).contains(signature(&sas)));

    // The same when nobody checked before.
    let error = export(&exporter, SampleArchive::new(1, 10)).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot upload to https://"), "{error}");
    assert!(!everything(&error).contains(signature(&sas)));
}

#[tokio::test]
async fn an_unknown_authority_is_named() {
    let azurite = Services::running().azurite;
    let sas = azurite.account_sas("rwdlac", Azurite::in_an_hour());
    let error = trusting(None, &azurite, "blob-untrusted", &sas)
        .check()
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("its certificate is not trusted (invalid peer certificate: UnknownIssuer)"),
        "{error}"
    );
    assert!(!everything(&error).contains(signature(&sas)));
}

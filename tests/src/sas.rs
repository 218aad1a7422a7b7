//! Shared access signatures, signed with the account key as the storage service defines them
//! (<https://learn.microsoft.com/rest/api/storageservices/create-account-sas>, `create-service-sas`).
//! The product is only ever given a finished signature: it has no code for this.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use url::form_urlencoded::Serializer;

/// The service version whose string-to-sign is written here.
const VERSION: &str = "2022-11-02";

/// A signature over a whole account, for its blobs, containers and the service.
pub(crate) fn account(name: &str, key: &[u8], permissions: &str, expires: Timestamp) -> String {
    let expiry = seconds(expires);
    // account, permissions, services, resource types, start, expiry, address, protocol, version, encryption scope
    let text = format!("{name}\n{permissions}\nb\nsco\n\n{expiry}\n\nhttps\n{VERSION}\n\n");
    query(
        &[
            ("sv", VERSION),
            ("ss", "b"),
            ("srt", "sco"),
            ("sp", permissions),
            ("se", &expiry),
            ("spr", "https"),
        ],
        &sign(key, &text),
    )
}

/// A signature over one container and the blobs in it.
pub(crate) fn container(name: &str, key: &[u8], container: &str, permissions: &str, expires: Timestamp) -> String {
    let expiry = seconds(expires);
    // permissions, start, expiry, resource, identifier, address, protocol, version, resource type, snapshot,
    // encryption scope, five response headers
    let text = format!("{permissions}\n\n{expiry}\n/blob/{name}/{container}\n\n\nhttps\n{VERSION}\nc\n\n\n\n\n\n\n");
    query(
        &[
            ("sv", VERSION),
            ("sr", "c"),
            ("sp", permissions),
            ("se", &expiry),
            ("spr", "https"),
        ],
        &sign(key, &text),
    )
}

/// The service takes no fractions of a second.
fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn sign(key: &[u8], text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn query(fields: &[(&str, &str)], signature: &str) -> String {
    Serializer::new(String::new())
        .extend_pairs(fields)
        .append_pair("sig", signature)
        .finish()
}

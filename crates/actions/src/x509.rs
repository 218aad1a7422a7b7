//! What a certificate says about whom, and until when; it verifies nothing.

use std::net::IpAddr;

use jiff::Timestamp;
use periscope_documents::Certificate;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

/// Most names taken from one certificate; those of content delivery networks have hundreds.
const MAX_NAMES: usize = 64;

/// Reads a certificate in DER form.
///
/// # Errors
/// When it is none, in words.
pub(crate) fn describe(der: &[u8]) -> Result<Certificate, String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| format!("not a certificate: {error}"))?;
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names
        .iter()
        .flat_map(|names| &names.value.general_names)
        .take(MAX_NAMES)
        .filter_map(name);
    Ok(Certificate {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        names: names.collect(),
        not_before: moment(certificate.validity().not_before)?,
        not_after: moment(certificate.validity().not_after)?,
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => {
            let v4 = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

fn moment(time: ASN1Time) -> Result<Timestamp, String> {
    Timestamp::from_second(time.timestamp()).map_err(|error| format!("not a certificate: {error}"))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};

    use super::describe;

    #[test]
    fn names_and_times_are_read() {
        let mut params = CertificateParams::new(vec!["node-1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "system:node:node-1");
        params
            .subject_alt_names
            .push(SanType::IpAddress("10.0.0.4".parse().unwrap()));
        params
            .subject_alt_names
            .push(SanType::IpAddress("fd00::4".parse().unwrap()));
        params.not_before = date_time_ymd(2026, 1, 2);
        params.not_after = date_time_ymd(2027, 3, 4);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let said = describe(certificate.der()).unwrap();
        assert!(said.subject.contains("CN=system:node:node-1"), "{}", said.subject);
        assert_eq!(said.issuer, said.subject);
        assert_eq!(said.names, ["node-1", "10.0.0.4", "fd00::4"]);
        assert_eq!(said.not_before.to_string(), "2026-01-02T00:00:00Z");
        assert_eq!(said.not_after.to_string(), "2027-03-04T00:00:00Z");
    }

    #[test]
    fn what_is_none_is_said_to_be_none() {
        assert!(describe(b"hello").unwrap_err().starts_with("not a certificate: "));
    }
}

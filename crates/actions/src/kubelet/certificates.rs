//! The certificates on the node, described. Of a file that also holds a key, only the certificates are looked at.

use periscope_documents::NodeCertificate;
use periscope_host::{HostError, HostPath, HostRoot};
use x509_parser::pem::Pem;

use crate::x509;

/// Largest file of certificates that is read: a bundle of all public authorities takes a quarter of it.
const MAX_FILE_BYTES: usize = 1024 * 1024;

/// Most certificates described in all; a node has a dozen.
const MAX_CERTIFICATES: usize = 1_000;

/// The certificates of the node, and the files that were not read.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    /// By file, in the order of the patterns.
    pub(super) rows: Vec<NodeCertificate>,
    /// What could not be read, apart from what is not there.
    pub(super) unread: Vec<HostError>,
}

/// Describes the certificates in the files that the patterns name. Blocks.
pub(super) fn describe(root: &HostRoot, patterns: &[String]) -> Certificates {
    let mut found = Certificates::default();
    for pattern in patterns {
        match root.glob(pattern) {
            Ok(matches) => {
                found.unread.extend(matches.unread);
                matches.paths.iter().for_each(|path| found.add_file(root, path));
            }
            Err(error) => found.unread.push(error),
        }
    }
    found
}

impl Certificates {
    fn add_file(&mut self, root: &HostRoot, path: &HostPath) {
        let is_known = self.rows.iter().any(|row| row.path == path.as_str());
        if is_known || self.rows.len() >= MAX_CERTIFICATES {
            return;
        }
        match root.read(path, MAX_FILE_BYTES) {
            Ok(content) => self.rows.extend(describe_file(path, &content).take(MAX_CERTIFICATES)),
            // Deleted since the folder was listed, or a link to nothing.
            Err(HostError::NotFound { .. }) => {}
            Err(error) => self.unread.push(error),
        }
    }
}

/// One row for each certificate, or one that says that there is none.
fn describe_file(path: &HostPath, content: &[u8]) -> impl Iterator<Item = NodeCertificate> {
    let mut said: Vec<_> = blocks(content).iter().map(|der| x509::describe(der)).collect();
    if said.is_empty() {
        // DER has no armour.
        said.push(x509::describe(content));
    }
    let path = path.to_string();
    said.into_iter().enumerate().map(move |(index, said)| {
        let (certificate, error) = match said {
            Ok(certificate) => (Some(certificate), None),
            Err(error) => (None, Some(error)),
        };
        NodeCertificate {
            path: path.clone(),
            number: index + 1,
            certificate,
            error,
        }
    })
}

/// The certificates of a PEM file, in DER form.
fn blocks(content: &[u8]) -> Vec<Vec<u8>> {
    Pem::iter_from_buffer(content)
        .filter_map(Result::ok)
        .filter(|block| block.label == "CERTIFICATE")
        .map(|block| block.contents)
        .collect()
}

//! `CoreDNS`, built from the Go module that `tests/services/coredns` pins, and its image for the cluster.

use std::path::PathBuf;

use anyhow::Result;

use super::cache::Cache;
use super::{go, image, place};

/// The name under which the deployment refers to the image.
const IMAGE: &str = "periscope.test/coredns:1";
/// In the image too.
const PROGRAM: &str = "coredns";

/// The folder with the program, and its image in [`image::ARCHIVE`].
pub(crate) fn build(cache: &Cache) -> Result<PathBuf> {
    let module = place::workspace().join("tests/services/coredns");
    let (requirements, sums) = go::requirements(&module)?;
    cache.entry("coredns", &[requirements.as_bytes(), &sums], |folder| {
        go::build(&module, "-s -w", folder)?;
        image::archive(folder, IMAGE, PROGRAM, &[])
    })
}

//! What a command line says of an installation on a cluster, read alike by `manifests`, which prints one, and by
//! `kollect`, which applies one.

use anyhow::Result;
use secrecy::{ExposeSecret as _, SecretString};

use crate::exit::Ended;
use crate::run::is_label;

/// With the `?` that agents of any age expect (Periscope contract, section 1.1); of a whole URL its query.
pub(crate) fn as_query(sas: &SecretString) -> SecretString {
    let sas = sas.expose_secret().trim();
    let query = sas.split_once('?').map_or(sas, |(_, query)| query);
    format!("?{query}").into()
}

/// The words of lists that are given apart by spaces or commas, as either shell habit has it.
pub(crate) fn words(lists: &[String]) -> Vec<String> {
    let words = lists.iter().flat_map(|list| list.split([' ', ',', '\t', '\n']));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A name that a namespace can have.
pub(crate) fn label(name: String) -> Result<String> {
    if is_label(&name) {
        Ok(name)
    } else {
        Err(Ended::usage(format!(
            "invalid namespace {name:?}: expected 1 to 63 of a-z 0-9 - beginning and ending with a letter or a digit"
        )))
    }
}

//! Removes secrets from streams of bytes, from texts and from objects, before they are stored anywhere.
//!
//! It does not read files, does not decide what is collected, and parses documents only where they are at hand whole
//! ([`object`]). [`RULES`] lists what is found. What looks like a secret is replaced by a marker such as
//! `[REDACTED:azure-sas]`; names, users, hosts and the structure of lines stay, and JSON stays valid.
//!
//! * **Lines are seen as a reader sees them**: fragments of container logs are joined per stream, secrets inside escaped
//!   JSON strings are found at any depth, blocks of PEM and YAML are followed over lines.
//! * **Any chunking of the same bytes gives the same output**, and redacting twice changes nothing.
//! * **Bounded**: at most twice [`LOOK_BEHIND`] and a record are held back; a secret of up to [`MAX_SECRET`] bytes is
//!   found whole wherever it lies in a line of any length. A fragment whose rest does not come within that is
//!   decided without it.
//! * **Binary content** is searched only for forms that leave no doubt, and replaced by asterisks of the same length.
//! * **Not read**: text that begins with the mark of UTF-16 is an error, so that it is withheld.
//! * **Not found**: text in UTF-16 without that mark or compressed, secrets without a name or a known form, values split over lines in ways
//!   other than PEM, YAML blocks and `name`/`value` pairs.
//! * **Fail closed**: after an error nothing of the stream may be shipped.

mod carry;
mod class;
mod command;
mod content;
mod counts;
mod found;
mod header;
mod lane;
mod line;
mod marker;
mod name;
pub mod object;
mod output;
mod pem;
mod plain;
mod record;
mod redactor;
mod rules;
mod scan;
mod text;
mod token;
mod url;
mod value;

pub use content::{ContentKind, RedactError};
pub use counts::Counts;
pub use found::MAX_SECRET;
pub use marker::MARKER_PREFIX;
pub use redactor::{LOOK_BEHIND, Redactor};
pub use rules::{RULES, Rule};
pub use scan::Rules;
pub use text::redact_str;

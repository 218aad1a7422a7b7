//! The definition of `Diagnostic` rows.
pub(crate) use periscope_agent::rows::crd;

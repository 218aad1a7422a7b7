//! Descriptions of objects for people to read, in the sections that `kubectl describe` has; made from raw objects
//! without asking the API.

mod containers;
mod deployment;
mod fields;
mod generic;
mod object;
mod page;
mod pod;
mod service;

pub(super) use object::{Described, describe};

#[cfg(test)]
mod tests;

//! The Kubernetes objects that bring the program onto every node, made from the actions' table.
//!
//! It applies nothing.

mod access;
mod configuration;
mod daemon_set;
mod deployment;
pub mod names;
mod object;
mod objects;
mod privileges;
mod rows;
mod settings;

pub use access::components;
pub use deployment::{File, deployment};
pub use object::Object;
pub use objects::{objects, to_yaml};
pub use privileges::{ACCESSES, CAPABILITIES, Privilege};
pub use settings::{Lists, PullPolicy, Settings, Storage};

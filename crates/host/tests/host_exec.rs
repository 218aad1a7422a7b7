//! Programs of a node in other namespaces.
fn main() {}

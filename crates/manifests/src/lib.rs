//! The Kubernetes objects that bring the program onto every node, made from the actions' table.
//!
//! It applies nothing.

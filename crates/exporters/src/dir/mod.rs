//! The exporter that puts archives into a folder of the node.

mod check;
mod exporter;
mod write;

pub use exporter::DirExporter;

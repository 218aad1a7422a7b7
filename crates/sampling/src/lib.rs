//! Samples of connections between runs: a bounded ring on the node's disk, and the down periods that follow from it.
//!
//! It neither chooses what is sampled nor reports it anywhere.

//! Faults made for real on the test node, each undone when its guard is dropped, and the turn of the one who may make
//! them. What they must lead to is for the tests to say.

mod change;
mod files;
mod image;
mod journal;
mod mount;
mod packets;
mod processes;
mod turn;
mod zone;

pub use change::Change;
pub use files::ChangedFile;
pub use image::RemoteImage;
pub use journal::KernelLines;
pub use mount::SmallDisk;
pub use packets::{PacketRule, Where};
pub use processes::Stopped;
pub use turn::Turn;
pub use zone::BrokenNameServer;

//! Log records of containers: what a line says, which file it stands in, where a reader stopped and what it missed;
//! does not open files, does not follow them and talks to no server.

pub mod cri;
pub mod docker;

mod cursor;
mod gap;
mod path;
mod record;
mod since;
mod time;

pub use cursor::{Cursor, FileId, LineMark, LogFile, Resume, Start, Step, resume};
pub use gap::{Gap, Why};
pub use path::{ContainerLog, LogPath};
pub use record::{Format, ParseError, Record, Stream};
pub use since::offset_since;
pub use time::UnixNanos;

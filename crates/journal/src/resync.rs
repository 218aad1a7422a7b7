//! Finds the next readable object after a damaged place; does not repair anything.
//!
//! Objects start at multiples of eight, so those places are tried one after another. The text of a message could hold
//! something that looks like an object, so a place only counts when another object follows where this one ends.

use std::io;

use crate::layout::{Header, OBJECT_HEADER, ObjectHeader, align};
use crate::read_at::ReadAt;
use crate::window::Window;

/// Bytes looked through per look into the window.
const STRIDE: usize = 64 * 1024;

/// The offset of the first convincing object at or after `from` and before `until`.
pub(crate) fn find<R: ReadAt>(
    window: &mut Window<R>,
    header: &Header,
    from: u64,
    until: u64,
) -> io::Result<Option<u64>> {
    let mut base = align(from);
    while base < until {
        // The header of an object that starts before `until` may end behind it.
        let room = usize::try_from(until - base).map_or(STRIDE, |room| STRIDE.min(room + 16));
        let chunk = window.get(base, room)?;
        if chunk.len() < 16 {
            return Ok(None);
        }
        // A header may straddle the end of the chunk: step on by what was looked at, not by what was there.
        let looked_at = (chunk.len() - 8) & !7;
        let candidate = (0..looked_at)
            .step_by(8)
            .filter(|at| chunk[*at] != 0)
            .filter_map(|at| Some((base + at as u64, ObjectHeader::parse(&chunk[at..])?)))
            .find(|(offset, object)| *offset < until && object.convinces(*offset, header));
        let Some((offset, object)) = candidate else {
            base += looked_at as u64;
            continue;
        };
        if followed_by_object(window, header, offset + align(object.size))? {
            return Ok(Some(offset));
        }
        base = offset + 8;
    }
    Ok(None)
}

fn followed_by_object<R: ReadAt>(window: &Window<R>, header: &Header, offset: u64) -> io::Result<bool> {
    if offset + OBJECT_HEADER > header.end || offset > header.tail_object {
        return Ok(true);
    }
    let mut bytes = [0; 16];
    let len = window.read_past(offset, &mut bytes)?;
    Ok(ObjectHeader::parse(&bytes[..len]).is_some_and(|next| next.convinces(offset, header)))
}

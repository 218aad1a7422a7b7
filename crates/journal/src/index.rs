//! Finds where entries of a given time start, by bisection over the index of the file; does not read entries' data.

use std::io;

use crate::layout::{
    ENTRY_ARRAY_HEADER, ENTRY_HEADER, EntryHeader, Header, ObjectHeader, TYPE_ENTRY, TYPE_ENTRY_ARRAY, le64,
};
use crate::read_at::ReadAt;
use crate::window::Window;

/// Arrays in the chain: each is larger than the one before, so this covers far more than a file may hold.
const MAX_ARRAYS: usize = 4096;

/// One array of the chain.
#[derive(Clone, Copy)]
struct Array {
    offset: u64,
    len: u64,
    next: u64,
}

/// Finds the first entry at or after `since` (microseconds since 1970), or the one before it; nothing when the index is
/// damaged or empty.
///
/// Entries are in order of their sequence numbers; where the clock was set back, an entry before the one found may be
/// younger, as with any reader that seeks.
pub(crate) fn seek<R: ReadAt>(window: &Window<R>, header: &Header, since: u64) -> io::Result<Option<u64>> {
    let Some(mut array) = read_array(window, header, header.entry_array)? else {
        return Ok(None);
    };
    for _ in 0..MAX_ARRAYS {
        if array.next <= array.offset {
            break;
        }
        let Some(next) = read_array(window, header, array.next)? else {
            break;
        };
        match entry_at(window, header, next, 0)? {
            Some((_, realtime)) if realtime < since => array = next,
            _ => break,
        }
    }
    let (mut low, mut high) = (0, array.len);
    while low < high {
        let middle = low + (high - low) / 2;
        match entry_at(window, header, array, middle)? {
            Some((_, realtime)) if realtime < since => low = middle + 1,
            // Places not in use yet are zero and lie at the end of the last array; damaged ones are treated alike.
            _ => high = middle,
        }
    }
    // Past the last place of this array: the next entry is in another one, so start at the one before.
    for index in [low, low.saturating_sub(1)] {
        if let Some((offset, _)) = entry_at(window, header, array, index)? {
            return Ok(Some(offset));
        }
    }
    Ok(None)
}

fn read_array<R: ReadAt>(window: &Window<R>, header: &Header, offset: u64) -> io::Result<Option<Array>> {
    let mut bytes = [0; 24];
    if !header.may_start_object(offset) || window.read_past(offset, &mut bytes)? < bytes.len() {
        return Ok(None);
    }
    Ok(ObjectHeader::parse(&bytes)
        .filter(|o| o.kind == TYPE_ENTRY_ARRAY && o.fits(offset, header))
        .map(|object| Array {
            offset,
            len: (object.size - ENTRY_ARRAY_HEADER) / header.array_item(),
            next: le64(&bytes, 16),
        }))
}

/// The offset and the time of the entry at a place of an array.
fn entry_at<R: ReadAt>(
    window: &Window<R>,
    header: &Header,
    array: Array,
    index: u64,
) -> io::Result<Option<(u64, u64)>> {
    if index >= array.len {
        return Ok(None);
    }
    let mut item = [0; 8];
    window.read_past(
        array.offset + ENTRY_ARRAY_HEADER + index * header.array_item(),
        &mut item,
    )?;
    let offset = header.item_offset(&item, 0);
    let mut bytes = [0; ENTRY_HEADER];
    if !header.may_start_object(offset) || window.read_past(offset, &mut bytes)? < bytes.len() {
        return Ok(None);
    }
    let is_entry = ObjectHeader::parse(&bytes).is_some_and(|o| o.kind == TYPE_ENTRY && o.fits(offset, header));
    Ok(EntryHeader::parse(&bytes)
        .filter(|_| is_entry)
        .map(|entry| (offset, entry.realtime)))
}

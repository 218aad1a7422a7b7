//! One pass over the journal files on a thread of its own, the text divided among the artifacts, which are redacted and
//! compressed on theirs.

use std::fs::File;
use std::io;

use jiff::Timestamp;
use periscope_core::{ArtifactSpec, ArtifactWriter, Content, Sink, State};
use periscope_journal::{FileReport, Selection, Source, Transcript};
use tokio_util::sync::CancellationToken;

use super::journals::{Journal, no_entries};

/// Reads all files into the artifacts of `journals`; what `cancel` ends early keeps what it has. Blocks: as long as the files
/// are many, so it looks at `cancel` after each entry.
///
/// # Errors
/// When there are more journals than one pass can serve.
pub(super) fn run(
    files: Vec<Source<File>>,
    journals: &[Journal],
    since: Option<Timestamp>,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Vec<FileReport>, periscope_journal::Error> {
    let selection = Selection::new(journals.iter().map(|journal| journal.selector.clone()).collect())?;
    let mut transcript = Transcript::new(files, selection, since.map(micros));
    let mut writers: Vec<Option<ArtifactWriter>> = journals.iter().map(|_| None).collect();
    let mut write = |index: usize, text: &[u8]| {
        if let (Some(slot), Some(journal)) = (writers.get_mut(index), journals.get(index)) {
            let writer = slot.get_or_insert_with(|| sink.writer(ArtifactSpec::new(&*journal.name, Content::Text)));
            // A full one is done; the others go on.
            let _full = writer.write_blocking(text);
        }
        io::Result::Ok(())
    };
    while transcript.step(&mut write).unwrap_or(false) {
        if cancel.is_cancelled() {
            // Dropped writers keep what they have, with the reason for which the run ended.
            return Ok(transcript.into_reports());
        }
    }
    for (journal, writer) in journals.iter().zip(writers) {
        match writer {
            Some(writer) => {
                writer.finish_blocking(State::Collected, None);
            }
            None => sink.record(&journal.name, State::NotPresent, no_entries(journal, since)),
        }
    }
    Ok(transcript.into_reports())
}

/// Microseconds since 1970, as journals count.
fn micros(time: Timestamp) -> u64 {
    u64::try_from(time.as_microsecond()).unwrap_or(0)
}

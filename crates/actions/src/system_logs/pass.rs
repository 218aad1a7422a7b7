//! One pass over the journal files on a thread of its own, the text divided among the artifacts, which are redacted and
//! compressed on theirs.

use std::fs::File;
use std::io;

use jiff::Timestamp;
use periscope_core::{ArtifactSpec, ArtifactWriter, Content, Sink, State};
use periscope_journal::{FileReport, Selection, Source, Transcript};
use tokio_util::sync::CancellationToken;

use super::journals::{Journal, no_entries};

/// Reads all files into the artifacts of `journals`; what `cancel` ends early keeps what it has. Blocks: as long as the
/// files are many, so it looks at `cancel` after each entry.
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};
    use std::sync::Arc;

    use async_trait::async_trait;
    use flate2::read::GzDecoder;
    use periscope_core::{Action, ActionContext, ActionError};
    use periscope_journal::Selector;
    use periscope_testkit::ActionRun;

    use super::*;
    use crate::host_files::off_thread;
    use crate::system_logs::DESCRIPTOR;

    /// A journal of 240 entries.
    const JOURNAL: &[u8] = include_bytes!("../../../journal/fixtures/compact.journal.gz");

    /// The text of them.
    const TEXT: &str = include_str!("../../../journal/fixtures/all.txt");

    /// A pass that is cancelled before it begins.
    struct Cancelled;

    #[async_trait]
    impl Action for Cancelled {
        async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
            let mut content = Vec::new();
            GzDecoder::new(JOURNAL).read_to_end(&mut content).unwrap();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&content).unwrap();
            file.rewind().unwrap();
            let sink = cx.sink.clone();
            let all = Journal {
                name: "journal/all.log".to_owned(),
                selector: Selector::All,
                what: "anything".to_owned(),
            };
            let cancel = CancellationToken::new();
            cancel.cancel();
            let source = Source {
                name: "journal".to_owned(),
                file,
            };
            let pass = off_thread(move || run(vec![source], &[all], None, &sink, &cancel));
            let reports = pass.await.unwrap().unwrap();
            assert!(reports[0].entries < 240, "{reports:?}");
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_cancelled_pass_ends_after_an_entry_and_keeps_it() {
        let run = ActionRun::of(&DESCRIPTOR, Arc::new(Cancelled)).await;
        assert_eq!(run.record().state, State::Collected, "{:?}", run.record());
        assert_eq!(run.state("journal/all.log"), State::Failed);
        let kept = run.text("journal/all.log");
        assert!(
            !kept.is_empty() && kept.len() < 1000 && TEXT.starts_with(&kept),
            "{kept}"
        );
    }
}

//! The text of several journal files, divided among selectors in one pass; does not decide where the text goes.

use std::io;

use crate::format::Formatter;
use crate::merge::{Merge, Source};
use crate::read_at::ReadAt;
use crate::report::FileReport;
use crate::select::Selection;

/// Writes selected entries as text, one entry at a time, so that the caller can stop after any.
#[derive(Debug)]
pub struct Transcript<R> {
    merge: Merge<R>,
    selection: Selection,
    formatter: Formatter,
    /// The boot of the last entry of each selector.
    boots: Vec<Option<[u8; 16]>>,
    text: Vec<u8>,
}

impl<R: ReadAt> Transcript<R> {
    /// Takes the files in any order. `since_usec` (microseconds since 1970) leaves out older entries.
    pub fn new(sources: impl IntoIterator<Item = Source<R>>, selection: Selection, since_usec: Option<u64>) -> Self {
        Self {
            merge: Merge::new(sources, since_usec),
            boots: vec![None; selection.len()],
            selection,
            formatter: Formatter::default(),
            text: Vec::new(),
        }
    }

    /// Reads one entry and hands its text to `sink` once per selector that wants it, with the selector's index; false
    /// at the end of all files. Entries without a message are left out, as by journalctl.
    ///
    /// The text is one or more whole lines. Where a selector's entries pass into another boot, a line
    /// `-- Boot 0123456789abcdef0123456789abcdef --` comes before.
    ///
    /// # Errors
    ///
    /// The error of `sink`, after which the entry is lost to the selectors that it was not handed to. Damage in the
    /// files is no error; it is in [`Self::into_reports`].
    pub fn step(&mut self, mut sink: impl FnMut(usize, &[u8]) -> io::Result<()>) -> io::Result<bool> {
        let Some(reader) = self.merge.advance() else {
            return Ok(false);
        };
        let matches = self.selection.matches(reader.entry());
        if matches.is_empty() {
            return Ok(true);
        }
        let (entry, Some(message)) = reader.entry_and_message() else {
            return Ok(true);
        };
        self.text.clear();
        self.formatter.write(entry, message, &mut self.text);
        let boot = entry.boot_id();
        for index in matches {
            let last = self.boots[index].replace(boot);
            if last.is_some_and(|last| last != boot) {
                sink(
                    index,
                    format!("-- Boot {:032x} --\n", u128::from_be_bytes(boot)).as_bytes(),
                )?;
            }
            sink(index, &self.text)?;
        }
        Ok(true)
    }

    /// The accounts of all files.
    pub fn into_reports(self) -> Vec<FileReport> {
        self.merge.into_reports()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use rstest::rstest;

    use super::*;
    use crate::fixture::{Writer, simple};
    use crate::select::Selector;

    fn source(name: &str, file: Vec<u8>) -> Source<Vec<u8>> {
        Source {
            name: name.into(),
            file,
        }
    }

    /// The text for each selector, and the accounts of the files.
    fn run(
        sources: Vec<Source<Vec<u8>>>,
        selectors: &[Selector],
        since_usec: Option<u64>,
    ) -> (Vec<String>, Vec<FileReport>) {
        let selection = Selection::new(selectors.to_vec()).unwrap();
        let mut transcript = Transcript::new(sources, selection, since_usec);
        let mut texts = vec![Vec::new(); selectors.len()];
        let mut sink = |index: usize, text: &[u8]| {
            texts[index].extend_from_slice(text);
            Ok(())
        };
        while transcript.step(&mut sink).unwrap() {}
        (
            texts.into_iter().map(|text| String::from_utf8(text).unwrap()).collect(),
            transcript.into_reports(),
        )
    }

    /// The entries of a text made by [`simple`], by their number.
    fn numbers(text: &str) -> Vec<u64> {
        let word = |line: &str| {
            line.split("number ")
                .nth(1)
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .parse()
                .unwrap()
        };
        text.lines().map(word).collect()
    }

    #[rstest]
    #[case::regular(include_bytes!("../fixtures/regular.journal.gz"))]
    #[case::compact(include_bytes!("../fixtures/compact.journal.gz"))]
    fn files_of_systemd_become_the_text_of_journalctl(#[case] gz: &[u8]) {
        let mut file = Vec::new();
        GzDecoder::new(gz).read_to_end(&mut file).unwrap();
        let selectors = [
            Selector::All,
            Selector::Unit("kubelet.service".into()),
            Selector::Kernel,
        ];
        let (texts, reports) = run(vec![source("fixture", file)], &selectors, None);
        assert!(reports[0].is_whole(), "{reports:?}");
        assert_eq!(reports[0].entries, 240);
        let expected = [
            include_str!("../fixtures/all.txt"),
            include_str!("../fixtures/kubelet.txt"),
            include_str!("../fixtures/kernel.txt"),
        ];
        for (text, expected) in texts.iter().zip(expected) {
            let difference = text
                .lines()
                .zip(expected.lines())
                .find(|(line, expected)| line != expected);
            assert_eq!(difference, None);
            assert_eq!(text.len(), expected.len());
        }
    }

    #[test]
    fn each_selector_is_told_of_its_own_boots() {
        let mut writer = Writer::new(false);
        writer.entry(1, &["MESSAGE=a", "_TRANSPORT=kernel"]);
        writer.boot = 2;
        writer.entry(2, &["MESSAGE=b"]);
        writer.boot = 3;
        writer.entry(3, &["MESSAGE=c", "_TRANSPORT=kernel"]);
        let (texts, _) = run(
            vec![source("a", writer.finish())],
            &[Selector::All, Selector::Kernel],
            None,
        );
        let boots = |text: &str| {
            text.lines()
                .filter(|line| line.starts_with("-- Boot"))
                .map(String::from)
                .collect()
        };
        let all: Vec<String> = boots(&texts[0]);
        assert_eq!(
            all,
            [2, 3].map(|boot| format!("-- Boot {} --", format!("{boot:02}").repeat(16)))
        );
        let kernel: Vec<String> = boots(&texts[1]);
        assert_eq!(kernel, ["-- Boot 03030303030303030303030303030303 --"]);
    }

    #[test]
    fn older_entries_and_files_are_left_out() {
        let files = vec![source("old", simple(false, 10, 5)), source("new", simple(true, 50, 5))];
        let (texts, reports) = run(files, &[Selector::All], Some(20_000_000));
        assert_eq!(numbers(&texts[0]), (20..=50).collect::<Vec<_>>());
        assert!(
            reports
                .iter()
                .any(|report| report.name == "old" && report.too_old && report.is_whole())
        );
    }

    #[test]
    fn without_a_sound_index_older_entries_are_left_out_all_the_same() {
        let mut file = simple(false, 50, 5);
        file[176..184].fill(0);
        let (texts, _) = run(vec![source("a", file)], &[Selector::All], Some(20_000_000));
        assert_eq!(numbers(&texts[0]), (20..=50).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_of_the_receiver_stops_the_step() {
        let selection = Selection::new(vec![Selector::All]).unwrap();
        let mut transcript = Transcript::new(vec![source("a", simple(false, 3, 5))], selection, None);
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(
            transcript.step(|_, _| Err(full())).unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
        let mut rest = 0;
        while transcript
            .step(|_, _| {
                rest += 1;
                Ok(())
            })
            .unwrap()
        {}
        assert_eq!(rest, 2);
    }
}

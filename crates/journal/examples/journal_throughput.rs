//! Measures how fast the journal files of a directory become text: `journal_throughput DIR [OUT]`.
#![expect(clippy::disallowed_methods, reason = "a tool for whoever works on this crate")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::time::Instant;

use periscope_journal::{Selection, Selector, Source, Transcript};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().ok_or("usage: journal_throughput DIR [OUT]")?;
    let mut out: Box<dyn Write> = match args.next() {
        Some(path) => Box::new(io::BufWriter::new(File::create(path)?)),
        None => Box::new(io::sink()),
    };
    let mut sources = Vec::new();
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        if path.is_file() {
            sources.push(Source {
                name: path.display().to_string(),
                file: File::open(path)?,
            });
        }
    }
    let started = Instant::now();
    let mut transcript = Transcript::new(sources, Selection::new(vec![Selector::All])?, None);
    let mut bytes = 0;
    while transcript.step(|_, text| {
        bytes += text.len();
        out.write_all(text)
    })? {}
    out.flush()?;
    let elapsed = started.elapsed();
    let mut entries = 0;
    let mut console = io::stdout().lock();
    for report in transcript.into_reports() {
        entries += report.entries;
        if !report.is_whole() {
            writeln!(console, "{report:?}")?;
        }
    }
    writeln!(console, "{entries} entries, {bytes} bytes of text in {elapsed:.2?}")?;
    Ok(())
}

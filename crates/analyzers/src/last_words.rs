//! The last lines that an instance of a container wrote, from its log in the archive. It is read to its end, so only
//! for the few containers that are reported.

use std::collections::VecDeque;
use std::io::{BufRead, Read};

use periscope_core::{ArtifactPath, Evidence, Inputs, Place};
use periscope_documents::RuntimeContainer;
use serde_json::Value;

use crate::runtime::shortened;

/// The folders of the logs (see the action `container-logs`), below it.
const FOLDERS: [&str; 3] = ["pods", "docker", "api"];
/// Lines among which a complaint is looked for.
const LINES: usize = 8;
/// Lines that are quoted.
const QUOTED: usize = 3;
/// Most bytes of a log that are read: above what kubelets keep in one file, 10 MiB.
const MAX_LOG_BYTES: u64 = 64 * 1024 * 1024;
/// Most bytes of a line that are looked at.
const MAX_LINE_BYTES: u64 = 64 * 1024;
/// Most of a line that fits into a sentence.
const MAX_SAID_CHARS: usize = 160;

/// The end of a log.
pub(crate) struct LastWords {
    /// The last lines, as evidence: the one that is said first, then the newest.
    pub(crate) evidence: Vec<Evidence>,
    /// What the last complaint among them says, or else the very last line, without what the runtime adds.
    pub(crate) said: Option<String>,
    /// The log.
    pub(crate) file: ArtifactPath,
}

/// The last words of an instance; `None` when its log is not in the archive.
pub(crate) fn of(inputs: &dyn Inputs, row: &RuntimeContainer) -> Option<LastWords> {
    let file = log_of(inputs, row)?;
    let lines = tail(inputs, &file).ok()?;
    // A runtime copies both streams at once, so complaints can come before the output that they ended.
    let complaint = lines.iter().rposition(|(_, line)| is_complaint(line));
    let words = complaint.and_then(|at| lines.get(at)).or_else(|| lines.back());
    let words = words.map(|(number, line)| (*number, said(line)));
    let (first, said) = words.map_or((None, None), |(number, said)| (Some(number), Some(said)));
    let mut quoted: Vec<_> = lines.into_iter().rev().collect();
    quoted.sort_by_key(|(number, _)| Some(*number) != first);
    let evidence = quoted.into_iter().take(QUOTED).map(|(number, line)| {
        shortened(Evidence {
            file: file.to_string(),
            line: Some(number),
            quote: line,
        })
    });
    Some(LastWords {
        evidence: evidence.collect(),
        said,
        file: file.clone(),
    })
}

/// The log of this instance, or of the newest one that has any.
fn log_of(inputs: &dyn Inputs, row: &RuntimeContainer) -> Option<ArtifactPath> {
    let own = row.log_path.rsplit('/').next().filter(|name| !name.is_empty());
    let own = own.map_or_else(|| format!("{}.log", row.restarts), str::to_owned);
    FOLDERS.iter().find_map(|folder| {
        let pod = format!("{folder}/{}_{}_{}/{}/x", row.namespace, row.pod, row.uid, row.name);
        let prefix = Place::Node.path(inputs.node(), "container-logs", &pod);
        let prefix = prefix.as_str().strip_suffix('x')?;
        let logs = inputs.list(prefix);
        let named = logs.iter().find(|log| log.as_str().rsplit('/').next() == Some(&*own));
        named
            .or_else(|| logs.iter().max_by_key(|log| instance_of(log)))
            .cloned()
    })
}

/// The number of the instance that a log's name begins with.
fn instance_of(log: &ArtifactPath) -> Option<u32> {
    let name = log.as_str().rsplit('/').next()?;
    name.split('.').next()?.parse().ok()
}

/// The last lines that say something, with their numbers.
fn tail(inputs: &dyn Inputs, file: &ArtifactPath) -> std::io::Result<VecDeque<(u64, String)>> {
    let mut lines = VecDeque::with_capacity(LINES + 1);
    let Some(content) = inputs.open(file)? else {
        return Ok(lines);
    };
    let mut content = content.take(MAX_LOG_BYTES);
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        number += 1;
        if (&mut content).take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            return Ok(lines);
        }
        // What is left of a line that is longer is no line of its own.
        while line.len() as u64 == MAX_LINE_BYTES && line.last() != Some(&b'\n') {
            let mut rest = Vec::new();
            let read = (&mut content).take(MAX_LINE_BYTES).read_until(b'\n', &mut rest)?;
            if read == 0 || rest.last() == Some(&b'\n') {
                break;
            }
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if said(text).is_empty() {
            continue;
        }
        lines.push_back((number, text.to_owned()));
        if lines.len() > LINES {
            lines.pop_front();
        }
    }
}

/// Whether a line was written to standard error.
fn is_complaint(line: &str) -> bool {
    line.split(' ').nth(1) == Some("stderr") || (line.starts_with('{') && line.contains(r#""stream":"stderr""#))
}

/// What the container wrote, of a line of the CRI's (`<time> stdout F <text>`) or docker's log.
fn said(line: &str) -> String {
    let text = if line.starts_with('{') {
        let record: Option<Value> = serde_json::from_str(line).ok();
        let log = record.as_ref().and_then(|record| record.get("log")?.as_str());
        log.unwrap_or(line).to_owned()
    } else {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(_), Some("stdout" | "stderr"), Some("F" | "P"), text) => text.unwrap_or_default().to_owned(),
            _ => line.to_owned(),
        }
    };
    let text = text.trim();
    match text.char_indices().nth(MAX_SAID_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{of, said};
    use crate::fixture::Artifacts;
    use crate::runtime::tests::ended;

    #[rstest]
    #[case::cri("2026-11-20T10:00:00.1Z stderr F panic: no database", "panic: no database")]
    #[case::docker(r#"{"log":"panic\n","stream":"stderr","time":"2026-11-20T10:00:00Z"}"#, "panic")]
    #[case::bare("panic", "panic")]
    #[case::empty("2026-11-20T10:00:00.1Z stderr F ", "")]
    fn what_the_container_wrote(#[case] line: &str, #[case] words: &str) {
        assert_eq!(said(line), words);
    }

    #[test]
    fn a_complaint_counts_wherever_the_runtime_put_it() {
        let log = "2026-11-20T10:00:00.1Z stderr F giving up\n2026-11-20T10:00:00.2Z stdout F working\n";
        let artifacts = Artifacts::default().with("container-logs", "pods/shop_web-1_u1/web/1.log", log);
        let last = of(&artifacts, &ended(1, 1, 1)).unwrap();
        assert_eq!(last.said.as_deref(), Some("giving up"));
        assert_eq!(last.evidence[0].line, Some(1));
    }

    #[test]
    fn the_log_of_the_very_instance_is_read() {
        let log = |n: u32, text: &str| (format!("pods/shop_web-1_u1/web/{n}.log"), text.to_owned());
        let mut artifacts = Artifacts::default();
        for (name, text) in [
            log(9, "2026-11-20T10:00:00.1Z stdout F other\n"),
            log(
                10,
                "2026-11-20T10:00:00.1Z stdout F a\n2026-11-20T10:00:00.2Z stdout F b\n2026-11-20T10:00:00.3Z stdout F \n\
                 2026-11-20T10:00:00.4Z stdout F c\n2026-11-20T10:00:00.5Z stderr F giving up\n",
            ),
        ] {
            artifacts = artifacts.with("container-logs", &name, text);
        }
        let last = of(&artifacts, &ended(10, 1, 1)).unwrap();
        assert_eq!(last.said.as_deref(), Some("giving up"));
        let lines: Vec<_> = last.evidence.iter().map(|evidence| evidence.line.unwrap()).collect();
        assert_eq!(lines, [5, 4, 2]);
        assert!(last.evidence[0].file.ends_with("/web/10.log"));
        // Of an instance without a log, the newest log is the next best.
        assert_eq!(
            of(&artifacts, &ended(11, 1, 1)).unwrap().said.as_deref(),
            Some("giving up")
        );
        assert!(of(&Artifacts::default(), &ended(0, 1, 1)).is_none());
    }
}

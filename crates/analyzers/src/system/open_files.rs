//! Whether files can still be opened: on the node as a whole, and by each process.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::{Process, names};

use super::input::{self, Input, Rows, find_line};
use super::processes::name;
use super::words::basis_points;
use crate::artifact::Text;

static FD_EXHAUSTION: Fault = Fault {
    id: "fd-exhaustion",
    summary: "A process or the whole node has no or hardly any file descriptors left",
    severity: Severity::High,
    caused_by: &[],
    remedy: "Look in the process's `/proc/<pid>/fd` at what it keeps open (often connections that are never closed); \
             restart it, and raise its `LimitNOFILE` or ulimit if it needs that many.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "open-files",
    summary: "Whether processes and the node can still open files",
    faults: &[&FD_EXHAUSTION],
};

/// Shares of the limit, in hundredths of a percent.
const FAIL: u64 = 9500;
const WARN: u64 = 8500;

/// Most findings about processes.
const MAX_FINDINGS: usize = 5;

/// `allocated free maximum` (`proc_sys_fs(5)`).
const NODE_SETTING: &str = "fs.file-nr = ";

/// Judges open files.
pub(crate) struct OpenFiles;

impl Analyzer for OpenFiles {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let mut findings = Vec::new();
        match input::text(inputs, names::SYSCTLS)? {
            Input::Known(settings) => findings.extend(of_node(&settings)),
            Input::NoSuchThing => {}
            Input::Missing(why) => findings.push(DESCRIPTOR.unknown(why)),
        }
        let processes: Input<Rows<Process>> = input::rows(inputs, names::PROCESSES)?;
        match processes {
            Input::Known(processes) => {
                findings.extend(of_processes(&processes));
                if findings.is_empty() {
                    findings.extend(of_uncounted(&processes));
                }
            }
            Input::NoSuchThing => findings.push(DESCRIPTOR.unknown("The node shows no processes.")),
            Input::Missing(why) if findings.is_empty() => findings.push(DESCRIPTOR.unknown(why)),
            Input::Missing(_) => {}
        }
        if findings.is_empty() {
            findings.push(DESCRIPTOR.pass("No process is near its limit of open files, and neither is the node."));
        }
        Ok(findings)
    }
}

/// Without the rights of root the files of others cannot be counted.
fn of_uncounted(processes: &Rows<Process>) -> Option<Finding> {
    let programs = processes
        .rows
        .iter()
        .filter(|(_, process)| !process.command.is_empty() && process.state != "Z");
    let (all, uncounted) = programs.fold((0, 0), |(all, uncounted), (_, process)| {
        (all + 1, uncounted + usize::from(process.open_files.is_none()))
    });
    (uncounted * 2 > all).then(|| {
        DESCRIPTOR.unknown(format!(
            "The open files of {uncounted} of {all} processes could not be counted."
        ))
    })
}

fn of_node(settings: &Text) -> Option<Finding> {
    let (line, (open, limit)) = find_line(settings, |line| {
        let mut words = line.strip_prefix(NODE_SETTING)?.split(' ');
        let open: u64 = words.next()?.parse().ok()?;
        Some((open, words.nth(1)?.parse::<u64>().ok()?))
    })?;
    let share = basis_points(open, limit)?;
    let title = format!("The node has {open} files open, and fs.file-max allows {limit}.");
    let object = "the node's open files";
    let finding = match share {
        FAIL.. => FD_EXHAUSTION.fail(object, title),
        WARN.. => FD_EXHAUSTION.warn(object, title),
        _ => return None,
    };
    let remedy = "Find in processes.txt who has most files open, and raise `fs.file-max` if they are needed.";
    Some(finding.evidence(settings.evidence(line)).remedy(remedy))
}

fn of_processes(processes: &Rows<Process>) -> Vec<Finding> {
    let mut near: Vec<_> = processes
        .rows
        .iter()
        .filter_map(|(line, process)| {
            let (open, limit) = (process.open_files?, process.open_files_limit?);
            let share = basis_points(open, limit).filter(|share| *share >= WARN)?;
            Some((share, *line, process, open, limit))
        })
        .collect();
    near.sort_by_key(|(share, line, ..)| (std::cmp::Reverse(*share), *line));
    near.into_iter()
        .take(MAX_FINDINGS)
        .map(|(share, line, process, open, limit)| {
            let object = name(process);
            let title = format!("{object} has {open} files open, and its limit is {limit}.");
            let finding = if share >= FAIL {
                FD_EXHAUSTION.fail(object, title)
            } else {
                FD_EXHAUSTION.warn(object, title)
            };
            finding.evidence(processes.evidence(line))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, Verdict};
    use periscope_documents::{Process, to_lines};

    use super::OpenFiles;
    use crate::fixture::Artifacts;

    fn findings(node: &str, processes: &[(u64, u64)]) -> Vec<Finding> {
        let processes: Vec<_> = (100..)
            .zip(processes)
            .map(|(pid, (open, limit))| Process {
                pid,
                name: "leaky".to_owned(),
                open_files: Some(*open),
                open_files_limit: Some(*limit),
                ..Process::default()
            })
            .collect();
        let artifacts = Artifacts::default()
            .with(
                "system",
                "sysctls.txt",
                format!("fs.file-max = 1000\nfs.file-nr = {node}\n"),
            )
            .with("system", "processes.json", to_lines(&processes).unwrap());
        OpenFiles.analyze(&artifacts).unwrap()
    }

    const CALM: &str = "3456 0 9223372036854775807";

    #[test]
    fn processes_at_their_limit_are_told_the_nearest_first() {
        let found = findings(CALM, &[(900, 1024), (500, 1024), (1024, 1024)]);
        let told: Vec<_> = found.iter().map(|f| (f.verdict, f.evidence[0].line)).collect();
        assert_eq!(told, [(Verdict::Fail, Some(4)), (Verdict::Warn, Some(2))]);
        assert_eq!(
            found[0].title,
            "leaky (pid 102) has 1024 files open, and its limit is 1024."
        );
    }

    #[test]
    fn the_node_itself_may_be_at_its_limit() {
        let found = findings("990 0 1000", &[]);
        assert_eq!((found[0].verdict, found[0].evidence[0].line), (Verdict::Fail, Some(2)));
        assert_eq!(findings("870 0 1000", &[])[0].verdict, Verdict::Warn);
        assert_eq!(findings(CALM, &[(800, 1024)])[0].verdict, Verdict::Pass);
    }

    #[test]
    fn what_could_not_be_counted_is_unknown() {
        let process = Process {
            command: vec!["leaky".to_owned()],
            ..Process::default()
        };
        let artifacts = Artifacts::default()
            .with("system", "sysctls.txt", format!("fs.file-nr = {CALM}\n"))
            .with("system", "processes.json", to_lines(&[process]).unwrap());
        assert_eq!(OpenFiles.analyze(&artifacts).unwrap()[0].verdict, Verdict::Unknown);
    }

    #[test]
    fn what_is_not_gathered_is_unknown() {
        assert_eq!(
            OpenFiles.analyze(&Artifacts::default()).unwrap()[0].verdict,
            Verdict::Unknown
        );
    }
}

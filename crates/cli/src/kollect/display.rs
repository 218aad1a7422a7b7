//! What a person sees while nodes are waited for: a line for each node that changes in place on a terminal, and a line
//! for each change elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::standing::{NodeView, Standing, View};
use crate::exit::tell;
use crate::run::show_size;

/// Most lines on a terminal at once: with the heading and the sum they fit where 35 lines do.
const MAX_LINES: usize = 30;
/// Longest node name that gets its place in the column.
const MAX_NAME: usize = 48;
/// Longest note in plain lines, in characters.
const MAX_NOTE: usize = 200;

/// Where progress is shown.
pub(super) enum Display {
    /// Lines that change in place.
    Terminal(Lines),
    /// A line for each change.
    Plain(BTreeMap<String, (&'static str, String)>),
    /// Nowhere.
    Quiet,
}

impl Display {
    /// What standard error can show.
    pub(super) fn choose(quiet: bool) -> Self {
        match quiet {
            true => Self::Quiet,
            false if std::io::stderr().is_terminal() => Self::Terminal(Lines::new()),
            false => Self::Plain(BTreeMap::new()),
        }
    }

    /// Shows where the nodes stand.
    pub(super) fn show(&mut self, view: &View, seconds: u64) {
        match self {
            Self::Terminal(lines) => lines.show(&table(view, seconds)),
            Self::Plain(told) => changes(view, told).iter().for_each(|line| tell(line)),
            Self::Quiet => {}
        }
    }

    /// Shows one line, instead of all others.
    pub(super) fn say(&mut self, line: &str) {
        match self {
            Self::Terminal(lines) => lines.show(&[line.to_owned()]),
            // It would be one line after the other: only how it ends is told, by others.
            Self::Plain(_) | Self::Quiet => {}
        }
    }

    /// Tells a line that stays.
    pub(super) fn tell(&mut self, line: &str) {
        match self {
            // A terminal that is gone shows nothing more.
            Self::Terminal(lines) => lines.display.println(line).unwrap_or_default(),
            Self::Plain(_) => tell(line),
            Self::Quiet => {}
        }
    }

    /// Takes away what changes in place.
    pub(super) fn clear(&mut self) {
        if let Self::Terminal(lines) = self {
            lines.show(&[]);
        }
    }
}

/// Lines of a terminal that change in place.
pub(super) struct Lines {
    display: MultiProgress,
    bars: Vec<ProgressBar>,
}

impl Lines {
    fn new() -> Self {
        Self {
            display: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            bars: Vec::new(),
        }
    }

    fn show(&mut self, lines: &[String]) {
        while self.bars.len() > lines.len() {
            if let Some(bar) = self.bars.pop() {
                bar.finish_and_clear();
                self.display.remove(&bar);
            }
        }
        while self.bars.len() < lines.len() {
            let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = self.display.add(ProgressBar::no_length());
            bar.set_style(style);
            self.bars.push(bar);
        }
        for (bar, line) in self.bars.iter().zip(lines) {
            bar.set_message(line.clone());
            bar.tick();
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.display.clear().ok();
    }
}

/// The lines of a terminal: of many nodes those first that are not done, and one line for the others.
fn table(view: &View, seconds: u64) -> Vec<String> {
    let width = view
        .nodes
        .iter()
        .map(|node| node.name.chars().count().min(MAX_NAME))
        .max()
        .unwrap_or(0);
    let mut nodes: Vec<&NodeView> = view.nodes.iter().collect();
    if nodes.len() > MAX_LINES {
        nodes.sort_by_key(|node| (urgency(node), node.name.as_str()));
    }
    let mut lines: Vec<_> = nodes.iter().take(MAX_LINES).map(|node| row(node, width)).collect();
    let hidden = nodes.get(MAX_LINES..).unwrap_or_default();
    if !hidden.is_empty() {
        lines.push(format!("and {}", counts(hidden.iter().copied())));
    }
    let cluster = match &view.cluster {
        None => "cluster: nobody yet".to_owned(),
        Some((node, part)) => {
            let word = if view.cluster_has_ended() { "done" } else { "running" };
            let actions = part.progress.as_ref().map_or("", |progress| progress.actions.as_str());
            format!("cluster: {word} on {node} {actions}").trim_end().to_owned()
        }
    };
    lines.push(format!("{} | {cluster} | {seconds} s", counts(view.nodes.iter())));
    lines
}

/// What is looked at first.
fn urgency(node: &NodeView) -> u8 {
    match node.standing {
        Standing::Running => 0,
        Standing::Waiting => 1,
        Standing::GivenUp => 2,
        Standing::Ended(_) => 3,
        Standing::Excluded => 4,
    }
}

fn row(node: &NodeView, width: usize) -> String {
    let progress = node.run.as_ref().and_then(|run| run.progress.as_ref());
    let actions = progress.map_or("", |progress| progress.actions.as_str());
    let bytes = progress.map(|progress| show_size(progress.bytes)).unwrap_or_default();
    let mark = match node.standing {
        Standing::Ended(periscope_agent::rows::Phase::Complete) => '✓',
        Standing::Ended(_) | Standing::GivenUp => '✗',
        Standing::Excluded => '-',
        Standing::Waiting | Standing::Running => ' ',
    };
    let (name, word) = (&node.name, node.word());
    format!(
        "{mark} {name:<width$}  {word:<9} {actions:>7} {bytes:>10}  {}",
        node.note
    )
    .trim_end()
    .to_owned()
}

/// How many nodes stand where, as `3 running, 2 complete`.
fn counts<'a>(nodes: impl Iterator<Item = &'a NodeView>) -> String {
    let mut counts: BTreeMap<(u8, &'static str), usize> = BTreeMap::new();
    for node in nodes {
        *counts.entry((urgency(node), node.word())).or_default() += 1;
    }
    if counts.is_empty() {
        return "no node".to_owned();
    }
    let words: Vec<_> = counts
        .iter()
        .map(|((_, word), count)| format!("{count} {word}"))
        .collect();
    words.join(", ")
}

/// Lines for the nodes that stand elsewhere than when they were told of last.
fn changes(view: &View, told: &mut BTreeMap<String, (&'static str, String)>) -> Vec<String> {
    let mut lines = Vec::new();
    for node in &view.nodes {
        // What a running node is at changes with every look: that it runs is said once.
        let note = if node.standing == Standing::Running {
            ""
        } else {
            node.note.as_str()
        };
        let now = (node.word(), note.to_owned());
        if told.get(&node.name) != Some(&now) {
            let note: String = note.chars().take(MAX_NOTE).collect();
            lines.push(format!("{}  {}  {note}", node.name, now.0).trim_end().to_owned());
            told.insert(node.name.clone(), now);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use periscope_agent::rows::{Phase, RowProgress, RunStatus};

    use super::{changes, table};
    use crate::kollect::standing::{NodeView, Standing, View};

    fn node(name: &str, standing: Standing, note: &str) -> NodeView {
        let progress = RowProgress {
            actions: "7/14".to_owned(),
            bytes: 3 << 20,
            ..RowProgress::default()
        };
        let run = matches!(standing, Standing::Running | Standing::Ended(_)).then(|| RunStatus {
            progress: Some(progress),
            ..RunStatus::default()
        });
        NodeView {
            name: name.to_owned(),
            standing,
            note: note.to_owned(),
            run,
            pod: None,
        }
    }

    #[test]
    fn few_nodes_have_a_line_each_in_their_order() {
        let view = View {
            nodes: vec![
                node("a", Standing::Ended(Phase::Complete), ""),
                node("long-name", Standing::Running, "dns, kubelet"),
                node("w", Standing::Excluded, "it runs another system than Linux"),
            ],
            cluster: None,
        };
        assert_eq!(
            table(&view, 12),
            [
                "✓ a          complete     7/14    3.0 MiB",
                "  long-name  running      7/14    3.0 MiB  dns, kubelet",
                "- w          left out                      it runs another system than Linux",
                "1 running, 1 complete, 1 left out | cluster: nobody yet | 12 s",
            ]
        );
    }

    #[test]
    fn of_many_nodes_those_that_are_not_done_are_seen() {
        let mut nodes: Vec<_> = (0..500)
            .map(|n| node(&format!("n{n:03}"), Standing::Ended(Phase::Partial), ""))
            .collect();
        nodes[321].standing = Standing::Running;
        nodes[499].standing = Standing::GivenUp;
        let lines = table(&View { nodes, cluster: None }, 1);
        assert_eq!(lines.len(), 32);
        assert!(lines[0].contains("n321") && lines[1].contains("n499"), "{lines:?}");
        assert_eq!(lines[30], "and 470 partial");
        assert!(
            lines[31].starts_with("1 running, 1 no report, 498 partial"),
            "{}",
            lines[31]
        );
    }

    #[test]
    fn plain_lines_say_what_changed_and_nothing_twice() {
        let mut told = BTreeMap::new();
        let view = |standing, note: &str| View {
            nodes: vec![node("a", standing, note)],
            cluster: None,
        };
        assert_eq!(
            changes(&view(Standing::Waiting, "it has no pod"), &mut told),
            ["a  waiting  it has no pod"]
        );
        assert_eq!(changes(&view(Standing::Running, "dns"), &mut told), ["a  running"]);
        assert!(changes(&view(Standing::Running, "kubelet"), &mut told).is_empty());
        assert_eq!(
            changes(&view(Standing::Ended(Phase::Complete), "all"), &mut told),
            ["a  complete  all"]
        );
    }
}

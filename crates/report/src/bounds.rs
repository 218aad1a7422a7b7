//! How much of everything the page shows, so that it stays small whatever the archive's size. What a bound leaves out
//! is said on the page, with the file that has it.

/// Most bytes of the whole page.
pub const MAX_PAGE_BYTES: usize = 2_000_000;
/// Bytes of the findings after which they are told in one line each: one in full may have half as many once more.
pub(crate) const FULL_FINDINGS_BYTES: usize = 260_000;
/// Most bytes of all findings. The next ones are counted.
pub(crate) const FINDINGS_BYTES: usize = 390_000;
/// Most bytes of what was looked at and is in order, or could not be judged.
pub(crate) const CHECKS_BYTES: usize = 60_000;
/// Most bytes of the timeline's entries.
pub(crate) const TIMELINE_BYTES: usize = 900_000;
/// Most bytes of the list of items.
pub(crate) const ITEMS_BYTES: usize = 330_000;
/// Most bytes of all charts.
pub(crate) const CHARTS_BYTES: usize = 70_000;

/// Longest sentence of a finding, in characters.
pub(crate) const TITLE_CHARS: usize = 400;
/// Longest remedy of a finding, in characters.
pub(crate) const REMEDY_CHARS: usize = 800;
/// Longest quote, in characters.
pub(crate) const QUOTE_CHARS: usize = 1_200;
/// Most pieces of evidence of one finding.
pub(crate) const EVIDENCE: usize = 8;
/// Pieces of evidence that are seen at once; the others are folded.
pub(crate) const OPEN_EVIDENCE: usize = 3;
/// Findings at the top that are seen unfolded.
pub(crate) const OPEN_FINDINGS: usize = 3;
/// Findings about one kind of fault that are seen at once; the others are folded.
pub(crate) const OF_ONE_FAULT: usize = 5;
/// Longest text of a timeline's entry, in characters; the second one is tried when the first one makes too many bytes.
pub(crate) const ENTRY_CHARS: [usize; 3] = [240, 120, 60];
/// Longest reason of an item, in characters.
pub(crate) const REASON_CHARS: usize = 200;
/// Longest name of anything else that the page repeats, in characters.
pub(crate) const NAME_CHARS: usize = 200;
/// Most rows of one chart.
pub(crate) const CHART_ROWS: usize = 40;
/// Most steps of a strip in a chart: one may take ten bytes.
pub(crate) const STRIP_STEPS: usize = 400;
/// Longest name of an action, in characters.
pub(crate) const ACTION_CHARS: usize = 60;
/// Most actions that are listed.
pub(crate) const ACTIONS: usize = 60;
/// Most bytes of the table of a cluster's nodes: some three thousand of them.
pub(crate) const NODES_BYTES: usize = 900_000;
/// Nodes that are linked to with one finding; the others are counted.
pub(crate) const NODES_OF_A_FINDING: usize = 60;
/// Most lines about what is missing in a cluster's archives.
pub(crate) const MISSING_LINES: usize = 200;

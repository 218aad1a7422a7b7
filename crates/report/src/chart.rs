//! What a chart on the page shows: rows of samples, in one unit, with the files they come from.

use periscope_core::ArtifactPath;

/// What the values of a chart are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds, on a scale up to the greatest value.
    Millis,
    /// Parts of a hundred, on a scale up to 100.
    Percent,
}

/// How the values of a row are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bars {
    /// As parts of one bar: phases that follow each other.
    Stacked,
    /// As a bar each.
    EachColumn,
    /// Not at all: the row's strip is.
    Strip,
}

/// One row of a chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChartRow {
    /// What was measured.
    pub label: String,
    /// A value for each column; absent where there was none.
    pub values: Vec<Option<f64>>,
    /// What should be known about it, such as how it ended.
    pub note: String,
    /// It went wrong, as the note says.
    pub failed: bool,
    /// With [`Bars::Strip`], the time up to the run in steps of one length: whether it was good; absent where nobody
    /// knows.
    pub strip: Vec<Option<bool>>,
}

/// A chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// How to read it, in one sentence.
    pub about: String,
    /// The files that have the samples.
    pub files: Vec<ArtifactPath>,
    /// What the values are.
    pub unit: Unit,
    /// How they are drawn.
    pub bars: Bars,
    /// The name of what the rows are.
    pub rows_are: String,
    /// The names of the values of a row.
    pub columns: Vec<String>,
    /// In the order in which they are read.
    pub rows: Vec<ChartRow>,
}

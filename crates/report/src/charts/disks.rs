//! How full the file systems are, and their tables of inodes.

use periscope_core::Inputs;
use periscope_documents::{Disk, Fill, names};

use super::{elements, path};
use crate::chart::{Bars, Chart, ChartRow, Unit};
use crate::quantity;

pub(super) fn chart(inputs: &dyn Inputs) -> Option<Chart> {
    let file = path(inputs, names::SYSTEM, names::DISKS);
    let mut rows: Vec<ChartRow> = elements::<Disk>(inputs, &file)?.into_iter().filter_map(row).collect();
    rows.sort_by(|a, b| fullest(b).total_cmp(&fullest(a)));
    Some(Chart {
        title: "Disks".to_owned(),
        about: "Used space and inodes of the file systems, the fullest first.".to_owned(),
        files: vec![file],
        unit: Unit::Percent,
        bars: Bars::EachColumn,
        rows_are: "mounted at".to_owned(),
        columns: ["space", "inodes"].map(str::to_owned).to_vec(),
        rows,
    })
}

fn fullest(row: &ChartRow) -> f64 {
    row.values.iter().flatten().copied().fold(0.0, f64::max)
}

fn row(disk: Disk) -> Option<ChartRow> {
    let fill: Fill = disk.fill?;
    let mut note = format!(
        "{} of {} free, {} {}",
        quantity::bytes(fill.available_bytes),
        quantity::bytes(fill.total_bytes),
        disk.fstype,
        disk.source
    );
    if disk.read_only {
        note.push_str(", read-only");
    }
    Some(ChartRow {
        label: disk.mount_point,
        values: vec![
            used(fill.total_bytes, fill.available_bytes),
            used(fill.inodes, fill.inodes_available),
        ],
        note,
        failed: false,
        ..ChartRow::default()
    })
}

/// The used share in parts of a hundred; `None` where there is nothing to share.
fn used(all: u64, free: u64) -> Option<f64> {
    let thousandths = u128::from(all.saturating_sub(free)) * 1000 / u128::from(all.max(1));
    (all > 0).then(|| f64::from(u16::try_from(thousandths).unwrap_or(1000)) / 10.0)
}

#[cfg(test)]
mod tests {
    use super::used;

    #[test]
    fn shares_have_one_decimal() {
        assert_eq!(used(1000, 123), Some(87.7));
        assert_eq!(used(u64::MAX, 0), Some(100.0));
        assert_eq!(used(0, 0), None);
    }
}

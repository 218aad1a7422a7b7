//! The table of all analyzers, by id.

use periscope_core::Analyzer;

use crate::custom_dns::CustomDns;
use crate::outbound::Outbound;

/// All analyzers, by id.
pub const CATALOG: &[&dyn Analyzer] = &[&CustomDns, &Outbound];

#[cfg(test)]
mod tests {
    use super::CATALOG;

    #[test]
    fn the_table_is_sorted_and_says_what_each_judges() {
        let ids: Vec<_> = CATALOG.iter().map(|analyzer| analyzer.descriptor().id).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
        assert!(CATALOG.iter().all(|analyzer| !analyzer.descriptor().summary.is_empty()));
    }
}

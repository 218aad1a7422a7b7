//! The table of all analyzers, by id.

use periscope_core::{Analyzer, Scope};

use crate::cluster_health::ClusterHealth;
use crate::cni::Cni;
use crate::connection_history::ConnectionHistory;
use crate::conntrack::Conntrack;
use crate::container_crash_loop::CrashLoops;
use crate::container_oom::ContainerOom;
use crate::custom_dns::CustomDns;
use crate::dns_lookups::DnsLookups;
use crate::image_pull::ImagePull;
use crate::mtu::Mtu;
use crate::node_certificates::NodeCertificates;
use crate::node_services::NodeServices;
use crate::outbound::Outbound;
use crate::packet_drops::PacketDrops;
use crate::packet_filter::PacketFilter;
use crate::pod_events::PodEvents;
use crate::provisioning::Provisioning;
use crate::routes::Routes;
use crate::runtime_answers::RuntimeAnswers;
use crate::runtime_restarting::RuntimeRestarting;
use crate::scheduling::Scheduling;
use crate::system;

/// All analyzers, by id.
pub const CATALOG: &[&dyn Analyzer] = &[
    &system::Clock,
    &ClusterHealth,
    &Cni,
    &ConnectionHistory,
    &Conntrack,
    &CrashLoops,
    &ContainerOom,
    &system::CpuPressure,
    &system::CpuThrottling,
    &CustomDns,
    &system::DiskSpace,
    &DnsLookups,
    &ImagePull,
    &system::IoPressure,
    &system::MemoryPressure,
    &Mtu,
    &NodeCertificates,
    &NodeServices,
    &system::OomKills,
    &system::OpenFiles,
    &Outbound,
    &PacketDrops,
    &PacketFilter,
    &PodEvents,
    &Provisioning,
    &system::ReadOnly,
    &Routes,
    &RuntimeAnswers,
    &RuntimeRestarting,
    &Scheduling,
    &system::StuckProcesses,
    &system::TaskLimits,
    &system::Zombies,
];

/// The analyzers that have something to say about the artifacts of a node, or of the cluster.
pub fn analyzers_of(scope: Scope) -> impl Iterator<Item = &'static dyn Analyzer> {
    CATALOG
        .iter()
        .copied()
        .filter(move |analyzer| analyzer.scopes().contains(&scope))
}

#[cfg(test)]
mod tests {
    use std::io::{self, BufRead};

    use jiff::Timestamp;
    use periscope_core::{ArtifactPath, Inputs, LineHit, State, Verdict, analyze_all};
    use rstest::rstest;

    use super::CATALOG;

    /// A run that asked for everything and had nothing of it, as one in a pod that is not shown the node.
    struct Unseen(State);

    impl Inputs for Unseen {
        fn state(&self, _: &ArtifactPath) -> Option<State> {
            Some(self.0)
        }

        fn open(&self, _: &ArtifactPath) -> io::Result<Option<Box<dyn BufRead + '_>>> {
            Ok(None)
        }

        fn list(&self, _: &str) -> Vec<ArtifactPath> {
            Vec::new()
        }

        fn node(&self) -> &'static str {
            "node1"
        }

        fn started(&self) -> Timestamp {
            "2026-11-20T10:00:00Z".parse().unwrap()
        }

        fn hits(&self, _: &str) -> Vec<LineHit> {
            Vec::new()
        }

        fn hit_count(&self, _: &str) -> u64 {
            0
        }
    }

    /// Neither that something is broken nor that it is in order.
    #[rstest]
    fn what_was_not_seen_is_evidence_of_nothing(
        #[values(
            State::Denied,
            State::Withheld,
            State::TimedOut,
            State::OverBudget,
            State::Cancelled,
            State::Failed
        )]
        state: State,
    ) {
        let findings = analyze_all(CATALOG.iter().copied(), &Unseen(state));
        assert!(findings.len() >= CATALOG.len());
        for finding in findings {
            assert_eq!(
                finding.verdict,
                Verdict::Unknown,
                "{}: {}",
                finding.analyzer,
                finding.title
            );
        }
    }

    #[test]
    fn the_table_is_sorted_and_says_what_each_judges() {
        let ids: Vec<_> = CATALOG.iter().map(|analyzer| analyzer.descriptor().id).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
        assert!(CATALOG.iter().all(|analyzer| !analyzer.descriptor().summary.is_empty()));
    }

    #[test]
    fn a_fault_has_one_analyzer_and_says_what_to_do() {
        let mut ids = std::collections::BTreeSet::new();
        for fault in CATALOG.iter().flat_map(|analyzer| analyzer.descriptor().faults) {
            assert!(ids.insert(fault.id), "{} stands in two tables", fault.id);
            assert!(!fault.summary.is_empty() && !fault.remedy.is_empty(), "{}", fault.id);
            assert!(!fault.caused_by.contains(&fault.id), "{} causes itself", fault.id);
        }
    }
}

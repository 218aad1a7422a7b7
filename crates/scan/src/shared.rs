//! What all scans of a run share: the rules, compiled for each kind of artifact, and the start of the run.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use crate::line;
use crate::rule_set::RuleSet;
use crate::search::Search;
use crate::source::{KINDS, Kind, Source};
use crate::timeline::Level;
use crate::words;

/// What a literal stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// The rule of this index.
    Rule(usize),
    /// A word that marks an error or a warning.
    Word(Level),
    /// The start of a message of klog's.
    Klog,
}

/// What is searched for in a kind of artifact.
#[derive(Debug)]
pub(crate) struct Searches {
    /// What makes a line worth a look.
    pub(crate) all: Search<Target>,
    /// The fields that say that a line is less than a warning, whatever its words.
    pub(crate) harmless: Search<()>,
}

/// The rules of a run, and when it started.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) started: Timestamp,
    /// For each of [`KINDS`], made when the first artifact of the kind comes.
    searches: [OnceLock<Arc<Searches>>; KINDS.len()],
}

impl Shared {
    pub(crate) fn new(rules: Arc<RuleSet>, started: Timestamp) -> Self {
        Self {
            rules,
            started,
            searches: Default::default(),
        }
    }

    /// The searches for the literals that matter in a kind of artifact.
    pub(crate) fn searches(&self, kind: usize) -> Option<Arc<Searches>> {
        let (of_kind, slot) = (KINDS.get(kind)?, self.searches.get(kind)?);
        Some(Arc::clone(slot.get_or_init(|| Arc::new(self.compile(of_kind)))))
    }

    fn compile(&self, kind: &Kind) -> Searches {
        let is_served = |source: &Source| kind.serves.iter().any(|serves| serves.source == *source);
        let rules = self.rules.rules().iter().enumerate();
        let literals = rules
            .filter(|(_, rule)| rule.sources.iter().any(is_served))
            .flat_map(|(index, rule)| rule.literals.iter().map(move |l| (l.as_str(), Target::Rule(index))));
        let words = words::literals(kind.words)
            .iter()
            .map(|(word, level)| (*word, Target::Word(*level)));
        let klog = line::klog_literals(kind.form)
            .iter()
            .map(|start| (*start, Target::Klog));
        let harmless = words::harmless(kind.words).iter().map(|field| (*field, ()));
        let few = "the rules that load are few and their literals short";
        Searches {
            all: Search::new(literals.chain(words).chain(klog)).expect(few),
            harmless: Search::new(harmless).expect(few),
        }
    }
}

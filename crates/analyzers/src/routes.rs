//! Whether packets find their way: a default route, and the rules by which the kernel chooses a table. Whether anybody
//! is there at its end is in the connections that were tried.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::{Route, names};

use crate::artifact::{self, Artifact, Text};
use crate::document::{self, Document, unknown};

/// Most routes that are shown as what is left.
const MAX_SHOWN: usize = 4;

/// Addresses that lead nowhere (RFC 3927): having only such ones is having none.
const LINK_LOCAL: &str = "169.254.";

static DEFAULT_ROUTE_MISSING: Fault = Fault {
    id: "default-route-missing",
    summary: "The node has no route to anything beyond its own networks",
    severity: Severity::Critical,
    caused_by: &[],
    remedy: "Restart the network's configuration (`networkctl renew eth0`, or `ip route add default via <gateway> dev eth0`), \
             and look in the journal of systemd-networkd for what removed the route.",
};

static IP_RULE_MISSING: Fault = Fault {
    id: "ip-rule-missing",
    summary: "A rule without which the kernel does not look into its main or local routes is gone",
    severity: Severity::Critical,
    caused_by: &[],
    remedy: "Restore it with `ip rule add from all lookup main priority 32766`, for `local` with priority 0, and find out \
             which program manages rules.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "routes",
    summary: "Whether the node has a default route, and the rules that lead to its routes",
    faults: &[&DEFAULT_ROUTE_MISSING, &IP_RULE_MISSING],
};

/// Judges routes and rules.
pub(crate) struct Routes;

impl Analyzer for Routes {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let mut findings = Vec::new();
        findings.push(
            match document::read::<Route>(inputs, names::NETWORK_STATE, names::ROUTES)? {
                Document::Whole(text, routes) => judge_routes(inputs, &text, &routes)?,
                Document::NoSuchThing => unknown(
                    &DESCRIPTOR,
                    names::NETWORK_STATE,
                    "The node's routes are not to be seen",
                ),
                Document::Incomplete(why) => unknown(&DESCRIPTOR, names::NETWORK_STATE, &why),
            },
        );
        match artifact::read(inputs, names::NETWORK_STATE, names::IP_RULES)? {
            Artifact::Whole(rules) => findings.extend(judge_rules(&rules)),
            // Without the node's `ip` rules are not known; that is said once, by the item.
            Artifact::NoSuchThing | Artifact::Incomplete(_) => {}
        }
        Ok(findings)
    }
}

fn judge_routes(inputs: &dyn Inputs, text: &Text, routes: &[(u64, Route)]) -> Result<Finding, AnalyzeError> {
    let is_ipv4 = |route: &Route| route.destination.contains('.');
    let has_ipv4 = routes
        .iter()
        .any(|(_, route)| is_ipv4(route) && !route.destination.starts_with(LINK_LOCAL));
    // A node of IPv6 alone needs no other route.
    let default = routes
        .iter()
        .find(|(_, route)| route.is_default() && (is_ipv4(route) || !has_ipv4));
    if let Some((line, route)) = default {
        let title = format!(
            "The default route goes out of {} to {}.",
            route.interface,
            route.gateway.as_deref().unwrap_or("the link")
        );
        return Ok(DESCRIPTOR.pass(title).evidence(text.evidence(*line)));
    }
    // Routes of other tables are only known to `ip`.
    if let Artifact::Whole(all) = artifact::read(inputs, names::NETWORK_STATE, names::IP_ROUTES)? {
        let elsewhere = (1..)
            .zip(all.text.lines())
            .find(|(_, line)| line.starts_with("default "));
        if let Some((line, _)) = elsewhere {
            let pass = DESCRIPTOR.pass("The default route is not in the main table.");
            return Ok(pass.evidence(all.evidence(line)));
        }
    }
    let left: Vec<_> = routes
        .iter()
        .filter(|(_, route)| is_ipv4(route) || !has_ipv4)
        .take(MAX_SHOWN)
        .map(|(line, _)| text.evidence(*line))
        .collect();
    let title = if routes.is_empty() {
        "The node has no routes at all: it reaches nothing.".to_owned()
    } else {
        "The node has no default route: it reaches nothing beyond its own networks.".to_owned()
    };
    let found = DEFAULT_ROUTE_MISSING.fail("the node's routes", title);
    Ok(if left.is_empty() {
        found.evidence(text.as_evidence("no route"))
    } else {
        found.evidences(left)
    })
}

fn judge_rules(rules: &Text) -> Option<Finding> {
    let missing: Vec<_> = ["local", "main"]
        .into_iter()
        .filter(|table| !rules.text.lines().any(|rule| looks_up(rule, table)))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let title = format!(
        "No rule leads to the table {}: the kernel does not look at its routes.",
        missing.join(" or ")
    );
    let lines = (1..).zip(rules.text.lines()).take(MAX_SHOWN);
    let found = IP_RULE_MISSING.fail("the node's rules of routing", title);
    Some(if rules.text.trim().is_empty() {
        found.evidence(rules.as_evidence("no rule"))
    } else {
        found.evidences(lines.map(|(number, _)| rules.evidence(number)))
    })
}

/// Whether a rule leads everything, whatever its source, to a table: rules for some packets do not count.
fn looks_up(rule: &str, table: &str) -> bool {
    let words = rule.split_once(':').map_or("", |(_, words)| words);
    let words: Vec<&str> = words.split_ascii_whitespace().collect();
    words.starts_with(&["from", "all", "lookup"]) && words.get(3) == Some(&table)
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, State, Verdict};
    use periscope_documents::{Route, names, to_lines};
    use rstest::rstest;

    use super::Routes;
    use crate::fixture::Artifacts;

    const RULES: &str = "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n";
    /// As cilium leaves them.
    const CILIUM_RULES: &str =
        "9:\tfrom all fwmark 0x200/0xf00 lookup 2004\n100:\tfrom all lookup local\n32766:\tfrom all lookup main\n";

    fn route(destination: &str, gateway: Option<&str>) -> Route {
        Route {
            destination: destination.to_owned(),
            gateway: gateway.map(str::to_owned),
            interface: "eth0".to_owned(),
            up: true,
            ..Route::default()
        }
    }

    fn node(routes: &[Route], rules: &str) -> Artifacts {
        Artifacts::default()
            .with(names::NETWORK_STATE, names::ROUTES, to_lines(routes).unwrap())
            .with(names::NETWORK_STATE, names::IP_RULES, rules)
    }

    fn healthy() -> Vec<Route> {
        vec![
            route("0.0.0.0/0", Some("10.224.0.1")),
            route("10.224.0.0/16", None),
            route("fe80::/64", None),
        ]
    }

    #[rstest]
    #[case::plain(RULES)]
    #[case::cilium(CILIUM_RULES)]
    fn a_healthy_node_passes(#[case] rules: &str) {
        let found = Routes.analyze(&node(&healthy(), rules)).unwrap();
        assert_eq!(found.iter().map(|f| f.verdict).collect::<Vec<_>>(), [Verdict::Pass]);
        assert_eq!(found[0].evidence[0].line, Some(2));
    }

    #[test]
    fn a_node_without_a_default_route_fails_and_shows_what_is_left() {
        let mut routes = healthy();
        routes.remove(0);
        routes.push(route("::/0", Some("fe80::1")));
        let found = Routes.analyze(&node(&routes, RULES)).unwrap();
        assert_eq!(
            (found[0].verdict, found[0].fault.as_str()),
            (Verdict::Fail, "default-route-missing")
        );
        assert!(found[0].evidence[0].quote.contains("10.224.0.0/16"));
        let nothing = Routes.analyze(&node(&[], RULES)).unwrap();
        assert!(nothing[0].title.contains("no routes at all"));
    }

    #[test]
    fn other_ways_out_are_seen() {
        let routes = [
            route("fe80::/64", None),
            route("169.254.10.0/24", None),
            route("::/0", Some("fe80::1")),
        ];
        assert_eq!(Routes.analyze(&node(&routes, RULES)).unwrap()[0].verdict, Verdict::Pass);
        let mut routes = healthy();
        routes.remove(0);
        let tables = "default via 10.0.0.1 dev eth1 table 100\n10.224.0.0/16 dev eth0\n";
        let node = node(&routes, RULES).with(names::NETWORK_STATE, names::IP_ROUTES, tables);
        assert_eq!(Routes.analyze(&node).unwrap()[0].verdict, Verdict::Pass);
    }

    #[test]
    fn a_rule_that_is_gone_fails() {
        let found = Routes
            .analyze(&node(
                &healthy(),
                "0:\tfrom all lookup local\n50:\tfrom 10.0.0.1 lookup main\n",
            ))
            .unwrap();
        assert_eq!(
            (found[1].verdict, found[1].fault.as_str()),
            (Verdict::Fail, "ip-rule-missing")
        );
        assert!(found[1].title.contains("the table main"), "{}", found[1].title);
        assert_eq!(found[1].evidence[0].line, Some(1));
    }

    #[test]
    fn what_is_not_known_is_not_passed() {
        let found = Routes.analyze(&Artifacts::default()).unwrap();
        assert_eq!(found[0].verdict, Verdict::Unknown);
        let gone = Artifacts::default().without(names::NETWORK_STATE, names::ROUTES, State::NotPresent);
        assert_eq!(Routes.analyze(&gone).unwrap()[0].verdict, Verdict::Unknown);
    }
}

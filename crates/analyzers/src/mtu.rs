//! Whether packets of pods fit onto the way out: interfaces of pods and tunnels against the uplink, and among
//! themselves.

use std::collections::BTreeMap;

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Evidence, Fault, Finding, Inputs, Severity};
use periscope_documents::{Interface, Route, names};

use crate::artifact::Text;
use crate::document::{self, Document, unknown};

/// Most interfaces that are shown.
const MAX_SHOWN: usize = 3;

/// What a tunnel adds to each packet, by kind, over IPv4: the outer headers (RFC 7348, RFC 8926; `ip` in `ip`;
/// `WireGuard`).
const OVERHEADS: [(&str, u32); 4] = [("vxlan", 50), ("geneve", 50), ("tunnel", 20), ("wireguard", 60)];

/// Cilium's tunnel keeps the uplink's MTU; what fits is said by its routes (`cilium/cilium`, `pkg/mtu`).
const SIZED_BY_ROUTES: &str = "cilium";

static MTU_MIXED: Fault = Fault {
    id: "mtu-mixed",
    summary: "Packets of pods may be larger than the way out takes, or pods differ in what they may send",
    severity: Severity::High,
    caused_by: &[],
    remedy: "Set the network plugin's MTU to the uplink's, less what its tunnel adds, and restart the pods that have the old one.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "mtu",
    summary: "Whether the largest packets of pods and tunnels fit onto the node's uplink",
    faults: &[&MTU_MIXED],
};

/// Judges the sizes of packets.
pub(crate) struct Mtu;

impl Analyzer for Mtu {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let lacking = |why: &str| Ok(vec![unknown(&DESCRIPTOR, names::NETWORK_STATE, why)]);
        let (text, interfaces) = match document::read::<Interface>(inputs, names::NETWORK_STATE, names::INTERFACES)? {
            Document::Whole(text, interfaces) => (text, interfaces),
            Document::NoSuchThing => return lacking("The node's interfaces are not to be seen"),
            Document::Incomplete(why) => return lacking(&why),
        };
        let routes = match document::read::<Route>(inputs, names::NETWORK_STATE, names::ROUTES)? {
            Document::Whole(_, routes) => routes,
            Document::NoSuchThing | Document::Incomplete(_) => Vec::new(),
        };
        if !interfaces.iter().any(|(_, interface)| interface.mtu.is_some()) {
            return lacking("The sizes of packets (MTU) of the node's interfaces are not known");
        }
        let uplink = routes
            .iter()
            .filter(|(_, route)| route.is_default())
            .min_by_key(|(_, route)| route.metric)
            .and_then(|(_, route)| interfaces.iter().find(|(_, it)| it.name == route.interface));
        let mut findings = Vec::new();
        if let Some(uplink) = uplink {
            findings.extend(too_large(&text, uplink, &interfaces));
        }
        findings.extend(differing(&text, &interfaces));
        if findings.is_empty() {
            let pass = match uplink {
                Some((line, uplink)) => DESCRIPTOR
                    .pass(format!("Packets of pods fit onto the uplink {}.", uplink.name))
                    .evidence(text.evidence(*line)),
                None => DESCRIPTOR.unknown("There is no uplink to compare with: the node has no default route."),
            };
            findings.push(pass);
        }
        Ok(findings)
    }
}

fn is_pods(interface: &Interface) -> bool {
    interface.kind.as_deref() == Some("veth") && interface.state.as_deref() != Some("down")
}

/// What is added to packets of an interface before they go out of the uplink.
fn overhead(interface: &Interface) -> Option<u32> {
    if is_pods(interface) {
        return Some(0);
    }
    let is_used = interface.state.as_deref() != Some("down") && !interface.name.starts_with(SIZED_BY_ROUTES);
    let kind = interface.kind.as_deref().filter(|_| is_used)?;
    OVERHEADS
        .iter()
        .find(|(name, _)| *name == kind)
        .map(|(_, bytes)| *bytes)
}

fn too_large(text: &Text, uplink: &(u64, Interface), interfaces: &[(u64, Interface)]) -> Option<Finding> {
    let (uplink_line, uplink) = uplink;
    let takes = uplink.mtu?;
    let large: Vec<_> = interfaces
        .iter()
        .filter(|(_, it)| it.name != uplink.name)
        .filter(|(_, it)| {
            let needs = overhead(it)
                .zip(it.mtu)
                .map(|(overhead, mtu)| mtu.saturating_add(overhead));
            needs.is_some_and(|needs| needs > takes)
        })
        .collect();
    let (_, first) = large.first()?;
    let more = match large.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let title = format!(
        "{}{more} send packets larger than the uplink {} takes ({} bytes): {} of {}{}.",
        first.name,
        uplink.name,
        takes,
        first.mtu.unwrap_or_default(),
        first.name,
        match overhead(first) {
            Some(0) | None => String::new(),
            Some(bytes) => format!(" and {bytes} of its tunnel"),
        }
    );
    let evidence = large.iter().take(MAX_SHOWN).map(|(line, _)| text.evidence(*line));
    Some(
        MTU_MIXED
            .warn(format!("interface {}", first.name), title)
            .evidences(evidence)
            .evidence(text.evidence(*uplink_line)),
    )
}

/// Interfaces of pods that differ among themselves: of one bridge, or of one plugin by the letters of their names.
fn differing(text: &Text, interfaces: &[(u64, Interface)]) -> Option<Finding> {
    /// Lines and names of interfaces by their sizes.
    type Sizes<'a> = BTreeMap<u32, Vec<(u64, &'a str)>>;
    let mut groups: BTreeMap<String, Sizes> = BTreeMap::new();
    for (line, interface) in interfaces.iter().filter(|(_, it)| is_pods(it)) {
        let group = interface.master.clone().unwrap_or_else(|| {
            let letters = interface.name.chars().take_while(char::is_ascii_alphabetic).take(3);
            letters.collect()
        });
        if let Some(mtu) = interface.mtu {
            let sizes = groups.entry(group).or_default();
            sizes.entry(mtu).or_default().push((*line, &interface.name));
        }
    }
    let sizes = groups.into_values().find(|sizes| sizes.len() > 1)?;
    let (usual, most) = sizes.iter().max_by_key(|(_, members)| members.len())?;
    let odd: Vec<(u32, u64, &str)> = sizes
        .iter()
        .filter(|(mtu, _)| *mtu != usual)
        .flat_map(|(mtu, members)| members.iter().map(move |(line, name)| (*mtu, *line, *name)))
        .collect();
    let (mtu, _, name) = odd.first()?;
    let title = format!(
        "{} of {} interfaces of pods take packets of another size: {name} {mtu} bytes, the others {usual}.",
        odd.len(),
        odd.len() + most.len(),
    );
    let evidence: Vec<Evidence> = odd
        .iter()
        .take(MAX_SHOWN)
        .map(|(_, line, _)| *line)
        .chain(most.first().map(|(line, _)| *line))
        .map(|line| text.evidence(line))
        .collect();
    Some(MTU_MIXED.warn(format!("interface {name}"), title).evidences(evidence))
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, Verdict};
    use periscope_documents::{Interface, Route, names, to_lines};
    use rstest::rstest;

    use super::Mtu;
    use crate::fixture::Artifacts;

    type Row = (&'static str, &'static str, u32, Option<&'static str>);

    fn findings(rows: &[Row]) -> Vec<Finding> {
        let interfaces: Vec<_> = rows
            .iter()
            .map(|(name, kind, mtu, master)| Interface {
                name: (*name).to_owned(),
                kind: Some((*kind).to_owned()),
                mtu: Some(*mtu).filter(|mtu| *mtu > 0),
                master: master.map(str::to_owned),
                state: Some("up".to_owned()),
                ..Interface::default()
            })
            .collect();
        let route = Route {
            destination: "0.0.0.0/0".to_owned(),
            interface: "eth0".to_owned(),
            up: true,
            ..Route::default()
        };
        let artifacts = Artifacts::default()
            .with(names::NETWORK_STATE, names::INTERFACES, to_lines(&interfaces).unwrap())
            .with(names::NETWORK_STATE, names::ROUTES, to_lines(&[route]).unwrap());
        Mtu.analyze(&artifacts).unwrap()
    }

    const LO: Row = ("lo", "loopback", 65536, None);
    const ETH0: Row = ("eth0", "physical", 1500, None);

    #[rstest]
    #[case::azure_cni(&[LO, ETH0, ("azv1a", "veth", 1500, None), ("azv2b", "veth", 1500, None)])]
    #[case::bridge(&[LO, ETH0, ("cni0", "bridge", 1500, None), ("veth1", "veth", 1500, Some("cni0"))])]
    #[case::flannel(&[LO, ETH0, ("flannel.1", "vxlan", 1450, None), ("veth1", "veth", 1450, Some("cni0"))])]
    #[case::cilium(&[LO, ETH0, ("cilium_vxlan", "vxlan", 1500, None), ("lxc1", "veth", 1500, None)])]
    #[case::ipip(&[LO, ETH0, ("tunl0", "tunnel", 1480, None), ("cali1", "veth", 1480, None)])]
    #[case::docker_beside(&[LO, ETH0, ("veth1", "veth", 1500, Some("docker0")), ("cali1", "veth", 1440, None)])]
    #[case::jumbo_uplink(&[LO, ("eth0", "physical", 9000, None), ("veth1", "veth", 1500, Some("cni0"))])]
    fn healthy_nodes_pass(#[case] rows: &[Row]) {
        let found = findings(rows);
        assert_eq!(
            found.iter().map(|f| f.verdict).collect::<Vec<_>>(),
            [Verdict::Pass],
            "{found:?}"
        );
    }

    #[rstest]
    #[case::veth(&[LO, ("eth0", "physical", 1400, None), ("veth1", "veth", 1500, None)], "veth1 send packets larger", &[4, 3])]
    #[case::vxlan(&[LO, ETH0, ("flannel.1", "vxlan", 1480, None)], "1480 of flannel.1 and 50 of its tunnel", &[4, 3])]
    #[case::differing(
        &[ETH0, ("veth1", "veth", 1500, Some("cni0")), ("veth2", "veth", 1500, Some("cni0")), ("veth3", "veth", 1450, Some("cni0"))],
        "1 of 3 interfaces of pods take packets of another size: veth3 1450 bytes, the others 1500",
        &[5, 3]
    )]
    fn what_does_not_fit_is_found(#[case] rows: &[Row], #[case] words: &str, #[case] lines: &[u64]) {
        let found = findings(rows);
        assert_eq!((found.len(), found[0].verdict), (1, Verdict::Warn), "{found:?}");
        assert!(found[0].title.contains(words), "{}", found[0].title);
        let evidence: Vec<_> = found[0].evidence.iter().filter_map(|e| e.line).collect();
        assert_eq!(evidence, lines);
    }

    #[test]
    fn what_is_not_known_is_not_passed() {
        assert_eq!(findings(&[("eth0", "physical", 0, None)])[0].verdict, Verdict::Unknown);
        assert_eq!(Mtu.analyze(&Artifacts::default()).unwrap()[0].verdict, Verdict::Unknown);
    }
}

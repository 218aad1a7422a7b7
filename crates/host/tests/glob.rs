//! What shell patterns find on a node.

#![expect(clippy::unwrap_used, reason = "functions that prepare a test may fail it")]

use periscope_host::{Absence, GlobMatches, HostPath};
use periscope_testkit::HostFixture;
use rstest::rstest;

fn node() -> HostFixture {
    HostFixture::new()
        .file("/var/log/syslog", "")
        .file("/var/log/syslog.1", "")
        .file("/var/log/syslog.2.gz", "")
        .file("/var/log/.hidden", "")
        .file("/var/log/azure/cni/a.log", "")
        .file("/var/log/azure/cns/b.log", "")
        .file("/var/log/azure/c.log", "")
        .file("/var/log/[odd]", "")
        .fifo("/var/log/pipe.log")
        .link("/var/log/broken", "/nowhere")
        .link("/var/log/all", "/var/log/azure")
        .link("/var/log/azure/circle", "/var/log")
        .link("/var/log/azure/out", "../../../../../..")
}

fn found(node: &HostFixture, pattern: &str) -> GlobMatches {
    node.root().glob(pattern).unwrap()
}

#[rstest]
#[case::literal("/var/log/syslog", &["/var/log/syslog"])]
#[case::literal_missing("/var/log/none", &[])]
#[case::star("/var/log/syslog*", &["/var/log/syslog", "/var/log/syslog.1", "/var/log/syslog.2.gz"])]
#[case::question("/var/log/syslog.?", &["/var/log/syslog.1"])]
#[case::class("/var/log/syslog.[0-9]*", &["/var/log/syslog.1", "/var/log/syslog.2.gz"])]
#[case::hidden_is_asked_for("/var/log/.*", &["/var/log/.hidden"])]
#[case::any_kind("/var/log/pipe*", &["/var/log/pipe.log"])]
#[case::broken_links_too("/var/log/brok*", &["/var/log/broken"])]
#[case::literal_broken_link("/var/log/broken", &["/var/log/broken"])]
#[case::escaped("/var/log/\\[odd\\]", &["/var/log/[odd]"])]
#[case::middle("/var/log/azure/c*/*.log", &["/var/log/azure/circle/pipe.log", "/var/log/azure/cni/a.log", "/var/log/azure/cns/b.log"])]
#[case::a_link_to_a_folder("/var/log/al*/c.log", &["/var/log/all/c.log"])]
#[case::a_link_out_of_the_root_is_the_root("/var/log/azure/ou*/etc/host*", &["/var/log/azure/out/etc/hostname"])]
#[case::a_file_is_no_folder("/var/log/sys*/x", &[])]
#[case::any_depth("/var/log/**/*.log", &["/var/log/azure/c.log", "/var/log/azure/cni/a.log", "/var/log/azure/cns/b.log", "/var/log/pipe.log"])]
#[case::any_depth_twice("/var/**/azure/**/a.log", &["/var/log/azure/cni/a.log"])]
#[case::everything_below("/var/log/azure/cn*/**", &["/var/log/azure/cni/a.log", "/var/log/azure/cns/b.log"])]
#[case::root("/", &["/"])]
fn table(#[case] pattern: &str, #[case] expected: &[&str]) {
    let found = found(&node(), pattern);
    let paths: Vec<_> = found.paths.iter().map(HostPath::as_str).collect();
    assert_eq!(paths, expected);
    assert!(found.unread.is_empty() && !found.cut, "{found:?}");
}

#[rstest]
#[case::relative("var/log/*")]
#[case::parent("/var/log/../*")]
#[case::nul("/var/\0*")]
fn refuses_what_is_no_path(#[case] pattern: &str) {
    assert_eq!(node().root().glob(pattern).unwrap_err().absence(), Absence::Failed);
}

#[test]
fn a_link_that_goes_in_circles_is_no_match_and_no_gap_is_hidden() {
    let node = HostFixture::new().link("/a/circle", "circle").file("/a/x/y", "");
    let found = found(&node, "/a/*/y");
    assert_eq!(found.paths.len(), 1);
    assert_eq!(
        found.unread.len(),
        1,
        "the circle could not be looked into: {:?}",
        found.unread
    );
}

#[test]
fn a_deep_tree_is_cut_and_says_so() {
    let deep = "/d".repeat(40);
    let node = HostFixture::new()
        .file(&format!("{deep}/x"), "")
        .file("/d/x", "")
        .file("/e/x", "");
    let found = found(&node, "/**/x");
    assert!(found.cut);
    // What comes after the deep folder is not lost.
    assert_eq!(
        found.paths,
        [HostPath::new("/d/x").unwrap(), HostPath::new("/e/x").unwrap()]
    );
}

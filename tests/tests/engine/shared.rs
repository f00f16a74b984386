//! Nodes that are made of the same: one runs, the others take its result.

use darkroom_core::observe::Cancel;
use darkroom_core::value::Value;
use darkroom_tests::room::Room;
use insta::assert_snapshot;

/// Two leaves of one seed, each with a caption of its own, and two sheets of one text.
const TWINS: &str = r#"(
    darkroom: 1,
    nodes: {
        "leaf":  (type: "grow", seed: 7),
        "again": (type: "grow", seed: 7),
        "one":   (type: "sprout", leaf: (from: "leaf"), prefix: "one"),
        "two":   (type: "sprout", leaf: (from: "again"), prefix: "two"),
        "three": (type: "sprout", leaf: (from: "again"), prefix: "two"),
        "left":  (type: "press", text: (from: "one"), name: "left.txt"),
        "right": (type: "press", text: (from: "two"), name: "right.txt"),
        "copy":  (type: "press", text: (from: "three"), name: "right.txt"),
    },
)
"#;

#[test]
fn one_of_two_equal_nodes_runs_and_both_have_its_result() {
    let room = Room::new(TWINS);
    let plan = room.explain();
    let again = plan.lines().find(|line| line.starts_with("again ")).expect("a line for each node");
    assert!(again.contains("shared") && again.contains("same as `leaf`"), "{plan}");
    assert!(plan.contains("5 of 8 nodes run"), "{plan}");
    assert_snapshot!(room.run(), @r"
    leaf   ran     new here
    one    ran     new here
    left   ran     new here
    again  cached  same as `leaf`
    two    ran     new here
    right  ran     new here
    three  idle    not needed
    copy   cached  same as `right`
    ");
    let read = |name: &str| std::fs::read_to_string(room.home().join("out").join(name)).expect("a sheet");
    assert_eq!(read("left.txt"), "one[7.0, 8.0, 9.0, 10.0]");
    assert_eq!(read("right.txt"), "two[7.0, 8.0, 9.0, 10.0]");
    assert_snapshot!(room.run(), @r"
    leaf   cached  not needed
    one    cached  not needed
    left   cached  nothing changed
    again  cached  not needed
    two    cached  not needed
    right  cached  nothing changed
    three  cached  not needed
    copy   cached  nothing changed
    ");
}

#[test]
fn both_of_two_equal_nodes_have_a_result_where_both_are_wanted() {
    let room = Room::new(TWINS);
    let report = room.run_watched(&(), &Cancel::new()).expect("a run");
    let left = |(id, values): &(String, Vec<Value>)| (id.clone(), values[0].written());
    let sheet = |id: &str, name: &str| (id.to_owned(), vec![room.home().join("out").join(name)]);
    let results: Vec<_> = report.results.iter().map(left).collect();
    assert_eq!(results, [sheet("left", "left.txt"), sheet("right", "right.txt"), sheet("copy", "right.txt")]);
}

#[test]
fn an_equal_node_is_told_of_when_its_twin_is_through() {
    let log = Room::new(TWINS).run_log();
    let at = |line: &str| log.iter().position(|told| told == line).unwrap_or_else(|| panic!("no `{line}` in {log:?}"));
    assert!(at("ran leaf") < at("cached again") && at("cached again") < at("started two (sprout)"), "{log:?}");
    assert!(!log.iter().any(|line| line.starts_with("started again")), "{log:?}");
    assert!(at("ran right") < at("copy had written right.txt"), "{log:?}");
}

#[test]
fn a_fault_of_one_is_told_once() {
    let room = Room::new(
        r#"(darkroom: 1, nodes: {
            "leaf":  (type: "spoil", how: "fault"),
            "again": (type: "spoil", how: "fault"),
            "one":   (type: "sprout", leaf: (from: "leaf"), prefix: "one"),
            "two":   (type: "sprout", leaf: (from: "again"), prefix: "two"),
            "left":  (type: "press", text: (from: "one"), name: "left.txt"),
            "right": (type: "press", text: (from: "two"), name: "right.txt"),
        })"#,
    );
    assert_eq!(room.run().matches("the tray is empty").count(), 1);
}

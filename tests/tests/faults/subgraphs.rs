//! Sub-graphs that are broken, hostile, or inside of themselves.

use std::time::{Duration, Instant};

use darkroom_core::graph::read;
use darkroom_tests::room::Room;
use insta::assert_snapshot;

/// What is wrong with a text, with places and ways out, as a run says it.
fn wrong(nodes: &str, definitions: &str) -> String {
    let text = format!("(darkroom: 1, nodes: {{\n{nodes}\n}}, subgraphs: {{\n{definitions}\n}})");
    Room::new(&text).run_to("out")
}

fn unread(definitions: &str) -> String {
    let faults = read(&format!("(darkroom: 1, nodes: {{}}, subgraphs: {{\n{definitions}\n}})"));
    faults.expect_err("this must not pass").to_string()
}

const TREE: &str = r#""tree": (
    inputs: { "on": ["twig.on"], "size": ["twig.size"], "ink": ["print.ink"] },
    outputs: { "leaf": (from: "twig"), "words": (from: "print.caption") },
    nodes: {
        "twig": (type: "grow"),
        "print": (type: "stamp", leaf: (from: "twig")),
    },
)"#;

#[test]
fn a_malformed_definition_is_named_with_line_and_column() {
    assert_snapshot!(unread(r#""a": 5, "b.c": (nodes: {}), "d": (title: 3), "d": (nodes: {})"#), @r"
    line 2, column 6 › sub-graph `a`: `a` is not a sub-graph
    line 2, column 9: `b.c` cannot be the name of a sub-graph: a `.` separates node and output in wires
    line 2, column 29 › sub-graph `d`: the sub-graph `d` has no `nodes`
    line 2, column 42 › sub-graph `d`: `title` must be a text, not `3`
    line 2, column 46: the sub-graph `d` stands at 2:29 and again at 2:46
    ");
    assert_snapshot!(unread(r#""a": (inputs: {"x": "b.c", "type": ["b.c"], "y": [], "z": ["b"], "v w": ["b.c"]}, nodes: {})"#), @r#"
    line 2, column 21 › sub-graph `a`: `"b.c"` is no input of a node inside
    line 2, column 28 › sub-graph `a`: `type` cannot be the name of an input: a node uses that word for itself
    line 2, column 50 › sub-graph `a`: `[]` is no input of a node inside
    line 2, column 59 › sub-graph `a`: `["b"]` is no input of a node inside
    line 2, column 66 › sub-graph `a`: `v w` cannot be the name of an input: it holds more than letters, digits, `_` and `-`
    "#);
    assert_snapshot!(unread(r#""a": (outputs: {"x": "b", "y": (from: "b", z: 1)}, nodes: {"b": (type: 3, x: 2)})"#), @r#"
    line 2, column 22 › sub-graph `a`: `"b"` is no output of a node inside
    line 2, column 32 › sub-graph `a`: `(from: "b", z: 1)` is no output of a node inside
    line 2, column 72 › sub-graph `a`: the type of `b` is not the name of one
    "#);
    assert_snapshot!(read("(darkroom: 1, nodes: {}, subgraphs: [])").expect_err("a list is no map"), @"line 1, column 37: the section `subgraphs` is not a map");
}

#[test]
fn an_unknown_definition_or_input_meets_the_nearest() {
    assert_snapshot!(wrong(r#""out": (type: "graph:tre")"#, TREE), @r"
    line 2, column 9 › out (graph:tre) › type: there is no sub-graph `tre` in this workflow
      did you mean `graph:tree`?
    ");
    assert_snapshot!(wrong(r#""out": (type: "graph:tree", sice: 3)"#, TREE), @r"
    line 2, column 29 › out (graph:tree) › sice: `graph:tree` has no input `sice`
      did you mean `size`?
    line 2, column 1 › out (graph:tree) › ink: nothing is connected to `ink`
      add a node that gives `ink`
    ");
    assert_snapshot!(wrong(r#""t": (type: "graph:tree"), "out": (type: "grow", on: (from: "t"))"#, TREE), @r"
    line 2, column 1 › t (graph:tree) › ink: nothing is connected to `ink`
      add a node that gives `ink`
    line 2, column 50 › out (grow) › on: `t` (graph:tree) has several outputs
      name one: `t.leaf`, `t.words`
    ");
    assert_snapshot!(wrong(r#""t": (type: "graph:tree"), "out": (type: "grow", on: (from: "t.lef"))"#, TREE), @r"
    line 2, column 1 › t (graph:tree) › ink: nothing is connected to `ink`
      add a node that gives `ink`
    line 2, column 50 › out (grow) › on: `t` (graph:tree) has no output `lef`
      its outputs are leaf, words
    ");
}

#[test]
fn what_is_given_to_an_instance_is_at_fault_there() {
    assert_snapshot!(wrong(r#""out": (type: "graph:tree", size: 0)"#, TREE), @r"
    line 2, column 29 › out (graph:tree) › size: 0 is out of range
      give a whole number from 1 to 1000000 numbers
    line 2, column 1 › out (graph:tree) › ink: nothing is connected to `ink`
      add a node that gives `ink`
    ");
    assert_snapshot!(wrong(r#""out": (type: "graph:tree", ink: 5)"#, TREE), @r"
    line 2, column 29 › out (graph:tree) › ink: `ink` takes a wire of kind `ink`, not a whole number
      add a node that gives `ink`
    ");
    assert_snapshot!(wrong(r#""w": (type: "word"), "out": (type: "graph:tree", on: (from: "w"))"#, TREE), @r"
    line 2, column 50 › out (graph:tree) › on: `out/twig.on` (grow) takes `leaf`, and `w` (word) gives `text`
      `out/print.leaf` would fit
    line 2, column 22 › out (graph:tree) › ink: nothing is connected to `ink`
      add a node that gives `ink`
    ");
}

#[test]
fn what_is_wrong_inside_is_found_in_the_definition() {
    let broken = TREE.replace("\"grow\"", "\"grow\", sede: 3");
    assert_snapshot!(wrong(r#""i": (type: "ink"), "out": (type: "graph:tree", ink: (from: "i"))"#, &broken), @r"
    line 8, column 32 › out/twig (grow, in `tree`) › sede: `grow` has no input `sede`
      did you mean `size`?
    ");
    let lost = TREE.replace("(from: \"twig\"))", "(from: \"twing\"))");
    assert_snapshot!(wrong(r#""i": (type: "ink"), "out": (type: "graph:tree", ink: (from: "i"))"#, &lost), @r"
    line 9, column 34 › out/print (stamp, in `tree`) › leaf: there is no node `out/twing` to take `leaf` from
      did you mean `out/twig`?
    ");
}

#[test]
fn an_end_that_leads_nowhere_is_named() {
    let ends = |inputs: &str, outputs: &str| {
        format!(
            r#""tree": (inputs: {{ {inputs} }}, outputs: {{ {outputs} }}, nodes: {{
            "twig": (type: "grow", on: (from: "root")), "root": (type: "grow"), "word": (type: "word") }})"#
        )
    };
    assert_snapshot!(wrong(r#""out": (type: "grow")"#, &ends(r#""a": ["twg.size"], "b": ["twig.sice"]"#, "")), @r"
    line 4, column 20 › sub-graph `tree` › a: there is no node `twg` inside of `tree`
      did you mean `twig`?
    line 4, column 39 › sub-graph `tree` › b: `twig` (grow) has no input `sice`
      did you mean `size`?
    ");
    assert_snapshot!(wrong(r#""out": (type: "grow")"#, &ends(r#""a": ["twig.on"], "b": ["root.size", "word.text"]"#, "")), @r"
    line 4, column 20 › sub-graph `tree` › a: `twig.on` is promoted as `a`, and a wire from `root` ends there
      take the wire away, or do not promote the input
    line 4, column 38 › sub-graph `tree` › b: `b` stands for `root.size` (integer) and for `word.text` (text)
      promote inputs of different kinds under different names
    ");
    assert_snapshot!(wrong(r#""out": (type: "grow")"#, &ends(r#""a": ["twig.size", "twig.size"], "b": ["twig.size"]"#, "")), @r"
    line 4, column 20 › sub-graph `tree` › a: `twig.size` stands twice in `a`
      promote it once
    line 4, column 53 › sub-graph `tree` › b: `twig.size` is promoted as `a` and again as `b`
      promote it once
    ");
    assert_snapshot!(wrong(r#""out": (type: "grow")"#, &ends("", r#""a": (from: "rot"), "b": (from: "root.lef")"#)), @r"
    line 4, column 35 › sub-graph `tree` › a: there is no node `rot` inside of `tree`
      did you mean `root`?
    line 4, column 55 › sub-graph `tree` › b: `root` (grow) has no output `lef`
      its outputs are leaf
    ");
}

#[test]
fn a_circle_of_definitions_is_named_once() {
    let of = |name: &str, inner: &str| format!(r#""{name}": (nodes: {{"x": (type: "graph:{inner}")}}), "#);
    assert_snapshot!(wrong(r#""out": (type: "graph:a")"#, &of("a", "a")), @r"
    line 4, column 1 › sub-graph `a`: the sub-graph `a` is inside of itself
      take one of them out of the other
    ");
    let three = of("a", "b") + &of("b", "c") + &of("c", "a") + &of("d", "a");
    assert_snapshot!(wrong(r#""out": (type: "graph:d")"#, &three), @r"
    line 4, column 1 › sub-graph `a`: these sub-graphs are inside of each other: `a`, `b`, `c`
      take one of them out of the other
    ");
}

#[test]
fn bombs_are_refused_before_they_eat_memory() {
    let start = Instant::now();
    let mut doubled = String::from(r#""t0": (outputs: {"leaf": (from: "a")}, nodes: {"a": (type: "grow")}),"#);
    for level in 1..40 {
        let inner = level - 1;
        doubled += &format!(
            r#""t{level}": (outputs: {{"leaf": (from: "a")}}, nodes: {{"a": (type: "graph:t{inner}"), "b": (type: "graph:t{inner}")}}),"#
        );
    }
    assert_snapshot!(wrong(r#""out": (type: "graph:t30")"#, &doubled), @r"
    line 2, column 1 › out (graph:t30): unfolded, the sub-graphs have more than 100000 nodes or 64 MiB of text
      use fewer of them within each other
    ");
    assert_snapshot!(wrong(r#""out": (type: "graph:t39")"#, &doubled), @r"
    line 2, column 1 › out (graph:t39): sub-graphs lie within each other, more than 32 deep
      put fewer of them within each other
    ");
    // Nothing but instances, and long texts instead of many nodes.
    let hollow = doubled.replace(r#"{"a": (type: "grow")}"#, "{}").replace(r#"outputs: {"leaf": (from: "a")}, "#, "");
    assert!(wrong(r#""out": (type: "graph:t30")"#, &hollow).contains("more than 100000 nodes"));
    let long = doubled.replace(r#"(type: "grow")"#, &format!(r#"(type: "grow", seed: "{}")"#, "long ".repeat(10_000)));
    assert!(wrong(r#""out": (type: "graph:t15")"#, &long).contains("MiB of text"));
    let targets: Vec<_> = (0..5000).map(|index| format!("\"n{index}\": (type: \"word\")")).collect();
    let ends: Vec<_> = (0..5000).map(|index| format!("\"n{index}.text\"")).collect();
    let wide = format!("\"wide\": (inputs: {{\"x\": [{}]}}, nodes: {{ {} }})", ends.join(", "), targets.join(", "));
    let out = format!(r#""out": (type: "graph:wide", x: "{}")"#, "long ".repeat(10_000));
    assert!(wrong(&out, &wide).contains("MiB of text"));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn two_nodes_of_one_way_are_told_apart() {
    assert_snapshot!(wrong(r#""out": (type: "graph:t"), "out/a": (type: "grow")"#, r#""t": (nodes: {"a": (type: "grow")})"#), @r"
    line 4, column 15 › out/a (grow, in `t`): two nodes are called `out/a`, one of them inside of a sub-graph
      give one of them another name
    ");
}

#[test]
fn instances_that_wait_for_each_other_are_named() {
    let nodes = r#""out": (type: "graph:tree", on: (from: "b.leaf"), mode: bypassed), "b": (type: "graph:tree", on: (from: "out.leaf"), mode: bypassed)"#;
    assert_snapshot!(wrong(nodes, TREE), @r"
    line 2, column 1 › out (graph:tree): these nodes wait for each other: `out`, `b`
      take one of the wires between them away
    ");
    assert_snapshot!(wrong(&nodes.replace("mode: bypassed", "size: 3"), TREE), @r"
    line 2, column 1 › out (graph:tree) › ink: nothing is connected to `ink`
      add a node that gives `ink`
    line 8, column 9 › out/twig (grow, in `tree`): these nodes wait for each other: `out/twig`, `b/twig`
      take one of the wires between them away
    line 2, column 61 › b (graph:tree) › ink: nothing is connected to `ink`
      add a node that gives `ink`
    ");
}

#[test]
fn what_fails_while_it_runs_names_its_definition() {
    let text = r#"(darkroom: 1, nodes: {"out": (type: "graph:bad")}, subgraphs: {"bad": (
        outputs: {"leaf": (from: "s")}, nodes: {"s": (type: "spoil")})})"#;
    assert_snapshot!(Room::new(text).run_to("out"), @r"
    line 2, column 49 › out/s (spoil, in `bad`): the tray is empty
      fill it
    ");
}

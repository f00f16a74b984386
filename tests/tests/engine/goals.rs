//! What is wanted, and what is therefore not.

use darkroom_core::graph::Mode;
use darkroom_tests::room::Room;
use insta::assert_snapshot;

use super::{PRINT, TWO_BRANCHES};

#[test]
fn a_deleted_sheet_is_pressed_again_and_nothing_else() {
    let room = Room::new(PRINT);
    room.run();
    std::fs::remove_file(room.home().join("out/sheet.txt")).expect("it was there");
    assert_snapshot!(room.run(), @r"
    ink      cached  not needed
    leaf     cached  not needed
    print    cached  not needed
    shout    cached  not needed
    caption  cached  nothing changed
    sheet    ran     the sheet is gone
    ");
    assert!(room.home().join("out/sheet.txt").exists());
}

#[test]
fn a_changed_sheet_is_pressed_again_and_nothing_else() {
    let mut room = Room::new(PRINT);
    room.run();
    room.again();
    std::fs::write(room.home().join("out/sheet.txt"), "scribble").expect("it can be written");
    assert_snapshot!(room.run(), @r"
    ink      idle    not needed
    leaf     cached  not needed
    print    cached  not needed
    shout    cached  not needed
    caption  cached  nothing changed
    sheet    ran     the sheet was changed
    ");
}

#[test]
fn a_node_that_is_asked_for_runs_with_what_it_needs() {
    let room = Room::new(PRINT);
    assert_snapshot!(room.run_to("print"), @r"
    ink    opened  needed
    leaf   ran     new here
    print  ran     new here
    ");
    assert_snapshot!(room.run_to("shout"), @"shout  ran     new here");
    assert_snapshot!(room.run_to("word"), @"");
    assert_snapshot!(room.run(), @r"
    ink      cached  not needed
    leaf     cached  not needed
    print    cached  nothing changed
    shout    cached  nothing changed
    caption  ran     new here
    sheet    ran     new here
    ");
    assert_snapshot!(room.run_to("pint"), @r"
    there is no node `pint` in this graph
      did you mean `print`?
    ");
}

#[test]
fn a_graph_without_effects_says_so() {
    let room = Room::new(r#"(darkroom: 1, nodes: { "leaf": (type: "grow") })"#);
    assert_snapshot!(room.run(), @r"
    nothing in this graph has an effect
      add a `save_image`, or name a node with --to
    ");
}

#[test]
fn what_waits_for_a_muted_node_is_left_out() {
    let mut room = Room::new(TWO_BRANCHES);
    room.graph.nodes["right"].mode = Mode::Muted;
    assert_snapshot!(room.run(), @r"
    left        ran     new here
    left_words  ran     new here
    left_sheet  ran     new here
    ");
    room.graph.nodes["left_sheet"].mode = Mode::Muted;
    assert_snapshot!(room.run(), @r"
    all that is wanted waits for a muted node
      make that node active
    ");
    room.graph.nodes["right_sheet"].mode = Mode::Muted;
    assert_snapshot!(room.run(), @r"
    nothing in this graph has an effect
      add a `save_image`, or name a node with --to
    ");
}

#[test]
fn nobody_looks_at_what_only_a_muted_node_reads() {
    let room = Room::new(
        r#"(darkroom: 1, nodes: {
        "letter": (type: "letter", file: "missing.txt"),
        "shout":  (type: "shout", text: (from: "letter"), mode: muted),
        "sheet":  (type: "press", text: (from: "shout"), name: "a.txt"),
        "other":  (type: "press", text: "all is well", name: "b.txt"),
    })"#,
    );
    assert_snapshot!(room.run(), @"other  ran     new here");
}

#[test]
fn a_bypassed_node_passes_its_input_on() {
    let mut room = Room::new(
        r#"(darkroom: 1, nodes: {
        "seed":  (type: "grow"),
        "more":  (type: "grow", on: (from: "seed"), mode: bypassed),
        "words": (type: "sprout", leaf: (from: "more")),
        "loud":  (type: "shout", text: (from: "words"), mode: bypassed),
        "sheet": (type: "press", text: (from: "loud")),
    })"#,
    );
    assert_snapshot!(room.run(), @r"
    seed   ran     new here
    words  ran     new here
    sheet  ran     new here
    ");
    room.graph.nodes["seed"].mode = Mode::Bypassed;
    assert_snapshot!(room.run(), @r"
    line 2, column 9 › seed (grow): `seed` is bypassed, and no input could stand for `leaf`
      connect one of the same kind, or make the node active
    ");
}

const ROUTE: &str = r#"(darkroom: 1, nodes: {
    "black":  (type: "ink", colour: "black"),
    "leaf":   (type: "grow"),
    "dark":   (type: "stamp", ink: (from: "black"), leaf: (from: "leaf")),
    "letter": (type: "letter", file: "missing.txt"),
    "loud":   (type: "shout", text: (from: "letter")),
    "pick":   (type: "pick", a: (from: "dark.caption"), b: (from: "loud")),
    "sheet":  (type: "press", text: (from: "pick")),
})"#;

#[test]
fn the_branch_not_taken_is_not_looked_at() {
    let mut room = Room::new(ROUTE);
    // The letter is missing, and nobody minds.
    assert_snapshot!(room.run(), @r"
    black  opened  needed
    leaf   ran     new here
    dark   ran     new here
    sheet  ran     new here
    ");
    room.set("pick.first", false);
    assert_snapshot!(room.run(), @r"
    line 5, column 32 › letter (letter) › file: there is no `missing.txt`
      looked below HOME/in
    ");
    std::fs::write(room.home().join("in/missing.txt"), "found").expect("a letter");
    assert_snapshot!(room.run(), @r"
    letter  ran     new here
    loud    ran     new here
    sheet   ran     follows `loud`
    ");
}

#[test]
fn a_route_passes_on_only_what_fits() {
    let mut room = Room::new(ROUTE);
    room.connect("pick.a", "leaf");
    assert_snapshot!(room.run(), @r"
    line 8, column 31 › sheet (press) › text: wanted `text`, and `leaf` gives `leaf`
      connect another node, or choose another branch
    ");
}

#[test]
fn a_route_that_leads_nowhere_is_a_fault() {
    let mut room = Room::new(
        r#"(darkroom: 1, nodes: {
        "leaf":  (type: "grow"),
        "words": (type: "sprout", leaf: (from: "leaf")),
        "pick":  (type: "pick", first: false, a: (from: "words")),
        "sheet": (type: "press", text: (from: "pick")),
        "heavy": (type: "weigh", leaf: (from: "leaf")),
    })"#,
    );
    assert_snapshot!(room.run(), @r"
    line 4, column 9 › pick (pick): `b` is chosen, and nothing is connected to it
      connect `b`, or choose another input
    ");
    // What only a run could tell cannot choose the way of that run.
    room.connect("pick.first", "heavy");
    assert_snapshot!(room.run(), @r"
    line 4, column 9 › pick (pick): `first` must be known before the run
      give a literal, or a light value
    ");
    // A fault further up is told once, and not again as a fault of the route.
    room.set("pick.first", true);
    room.connect("pick.a", "wards");
    assert_snapshot!(room.run(), @r"
    line 4, column 47 › pick (pick) › a: there is no node `wards` to take `a` from
      did you mean `words`?
    ");
}

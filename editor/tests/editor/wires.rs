//! Wires: how they are drawn, moved, cut and bent, and what is said where they cannot be.

use darkroom_core::fault::{Fault, Faults, Located};
use egui::{PointerButton, vec2};

use crate::room::{ALT, CTRL, NONE, Room, workflow};

/// A word for a shout, a leaf that grows, and a stamp that wants ink and a leaf.
fn bench() -> Room {
    Room::new(&workflow(
        r#""word": (type: "word"), "shout": (type: "shout"), "grow": (type: "grow"), "ink": (type: "ink"), "stamp": (type: "stamp")"#,
        r#""word": (at: (0, 0)), "shout": (at: (360, 0)), "grow": (at: (0, 200)), "ink": (at: (0, 400)), "stamp": (at: (360, 240))"#,
    ))
}

/// Three leaves in a row, and a leaf beside.
fn row() -> Room {
    let mut room = Room::new(&workflow(
        r#""a": (type: "grow"), "b": (type: "grow", on: (from: "a")), "c": (type: "grow", on: (from: "b")), "d": (type: "grow")"#,
        r#""a": (at: (-120, 0)), "b": (at: (240, 0)), "c": (at: (600, 0)), "d": (at: (-120, 320))"#,
    ));
    room.look(egui::pos2(360.0, 200.0), 1.0);
    room
}

fn fault(node: &str, kind: &str, input: &str, message: &str) -> Faults {
    let mut faults = Faults::default();
    faults.push(Located::at_node(Fault::graph(message).hint("take another"), node, kind).input(input));
    faults
}

#[test]
fn a_wire_is_drawn_from_output_to_input() {
    let mut room = bench();
    room.drag(room.socket("output", "text", "word"), room.socket("input", "text", "shout"));
    assert_eq!(room.field("shout", "text").as_deref(), Some("word"));
    assert_eq!(room.steps(), ["draw a wire"]);
}

#[test]
fn a_wire_is_drawn_from_input_to_output() {
    let mut room = bench();
    room.drag(room.socket("input", "text", "shout"), room.socket("output", "text", "word"));
    assert_eq!(room.field("shout", "text").as_deref(), Some("word"));
}

#[test]
fn a_wire_from_a_node_of_several_outputs_says_which() {
    let mut room = bench();
    room.drag(room.socket("output", "caption", "stamp"), room.socket("input", "text", "shout"));
    assert_eq!(room.field("shout", "text").as_deref(), Some("stamp.caption"));
}

#[test]
fn a_wire_over_a_node_finds_the_socket_that_it_fits() {
    let mut room = bench();
    let middle = room.spot("node stamp").center();
    room.drag(room.socket("output", "leaf", "grow"), middle);
    assert_eq!(room.field("stamp", "leaf").as_deref(), Some("grow"));
}

#[test]
fn a_wire_on_an_input_that_is_taken_takes_its_place() {
    let mut room = row();
    room.drag(room.socket("output", "leaf", "d"), room.socket("input", "on", "b"));
    assert_eq!(room.field("b", "on").as_deref(), Some("d"));
    assert_eq!(room.steps().len(), 1);
}

#[test]
fn a_wire_that_is_pulled_off_goes() {
    let mut room = row();
    room.drag(room.socket("input", "on", "b"), room.on(300.0, 450.0));
    assert_eq!(room.field("b", "on"), None);
    assert_eq!(room.steps(), ["remove a wire"]);
}

#[test]
fn a_wire_that_is_pulled_off_can_end_elsewhere() {
    let mut room = row();
    room.drag(room.socket("input", "on", "b"), room.socket("input", "on", "d"));
    assert_eq!((room.field("b", "on"), room.field("d", "on").as_deref()), (None, Some("a")));
    assert_eq!(room.steps(), ["move a wire"]);
}

/// A leaf that feeds two others and a stamp, and a second leaf and some ink.
fn fan() -> Room {
    let mut room = Room::new(&workflow(
        r#""a": (type: "grow"), "z": (type: "grow"), "ink": (type: "ink"), "b": (type: "grow", on: (from: "a")),
           "c": (type: "grow", on: (from: "a")), "stamp": (type: "stamp", leaf: (from: "a"))"#,
        r#""a": (at: (-120, 0)), "z": (at: (-120, 200)), "ink": (at: (-120, 400)), "b": (at: (400, 0)), "c": (at: (400, 160)), "stamp": (at: (400, 320))"#,
    ));
    room.look(egui::pos2(300.0, 250.0), 1.0);
    room
}

#[test]
fn ctrl_and_drag_move_all_wires_of_an_output() {
    let mut room = fan();
    room.hold(CTRL);
    room.drag(room.socket("output", "leaf", "a"), room.socket("output", "leaf", "z"));
    room.hold(NONE);
    for (node, input) in [("b", "on"), ("c", "on"), ("stamp", "leaf")] {
        assert_eq!(room.field(node, input).as_deref(), Some("z"));
    }
    assert_eq!(room.steps(), ["move 3 wires"]);
    room.key(CTRL, egui::Key::Z);
    assert_eq!(room.field("stamp", "leaf").as_deref(), Some("a"));
}

#[test]
fn ctrl_and_drag_on_an_input_move_its_wire() {
    let mut room = fan();
    room.hold(CTRL);
    room.drag(room.socket("input", "on", "b"), room.socket("input", "on", "z"));
    room.hold(NONE);
    assert_eq!((room.field("b", "on"), room.field("z", "on").as_deref()), (None, Some("a")));
}

#[test]
fn wires_that_are_moved_together_are_refused_in_a_sentence() {
    let mut room = fan();
    room.hold(CTRL);
    room.drag(room.socket("output", "leaf", "a"), room.socket("output", "ink", "ink"));
    assert!(room.reads("takes leaf, `ink` gives ink"));
    room.drag(room.socket("output", "leaf", "a"), room.socket("output", "leaf", "b"));
    assert!(room.reads("`a` and `b` would wait for each other"));
    room.drag(room.socket("output", "leaf", "a"), room.on(140.0, 480.0));
    room.hold(NONE);
    assert_eq!((room.steps().len(), room.sees("search")), (0, false));
}

#[test]
fn a_click_on_a_socket_changes_nothing_and_asks_nothing() {
    let mut room = row();
    for at in [room.socket("input", "on", "b"), room.socket("input", "on", "a"), room.socket("output", "leaf", "c")] {
        for by in [-6.0, 0.0, 6.0] {
            room.click(at + vec2(by, 0.0));
            assert!(!room.sees("search"), "{at} {by}");
        }
    }
    assert_eq!(room.steps().len(), 0);
}

#[test]
fn alt_and_a_click_take_a_wire_off() {
    let mut room = row();
    room.click_with(ALT, room.socket("input", "on", "b"));
    assert_eq!(room.field("b", "on"), None);
    assert_eq!(room.steps(), ["remove a wire"]);
}

#[test]
fn escape_gives_a_wire_up() {
    let mut room = bench();
    room.pull(room.socket("output", "text", "word"), room.socket("input", "text", "shout"));
    room.key(NONE, egui::Key::Escape);
    room.release();
    assert_eq!((room.field("shout", "text"), room.steps().len()), (None, 0));
}

#[test]
fn a_wire_of_the_wrong_kind_is_refused_in_a_sentence() {
    let mut room = bench();
    room.drag(room.socket("output", "ink", "ink"), room.socket("input", "text", "shout"));
    assert_eq!(room.field("shout", "text"), None);
    assert!(room.reads("`text` of `shout` takes text, this is ink"));
}

#[test]
fn a_wire_that_would_close_a_circle_is_refused_in_a_sentence() {
    let mut room = row();
    room.drag(room.socket("output", "leaf", "c"), room.socket("input", "on", "a"));
    assert_eq!(room.field("a", "on"), None);
    assert!(room.reads("`c` and `a` would wait for each other"));
}

#[test]
fn a_wire_that_the_check_refuses_is_not_drawn_however_fast_the_hand() {
    for fast in [false, true] {
        let mut room = bench();
        room.desk.borrow_mut().refusal = Some(fault("shout", "shout", "text", "too loud"));
        let (from, to) = (room.socket("output", "text", "word"), room.socket("input", "text", "shout"));
        if fast {
            room.move_to(from);
            room.press();
            let modifiers = NONE;
            room.frame([
                egui::Event::PointerMoved(to),
                egui::Event::PointerButton { pos: to, button: PointerButton::Primary, pressed: false, modifiers },
            ]);
            room.settle();
        } else {
            room.drag(from, to);
        }
        assert_eq!(room.field("shout", "text"), None, "fast: {fast}");
        assert!(room.reads("too loud; take another"), "fast: {fast}");
    }
}

#[test]
fn a_check_is_asked_once_for_each_place_a_wire_is_held_over() {
    let mut room = bench();
    room.pull(room.socket("output", "text", "word"), room.socket("input", "text", "shout"));
    room.wait(20);
    assert_eq!(room.desk().checked, 1);
}

#[test]
fn wires_are_cut_with_ctrl_and_the_right_button() {
    let mut room = row();
    room.hold(CTRL);
    let at = room.on(185.0, 20.0);
    room.drag_with(PointerButton::Secondary, at, at + vec2(0.0, 120.0));
    room.hold(NONE);
    assert_eq!((room.field("b", "on"), room.field("c", "on").as_deref()), (None, Some("b")));
    assert_eq!(room.steps(), ["cut a wire"]);
    assert!(!room.sees("search"));
}

#[test]
fn a_double_click_on_a_wire_bends_it_and_another_one_straightens_it() {
    let mut room = row();
    let (a, b) = (room.socket("output", "leaf", "a"), room.socket("input", "on", "b"));
    let middle = a + (b - a) * 0.5;
    room.click_twice(middle);
    let bends = |room: &Room| room.node("b").wire("on").expect("it is wired").bends.clone();
    assert_eq!(bends(&room).len(), 1);
    room.drag(middle, middle + vec2(0.0, 80.0));
    let bend = bends(&room)[0];
    let at = room.on(bend.x as f32, bend.y as f32);
    assert!((at - middle - vec2(0.0, 80.0)).length() < 9.0);
    room.click_twice(at);
    assert_eq!(bends(&room).len(), 0);
    assert_eq!(room.steps().len(), 3);
}

#[test]
fn alt_and_a_click_bend_a_wire() {
    let mut room = row();
    let (a, b) = (room.socket("output", "leaf", "a"), room.socket("input", "on", "b"));
    room.click_with(ALT, a + (b - a) * 0.5);
    assert_eq!(room.node("b").wire("on").expect("it is wired").bends.len(), 1);
}

#[test]
fn a_node_that_is_put_down_on_a_wire_goes_in_between() {
    let mut room = row();
    let (a, b) = (room.socket("output", "leaf", "b"), room.socket("input", "on", "c"));
    let card = room.spot("node d");
    let from = room.head("d");
    room.drag(from, from + (a + (b - a) * 0.5 - card.center()));
    assert_eq!((room.field("d", "on").as_deref(), room.field("c", "on").as_deref()), (Some("b"), Some("d")));
    assert_eq!(room.steps(), ["insert a node"]);
}

#[test]
fn with_ctrl_a_node_is_put_down_on_a_wire_and_stays_apart() {
    let mut room = row();
    let (a, b) = (room.socket("output", "leaf", "b"), room.socket("input", "on", "c"));
    let (card, from) = (room.spot("node d"), room.head("d"));
    room.pull(from, from + (a + (b - a) * 0.5 - card.center()));
    room.hold(CTRL);
    room.release();
    room.hold(NONE);
    assert_eq!((room.field("d", "on"), room.field("c", "on").as_deref()), (None, Some("b")));
}

#[test]
fn wires_are_drawn_at_any_zoom() {
    for zoom in [0.3, 0.6, 1.7] {
        let mut room = bench();
        room.look(egui::pos2(300.0, 180.0), zoom);
        room.drag(room.socket("output", "text", "word"), room.socket("input", "text", "shout"));
        assert_eq!(room.field("shout", "text").as_deref(), Some("word"), "at {zoom}");
    }
}

#[test]
fn a_collapsed_node_keeps_its_wires_and_takes_new_ones() {
    let mut room = row();
    room.click(room.head("b"));
    room.key(NONE, egui::Key::H);
    assert_eq!(room.field("b", "on").as_deref(), Some("a"));
    let head = room.head("b");
    room.drag(room.socket("output", "leaf", "d"), head);
    assert_eq!(room.field("b", "on").as_deref(), Some("d"));
    room.drag(room.socket("output", "leaf", "b"), room.socket("input", "on", "a"));
    assert_eq!(room.field("a", "on").as_deref(), Some("b"));
}

#[test]
fn a_wire_to_an_input_that_is_folded_away_is_drawn_once_it_is_unfolded() {
    let mut room = Room::new(&workflow(
        r#""word": (type: "word"), "page": (type: "page")"#,
        r#""word": (at: (0, 0)), "page": (at: (360, 0))"#,
    ));
    room.click_on("1 more of page");
    room.drag(room.socket("output", "text", "word"), room.socket("input", "extra", "page"));
    assert_eq!(room.field("page", "extra").as_deref(), Some("word"));
}

#[test]
fn a_node_that_is_shaken_leaves_its_wires() {
    let mut room = row();
    let from = room.head("b");
    room.pull(from, from + vec2(0.0, 160.0));
    for _ in 0..3 {
        room.nudge(vec2(50.0, 0.0));
        room.nudge(vec2(-50.0, 0.0));
    }
    room.release();
    assert_eq!((room.field("b", "on"), room.field("c", "on"), room.place("b")), (None, None, (240, 160)));
    assert_eq!(room.steps(), ["shake a node loose"]);
}

#[test]
fn what_is_chosen_is_connected_from_left_to_right() {
    let mut room = bench();
    room.click(room.head("word"));
    room.click_with(crate::room::SHIFT, room.head("shout"));
    room.key(NONE, egui::Key::F);
    assert_eq!(room.field("shout", "text").as_deref(), Some("word"));
    room.click(room.head("grow"));
    room.click_with(crate::room::SHIFT, room.head("stamp"));
    room.key(NONE, egui::Key::F);
    assert_eq!(room.field("stamp", "leaf").as_deref(), Some("grow"));
    assert_eq!(room.steps(), ["connect", "connect"]);
    room.key(NONE, egui::Key::F);
    assert!(room.reads("nothing that is chosen gives what another one wants"));
}

#[test]
fn wires_run_as_is_wished_and_are_met_where_they_run() {
    use darkroom_editor::habits::Style;
    for style in Style::ALL {
        let mut room = row();
        room.harness.state_mut().habits_mut().wires = style;
        room.settle();
        let (a, d) = (room.socket("output", "leaf", "a"), room.socket("input", "on", "d"));
        // Along the axes, a wire to `b` turns in the middle, whatever its height.
        room.drag(room.socket("input", "on", "b"), d);
        room.key(CTRL, egui::Key::Z);
        let b = room.socket("input", "on", "b");
        room.click_with(ALT, a + (b - a) * 0.5);
        assert_eq!(room.node("b").wire("on").expect("it is wired").bends.len(), 1, "{style:?}");
    }
}

#[test]
fn a_wire_under_the_pointer_tells_its_ends_and_what_it_carries() {
    use darkroom_core::types::{Kind, Type};
    let mut room = row();
    let (a, b) = (room.socket("output", "leaf", "a"), room.socket("input", "on", "b"));
    room.move_to(a + (b - a) * 0.5);
    room.wait(60);
    assert!(room.reads("leaf of a to on of b"));
    let id = room.id("a");
    let told = Type::of(Kind("leaf")).size(Some(512), Some(768)).count(Some(4));
    room.harness.state_mut().tab_mut().status.nodes.entry(id).or_default().types = vec![told];
    room.wait(10);
    assert!(room.reads("leaf 512×768 ×4"));
}

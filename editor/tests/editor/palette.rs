//! The palette: how it is called, what it finds, and what becomes of what is picked.

use egui::{Key, vec2};

use crate::room::{CTRL, NONE, Room, SHIFT, workflow};

fn room() -> Room {
    Room::new(&workflow(
        r#""word": (type: "word"), "stamp": (type: "stamp")"#,
        r#""word": (at: (0, 0)), "stamp": (at: (500, 0))"#,
    ))
}

#[test]
fn it_is_called_by_double_click_and_tab_and_shift_a() {
    let mut room = room();
    let at = room.on(300.0, 400.0);
    room.click_twice(at);
    assert!(room.sees("search"));
    room.key(NONE, Key::Escape);
    assert!(!room.sees("search"));
    room.key(NONE, Key::Tab);
    assert!(room.sees("search"));
    room.key(NONE, Key::Escape);
    room.letter('A');
    assert!(room.sees("search"));
    assert_eq!(room.value("search").unwrap_or_default(), "");
    room.key(NONE, Key::Escape);
    room.click(room.head("word"));
    room.key(NONE, Key::Tab);
    assert!(room.sees("search"), "once a node was clicked");
}

#[test]
fn what_is_typed_finds_a_node_and_enter_puts_it_under_the_hand() {
    let mut room = room();
    let at = room.on(304.0, 400.0);
    room.click_twice(at);
    room.type_in("lngr");
    room.key(NONE, Key::Enter);
    assert_eq!((room.node("linger").kind.as_str(), room.place("linger").0), ("linger", 304));
    assert!((room.place("linger").1 - 392).abs() < 24);
    assert_eq!((room.chosen(), room.steps()), (vec!["linger".to_owned()], vec!["add a node".to_owned()]));
    assert!(!room.sees("search"));
}

#[test]
fn arrow_keys_go_down_and_up_the_list() {
    let mut room = room();
    room.key(NONE, Key::Tab);
    room.type_in("gr");
    room.key(NONE, Key::ArrowDown);
    room.key(NONE, Key::ArrowDown);
    room.key(NONE, Key::ArrowUp);
    room.key(NONE, Key::ArrowUp);
    room.key(NONE, Key::Enter);
    assert_eq!(room.sheet().nodes.len(), 3);
    assert_eq!(room.node("grow").kind, "grow");
}

#[test]
fn every_letter_can_be_typed_in_it() {
    let mut room = room();
    room.click(room.head("word"));
    room.key(NONE, Key::Tab);
    room.type_in("abcdefghijklmnopqrstuvwxyz");
    assert_eq!(room.value("search").as_deref(), Some("abcdefghijklmnopqrstuvwxyz"));
    room.key(NONE, Key::Enter);
    assert_eq!((room.sheet().nodes.len(), room.steps().len()), (2, 0));
}

#[test]
fn a_click_beside_it_sends_it_away() {
    let mut room = room();
    room.key(NONE, Key::Tab);
    room.click(room.on(300.0, 500.0));
    assert!(!room.sees("search"));
    assert_eq!(room.steps().len(), 0);
}

#[test]
fn a_node_of_the_list_is_picked_by_a_click() {
    let mut room = room();
    room.key(NONE, Key::Tab);
    room.type_in("linger");
    let at = room.spot("search").left_bottom() + vec2(60.0, 22.0);
    room.click(at);
    assert_eq!(room.node("linger").kind, "linger");
}

#[test]
fn a_wire_that_is_dropped_finds_only_what_takes_it_and_is_fastened() {
    let mut room = room();
    room.drag(room.socket("output", "leaf", "stamp"), room.on(800.0, 300.0));
    assert!(room.sees("search"));
    // A shout takes no leaf.
    room.type_in("shout");
    assert!(room.reads("nothing of that name"));
    room.key(CTRL, Key::A);
    room.type_in("grow");
    room.key(NONE, Key::Enter);
    assert_eq!(room.field("grow", "on").as_deref(), Some("stamp.leaf"));
    assert_eq!(room.steps(), ["add a node"]);
}

#[test]
fn a_wire_that_is_dropped_from_an_input_is_fastened_to_an_output() {
    let mut room = room();
    let at = room.on(300.0, 300.0);
    room.drag(room.socket("input", "leaf", "stamp"), at);
    room.type_in("stamp");
    room.key(NONE, Key::Enter);
    assert_eq!(room.field("stamp", "leaf").as_deref(), Some("stamp_2.leaf"));
    // The wire leaves it at the right, where the hand was.
    assert!(room.place("stamp_2").0 < 100);
}

#[test]
fn a_value_that_is_dropped_is_fastened_to_a_field() {
    let mut room = room();
    room.drag(room.socket("output", "text", "word"), room.on(200.0, 400.0));
    room.type_in("shout");
    room.key(NONE, Key::Enter);
    assert_eq!(room.field("shout", "text").as_deref(), Some("word"));
}

#[test]
fn escape_after_a_dropped_wire_leaves_all_as_it_was() {
    let mut room = room();
    room.drag(room.socket("output", "leaf", "stamp"), room.on(800.0, 300.0));
    room.key(NONE, Key::Escape);
    assert!(!room.sees("search"));
    assert_eq!(room.steps().len(), 0);
}

#[test]
fn every_command_is_found_and_done() {
    let mut room = room();
    room.click(room.head("word"));
    room.key(CTRL, Key::K);
    room.type_in("mute");
    room.key(NONE, Key::Enter);
    assert_eq!(room.node("word").mode, darkroom_core::graph::Mode::Muted);
}

#[test]
fn the_menu_of_a_node_does_what_stands_there() {
    let mut room = room();
    room.click_right(room.head("word"));
    assert_eq!(room.chosen(), ["word"]);
    room.click_words("Duplicate");
    assert_eq!(room.node("word_2").kind, "word");
}

#[test]
fn the_menu_of_the_canvas_is_another_one() {
    let mut room = room();
    room.click(room.head("word"));
    room.click_right(room.on(300.0, 400.0));
    assert!(room.reads("Add node") && !room.reads("Duplicate"));
    room.click_words("Note");
    assert_eq!(room.sheet().frames.len(), 1);
}

#[test]
fn enter_in_a_menu_does_only_what_is_marked() {
    let mut room = room();
    room.click_right(room.head("word"));
    room.key(NONE, Key::ArrowDown);
    room.key(NONE, Key::Escape);
    room.key(SHIFT, Key::F2);
    assert_eq!((room.desk().runs.len(), room.steps().len()), (0, 0));
}

//! Panels: how they are opened and closed, and the form and the templates in them.

use darkroom_core::fault::{Fault, Faults, Located};
use egui::Key;

use crate::room::{CTRL, CTRL_SHIFT, NONE, Room, workflow};

/// A word, and a shout of it.
fn room() -> Room {
    Room::new(&workflow(
        r#""word": (type: "word", text: "ink"), "shout": (type: "shout", text: (from: "word"))"#,
        r#""word": (at: (0, 0)), "shout": (at: (360, 0))"#,
    ))
}

#[test]
fn a_panel_is_opened_closed_and_found_where_it_was() {
    let mut room = room();
    assert!(!room.reads("as opened") && room.reads("Pictures appear here"));
    room.click_on("steps");
    assert!(room.reads("as opened") && !room.reads("Pictures appear here"));
    room.click_on("Results");
    assert!(!room.reads("as opened") && room.reads("Pictures appear here"));
    room.click_on("results");
    assert!(room.reads("as opened"));
    room.click_on("steps");
    assert!(!room.reads("as opened") && !room.reads("Pictures appear here"));
}

#[test]
fn a_panel_is_moved_by_its_tab() {
    let mut room = room();
    room.click_on("steps");
    let before = room.spot("Steps");
    let below = room.tab().view.view.expect("it was shown");
    // Onto the lower edge of the canvas.
    room.drag(before.center(), egui::pos2(below.center().x, below.bottom() - 6.0));
    let after = room.spot("Steps");
    assert!(after.top() > before.bottom() + 200.0, "{after:?}");
    assert!(room.reads("as opened") && room.reads("Pictures appear here"));
}

#[test]
fn a_field_is_offered_in_the_form_and_filled_there() {
    let mut room = room();
    room.click_on("form");
    assert!(room.reads("Fields that are changed often"));
    room.click_on("Choose fields");
    room.click_on("word");
    room.wait(20);
    room.click_on("offer text of word");
    assert_eq!(room.steps(), ["choose fields of the form"]);
    room.click_on("Choose fields");
    // The node's own field lies out of sight.
    room.look(egui::pos2(9000.0, 9000.0), 1.0);
    room.click(room.text_field("text").center());
    room.key(CTRL, Key::A);
    room.type_in("pen");
    assert_eq!(room.field("word", "text").as_deref(), Some("\"pen\""));
    assert_eq!(room.steps(), ["choose fields of the form", "change `text`"]);
    assert!(room.tab().document.text().contains("exposed: [\"word.text\"]"));
}

#[test]
fn a_template_is_opened_in_a_tab_of_its_own() {
    let mut room = room();
    room.key(CTRL_SHIFT, Key::N);
    room.wait(10);
    assert!(room.reads("Loud words."));
    room.click_on("template ink");
    assert_eq!(room.field("loud", "text").as_deref(), Some("\"ink\""));
    assert!(!room.sees("template ink"));
}

#[test]
fn a_template_names_what_it_needs_that_is_not_there() {
    let mut room = room();
    let mut faults = Faults::default();
    faults.push(Located::at_node(Fault::file("`big.safetensors` is not there"), "a", "grow"));
    room.desk.borrow_mut().refusal = Some(faults);
    room.key(CTRL_SHIFT, Key::N);
    room.wait(10);
    assert!(room.reads("`big.safetensors` is not there"));
}

#[test]
fn an_empty_canvas_says_how_to_begin() {
    let mut room = Room::new("(darkroom: 1, nodes: {})");
    room.click(room.sentence("Add a node"));
    room.type_in("word");
    room.key(NONE, Key::Enter);
    assert_eq!(room.sheet().nodes.len(), 1);
    assert!(!room.reads("Nothing here yet"));
}

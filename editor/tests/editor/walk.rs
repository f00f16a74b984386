//! The canvas by keys alone.

use egui::Key;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::room::{ALT, CTRL, NONE, Room, SHIFT, workflow};

/// Two rows of two, and a far one.
fn five() -> Room {
    Room::new(&workflow(
        r#""a": (type: "page"), "b": (type: "word"), "c": (type: "word"), "d": (type: "word"), "far": (type: "word")"#,
        r#""a": (at: (0, 0)), "b": (at: (360, 0)), "c": (at: (0, 480)), "d": (at: (360, 480)), "far": (at: (2400, 0))"#,
    ))
}

fn said(room: &Room) -> String {
    let canvas = room.harness.get_by_label("canvas");
    canvas.accesskit_node().data().description().unwrap_or_default().to_owned()
}

#[test]
fn arrows_lead_from_node_to_node_and_the_canvas_says_where() {
    let mut room = five();
    assert_eq!(said(&room), "nothing is chosen");
    room.click(room.head("a"));
    for (key, name) in [(Key::ArrowRight, "b"), (Key::ArrowDown, "d"), (Key::ArrowLeft, "c"), (Key::ArrowUp, "a")] {
        room.key(NONE, key);
        assert_eq!(room.chosen(), [name]);
        assert_eq!(said(&room), format!("{name} is chosen"));
        let label = format!("node {name}");
        let node = room.harness.get_by_label(&label);
        assert_eq!(node.accesskit_node().is_selected(), Some(true));
    }
    assert_eq!(room.steps().len(), 0);
}

#[test]
fn without_a_choice_an_arrow_chooses_what_is_in_the_middle() {
    let mut room = five();
    room.look(egui::pos2(480.0, 30.0), 1.0);
    room.key(NONE, Key::ArrowDown);
    assert_eq!(room.chosen(), ["b"]);
}

#[test]
fn the_view_follows_to_a_node_that_is_out_of_sight() {
    let mut room = five();
    room.click(room.head("b"));
    room.key(NONE, Key::ArrowRight);
    assert_eq!(room.chosen(), ["far"]);
    assert!(room.tab().view.view.expect("it was shown").contains_rect(room.spot("node far")));
}

#[test]
fn alt_and_arrows_move_nodes_by_the_grid_as_one_step() {
    let mut room = five();
    room.click(room.head("a"));
    room.click_with(SHIFT, room.head("b"));
    for key in [Key::ArrowRight, Key::ArrowRight, Key::ArrowDown] {
        room.key(ALT, key);
    }
    assert_eq!((room.place("a"), room.place("b"), room.place("c")), ((16, 8), (376, 8), (0, 480)));
    assert_eq!(room.steps(), ["move 2 nodes"]);
    room.harness.state_mut().habits_mut().grid = 32;
    room.key(ALT, Key::ArrowUp);
    assert_eq!(room.place("a"), (16, -24));
}

#[test]
fn enter_goes_into_the_first_field_and_escape_back_to_the_canvas() {
    let mut room = five();
    room.click(room.head("b"));
    room.key(NONE, Key::Enter);
    room.type_in("ink");
    assert_eq!(room.field("b", "text").as_deref(), Some("\"ink\""));
    room.key(NONE, Key::Escape);
    room.key(NONE, Key::ArrowLeft);
    assert_eq!((room.chosen(), room.field("b", "text").as_deref()), (vec!["a".to_owned()], Some("\"ink\"")));
}

#[test]
fn enter_brings_a_node_near_whose_fields_are_not_drawn() {
    let mut room = five();
    room.click(room.head("b"));
    room.look(egui::pos2(480.0, 30.0), 0.15);
    room.key(NONE, Key::Enter);
    room.type_in("ink");
    assert_eq!(room.field("b", "text").as_deref(), Some("\"ink\""));
}

#[test]
fn tab_follows_the_rows_of_a_node() {
    let mut room = five();
    room.click(room.head("a"));
    room.key(NONE, Key::Enter);
    let focused = |room: &Room| {
        let all = ["prose", "share", "width", "loudness", "counts", "caption"];
        let named =
            |label: &&str| room.harness.query_all_by_label(label).any(|node| node.accesskit_node().is_focused());
        all.into_iter().find(named).map(str::to_owned)
    };
    let mut order = vec![focused(&room)];
    for _ in 0..5 {
        room.key(NONE, Key::Tab);
        order.push(focused(&room));
    }
    let order: Vec<_> = order.into_iter().flatten().collect();
    assert_eq!(order, ["prose", "share", "width", "loudness", "counts", "caption"]);
    assert!(!room.sees("search"));
}

#[test]
fn keys_of_a_question_or_a_text_do_not_lead_anywhere() {
    let mut room = five();
    room.click(room.head("b"));
    room.key(CTRL, Key::F);
    room.key(NONE, Key::ArrowLeft);
    room.key(NONE, Key::Escape);
    room.key(NONE, Key::F2);
    room.key(NONE, Key::ArrowLeft);
    room.key(ALT, Key::ArrowDown);
    room.key(NONE, Key::Escape);
    assert_eq!((room.chosen(), room.place("b")), (vec!["b".to_owned()], (360, 0)));
}

//! What keys do, and that they leave texts alone.

use darkroom_core::graph::Mode;
use darkroom_editor::command::{COMMANDS, Command};
use egui::{Event, Key};

use crate::room::{ALT, CTRL, CTRL_SHIFT, NONE, Room, SHIFT, workflow};

/// A word, a shout of it, and a leaf.
fn room() -> Room {
    Room::new(&workflow(
        r#""word": (type: "word", text: "ink"), "shout": (type: "shout", text: (from: "word")), "grow": (type: "grow")"#,
        r#""word": (at: (0, 0)), "shout": (at: (360, 0)), "grow": (at: (0, 240))"#,
    ))
}

/// Three leaves in a row.
fn row() -> Room {
    Room::new(&workflow(
        r#""a": (type: "grow"), "b": (type: "grow", on: (from: "a")), "c": (type: "grow", on: (from: "b"))"#,
        r#""a": (at: (0, 0)), "b": (at: (320, 0)), "c": (at: (0, 240))"#,
    ))
}

#[test]
fn what_is_copied_is_pasted_with_its_own_wires_and_no_others() {
    let mut room = row();
    room.click(room.head("b"));
    room.click_with(SHIFT, room.head("c"));
    let text = room.copy(Event::Copy).expect("something is copied");
    room.move_to(room.on(200.0, 420.0));
    room.paste(&text);
    assert_eq!((room.field("c_2", "on").as_deref(), room.field("b_2", "on")), (Some("b_2"), None));
    assert_eq!(room.chosen(), ["b_2", "c_2"]);
    assert_eq!(room.steps(), ["paste"]);
}

#[test]
fn with_shift_the_wires_from_outside_are_pasted_too() {
    let mut room = row();
    room.click(room.head("b"));
    let text = room.copy(Event::Copy).expect("something is copied");
    room.hold(CTRL_SHIFT);
    room.paste(&text);
    room.hold(NONE);
    assert_eq!(room.field("b_2", "on").as_deref(), Some("a"));
}

#[test]
fn what_is_cut_is_gone_and_comes_back() {
    let mut room = row();
    room.click(room.head("a"));
    let text = room.copy(Event::Cut).expect("something is cut");
    assert_eq!((room.sheet().nodes.len(), room.field("b", "on")), (2, None));
    room.paste(&text);
    assert_eq!(room.node("a").kind, "grow");
}

#[test]
fn what_is_no_workflow_is_not_pasted() {
    let mut room = row();
    room.paste("dear diary");
    assert_eq!(room.steps().len(), 0);
    assert!(room.reads("what is on the clipboard is no part of a workflow"));
}

#[test]
fn a_node_is_doubled_without_and_with_its_wires() {
    let mut room = row();
    room.click(room.head("b"));
    room.key(CTRL, Key::D);
    assert_eq!((room.field("b_2", "on"), room.place("b_2")), (None, (352, 32)));
    room.click(room.head("a"));
    room.look(egui::pos2(300.0, 250.0), 1.0);
    room.click(room.head("b"));
    room.key(CTRL_SHIFT, Key::D);
    assert_eq!(room.field("b_3", "on").as_deref(), Some("a"));
}

#[test]
fn delete_takes_away_what_is_chosen_and_undo_brings_it_back() {
    let mut room = row();
    for key in [Key::Delete, Key::Backspace] {
        room.click(room.head("b"));
        room.key(NONE, key);
        assert_eq!((room.sheet().nodes.len(), room.field("c", "on")), (2, None));
        room.key(CTRL, Key::Z);
        assert_eq!((room.field("b", "on").as_deref(), room.field("c", "on").as_deref()), (Some("a"), Some("b")));
    }
}

#[test]
fn ctrl_and_delete_join_the_wires() {
    let mut room = row();
    room.click(room.head("b"));
    room.key(CTRL, Key::Delete);
    assert_eq!(room.field("c", "on").as_deref(), Some("a"));
    assert_eq!(room.steps(), ["delete and join"]);
}

#[test]
fn undo_and_redo_go_back_and_forth_by_keys() {
    let mut room = row();
    let from = room.head("a");
    room.drag(from, from + egui::vec2(0.0, 80.0));
    room.key(CTRL, Key::Z);
    assert_eq!(room.place("a"), (0, 0));
    assert!(room.reads("undo: move a node"));
    room.key(CTRL_SHIFT, Key::Z);
    assert_eq!(room.place("a"), (0, 80));
    room.key(CTRL, Key::Z);
    room.key(CTRL, Key::Y);
    assert_eq!(room.place("a"), (0, 80));
}

#[test]
fn nodes_are_muted_and_bypassed_and_collapsed() {
    let mut room = row();
    room.click(room.head("b"));
    room.key(NONE, Key::M);
    assert_eq!(room.node("b").mode, Mode::Muted);
    room.key(CTRL, Key::M);
    assert_eq!(room.node("b").mode, Mode::Active);
    room.key(CTRL, Key::B);
    assert_eq!(room.node("b").mode, Mode::Bypassed);
    room.key(NONE, Key::H);
    assert!(room.node("b").collapsed);
    assert!(room.spot("node b").height() < 40.0);
    room.key(ALT, Key::C);
    assert!(!room.node("b").collapsed);
}

#[test]
fn what_is_chosen_is_coloured_and_loses_its_colour() {
    let mut room = row();
    room.click(room.head("a"));
    room.key(CTRL, Key::G);
    room.key(CTRL, Key::A);
    room.key(NONE, Key::C);
    room.type_in("teal");
    room.key(NONE, Key::Enter);
    assert_eq!(room.node("b").colour.as_deref(), Some("teal"));
    assert_eq!(room.sheet().frames[0].colour.as_deref(), Some("teal"));
    room.key(NONE, Key::C);
    room.type_in("none");
    room.key(NONE, Key::Enter);
    assert_eq!((&room.node("c").colour, &room.sheet().frames[0].colour), (&None, &None));
    assert_eq!(room.steps(), ["frame", "colour", "colour"]);
}

#[test]
fn a_node_is_renamed_by_f2_and_by_a_double_click_on_its_head() {
    let mut room = row();
    room.click(room.head("a"));
    room.key(NONE, Key::F2);
    room.key(CTRL, Key::A);
    room.type_in("First");
    room.key(NONE, Key::Enter);
    assert_eq!(room.node("a").title.as_deref(), Some("First"));
    room.click_twice(room.head("First"));
    room.key(CTRL, Key::A);
    room.type_in("Again");
    room.click(room.on(500.0, 500.0));
    assert_eq!(room.node("a").title.as_deref(), Some("Again"));
    assert_eq!(room.place("a"), (0, 0));
}

#[test]
fn nodes_are_framed_and_notes_are_put_down() {
    let mut room = row();
    room.click(room.head("a"));
    room.click_with(SHIFT, room.head("b"));
    room.key(CTRL, Key::G);
    let frame = room.sheet().frames[0].clone();
    assert_eq!(room.sheet().inside(&frame).collect::<Vec<_>>(), [room.id("a"), room.id("b")]);
    room.move_to(room.on(400.0, 400.0));
    room.key(NONE, Key::N);
    let note = room.sheet().frames[1].clone();
    assert!(!note.text.is_empty());
    assert_eq!((note.at.x, note.at.y), (400, 400));
}

#[test]
fn all_nodes_and_what_feeds_one_and_what_it_feeds_are_chosen() {
    let mut room = row();
    room.key(CTRL, Key::A);
    assert_eq!(room.chosen(), ["a", "b", "c"]);
    room.click(room.head("b"));
    room.key(NONE, Key::L);
    assert_eq!(room.chosen(), ["a", "b"]);
    room.click(room.head("b"));
    room.key(SHIFT, Key::L);
    assert_eq!(room.chosen(), ["b", "c"]);
}

#[test]
fn a_search_finds_names_types_and_values() {
    let mut room = room();
    for (typed, found) in [("shou", vec!["shout"]), ("ink", vec!["word"]), ("grow", vec!["grow"])] {
        room.key(CTRL, Key::F);
        room.type_in(typed);
        room.key(NONE, Key::Enter);
        assert_eq!(room.chosen(), found);
    }
    room.key(CTRL, Key::F);
    room.type_in("quartz");
    room.key(NONE, Key::Enter);
    assert!(room.reads("`quartz` is found nowhere"));
}

#[test]
fn a_search_is_typed_even_if_a_field_was_typed_in_before() {
    let mut room = room();
    room.click(room.text_field("text").center());
    room.key(CTRL, Key::F);
    room.type_in("grow");
    room.key(NONE, Key::Enter);
    assert_eq!((room.chosen(), room.field("word", "text")), (vec!["grow".to_owned()], Some("\"ink\"".to_owned())));
}

#[test]
fn tabs_hold_documents_with_steps_of_their_own() {
    let mut room = row();
    room.click(room.head("a"));
    room.key(NONE, Key::Delete);
    room.key(CTRL, Key::N);
    assert_eq!((room.sheet().nodes.len(), room.steps().len()), (0, 0));
    room.key(CTRL, Key::Z);
    assert!(room.reads("nothing to undo"));
    room.click_words("untitled •");
    assert_eq!((room.sheet().nodes.len(), room.steps().len()), (2, 1));
    room.key(CTRL, Key::W);
    assert!(room.reads("They are lost"));
    room.click_on("Cancel");
    assert_eq!(room.sheet().nodes.len(), 2);
    room.key(CTRL, Key::W);
    room.click_on("Close without saving");
    assert_eq!(room.sheet().nodes.len(), 0);
}

#[test]
fn a_key_of_a_text_undoes_the_text_and_not_the_graph() {
    let mut room = room();
    let from = room.head("grow");
    room.drag(from, from + egui::vec2(0.0, 80.0));
    room.click(room.text_field("text").center());
    room.key(NONE, Key::End);
    room.type_in("well");
    assert_eq!(room.field("word", "text").as_deref(), Some("\"inkwell\""));
    for _ in 0..8 {
        room.key(CTRL, Key::Z);
    }
    assert_eq!(room.field("word", "text").as_deref(), Some("\"ink\""));
    assert_eq!(room.place("grow"), (0, 320));
}

#[test]
fn keys_of_a_text_leave_the_graph_alone() {
    let mut room = room();
    room.key(CTRL, Key::A);
    room.click_with(SHIFT, room.head("grow"));
    let chosen = room.chosen();
    room.click(room.text_field("text").center());
    for (keys, key) in [(CTRL, Key::A), (NONE, Key::Backspace), (NONE, Key::Delete), (CTRL, Key::Delete)] {
        room.key(keys, key);
    }
    room.frame([Event::Cut]);
    room.paste("paper");
    assert_eq!(room.sheet().nodes.len(), 3);
    assert_eq!(room.field("word", "text").as_deref(), Some("\"paper\""));
    assert_eq!(room.chosen(), chosen);
}

#[test]
fn commands_with_ctrl_work_while_a_text_is_typed_in() {
    let mut room = room();
    room.click(room.text_field("text").center());
    room.type_in("s");
    room.key(CTRL, Key::Enter);
    assert_eq!(room.desk().runs.len(), 1);
    assert_eq!(room.field("word", "text").as_deref(), Some("\"inks\""));
}

#[test]
fn a_click_beside_a_text_gives_the_keys_back_to_the_graph() {
    let mut room = room();
    room.click(room.text_field("text").center());
    room.type_in("m");
    room.click(room.head("grow"));
    room.key(NONE, Key::M);
    assert_eq!(room.node("grow").mode, Mode::Muted);
    room.click(room.text_field("text").center());
    room.click(room.on(500.0, 400.0));
    room.key(CTRL, Key::Z);
    assert_eq!(room.node("grow").mode, Mode::Active);
}

#[test]
fn every_command_that_has_a_key_hears_it() {
    // Each is asked for in a window of its own; what is chosen is a node that is fed.
    for about in COMMANDS.iter().filter(|about| !about.keys.is_empty()) {
        for (with, key) in about.keys {
            let mut room = row();
            room.click(room.head("b"));
            let before = look(&room);
            let with = egui::Modifiers { ctrl: with.command, ..*with };
            room.key(with, *key);
            let alike = look(&room) == before;
            let silent = [Command::Redo, Command::Undo, Command::Stop, Command::ClearQueue, Command::ZoomOne];
            // egui takes these as events of their own.
            let clipboard = [Command::Cut, Command::Copy, Command::Paste, Command::PasteWired];
            if !silent.contains(&about.command) && !clipboard.contains(&about.command) {
                assert!(!alike, "{:?} by {with:?} {key:?}", about.command);
            }
        }
    }
}

/// All that a command could change.
fn look(room: &Room) -> String {
    let tab = room.tab();
    let labels = [
        "search",
        "path",
        "title",
        "remark",
        "find",
        "search keys",
        "template ink",
        "leaf in the legend",
        "minimap",
        "filter the log",
    ];
    let words = labels.map(|label| room.sees(label));
    let told = ["choose the nodes to be", "nothing that is chosen gives", "wires run", "choose a sub-graph first"]
        .map(|said| room.reads(said));
    let zoom = room.harness.ctx.zoom_factor();
    let camera = tab.view.camera;
    format!(
        "{} {:?} {words:?} {told:?} {zoom} {:?} {} {:?} {} {:?}",
        tab.document.text(),
        room.chosen(),
        camera,
        room.desk().runs.len(),
        tab.id,
        room.steps().len(),
        tab.view.heat,
    )
}

#[test]
fn every_letter_in_a_question_changes_only_its_answer() {
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,-0123456789";
    let mut room = row();
    room.click(room.head("b"));
    room.key(NONE, Key::F2);
    room.key(CTRL, Key::A);
    room.type_in(letters);
    room.key(NONE, Key::Enter);
    assert_eq!((room.node("b").title.as_deref(), room.steps()), (Some(letters), vec!["rename".to_owned()]));
    room.key(NONE, Key::N);
    room.key(NONE, Key::F2);
    room.key(CTRL, Key::A);
    room.type_in(letters);
    room.key(NONE, Key::Enter);
    room.key(NONE, Key::Escape);
    assert_eq!(room.sheet().frames[0].text, format!("{letters}\n"));
    assert_eq!((room.steps().len(), room.sheet().nodes.len(), room.sheet().frames.len()), (3, 3, 1));
    room.key(CTRL, Key::F);
    room.type_in(letters);
    room.key(NONE, Key::Enter);
    assert_eq!(room.chosen(), ["b"]);
    assert_eq!(room.steps().len(), 3);
}

#[test]
fn nothing_happens_to_the_graph_while_a_question_is_open() {
    let mut room = row();
    room.click(room.head("b"));
    let text = room.copy(Event::Copy).expect("something is copied");
    room.key(CTRL, Key::F);
    for (keys, key) in [(NONE, Key::Delete), (CTRL, Key::D), (CTRL, Key::B), (NONE, Key::H), (CTRL, Key::Z)] {
        room.key(keys, key);
    }
    room.paste(&text);
    let head = room.head("a");
    room.drag(head, head + egui::vec2(60.0, 60.0));
    assert_eq!((room.steps().len(), room.place("a")), (0, (0, 0)));
}

/// Opens the settings.
fn settings() -> Room {
    let mut room = row();
    room.key(CTRL, Key::Comma);
    room.wait(20);
    room
}

#[test]
fn a_command_is_given_another_key_in_the_settings() {
    let mut room = settings();
    room.click_on("search keys");
    room.type_in("mute");
    room.click_on("keys of Mute");
    // The key is meant for the settings, and not yet for the command.
    room.key(CTRL, Key::J);
    room.key(NONE, Key::Escape);
    room.click(room.head("a"));
    room.key(NONE, Key::M);
    assert_eq!(room.node("a").mode, Mode::Active);
    room.key(CTRL, Key::J);
    assert_eq!(room.node("a").mode, Mode::Muted);
}

#[test]
fn a_key_that_another_command_has_is_refused() {
    let mut room = settings();
    room.click_on("search keys");
    room.type_in("mute");
    room.click_on("keys of Mute");
    room.key(CTRL, Key::S);
    assert!(room.reads("“Save” has that key"));
}

#[test]
fn keys_are_those_of_another_program() {
    let mut room = settings();
    room.click_on("preset of keys");
    room.wait(20);
    room.click_on("Blender");
    room.key(NONE, Key::Escape);
    room.key(NONE, Key::A);
    assert_eq!(room.chosen().len(), 3);
    room.key(NONE, Key::X);
    assert_eq!(room.sheet().nodes.len(), 0);
}

#[test]
fn the_wheel_moves_the_view_if_somebody_wants_it() {
    let mut room = settings();
    room.click_on("moves the view");
    room.key(NONE, Key::Escape);
    let before = room.tab().view.camera;
    room.move_to(room.on(100.0, 400.0));
    room.wheel(-60.0);
    let after = room.tab().view.camera;
    assert_eq!(after.zoom, before.zoom);
    assert!(after.centre.y > before.centre.y);
}

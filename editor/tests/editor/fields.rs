//! Fields: each changes the document, and nothing that is typed does anything else.

use egui::{Event, Key, pos2, vec2};

use crate::room::{CTRL, NONE, Room, workflow};

fn page() -> Room {
    let mut room = Room::new(&workflow(
        r#""page": (type: "page", extra: "more", seed: 7), "word": (type: "word")"#,
        r#""page": (at: (0, 0)), "word": (at: (400, 0))"#,
    ));
    room.look(pos2(260.0, 200.0), 1.0);
    room
}

fn value(room: &Room, input: &str) -> Option<String> {
    room.field("page", input)
}

/// Types into a field in place of what stands there.
fn put(room: &mut Room, label: &str, text: &str) {
    room.click(room.text_field(label).center());
    room.key(CTRL, Key::A);
    room.type_in(text);
}

#[test]
fn a_number_is_typed() {
    for (label, typed, becomes) in [("share", "0.25", "0.25"), ("width", "72", "72"), ("width", "77", "80")] {
        let mut room = page();
        room.click_on(label);
        room.key(CTRL, Key::A);
        room.type_in(typed);
        assert_eq!(value(&room, label), None, "nothing changes while it is typed");
        room.key(NONE, Key::Enter);
        assert_eq!(value(&room, label).as_deref(), Some(becomes));
        assert_eq!(room.steps(), [format!("change `{label}`")]);
    }
}

#[test]
fn a_number_is_pulled_and_each_pull_is_one_step() {
    let mut room = page();
    for count in 1..3 {
        let at = room.spot("share").center();
        let before = room.field("page", "share");
        room.drag(at, at + vec2(-12.0 * count as f32, 0.0));
        assert_ne!(value(&room, "share"), before);
        assert_eq!(room.steps().len(), count);
    }
    room.key(CTRL, Key::Z);
    room.key(CTRL, Key::Z);
    assert_eq!(value(&room, "share"), None);
}

#[test]
fn a_number_stays_in_its_range() {
    let mut room = page();
    let at = room.spot("share").center();
    room.drag(at, at + vec2(900.0, 0.0));
    assert_eq!(value(&room, "share").as_deref(), Some("1.0"));
}

#[test]
fn a_double_click_gives_the_default_back() {
    let mut room = page();
    room.click_on("width");
    room.key(CTRL, Key::A);
    room.type_in("128");
    room.key(NONE, Key::Enter);
    room.click(room.on(600.0, 500.0));
    room.click_twice(room.spot("width").center());
    assert_eq!(value(&room, "width"), None);
}

#[test]
fn a_word_is_chosen_from_a_list() {
    let mut room = page();
    room.click_on("loudness");
    room.click_on("plain");
    assert_eq!(value(&room, "loudness").as_deref(), Some("\"plain\""));
    assert_eq!(room.steps().len(), 1);
}

#[test]
fn the_wheel_over_an_open_list_does_not_zoom() {
    let mut room = page();
    room.click_on("loudness");
    room.move_to(room.spot("plain").center());
    room.wheel(3.0);
    assert_eq!(room.tab().view.camera.zoom, 1.0);
}

#[test]
fn a_box_is_ticked() {
    let mut room = page();
    room.click_on("counts");
    assert_eq!(value(&room, "counts").as_deref(), Some("true"));
    room.click_on("counts");
    assert_eq!(value(&room, "counts").as_deref(), Some("false"));
}

#[test]
fn a_line_is_typed() {
    let mut room = page();
    put(&mut room, "caption", "Two trays, one lamp");
    assert_eq!(value(&room, "caption").as_deref(), Some("\"Two trays, one lamp\""));
}

#[test]
fn several_lines_are_typed() {
    let mut room = page();
    room.click(room.text_field("prose").center());
    room.type_in("one");
    room.key(NONE, Key::Enter);
    room.type_in("two");
    assert_eq!(value(&room, "prose").as_deref(), Some("\"one\\ntwo\""));
    assert_eq!(room.steps().len(), 1);
}

#[test]
fn words_of_a_prompt_are_weighed_by_ctrl_and_arrows() {
    let mut room = page();
    room.click(room.text_field("prose").center());
    room.type_in("a red house");
    room.key(CTRL, Key::ArrowUp);
    room.key(CTRL, Key::ArrowUp);
    assert_eq!(value(&room, "prose").as_deref(), Some("\"a red (house:1.1)\""));
    room.key(CTRL, Key::ArrowDown);
    room.key(CTRL, Key::ArrowDown);
    assert_eq!(value(&room, "prose").as_deref(), Some("\"a red house\""));
    assert_eq!(room.steps().len(), 1);
}

#[test]
fn prompts_that_were_run_come_back_by_alt_and_arrows() {
    let mut room = page();
    for text in ["a lake", "a hill"] {
        put(&mut room, "prose", text);
        room.click(room.on(700.0, 500.0));
        room.key(CTRL, Key::Enter);
    }
    put(&mut room, "prose", "new");
    let mut press = |key| {
        room.key(crate::room::ALT, key);
        value(&room, "prose").expect("it stands there")
    };
    assert_eq!(press(Key::ArrowUp), "\"a hill\"");
    assert_eq!(press(Key::ArrowUp), "\"a lake\"");
    assert_eq!(press(Key::ArrowUp), "\"a lake\"", "there are no older ones");
    assert_eq!(press(Key::ArrowDown), "\"a hill\"");
    assert_eq!(press(Key::ArrowDown), "\"new\"", "what was typed is back");
}

#[test]
fn a_line_that_may_be_left_out_goes_when_it_is_emptied() {
    let mut room = page();
    put(&mut room, "extra", "x");
    room.key(NONE, Key::Backspace);
    assert_eq!(value(&room, "extra"), None);
}

#[test]
fn a_seed_is_typed_with_all_its_digits() {
    let mut room = page();
    room.click(room.text_field("seed").center());
    room.key(CTRL, Key::A);
    room.key(NONE, Key::Backspace);
    room.type_in("18446744073709551615");
    assert_eq!(value(&room, "seed").as_deref(), Some("18446744073709551615"));
}

#[test]
fn a_seed_takes_no_letters() {
    let mut room = page();
    room.click(room.text_field("seed").center());
    room.key(NONE, Key::End);
    room.type_in("x");
    assert_eq!(value(&room, "seed").as_deref(), Some("7"));
}

#[test]
fn one_burst_of_typing_is_one_step_and_the_next_one_is_another() {
    let mut room = page();
    room.click(room.text_field("caption").center());
    room.type_in("first");
    assert_eq!(room.steps().len(), 1);
    room.click(room.on(700.0, 500.0));
    room.click(room.text_field("caption").center());
    room.key(NONE, Key::End);
    room.type_in(" second");
    assert_eq!(room.steps().len(), 2);
    room.click(room.on(700.0, 500.0));
    room.key(CTRL, Key::Z);
    assert_eq!(value(&room, "caption").as_deref(), Some("\"first\""));
    room.key(CTRL, Key::Z);
    assert_eq!(value(&room, "caption"), None);
}

#[test]
fn every_letter_in_every_text_changes_only_the_text() {
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,-0123456789";
    for label in ["prose", "caption", "extra"] {
        let mut room = page();
        room.click(room.head("page"));
        put(&mut room, label, letters);
        assert_eq!(value(&room, label), Some(format!("{letters:?}")), "`{label}`");
        assert_eq!(room.steps(), [format!("change `{label}`")]);
        assert!(!room.sees("search"), "`{label}`");
        let page = room.node("page");
        assert!(!page.collapsed && !page.pinned && page.mode == Default::default(), "`{label}`");
        assert_eq!((room.sheet().nodes.len(), room.sheet().frames.len()), (2, 0));
        assert_eq!(room.chosen(), ["page"]);
    }
}

#[test]
fn letters_in_a_number_do_nothing_else() {
    let mut room = page();
    room.click(room.head("page"));
    room.click_on("width");
    room.type_in("mhplna");
    room.key(NONE, Key::Delete);
    assert_eq!((room.steps().len(), room.sheet().nodes.len(), room.sheet().frames.len()), (0, 2, 0));
    assert!(!room.sees("search"));
}

#[test]
fn fields_are_met_where_they_are_said_to_be_at_any_zoom() {
    for zoom in [0.6, 1.0, 1.7] {
        let mut room = page();
        room.look(pos2(260.0, 200.0), zoom);
        put(&mut room, "caption", "here");
        assert_eq!(value(&room, "caption").as_deref(), Some("\"here\""), "at {zoom}");
        room.click_on("counts");
        assert_eq!(value(&room, "counts").as_deref(), Some("true"), "at {zoom}");
        room.click_on("loudness");
        room.click_on("plain");
        assert_eq!(value(&room, "loudness").as_deref(), Some("\"plain\""), "at {zoom}");
        let at = room.spot("share").center();
        room.drag(at, at + vec2(-900.0, 0.0));
        assert_eq!(value(&room, "share").as_deref(), Some("0.0"), "at {zoom}");
    }
}

#[test]
fn from_afar_there_are_no_fields_and_a_press_moves_the_node() {
    let mut room = page();
    room.look(pos2(260.0, 200.0), 0.3);
    assert!(!room.sees("caption") && room.sees("node page"));
    let at = room.spot("node page").center();
    room.drag(at, at + vec2(24.0, 0.0));
    assert_eq!(room.place("page"), (80, 0));
}

#[test]
fn what_may_be_left_out_is_folded_away_and_unfolded() {
    let mut room = Room::new(&workflow(r#""page": (type: "page")"#, r#""page": (at: (0, 0))"#));
    assert!(!room.sees("extra"));
    room.click_on("1 more of page");
    put(&mut room, "extra", "x");
    assert_eq!(value(&room, "extra").as_deref(), Some("\"x\""));
    assert_eq!(room.place("page"), (0, 0));
}

#[test]
fn the_wheel_over_a_text_zooms_until_the_text_is_typed_in_and_too_long() {
    let mut room = page();
    let at = room.text_field("prose").center();
    room.move_to(at);
    room.wheel(1.0);
    let zoom = room.tab().view.camera.zoom;
    assert!(zoom > 1.0);
    room.look(pos2(260.0, 200.0), 1.0);
    room.click(room.text_field("prose").center());
    room.wheel(1.0);
    assert!(room.tab().view.camera.zoom > 1.0, "a text that fits lets the wheel go");
    room.look(pos2(260.0, 200.0), 1.0);
    room.click(room.text_field("prose").center());
    for _ in 0..12 {
        room.type_in("a");
        room.key(NONE, Key::Enter);
    }
    room.move_to(at);
    room.wheel(1.0);
    assert_eq!(room.tab().view.camera.zoom, 1.0);
}

#[test]
fn a_field_takes_a_wire_and_gives_it_back() {
    let mut room = page();
    room.drag(room.socket("output", "text", "word"), room.socket("input", "caption", "page"));
    assert_eq!(value(&room, "caption").as_deref(), Some("word"));
    assert!(!room.sees("caption"));
    room.drag(room.socket("input", "caption", "page"), room.on(600.0, 500.0));
    put(&mut room, "caption", "own");
    assert_eq!(value(&room, "caption").as_deref(), Some("\"own\""));
}

#[test]
fn what_is_pasted_into_a_text_stays_there() {
    let mut room = page();
    room.click(room.text_field("caption").center());
    room.frame([Event::Paste(workflow(r#""x": (type: "word")"#, ""))]);
    room.settle();
    assert_eq!(room.sheet().nodes.len(), 2);
    assert!(value(&room, "caption").is_some_and(|text| text.contains("darkroom: 1")));
}

//! What nodes and frames show of themselves, and how words are written where they stand.

use darkroom_core::graph::Mode;
use darkroom_editor::canvas::Heat;
use egui::{Key, vec2};

use crate::room::{CTRL, NONE, Room, SHIFT, workflow};

/// A page of many fields between a word and a shout.
fn desk() -> Room {
    Room::new(&workflow(
        r#""word": (type: "word", text: "ink"), "page": (type: "page", caption: "a leaf"), "shout": (type: "shout", text: (from: "page"))"#,
        r#""word": (at: (-160, 0)), "page": (at: (160, 0)), "shout": (at: (520, 0))"#,
    ))
}

/// Two leaves in a frame, fed from outside, that feed one outside; and a note.
fn framed() -> Room {
    let mut room = Room::new(
        r##"(darkroom: 1, nodes: {
            "a": (type: "grow"), "b": (type: "grow", on: (from: "a")), "c": (type: "grow", on: (from: "b")), "d": (type: "grow", on: (from: "c")),
        }, layout: (
            nodes: {"a": (at: (-320, 40)), "b": (at: (40, 60)), "c": (at: (40, 240)), "d": (at: (480, 40))},
            frames: [
                (title: "Herbs", at: (0, 0), size: (340, 420)),
                (title: "Plan", text: "stir", at: (20, 400), size: (200, 10)),
                (title: "Manual", text: "# Steps\n\n- *wash* it\n- read [the tour](https://example.org)\n\n`fix` it", at: (480, 260), size: (260, 200)),
            ],
        ))"##,
    );
    room.look(egui::pos2(250.0, 250.0), 1.0);
    room
}

#[test]
fn a_title_is_written_where_it_stands_and_esc_gives_it_up() {
    let mut room = desk();
    room.click(room.head("word"));
    room.key(NONE, Key::F2);
    let (field, node) = (room.text_field("title"), room.spot("node word"));
    assert!(node.contains_rect(field), "{field} is not in {node}");
    room.type_in("Lost");
    room.key(NONE, Key::Escape);
    assert_eq!((room.node("word").title.as_deref(), room.steps().len()), (None, 0));
    room.click_twice(room.head("word"));
    room.type_in("Kept");
    room.key(NONE, Key::Enter);
    assert_eq!((room.node("word").title.as_deref(), room.steps()), (Some("Kept"), vec!["rename".to_owned()]));
    assert!(!room.sees("title"));
}

#[test]
fn a_title_that_is_left_as_it_was_is_no_step() {
    let mut room = desk();
    room.click(room.head("word"));
    room.key(NONE, Key::F2);
    room.key(NONE, Key::Enter);
    assert_eq!((room.node("word").title.as_deref(), room.steps().len()), (None, 0));
}

#[test]
fn a_title_is_brought_near_to_be_written() {
    let mut room = desk();
    room.click(room.head("word"));
    room.look(egui::pos2(300.0, 250.0), 0.2);
    room.key(NONE, Key::F2);
    assert!((room.tab().view.camera.zoom - 1.0).abs() < 0.01);
    room.type_in("Near");
    room.key(NONE, Key::Enter);
    assert_eq!(room.node("word").title.as_deref(), Some("Near"));
}

#[test]
fn a_remark_is_written_under_its_node_and_told_over_its_head() {
    let mut room = desk();
    room.click(room.head("word"));
    room.key(SHIFT, Key::N);
    assert!(room.text_field("remark").top() > room.spot("node word").bottom());
    room.type_in("mind the gap");
    room.key(NONE, Key::Enter);
    assert_eq!(room.node("word").note.as_deref(), Some("mind the gap"));
    assert_eq!(room.steps(), ["write a remark"]);
    assert!(!room.reads("mind the gap"));
    room.move_to(room.head("word"));
    room.wait(60);
    assert!(room.reads("mind the gap"));
    assert!(room.tab().document.text().contains(r#"note: "mind the gap""#));
}

#[test]
fn what_is_unused_is_hidden_and_one_press_shows_it_again() {
    let mut room = desk();
    let high = room.spot("node page").height();
    room.click(room.head("page"));
    room.key(CTRL, Key::H);
    assert!(room.spot("node page").height() < high * 0.4);
    // What somebody has set, and what is wired, stays.
    assert!(room.sees("caption") && !room.sees("width") && room.sees("output text of page"));
    assert!(room.tab().document.text().contains("compact: true"));
    room.click_on("7 hidden of page");
    assert!(room.sees("width"));
    assert_eq!(room.steps(), ["hide what is unused", "show what is unused"]);
    room.click(room.head("page"));
    room.key(CTRL, Key::H);
    room.key(CTRL, Key::H);
    assert!(!room.node("page").compact);
}

#[test]
fn an_output_without_wires_is_hidden_and_what_must_be_given_is_not() {
    let mut room = desk();
    room.click(room.head("shout"));
    room.key(CTRL, Key::H);
    assert!(!room.sees("output text of shout") && room.sees("input text of shout"));
    room.key(CTRL, Key::Z);
    let (end, empty) = (room.socket("input", "text", "shout"), room.on(400.0, 450.0));
    room.drag(end, empty);
    room.click(room.head("shout"));
    room.key(CTRL, Key::H);
    assert!(room.sees("input text of shout"), "it is missing, and must be given");
}

#[test]
fn a_wire_finds_the_socket_that_is_hidden() {
    let mut room = desk();
    room.click(room.head("page"));
    room.key(CTRL, Key::H);
    room.drag(room.socket("output", "text", "word"), room.spot("7 hidden of page").center());
    assert_eq!(room.field("page", "prose").as_deref(), Some("word"));
    assert!(room.sees("input prose of page"));
}

#[test]
fn a_collapsed_frame_hides_what_is_inside_and_wires_end_at_its_edge() {
    let mut room = framed();
    room.click_on("collapse Herbs");
    assert!(!room.sees("node b") && !room.sees("node c") && room.sees("node a") && !room.sees("note Plan"));
    let frame = room.spot("frame Herbs");
    assert!(frame.height() < 40.0);
    assert!(room.tab().document.text().contains("collapsed: true"));
    // A stroke close to either edge meets the one wire that crosses it.
    room.hold(CTRL);
    for at in [frame.left_center() - vec2(6.0, 40.0), frame.right_center() + vec2(6.0, -40.0)] {
        room.drag_with(egui::PointerButton::Secondary, at, at + vec2(0.0, 80.0));
    }
    room.hold(NONE);
    assert_eq!((room.field("b", "on"), room.field("d", "on")), (None, None));
    assert_eq!(room.field("c", "on").as_deref(), Some("b"));
    room.click_on("open Herbs");
    assert!(room.sees("node b") && room.sees("node c"));
    assert_eq!(room.steps(), ["collapse a frame", "cut a wire", "cut a wire", "open a frame"]);
}

#[test]
fn a_collapsed_frame_moves_with_what_is_hidden_inside() {
    let mut room = framed();
    room.click(room.spot("frame Herbs").left_top() + vec2(120.0, 14.0));
    room.key(NONE, Key::H);
    let from = room.spot("frame Herbs").center();
    room.drag(from, from + vec2(0.0, 80.0));
    assert_eq!((room.place("b"), room.place("c"), room.place("d")), ((40, 144), (40, 324), (480, 40)));
    room.key(NONE, Key::H);
    assert!(room.sees("node b"));
}

#[test]
fn a_frame_that_is_chosen_mutes_and_bypasses_all_that_is_inside() {
    let mut room = framed();
    room.click(room.spot("frame Herbs").left_top() + vec2(120.0, 14.0));
    let modes = |room: &Room| ["a", "b", "c", "d"].map(|name| room.node(name).mode);
    use Mode::{Active, Bypassed, Muted};
    room.key(NONE, Key::M);
    assert_eq!(modes(&room), [Active, Muted, Muted, Active]);
    room.key(CTRL, Key::B);
    assert_eq!(modes(&room), [Active, Bypassed, Bypassed, Active]);
    room.key(CTRL, Key::B);
    assert_eq!(modes(&room), [Active; 4]);
    assert_eq!(room.steps(), ["mute", "bypass", "bypass"]);
    room.click_right(room.spot("frame Herbs").left_top() + vec2(120.0, 14.0));
    room.click_words("Mute");
    assert_eq!(modes(&room), [Active, Muted, Muted, Active]);
}

#[test]
fn a_note_shows_markdown_and_bars_from_afar() {
    let mut room = framed();
    assert!(room.reads("Steps") && !room.reads("# Steps"));
    assert!(room.reads("the tour") && !room.reads("https://"));
    room.look(egui::pos2(250.0, 250.0), 0.35);
    assert!(!room.reads("Steps"));
}

#[test]
fn heat_tells_seconds_and_then_memory_and_goes_out() {
    let mut room = desk();
    for (name, seconds, bytes) in [("word", 0.5, 3 << 20), ("page", 2.0, 5 << 30)] {
        let id = room.id(name);
        let status = room.harness.state_mut().tab_mut().status.nodes.entry(id).or_default();
        (status.seconds, status.bytes) = (Some(seconds), bytes);
    }
    let words = ["seconds of the last run, up to 2.0 s", "memory while it runs, up to 5.0 GiB"];
    for (index, heat) in [Heat::Seconds, Heat::Memory, Heat::Off].into_iter().enumerate() {
        room.key(SHIFT, Key::H);
        assert_eq!(room.tab().view.heat, heat);
        for (other, words) in words.iter().enumerate() {
            assert_eq!(room.sees(words), index == other, "{words} while {heat:?}");
        }
    }
    assert_eq!(room.steps().len(), 0);
}

#[test]
fn the_legend_tells_the_kinds_of_what_is_there() {
    let mut room = desk();
    assert!(!room.sees("text in the legend"));
    room.key(SHIFT, Key::K);
    assert!(room.sees("text in the legend") && room.sees("integer in the legend"));
    assert!(!room.sees("leaf in the legend"));
    room.key(SHIFT, Key::K);
    assert!(!room.sees("text in the legend"));
}

#[test]
fn a_picture_is_pulled_higher_and_a_double_click_gives_its_height_back() {
    let mut room = desk();
    let image = egui::ColorImage::filled([4, 4], egui::Color32::GRAY);
    let texture = room.harness.ctx.load_texture("a picture", image, egui::TextureOptions::LINEAR);
    let id = room.id("shout");
    let thumb = darkroom_editor::status::Thumb { texture, size: (64, 64) };
    room.harness.state_mut().tab_mut().status.nodes.entry(id).or_default().picture = Some(thumb);
    room.settle();
    let usual = room.spot("node shout").height();
    let edge = room.spot("lower edge of the picture of shout").center();
    room.pull(edge, edge + vec2(0.0, 104.0));
    assert!((room.spot("node shout").height() - usual - 104.0).abs() < 9.0, "while it is pulled");
    room.release();
    assert!((room.spot("node shout").height() - usual - 104.0).abs() < 9.0);
    assert!(room.tab().document.text().contains("picture: 328"));
    room.click_twice(room.spot("lower edge of the picture of shout").center());
    assert_eq!((room.node("shout").picture, room.spot("node shout").height()), (None, usual));
    assert_eq!(room.steps(), ["resize a picture", "give a picture its height back"]);
}

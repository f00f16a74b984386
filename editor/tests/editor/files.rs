//! Fields that name files, and fields that make a size.

use darkroom_editor::session::Disk;
use egui::{Key, pos2, vec2};

use crate::room::{CTRL, NONE, Room, workflow};

const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n";

fn loader(fields: &str) -> Room {
    let nodes = format!(r#""loader": (type: "loader"{fields}), "word": (type: "count")"#);
    let mut room = Room::new(&workflow(&nodes, r#""loader": (at: (0, 0)), "word": (at: (400, 0))"#));
    room.look(pos2(260.0, 200.0), 1.0);
    room
}

fn value(room: &Room, input: &str) -> Option<String> {
    room.field("loader", input)
}

#[test]
fn a_picture_is_looked_for_and_named_as_the_workflow_calls_it() {
    let mut room = loader("");
    for name in ["near.png", "notes.txt", "w.safetensors"] {
        room.write(name, PICTURE);
    }
    room.click_on("browse for picture");
    assert!(room.reads("Choose a picture for `picture`"));
    // The content of the others may be a picture's; their names say that they are none.
    assert!(room.sees("near.png") && !room.sees("notes.txt") && !room.sees("w.safetensors"));
    room.type_in("near");
    room.key(NONE, Key::ArrowDown);
    room.key(NONE, Key::Enter);
    assert_eq!(value(&room, "picture").as_deref(), Some("\"near.png\""));
    assert_eq!(room.steps(), ["use a file"]);
}

#[test]
fn a_model_is_looked_for_among_models() {
    let mut room = loader("");
    for name in ["near.png", "ink.safetensors"] {
        room.write(name, b"");
    }
    room.click_on("browse for model");
    assert!(room.sees("ink.safetensors") && !room.sees("near.png"));
    room.click_twice(room.spot("ink.safetensors").center());
    assert_eq!(value(&room, "model").as_deref(), Some("\"ink.safetensors\""));
}

#[test]
fn a_file_that_falls_on_a_field_is_named_there() {
    let mut room = loader("");
    let picture = room.write("a.png", PICTURE);
    room.move_to(room.text_field("picture").center());
    room.drop_file(&picture);
    assert_eq!(value(&room, "picture").as_deref(), Some("\"a.png\""));
    let model = room.write("ink.safetensors", b"");
    room.move_to(room.spot("model").center());
    room.drop_file(&model);
    assert_eq!(value(&room, "model").as_deref(), Some("\"ink.safetensors\""));
    assert_eq!((room.sheet().nodes.len(), room.steps().len()), (2, 2));
}

#[test]
fn a_file_that_a_field_cannot_name_changes_nothing_and_says_so() {
    let mut room = loader("");
    let model = room.write("ink.safetensors", b"");
    room.move_to(room.text_field("picture").center());
    room.drop_file(&model);
    assert_eq!((value(&room, "picture"), room.steps().len()), (None, 0));
    assert!(room.reads("`ink.safetensors` is not a picture"));
}

#[test]
fn a_file_that_falls_beside_all_fields_is_asked_about() {
    let mut room = loader("");
    let picture = room.write("a.png", PICTURE);
    room.move_to(room.on(300.0, 500.0));
    room.drop_file(&picture);
    assert!(room.reads("Use as input"));
    assert_eq!(value(&room, "picture"), None);
}

#[test]
fn a_size_is_chosen_from_those_that_models_were_trained_on() {
    let mut room = loader("");
    room.click_on("sizes for wide");
    assert!(room.reads("Large") && room.reads("Small"));
    room.click_on("1152 × 896");
    assert_eq!((value(&room, "wide"), value(&room, "high")), (Some("1152".to_owned()), Some("896".to_owned())));
    assert!(!room.sees("1152 × 896"));
    assert_eq!(room.steps().len(), 1);
    room.key(CTRL, Key::Z);
    assert_eq!((value(&room, "wide"), value(&room, "high")), (None, None));
}

#[test]
fn width_and_height_take_each_others_place() {
    let mut room = loader(", wide: 128");
    room.click_on("swap with wide");
    assert_eq!((value(&room, "wide"), value(&room, "high")), (Some("32".to_owned()), Some("128".to_owned())));
    room.click_on("swap with wide");
    assert_eq!((value(&room, "wide"), value(&room, "high")), (Some("128".to_owned()), Some("32".to_owned())));
}

#[test]
fn a_size_leaves_a_height_alone_that_a_wire_gives() {
    let mut room = loader(r#", high: (from: "word")"#);
    room.click_on("sizes for wide");
    room.click_on("256 × 256");
    assert_eq!((value(&room, "wide"), value(&room, "high")), (Some("256".to_owned()), Some("word".to_owned())));
}

#[test]
fn small_buttons_are_met_where_they_are_said_to_be_at_any_zoom() {
    for zoom in [0.6, 1.7] {
        let mut room = loader("");
        room.look(pos2(160.0, 120.0), zoom);
        room.click_on("sizes for wide");
        room.click_on("1152 × 896");
        assert_eq!(value(&room, "wide").as_deref(), Some("1152"), "at {zoom}");
        room.click_on("browse for picture");
        assert!(room.reads("Choose a picture"), "at {zoom}");
        room.key(NONE, Key::Escape);
        let at = room.spot("wide").center();
        room.drag(at, at + vec2(24.0, 0.0));
        assert_ne!(value(&room, "wide").as_deref(), Some("1152"), "at {zoom}");
    }
}

#[test]
fn a_picture_on_the_clipboard_becomes_a_node_under_the_hand() {
    let mut room = Room::over(&workflow(r#""word": (type: "count")"#, r#""word": (at: (0, 0))"#), |home| {
        let root = home.to_owned();
        let state = Some(home.join("state"));
        Disk { state, roots: Box::new(move |_| vec![root.clone()]), ..Disk::default() }
    });
    room.look(pos2(260.0, 200.0), 1.0);
    room.move_to(room.on(304.0, 480.0));
    let picture = egui::ColorImage::filled([4, 2], egui::Color32::from_rgb(10, 200, 30));
    room.paste_picture(picture.clone());
    let name = room.field("load_image", "file").expect("it names a file");
    assert!(name.starts_with("\"state/input/pasted-") && name.ends_with(".png\""), "{name}");
    assert!((room.place("load_image").0 - 304).abs() < 24 && (room.place("load_image").1 - 480).abs() < 48);
    assert_eq!((room.steps(), room.chosen()), (vec!["use a file".to_owned()], vec!["load_image".to_owned()]));
    room.paste_picture(picture);
    assert_eq!(room.field("load_image_2", "file"), Some(name), "the same picture is kept once");
}

#[test]
fn a_picture_that_is_pasted_into_a_text_does_nothing() {
    let mut room = loader("");
    room.click(room.text_field("picture").center());
    room.paste_picture(egui::ColorImage::filled([4, 2], egui::Color32::RED));
    assert_eq!((room.sheet().nodes.len(), room.steps().len()), (2, 0));
}

//! LoRAs of a model, in one list; and the panel that all nodes are pulled from.

use darkroom_core::graph::Mode;
use darkroom_editor::session::News;
use egui::accesskit::Role;
use egui::{Key, pos2, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::room::{CTRL, NONE, Room, workflow};

/// A model, and what is laid over it: `grow` → `glaze`… → `sprout`.
fn model(glazes: &[&str]) -> Room {
    let mut nodes = r#""base": (type: "grow")"#.to_owned();
    let mut places = r#""base": (at: (0, 0))"#.to_owned();
    let mut last = "base".to_owned();
    for (index, name) in glazes.iter().enumerate() {
        nodes += &format!(r#", "{name}": (type: "glaze", leaf: (from: "{last}"), file: "{name}.safetensors")"#);
        places += &format!(r#", "{name}": (at: ({}, 0))"#, 300 * (index + 1));
        (*name).clone_into(&mut last);
    }
    nodes += &format!(r#", "end": (type: "sprout", leaf: (from: "{last}"))"#);
    places += &format!(r#", "end": (at: ({}, 0))"#, 300 * (glazes.len() + 1));
    let mut room = Room::new(&workflow(&nodes, &places));
    room.look(pos2(450.0, 250.0), 0.4);
    room
}

fn with_list(glazes: &[&str]) -> Room {
    let mut room = model(glazes);
    room.click_on("LoRAs");
    room
}

fn wires(room: &Room, nodes: &[&str]) -> Vec<String> {
    nodes.iter().map(|name| room.field(name, "leaf").unwrap_or_default()).collect()
}

#[test]
fn a_lora_is_laid_over_the_chosen_model_and_its_name_is_asked_for() {
    let mut room = model(&[]);
    room.click(room.head("base"));
    room.key(CTRL, Key::K);
    room.type_in("add lora");
    room.key(NONE, Key::Enter);
    assert_eq!(wires(&room, &["glaze", "end"]), ["base", "glaze"]);
    assert_eq!((room.chosen(), room.steps()), (vec!["glaze".to_owned()], vec!["add a LoRA".to_owned()]));
    let (document, _) = room.desk().listed.last().cloned().expect("the list is asked for");
    room.tell(News::Models { document, models: Ok(Vec::new()) });
    room.paste("ink.safetensors");
    room.key(NONE, Key::Enter);
    assert_eq!(room.field("glaze", "file").as_deref(), Some("\"ink.safetensors\""));
    room.key(CTRL, Key::Z);
    room.key(CTRL, Key::Z);
    assert_eq!((wires(&room, &["end"]), room.sheet().nodes.len()), (vec!["base".to_owned()], 2));
}

#[test]
fn one_more_lora_comes_behind_the_others() {
    let mut room = with_list(&["one", "two"]);
    room.click_on("add a LoRA to base");
    room.key(NONE, Key::Escape);
    assert_eq!(wires(&room, &["one", "two", "glaze", "end"]), ["base", "one", "two", "glaze"]);
}

#[test]
fn a_lora_that_is_taken_out_leaves_the_others_joined() {
    let mut room = with_list(&["one", "two", "three"]);
    room.click_on("take two out");
    assert_eq!(wires(&room, &["one", "three", "end"]), ["base", "one", "three"]);
    assert_eq!(room.steps(), ["take a LoRA out"]);
    room.click_on("take three out");
    room.click_on("take one out");
    assert_eq!(wires(&room, &["end"]), ["base"]);
    assert!(room.reads("nothing is laid over it"));
}

#[test]
fn loras_are_put_in_another_order() {
    let mut room = with_list(&["one", "two"]);
    room.click_on("move two up");
    let files = ["one", "two"].map(|name| room.field(name, "file").unwrap_or_default());
    assert_eq!(files, ["\"two.safetensors\"", "\"one.safetensors\""]);
    assert_eq!(wires(&room, &["one", "two", "end"]), ["base", "one", "two"], "the wires stay");
    assert_eq!(room.steps(), ["put LoRAs in order"]);
    room.key(CTRL, Key::Z);
    assert_eq!(room.field("one", "file").as_deref(), Some("\"one.safetensors\""));
}

#[test]
fn a_lora_is_switched_off_and_on_and_weighed_in_the_list() {
    let mut room = with_list(&["one"]);
    room.click_on("use one");
    assert_eq!(room.node("one").mode, Mode::Bypassed);
    room.click_on("use one");
    assert_eq!(room.node("one").mode, Mode::Active);
    // From afar the canvas shows no fields: these are the list's.
    let at = room.spot("strength").center();
    room.drag(at, at + vec2(-40.0, 0.0));
    assert!(room.field("one", "strength").is_some_and(|value| value.parse::<f64>().is_ok_and(|value| value < 1.0)));
    room.click_on("file");
    assert!(room.sees("search"));
}

#[test]
fn nobody_guesses_which_of_two_models_is_meant() {
    let nodes = r#""a": (type: "grow"), "b": (type: "grow")"#;
    let mut room = Room::new(&workflow(nodes, r#""a": (at: (0, 0)), "b": (at: (400, 0))"#));
    room.key(CTRL, Key::K);
    room.type_in("add lora");
    room.key(NONE, Key::Enter);
    assert!(room.reads("choose the model to lay a LoRA over first"));
    assert_eq!(room.sheet().nodes.len(), 2);
}

#[test]
fn a_node_is_pulled_from_the_panel_onto_the_canvas() {
    let mut room = model(&[]);
    room.click_on("nodes");
    room.click_on("search in all nodes");
    room.type_in("lngr");
    let to = room.on(480.0, 480.0);
    room.drag(room.spot("Linger").center(), to);
    let (x, y) = room.place("linger");
    assert!((x - 480).abs() < 24 && (y - 480).abs() < 48, "{x} {y}");
    assert_eq!(room.steps(), ["add a node"]);
    // One that is let go over the panel stays there.
    let at = room.spot("Linger").center();
    room.drag(at, at + vec2(0.0, 30.0));
    assert_eq!(room.steps().len(), 1);
    room.click_twice(at);
    assert_eq!(room.steps().len(), 2, "a double click puts it into the view");
}

#[test]
fn favourites_and_what_was_used_lately_come_first() {
    let mut room = model(&[]);
    let add = |room: &mut Room, name: &str| {
        room.key(NONE, Key::Tab);
        room.type_in(name);
        room.key(NONE, Key::Enter);
    };
    add(&mut room, "sprout");
    // The name of what is marked stands in its manual, too.
    let line = |room: &Room, name: &str| {
        let mut all = room.harness.query_all_by_label(name);
        let line = all.find(|node| node.accesskit_node().role() == Role::Button).expect("it is listed");
        (line.rect().top(), line.accesskit_node().data().description().unwrap_or_default().to_owned())
    };
    let above = |room: &Room, one: &str, other: &str| line(room, one).0 < line(room, other).0;
    room.key(NONE, Key::Tab);
    assert!(above(&room, "Sprout", "Count") && line(&room, "Sprout").1.starts_with("used lately"));
    room.type_in("word");
    room.click_on("make Word a favourite");
    room.key(CTRL, Key::A);
    room.key(NONE, Key::Backspace);
    assert!(above(&room, "Word", "Sprout") && line(&room, "Word").1.starts_with("favourite"));
    room.key(NONE, Key::Escape);
    room.click(room.head("base"));
    room.key(NONE, Key::Tab);
    assert!(line(&room, "Glaze").1.starts_with("fits"), "it takes what is chosen");
    assert!(above(&room, "Glaze", "Count"));
}

#[test]
fn beside_the_list_stands_what_a_node_takes_and_gives() {
    let mut room = model(&[]);
    room.key(NONE, Key::Tab);
    room.type_in("stamp");
    for words in ["Prints a leaf with ink", "ink: ink", "second: ink, if wanted", "caption: text"] {
        assert!(room.reads(words), "{words}");
    }
}

//! Models: chosen from a list, and fetched where they are not here.

use darkroom_core::fault::{Fault, Faults, Located};
use darkroom_core::spec::FileSort;
use darkroom_editor::session::{Model, News, Pulling, Ticket};
use egui::{Key, pos2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::room::{CTRL, NONE, Room, workflow};

fn loader(model: &str) -> Room {
    let nodes =
        format!(r#""loader": (type: "loader", model: "{model}"), "press": (type: "press", text: (from: "loader"))"#);
    let mut room = Room::new(&workflow(&nodes, r#""loader": (at: (0, 0)), "press": (at: (400, 0))"#));
    room.look(pos2(260.0, 200.0), 1.0);
    room
}

fn value(room: &Room) -> String {
    room.field("loader", "model").expect("it stands there")
}

fn model(name: &str, sort: FileSort, needs: u64) -> Model {
    Model {
        name: name.to_owned(),
        sort: Some(sort),
        family: Some("SDXL".to_owned()),
        precision: Some("F16".to_owned()),
        bytes: 6_900_000_000,
        needs: Some(needs),
        fault: None,
    }
}

/// Answers the last question for models.
fn list(room: &mut Room, models: Vec<Model>) {
    let (document, _) = room.desk().listed.last().cloned().expect("it asked");
    room.tell(News::Models { document, models: Ok(models) });
}

fn shelf() -> Vec<Model> {
    vec![
        model("loras/ink.safetensors", FileSort::Lora, 1 << 30),
        model("loras/vast.safetensors", FileSort::Lora, 99 << 30),
        model("checkpoints/base.safetensors", FileSort::Model, 1 << 30),
    ]
}

/// Says that what is named is not here.
fn lacks(room: &mut Room) {
    let fault = Fault::file("`far://o/n` is not in the cache");
    let faults = Faults(vec![Located::at_node(fault, "loader", "loader").input("model")]);
    let (document, revision) = room.desk().foreseen.last().map(|ask| (ask.document, ask.revision)).expect("it asked");
    room.tell(News::Foreseen { document, revision, outlook: Err(faults) });
}

#[test]
fn models_are_listed_with_what_they_are_and_whether_they_fit() {
    let mut room = loader("old.safetensors");
    assert!(room.desk().listed.is_empty(), "nobody asked");
    room.click_on("model");
    assert!(room.reads("looking what there is"));
    list(&mut room, shelf());
    assert!(room.sees("loras/ink.safetensors") && !room.sees("checkpoints/base.safetensors"), "LoRAs alone");
    assert!(room.reads("2 on disk, 1 fit into 8.6 GB of memory"));
    let said = |label: &str| room.harness.get_by_label(label).accesskit_node().data().description().map(str::to_owned);
    assert_eq!(said("loras/ink.safetensors").as_deref(), Some("SDXL  ·  F16  ·  6.9 GB  ·  fits"));
    assert!(said("loras/vast.safetensors").is_some_and(|words| words.ends_with("needs 106.3 GB, too much")));
    room.type_in("vas");
    assert!(!room.sees("loras/ink.safetensors"));
    room.key(NONE, Key::Enter);
    assert_eq!(value(&room), "\"loras/vast.safetensors\"");
    assert_eq!(room.steps(), ["choose a model"]);
}

#[test]
fn a_list_of_models_is_made_anew_when_it_is_asked_for() {
    let mut room = loader("old.safetensors");
    room.click_on("model");
    list(&mut room, Vec::new());
    room.click_on("Refresh");
    assert_eq!(room.desk().listed.len(), 2);
    list(&mut room, shelf());
    room.click_on("loras/ink.safetensors");
    assert_eq!(value(&room), "\"loras/ink.safetensors\"");
}

#[test]
fn a_name_that_is_in_no_list_can_be_typed() {
    let mut room = loader("old.safetensors");
    room.click_on("model");
    room.paste("far://o/n");
    room.key(NONE, Key::Enter);
    assert_eq!(value(&room), "\"far://o/n\"");
}

#[test]
fn a_list_leads_to_the_browser() {
    let mut room = loader("old.safetensors");
    room.click_on("model");
    room.click_on("Browse");
    assert!(room.reads("Choose a LoRA for `model`") && !room.sees("search"));
}

#[test]
fn a_list_that_cannot_be_made_says_why() {
    let mut room = loader("old.safetensors");
    room.click_on("model");
    let (document, _) = room.desk().listed.last().cloned().expect("it asked");
    room.tell(News::Models { document, models: Err(Fault::file("cannot read `/models`")) });
    assert!(room.reads("cannot read `/models`"));
}

#[test]
fn a_model_that_is_not_here_is_marked_and_fetched_with_a_bar() {
    let mut room = loader("far://o/n");
    assert!(!room.sees("pull far://o/n"), "nobody has looked");
    lacks(&mut room);
    let marked = |room: &Room, label: &str| room.harness.get_by_label(label).accesskit_node().data().clone();
    assert_eq!(marked(&room, "model").invalid(), Some(egui::accesskit::Invalid::True));
    assert_eq!(marked(&room, "model").description(), Some("`far://o/n` is not in the cache"));
    room.click_on("pull far://o/n");
    assert_eq!(room.desk().pulls, [(Ticket(1000), "far://o/n".to_owned())]);
    let pulling =
        Pulling { ticket: Ticket(1000), name: "far://o/n".to_owned(), done: 2_000_000, of: 8_000_000, rate: 1.5e6 };
    room.tell(News::Pulling(pulling));
    let bar = marked(&room, "fetching far://o/n");
    assert_eq!((bar.value(), bar.numeric_value()), (Some("2.0 MB of 8.0 MB, 1.5 MB/s"), Some(0.25)));
    let asked = room.desk().foreseen.len();
    room.tell(News::Pulled { ticket: Ticket(1000), ended: Ok(()) });
    assert!(room.reads("`far://o/n` is here now"));
    assert!(!room.sees("fetching far://o/n"));
    assert_eq!(room.desk().foreseen.len(), asked + 1, "it is looked at anew");
}

#[test]
fn what_is_not_here_can_be_fetched_from_the_list_of_faults() {
    let mut room = loader("far://o/n");
    lacks(&mut room);
    room.click_words("1 fault");
    room.click_on("pull far://o/n for loader");
    assert_eq!(room.desk().pulls.len(), 1);
}

#[test]
fn a_fetch_is_stopped_and_goes_on_when_it_is_asked_for_again() {
    let mut room = loader("far://o/n");
    lacks(&mut room);
    room.click_on("pull far://o/n");
    room.click_on("stop fetching far://o/n");
    assert_eq!(room.desk().cancelled, [Ticket(1000)]);
    room.tell(News::Pulled { ticket: Ticket(1000), ended: Err(Fault::cancelled()) });
    assert!(room.reads("what is here is kept"));
    lacks(&mut room);
    room.click_on("pull far://o/n");
    assert_eq!(room.desk().pulls.len(), 2);
}

#[test]
fn a_fetch_that_fails_says_why_and_can_be_tried_again() {
    let mut room = loader("far://o/n");
    lacks(&mut room);
    room.click_on("pull far://o/n");
    let fault = Fault::file("the hub cannot be reached").hint("look at the network");
    room.tell(News::Pulled { ticket: Ticket(1000), ended: Err(fault) });
    assert!(room.reads("the hub cannot be reached (look at the network)"));
    lacks(&mut room);
    assert!(room.sees("pull far://o/n"));
}

#[test]
fn a_name_that_is_changed_while_it_is_fetched_takes_its_bar_along() {
    let mut room = loader("far://o/n");
    lacks(&mut room);
    room.click_on("pull far://o/n");
    assert!(room.sees("fetching far://o/n"));
    room.key(CTRL, Key::Z);
    room.click(room.head("loader"));
    room.key(CTRL, Key::D);
    assert_eq!(room.harness.query_all_by_label("fetching far://o/n").count(), 2, "both fields name it");
}

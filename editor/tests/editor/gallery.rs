//! The gallery: pictures of runs and of earlier times, what they tell, and what can be done with them.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use darkroom_core::fault::Fault;
use darkroom_editor::session::{Disk, Fate, News, Ticket, Told};
use egui::{Event, Key, OutputCommand, vec2};

use crate::room::{CTRL, NONE, Room, workflow};
use crate::runs::{outlook, until};

/// A page whose prose is a prompt.
fn page(prose: &str, seed: u64) -> String {
    workflow(
        &format!(r#""page": (type: "page", prose: "{prose}", caption: "of {prose}", seed: {seed})"#),
        r#""page": (at: (0, 0))"#,
    )
}

/// Leaves a picture, and beside it what it tells of its making.
fn leave(path: &Path, (width, height): (u32, u32), text: &str) {
    fs::create_dir_all(path.parent().expect("it has a folder")).expect("writable");
    image::RgbImage::from_pixel(width, height, image::Rgb([200, 40, 90])).save(path).expect("writable");
    fs::write(path.with_extension("ron"), text).expect("writable");
}

fn told(path: &Path) -> Result<(String, Vec<String>), Fault> {
    let text = fs::read_to_string(path.with_extension("ron"));
    Ok((text.map_err(|error| Fault::io("read", path, &error))?, Vec::new()))
}

fn disk(home: &Path) -> Disk {
    Disk { output: Some(home.join("out")), workflow_of: Arc::new(told), ..Disk::default() }
}

/// A room whose output folder has three pictures of earlier times.
fn room() -> Room {
    let mut room = Room::over(&page("now", 1), |home| {
        for (name, size, prose, seed) in [
            ("fox.png", (40, 20), "a fox in snow", 11),
            ("owl.png", (32, 32), "an owl", 12),
            ("deep/elk.png", (16, 32), "an elk", 13),
        ] {
            leave(&home.join("out").join(name), size, &page(prose, seed));
        }
        disk(home)
    });
    room.click_on("Folder");
    until(&mut room, "the folder is listed", |room| room.sees("result fox.png"));
    room
}

fn chosen(name: &str) -> Room {
    let mut room = room();
    room.click_on(&format!("result {name}"));
    until(&mut room, "it has told", |room| room.reads("seed"));
    room
}

/// A room in which a picture is seen large.
fn large(name: &str) -> Room {
    let mut room = chosen(name);
    let at = room.spot(&format!("result {name}")).center();
    room.click_twice(at);
    until(&mut room, "it is large", |room| room.sees("Close (Esc)"));
    room
}

#[test]
fn pictures_of_earlier_times_are_shown_with_what_they_tell() {
    let mut room = room();
    assert!(room.sees("result owl.png") && room.sees("result elk.png"));
    room.click_on("result fox.png");
    until(&mut room, "it has told", |room| room.reads("a fox in snow"));
    assert!(room.reads("seed 11") && room.reads("40 × 20"));
}

#[test]
fn pictures_are_filtered_by_name_and_by_prompt() {
    let mut room = room();
    let field = room.text_field("filter the pictures").center();
    room.click(field);
    room.type_in("snow");
    until(&mut room, "all have told", |room| room.sees("result fox.png") && !room.sees("result owl.png"));
    assert!(!room.sees("result elk.png"));
    room.key(CTRL, Key::A);
    room.type_in("ELK");
    assert!(room.sees("result elk.png") && !room.sees("result fox.png"));
    room.key(CTRL, Key::A);
    room.type_in("whale");
    until(&mut room, "none is like this", |room| room.reads("No picture is like this"));
}

#[test]
fn a_star_is_kept_for_the_next_time() {
    let state = tempfile::tempdir().expect("a folder");
    let out = tempfile::tempdir().expect("a folder");
    for name in ["a.png", "b.png"] {
        leave(&out.path().join(name), (8, 8), &page("x", 1));
    }
    let open = || {
        let (state, output) = (Some(state.path().to_owned()), Some(out.path().to_owned()));
        let mut room =
            Room::over(&page("now", 1), |_| Disk { state, output, workflow_of: Arc::new(told), ..Disk::default() });
        room.click_on("Folder");
        until(&mut room, "the folder is listed", |room| room.sees("result a.png"));
        room
    };
    let mut room = open();
    room.click_on("result b.png");
    room.click_on("Star");
    room.click_on("Starred");
    assert!(room.sees("result b.png") && !room.sees("result a.png"));
    drop(room);
    let mut room = open();
    room.click_on("Starred");
    assert!(room.sees("result b.png") && !room.sees("result a.png"));
    room.click_on("result b.png");
    room.click_on("Unstar");
    assert!(room.reads("No picture is like this"));
}

#[test]
fn a_picture_is_deleted_only_once_that_is_confirmed_and_lies_in_the_bin_then() {
    let mut room = chosen("owl.png");
    let path = room.path("out/owl.png");
    room.click_on("Delete");
    assert!(path.exists() && room.reads("Delete owl.png?"));
    room.click_on("Cancel");
    assert!(path.exists());
    room.click_on("Delete");
    room.key(NONE, Key::Enter);
    assert!(!path.exists() && room.path("out/.trash/owl.png").exists());
    assert!(!room.sees("result owl.png") && room.sees("result fox.png"));
}

#[test]
fn a_picture_is_copied_as_it_is() {
    let mut room = chosen("fox.png");
    room.tap("Copy");
    let size = std::cell::Cell::new(None);
    until(&mut room, "it is on the clipboard", |room| {
        let copied = room.commands().into_iter().find_map(|command| match command {
            OutputCommand::CopyImage(image) => Some(image.size),
            _ => None,
        });
        size.set(copied);
        copied.is_some()
    });
    assert_eq!(size.get(), Some([40, 20]));
}

#[test]
fn a_picture_leads_to_its_folder() {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&shown);
    let mut room = Room::over(&page("now", 1), |home| {
        leave(&home.join("out/a.png"), (8, 8), &page("x", 1));
        let show = move |folder: &Path| {
            seen.lock().expect("nobody panics").push(folder.to_owned());
            Ok(())
        };
        Disk { show_folder: Box::new(show), ..disk(home) }
    });
    room.click_on("Folder");
    until(&mut room, "the folder is listed", |room| room.sees("result a.png"));
    let at = room.spot("result a.png").center();
    room.click_right(at);
    room.click_on("Show its folder");
    assert_eq!(*shown.lock().expect("nobody panics"), [room.path("out")]);
}

#[test]
fn the_size_of_the_pictures_is_set() {
    let mut room = room();
    let before = room.spot("result fox.png").width();
    let slider = room.spot("size of the pictures");
    room.click(slider.right_center() - vec2(6.0, 0.0));
    assert!(room.spot("result fox.png").width() > 1.5 * before);
}

#[test]
fn pictures_of_a_run_lie_in_the_gallery_of_its_workflow_and_those_of_others_not() {
    let mut room = Room::over(&page("now", 1), disk);
    let path = room.path("out/new.png");
    leave(&path, (8, 8), "");
    room.key(CTRL, Key::Enter);
    let run = |told| News::Run { ticket: Ticket(1), told };
    room.tell(run(Told::Planned(outlook(&[("page", Fate::Runs)]))));
    room.tell(run(Told::Wrote { node: "page".to_owned(), path, anew: true }));
    room.tell(News::Ended { ticket: Ticket(1), ended: Ok((2.5, 0)) });
    assert!(room.sees("result new.png"));
    until(&mut room, "it is on the card", |room| {
        room.tab().status.of(room.id("page")).is_some_and(|status| status.picture.is_some())
    });
    room.click_on("result new.png");
    until(&mut room, "it has told", |room| room.reads("2.5 s"));
    room.key(CTRL, Key::N);
    assert!(!room.sees("result new.png"));
    room.click_on("All");
    assert!(room.sees("result new.png"));
}

#[test]
fn a_picture_that_cannot_be_read_is_told_in_the_log() {
    let mut room = Room::over(&page("now", 1), disk);
    let path = room.path("torn.png");
    fs::write(&path, b"\x89PNG\r\n\x1a\nno").expect("writable");
    room.key(CTRL, Key::Enter);
    let told = Told::Wrote { node: "page".to_owned(), path, anew: true };
    room.tell(News::Run { ticket: Ticket(1), told });
    until(&mut room, "it is told", |room| room.tab().log.iter().any(|line| line.text.contains("cannot read")));
    assert!(room.tab().log.last().is_some_and(|line| line.text.contains("torn.png")));
}

#[test]
fn keys_recall_seed_prompt_and_all_values_from_the_large_picture() {
    let mut room = large("fox.png");
    let field = |room: &Room, name: &str| room.field("page", name);
    room.key(NONE, Key::S);
    assert_eq!(field(&room, "seed").as_deref(), Some("11"));
    assert_eq!(field(&room, "prose").as_deref(), Some("\"now\""));
    room.key(NONE, Key::P);
    assert_eq!(field(&room, "prose").as_deref(), Some("\"a fox in snow\""));
    assert_eq!(field(&room, "caption").as_deref(), Some("\"of now\""));
    room.key(NONE, Key::A);
    assert_eq!(field(&room, "caption").as_deref(), Some("\"of a fox in snow\""));
    assert_eq!(room.steps(), ["recall the seed", "recall the prompt", "recall all values"]);
    room.key(NONE, Key::W);
    assert_eq!(field(&room, "seed").as_deref(), Some("11"));
    assert!(room.steps().is_empty() && !room.sees("Close (Esc)"), "its graph is in a tab of its own");
}

#[test]
fn keys_of_the_large_picture_leave_the_canvas_alone() {
    let mut room = large("fox.png");
    let before = room.sheet();
    for key in [Key::M, Key::H, Key::P, Key::X, Key::N, Key::F2] {
        room.key(NONE, key);
    }
    // The prompt alone was asked for.
    assert_eq!(room.steps(), ["recall the prompt"]);
    room.key(NONE, Key::Delete);
    assert_eq!(room.sheet().nodes.len(), before.nodes.len());
    assert!(room.reads("Delete fox.png?"));
    room.key(NONE, Key::Escape);
    assert!(room.sees("Close (Esc)") && room.path("out/fox.png").exists());
    room.key(NONE, Key::Escape);
    assert!(!room.sees("Close (Esc)"));
}

#[test]
fn arrows_lead_to_the_next_picture() {
    let mut room = large("fox.png");
    let list = ["fox.png", "owl.png", "elk.png"];
    let seen = |room: &Room| list.into_iter().find(|name| room.reads(&format!("{name}  ")));
    assert_eq!(seen(&room), Some("fox.png"));
    let mut all = std::collections::HashSet::from(["fox.png"]);
    for key in [Key::ArrowLeft, Key::ArrowLeft, Key::ArrowRight, Key::ArrowRight, Key::ArrowRight] {
        room.key(NONE, key);
        all.extend(seen(&room));
    }
    assert_eq!(all.len(), 3);
}

#[test]
fn two_pictures_are_compared_in_three_ways_and_swapped() {
    let mut room = room();
    room.click_on("result fox.png");
    room.click_with(CTRL, room.spot("result owl.png").center());
    room.click_on("Compare");
    until(&mut room, "both are there", |room| room.reads("A fox.png   40 × 20   —   B owl.png   32 × 32   —   slider"));
    room.key(NONE, Key::M);
    assert!(room.reads("side by side"));
    room.key(NONE, Key::M);
    assert!(room.reads("hover"));
    room.key(NONE, Key::X);
    assert!(room.reads("A owl.png") && room.reads("B fox.png"));
    room.key(NONE, Key::C);
    assert!(room.reads("owl.png   32 × 32") && !room.reads("B fox.png"));
}

#[test]
fn the_large_picture_is_compared_with_the_next_one_and_arrows_choose_another() {
    let mut room = large("fox.png");
    room.key(NONE, Key::C);
    assert!(room.reads("A fox.png") && room.reads("—   B "));
    let second = |room: &Room| ["owl.png", "elk.png"].into_iter().find(|name| room.reads(&format!("B {name}")));
    let first = second(&room);
    assert!(first.is_some());
    let mut all = std::collections::HashSet::from([first]);
    for key in [Key::ArrowRight, Key::ArrowLeft, Key::ArrowLeft] {
        room.key(NONE, key);
        all.insert(second(&room));
    }
    assert!(all.contains(&Some("owl.png")) || all.contains(&Some("elk.png")));
    assert!(room.reads("A fox.png"), "the first one stays");
}

#[test]
fn the_large_picture_is_copied_by_the_usual_key() {
    let mut room = large("owl.png");
    room.frame([Event::Copy]);
    until(&mut room, "it is on the clipboard", |room| {
        room.commands()
            .iter()
            .any(|command| matches!(command, OutputCommand::CopyImage(image) if image.size == [32, 32]))
    });
}

//! First workflows, and those that pictures carry.

use std::fs;

use crate::desk::{Desk, PICTURE};

#[test]
fn init_writes_a_workflow_that_is_fine_and_never_overwrites() {
    let desk = Desk::new();
    assert_eq!(desk.say(&["init"]).ends(0).out, "first.ron\n");
    desk.say(&["check", "first.ron"]).ends(0);
    desk.write("mine.ron", "mine");
    assert!(desk.say(&["init", "mine.ron"]).ends(3).err.contains("is there already"));
    assert_eq!(fs::read_to_string(desk.path("mine.ron")).expect("readable"), "mine");
    desk.say(&["init", "nowhere/first.ron"]).ends(3);
}

#[test]
fn pictures_without_a_workflow_are_told() {
    let desk = Desk::new();
    fs::write(desk.path("a.jpg"), [0xff, 0xd8, 0xff, 0xe0, 0, 0]).expect("writable");
    assert!(desk.say(&["run", "a.jpg"]).ends(3).err.contains("is a JPEG, which carries no workflow"));
    desk.say(&["run", "."]).ends(3);
    desk.write("empty.ron", "");
    desk.say(&["check", "empty.ron"]).ends(3);
}

/// The picture of two by two pixels with a text in it, as other programs write it.
fn with_text(name: &str, text: &str) -> Vec<u8> {
    let chunk = [b"tEXt", name.as_bytes(), b"\0", text.as_bytes()].concat();
    let mut crc = u32::MAX;
    for byte in &chunk {
        crc ^= u32::from(*byte);
        (0..8).for_each(|_| crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1)));
    }
    let length = (chunk.len() as u32 - 4).to_be_bytes();
    // After the signature and the header.
    let (head, tail) = PICTURE.split_at(33);
    [head, &length, &chunk, &(!crc).to_be_bytes(), tail].concat()
}

#[test]
fn a_picture_of_another_program_is_told_and_made_a_workflow_of() {
    let desk = Desk::new();
    let text = "a (lake:1.2) at noon\nNegative prompt: snow\n\
        Steps: 3, Sampler: DPM++ 2M Karras, CFG scale: 4.5, Seed: 11, Size: 64x64, Model: other, Hires steps: 2";
    fs::write(desk.path("a1111.png"), with_text("parameters", text)).expect("writable");
    fs::write(desk.path("comfyui.png"), with_text("prompt", "{\"3\": {}}")).expect("writable");
    for command in ["run", "check", "explain"] {
        let told = desk.say(&[command, "a1111.png"]).ends(3).err;
        assert!(told.contains("parameters of A1111") && told.contains("init --from a1111.png"), "{told}");
        let told = desk.say(&[command, "comfyui.png"]).ends(3).err;
        assert!(told.contains("a workflow of ComfyUI") && told.contains("hint: "), "{told}");
    }
    let made = desk.say(&["init", "--from", "a1111.png", "again.ron"]).ends(0);
    assert_eq!(made.out, "again.ron\n");
    assert!(
        made.err.contains("warning: ") && made.err.contains("`other`") && made.err.contains("`Hires steps: 2`"),
        "{}",
        made.err
    );
    desk.say(&["check", "again.ron"]).ends(0);
    desk.say(&["run", "again.ron"]).ends(0);
    // What was drawn of it carries its own workflow, and that is what comes back.
    let back = desk.say(&["init", "--from", "output/again.png", "back.ron"]).ends(0);
    assert!(!back.err.contains("warning"), "{}", back.err);
    assert_eq!(fs::read_to_string(desk.path("back.ron")).ok(), fs::read_to_string(desk.path("again.ron")).ok());
    desk.say(&["init", "--from", "comfyui.png", "c.ron"]).ends(3);
    desk.say(&["init", "--from", "input/in.png", "c.ron"]).ends(3);
    assert!(!desk.path("c.ron").exists());
}

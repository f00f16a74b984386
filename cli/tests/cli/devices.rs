//! What networks compute on, asked for from outside, in a program without code for cards.

use crate::desk::{DRAWN, Desk};

fn drawn() -> Desk {
    let desk = Desk::new();
    desk.graph("drawn.ron", DRAWN);
    desk
}

#[test]
fn row_48_a_card_that_cannot_be_used_is_refused_before_anything_is_done() {
    let desk = drawn();
    for device in ["cuda", "cuda:0"] {
        let said = desk.say(&["run", "drawn.ron", "--device", device]).ends(6);
        assert!(said.err.contains("error: this program was built without code for cards\n"), "{}", said.err);
        assert!(
            said.err.contains("  hint: compute on the processor with --device cpu, or on either with "),
            "{}",
            said.err
        );
    }
    assert!(!desk.path("output").exists() && !desk.path("cache").exists(), "{:?}", desk.files());
    let said = desk.say(&["doctor", "--offline", "--device", "cuda"]).ends(6);
    assert!(said.out.contains("  trouble  this program was built without code for cards\n"), "{}", said.out);
}

#[test]
fn row_48_the_processor_takes_over_where_that_is_allowed() {
    let desk = drawn();
    let said = desk.say(&["run", "drawn.ron", "--device", "cuda,cpu"]).ends(0);
    let told = "warning: --device: the processor computes: this program was built without code for cards\n";
    assert!(said.err.contains(told), "{}", said.err);
    let said = desk.say(&["explain", "drawn.ron", "--device", "auto"]).ends(0);
    assert!(said.err.contains("networks compute on cpu: this program was built"), "{}", said.err);
    let said = desk.say(&["explain", "drawn.ron"]).ends(0);
    assert!(said.err.is_empty(), "nobody asked: {}", said.err);
}

#[test]
fn a_device_is_named_in_the_environment_and_in_the_settings_too() {
    let desk = drawn();
    let said = desk.command(&["explain", "drawn.ron"]).env("DARKROOM_DEVICE", "gpu").output().expect("it starts");
    let err = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.status.code() == Some(2) && err.contains("DARKROOM_DEVICE: `gpu` names no device"), "{err}");
    std::fs::create_dir_all(desk.path("config")).expect("writable");
    desk.write("config/config.ron", "(device: \"cuda\")");
    desk.say(&["explain", "drawn.ron"]).ends(6);
    desk.say(&["explain", "drawn.ron", "--device", "cpu"]).ends(0);
}

#[test]
fn memory_of_a_card_that_is_not_used_is_told() {
    let desk = drawn();
    let told = |said: &str, who: &str| {
        let line = format!("{who} asks for 3.0 GiB of a graphics card, and none is used here: this program was built ");
        assert!(said.contains(&line), "{said}");
    };
    told(&desk.say(&["run", "drawn.ron", "--vram", "3GB"]).ends(0).err, "warning: --vram");
    let said = desk.command(&["explain", "drawn.ron"]).env("DARKROOM_VRAM", "3G").output().expect("it starts");
    told(&String::from_utf8_lossy(&said.stderr), "warning: DARKROOM_VRAM");
    std::fs::create_dir_all(desk.path("config")).expect("writable");
    desk.write("config/config.ron", "(vram: \"3 GB\")");
    told(&desk.say(&["explain", "drawn.ron"]).ends(0).err, "config.ron");
}

//! `darkroom lock`: written, checked, and heeded.

use std::fs;
use std::path::Path;

use crate::desk::{DRAWN, Desk, PICTURE, SHEET, Said};
use crate::faults::copy;

/// SHA-256 of the picture, as `sha256sum` tells it.
const HASH: &str = "3d27b4ed2fdfdb12b533f2ddf6e113f5f6ad516b1acd9ebb3ed1de5476ec51c6";

fn entry() -> String {
    format!("        \"load.file\": (sha256: \"{HASH}\", bytes: {}),\n", PICTURE.len())
}

#[test]
fn a_lock_is_written_into_the_file_and_comments_stay() {
    let desk = Desk::new();
    let text = format!("// mine\n(\n    darkroom: 1, // so\n    nodes: {{{SHEET}    }}, // all\n)\n");
    desk.write("sheet.ron", &text);
    let differs = desk.say(&["lock", "sheet.ron", "--check"]).ends(3);
    assert!(differs.err.contains("`in.png` is not locked\n  at sheet.ron:"), "{}", differs.err);
    let said = desk.say(&["lock", "sheet.ron"]).ends(0);
    assert_eq!(said.out, format!("{}  {:>8} B  load.file  in.png\n", &HASH[..10], PICTURE.len()));
    assert!(said.err.contains("`sheet.ron` is locked: 1 file"), "{}", said.err);
    let locked = text.replace("// all\n", &format!("// all\n    lock: {{\n{}    }},\n", entry()));
    assert_eq!(fs::read_to_string(desk.path("sheet.ron")).expect("readable"), locked);
    desk.say(&["lock", "sheet.ron"]).ends(0);
    assert_eq!(fs::read_to_string(desk.path("sheet.ron")).expect("readable"), locked);
    let json = desk.say(&["lock", "sheet.ron", "--check", "--json"]).ends(0).json();
    assert_eq!((&json["ok"], &json["lock"]["load.file"]["sha256"]), (&true.into(), &HASH.into()));
    fs::write(desk.path("input/in.png"), [PICTURE, b"!"].concat()).expect("writable");
    let differs = desk.say(&["lock", "sheet.ron", "--check", "--json"]).ends(3).json();
    let told = differs["faults"][0]["message"].as_str().unwrap_or_default().to_owned();
    assert!(told.contains("`in.png` is not what it is locked to: SHA-256 ") && told.contains(HASH), "{told}");
    assert_eq!(fs::read_to_string(desk.path("sheet.ron")).expect("readable"), locked, "a check changes nothing");
}

#[test]
fn what_is_locked_is_found_under_another_name_and_said() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    desk.say(&["lock", "sheet.ron"]).ends(0);
    fs::create_dir(desk.path("input/old")).expect("writable");
    fs::rename(desk.path("input/in.png"), desk.path("input/old/photo.png")).expect("it moves");
    let found = "input/old/photo.png` stands in for `in.png`: it has the content that is locked";
    let check = desk.say(&["check", "sheet.ron"]).ends(0);
    assert!(check.err.contains(found) && check.err.contains("is fine"), "{}", check.err);
    assert!(desk.say(&["explain", "sheet.ron"]).ends(0).out.contains(found));
    let run = desk.say(&["run", "sheet.ron"]).ends(0);
    assert_eq!(run.err.matches(found).count(), 1, "{}", run.err);
    let json = desk.say(&["explain", "sheet.ron", "--json"]).ends(0).json();
    assert_eq!((&json["stand_ins"][0]["at"], &json["stand_ins"][0]["name"]), (&"load.file".into(), &"in.png".into()));
    // The picture carries the lock, and its workflow runs here too.
    desk.say(&["run", "output/sheet.png", "--fresh"]).ends(0);
    let kept = desk.say(&["lock", "sheet.ron", "--check"]).ends(0);
    assert!(kept.err.contains("is locked to what is here") && kept.err.contains(found), "{}", kept.err);
}

#[test]
fn another_file_of_the_name_is_refused_unless_it_is_asked_for() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    desk.say(&["lock", "sheet.ron"]).ends(0);
    fs::write(desk.path("input/in.png"), [PICTURE, b"!"].concat()).expect("writable");
    let said = desk.say(&["run", "sheet.ron"]).ends(3);
    for part in [
        "`in.png` is not the file that this workflow was locked to",
        HASH,
        "load (load_image) › file",
        "hint: looked for it below ",
    ] {
        assert!(said.err.contains(part), "{part} in {}", said.err);
    }
    desk.say(&["check", "sheet.ron"]).ends(3);
    let set = desk.say(&["run", "sheet.ron", "--set", "load.file=in.png"]).ends(0);
    assert!(set.err.contains("`load.file` is set, and no longer locked"), "{}", set.err);
    desk.say(&["lock", "sheet.ron"]).ends(0);
    desk.say(&["run", "sheet.ron"]).ends(0);
}

#[test]
fn a_name_of_several_files_is_settled_by_the_lock() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    desk.say(&["lock", "sheet.ron"]).ends(0);
    fs::rename(desk.path("input/in.png"), desk.path("input/kept.png")).expect("it moves");
    for kind in ["loras", "vae"] {
        fs::create_dir_all(desk.path("own").join(kind)).expect("writable");
        fs::write(desk.path("own").join(kind).join("in.png"), kind).expect("writable");
    }
    let run = || {
        let mut command = desk.command(&["run", "sheet.ron"]);
        Said::of(command.env("DARKROOM_MODELS", desk.path("own")).output().expect("the program starts"))
    };
    assert!(run().ends(0).err.contains("input/kept.png` stands in for `in.png`"));
    fs::remove_file(desk.path("input/kept.png")).expect("it goes");
    let lost = run().ends(2);
    assert!(lost.err.contains("`in.png` is the name of several models") && lost.err.contains(HASH), "{}", lost.err);
}

#[test]
fn a_folder_of_a_model_is_one_content_whatever_its_files_are_called() {
    let desk = Desk::new();
    desk.graph("drawn.ron", &DRAWN.replace("\"mini\"", "\"tiny\""));
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../mini/weights"), &desk.path("tiny"));
    let said = desk.say(&["lock", "drawn.ron"]).ends(0);
    assert!(said.out.contains("model.source  tiny  ") && said.out.contains(" files\n"), "{}", said.out);
    fs::create_dir_all(desk.path("models/diffusers")).expect("writable");
    fs::rename(desk.path("tiny"), desk.path("models/diffusers/other")).expect("it moves");
    let unet = desk.path("models/diffusers/other/unet");
    let (plain, half) = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors");
    fs::rename(unet.join(plain), unet.join(half)).expect("it is renamed");
    let explained = |models: &str| {
        let mut command = desk.command(&["explain", "drawn.ron"]);
        Said::of(command.env("DARKROOM_MODELS", desk.path(models)).output().expect("the program starts"))
    };
    let found = explained("models").ends(0);
    assert!(found.out.contains("models/diffusers/other` stands in for `tiny`"), "{}", found.out);
    fs::rename(desk.path("models/diffusers"), desk.path("elsewhere")).expect("it moves");
    fs::write(desk.path("elsewhere/other/unet/config.json"), "{}").expect("writable");
    let lost = explained("models").ends(3);
    assert!(lost.err.contains("there is no `tiny`, and nothing else is what"), "{}", lost.err);
}

#[test]
fn what_cannot_be_locked_says_why() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    desk.say(&["run", "sheet.ron"]).ends(0);
    let picture = desk.say(&["lock", "output/sheet.png"]).ends(3);
    assert!(picture.err.contains("is a picture") && picture.err.contains("init --from"), "{}", picture.err);
    desk.graph("drawn.ron", DRAWN);
    let before = fs::read_to_string(desk.path("drawn.ron")).expect("readable");
    let nothing = desk.say(&["lock", "drawn.ron"]).ends(0);
    assert!(nothing.err.contains("is locked: 0 files") && nothing.out.is_empty(), "{}", nothing.err);
    assert_eq!(fs::read_to_string(desk.path("drawn.ron")).expect("readable"), before);
    fs::remove_file(desk.path("input/in.png")).expect("it goes");
    let lost = desk.say(&["lock", "sheet.ron"]).ends(3);
    assert!(lost.err.contains("there is no `in.png`"), "{}", lost.err);
}

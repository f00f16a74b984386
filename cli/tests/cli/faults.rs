//! What is wrong, told with its place and its code.

use std::fs;
use std::path::Path;

use crate::desk::{DRAWN, Desk, SHEET};

#[test]
fn every_kind_of_fault_has_its_code() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    desk.graph("drawn.ron", DRAWN);
    desk.say(&["check", "sheet.ron"]).ends(0);
    desk.say(&["run", "sheet.ron", "--to", "grwo"]).ends(2);
    desk.say(&["run", "sheet.ron", "--no-such-flag"]).ends(2);
    desk.say(&["run", "sheet.ron", "--ram", "much"]).ends(2);
    desk.say(&["run"]).ends(2);
    desk.say(&["nodes", "denois"]).ends(2);
    desk.say(&["run", "missing.ron"]).ends(3);
    desk.say(&["run", "sheet.ron", "--set", "load.file=missing.png"]).ends(3);
    desk.say(&["run", "sheet.ron", "--allow", "nowhere"]).ends(3);
    let memory = desk.say(&["run", "drawn.ron", "--ram", "1K"]).ends(4);
    assert!(memory.err.contains("1.0 KiB are free") && memory.err.contains("--ram"), "{}", memory.err);
    assert!(memory.err.contains("drawn.ron:") && memory.err.contains("prompt (encode_prompt)"), "{}", memory.err);
    let help = desk.say(&["--help"]).ends(0).out;
    let codes = ["  0  ", "  1  ", "  2  ", "  3  ", "  4  ", "  5  ", "130  "];
    assert!(codes.iter().all(|code| help.contains(code)), "{help}");
}

#[test]
fn row_14_numbers_that_are_none_end_a_run_with_their_node() {
    let desk = Desk::new();
    desk.graph("drawn.ron", DRAWN);
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../mini/weights"), &desk.path("spoilt"));
    let file = desk.path("spoilt/unet/diffusion_pytorch_model.safetensors");
    let mut bytes = fs::read(&file).expect("readable");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    // Every half-precision number of the weights is now NaN.
    bytes[8 + header..].fill(0xff);
    fs::write(&file, bytes).expect("writable");
    let said = desk.say(&["run", "drawn.ron", "--set", "model.source=spoilt"]).ends(5);
    assert!(said.err.contains("not finite") || said.err.contains("no longer finite"), "{}", said.err);
    assert!(said.err.contains("denoise (denoise)") && said.out.is_empty(), "{}", said.err);
    assert!(!desk.path("output").exists());
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for entry in fs::read_dir(from).expect("readable") {
        let (path, to) = (entry.as_ref().expect("readable").path(), to.join(entry.expect("readable").file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("writable");
        }
    }
}

#[test]
fn check_shows_five_faults_at_once_with_their_places() {
    let desk = Desk::new();
    desk.graph(
        "five.ron",
        r#"        "model": (type: "lod_model", source: "mini"),
        "load": (type: "load_image", file: "in.png"),
        "grow": (type: "upscale", image: (from: "load"), factor: 0.0),
        "again": (type: "upscale", image: (from: "laod")),
        "soft": (type: "upscale", image: (from: "load"), filer: "box"),
        "words": (type: "text", text: "a"),
        "save": (type: "save_image", image: (from: "words")),
"#,
    );
    let said = desk.say(&["check", "five.ron"]).ends(2);
    assert_eq!(said.out, "");
    for expected in [
        "error: there is no node type `lod_model`\n  at five.ron:4:19 › model (lod_model) › type\n  hint: did you mean `load_model`?",
        "error: 0.0 is out of range\n  at five.ron:6:58 › grow (upscale) › factor\n  hint: give a number from 0.01 to 16.0",
        "error: there is no node `laod` to take `image` from\n  at five.ron:7:36 › again (upscale) › image\n  hint: did you mean `load`?",
        "error: `upscale` has no input `filer`\n  at five.ron:8:58 › soft (upscale) › filer\n  hint: did you mean `filter`?",
        "error: `save.image` (save_image) takes `image`, and `words` (text) gives `text`\n  at five.ron:10:38 › save (save_image) › image\n  hint: ",
    ] {
        assert!(said.err.contains(expected), "{expected}\n\nin\n{}", said.err);
    }
    assert!(said.err.ends_with("5 faults\n"), "{}", said.err);
    let json = desk.say(&["check", "five.ron", "--json"]).ends(2).json();
    assert_eq!((json["ok"].as_bool(), json["exit"].as_u64()), (Some(false), Some(2)));
    assert_eq!(json["faults"].as_array().map(Vec::len), Some(5));
    assert_eq!((&json["faults"][0]["node"], &json["faults"][0]["line"]), (&"model".into(), &4.into()));
    assert_eq!(desk.files().len(), 2, "a check touches nothing: {:?}", desk.files());
}

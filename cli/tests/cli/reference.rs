//! What the program says of itself.

use std::fs;

use crate::desk::Desk;

#[test]
fn the_reference_comes_from_the_specs() {
    let desk = Desk::new();
    let table = desk.say(&["nodes"]).ends(0).out;
    let told = |line: &str| line.starts_with("  upscale ") && line.ends_with(" Brings pictures to another size");
    assert!(table.contains("Image\n") && table.lines().any(told), "{table}");
    let manual = desk.say(&["nodes", "save_image"]).ends(0).out;
    assert!(manual.contains("  quality: integer, default 92, from 1 to 100\n      Quality of a JPEG.\n"), "{manual}");
    let manual = desk.say(&["nodes", "denoise"]).ends(0).out;
    let at = |line: &str| manual.find(line).unwrap_or_else(|| panic!("no {line:?} in {manual}"));
    let advanced = at("\nAdvanced inputs\n");
    for name in ["seed", "steps", "guidance", "sampler", "schedule", "strength"] {
        assert!(at(&format!("\n  {name}: ")) < advanced, "`{name}` is for everyone");
    }
    assert!(at("\n  eta: ") > advanced && at("\nOutputs\n") > advanced);
    let all = desk.say(&["nodes", "--json"]).ends(0).json();
    assert!(all.as_array().is_some_and(|all| all.iter().any(|node| node["type"] == "denoise")));
    assert!(desk.say(&["nodes", "denois"]).ends(2).err.contains("did you mean `denoise`?"));
}

#[test]
fn shells_and_man_are_told() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(desk.say(&["completions", shell]).ends(0).out.contains("cache-memory"), "{shell}");
    }
    assert!(desk.say(&["man"]).ends(0).out.contains(".TH darkroom"));
    desk.say(&["man", "pages"]).ends(0);
    assert!(fs::read_to_string(desk.path("pages/darkroom-run.1")).expect("a page").contains("NODE.PARAM=VALUE"));
}

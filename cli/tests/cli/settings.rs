//! Values and seeds that are typed.

use crate::desk::{Desk, SHEET};

#[test]
fn set_understands_values_and_refuses_wrong_names() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    let args =
        ["run", "sheet.ron", "--set", "save.name=5", "--set", "grow.filter=\"nearest\"", "--set", "grow.factor=2"];
    assert!(desk.say(&args).ends(0).out.ends_with("5.png\n"));
    assert!(desk.say(&["run", "sheet.ron", "--set", "save.name=a quiet sea"]).ends(0).out.contains("a quiet sea"));
    let wrong = ["run", "sheet.ron", "--set", "gorw.factor=2", "--set", "grow.fctor=2", "--set", "nonsense"];
    let said = desk.say(&wrong).ends(2);
    assert!(said.err.contains("there is no node `gorw`\n  hint: did you mean `grow`?"), "{}", said.err);
    assert!(said.err.contains("`grow` (upscale) has no input `fctor`\n  hint: did you mean `factor`?"), "{}", said.err);
    assert!(said.err.contains("--set nonsense: this sets nothing") && said.err.contains("3 faults"), "{}", said.err);
    let said = desk.say(&["run", "sheet.ron", "--set", "grow.filter=blunt"]).ends(2);
    assert!(said.err.contains("at --set › grow (upscale) › filter\n  hint: choose one of lanczos"), "{}", said.err);
    let said = desk.say(&["run", "sheet.ron", "--set", "grow.factor=a lot"]).ends(2);
    assert!(said.err.contains("wanted a number, found a text \"a lot\""), "{}", said.err);
}

#[test]
fn seeds_are_set_drawn_and_told() {
    let desk = Desk::new();
    desk.graph("chance.ron", "\"chance\": (type: \"seed\", seed: \"random\"),");
    let report = |args: &[&str]| {
        let said = desk.say(&[&["run", "chance.ron", "--to", "chance", "--json"], args].concat()).ends(0);
        (said.json(), said.err)
    };
    let run = |args: &[&str]| report(args).0["seeds"].clone();
    let (told, err) = report(&[]);
    assert_eq!(told["results"][0]["values"][0]["literal"], told["seeds"]["chance.seed"]);
    assert!(err.contains(&format!("drawn for `chance.seed`: {}", told["seeds"]["chance.seed"])), "{err}");
    let (one, two) = (run(&[]), run(&[]));
    assert!(one["chance.seed"].is_u64() && one != two, "{one} and {two}");
    assert_eq!(run(&["--seed", "7"]), serde_json::json!({}));
    assert!(run(&["--seed", "random"])["--seed"].is_u64());
    assert_eq!(run(&["--set", "chance.seed=5"]), serde_json::json!({}));
    desk.say(&["run", "chance.ron", "--seed", "-1"]).ends(2);
}

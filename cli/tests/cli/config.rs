//! Settings: what was typed comes before the environment, that before `config.ron`, and those before what is usual.

use std::fs;

use serde_json::Value;

use crate::desk::{DRAWN, Desk, SHEET, Said};

/// A desk whose settings say this.
fn desk(settings: &str) -> Desk {
    let desk = Desk::new();
    fs::create_dir(desk.path("config")).expect("made");
    desk.write("config/config.ron", settings);
    desk.graph("sheet.ron", SHEET);
    desk
}

/// What the doctor tells of memory.
fn memory(desk: &Desk, args: &[&str], environment: &[(&str, &str)]) -> Value {
    let args = [&["doctor", "--json", "--offline"], args].concat();
    let mut command = desk.command(&args);
    let said = Said::of(command.envs(environment.iter().copied()).output().expect("the program starts"));
    let sections = said.ends(0).json()["sections"].clone();
    let sections = sections.as_array().expect("a list").clone();
    sections.into_iter().find(|section| section["name"] == "memory").expect("it is told")["facts"].clone()
}

#[test]
fn a_budget_is_told_with_who_says_so() {
    let desk = desk("(ram: \"1 GB\", reserve: \"10%\")");
    let file = desk.path("config/config.ron").display().to_string();
    let of = |facts: Value| {
        (facts["budget"].as_u64().expect("a number"), facts["ram_from"].as_str().expect("a text").to_owned())
    };
    let environment = [("DARKROOM_RAM", "0.5G")];
    assert_eq!(of(memory(&desk, &[], &[])), (1 << 30, file.clone()));
    assert_eq!(of(memory(&desk, &[], &environment)), (1 << 29, "DARKROOM_RAM".to_owned()));
    assert_eq!(of(memory(&desk, &["--ram", "256M"], &environment)), (1 << 28, "--ram".to_owned()));
    let reserve = |args: &[&str]| memory(&desk, args, &[])["reserve_from"].clone();
    assert_eq!((reserve(&[]), reserve(&["--reserve", "1G"])), (Value::from(file), Value::from("--reserve")));
    assert_eq!(of(memory(&Desk::new(), &[], &[])).1, "default");
}

#[test]
fn what_the_settings_say_holds_for_runs() {
    let desk = desk("(ram: \"1 MB\", quality: \"exact\")");
    desk.graph("drawn.ron", DRAWN);
    let plan = desk.say(&["explain", "drawn.ron", "--json"]).ends(0).json();
    assert!(plan["numerics"].as_str().is_some_and(|numerics| numerics.starts_with("cpu exact ")), "{plan}");
    let said = desk.say(&["run", "drawn.ron"]).ends(4);
    assert!(said.err.contains("1.0 MiB"), "{}", said.err);
    desk.say(&["run", "drawn.ron", "--ram", "80%"]).ends(0);
}

#[test]
fn wrong_settings_stop_a_run_with_their_place() {
    let desk = desk("(\n    qualty: \"fast\",\n)\n");
    let said = desk.say(&["run", "sheet.ron"]).ends(3);
    assert!(said.err.contains("error: there is no setting `qualty`"), "{}", said.err);
    assert!(said.err.contains("config.ron:2:5\n  hint: did you mean `quality`?"), "{}", said.err);
    desk.say(&["nodes"]).ends(0);
    let mut command = desk.command(&["run", "sheet.ron"]);
    command.env("DARKROOM_CONFIG", desk.path("other")).env("DARKROOM_RESERVE", "all of it");
    let said = Said::of(command.output().expect("the program starts")).ends(2);
    assert!(said.err.contains("DARKROOM_RESERVE: `all of it` is no amount of memory"), "{}", said.err);
}

//! How exactly networks compute: the option, the environment, and what is unknown there.

use darkroom_models::nn::Mode;

use crate::desk::{DRAWN, Desk, SHEET, Said};

/// A desk with a drawing, and what it is planned to be computed with.
fn planned(args: &[&str], environment: &[(&str, &str)]) -> String {
    let desk = Desk::new();
    desk.graph("drawn.ron", DRAWN);
    let args = [&["explain", "drawn.ron", "--json"], args].concat();
    let mut command = desk.command(&args);
    let said = Said::of(command.envs(environment.iter().copied()).output().expect("the program starts"));
    said.ends(0).json()["numerics"].as_str().expect("a text").to_owned()
}

#[test]
fn the_option_comes_before_the_environment_and_that_before_what_is_usual() {
    assert!(planned(&[], &[]).starts_with(&format!("cpu {} ", Mode::usual())));
    assert!(planned(&[], &[("DARKROOM_QUALITY", "")]).starts_with(&format!("cpu {} ", Mode::usual())));
    for mode in Mode::ALL.map(Mode::name) {
        assert!(planned(&[], &[("DARKROOM_QUALITY", mode)]).starts_with(&format!("cpu {mode} ")));
        let typed = planned(&["--quality", mode], &[("DARKROOM_QUALITY", "exact")]);
        assert!(typed.starts_with(&format!("cpu {mode} ")), "{typed}");
    }
}

#[test]
fn the_environment_hides_instructions() {
    assert_eq!(planned(&[], &[("DARKROOM_CPU", "portable")]), "cpu exact portable", "nothing there multiplies bf16");
    assert_eq!(planned(&["--quality", "fast"], &[("DARKROOM_CPU", "portable")]), "cpu fast portable");
}

#[test]
fn what_is_unknown_is_told_with_the_names_there_are() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    let said = desk.say(&["run", "sheet.ron", "--quality", "best"]).ends(2);
    assert!(said.err.contains("'best'") && said.err.contains("exact, fast, int8"), "{}", said.err);
    let told = |name: &str, words: [&str; 2]| {
        let mut command = desk.command(&["run", "sheet.ron", "--json"]);
        let said = Said::of(command.env(name, "best").output().expect("the program starts")).ends(2);
        assert!(words.iter().all(|words| said.err.contains(words)), "{}", said.err);
        assert_eq!(said.json()["exit"], 2);
    };
    let quality = "`DARKROOM_QUALITY` is `best`, which names no quality";
    told("DARKROOM_QUALITY", [quality, "set it to `exact`, `fast` or `int8`"]);
    let cpu = "`DARKROOM_CPU` is `best`, which names no set of instructions";
    told("DARKROOM_CPU", [cpu, "`avx512vnni` or `avx512bf16`"]);
}

#[test]
fn a_picture_of_one_quality_is_not_taken_for_that_of_another() {
    let desk = Desk::new();
    desk.graph("drawn.ron", DRAWN);
    let how = |quality: &str| {
        let report = desk.say(&["run", "drawn.ron", "--json", "--quality", quality]).ends(0).json();
        let nodes = report["nodes"].as_array().expect("a list").clone();
        let decode = nodes.into_iter().find(|node| node["id"] == "decode").expect("it is in the workflow");
        (decode["how"].clone(), decode["why"].clone())
    };
    assert_eq!(how("exact").0, "ran");
    let (fast, why) = how("fast");
    assert_eq!(fast, "ran", "{why}");
    let (exact, why) = how("exact");
    assert_ne!(exact, "ran", "{why}");
}

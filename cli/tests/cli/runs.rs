//! What a run prints, leaves and says of itself.

use std::fs;
use std::path::Path;

use crate::desk::{Desk, SHEET, Said};

#[test]
fn a_run_prints_paths_to_stdout_and_nothing_else() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    let first = desk.say(&["run", "sheet.ron"]).ends(0);
    assert_eq!(first.out, format!("{}\n", Path::new("output").join("sheet.png").display()));
    assert!(desk.path("output/sheet.png").is_file());
    assert!(first.err.contains("grow") && first.err.contains("new here"), "{}", first.err);
    assert!(first.err.contains("3 of 3 nodes ran"), "{}", first.err);

    let second = desk.say(&["run", "sheet.ron"]).ends(0);
    assert_eq!(second.out, first.out);
    assert!(
        second.err.contains("cached  nothing changed") && second.err.contains("0 of 3 nodes ran"),
        "{}",
        second.err
    );

    let third = desk.say(&["run", "sheet.ron", "--set", "grow.filter=nearest"]).ends(0);
    assert!(third.err.contains("`filter` changed") && third.err.contains("follows `grow`"), "{}", third.err);
    assert!(third.err.contains("2 of 3 nodes ran") && third.out.contains("sheet-2.png"), "{}", third.err);
    let fresh = desk.say(&["run", "sheet.ron", "--fresh"]).ends(0);
    assert!(fresh.err.contains("3 of 3 nodes ran") && fresh.err.contains("asked to run anew"), "{}", fresh.err);
    let part = desk.say(&["run", "sheet.ron", "--to", "grow"]).ends(0);
    assert_eq!(part.out, "");
    assert!(part.err.contains("grow: image 6×6"), "{}", part.err);
}

#[test]
fn a_picture_runs_as_the_workflow_that_made_it() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    let first = desk.say(&["run", "sheet.ron", "--set", "grow.factor=2"]).ends(0);
    let again = desk.say(&["run", "output/sheet.png"]).ends(0);
    assert_eq!(again.out, first.out);
    assert!(again.err.contains("0 of 3 nodes ran"), "{}", again.err);
    desk.say(&["check", "output/sheet.png"]).ends(0);
    let other = desk.say(&["run", "output/sheet.png", "--set", "save.name=other", "--out", "more"]).ends(0);
    assert_eq!(other.out, format!("{}\n", Path::new("more").join("other.png").display()));
    let bare = desk.say(&["run", "input/in.png"]).ends(3);
    assert!(bare.err.contains("carries no workflow") && bare.err.contains("hint: "), "{}", bare.err);
}

#[test]
fn the_log_of_the_last_session_tells_what_happened() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    desk.say(&["run", "sheet.ron"]).ends(0);
    let log = desk.log();
    for expected in [
        "darkroom 0.",
        "began 20",
        "run sheet.ron",
        "planned: 3 of 3 run",
        "started grow (upscale)",
        "ran grow in",
        "save wrote",
        "exit 0",
    ] {
        assert!(log.contains(expected), "{expected} in\n{log}");
    }
    desk.say(&["nodes"]).ends(0);
    assert_eq!(desk.log(), log, "only a run is a session");
    desk.say(&["run", "missing.ron"]).ends(3);
    assert!(desk.log().contains("missing.ron") && desk.log().contains("exit 3") && !desk.log().contains("exit 0"));
    assert_eq!(fs::read_dir(desk.path("state/reports")).expect("readable").count(), 1);
}

#[test]
fn row_37_folders_that_cannot_be_written_are_told_before_any_work() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    desk.write("file", "");
    let said = desk.say(&["run", "sheet.ron", "--out", "file/below"]).ends(3);
    assert!(
        said.err.contains("cannot write below") && said.err.contains("hint: name another folder with --out"),
        "{}",
        said.err
    );
    let run = |args: &[&str], cache: &str| {
        Said::of(desk.command(args).env("DARKROOM_CACHE", desk.path(cache)).output().expect("the program starts"))
    };
    let said = run(&["run", "sheet.ron"], "file").ends(3);
    assert!(said.err.contains("DARKROOM_CACHE") && said.err.contains("--no-cache-disk"), "{}", said.err);
    assert!(!desk.log().contains("started"), "{}", desk.log());
    assert!(!desk.path("output").exists());
    run(&["run", "sheet.ron", "--no-cache-disk"], "file").ends(0);
    run(&["cache", "ls"], "file").ends(3);
    let state = Said::of(
        desk.command(&["run", "sheet.ron"]).env("DARKROOM_STATE", desk.path("file")).output().expect("it starts"),
    );
    assert!(state.ends(0).err.contains("warning: there will be no log"));
}

#[test]
fn explain_tells_what_would_run_and_why() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    let before = desk.say(&["explain", "sheet.ron"]).ends(0);
    assert!(before.out.contains("grow  run  new here") && before.out.contains("3 of 3 nodes run"), "{}", before.out);
    assert!(!desk.path("output").exists() && !desk.path("state/reports").exists());
    desk.say(&["run", "sheet.ron"]).ends(0);
    let after = desk.say(&["explain", "sheet.ron"]).ends(0);
    assert!(after.out.contains("cached (disk)") && after.out.contains("0 of 3 nodes run"), "{}", after.out);
    let json = desk.say(&["explain", "sheet.ron", "--set", "grow.factor=2", "--json"]).ends(0).json();
    assert_eq!((&json["runs"], &json["nodes"][1]["why"]), (&2.into(), &"`factor` changed".into()));
}

//! Words from outside: they break no line, and tell no secret.

use std::fs;

use serde_json::Value;

use crate::desk::{DRAWN, Desk, SHEET, Said};

/// What a hostile author could put where a text may stand.
const HOSTILE: &str = "a\"b\\c\n{\"event\":\"x\"}\r\u{1b}[31m\u{202e}\u{2028}\u{0}\u{7f}é夜</script>";

#[test]
fn row_78_json_stays_json_whatever_the_strings() {
    let desk = Desk::new();
    let text =
        serde_json::to_string(HOSTILE).expect("a text").replace("\\u0000", "\\u{0}").replace("\\u001b", "\\u{1b}");
    let hostile = |nodes: &str| nodes.replace("HOSTILE", &text);
    let id = "a\"\u{202e}b";
    let words = "\"a\\\"\u{202e}b\": (type: \"text\", text: HOSTILE),";
    let save = SHEET.replace("name: \"sheet\"", "name: (from: \"a\\\"\u{202e}b\")");
    desk.graph("sheet.ron", &hostile(&format!("{words}{save}")));
    let report = desk.say(&["run", "sheet.ron", "--json", "--to", id]).ends(0).json();
    assert_eq!(report["results"][0]["values"][0]["literal"], HOSTILE);
    let events = desk.say(&["run", "sheet.ron", "--events"]).ends(0).json_lines();
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap_or_default()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"planned"), Some(&"report")), "{kinds:?}");
    assert!(["started", "finished", "wrote"].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    assert_eq!(desk.say(&["run", "sheet.ron"]).ends(0).out.lines().count(), 1);

    desk.graph(
        "wrong.ron",
        &hostile("\"a\": (type: HOSTILE, text: HOSTILE), \"b\": (type: \"upscale\", filter: HOSTILE),"),
    );
    for args in [["run", "wrong.ron", "--json"], ["run", "wrong.ron", "--events"], ["explain", "wrong.ron", "--json"]] {
        let said = desk.say(&[&args[..], &["--to", "b"]].concat()).ends(2);
        assert!(said.json_lines().iter().all(Value::is_object), "{}", said.out);
        assert!(said.json_lines().last().expect("a line")["faults"].as_array().is_some_and(|all| all.len() > 1));
        let unruly = said.err.chars().find(|letter| (letter.is_control() && *letter != '\n') || *letter == '\u{202e}');
        assert_eq!(unruly, None, "row 75: {:?}", said.err);
    }
    let (explain, manual) = (["explain", "sheet.ron", "--json"], ["nodes", "denoise", "--json"]);
    for args in
        [&explain[..], &["nodes", "--json"], &manual, &["cache", "ls", "--json"], &["check", "sheet.ron", "--json"]]
    {
        desk.say(args).ends(0).json();
    }
}

#[test]
fn row_75_a_log_line_is_one_line() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    desk.say(&["run", "sheet.ron", "--set", "grow.filter=a\nexit 0\u{1b}[2J\u{202e}"]).ends(2);
    let log = desk.log();
    assert!(log.contains("a\\nexit 0\\u{1b}[2J\\u{202e}"), "{log}");
    assert!(!log.contains(['\u{1b}', '\u{202e}']), "{log:?}");
    assert_eq!(log.lines().filter(|line| line.ends_with("  exit 2")).count(), 1, "{log}");
    assert!(!log.lines().any(|line| line.contains("  exit 0")), "{log}");
}

#[test]
fn row_76_a_secret_is_told_nowhere() {
    const CANARY: &str = "hf_canary_5f1d7c2e";
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    desk.graph("drawn.ron", DRAWN);
    let say = |args: &[&str]| {
        let command = &mut desk.command(args);
        command.env("HF_TOKEN", CANARY).env("MY_SECRET", "Bearer-XYZ-123").env("RUST_BACKTRACE", "full");
        let said = Said::of(command.output().expect("the program starts"));
        assert!(!said.out.contains(CANARY) && !said.err.contains(CANARY), "{}{}", said.out, said.err);
        for file in desk.files() {
            let text = String::from_utf8_lossy(&fs::read(&file).expect("readable")).into_owned();
            assert!(!text.contains(CANARY) && !text.contains("Bearer-XYZ-123"), "{}", file.display());
        }
        said
    };
    say(&["run", "sheet.ron", "--events"]).ends(0);
    say(&["run", "drawn.ron", "--ram", "1K"]).ends(4);
    say(&["run", "sheet.ron", "--json", "--set", &format!("grow.filter={CANARY}")]).ends(2);
    assert!(desk.log().contains("grow.filter=[secret]"), "{}", desk.log());
    say(&["run", "sheet.ron", "--json", "--set", &format!("load.file=https://me:{CANARY}@example.org/a.png")]).ends(3);
    say(&["run", &format!("{CANARY}.ron")]).ends(3);
    say(&["run", "sheet.ron", "--to", "Bearer-XYZ-123"]).ends(2);
}

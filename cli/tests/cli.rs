//! The real program, from outside: what it prints where, what it leaves, and with which code it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A folder of one's own, with folders for cache, state and output in it.
struct Desk(TempDir);

/// What the program said and how it ended.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).expect("writable");
        self.path(name)
    }

    /// Writes a workflow of the given nodes.
    fn graph(&self, name: &str, nodes: &str) -> PathBuf {
        self.write(name, &format!("(\n    darkroom: 1,\n    nodes: {{\n{nodes}    }},\n)\n"))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_darkroom"));
        command.args(args).current_dir(self.0.path()).stdin(Stdio::null());
        command.env("DARKROOM_CACHE", self.path("cache")).env("DARKROOM_STATE", self.path("state"));
        command
    }

    fn say(&self, args: &[&str]) -> Said {
        Said::of(self.command(args).output().expect("the program starts"))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("state/reports/last_session.log")).expect("there is a log")
    }

    /// Every file below the folder.
    fn files(&self) -> Vec<PathBuf> {
        let (mut files, mut folders) = (Vec::new(), vec![self.0.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("readable") {
                let path = entry.expect("readable").path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program speaks UTF-8");
        Self {
            code: output.status.code().expect("it ended by itself"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// Holds it against a code; shows all that was said if it is another.
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    fn json(&self) -> Value {
        let mut lines = self.json_lines();
        assert_eq!(lines.len(), 1, "one object on one line: {}", self.out);
        lines.remove(0)
    }

    fn json_lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

const SHEET: &str = r#"
        "words": (type: "shout", text: "a serene landscape"),
        "save": (type: "press", text: (from: "words"), name: "sheet.txt"),
"#;

const FOREVER: &str = r#"
        "wait": (type: "linger", steps: 100000, pause: 20, every: 5),
        "words": (type: "sprout", leaf: (from: "wait")),
        "save": (type: "press", text: (from: "words")),
"#;

#[test]
fn a_run_prints_paths_to_stdout_and_nothing_else() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    let first = desk.say(&["run", "sheet.ron"]).ends(0);
    let path = Path::new("output").join("sheet.txt");
    assert_eq!(first.out, format!("{}\n", path.display()));
    assert_eq!(fs::read_to_string(desk.path("output/sheet.txt")).expect("it was written"), "A SERENE LANDSCAPE");
    assert!(first.err.contains("words") && first.err.contains("new here"), "{}", first.err);
    assert!(first.err.contains("2 of 2 nodes ran"), "{}", first.err);

    let second = desk.say(&["run", "sheet.ron"]).ends(0);
    assert_eq!(second.out, first.out);
    assert!(
        second.err.contains("cached  nothing changed") && second.err.contains("0 of 2 nodes ran"),
        "{}",
        second.err
    );

    let third = desk.say(&["run", "sheet.ron", "--set", "words.text=a quiet sea"]).ends(0);
    assert!(third.err.contains("`text` changed") && third.err.contains("follows `words`"), "{}", third.err);
    let fresh = desk.say(&["run", "sheet.ron", "--fresh"]).ends(0);
    assert!(fresh.err.contains("2 of 2 nodes ran") && fresh.err.contains("asked to run anew"), "{}", fresh.err);
    let part = desk.say(&["run", "sheet.ron", "--to", "words"]).ends(0);
    assert_eq!(part.out, "");
    assert!(part.err.contains("words: text \"A SERENE LANDSCAPE\""), "{}", part.err);
}

#[test]
fn every_kind_of_fault_has_its_code() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    desk.graph("spoil.ron", "\"tray\": (type: \"spoil\", how: \"panic\"),");
    desk.graph("ink.ron", "\"ink\": (type: \"ink\", bytes: 1000000), \"leaf\": (type: \"grow\"),\n\"print\": (type: \"stamp\", ink: (from: \"ink\"), leaf: (from: \"leaf\")),");
    desk.say(&["check", "sheet.ron"]).ends(0);
    let bug = desk.say(&["run", "spoil.ron", "--to", "tray"]).ends(1);
    assert!(
        bug.err.contains("this node broke off: the tray fell over") && bug.err.contains("tray (spoil)"),
        "{}",
        bug.err
    );
    assert!(!bug.err.contains("panicked at"), "{}", bug.err);
    desk.say(&["run", "sheet.ron", "--to", "wrods"]).ends(2);
    desk.say(&["run", "sheet.ron", "--no-such-flag"]).ends(2);
    desk.say(&["run"]).ends(2);
    desk.say(&["nodes", "shoot"]).ends(2);
    desk.say(&["run", "missing.ron"]).ends(3);
    desk.say(&["run", "spoil.ron", "--to", "tray", "--set", "tray.how=fault"]).ends(3);
    desk.say(&["run", "sheet.ron", "--allow", "nowhere"]).ends(3);
    let memory = desk.say(&["run", "ink.ron", "--to", "print", "--ram", "1K"]).ends(4);
    assert!(memory.err.contains("black ink needs 976.6 KiB") && memory.err.contains("--ram"), "{}", memory.err);
    desk.say(&["run", "spoil.ron", "--to", "tray", "--set", "tray.how=nan"]).ends(5);
    let help = desk.say(&["--help"]).ends(0).out;
    assert!(
        ["  0  ", "  1  ", "  2  ", "  3  ", "  4  ", "  5  ", "130  "].iter().all(|code| help.contains(code)),
        "{help}"
    );
}

#[test]
fn check_shows_five_faults_at_once_with_their_places() {
    let desk = Desk::new();
    desk.graph(
        "five.ron",
        r#"        "words": (type: "shuot", text: "a"),
        "leaf": (type: "grow", size: 0),
        "again": (type: "sprout", leaf: (from: "laef")),
        "say": (type: "shout", txt: "a", text: "b"),
        "save": (type: "press", text: (from: "leaf")),
"#,
    );
    let said = desk.say(&["check", "five.ron"]).ends(2);
    assert_eq!(said.out, "");
    for expected in [
        "error: there is no node type `shuot`\n  at five.ron:4:9 › words (shuot) › type\n  hint: did you mean `shout`?",
        "error: 0 is out of range\n  at five.ron:5:32 › leaf (grow) › size\n  hint: give a whole number from 1 to 1000000",
        "error: there is no node `laef` to take `leaf` from\n  at five.ron:6:36 › again (sprout) › leaf\n  hint: did you mean",
        "error: `shout` has no input `txt`\n  at five.ron:7:32 › say (shout) › txt\n  hint: did you mean `text`?",
        "error: `save.text` (press) takes `text`, and `leaf` (grow) gives `leaf`\n  at five.ron:8:33 › save (press) › text",
    ] {
        assert!(said.err.contains(expected), "{expected}\n\nin\n{}", said.err);
    }
    assert!(said.err.ends_with("5 faults\n"), "{}", said.err);
    let json = desk.say(&["check", "five.ron", "--json"]).ends(2).json();
    assert_eq!((json["ok"].as_bool(), json["exit"].as_u64()), (Some(false), Some(2)));
    assert_eq!(json["faults"].as_array().map(Vec::len), Some(5));
    assert_eq!((&json["faults"][0]["node"], &json["faults"][0]["line"]), (&"words".into(), &4.into()));
    assert_eq!(desk.files().len(), 1, "a check touches nothing: {:?}", desk.files());
}

#[test]
fn set_understands_values_and_refuses_wrong_names() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    desk.say(&["run", "sheet.ron", "--set", "words.text=5", "--set", "save.name=\"five.txt\""]).ends(0);
    assert_eq!(fs::read_to_string(desk.path("output/five.txt")).expect("it was written"), "5");
    let wrong = ["run", "sheet.ron", "--set", "wodrs.text=a", "--set", "words.txt=a", "--set", "nonsense"];
    let said = desk.say(&wrong).ends(2);
    assert!(said.err.contains("there is no node `wodrs`\n  hint: did you mean `words`?"), "{}", said.err);
    assert!(said.err.contains("`words` (shout) has no input `txt`\n  hint: did you mean `text`?"), "{}", said.err);
    assert!(said.err.contains("--set nonsense: this sets nothing") && said.err.contains("3 faults"), "{}", said.err);
    let said = desk.say(&["run", "sheet.ron", "--set", "words.loudness=louder"]).ends(2);
    assert!(
        said.err.contains("at --set › words (shout) › loudness\n  hint: choose one of loud, plain"),
        "{}",
        said.err
    );
}

#[test]
fn seeds_are_set_drawn_and_told() {
    let desk = Desk::new();
    desk.graph("leaf.ron", "\"leaf\": (type: \"grow\", size: 1, seed: \"random\"),");
    let run = |args: &[&str]| {
        let said = desk.say(&[&["run", "leaf.ron", "--to", "leaf", "--json"], args].concat()).ends(0);
        said.json()["seeds"].clone()
    };
    let (one, two) = (run(&[]), run(&[]));
    assert!(one["leaf.seed"].is_u64() && one != two, "{one} and {two}");
    assert_eq!(run(&["--seed", "7"]), serde_json::json!({}));
    assert!(run(&["--seed", "random"])["--seed"].is_u64());
    assert_eq!(run(&["--set", "leaf.seed=5"]), serde_json::json!({}));
    desk.say(&["run", "leaf.ron", "--seed", "-1"]).ends(2);
}

/// What a hostile author could put where a text may stand.
const HOSTILE: &str = "a\"b\\c\n{\"event\":\"x\"}\r\u{1b}[31m\u{202e}\u{2028}\u{0}\u{7f}é夜</script>";

#[test]
fn row_78_json_stays_json_whatever_the_strings() {
    let desk = Desk::new();
    let text =
        serde_json::to_string(HOSTILE).expect("a text").replace("\\u0000", "\\u{0}").replace("\\u001b", "\\u{1b}");
    let sheet = |nodes: &str| nodes.replace("HOSTILE", &text);
    desk.graph("sheet.ron", &sheet("\"a\\\"\u{202e}b\": (type: \"shout\", text: HOSTILE, loudness: \"plain\"), \"s\": (type: \"press\", text: (from: \"a\\\"\u{202e}b\")),"));
    let report = desk.say(&["run", "sheet.ron", "--json", "--to", "a\"\u{202e}b"]).ends(0).json();
    assert_eq!(report["results"][0]["values"][0]["literal"], HOSTILE);
    let events = desk.say(&["run", "sheet.ron", "--events", "--fresh"]).ends(0).json_lines();
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap_or_default()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"planned"), Some(&"report")), "{kinds:?}");
    assert!(["started", "finished", "wrote"].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    assert!(events.iter().any(|event| event["node"] == "a\"\u{202e}b"));

    desk.graph(
        "wrong.ron",
        &sheet("\"a\": (type: HOSTILE, text: HOSTILE), \"b\": (type: \"shout\", loudness: HOSTILE),"),
    );
    for args in [["run", "wrong.ron", "--json"], ["run", "wrong.ron", "--events"], ["explain", "wrong.ron", "--json"]] {
        let said = desk.say(&args).ends(2);
        assert!(said.json_lines().iter().all(Value::is_object), "{}", said.out);
        assert!(said.json_lines().last().expect("a line")["faults"].as_array().is_some_and(|all| all.len() > 1));
        let unruly = said.err.chars().find(|letter| (letter.is_control() && *letter != '\n') || *letter == '\u{202e}');
        assert_eq!(unruly, None, "row 75: {:?}", said.err);
    }
    for args in [
        &["explain", "sheet.ron", "--json"][..],
        &["nodes", "--json"],
        &["nodes", "grow", "--json"],
        &["cache", "ls", "--json"],
        &["check", "sheet.ron", "--json"],
    ] {
        desk.say(args).ends(0).json();
    }
}

#[test]
fn row_75_a_log_line_is_one_line() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    desk.say(&["run", "sheet.ron", "--set", "words.loudness=a\nexit 0\u{1b}[2J\u{202e}"]).ends(2);
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
    desk.graph("spoil.ron", "\"tray\": (type: \"spoil\"),");
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
    say(&["run", "spoil.ron", "--to", "tray", "--set", "tray.how=panic"]).ends(1);
    say(&["run", "sheet.ron", "--json", "--set", &format!("words.loudness={CANARY}")]).ends(2);
    assert!(desk.log().contains("words.loudness=[secret]"), "{}", desk.log());
    say(&["run", &format!("{CANARY}.ron")]).ends(3);
    say(&["run", "sheet.ron", "--to", "Bearer-XYZ-123"]).ends(2);
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
        "planned: 2 of 2 run",
        "started words (shout)",
        "ran words in",
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
        said.err.contains("cannot write below") && said.err.contains("hint: choose another folder"),
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
    assert!(before.out.contains("words  run  new here") && before.out.contains("2 of 2 nodes run"), "{}", before.out);
    assert!(!desk.path("output").exists() && !desk.path("state/reports").exists());
    desk.say(&["run", "sheet.ron"]).ends(0);
    let after = desk.say(&["explain", "sheet.ron"]).ends(0);
    assert!(after.out.contains("cached (disk)") && after.out.contains("0 of 2 nodes run"), "{}", after.out);
    let json = desk.say(&["explain", "sheet.ron", "--set", "words.text=b", "--json"]).ends(0).json();
    assert_eq!((&json["runs"], &json["nodes"][0]["why"]), (&2.into(), &"`text` changed".into()));
}

#[test]
fn the_cache_is_listed_collected_verified_and_cleared() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    desk.say(&["run", "sheet.ron"]).ends(0);
    let listed = desk.say(&["cache", "ls"]).ends(0);
    assert_eq!(listed.out.lines().count(), 2, "{}", listed.out);
    assert!(listed.out.contains("shout") && listed.err.contains("2 results"), "{}{}", listed.out, listed.err);
    assert_eq!(desk.say(&["cache", "ls", "--json"]).ends(0).json()["entries"].as_array().map(Vec::len), Some(2));
    assert_eq!(desk.say(&["cache", "verify"]).ends(0).out, "2 results are good\n");
    desk.say(&["cache", "gc"]).ends(0);
    let cleared = desk.say(&["cache", "clear", "--json"]).ends(0).json();
    assert_eq!(cleared["cleared"]["entries"], 2);
    assert_eq!(desk.say(&["cache", "ls"]).ends(0).out, "");
    let again = desk.say(&["run", "sheet.ron"]).ends(0);
    assert!(again.err.contains("the cache was cleared"), "{}", again.err);
    let entry = desk.files().into_iter().find(|file| file.extension().is_some_and(|end| end == "safetensors"));
    let entry = entry.expect("an entry is a file");
    let mut bytes = fs::read(&entry).expect("readable");
    *bytes.last_mut().expect("it has content") ^= 1;
    fs::write(&entry, bytes).expect("writable");
    assert!(desk.say(&["cache", "verify"]).ends(3).err.contains("is damaged"));
    desk.say(&["run", "sheet.ron"]).ends(0);
}

#[test]
fn the_reference_comes_from_the_specs() {
    let desk = Desk::new();
    let table = desk.say(&["nodes"]).ends(0).out;
    assert!(table.contains("Toys\n") && table.contains("grow"), "{table}");
    let manual = desk.say(&["nodes", "grow"]).ends(0).out;
    assert!(manual.contains("size: integer, default 4 numbers, from 1 to 1000000 numbers"), "{manual}");
    let all = desk.say(&["nodes", "--json"]).ends(0).json();
    assert!(all.as_array().is_some_and(|all| all.iter().any(|node| node["type"] == "grow")));
    assert!(desk.say(&["nodes", "gorw"]).ends(2).err.contains("did you mean `grow`?"));
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

#[cfg(unix)]
#[test]
fn row_64_ctrl_c_stops_within_a_second_and_leaves_nothing_half_written() {
    let desk = Desk::new();
    desk.graph("forever.ron", FOREVER);
    let mut child = desk.command(&["run", "forever.ron"]);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let pid = rustix::process::Pid::from_child(&child);
    let begun = Instant::now();
    while !fs::read_to_string(desk.path("state/reports/last_session.log")).is_ok_and(|log| log.contains("started wait"))
    {
        assert!(begun.elapsed() < Duration::from_secs(30), "the run begins");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    let asked = Instant::now();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    let said = Said::of(child.wait_with_output().expect("it ends")).ends(130);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert_eq!(said.out, "");
    assert!(
        said.err.contains("stopping; press Ctrl-C again") && said.err.contains("stopped at `wait`"),
        "{}",
        said.err
    );
    assert!(!desk.path("output").exists());
    let half: Vec<_> = desk.files().into_iter().filter(|file| file.to_string_lossy().ends_with(".tmp")).collect();
    assert!(half.is_empty(), "{half:?}");
    desk.say(&["cache", "verify"]).ends(0);
}

#[test]
fn a_reader_that_leaves_is_no_fault() {
    let desk = Desk::new();
    let mut child = desk.command(&["nodes", "--json"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    drop(child.stdout.take());
    let said = Said::of(child.wait_with_output().expect("it ends")).ends(0);
    assert_eq!(said.err, "");
}

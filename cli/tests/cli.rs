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

/// A PNG of two by two pixels, without a workflow.
const PICTURE: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x02\0\0\0\x02\x08\x02\0\0\0\xfd\xd4\x9as\0\0\0\x12IDATx\xda\
    c\xf8\xcf\xc0\xc0\0\xc2\x0c\xff\x81\0\0\x1f\xee\x05\xfb\xf1\xab\xbaw\0\0\0\0IEND\xaeB`\x82";

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(desk.path("input")).expect("writable");
        fs::write(desk.path("input/in.png"), PICTURE).expect("writable");
        desk
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

/// Quick work: a picture of two by two pixels, made larger.
const SHEET: &str = r#"
        "load": (type: "load_image", file: "in.png"),
        "grow": (type: "upscale", image: (from: "load"), factor: 3.0, filter: "box"),
        "save": (type: "save_image", image: (from: "grow"), name: "sheet"),
"#;

/// Work with the model that is built in, on a small picture.
const DRAWN: &str = r#"
        "model": (type: "load_model", source: "mini"),
        "prompt": (type: "encode_prompt", encoder: (from: "model.encoder"), text: "a lake at noon"),
        "blank": (type: "empty_latent", width: 64, height: 64),
        "denoise": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"),
            latent: (from: "blank"), steps: 1, seed: 7),
        "decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "denoise")),
        "save": (type: "save_image", image: (from: "decode"), name: "drawn"),
"#;

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

fn copy(from: &Path, to: &Path) {
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
    assert!(before.out.contains("grow  run  new here") && before.out.contains("3 of 3 nodes run"), "{}", before.out);
    assert!(!desk.path("output").exists() && !desk.path("state/reports").exists());
    desk.say(&["run", "sheet.ron"]).ends(0);
    let after = desk.say(&["explain", "sheet.ron"]).ends(0);
    assert!(after.out.contains("cached (disk)") && after.out.contains("0 of 3 nodes run"), "{}", after.out);
    let json = desk.say(&["explain", "sheet.ron", "--set", "grow.factor=2", "--json"]).ends(0).json();
    assert_eq!((&json["runs"], &json["nodes"][1]["why"]), (&2.into(), &"`factor` changed".into()));
}

#[test]
fn the_cache_is_listed_collected_verified_and_cleared() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    desk.say(&["run", "sheet.ron"]).ends(0);
    let listed = desk.say(&["cache", "ls"]).ends(0);
    assert_eq!(listed.out.lines().count(), 3, "{}", listed.out);
    assert!(listed.out.contains("upscale") && listed.err.contains("3 results"), "{}{}", listed.out, listed.err);
    assert_eq!(desk.say(&["cache", "ls", "--json"]).ends(0).json()["entries"].as_array().map(Vec::len), Some(3));
    assert_eq!(desk.say(&["cache", "verify"]).ends(0).out, "3 results are good\n");
    desk.say(&["cache", "gc"]).ends(0);
    let cleared = desk.say(&["cache", "clear", "--json"]).ends(0).json();
    assert_eq!(cleared["cleared"]["entries"], 3);
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
    let told = |line: &str| line.starts_with("  upscale ") && line.ends_with(" Brings pictures to another size");
    assert!(table.contains("Image\n") && table.lines().any(told), "{table}");
    let manual = desk.say(&["nodes", "save_image"]).ends(0).out;
    assert!(manual.contains("  quality: integer, default 92, from 1 to 100\n      Quality of a JPEG.\n"), "{manual}");
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

/// The picture of two by two pixels with a text in it, as other programs write it.
fn with_text(name: &str, text: &str) -> Vec<u8> {
    let chunk = [b"tEXt", name.as_bytes(), b"\0", text.as_bytes()].concat();
    let mut crc = u32::MAX;
    for byte in &chunk {
        crc ^= u32::from(*byte);
        (0..8).for_each(|_| crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1)));
    }
    let length = (chunk.len() as u32 - 4).to_be_bytes();
    // After the signature and the header.
    let (head, tail) = PICTURE.split_at(33);
    [head, &length, &chunk, &(!crc).to_be_bytes(), tail].concat()
}

#[test]
fn a_picture_of_another_program_is_told_and_made_a_workflow_of() {
    let desk = Desk::new();
    let text = "a (lake:1.2) at noon\nNegative prompt: snow\n\
        Steps: 3, Sampler: DPM++ 2M Karras, CFG scale: 4.5, Seed: 11, Size: 64x64, Model: other, Hires steps: 2";
    fs::write(desk.path("a1111.png"), with_text("parameters", text)).expect("writable");
    fs::write(desk.path("comfyui.png"), with_text("prompt", "{\"3\": {}}")).expect("writable");
    for command in ["run", "check", "explain"] {
        let told = desk.say(&[command, "a1111.png"]).ends(3).err;
        assert!(told.contains("parameters of A1111") && told.contains("init --from a1111.png"), "{told}");
        let told = desk.say(&[command, "comfyui.png"]).ends(3).err;
        assert!(told.contains("a workflow of ComfyUI") && told.contains("hint: "), "{told}");
    }
    let made = desk.say(&["init", "--from", "a1111.png", "again.ron"]).ends(0);
    assert_eq!(made.out, "again.ron\n");
    assert!(
        made.err.contains("warning: ") && made.err.contains("`other`") && made.err.contains("`Hires steps: 2`"),
        "{}",
        made.err
    );
    desk.say(&["check", "again.ron"]).ends(0);
    desk.say(&["run", "again.ron"]).ends(0);
    // What was drawn of it carries its own workflow, and that is what comes back.
    let back = desk.say(&["init", "--from", "output/again.png", "back.ron"]).ends(0);
    assert!(!back.err.contains("warning"), "{}", back.err);
    assert_eq!(fs::read_to_string(desk.path("back.ron")).ok(), fs::read_to_string(desk.path("again.ron")).ok());
    desk.say(&["init", "--from", "comfyui.png", "c.ron"]).ends(3);
    desk.say(&["init", "--from", "input/in.png", "c.ron"]).ends(3);
    assert!(!desk.path("c.ron").exists());
}

#[cfg(unix)]
#[test]
fn row_64_ctrl_c_stops_within_a_second_and_leaves_nothing_half_written() {
    let desk = Desk::new();
    desk.graph("forever.ron", &DRAWN.replace("64", "256").replace("steps: 1", "steps: 1000"));
    let mut child = desk.command(&["run", "forever.ron"]);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let pid = rustix::process::Pid::from_child(&child);
    let begun = Instant::now();
    while !fs::read_to_string(desk.path("state/reports/last_session.log"))
        .is_ok_and(|log| log.contains("started denoise"))
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
        said.err.contains("stopping; press Ctrl-C again") && said.err.contains("stopped at `denoise`"),
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

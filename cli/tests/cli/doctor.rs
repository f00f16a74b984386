//! `darkroom doctor` from outside: what it tells of this machine, and with which code it ends.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::desk::{Desk, Said};
use crate::server::{Server, dead_endpoint};

/// A desk with models, a cache of the hub, and a hub.
struct Practice {
    desk: Desk,
    endpoint: String,
}

impl Practice {
    fn new() -> Self {
        Self { desk: Desk::new(), endpoint: Server::new(&[]).endpoint() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.desk.command(&[&["doctor"], args].concat());
        for name in ["HF_HUB_OFFLINE", "HF_TOKEN", "HF_HOME", "HUGGINGFACE_HUB_CACHE", "DARKROOM_MODELS"] {
            command.env_remove(name);
        }
        command.env("HF_ENDPOINT", &self.endpoint).env("HF_HUB_CACHE", self.desk.path("hub"));
        command.env("XDG_DATA_HOME", self.desk.path("data"));
        command
    }

    fn say(&self, args: &[&str], environment: &[(&str, &str)]) -> Said {
        Said::of(self.command(args).envs(environment.iter().copied()).output().expect("the program starts"))
    }
}

fn section<'v>(told: &'v Value, name: &str) -> &'v Value {
    let sections = told["sections"].as_array().expect("a list");
    sections.iter().find(|section| section["name"] == name).expect(name)
}

/// What is said with a verdict, in a section.
fn said(told: &Value, name: &str, verdict: &str) -> Vec<String> {
    let findings = section(told, name)["findings"].as_array().expect("a list");
    let findings = findings.iter().filter(|finding| finding["verdict"] == verdict);
    findings.map(|finding| finding["says"].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn a_sound_machine_has_no_trouble_and_nothing_is_left_on_it() {
    let practice = Practice::new();
    let before = practice.desk.files();
    let text = practice.say(&[], &[]).ends(0);
    for part in ["settings\n", "\nprocessor\n  ", "\nmemory\n", "\ngraphics\n", "\nfolders\n", "\nhub\n", "\nmodels\n"]
    {
        assert!(text.out.contains(part), "{part:?} in {}", text.out);
    }
    assert!(!text.out.contains("  trouble  "), "{}", text.out);
    let told = practice.say(&["--json"], &[]).ends(0).json();
    assert_eq!((&told["ok"], &told["exit"]), (&Value::from(true), &Value::from(0)));
    assert!(section(&told, "memory")["facts"]["budget"].as_u64().is_some_and(|bytes| bytes > 0), "{told}");
    assert!(section(&told, "folders")["facts"]["reading"]["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{told}");
    assert_eq!(section(&told, "hub")["facts"]["reached"], true);
    let built_in = &section(&told, "models")["facts"]["models"][0];
    assert_eq!((&built_in["name"], &built_in["pictures"][0]["fits"]), (&Value::from("mini"), &Value::from("whole")));
    assert_eq!(practice.desk.files(), before);
}

#[test]
fn row_37_folders_that_cannot_be_written_are_trouble_with_a_way_out() {
    let practice = Practice::new();
    practice.desk.write("file", "");
    let blocked = practice.desk.path("file/below").display().to_string();
    let text = practice.say(&["--out", "file/out"], &[("DARKROOM_CACHE", &blocked)]).ends(3);
    assert!(text.err.contains("error: 2 things are in trouble"), "{}", text.err);
    assert!(text.out.contains("way out: name another folder with --out"), "{}", text.out);
    let told = practice.say(&["--json"], &[("DARKROOM_CACHE", &blocked)]).ends(3).json();
    assert_eq!((&told["ok"], &told["exit"]), (&Value::from(false), &Value::from(3)));
    assert_eq!(said(&told, "folders", "trouble").len(), 1, "{told}");
    let without = practice.say(&["--no-cache-disk"], &[("DARKROOM_CACHE", &blocked)]);
    without.ends(0);
    let state = practice.say(&["--json"], &[("DARKROOM_STATE", &blocked)]).ends(0).json();
    assert!(said(&state, "folders", "note").iter().any(|says| says.contains("is a file")), "{state}");
}

#[test]
fn the_hub_is_asked_only_where_the_network_may_be_used() {
    let practice = Practice { endpoint: dead_endpoint(), ..Practice::new() };
    let told = practice.say(&["--json"], &[]).ends(0).json();
    assert!(said(&told, "hub", "note")[0].contains("cannot be reached"), "{told}");
    for (args, environment) in [(&["--json", "--offline"][..], &[][..]), (&["--json"], &[("HF_HUB_OFFLINE", "1")])] {
        let told = practice.say(args, environment).ends(0).json();
        assert!(said(&told, "hub", "ok")[0].contains("is not asked"), "{told}");
        assert_eq!(section(&told, "hub")["facts"]["reached"], Value::Null);
    }
}

#[test]
fn what_stops_every_run_is_told_among_the_rest() {
    let practice = Practice::new();
    fs::create_dir(practice.desk.path("config")).expect("made");
    practice.desk.write("config/config.ron", "(\n    rom: \"4 GB\",\n)\n");
    let environment = [("DARKROOM_CPU", "abacus"), ("DARKROOM_QUALITY", "best"), ("HF_ENDPOINT", "nowhere")];
    let told = practice.say(&["--json"], &environment).ends(3).json();
    let settings = &section(&told, "settings")["findings"][0];
    assert!(settings["says"].as_str().is_some_and(|says| says.ends_with("config.ron:2:5: there is no setting `rom`")));
    assert_eq!(settings["way_out"], "did you mean `ram`?");
    assert_eq!(said(&told, "processor", "trouble").len(), 2, "{told}");
    assert_eq!(said(&told, "hub", "trouble"), ["HF_ENDPOINT cannot be used: it is no http or https address"]);
}

#[test]
fn models_are_told_with_what_they_are() {
    let practice = Practice::new();
    let folder = practice.desk.path("data/darkroom/models/checkpoints");
    fs::create_dir_all(&folder).expect("made");
    fs::write(folder.join("broken.safetensors"), "no header").expect("written");
    let absent = practice.desk.path("absent").display().to_string();
    let told = practice.say(&["--json", "--offline"], &[("DARKROOM_MODELS", &absent)]).ends(0).json();
    let notes = said(&told, "models", "note");
    assert!(notes.iter().any(|says| says.starts_with("`checkpoints/broken.safetensors` is unknown: ")), "{notes:?}");
    assert!(said(&told, "folders", "note").iter().any(|says| says.contains("absent")), "{told}");
}

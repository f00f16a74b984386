//! Pulls from a hub that is played on this machine: one address, and all that a workflow names.

use std::fs;
use std::process::Command;

use crate::desk::{Desk, PICTURE, SHEET, Said};
use crate::server::{COMMIT, Server, dead_endpoint, noise};

const ADDRESS: &str = "hub://o/n/pictures/in.png";

/// A hub, a desk with a workflow that takes its picture from there, and nothing in the cache.
struct Shop {
    server: Server,
    desk: Desk,
}

impl Shop {
    fn new() -> Self {
        let server = Server::new(&[("pictures/in.png", PICTURE.to_vec()), ("large.bin", noise(5000, 3))]);
        let desk = Desk::new();
        desk.graph("sheet.ron", &SHEET.replace("\"in.png\"", &format!("{ADDRESS:?}")));
        Self { server, desk }
    }

    fn command(&self, args: &[&str], endpoint: &str) -> Command {
        let mut command = self.desk.command(args);
        for name in ["HF_HUB_OFFLINE", "HF_TOKEN", "HF_HOME", "HUGGINGFACE_HUB_CACHE", "DARKROOM_MODELS"] {
            command.env_remove(name);
        }
        command.env("HF_ENDPOINT", endpoint).env("HF_HUB_CACHE", self.desk.path("hub"));
        command
    }

    fn say(&self, args: &[&str]) -> Said {
        Said::of(self.command(args, &self.server.endpoint()).output().expect("the program starts"))
    }

    fn say_without_network(&self, args: &[&str]) -> Said {
        Said::of(self.command(args, &dead_endpoint()).output().expect("the program starts"))
    }

    fn pulled(&self) -> String {
        let path = self.desk.path("hub/models--o--n/snapshots").join(COMMIT).join("pictures/in.png");
        format!("{}\n", path.display())
    }
}

#[test]
fn a_pull_fetches_and_prints_where_it_is() {
    let shop = Shop::new();
    let dry = shop.say(&["models", "pull", "hub://o/n/large.bin", "--dry-run"]).ends(0);
    assert!(
        dry.out.contains("5.0 kB  missing") && dry.err.contains("1 of 1 files are missing"),
        "{}{}",
        dry.out,
        dry.err
    );
    let said = shop.say(&["models", "pull", ADDRESS]).ends(0);
    assert_eq!(said.out, shop.pulled());
    assert_eq!(fs::read(said.out.trim_end()).expect("there"), PICTURE);
    assert!(shop.say(&["models", "pull", "hub://o/n/none.bin"]).ends(3).err.contains("the hub has no"));
}

#[test]
fn a_workflow_says_how_to_pull_what_it_lacks_and_a_pull_of_it_does() {
    let shop = Shop::new();
    let lacks = shop.say(&["run", "sheet.ron"]).ends(3);
    assert!(lacks.err.contains("`darkroom models pull sheet.ron`, or run it with --pull"), "{}", lacks.err);
    let dry = shop.say(&["models", "pull", "sheet.ron", "--dry-run"]).ends(0);
    assert!(dry.out.starts_with(&format!("{ADDRESS}\n")) && dry.out.contains("missing"), "{}", dry.out);
    assert!(!shop.desk.path("hub/models--o--n/blobs").exists(), "it only looked");
    assert_eq!(shop.say(&["models", "pull", "sheet.ron"]).ends(0).out, shop.pulled());
    let again = shop.say(&["models", "pull", "sheet.ron", "--json"]).ends(0).json();
    assert_eq!(again["models"], serde_json::json!([]));
    shop.say_without_network(&["run", "sheet.ron"]).ends(0);
    shop.say(&["models", "pull", "none.ron"]).ends(3);
}

#[test]
fn a_run_pulls_first_if_it_is_told_to() {
    let shop = Shop::new();
    let said = shop.say(&["run", "sheet.ron", "--pull"]).ends(0);
    assert!(said.err.contains("pictures/in.png") && said.out.ends_with("sheet.png\n"), "{}{}", said.out, said.err);
}

#[test]
fn what_is_here_is_pulled_without_the_network_with_one_warning() {
    let shop = Shop::new();
    shop.say(&["models", "pull", ADDRESS]).ends(0);
    let said = shop.say_without_network(&["models", "pull", ADDRESS]).ends(0);
    assert_eq!(said.out, shop.pulled());
    assert_eq!(said.err.matches("warning: ").count(), 1, "{}", said.err);
    assert!(said.err.contains("the hub cannot be reached (") && said.err.contains(&COMMIT[..12]), "{}", said.err);
}

#[test]
fn what_is_locked_and_lies_elsewhere_is_not_pulled() {
    let shop = Shop::new();
    shop.say(&["run", "sheet.ron", "--pull"]).ends(0);
    shop.say(&["lock", "sheet.ron"]).ends(0);
    fs::remove_dir_all(shop.desk.path("hub")).expect("it goes");
    let said = shop.say(&["models", "pull", "sheet.ron"]).ends(0);
    assert!(said.err.contains("input/in.png` stands in for `hub://o/n/pictures/in.png`"), "{}", said.err);
    assert!(said.err.contains("lacks nothing of the hub") && said.out.is_empty(), "{}{}", said.out, said.err);
    fs::remove_file(shop.desk.path("input/in.png")).expect("it goes");
    let lost = shop.say(&["run", "sheet.ron", "--fresh"]).ends(3);
    for part in
        ["looked for it below", "nothing else is what this workflow was locked to (SHA-256 ", "models pull sheet.ron"]
    {
        assert!(lost.err.contains(part), "{part} in {}", lost.err);
    }
}

#[test]
fn the_cache_of_the_hub_is_searched_for_what_is_locked() {
    let shop = Shop::new();
    shop.desk.graph("local.ron", SHEET);
    shop.say(&["lock", "local.ron"]).ends(0);
    fs::remove_file(shop.desk.path("input/in.png")).expect("it goes");
    shop.say(&["run", "local.ron"]).ends(3);
    shop.say(&["models", "pull", ADDRESS]).ends(0);
    let said = shop.say_without_network(&["run", "local.ron"]).ends(0);
    assert!(said.err.contains(&format!("{}` stands in for `in.png`", shop.pulled().trim_end())), "{}", said.err);
}

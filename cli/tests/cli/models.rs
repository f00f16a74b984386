//! `darkroom models` from outside, on a cache that is written here, and without the network.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What git calls a file that says hello.
const HELLO: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

const ADDRESS: &str = "hub://o/n/a/hello.txt";

/// A cache of one repository with one file, as the Python tools write it.
struct Shelf(TempDir);

impl Shelf {
    fn new() -> Self {
        let shelf = Self(tempfile::tempdir().expect("a folder"));
        let folder = shelf.snapshot().join("a");
        for folder in [&folder, &shelf.repo().join("blobs"), &shelf.repo().join("refs")] {
            fs::create_dir_all(folder).expect("made");
        }
        fs::write(shelf.blob(), "hello\n").expect("written");
        fs::write(shelf.repo().join("refs/main"), COMMIT).expect("written");
        std::os::unix::fs::symlink(format!("../../../blobs/{HELLO}"), folder.join("hello.txt")).expect("linked");
        shelf
    }

    fn repo(&self) -> PathBuf {
        self.0.path().join("home/hub/models--o--n")
    }

    fn blob(&self) -> PathBuf {
        self.repo().join("blobs").join(HELLO)
    }

    fn snapshot(&self) -> PathBuf {
        self.repo().join("snapshots").join(COMMIT)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_darkroom"));
        for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH", "QWEN_HOME"] {
            command.env_remove(name);
        }
        command
            .env("HF_HOME", self.0.path().join("home"))
            .env("HF_HUB_OFFLINE", "1")
            .env("HF_TOKEN", "canary-of-a-token");
        command.env("DARKROOM_CACHE", self.0.path().join("c")).env("DARKROOM_STATE", self.0.path().join("s"));
        command.arg("models").args(args).stdin(Stdio::null());
        command
    }

    fn say(&self, args: &[&str], code: i32) -> (String, String) {
        told(self.command(args).output().expect("it starts"), code)
    }

    fn json(&self, args: &[&str], code: i32) -> Value {
        let (out, _) = self.say(&[args, &["--json"]].concat(), code);
        let value: Value = serde_json::from_str(&out).expect("one object");
        assert_eq!((&value["ok"], &value["exit"]), (&Value::from(code == 0), &Value::from(code)));
        value
    }
}

fn told(output: Output, code: i32) -> (String, String) {
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
    assert_eq!(output.status.code(), Some(code), "stdout:\n{out}\nstderr:\n{err}");
    assert!(!out.contains("canary") && !err.contains("canary"), "{out}{err}");
    (out, err)
}

fn line(path: &Path) -> String {
    format!("{}\n", path.display())
}

#[test]
fn row_56_a_cached_file_is_found_and_pulled_offline() {
    let shelf = Shelf::new();
    let path = shelf.snapshot().join("a/hello.txt");
    assert_eq!(shelf.say(&["where", ADDRESS], 0).0, line(&path));
    assert_eq!(shelf.say(&["pull", ADDRESS], 0).0, line(&path));
    assert_eq!(shelf.json(&["where", ADDRESS], 0)["path"], path.to_string_lossy().as_ref());
    let dry = shelf.json(&["pull", ADDRESS, "--dry-run"], 0);
    assert_eq!((&dry["bytes_to_fetch"], &dry["files"][0]["whole"]), (&0.into(), &true.into()));
}

#[test]
fn row_56_what_is_not_cached_says_how_to_fetch_it() {
    let shelf = Shelf::new();
    let (_, err) = shelf.say(&["pull", "hub://o/n/none.txt"], 3);
    assert!(err.contains("`none.txt`") && err.contains("hint: unset HF_HUB_OFFLINE"), "{err}");
    let fault = &shelf.json(&["where", "hub://o/other"], 3)["faults"][0];
    assert_eq!(fault["kind"], "file");
    let (_, err) = shelf.say(&["pull", "o/n"], 2);
    assert!(err.contains("does not begin with hub://") && err.contains("hint: write hub://owner/name"), "{err}");
}

#[test]
fn what_is_cached_is_listed_verified_and_removed() {
    let shelf = Shelf::new();
    let (out, err) = shelf.say(&["ls"], 0);
    assert!(out.contains("6 B  hub://o/n\n") && out.contains("0123456789ab  1 files  main"), "{out}");
    assert!(err.contains("1 models, 6 B, in "), "{err}");
    assert_eq!(shelf.json(&["ls"], 0)["hub"][0]["revisions"][0]["files"][0]["size"], 6);
    assert_eq!(shelf.say(&["verify"], 0).0, "1 files are good\n");
    fs::write(shelf.blob(), "jello\n").expect("damaged");
    let (_, err) = shelf.say(&["verify", "hub://o/n"], 3);
    assert!(err.contains("is damaged") && err.contains("pull the model again"), "{err}");
    let (_, err) = shelf.say(&["rm", ADDRESS], 2);
    assert!(err.contains("cannot be removed alone"), "{err}");
    assert_eq!(shelf.say(&["rm", "hub://o/n"], 0).0, "removed 1 revisions, 6 B\n");
    assert!(!shelf.repo().exists());
    shelf.say(&["rm", "hub://o/n"], 3);
}

#[test]
fn ctrl_c_ends_a_pull_from_a_silent_hub() {
    let shelf = Shelf::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let mut command = shelf.command(&["pull", "hub://o/n"]);
    command.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", endpoint).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("it starts");
    let (mut stream, _) = listener.accept().expect("it asks");
    stream.read_exact(&mut [0; 64]).expect("it asks");
    let began = Instant::now();
    let pid = rustix::process::Pid::from_raw(child.id() as i32).expect("a number");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    let (out, err) = told(child.wait_with_output().expect("it ends"), 130);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(out.is_empty() && err.contains("stopping; press Ctrl-C again"), "{err}");
}

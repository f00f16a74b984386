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

/// A file of zeros in half precision, under these names and shapes.
fn weights(path: &Path, tensors: &[(&str, &[usize])]) {
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    for (name, shape) in tensors {
        let begin = end;
        end += 2 * shape.iter().product::<usize>();
        let about = serde_json::json!({"dtype": "F16", "shape": shape, "data_offsets": [begin, end]});
        header.insert((*name).to_owned(), about);
    }
    let header = Value::Object(header).to_string().into_bytes();
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let bytes = [&(header.len() as u64).to_le_bytes()[..], &header, &vec![0; end]].concat();
    fs::write(path, bytes).expect("written");
}

#[test]
fn every_model_of_the_users_own_is_listed_with_what_it_goes_with() {
    let shelf = Shelf::new();
    let own = shelf.0.path().join("own");
    let write = |name: &str, tensors: &[(&str, &[usize])]| weights(&own.join(name), tensors);
    let to_k = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k";
    let (down, up) = (format!("{to_k}.lora_down.weight"), format!("{to_k}.lora_up.weight"));
    write("loras/ink.safetensors", &[(&down, &[4, 2048]), (&up, &[640, 4])]);
    write(
        "vae/v.safetensors",
        &[("decoder.up.0.block.0.conv1.weight", &[1]), ("decoder.conv_in.weight", &[8, 4, 3, 3])],
    );
    write("text_encoders/t.safetensors", &[("text_model.embeddings.token_embedding.weight", &[2, 768])]);
    write("embeddings/e.safetensors", &[("clip_l", &[2, 768]), ("clip_g", &[2, 1280])]);
    write("loras/odd.safetensors", &[("a.lora_down.weight", &[4, 8]), ("a.lora_up.weight", &[8, 4])]);
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mini/weights");
    crate::faults::copy(&mini, &own.join("diffusers/mini"));
    fs::create_dir_all(own.join("upscale_models")).expect("made");
    let upscaler = fs::read_dir(mini.join("upscaler")).expect("there").flatten().map(|entry| entry.path());
    let upscaler = upscaler.into_iter().find(|path| path.extension().is_some_and(|end| end == "safetensors"));
    fs::copy(upscaler.expect("one"), own.join("upscale_models/u.safetensors")).expect("copied");
    let list = |args: &[&str]| told(shelf.command(args).env("DARKROOM_MODELS", &own).output().expect("it starts"), 0).0;
    let out = list(&["ls"]);
    for line in [
        "loras/ink.safetensors  lora  SDXL  F16  ",
        "loras/odd.safetensors  lora  unknown  F16  ",
        "vae/v.safetensors  vae  SD 1.5 or SDXL  F16  ",
        "text_encoders/t.safetensors  text encoder  CLIP-L  F16  ",
        "embeddings/e.safetensors  embedding  SDXL  F16  ",
        "upscale_models/u.safetensors  upscaler  x",
        "diffusers/mini  folder  SDXL  F16  ",
    ] {
        assert!(out.contains(line), "{line} in\n{out}");
    }
    assert!(!out.contains("  -") && out.contains(" files\n"), "{out}");
    let json: Value = serde_json::from_str(&list(&["ls", "--json"])).expect("one object");
    let hash = json["local"][0]["sha256"].as_str().expect("a hash");
    assert!(hash.len() == 64 && out.contains(&hash[..10]), "{json}");
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

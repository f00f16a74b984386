//! A folder to work in, and the program from outside.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder of one's own, with folders for cache, state and output in it.
pub struct Desk(TempDir);

impl Desk {
    pub fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(desk.path("input")).expect("writable");
        fs::write(desk.path("input/in.png"), PICTURE).expect("writable");
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).expect("writable");
        self.path(name)
    }

    /// Writes a workflow of the given nodes.
    pub fn graph(&self, name: &str, nodes: &str) -> PathBuf {
        self.write(name, &format!("(\n    darkroom: 1,\n    nodes: {{\n{nodes}    }},\n)\n"))
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_darkroom"));
        command.args(args).current_dir(self.0.path()).stdin(Stdio::null());
        command.env("DARKROOM_CACHE", self.path("cache")).env("DARKROOM_STATE", self.path("state"));
        command.env("DARKROOM_CONFIG", self.path("config"));
        for name in ["QUALITY", "CPU", "RAM", "VRAM", "RESERVE", "DEVICE"].map(|name| format!("DARKROOM_{name}")) {
            command.env_remove(name);
        }
        command
    }

    pub fn say(&self, args: &[&str]) -> Said {
        Said::of(self.command(args).output().expect("the program starts"))
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("state/reports/last_session.log")).expect("there is a log")
    }

    /// Every file below the folder.
    pub fn files(&self) -> Vec<PathBuf> {
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

/// What the program said and how it ended.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program speaks UTF-8");
        Self {
            code: output.status.code().expect("it ended by itself"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// Holds it against a code; shows all that was said if it is another.
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    pub fn json(&self) -> Value {
        let mut lines = self.json_lines();
        assert_eq!(lines.len(), 1, "one object on one line: {}", self.out);
        lines.remove(0)
    }

    pub fn json_lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

/// A PNG of two by two pixels, without a workflow.
pub const PICTURE: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x02\0\0\0\x02\x08\x02\0\0\0\xfd\xd4\x9as\0\0\0\x12IDATx\xda\
    c\xf8\xcf\xc0\xc0\0\xc2\x0c\xff\x81\0\0\x1f\xee\x05\xfb\xf1\xab\xbaw\0\0\0\0IEND\xaeB`\x82";

/// Quick work: a picture of two by two pixels, made larger.
pub const SHEET: &str = r#"
        "load": (type: "load_image", file: "in.png"),
        "grow": (type: "upscale", image: (from: "load"), factor: 3.0, filter: "box"),
        "save": (type: "save_image", image: (from: "grow"), name: "sheet"),
"#;

/// Work with the model that is built in, on a small picture.
pub const DRAWN: &str = r#"
        "model": (type: "load_model", source: "mini"),
        "prompt": (type: "encode_prompt", encoder: (from: "model.encoder"), text: "a lake at noon"),
        "blank": (type: "empty_latent", width: 64, height: 64),
        "denoise": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"),
            latent: (from: "blank"), steps: 1, seed: 7),
        "decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "denoise")),
        "save": (type: "save_image", image: (from: "decode"), name: "drawn"),
"#;

//! The Python tools read what we wrote. Runs where there is a Python with `huggingface_hub`; DARKROOM_PYTHON names one.

use std::process::Command;

use crate::pulls::{NEEDED, pipeline};
use crate::room::Room;
use crate::server::COMMIT;

#[test]
fn the_python_tools_read_what_we_wrote() {
    let python = std::env::var("DARKROOM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", "import huggingface_hub"]).output();
    if !found.is_ok_and(|done| done.status.success()) {
        eprintln!("left out: `{python}` has no huggingface_hub; DARKROOM_PYTHON may name one that has");
        return;
    }
    let server = pipeline();
    let room = Room::new(&server);
    room.pull("hub://o/n").expect("pulled");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python_reads.py");
    let mut command = Command::new(&python);
    command.arg(script).arg(&room.settings.cache).args(["o/n", COMMIT]).args(NEEDED);
    let done = command.env("HF_HUB_OFFLINE", "1").output().expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}{err}");
}

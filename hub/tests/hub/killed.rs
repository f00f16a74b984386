//! Pulls that are killed.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use crate::room::{Room, address};
use crate::server::{Server, noise};

const CHUNK: usize = 256 << 10;

/// The helper, which cargo puts beside the tests.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("this program");
    let release = own.parent().and_then(|deps| deps.parent()).expect("target/release/deps");
    let program = release.join("examples/pull_and_die");
    assert!(program.exists(), "`cargo test -p darkroom-hub` builds {}", program.display());
    program
}

fn start(room: &Room, given: &str, ranges: usize) -> Child {
    let mut command = Command::new(program());
    command.arg(&room.settings.endpoint).arg(&room.settings.cache).arg(given);
    command.arg(CHUNK.to_string()).arg(ranges.to_string()).spawn().expect("started")
}

/// Kills a pull again and again, then lets it end; returns the kills that hit it at work.
fn kill_often(server: &Server, room: &Room, given: &str, ranges: usize) -> u64 {
    let mut kills = 0;
    for pause in noise(10, 42) {
        let before = server.served();
        let mut child = start(room, given, ranges);
        // It begins to fetch some time after it starts: only then a moment is random among those that matter.
        for _ in 0..500 {
            if server.served() > before {
                break;
            }
            thread::sleep(Duration::from_millis(2));
        }
        thread::sleep(Duration::from_millis(u64::from(pause) / 3));
        // SIGKILL.
        child.kill().expect("it is ours");
        let ended = child.wait().expect("it is ours");
        kills += u64::from(!ended.success());
    }
    assert!(start(room, given, ranges).wait().expect("it is ours").success());
    kills
}

#[test]
fn row_50_ten_kills_lose_at_most_a_chunk_of_every_open_range() {
    let (size, ranges) = (12 << 20, 4);
    let server = Server::new(&[("x.safetensors", noise(size, 1))]);
    server.pace(16 << 10, Duration::from_millis(6));
    let room = Room::new(&server);
    let kills = kill_often(&server, &room, "hub://o/n/x.safetensors", ranges);
    let path = room.hub().find(&address("hub://o/n/x.safetensors")).expect("there");
    assert!(fs::read(path).expect("there") == server.bytes("x.safetensors"), "the bytes are right");
    let lost = server.served() - size as u64;
    eprintln!("{kills} kills lost {lost} bytes");
    assert!(kills >= 5, "only {kills} kills hit");
    assert!(lost <= kills * (ranges * CHUNK) as u64, "{kills} kills lost {lost} bytes");
    assert_eq!(room.partials(), Vec::<String>::new());
}

#[test]
fn row_50_one_kill_of_one_range_loses_at_most_a_chunk() {
    let size = 3 << 20;
    for pause in [0, 40, 130] {
        let server = Server::new(&[("x.safetensors", noise(size, 1))]);
        server.pace(16 << 10, Duration::from_millis(2));
        let room = Room::new(&server);
        let mut child = start(&room, "hub://o/n/x.safetensors", 1);
        while server.served() == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(pause));
        child.kill().expect("it is ours");
        assert!(!child.wait().expect("it is ours").success(), "it was through already");
        assert!(start(&room, "hub://o/n/x.safetensors", 1).wait().expect("it is ours").success());
        let served = server.served();
        assert!(served <= (size + CHUNK) as u64, "{served}");
    }
}

#[test]
fn row_57_the_lock_of_a_killed_pull_is_free() {
    let server = Server::new(&[("x.safetensors", noise(1 << 20, 1))]);
    server.pace(4 << 10, Duration::from_millis(5));
    let room = Room::new(&server);
    let mut child = start(&room, "hub://o/n/x.safetensors", 2);
    while server.served() == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    room.pull("hub://o/n/x.safetensors").expect("pulled");
    assert!(!room.seen.has("Waiting"));
}

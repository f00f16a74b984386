//! Two that want the same file.

use std::fs::{self, File};
use std::time::Duration;

use crate::room::{Room, Seen, address};
use crate::server::{Server, hash, noise};

const FILE: &str = "hub://o/n/x.safetensors";

#[test]
fn row_57_two_pulls_of_one_file_fetch_it_once() {
    let server = Server::new(&[("x.safetensors", noise(60_000, 1))]);
    server.pace(2000, Duration::from_millis(10));
    let room = Room::new(&server);
    let (one, two) = (Seen::default(), Seen::default());
    std::thread::scope(|scope| {
        let room = &room;
        let pull = |seen| scope.spawn(move || room.hub().pull(&address(FILE), seen).map(|_| ()));
        for pull in [pull(&one), pull(&two)] {
            pull.join().expect("no panic").expect("pulled");
        }
    });
    assert_eq!(server.served(), 60_000);
    assert!(one.has("Waiting") || two.has("Waiting"), "one of them waited");
    let path = room.hub().find(&address(FILE)).expect("there");
    assert_eq!(fs::read(path).expect("there"), server.bytes("x.safetensors"));
}

#[test]
fn row_57_the_lock_file_of_a_dead_process_is_no_lock() {
    let server = Server::new(&[("x.safetensors", noise(3000, 1))]);
    let room = Room::new(&server);
    let lock =
        room.settings.cache.join(".locks/models--o--n").join(format!("{}.lock", hash(&server.bytes("x.safetensors"))));
    fs::create_dir_all(lock.parent().expect("a folder")).expect("made");
    File::create(&lock).expect("left behind");
    room.pull(FILE).expect("pulled");
    assert!(!room.seen.has("Waiting"));
}

#[test]
fn row_57_what_another_process_fetches_is_waited_for() {
    let server = Server::new(&[("x.safetensors", noise(3000, 1))]);
    let room = Room::new(&server);
    let lock =
        room.settings.cache.join(".locks/models--o--n").join(format!("{}.lock", hash(&server.bytes("x.safetensors"))));
    fs::create_dir_all(lock.parent().expect("a folder")).expect("made");
    // As the Python tools do it.
    let held = File::create(&lock).expect("made");
    held.lock().expect("locked");
    std::thread::scope(|scope| {
        let pull = scope.spawn(|| room.pull(FILE).map(|_| ()));
        while !room.seen.has("Waiting") {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(server.served(), 0);
        drop(held);
        pull.join().expect("no panic").expect("pulled");
    });
}

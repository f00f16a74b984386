//! What a pull fetches, and what the cache looks like afterwards.

use std::fs;
use std::path::PathBuf;

use darkroom_hub::{HubFault, Kind};

use crate::room::{CHUNK, Room, address, names};
use crate::server::{Act, COMMIT, Server, hash, noise};

/// A pipeline of two components, with what no pull should fetch.
pub fn pipeline() -> Server {
    let index = br#"{"_class_name": "P", "unet": ["diffusers", "U"], "tokenizer": ["transformers", "T"]}"#;
    Server::new(&[
        ("README.md", noise(50, 1)),
        ("model.ckpt", noise(70_000, 2)),
        ("model_index.json", index.to_vec()),
        ("tokenizer/merges.txt", noise(300, 3)),
        ("unet/config.json", noise(200, 4)),
        ("unet/diffusion_pytorch_model.bin", noise(60_000, 5)),
        ("unet/diffusion_pytorch_model.fp16.safetensors", noise(45_678, 6)),
        ("unet/diffusion_pytorch_model.safetensors", noise(91_000, 7)),
        ("vae_old/config.json", noise(100, 8)),
    ])
}

pub const NEEDED: [&str; 4] =
    ["model_index.json", "tokenizer/merges.txt", "unet/config.json", "unet/diffusion_pytorch_model.fp16.safetensors"];

pub fn bytes_of(server: &Server, files: &[&str]) -> u64 {
    files.iter().map(|file| server.bytes(file).len() as u64).sum()
}

#[test]
fn a_pull_fetches_what_a_model_needs_and_no_byte_twice() {
    let server = pipeline();
    let room = Room::new(&server);
    let plan = room.pull("hub://o/n").expect("pulled");
    assert_eq!(plan.files.iter().map(|file| file.file.as_str()).collect::<Vec<_>>(), NEEDED);
    assert_eq!((plan.commit.as_str(), plan.missing().count()), (COMMIT, 0));
    for file in NEEDED {
        assert_eq!(fs::read(plan.path.join(file)).expect("there"), server.bytes(file), "{file}");
    }
    assert_eq!(server.served(), bytes_of(&server, &NEEDED));
    let before = server.asked().len();
    room.pull(&format!("hub://o/n@{COMMIT}")).expect("pulled");
    assert_eq!(server.asked().len(), before, "a commit that is all here needs no network");
    room.pull("hub://o/n").expect("pulled");
    assert_eq!(server.served(), bytes_of(&server, &NEEDED));
}

#[test]
fn the_cache_looks_as_the_python_tools_make_it() {
    let server = pipeline();
    let room = Room::new(&server);
    room.pull("hub://o/n").expect("pulled");
    let repo = room.repo();
    let mut blobs: Vec<_> = NEEDED.iter().map(|file| hash(&server.bytes(file))).collect();
    blobs.sort();
    assert_eq!(names(&repo.join("blobs")), blobs);
    assert_eq!(fs::read_to_string(repo.join("refs/main")).expect("there"), COMMIT);
    let link = |file: &str| fs::read_link(repo.join("snapshots").join(COMMIT).join(file)).expect("a link");
    let target = |up: &str, file: &str| PathBuf::from(format!("{up}blobs/{}", hash(&server.bytes(file))));
    assert_eq!(link(NEEDED[0]), target("../../", NEEDED[0]));
    assert_eq!(link(NEEDED[3]), target("../../../", NEEDED[3]));
    assert!(room.settings.cache.join(".locks/models--o--n").join(format!("{}.lock", blobs[0])).exists());
}

#[test]
fn an_address_of_a_file_fetches_that_file() {
    let server = Server::new(&[("a b/x.ckpt", noise(25_000, 1)), ("other.json", noise(100, 2))]);
    let room = Room::new(&server);
    let plan = room.pull("hub://o/n@v1/a b/x.ckpt").expect("pulled");
    assert_eq!(fs::read(&plan.path).expect("there"), server.bytes("a b/x.ckpt"));
    assert_eq!(server.served(), 25_000);
    assert_eq!(fs::read_to_string(room.repo().join("refs/v1")).expect("there"), COMMIT);
    assert_eq!(room.hub().find(&address("hub://o/n@v1/a b/x.ckpt")).expect("there"), plan.path);
}

#[test]
fn a_dry_run_tells_sizes_and_fetches_the_index_alone() {
    let server = pipeline();
    let room = Room::new(&server);
    let plan = room.hub().plan(&address("hub://o/n"), &room.seen).expect("planned");
    let missing: Vec<_> = plan.missing().map(|file| (file.file.as_str(), file.size)).collect();
    assert_eq!(missing, [(NEEDED[1], Some(300)), (NEEDED[2], Some(200)), (NEEDED[3], Some(45_678))]);
    assert_eq!(plan.bytes_to_fetch(), 300 + 200 + 45_678);
    assert_eq!(server.served(), bytes_of(&server, &NEEDED[..1]));
}

#[test]
fn a_branch_with_a_slash_is_one_revision() {
    let server = pipeline();
    let room = Room::new(&server);
    room.pull("hub://o/n@refs%2Fpr%2F1").expect("pulled");
    assert_eq!(fs::read_to_string(room.repo().join("refs/refs/pr/1")).expect("there"), COMMIT);
    room.hub().find(&address("hub://o/n@refs%2Fpr%2F1")).expect("there");
}

#[test]
fn large_files_come_in_ranges_several_at_once_and_bounded() {
    let server = Server::new(&[("big.safetensors", noise(10 * CHUNK as usize + 5, 1))]);
    server.pace(1000, std::time::Duration::from_millis(2));
    let mut room = Room::new(&server);
    room.tuning.ranges = 3;
    let began = std::time::Instant::now();
    room.pull("hub://o/n/big.safetensors").expect("pulled");
    let took = began.elapsed();
    let ranges: Vec<_> = server.asked().into_iter().filter(|asked| asked.store && asked.method == "GET").collect();
    assert_eq!(ranges.len(), 11);
    assert!(ranges.iter().all(|asked| asked.header("range").is_some()));
    // Alone they would take 100 pauses of 2 ms and more.
    assert!(took.as_millis() < 10 * 2 * 10 * 3, "{took:?}");
    let at_hub = server.asked().iter().filter(|asked| !asked.store && asked.method == "GET").count();
    assert!(at_hub <= 3, "the store is asked at once when its address is known: {at_hub}");
}

#[test]
fn another_commit_keeps_what_stayed_the_same() {
    let server = Server::new(&[
        ("config.json", noise(200, 1)),
        ("model.safetensors", noise(30_000, 2)),
        ("model.safetensors.index.json", noise(100, 3)),
    ]);
    let room = Room::new(&server);
    let old = room.pull("hub://o/n").expect("pulled");
    let other = "f".repeat(40);
    server.change("config.json", noise(210, 9), &other);
    let before = server.served();
    let new = room.pull("hub://o/n").expect("pulled");
    assert_eq!(server.served() - before, 210);
    assert_eq!(
        (new.commit.as_str(), fs::read(new.path.join("config.json")).expect("there").len()),
        (other.as_str(), 210)
    );
    assert_eq!(fs::read(old.path.join("config.json")).expect("there").len(), 200, "the old commit stays whole");
}

#[test]
fn a_half_fetched_older_version_is_swept() {
    let server = Server::new(&[("x.safetensors", noise(40_000, 1))]);
    let room = Room::new(&server);
    server.script(|asked| if asked.store && asked.before > 1 { Act::Status(503, vec![]) } else { Act::Well });
    room.pull("hub://o/n/x.safetensors").expect_err("the store fails");
    let old = room.partials();
    assert_eq!(old.len(), 1);
    server.script(|_| Act::Well);
    server.change("x.safetensors", noise(41_000, 2), &"f".repeat(40));
    room.pull("hub://o/n/x.safetensors").expect("pulled");
    assert_eq!(room.partials(), Vec::<String>::new());
}

#[test]
fn an_empty_file_is_a_file() {
    let server = Server::new(&[("config.json", Vec::new())]);
    let room = Room::new(&server);
    let plan = room.pull("hub://o/n").expect("pulled");
    assert_eq!(fs::read(plan.path.join("config.json")).expect("there").len(), 0);
}

#[test]
fn a_disk_without_room_is_told_before_anything_is_fetched() {
    let server = Server::new(&[("x.safetensors", noise(40_000, 1))]);
    let mut room = Room::new(&server);
    room.tuning.free_space = std::sync::Arc::new(|_| Ok(2_000_039_999));
    let fault = room.pull("hub://o/n/x.safetensors").expect_err("there is no room");
    assert!(matches!(fault, HubFault::Space { needed: 40_000, spare: 2_000_000_000, .. }), "{fault}");
    assert_eq!((fault.kind(), server.served()), (Kind::Space, 0));
    room.tuning.free_space = std::sync::Arc::new(|_| Ok(2_000_040_000));
    room.pull("hub://o/n/x.safetensors").expect("it just fits");
}

#[test]
fn several_pulls_need_room_together() {
    let server = Server::new(&[("x.safetensors", noise(40_000, 1)), ("y.safetensors", noise(30_000, 2))]);
    let mut room = Room::new(&server);
    room.tuning.free_space = std::sync::Arc::new(|_| Ok(2_000_069_999));
    let plan = |file: &str| room.hub().plan(&address(file), &room.seen).expect("planned");
    let plans = ["hub://o/n/x.safetensors", "hub://o/n/y.safetensors"].map(plan);
    let fault = room.hub().check_space(&plans).expect_err("there is room for each alone");
    assert!(matches!(fault, HubFault::Space { needed: 70_000, spare: 2_000_000_000, .. }), "{fault}");
    room.hub().check_space(&plans[..1]).expect("there is room for it");
    room.tuning.free_space = std::sync::Arc::new(|_| Ok(0));
    room.hub().check_space(&[]).expect("nothing needs no room");
}

#[test]
fn a_pull_stops_when_it_is_asked_to_and_goes_on_later() {
    let server = Server::new(&[("x.safetensors", noise(40_000, 1))]);
    server.pace(500, std::time::Duration::from_millis(20));
    let mut room = Room::new(&server);
    room.seen.cancel_at = Some(15_000);
    let fault = room.pull("hub://o/n/x.safetensors").expect_err("it was stopped");
    assert_eq!((fault.kind(), fault.hint()), (Kind::Cancelled, None));
    let served = server.served();
    assert!(served < 40_000, "{served}");
    room.seen = crate::room::Seen::default();
    let plan = room.pull("hub://o/n/x.safetensors").expect("pulled");
    assert_eq!(fs::read(plan.path).expect("there"), server.bytes("x.safetensors"));
    assert!(server.served() <= 40_000 + 4 * CHUNK, "{}", server.served());
}

#[test]
fn a_silent_server_does_not_hold_up_a_stop() {
    let server = Server::new(&[("x.safetensors", noise(40_000, 1))]);
    server.script(|_| Act::Silence(std::time::Duration::from_secs(4)));
    let room = Room::new(&server);
    let cancel = std::sync::Arc::clone(&room.seen.cancel);
    let asking = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        cancel.store(true, std::sync::atomic::Ordering::SeqCst);
        std::time::Instant::now()
    });
    let fault = room.pull("hub://o/n/x.safetensors").expect_err("it was stopped");
    let waited = asking.join().expect("asked").elapsed();
    assert_eq!(fault.kind(), Kind::Cancelled);
    // Twice 50 ms, and what a busy machine adds.
    assert!(waited.as_millis() < 1500, "{waited:?}");
}

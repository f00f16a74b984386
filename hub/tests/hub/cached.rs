//! The cache without the network: found, told of when it lacks something, looked after.

use std::fs;
use std::sync::atomic::Ordering;

use darkroom_hub::progress::Nobody;
use darkroom_hub::shelf::Remove;
use darkroom_hub::{HubFault, Kind, Shelf};

use crate::pulls::{NEEDED, bytes_of, pipeline};
use crate::room::{Room, address, names};
use crate::server::{Act, COMMIT, Server, counting_endpoint, dead_endpoint, hash, noise};

/// The same cache, without the network; whoever connects is counted.
fn offline(room: &mut Room) -> std::sync::Arc<std::sync::atomic::AtomicU64> {
    let (endpoint, count) = counting_endpoint();
    (room.settings.endpoint, room.settings.offline) = (endpoint, true);
    count
}

#[test]
fn row_56_offline_with_a_full_cache_works_without_the_network() {
    let server = pipeline();
    let mut room = Room::new(&server);
    let online = room.pull("hub://o/n").expect("pulled");
    let connected = offline(&mut room);
    assert_eq!(room.pull("hub://o/n").expect("all is here").path, online.path);
    assert_eq!(room.hub().find(&address("hub://o/n")).expect("all is here"), online.path);
    let file = format!("hub://o/n@{COMMIT}/{}", NEEDED[3]);
    assert_eq!(room.hub().find(&address(&file)).expect("it is here"), online.path.join(NEEDED[3]));
    assert_eq!(connected.load(Ordering::SeqCst), 0);
}

#[test]
fn row_56_offline_without_a_full_cache_lists_what_is_missing() {
    let server = pipeline();
    let mut room = Room::new(&server);
    server.script(|asked| if asked.store { Act::Status(404, vec![]) } else { Act::Well });
    room.pull("hub://o/n").expect_err("the store has nothing");
    let connected = offline(&mut room);
    let fault = room.pull("hub://o/n").expect_err("not all is here");
    let HubFault::Offline { missing, .. } = &fault else { panic!("{fault}") };
    assert!(missing.contains(&(NEEDED[3].to_owned(), Some(45_678))), "{missing:?}");
    assert!(fault.to_string().contains("45.7 kB") && fault.hint().expect("one").contains("HF_HUB_OFFLINE"), "{fault}");
    let plan = room.hub().plan(&address("hub://o/n"), &Nobody).expect("what is remembered");
    assert!(plan.bytes_to_fetch() >= 45_678);
    let fault = room.pull("hub://o/other").expect_err("nothing is here");
    assert!(fault.to_string().contains("nothing of `hub://o/other`"), "{fault}");
    assert_eq!(connected.load(Ordering::SeqCst), 0);
}

#[test]
fn a_hub_that_cannot_be_reached_is_no_fault_where_all_is_here() {
    let server = pipeline();
    let mut room = Room::new(&server);
    let online = room.pull("hub://o/n").expect("pulled");
    room.settings.endpoint = dead_endpoint();
    assert_eq!(room.pull("hub://o/n").expect("all is here").path, online.path);
    assert_eq!(room.hub().plan(&address("hub://o/n"), &Nobody).expect("all is here").bytes_to_fetch(), 0);
    let told = room.seen.events.lock().expect("sound").clone();
    let warnings: Vec<_> = told.iter().filter(|event| event.starts_with("Unreachable")).collect();
    assert_eq!(warnings.len(), 1, "{told:?}");
    assert!(warnings[0].contains(COMMIT) && warnings[0].contains("127.0.0.1"), "{}", warnings[0]);
    assert!(!room.seen.has("Retrying") && room.clock.all().is_empty(), "nobody waits for what is not needed");
    let file = format!("hub://o/n/{}", NEEDED[3]);
    assert_eq!(room.pull(&file).expect("it is here").path, online.path.join(NEEDED[3]));
    fs::remove_file(online.path.join(NEEDED[3])).expect("removed");
    let fault = room.pull("hub://o/n").expect_err("one is gone");
    assert!(matches!(fault, HubFault::GaveUp { .. }), "{fault}");
    assert!(room.seen.has("Retrying"), "what is needed is tried for patiently");
}

#[test]
fn row_56_what_a_python_tool_fetched_is_found() {
    let server = pipeline();
    let mut room = Room::new(&server);
    room.pull("hub://o/n").expect("pulled");
    fs::remove_dir_all(room.repo().join(".darkroom")).expect("ours alone");
    offline(&mut room);
    let path = room.hub().find(&address("hub://o/n")).expect("all is here");
    fs::remove_file(path.join(NEEDED[3])).expect("removed");
    let fault = room.hub().find(&address("hub://o/n")).expect_err("weights are gone");
    assert!(fault.to_string().contains("`unet/*.safetensors`"), "{fault}");
    fs::remove_dir_all(path.join("unet")).expect("removed");
    let fault = room.hub().find(&address("hub://o/n")).expect_err("a component is gone");
    assert!(matches!(&fault, HubFault::Offline { missing, .. } if missing[0].0 == "unet/"), "{fault}");
}

#[test]
fn what_is_cached_is_listed() {
    let server = pipeline();
    let room = Room::new(&server);
    assert_eq!(Shelf::new(&room.settings).list(), []);
    room.pull("hub://o/n").expect("pulled");
    let list = Shelf::new(&room.settings).list();
    let [cached] = &list[..] else { panic!("{list:?}") };
    let bytes = bytes_of(&server, &NEEDED);
    assert_eq!((cached.repo.as_str(), cached.bytes, cached.partial_bytes), ("o/n", bytes, 0));
    let revision = &cached.revisions[0];
    assert_eq!((revision.commit.as_str(), &revision.refs[..]), (COMMIT, &["main".to_owned()][..]));
    assert_eq!(revision.files.iter().map(|(file, _)| file.as_str()).collect::<Vec<_>>(), NEEDED);
}

#[test]
fn files_are_found_by_their_size_and_by_the_hash_that_the_hub_gave_them() {
    let server = pipeline();
    let room = Room::new(&server);
    let path = room.pull("hub://o/n").expect("pulled").path;
    let shelf = Shelf::new(&room.settings);
    let [small, large] = [NEEDED[2], NEEDED[3]].map(|file| (server.bytes(file).len() as u64, path.join(file)));
    let sha256 = hash(&server.bytes(NEEDED[3]));
    assert_eq!(shelf.files_of(large.0, &sha256), [large.1]);
    assert_eq!(shelf.files_of(large.0, &"0".repeat(64)), Vec::<std::path::PathBuf>::new(), "it is another's hash");
    assert_eq!(shelf.files_of(small.0, &sha256), [small.1], "of a small file only git's hash is known");
    assert_eq!(shelf.files_of(large.0 + 1, &sha256), Vec::<std::path::PathBuf>::new());
    assert_eq!(shelf.pipelines(), [path]);
}

#[test]
fn removing_a_revision_keeps_what_others_share() {
    let server = Server::new(&[("config.json", noise(200, 1)), ("model.safetensors", noise(3000, 2))]);
    let room = Room::new(&server);
    room.pull("hub://o/n").expect("pulled");
    server.change("config.json", noise(210, 9), &"f".repeat(40));
    let new = room.pull("hub://o/n").expect("pulled");
    let shelf = Shelf::new(&room.settings);
    let old = address(&format!("hub://o/n@{COMMIT}"));
    let removed = shelf.remove(&old, Remove::Revision).expect("removed");
    assert_eq!((removed.revisions, removed.bytes), (1, 200));
    assert_eq!(fs::read(new.path.join("model.safetensors")).expect("shared").len(), 3000);
    assert!(shelf.remove(&old, Remove::Revision).is_err(), "it is gone");
    let removed = shelf.remove(&address("hub://o/n"), Remove::Revision).expect("removed");
    assert_eq!(removed.bytes, 3210);
    assert!(!room.repo().exists(), "the last revision takes the repository with it");
    let fault = shelf.remove(&address("hub://o/n"), Remove::Repository).expect_err("nothing is there");
    assert_eq!(fault.kind(), Kind::File);
}

#[test]
fn a_blob_that_is_not_what_its_name_says_is_found() {
    let server = pipeline();
    let room = Room::new(&server);
    room.pull("hub://o/n").expect("pulled");
    let shelf = Shelf::new(&room.settings);
    let checked = shelf.verify(None, &Nobody).expect("read");
    assert_eq!((checked.good, checked.damaged.len(), checked.dangling.len()), (4, 0, 0));
    let blob = |file: &str| room.repo().join("blobs").join(hash(&server.bytes(file)));
    fs::write(blob(NEEDED[3]), noise(45_678, 99)).expect("damaged");
    fs::remove_file(blob(NEEDED[1])).expect("removed");
    let checked = shelf.verify(Some(&address("hub://o/n")), &Nobody).expect("read");
    assert_eq!((checked.good, checked.damaged[0].path.clone()), (2, blob(NEEDED[3])));
    assert_eq!((checked.damaged.len(), checked.dangling.len()), (1, 1));
    assert_eq!(shelf.verify(Some(&address("hub://o/other")), &Nobody).expect("nothing").good, 0);
}

#[test]
fn a_missing_blob_is_fetched_again() {
    let server = pipeline();
    let room = Room::new(&server);
    room.pull("hub://o/n").expect("pulled");
    fs::remove_file(room.repo().join("blobs").join(hash(&server.bytes(NEEDED[1])))).expect("removed");
    let fault = room.hub().find(&address("hub://o/n")).expect_err("one is gone");
    assert!(fault.to_string().contains("merges.txt") && fault.hint().expect("one").contains("models pull"), "{fault}");
    let plan = room.pull("hub://o/n").expect("pulled");
    assert_eq!(fs::read(plan.path.join(NEEDED[1])).expect("there"), server.bytes(NEEDED[1]));
    assert_eq!(names(&room.repo().join("blobs")).len(), 4);
}

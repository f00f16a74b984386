//! Locks: files found by what they hold, whatever they are called and wherever they lie.

use std::fs;
use std::path::PathBuf;

use darkroom_core::files::{Content, Sha256};
use darkroom_core::locks::lock;
use darkroom_core::plan::{Wish, check};
use darkroom_tests::room::Room;

const LETTER: &str = r#"(
    darkroom: 1,
    nodes: {
        "letter": (type: "letter", file: "letter.txt"),
        "sheet":  (type: "press", text: (from: "letter")),
    },
)
"#;

/// A room with a letter, locked to it.
fn locked() -> Room {
    let mut room = Room::new(LETTER);
    put(&room, "letter.txt", "dear reader");
    relock(&mut room);
    room
}

fn put(room: &Room, name: &str, text: &str) -> PathBuf {
    let path = room.home().join("in").join(name);
    fs::create_dir_all(path.parent().expect("a file has a folder")).expect("there is room for a folder");
    fs::write(&path, text).expect("a letter");
    path
}

fn relock(room: &mut Room) {
    let all = lock(&room.graph, room.engine.registry(), room.engine.host()).expect("all files are there");
    room.graph.lock = all.into_iter().map(|(at, locked)| (at, locked.content)).collect();
}

fn content(text: &str) -> Content {
    Content { sha256: Sha256::of_bytes(text.as_bytes()), bytes: text.len() as u64, files: 1 }
}

/// What stands in, file by file.
fn stand_ins(room: &Room) -> Vec<String> {
    let plan = room.engine.plan(&room.graph, &Wish::default()).unwrap_or_else(|faults| panic!("{faults}"));
    let home = room.home().canonicalize().expect("it is there").display().to_string();
    plan.stand_ins
        .iter()
        .map(|stand_in| stand_in.to_string().replace(&home, "HOME"))
        .map(|it| tidy(room, &it))
        .collect()
}

fn tidy(room: &Room, text: &str) -> String {
    text.replace(&room.home().display().to_string(), "HOME")
}

#[test]
fn a_lock_is_the_sha256_and_the_size_of_each_file() {
    let room = locked();
    let expected = [("letter.file".to_owned(), content("dear reader"))];
    assert_eq!(room.graph.lock.clone().into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(stand_ins(&room), Vec::<String>::new());
}

#[test]
fn a_locked_file_is_found_under_another_name_and_costs_nothing_anew() {
    let room = locked();
    room.run();
    let path = room.home().join("in/letter.txt");
    fs::create_dir(room.home().join("in/old")).expect("there is room for a folder");
    fs::rename(path, room.home().join("in/old/mail.txt")).expect("it moves");
    let found = "`letter.file`: `HOME/in/old/mail.txt` stands in for `letter.txt`: it has the content that is locked";
    assert_eq!(stand_ins(&room), [found]);
    let told = room.run();
    assert!(told.contains("letter  cached") && told.contains("sheet   cached"), "{told}");
    let told = room.run_fresh();
    assert!(told.contains("letter  ran") && told.contains("sheet   ran"), "{told}");
    assert!(tidy(&room, &room.explain()).contains(found), "{}", room.explain());
    let checked = check(&room.graph, room.engine.registry(), room.engine.host()).expect("it is found");
    assert_eq!(checked.len(), 1);
    let mut again = lock(&room.graph, room.engine.registry(), room.engine.host()).expect("it is found");
    assert_eq!(again.swap_remove("letter.file").map(|locked| locked.content), Some(content("dear reader")));
}

#[test]
fn another_content_under_the_name_gives_way_to_the_locked_one() {
    let room = locked();
    let path = put(&room, "letter.txt", "dear writer");
    let told = room.run();
    let hash = content("dear reader").sha256;
    let refusal = format!("`letter.txt` is not the file that this workflow was locked to (SHA-256 {hash}, 11 bytes)");
    assert!(told.contains(&refusal) && told.contains("looked for it below HOME/in; "), "{told}");
    put(&room, "b/older.txt", "dear reader");
    assert_eq!(stand_ins(&room).len(), 1);
    assert!(room.run().contains("letter  ran"), "{}", room.run());
    assert_eq!(fs::read_to_string(room.home().join("out/sheet.txt")).ok().as_deref(), Some("dear reader"));
    assert_eq!(fs::read_to_string(path).expect("it stays").as_str(), "dear writer");
}

#[test]
fn a_locked_file_that_is_nowhere_is_named_with_hash_places_and_way_out() {
    let room = locked();
    fs::remove_file(room.home().join("in/letter.txt")).expect("it goes");
    let told = room.run();
    for part in ["there is no `letter.txt`", &content("dear reader").sha256.to_string(), "HOME/in; put the file there"]
    {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(lock(&room.graph, room.engine.registry(), room.engine.host()).is_err(), "nor can it be locked anew");
}

#[test]
fn only_files_of_the_same_length_are_read() {
    let room = locked();
    fs::remove_file(room.home().join("in/letter.txt")).expect("it goes");
    put(&room, "longer.txt", "dear reader, again");
    put(&room, "likely.txt", "dear writer");
    put(&room, "mail.txt", "dear reader");
    assert!(room.run().contains("letter  ran"), "{}", room.run());
    let read = fs::read_to_string(room.home().join("state/digests.json")).expect("a memo");
    assert!(read.contains("likely.txt") && read.contains("mail.txt") && !read.contains("longer.txt"), "{read}");
}

#[test]
fn a_name_that_comes_over_a_wire_is_locked_too() {
    let mut room = Room::new(
        &LETTER
            .replace("\"letter.txt\"", "(from: \"name\")")
            .replace("\"letter\":", "\"name\": (type: \"word\", text: \"letter.txt\"),\n        \"letter\":"),
    );
    let path = put(&room, "letter.txt", "dear reader");
    relock(&mut room);
    assert_eq!(room.graph.lock.get("letter.file"), Some(&content("dear reader")));
    fs::rename(&path, path.with_file_name("mail.txt")).expect("it moves");
    assert_eq!(stand_ins(&room).len(), 1);
    assert!(room.run().contains("letter  ran"), "{}", room.run());
}

#[test]
fn one_name_for_two_contents_is_refused() {
    let mut room = Room::new(&LETTER.replace(
        "\"sheet\":",
        "\"other\": (type: \"letter\", file: \"letter.txt\"),\n\"more\": (type: \"press\", text: (from: \"other\"), name: \"more.txt\"),\n\"sheet\":",
    ));
    put(&room, "letter.txt", "dear reader");
    put(&room, "mail.txt", "dear writer");
    relock(&mut room);
    let ran = room.run();
    assert!(ran.contains("other   ran") && ran.contains("letter  cached  same as `other`"), "{ran}");
    room.graph.lock.insert("other.file".to_owned(), content("dear writer"));
    assert!(room.run().contains("`letter.txt` is locked to one content here and to another elsewhere"));
}

#[test]
fn a_lock_of_what_is_no_file_is_told() {
    let mut room = locked();
    room.graph.lock.insert("sheet.name".to_owned(), content("dear reader"));
    assert!(room.run().contains("`sheet.name` in `lock` is no parameter that names a file"), "{}", room.run());
    room.graph.lock.swap_remove("sheet.name");
    room.graph.lock.insert("gone.file".to_owned(), content("dear reader"));
    assert!(room.run().contains("letter"), "a node that is gone needs no file: {}", room.run());
}

//! The results on disk, looked after.

use std::fs;

use crate::desk::{Desk, SHEET};

#[test]
fn the_cache_is_listed_collected_verified_and_cleared() {
    let desk = Desk::new();
    desk.graph("sheet.ron", SHEET);
    desk.say(&["run", "sheet.ron"]).ends(0);
    let listed = desk.say(&["cache", "ls"]).ends(0);
    assert_eq!(listed.out.lines().count(), 3, "{}", listed.out);
    assert!(listed.out.contains("upscale") && listed.err.contains("3 results"), "{}{}", listed.out, listed.err);
    assert_eq!(desk.say(&["cache", "ls", "--json"]).ends(0).json()["entries"].as_array().map(Vec::len), Some(3));
    assert_eq!(desk.say(&["cache", "verify"]).ends(0).out, "3 results are good\n");
    desk.say(&["cache", "gc"]).ends(0);
    let cleared = desk.say(&["cache", "clear", "--json"]).ends(0).json();
    assert_eq!(cleared["cleared"]["entries"], 3);
    assert_eq!(desk.say(&["cache", "ls"]).ends(0).out, "");
    let again = desk.say(&["run", "sheet.ron"]).ends(0);
    assert!(again.err.contains("the cache was cleared"), "{}", again.err);
    let entry = desk.files().into_iter().find(|file| file.extension().is_some_and(|end| end == "safetensors"));
    let entry = entry.expect("an entry is a file");
    let mut bytes = fs::read(&entry).expect("readable");
    *bytes.last_mut().expect("it has content") ^= 1;
    fs::write(&entry, bytes).expect("writable");
    assert!(desk.say(&["cache", "verify"]).ends(3).err.contains("is damaged"));
    desk.say(&["run", "sheet.ron"]).ends(0);
}

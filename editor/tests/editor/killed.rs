//! Windows that are killed while they save and keep.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use darkroom_editor::document::Document;
use darkroom_editor::session::Journal;

/// The helper, which cargo puts beside the tests.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("this program");
    let release = own.parent().and_then(|deps| deps.parent()).expect("target/release/deps");
    let program = release.join("examples/keep_and_die");
    assert!(program.exists(), "`cargo test -p darkroom-editor` builds {}", program.display());
    program
}

/// The number that a document was given last; the same at both ends, or it was torn.
fn number(document: &Document) -> u32 {
    let node = document.sheet().named("prompt").expect("it is there");
    let literal = document.sheet().nodes[&node].literal("text").expect("a text");
    let darkroom_core::literal::Literal::Text(text) = literal else { panic!("{literal:?}") };
    let (first, last) = (text.split(' ').next(), text.rsplit(' ').next());
    assert_eq!(first, last);
    first.and_then(|word| word.parse().ok()).expect("a number")
}

/// Starts a window that saves and keeps, kills it after a while; returns the last save that was done.
fn kill(state: &Path, file: &Path, after: Duration) -> u32 {
    let mut child = Command::new(program()).args([state, file]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut last = lines.next().expect("it saves once at least").expect("readable");
    std::thread::sleep(after);
    // SIGKILL.
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    for line in lines.map_while(Result::ok) {
        last = line;
    }
    last.parse().expect("a number")
}

#[test]
fn a_kill_leaves_the_old_file_or_the_new_one_and_the_journal_brings_the_rest_back() {
    let home = tempfile::tempdir().expect("a folder");
    let (state, file) = (home.path().join("state"), home.path().join("a.ron"));
    let mut restored = 0;
    for round in 0..12_u32 {
        let first = r#"(darkroom: 1, nodes: {"prompt": (type: "encode_prompt", text: "0 0")})"#;
        std::fs::write(&file, first).expect("writable");
        let saved = kill(&state, &file, Duration::from_micros(u64::from(round * 7919 % 12) * 2300));
        let on_disk = number(&Document::open(&file).expect("it is whole").document);
        assert!(on_disk >= saved, "{on_disk} is older than the save {saved}");
        let (mut journal, left) = Journal::begin(&state).expect("a folder");
        assert!(left.len() <= 1, "{left:?}");
        for (index, each) in left.iter().enumerate() {
            assert_eq!(each.home.as_deref(), Some(&*file));
            let document = Document::recover(&each.text, each.home.as_deref()).expect("it is whole").document;
            assert!(document.is_changed());
            assert_eq!(document.would_overwrite(&file), !each.is_saved());
            restored += usize::from(number(&document) > on_disk);
            let id = darkroom_editor::session::DocumentId(index as u64);
            journal.adopt(id, &document, each, std::time::Instant::now());
            journal.forget(id);
        }
        drop(journal);
        let rest: Vec<_> =
            std::fs::read_dir(&state).expect("it is there").map(|each| each.expect("readable").path()).collect();
        assert_eq!(rest, [state.join("start.lock")], "nothing half written stays");
    }
    assert!(restored > 0, "no kill hit a document that was kept and not saved");
}

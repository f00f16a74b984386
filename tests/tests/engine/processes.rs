//! More than one process: killed ones, damaged files, and two at once.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use darkroom_core::fingerprint::Fingerprint;
use darkroom_core::plan::Wish;
use darkroom_tests::room::{Kit, Room};
use insta::assert_snapshot;

use super::PRINT;

/// A worker process over a folder.
struct Worker {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(home: &Path, text: &str) -> Self {
        let workflow = home.join("workflow.ron");
        std::fs::write(&workflow, text).expect("there is room for a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_engine_worker"));
        let mut child = command.args([home, &workflow]).stdout(Stdio::piped()).spawn().expect("the worker starts");
        let lines = BufReader::new(child.stdout.take().expect("it was piped")).lines();
        Self { child, lines }
    }

    /// Listens until a line has been said.
    fn hear(&mut self, wanted: &str) {
        let line = self.lines.by_ref().map_while(Result::ok).find(|line| line == wanted);
        assert!(line.is_some(), "the worker never said `{wanted}`");
    }

    /// Waits for its end, and returns what else it said.
    fn wait(mut self) -> Vec<String> {
        let lines = self.lines.by_ref().map_while(Result::ok).collect();
        assert!(self.child.wait().expect("it can be waited for").success());
        lines
    }

    /// Kills it as no process can prevent.
    fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it can be waited for");
    }
}

const SLOW: &str = r#"(darkroom: 1, nodes: {
    "leaf":  (type: "grow"),
    "slow":  (type: "linger", steps: 40, pause: 5, every: 4),
    "words": (type: "sprout", leaf: (from: "slow")),
    "sheet": (type: "press", text: (from: "words")),
})"#;

#[test]
fn a_killed_run_resumes_where_it_was() {
    let home = tempfile::tempdir().expect("there is room for a folder");
    let mut worker = Worker::start(home.path(), SLOW);
    worker.hear("slow 23/40");
    worker.kill();
    let room = Room::at(home.path(), SLOW, Kit::default());
    let log = room.run_log();
    let first = log.iter().find(|line| line.starts_with("slow ")).expect("it goes on");
    let step: usize = first[5..].split('/').next().and_then(|step| step.parse().ok()).expect("`slow 21/40`");
    // The last checkpoint before step 23 is after step 20; the worker may have come further before it died.
    assert!((21..=40).contains(&step), "{log:#?}");
    let words = std::fs::read_to_string(room.home().join("out/sheet.txt")).expect("the sheet is there");
    assert!(words.starts_with("[0.0, 1.0, 2.0") && words.ends_with("38.0, 39.0]"), "{words}");
    let left = std::fs::read_dir(room.home().join("cache/v1/checkpoints")).expect("it is there").count();
    assert_eq!(left, 0, "a checkpoint is gone once the node is through");
}

#[test]
fn a_killed_run_keeps_what_was_done_before() {
    let home = tempfile::tempdir().expect("there is room for a folder");
    let text = SLOW.replace("(type: \"linger\", ", "(type: \"linger\", after: (from: \"leaf\"), ");
    let text = text.replace("pause: 5", "pause: 20");
    let mut worker = Worker::start(home.path(), &text);
    worker.hear("slow 35/40");
    worker.kill();
    let room = Room::at(home.path(), &text, Kit::default());
    assert_snapshot!(room.run(), @r"
    leaf   cached  nothing changed
    slow   ran     new here
    words  ran     new here
    sheet  ran     new here
    ");
}

#[test]
fn two_processes_share_one_cache() {
    let home = tempfile::tempdir().expect("there is room for a folder");
    let workers: Vec<_> = (0..2).map(|_| Worker::start(home.path(), SLOW)).collect();
    let logs: Vec<_> = workers.into_iter().map(Worker::wait).collect();
    for log in &logs {
        assert!(log.iter().any(|line| line.ends_with(" sheet")), "{log:#?}");
        assert!(!log.iter().any(|line| line.starts_with("warning")), "{log:#?}");
    }
    let third = Worker::start(home.path(), SLOW).wait();
    assert_snapshot!(third.join("\n"), @r"
    planned 0 of 3
    cached sheet
    sheet had written sheet.txt
    ");
    let room = Room::at(home.path(), SLOW, Kit::default());
    assert!(room.engine.cache().verify().damaged.is_empty());
}

/// The file of a node's result.
fn entry(room: &Room, node: &str) -> PathBuf {
    let plan = room.engine.plan(&room.graph, &Wish::default()).expect("the graph is sound");
    let step = plan.steps.iter().find(|step| step.id == node).expect("a node of the plan");
    let name = Fingerprint::to_string(&step.recipe);
    room.home().join("cache/v1/entries").join(&name[..2]).join(format!("{name}.safetensors"))
}

#[test]
fn a_damaged_result_is_made_again_in_the_middle_of_a_run() {
    let mut room = Room::new(PRINT);
    room.run();
    let path = entry(&room, "print");
    let mut bytes = std::fs::read(&path).expect("the result is there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).expect("it can be written");
    room.again();
    room.set("word.text", "a brass orrery");
    // The plan takes `print` from the disk, finds it damaged, and another plan goes around it.
    assert_snapshot!(room.run_log().join("\n"), @r"
    planned 3 of 7
    started shout (shout)
    ran shout
    planned 3 of 7
    cached shout
    started ink (ink)
    opened ink
    cached leaf
    started print (stamp)
    ran print
    started caption (sprout)
    ran caption
    started sheet (press)
    sheet wrote sheet.txt
    ran sheet
    ");
    assert_eq!(room.engine.cache().usage().quarantined, 1);
}

#[test]
fn a_damaged_result_says_so() {
    let mut room = Room::new(PRINT);
    room.run();
    std::fs::write(entry(&room, "print"), "torn").expect("it can be written");
    room.again();
    room.set("word.text", "a brass orrery");
    assert_snapshot!(room.run(), @r"
    ink      opened  needed
    leaf     cached  nothing changed
    print    ran     its result was damaged
    shout    cached  nothing changed
    caption  ran     follows `shout`
    sheet    ran     follows `caption`
    ");
}

#[cfg(unix)]
#[test]
fn a_result_that_cannot_be_read_is_made_again() {
    let mut room = Room::new(PRINT);
    room.run();
    // A folder in its place: listed as there, and read by nobody.
    let path = entry(&room, "print");
    std::fs::remove_file(&path).expect("the result is there");
    std::fs::create_dir(&path).expect("there is room for a folder");
    room.again();
    room.set("word.text", "a brass orrery");
    assert_snapshot!(room.run(), @r"
    ink      opened  needed
    leaf     cached  nothing changed
    print    ran     its result could not be read
    shout    cached  nothing changed
    caption  ran     follows `shout`
    sheet    ran     follows `caption`
    ");
}

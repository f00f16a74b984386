//! Bad days: faults, panics, numbers that are none, and requests to stop.

use std::sync::atomic::{AtomicUsize, Ordering};

use darkroom_core::fault::FaultKind;
use darkroom_core::observe::{Cancel, Event, Observer};
use darkroom_tests::room::{Kit, Room};
use insta::assert_snapshot;

const SPOILT: &str = r#"(darkroom: 1, nodes: {
    "leaf":  (type: "grow"),
    "words": (type: "sprout", leaf: (from: "leaf")),
    "good":  (type: "press", text: (from: "words"), name: "good.txt"),
    "spoil": (type: "spoil", how: "fault"),
    "next":  (type: "grow", on: (from: "spoil")),
    "bad":   (type: "sprout", leaf: (from: "next"), prefix: (from: "words")),
    "sheet": (type: "press", text: (from: "bad"), name: "bad.txt"),
})"#;

#[test]
fn a_fault_names_its_node_and_what_was_made_before_is_kept() {
    let mut room = Room::new(SPOILT);
    assert_snapshot!(room.run(), @r"
    line 5, column 5 › spoil (spoil): the tray is empty
      fill it
    ");
    room.again();
    assert_snapshot!(room.explain(), @r"
    leaf   cached (disk)  not needed                           leaf
    words  cached (disk)  nothing changed                      text
    good   run            new here                             sheet
    spoil  run            new here         toy                 leaf
    next   run            new here         toy  100 B scratch  leaf
    bad    run            new here                             text
    sheet  run            new here                             sheet
    5 of 7 nodes run, peak memory 116 B
    ");
}

#[test]
fn a_number_that_is_none_names_its_node() {
    let mut room = Room::new(SPOILT);
    room.set("spoil.how", "nan");
    assert_snapshot!(room.run(), @r"
    line 5, column 5 › spoil (spoil): a leaf is not finite
      try another precision, fewer extremes in guidance, or check the model's files
    ");
    let log = room.run_log();
    assert!(log.iter().any(|line| line == "started spoil (spoil)"), "nothing of it is kept: {log:#?}");
    assert!(!log.iter().any(|line| line == "ran spoil"), "{log:#?}");
}

#[test]
fn weights_that_do_not_fit_name_who_holds_the_room() {
    let room = Room::with(
        r#"(darkroom: 1, nodes: {
            "ink":   (type: "ink", colour: "sepia", bytes: 700),
            "leaf":  (type: "grow"),
            "print": (type: "stamp", ink: (from: "ink"), leaf: (from: "leaf")),
            "sheet": (type: "press", text: (from: "print.caption")),
        })"#,
        Kit { weights: 600, ..Kit::default() },
    );
    assert_snapshot!(room.run(), @r"
    line 4, column 13 › print (stamp): sepia ink needs 700 B and 600 B of 600 B are free
      raise the budget with --ram, or make the picture smaller
    ");
}

/// Asks to stop once a node has come so far.
struct Impatient<'a> {
    cancel: &'a Cancel,
    after: usize,
    last: AtomicUsize,
}

impl Observer for Impatient<'_> {
    fn see(&self, event: &Event<'_>) {
        if let Event::Progress { done, .. } = event {
            self.last.store(*done, Ordering::SeqCst);
            if *done == self.after {
                self.cancel.ask();
            }
        }
    }
}

#[test]
fn a_request_to_stop_is_heard_within_one_step() {
    let room = Room::new(
        r#"(darkroom: 1, nodes: {
        "leaf":  (type: "grow"),
        "slow":  (type: "linger", steps: 1000, pause: 1, every: 1000),
        "words": (type: "sprout", leaf: (from: "slow")),
        "sheet": (type: "press", text: (from: "words")),
    })"#,
    );
    let cancel = Cancel::new();
    let observer = Impatient { cancel: &cancel, after: 3, last: AtomicUsize::new(0) };
    let faults = room.run_watched(&observer, &cancel).expect_err("it was stopped");
    assert_eq!((faults.kind(), observer.last.load(Ordering::SeqCst)), (FaultKind::Cancelled, 3));
    assert_snapshot!(room.words(faults), @"line 3, column 9 › slow (linger): stopped on request");
    // The engine is as good as before.
    assert!(room.run_watched(&(), &Cancel::new()).is_ok());
}

#[test]
fn a_request_that_came_early_stops_everything() {
    let room = Room::new(SPOILT);
    let cancel = Cancel::new();
    cancel.ask();
    let faults = room.run_watched(&(), &cancel).expect_err("it was stopped");
    assert_snapshot!(room.words(faults), @"stopped on request");
}

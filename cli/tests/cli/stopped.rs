//! Runs that are stopped, and readers that leave.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::desk::{DRAWN, Desk, Said};

#[cfg(unix)]
#[test]
fn row_64_ctrl_c_stops_within_a_second_and_leaves_nothing_half_written() {
    let desk = Desk::new();
    desk.graph("forever.ron", &DRAWN.replace("64", "256").replace("steps: 1", "steps: 1000"));
    let mut child = desk.command(&["run", "forever.ron"]);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let pid = rustix::process::Pid::from_child(&child);
    let begun = Instant::now();
    while !fs::read_to_string(desk.path("state/reports/last_session.log"))
        .is_ok_and(|log| log.contains("started denoise"))
    {
        assert!(begun.elapsed() < Duration::from_secs(30), "the run begins");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    let asked = Instant::now();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    let said = Said::of(child.wait_with_output().expect("it ends")).ends(130);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert_eq!(said.out, "");
    assert!(
        said.err.contains("stopping; press Ctrl-C again") && said.err.contains("stopped at `denoise`"),
        "{}",
        said.err
    );
    assert!(!desk.path("output").exists());
    let half: Vec<_> = desk.files().into_iter().filter(|file| file.to_string_lossy().ends_with(".tmp")).collect();
    assert!(half.is_empty(), "{half:?}");
    desk.say(&["cache", "verify"]).ends(0);
}

#[test]
fn a_reader_that_leaves_is_no_fault() {
    let desk = Desk::new();
    let mut child = desk.command(&["nodes", "--json"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    drop(child.stdout.take());
    let said = Said::of(child.wait_with_output().expect("it ends")).ends(0);
    assert_eq!(said.err, "");
}

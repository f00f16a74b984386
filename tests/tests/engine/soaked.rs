//! A short soak in a process of its own: what it holds, and that nothing of it grows.
#![cfg(target_os = "linux")]

use std::process::Command;

#[test]
fn twelve_mixed_runs_hold_no_more_than_three_and_keep_their_budget() {
    // Two copies of a UNet, where nine runs lie between what is compared.
    let flags = ["--runs", "12", "--width", "1", "--grace", "32000000"];
    let soak = Command::new(env!("CARGO_BIN_EXE_soak")).args(flags).output().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&soak.stdout), String::from_utf8_lossy(&soak.stderr));
    assert!(soak.status.success(), "{said}\n{complained}");
    let rows: Vec<&str> = said.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| run")).collect();
    assert_eq!(rows.len(), 12, "{said}");
    let count = |ended: &str| rows.iter().filter(|row| row.contains(&format!("| {ended} |"))).count();
    assert_eq!([count("Picture"), count("Stopped"), count("NotLoaded")], [9, 2, 1], "{said}");
}

//! What `DARKROOM_CPU` hides; it is asked once in a process, so each name has one of its own.

use std::process::Command;

use darkroom_kernels::{MASK, Tier};

const NAMES: [&str; 5] = ["portable", "avx2", "avx512", "avx512vnni", "avx512bf16"];

fn rank(name: &str) -> Option<usize> {
    NAMES.iter().position(|known| *known == name)
}

#[test]
fn nothing_above_the_mask_is_used() {
    let allowed = std::env::var(MASK).ok().and_then(|name| rank(&name)).unwrap_or(NAMES.len());
    let best = rank(Tier::best().name()).expect("a known name");
    assert_eq!(rank(Tier::chosen().name()), Some(allowed.min(best)));
    assert_eq!(Tier::available().last(), Some(Tier::chosen()));
    assert_eq!(Tier::available().next().map(Tier::name), Some("portable"));
}

#[test]
#[cfg_attr(miri, ignore = "starts processes")]
fn every_name_hides_what_is_above_it() {
    let this = std::env::current_exe().expect("a test is a program");
    for name in NAMES.into_iter().chain(["", "avx1024"]) {
        let mut child = Command::new(&this);
        child.args(["--exact", "mask::nothing_above_the_mask_is_used"]).env(MASK, name);
        let said = child.output().expect("a program that runs");
        let text = String::from_utf8_lossy(&said.stdout);
        assert!(said.status.success() && text.contains("1 passed"), "{name}: {text}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "starts processes")]
fn a_name_that_no_tier_has_is_told_with_those_there_are() {
    if std::env::var(MASK).is_ok_and(|name| name == "avx1024") {
        let unknown = Tier::from_mask().expect_err("no tier has this name");
        assert_eq!(unknown.to_string(), "`DARKROOM_CPU` is `avx1024`, which names no set of instructions");
        let hint = "set it to `portable`, `avx2`, `avx512`, `avx512vnni` or `avx512bf16`, or not at all";
        assert_eq!(unknown.hint(), hint);
        return;
    }
    let mut child = Command::new(std::env::current_exe().expect("a test is a program"));
    child.args(["--exact", "mask::a_name_that_no_tier_has_is_told_with_those_there_are"]).env(MASK, "avx1024");
    let said = child.output().expect("a program that runs");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
}

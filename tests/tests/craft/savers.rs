//! Work left out: what it saves, what it costs, and that nothing is left out unasked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use darkroom_core::fault::FaultKind;
use darkroom_core::graph;
use darkroom_core::observe::{Cancel, Event, Observer};
use darkroom_core::plan::check;
use darkroom_nodes::pictures::picture_file;
use darkroom_nodes::wires::latent::Latent;
use darkroom_tests::savers::{Drawing, psnr};
use darkroom_tests::studio::{Studio, landscape};

use super::{Bench, Warnings, photo};

const SIZE: u32 = 128;
const PLAIN: &str = "seed: 7, steps: 20, guidance: 4.0";

fn drawn(settings: &str) -> Drawing {
    Drawing::of(SIZE, &format!("{PLAIN}, {settings}"))
}

#[test]
fn nothing_is_left_out_unasked() {
    let plain = drawn("");
    assert!(plain.said.is_empty(), "{:?}", plain.said);
    let never = drawn(r#"step_cache: "easycache", step_cache_threshold: 0.0"#);
    assert_eq!((never.share("easycache"), &never.picture), (Some((0, 20)), &plain.picture));
    let named = drawn(r#"guidance_start: 0.0, guidance_end: 1.0, step_cache: "none", step_cache_threshold: 3.0"#);
    assert!(named.picture == plain.picture && named.said.is_empty(), "{:?}", named.said);
    // Where no guidance pulls, there is none to leave out.
    let alone = Drawing::of(SIZE, "seed: 7, steps: 4, guidance: 1.0, guidance_end: 0.5");
    assert!(alone.said.is_empty(), "{:?}", alone.said);
    assert_eq!(alone.picture, Drawing::of(SIZE, "seed: 7, steps: 4, guidance: 1.0").picture);
}

#[test]
fn guidance_in_an_interval_halves_the_work_outside_it_and_leaves_nearly_the_same_picture() {
    let plain = drawn("");
    let most = drawn("guidance_end: 0.6");
    assert_eq!(most.said, ["guidance took part in 12 of 20 steps"]);
    let off = psnr(&most.picture, &plain.picture);
    assert!((30.0..100.0).contains(&off), "{off} dB");
    let none = drawn("guidance_start: 0.52, guidance_end: 0.56");
    assert_eq!(none.said, ["guidance took part in 0 of 20 steps"]);
    assert_eq!(none.picture, Drawing::of(SIZE, "seed: 7, steps: 20, guidance: 1.0").picture);
}

#[test]
fn a_step_cache_answers_some_steps_and_leaves_nearly_the_same_picture() {
    let plain = drawn("");
    let cached = drawn(r#"step_cache: "easycache""#);
    let (answered, asked) = cached.share("easycache").unwrap();
    assert!(asked == 20 && answered >= 3, "{:?}", cached.said);
    let off = psnr(&cached.picture, &plain.picture);
    assert!((30.0..100.0).contains(&off), "{off} dB");
    let bold = drawn(r#"step_cache: "easycache", step_cache_threshold: 1.0"#);
    assert!(bold.share("easycache").unwrap().0 > answered, "{:?}", bold.said);
    assert!(psnr(&bold.picture, &plain.picture) < off);
}

#[test]
fn both_go_together_under_samplers_that_look_twice_or_at_both_sides() {
    for (sampler, looks) in [("heun", 39), ("dpm_2", 39), ("euler_cfg_pp", 20), ("dpmpp_2s_ancestral_cfg_pp", 39)] {
        let settings = format!(r#"seed: 7, steps: 20, guidance: 1.5, sampler: "{sampler}""#);
        let plain = Drawing::of(SIZE, &settings);
        let saved = Drawing::of(SIZE, &format!(r#"{settings}, guidance_end: 0.7, step_cache: "easycache""#));
        assert_eq!(saved.share("guidance"), Some((14, 20)), "{sampler}");
        let (answered, asked) = saved.share("easycache").unwrap();
        assert!(asked == looks && answered > 0, "{sampler}: {:?}", saved.said);
        let off = psnr(&saved.picture, &plain.picture);
        assert!(off > 20.0, "{sampler}: {off} dB");
    }
}

/// How often a bold cache answers over 12 steps that are asked alike: all but the first two, which it learns from.
const BOLD: &str =
    r#"steps: 12, step_cache: "easycache", step_cache_threshold: 3.0, step_cache_start: 0.0, step_cache_end: 1.0"#;

#[test]
fn the_cache_begins_anew_where_guidance_or_a_control_ends() {
    let bench = Bench::with(&photo(64, 48));
    let answered = |control: &str, settings: &str| {
        let nodes = format!(
            r#""net": (type: "load_controlnet", source: "mini"),
               "control": (type: "control", controlnet: (from: "net"), image: (from: "photo"), {control}),
               "blank": (type: "empty_latent", width: 64, height: 48),
               "drawn": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"), latent: (from: "blank"),
                   control: (from: "control"), {BOLD}, {settings}),"#
        );
        let warnings = Warnings::default();
        let _: Latent = bench.watched(&nodes, "drawn", &warnings).unwrap();
        warnings.0.lock().unwrap().pop().unwrap()
    };
    for (control, settings, wanted) in [
        ("", "", 10),
        ("", "guidance_end: 0.5", 8),
        ("end: 0.5", "", 8),
        ("start: 0.5", "guidance_end: 0.5", 8),
        ("end: 0.5", "guidance_end: 0.75", 6),
    ] {
        let wanted = format!("`easycache` answered {wanted} of 12 times in place of the network");
        assert_eq!(answered(control, settings), wanted, "{control} {settings}");
    }
}

/// Holds up the run at a step, so that its state is kept, and stops it soon after; notes the first step it saw.
#[derive(Default)]
struct Interrupt {
    at: Option<usize>,
    first: AtomicUsize,
    cancel: Cancel,
}

impl Observer for Interrupt {
    fn see(&self, event: &Event<'_>) {
        let Event::Progress { node: "denoise", done, .. } = *event else { return };
        let _ = self.first.compare_exchange(0, done, Ordering::Relaxed, Ordering::Relaxed);
        match self.at {
            Some(at) if done == at => std::thread::sleep(Duration::from_millis(1600)),
            Some(at) if done > at => self.cancel.ask(),
            _ => {}
        }
    }
}

#[test]
fn a_run_that_is_gone_on_with_leaves_out_what_the_whole_run_left_out() {
    let settings = r#"seed: 7, steps: 20, guidance: 4.0, sampler: "dpmpp_2m", guidance_end: 0.8, step_cache: "easycache", step_cache_threshold: 0.3"#;
    let whole = Drawing::of(SIZE, settings);
    assert!(whole.share("easycache").unwrap().0 > 3, "{:?}", whole.said);
    for at in [5, 9, 10, 11, 16] {
        let home = tempfile::tempdir().unwrap();
        let studio = Studio::at(home.path());
        let workflow = landscape(SIZE, settings, "name: \"x\"");
        let stopped = Interrupt { at: Some(at), ..Interrupt::default() };
        let faults = studio.run_watched(&workflow, &stopped, &stopped.cancel).expect_err("it was stopped");
        assert_eq!(faults.kind(), FaultKind::Cancelled, "{faults}");
        let resumed = Interrupt::default();
        studio.run_watched(&workflow, &resumed, &resumed.cancel).unwrap();
        assert_eq!(resumed.first.load(Ordering::Relaxed), at + 1, "it began elsewhere");
        assert_eq!(picture_file::read(&studio.output.join("x.png")).unwrap(), whole.picture, "stopped after {at}");
    }
}

#[test]
fn parts_of_the_way_that_hold_nothing_are_refused_with_a_way_out() {
    let home = tempfile::tempdir().unwrap();
    let studio = Studio::at(home.path());
    let engine = studio.engine();
    for (settings, words) in [
        ("guidance_start: 0.6, guidance_end: 0.4", "guidance starts at 0.6 and ends at 0.4"),
        (r#"step_cache: "easycache", step_cache_start: 0.95"#, "the step cache starts at 0.95 and ends at 0.95"),
    ] {
        let graph = graph::read(&landscape(64, settings, "name: \"x\"")).unwrap().graph;
        let Err(faults) = check(&graph, engine.registry(), engine.host()) else { panic!("{settings} is taken") };
        assert!(faults.kind() == FaultKind::Graph && faults.to_string().contains(words), "{faults}");
        assert!(faults.0.iter().all(|located| located.fault.hint.is_some()), "{faults}");
    }
    // One that is off may say what it likes.
    let off = graph::read(&landscape(64, "step_cache_start: 0.95", "name: \"x\"")).unwrap().graph;
    assert!(check(&off, engine.registry(), engine.host()).is_ok());
}

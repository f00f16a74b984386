//! Faults and odd pictures around upscalers, through the real nodes: rows 12, 14, 22 and 29.

use darkroom_core::fault::{FaultKind, Faults};
use darkroom_core::graph;
use darkroom_core::image::Picture;
use darkroom_core::observe::{Cancel, Event, Observer};
use darkroom_core::plan::check;
use darkroom_nodes::pictures::picture_file::{self, Carried, Format};
use darkroom_tests::reference;
use darkroom_tests::studio::Studio;

fn studio() -> (tempfile::TempDir, Studio) {
    let home = tempfile::tempdir().unwrap();
    let studio = Studio::at(home.path());
    (home, studio)
}

/// A workflow that makes `in.png` larger.
fn larger(source: &str, more: &str) -> String {
    format!(
        r#"(darkroom: 1, nodes: {{
    "load": (type: "load_image", file: "in.png"),
    "upscaler": (type: "load_upscaler", source: "{source}"),
    "large": (type: "upscale_with_model", upscaler: (from: "upscaler"), image: (from: "load"), {more}),
    "save": (type: "save_image", image: (from: "large"), name: "out"),
}})"#
    )
}

fn put(studio: &Studio, picture: &Picture) {
    std::fs::write(
        studio.input.join("in.png"),
        picture_file::encode(picture, Format::Png, 90, Carried::default()).unwrap(),
    )
    .unwrap();
}

fn made(studio: &Studio) -> Picture {
    let [only] = &studio.saved()[..] else { panic!("one picture is saved") };
    picture_file::read(&studio.output.join(only)).unwrap()
}

/// A soft diagonal, red to blue, in 3 or 4 channels.
fn diagonal(width: u32, height: u32, channels: u32) -> Picture {
    let sample = |i: u32| {
        let (channel, x, y) = (i % channels, i / channels % width, i / channels / width);
        let share = (x + y) as f32 / (width + height) as f32;
        [share, 0.4, 1.0 - share, if x < width / 2 { 0.0 } else { 1.0 }][channel as usize]
    };
    let samples: Vec<f32> = (0..width * height * channels).map(sample).collect();
    Picture::new(width, height, channels, samples).unwrap()
}

fn refused(studio: &Studio, workflow: &str) -> (FaultKind, Faults) {
    let faults = studio.run(workflow).expect_err("this must not run");
    (faults.kind(), faults)
}

#[test]
fn row_12_an_upscaler_that_is_a_pickle_is_refused_with_the_way_to_convert_it() {
    let (_home, studio) = studio();
    put(&studio, &diagonal(8, 8, 3));
    for name in ["old_x4.pth", "x4plus.pth"] {
        std::fs::copy(reference::root().join("models/esrgan").join(name), studio.input.join(name)).unwrap();
        let (kind, faults) = refused(&studio, &larger(name, ""));
        let hint = faults.0[0].fault.hint.clone().unwrap_or_default();
        assert!(kind == FaultKind::File && hint.contains("docs/convert-pickles.md"), "{faults} ({hint})");
    }
    assert_eq!(studio.saved(), Vec::<String>::new());
}

#[test]
fn row_22_a_result_that_is_too_large_is_refused_with_its_size_before_it_runs() {
    let (_home, studio) = studio();
    put(&studio, &diagonal(5000, 3, 3));
    let (kind, faults) = refused(&studio, &larger("mini", ""));
    assert!(kind == FaultKind::Graph && faults.to_string().contains("20000×12"), "{faults}");
    let engine = studio.engine();
    let graph = graph::read(&larger("mini", "")).unwrap().graph;
    assert!(check(&graph, engine.registry(), engine.host()).is_err(), "it is known before the run");
    // A smaller end does not help: the network makes all of it on the way.
    let (_, faults) = refused(&studio, &larger("mini", "width: 100"));
    assert!(faults.to_string().contains("20000×12"), "{faults}");
}

#[test]
fn row_22_tiles_narrower_than_their_overlap_are_refused() {
    let (_home, studio) = studio();
    put(&studio, &diagonal(8, 8, 3));
    let (kind, faults) = refused(&studio, &larger("mini", "tile: 40, overlap: 32"));
    assert!(kind == FaultKind::Graph && faults.to_string().contains("cannot overlap by 32"), "{faults}");
}

#[test]
fn row_22_more_scratch_than_there_is_memory_is_refused_with_numbers() {
    let (_home, studio) = studio();
    let studio = studio.with_ram(1 << 20);
    put(&studio, &diagonal(500, 500, 3));
    let (kind, faults) = refused(&studio, &larger("mini", "tile: 0"));
    let told = faults.to_string();
    assert!(kind == FaultKind::Memory && told.contains("of 1.0 MiB are free"), "{told}");
    assert!(told.contains("; tried: ") && told.contains("enlarged in tiles of 64 px"), "{told}");
}

#[test]
fn row_29_one_pixel_and_odd_sizes_become_pictures() {
    for (width, height) in [(1, 1), (1, 7), (13, 2)] {
        let (_home, studio) = studio();
        put(&studio, &diagonal(width, height, 3));
        studio.run(&larger("mini", "")).unwrap();
        let large = made(&studio);
        assert_eq!((large.width(), large.height(), large.channels()), (4 * width, 4 * height, 3));
    }
}

#[test]
fn row_29_opacity_is_kept_and_the_end_has_the_size_that_was_asked_for() {
    let (_home, studio) = studio();
    put(&studio, &diagonal(32, 16, 4));
    studio.run(&larger("mini", "width: 64")).unwrap();
    let large = made(&studio);
    assert_eq!((large.width(), large.height(), large.channels()), (64, 32, 4));
    let opacity = |x: usize, y: usize| large.samples()[(y * 64 + x) * 4 + 3];
    assert!(opacity(5, 16) < 0.01 && opacity(58, 16) > 0.99, "{} {}", opacity(5, 16), opacity(58, 16));
}

#[test]
fn the_built_in_upscaler_keeps_the_picture_that_it_enlarges() {
    let (_home, studio) = studio();
    put(&studio, &diagonal(48, 40, 3));
    studio.run(&larger("mini", "tile: 32, overlap: 16")).unwrap();
    let large = made(&studio);
    let wanted = diagonal(4 * 48, 4 * 40, 3);
    let error: f32 = large.samples().iter().zip(wanted.samples()).map(|(a, b)| (a - b).abs()).sum();
    let mean = error / wanted.samples().len() as f32;
    assert!(mean < 0.02, "off by {mean} on average");
}

/// Asks to stop once something is under way.
struct Impatient<'c>(&'c Cancel);

impl Observer for Impatient<'_> {
    fn see(&self, event: &Event<'_>) {
        if let Event::Progress { node: "large", done, of } = event
            && 3 * done > *of
        {
            self.0.ask();
        }
    }
}

#[test]
fn an_upscale_stops_between_its_steps() {
    let (_home, studio) = studio();
    put(&studio, &diagonal(200, 200, 3));
    let cancel = Cancel::new();
    let faults = studio.run_watched(&larger("mini", "tile: 64"), &Impatient(&cancel), &cancel).expect_err("stopped");
    assert_eq!(faults.kind(), FaultKind::Cancelled);
    assert_eq!(studio.saved(), Vec::<String>::new());
}

#[test]
fn the_workflow_of_the_repository_makes_both_sizes() {
    let (_home, studio) = studio();
    let workflow = include_str!("../../../graphs/upscale.ron").replace("256", "64").replace("512", "128");
    studio.run(&workflow.replace("steps: 20", "steps: 2")).unwrap();
    let size = |name: &str| {
        let picture = picture_file::read(&studio.output.join(name)).unwrap();
        (picture.width(), picture.height())
    };
    let saved = studio.saved();
    let named = |part: &str| saved.iter().find(|name| name.contains(part)).unwrap();
    assert_eq!((size(named("x4")), size(named("x2"))), ((256, 256), (128, 128)));
}

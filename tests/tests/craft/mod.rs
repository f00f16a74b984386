//! Pictures worked on in parts and in series, through the real nodes: masks, seams, room, seeds. On the built-in model
//! and on pictures of a few pixels.

mod qualities;
mod savers;
mod walks;

use std::sync::Mutex;

use darkroom_core::fault::FaultKind;
use darkroom_core::graph;
use darkroom_core::image::{Picture, Pictures};
use darkroom_core::observe::{Cancel, Event, Observer};
use darkroom_core::plan::{Goal, Wish};
use darkroom_nodes::pictures::picture_file::{self, Carried, Format};
use darkroom_nodes::wires::latent::Latent;
use darkroom_tests::studio::Studio;

/// A picture in which no two neighbours are alike.
fn photo(width: u32, height: u32) -> Picture {
    let bytes: Vec<u8> = (0..width * height * 3).map(|i| (i * 37 % 251) as u8).collect();
    Picture::from_bytes(width, height, 3, &bytes).unwrap()
}

struct Bench {
    _home: tempfile::TempDir,
    studio: Studio,
}

impl Bench {
    fn with(picture: &Picture) -> Self {
        let home = tempfile::tempdir().unwrap();
        let studio = Studio::at(home.path());
        std::fs::write(
            studio.input.join("photo.png"),
            picture_file::encode(picture, Format::Png, 90, Carried::default()).unwrap(),
        )
        .unwrap();
        Self { _home: home, studio }
    }

    /// Runs nodes beside `photo` and `model` up to one of them, and returns its first output.
    fn make<T: darkroom_core::value::Datum>(&self, nodes: &str, node: &str) -> Result<T, (FaultKind, String)> {
        self.watched(nodes, node, &())
    }

    fn watched<T: darkroom_core::value::Datum>(
        &self,
        nodes: &str,
        node: &str,
        observer: &dyn Observer,
    ) -> Result<T, (FaultKind, String)> {
        let text = format!(
            r#"(darkroom: 1, nodes: {{
                "photo": (type: "load_image", file: "photo.png"),
                "model": (type: "load_model", source: "mini"),
                "prompt": (type: "encode_prompt", encoder: (from: "model.encoder"), text: "hills"),
                {nodes} }})"#
        );
        let graph = graph::read(&text).unwrap().graph;
        let wish = Wish { goal: Goal::Node(node.to_owned()), fresh: false };
        let report = self.studio.engine().run(&graph, &wish, observer, &Cancel::new());
        match report {
            Ok(report) => Ok(report.results[0].1[0].get::<T>().unwrap().clone()),
            Err(faults) => {
                let hints = faults.0.iter().filter_map(|located| located.fault.hint.as_deref());
                Err((faults.kind(), format!("{faults}; {}", hints.collect::<Vec<_>>().join("; "))))
            }
        }
    }

    fn picture(&self, nodes: &str, node: &str) -> Picture {
        self.make::<Pictures>(nodes, node).unwrap().iter().next().unwrap().clone()
    }

    fn words(&self, nodes: &str, node: &str) -> String {
        let (kind, words) = self.make::<Pictures>(nodes, node).expect_err("this must not run");
        assert_eq!(kind, FaultKind::Graph, "{words}");
        words
    }
}

const BOX: &str =
    r#""mask": (type: "draw_mask", width: 64, height: 48, left: 20, top: 16, box_width: 10, box_height: 9),"#;

#[test]
fn outside_a_mask_a_picture_stays_bit_for_bit() {
    let whole = photo(64, 48);
    let bench = Bench::with(&whole);
    for work in ["", "width: 96, height: 64,"] {
        let nodes = format!(
            r#"{BOX} "part": (type: "crop_to_mask", image: (from: "photo"), mask: (from: "mask"), padding: 6, {work}),
               "drawn": (type: "mask_edit", mask: (from: "part.image"), invert: true),
               "back": (type: "stitch", image: (from: "photo"), patch: (from: "drawn"), mask: (from: "mask"), region: (from: "part.region"), feather: 0),"#
        );
        let back = bench.picture(&nodes, "back");
        for (i, (new, old)) in back.samples().iter().zip(whole.samples()).enumerate() {
            let (x, y) = (i / 3 % 64, i / 3 / 64);
            let inside = (20..30).contains(&x) && (16..25).contains(&y);
            assert!(inside || new == old, "{x}, {y} changed");
        }
        assert_ne!(back.samples(), whole.samples());
        if work.is_empty() {
            // At its own size a part comes back without any resampling.
            let at = (20 * 64 + 24) * 3;
            let bright: f32 = whole.samples()[at..at + 3].iter().zip([0.299, 0.587, 0.114]).map(|(a, b)| a * b).sum();
            assert!((back.samples()[at] - (1.0 - bright)).abs() < 1e-5);
        }
    }
}

#[test]
fn a_mask_that_means_nothing_or_fits_nothing_is_refused() {
    let bench = Bench::with(&photo(64, 48));
    let black = r#""mask": (type: "draw_mask", width: 64, height: 48, box_width: 0, box_height: 0),
        "part": (type: "crop_to_mask", image: (from: "photo"), mask: (from: "mask")),"#;
    assert!(bench.words(black, "part").contains("the mask is black"));
    let two = format!(
        r#"{BOX} "three": (type: "empty_latent", width: 64, height: 48, count: 3),
           "drawn": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"), latent: (from: "three"), steps: 1, guidance: 1.0),
           "pictures": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "drawn")),
           "back": (type: "stitch", image: (from: "pictures"), patch: (from: "photo"), mask: (from: "mask")),"#
    );
    assert!(bench.words(&two, "back").contains("1 pictures do not fit over 3"));
}

/// Keeps the warnings of a run.
#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Observer for Warnings {
    fn see(&self, event: &Event<'_>) {
        if let Event::Warning { text, .. } = event {
            self.0.lock().unwrap().push((*text).to_string());
        }
    }
}

#[test]
fn a_mask_of_another_size_is_stretched_and_said_so() {
    let bench = Bench::with(&photo(64, 48));
    let nodes = r#""mask": (type: "draw_mask", width: 32, height: 24, left: 16, top: 0, box_width: 16, box_height: 24),
        "part": (type: "inpaint", vae: (from: "model.vae"), image: (from: "photo"), mask: (from: "mask")),"#;
    let warnings = Warnings::default();
    let part: Latent = bench.watched(nodes, "part", &warnings).unwrap();
    let mask = part.repaint.unwrap().mask.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let right_half: Vec<f32> = (0..8 * 6).map(|i| f32::from(u8::from(i % 8 >= 4))).collect();
    assert_eq!(mask, right_half);
    let said = warnings.0.lock().unwrap().join("; ");
    assert!(said.contains("the mask is 32×24 and is stretched over the picture of 64×48"), "{said}");
}

#[test]
fn sizes_that_no_model_draws_name_the_nearest_that_do() {
    let encode = r#""clean": (type: "vae_encode", vae: (from: "model.vae"), image: (from: "photo")),"#;
    for (size, nearest) in [((1, 1), "8×8"), ((63, 50), "56×48"), ((7, 4096), "8×4096")] {
        let words = Bench::with(&photo(size.0, size.1)).words(encode, "clean");
        assert!(words.contains(nearest) && words.contains("`upscale`"), "{words}");
    }
    let room = r#""room": (type: "pad_image", image: (from: "photo"), left: 8192, right: 8192),"#;
    assert!(Bench::with(&photo(64, 48)).words(room, "room").contains("16384"));
}

#[test]
fn what_memory_cannot_hold_is_refused_before_the_first_step() {
    let Bench { _home, studio } = Bench::with(&photo(64, 64));
    let bench = Bench { _home, studio: studio.with_ram(24 << 20) };
    let nodes = r#"
        "blank": (type: "empty_latent", width: 2048, height: 2048),
        "drawn": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"), latent: (from: "blank")),
        "small": (type: "vae_encode", vae: (from: "model.vae"), image: (from: "photo")),
        "large": (type: "upscale_latent", latent: (from: "small"), width: 2048, height: 2048),
        "picture": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "large")),"#;
    let refused = [
        (
            "drawn",
            bench.make::<Latent>(nodes, "drawn").expect_err("one at a time is too much"),
            "draw a smaller picture",
        ),
        ("picture", bench.make::<Pictures>(nodes, "picture").expect_err("the picture is"), "make the picture smaller"),
    ];
    for (node, (kind, words), way_out) in refused {
        assert!(kind == FaultKind::Memory && words.contains("scratch memory needs"), "{node}: {words}");
        assert!(words.contains("; tried: ") && words.contains(way_out), "{node}: {words}");
    }
}

#[test]
fn what_is_kept_in_a_repainted_latent_is_the_picture_itself() {
    let bench = Bench::with(&photo(64, 48));
    let nodes = format!(
        r#"{BOX} "part": (type: "inpaint", vae: (from: "model.vae"), image: (from: "photo"), mask: (from: "mask")),
           "half": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"), latent: (from: "part"), steps: 4, end: 0.5),
           "rest": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"), latent: (from: "half"), steps: 4),"#
    );
    let numbers = |latent: &Latent| latent.x.as_ref().unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let part: Latent = bench.make(&nodes, "part").unwrap();
    let half: Latent = bench.make(&nodes, "half").unwrap();
    let rest: Latent = bench.make(&nodes, "rest").unwrap();
    assert!(half.noise_left > 0.0 && half.repaint.is_some(), "who goes on needs the mask");
    assert!(rest.noise_left == 0.0 && rest.repaint.is_none());
    let mask = part.repaint.as_ref().unwrap().mask.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert!(mask.contains(&1.0) && mask.contains(&0.0));
    let (before, after) = (numbers(&part), numbers(&rest));
    for (i, (before, after)) in before.iter().zip(&after).enumerate() {
        assert_eq!(before == after, mask[i % mask.len()] == 0.0, "value {i}");
    }
}

#[test]
fn a_batch_of_seeds_is_the_pictures_of_those_seeds_on_a_sheet() {
    let bench = Bench::with(&photo(8, 8));
    let draw = |seed: u32, count: u32| {
        format!(
            r#""blank": (type: "empty_latent", width: 64, height: 64, count: {count}),
               "drawn": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"), latent: (from: "blank"), seed: {seed}, steps: 2, noise: "per_image"),
               "pictures": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "drawn")),
               "sheet": (type: "grid", image: (from: "pictures"), more_1: (from: "photo"), columns: 2, gap: 2),"#
        )
    };
    let sheet = bench.picture(&draw(5, 2), "sheet");
    assert_eq!((sheet.width(), sheet.height()), (2 * 64 + 3 * 2, 2 * 64 + 3 * 2));
    let second = bench.picture(&draw(6, 1), "pictures");
    for y in 0..64 {
        let on_sheet = &sheet.samples()[((2 + y) * 134 + 68) * 3..][..64 * 3];
        let alone = &second.samples()[y * 64 * 3..][..64 * 3];
        let off = on_sheet.iter().zip(alone).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-4, "line {y} is off by {off}");
    }
}

#[test]
fn a_repeated_latent_is_drawn_from_other_noise_each_time() {
    let bench = Bench::with(&photo(64, 48));
    let nodes = r#""clean": (type: "vae_encode", vae: (from: "model.vae"), image: (from: "photo")),
        "twice": (type: "repeat_latent", latent: (from: "clean")),
        "drawn": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"), latent: (from: "twice"), steps: 2, strength: 0.5),
        "large": (type: "upscale_latent", latent: (from: "drawn"), factor: 2.0),"#;
    let twice: Latent = bench.make(nodes, "drawn").unwrap();
    let x = twice.x.unwrap();
    assert_eq!(x.dims(), [2, 4, 6, 8]);
    let each = |i: usize| x.narrow(0, i, 1).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_ne!(each(0), each(1));
    let large: Latent = bench.make(nodes, "large").unwrap();
    assert_eq!((large.width, large.height, large.x.unwrap().dims()), (128, 96, &[2, 4, 12, 16][..]));
}

/// Hears what nodes did to make do with less memory.
#[derive(Default)]
struct Eased(Mutex<Vec<String>>);

impl Observer for Eased {
    fn see(&self, event: &Event<'_>) {
        if let Event::Eased { node, what } = event {
            self.0.lock().unwrap().push(format!("{node}: {what}"));
        }
    }
}

#[test]
fn a_picture_too_large_for_memory_is_encoded_in_tiles() {
    let nodes = r#""large": (type: "upscale", image: (from: "photo"), width: 768, height: 768, filter: "nearest"),
        "clean": (type: "vae_encode", vae: (from: "model.vae"), image: (from: "large"),),"#;
    let Bench { _home, studio } = Bench::with(&photo(64, 48));
    let bench = Bench { _home, studio: studio.with_ram(40 << 20) };
    let eased = Eased::default();
    let latent: Latent = bench.watched(nodes, "clean", &eased).unwrap();
    assert_eq!(latent.x.unwrap().dims(), [1, 4, 96, 96]);
    let eased = eased.0.into_inner().unwrap();
    assert!(eased.len() == 1 && eased[0].contains("encoded in tiles of 32"), "{eased:?}");
}

#[test]
fn what_does_not_fit_in_the_smallest_tiles_is_told_with_numbers() {
    let nodes = r#""clean": (type: "vae_encode", vae: (from: "model.vae"), image: (from: "photo")),"#;
    let Bench { _home, studio } = Bench::with(&photo(512, 512));
    let bench = Bench { _home, studio: studio.with_ram(1 << 20) };
    let (kind, words) = bench.make::<Latent>(nodes, "clean").expect_err("a megabyte is too little");
    assert_eq!(kind, FaultKind::Memory);
    assert!(words.contains("tried: encoded in tiles of 32") && words.contains("of 1.0 MiB are free"), "{words}");
}

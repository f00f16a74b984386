//! What a picture looks like while it is drawn, against what it becomes.

use std::sync::Mutex;

use darkroom_core::image::Picture;
use darkroom_core::observe::{Cancel, Event, Observer};
use darkroom_models::sdxl::preview;
use darkroom_nodes::models::{ModelSource, Models, placing::Placing};
use darkroom_nodes::pictures::picture_file;
use darkroom_tests::studio::{Studio, landscape};

/// Keeps all previews, if it wants any.
struct Looker {
    wants: bool,
    seen: Mutex<Vec<Picture>>,
}

impl Looker {
    fn new(wants: bool) -> Self {
        Self { wants, seen: Mutex::default() }
    }
}

impl Observer for Looker {
    fn see(&self, event: &Event<'_>) {
        if let Event::Preview { node, picture } = event {
            assert_eq!(*node, "denoise");
            self.seen.lock().unwrap().push((*picture).clone());
        }
    }

    fn wants_previews(&self) -> bool {
        self.wants
    }
}

/// Draws a landscape under somebody's eyes.
fn drawn(looker: &Looker) -> Picture {
    let home = tempfile::tempdir().unwrap();
    let studio = Studio::at(home.path());
    studio.run_watched(&landscape(256, "steps: 12, seed: 3", ""), looker, &Cancel::new()).unwrap();
    picture_file::read(&studio.output.join("darkroom.png")).unwrap()
}

/// The means of squares of 8 by 8.
fn small(picture: &Picture) -> Vec<f32> {
    let (width, channels) = (picture.width() as usize, picture.channels() as usize);
    let (across, down) = (width / 8, picture.height() as usize / 8);
    let sample = |x: usize, y: usize, channel: usize| picture.samples()[(y * width + x) * channels + channel];
    let mean = |i: usize| {
        let (x, y, channel) = (i / 3 % across * 8, i / 3 / across * 8, i % 3);
        (0..64).map(|at| sample(x + at % 8, y + at / 8, channel)).sum::<f32>() / 64.0
    };
    (0..across * down * 3).map(mean).collect()
}

fn correlation(one: &[f32], other: &[f32]) -> f64 {
    assert_eq!(one.len(), other.len());
    let centred = |values: &[f32]| {
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
        values.iter().map(|value| f64::from(*value) - mean).collect::<Vec<_>>()
    };
    let (one, other) = (centred(one), centred(other));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(&one, &other) / (dot(&one, &one) * dot(&other, &other)).sqrt()
}

#[test]
fn previews_resemble_what_is_drawn_and_change_nothing() {
    let (looks, looks_away) = (Looker::new(true), Looker::new(false));
    let (picture, unwatched) = (drawn(&looks), drawn(&looks_away));
    assert_eq!(picture, unwatched, "who looks changes nothing");
    assert!(looks_away.seen.into_inner().unwrap().is_empty());
    let seen = looks.seen.into_inner().unwrap();
    let last = seen.last().expect("a preview");
    assert_eq!((last.width(), last.height()), (32, 32));
    let alike = correlation(last.samples(), &small(&picture));
    assert!(alike > 0.9, "the last of {} previews: {alike:.4}", seen.len());
}

#[test]
fn a_model_brings_the_colours_of_its_own_latents() {
    let models = Models::default();
    let [base, refiner] = [ModelSource::Mini, ModelSource::MiniRefiner]
        .map(|source| models.open(&source, Vec::new(), Placing::default()).unwrap().colours());
    assert!(base.is_some() && base == refiner);
    assert_ne!(base, Some(preview::SDXL), "the built-in model has an autoencoder of its own");
}

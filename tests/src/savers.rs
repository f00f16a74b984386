//! What saving work costs: the built-in model draws one picture with and without, and the two are held side by side.

use std::sync::Mutex;

use darkroom_core::image::Picture;
use darkroom_core::observe::{Cancel, Event, Observer};
use darkroom_nodes::pictures::picture_file;

use crate::studio::{Studio, landscape};

/// A drawing, and what the run said of it.
#[derive(Debug)]
pub struct Drawing {
    /// The picture that was saved.
    pub picture: Picture,
    /// The warnings, in their order.
    pub said: Vec<String>,
}

impl Drawing {
    /// Draws a square picture with these settings of `denoise`.
    ///
    /// # Panics
    /// If the run fails.
    #[must_use]
    pub fn of(size: u32, settings: &str) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let studio = Studio::at(home.path());
        let ear = Ear::default();
        let workflow = landscape(size, settings, "name: \"x\"");
        studio.run_watched(&workflow, &ear, &Cancel::new()).unwrap_or_else(|faults| panic!("{settings}: {faults}"));
        let picture = picture_file::read(&studio.output.join("x.png")).expect("a picture was saved");
        Self { picture, said: ear.0.into_inner().expect("nobody fell") }
    }

    /// The two numbers of the sentence that has a word in it: `guidance took part in 14 of 20 steps`.
    #[must_use]
    pub fn share(&self, word: &str) -> Option<(usize, usize)> {
        let sentence = self.said.iter().find(|said| said.contains(word))?;
        let mut numbers = sentence.split_whitespace().filter_map(|word| word.parse().ok());
        Some((numbers.next()?, numbers.next()?))
    }
}

/// Keeps what is warned of.
#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Observer for Ear {
    fn see(&self, event: &Event<'_>) {
        if let (Event::Warning { text, .. }, Ok(mut said)) = (event, self.0.lock()) {
            said.push((*text).to_owned());
        }
    }
}

/// How near a picture is to another in decibels, of samples from 0 to 1; infinite where they are the same.
#[must_use]
pub fn psnr(a: &Picture, b: &Picture) -> f64 {
    let squares = a.samples().iter().zip(b.samples()).map(|(a, b)| f64::from(a - b).powi(2));
    let mean = squares.sum::<f64>() / a.samples().len() as f64;
    -10.0 * mean.log10()
}

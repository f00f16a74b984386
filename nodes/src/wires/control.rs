//! Controls: pictures that steer a walk, each with the network that reads it.

use std::sync::Arc;

use darkroom_core::image::{Picture, Pictures};
use darkroom_core::residency::{PartId, Resident as _};
use darkroom_core::types::{AtWork, Kind, Type};
use darkroom_core::value::Datum;
use darkroom_models::sampling::Interval;

use crate::models::controls::ControlNetHandle;

/// What steers a walk: one network with its picture, or several. Never kept on disk, as it holds handles.
#[derive(Clone)]
pub struct Control(Arc<[Steer]>);

/// One network with its picture.
#[derive(Clone)]
pub struct Steer {
    /// What reads the picture.
    pub net: ControlNetHandle,
    /// One picture for every latent, or one each.
    pub pictures: Pictures,
    /// How strongly; above 0.
    pub strength: f64,
    /// From where on, as a share of the way that is walked.
    pub start: f64,
    /// Up to where.
    pub end: f64,
}

impl Control {
    /// Returns the same control with one more network behind. One without strength adds nothing, and loads nothing.
    pub fn with(before: Option<&Self>, steer: Steer) -> Self {
        let more = Some(steer).filter(|steer| steer.strength > 0.0 && steer.start < steer.end);
        Self(before.into_iter().flat_map(Self::steers).cloned().chain(more).collect())
    }

    /// Returns what steers, in the order in which it is added up.
    pub fn steers(&self) -> &[Steer] {
        &self.0
    }
}

impl Steer {
    /// Tells whether it takes part in step `index` of `steps`.
    pub fn takes_part(&self, index: usize, steps: usize) -> bool {
        Interval { start: self.start, end: self.end }.holds(index, steps)
    }
}

impl Datum for Control {
    const KIND: Kind = Kind("control");

    fn bytes(&self) -> u64 {
        let each = |picture: &Picture| 4 * picture.samples().len() as u64;
        self.0.iter().flat_map(|steer| &steer.pictures).map(each).sum()
    }

    fn describe(&self) -> Type {
        let none = Type::of(Self::KIND);
        self.0.iter().fold(none, |told, steer| beside(&told, &steer.net.describe(), Some(steer.pictures.len() as u32)))
    }

    fn part(&self) -> Option<PartId> {
        self.0.last().map(|steer| steer.net.0.part())
    }
}

/// Adds what is known of a network and the number of its pictures to what is known of a control. One picture counts for
/// all, so that only more than one are told.
pub fn beside(control: &Type, net: &Type, pictures: Option<u32>) -> Type {
    let weights = control.weights.unwrap_or(0) + net.weights.unwrap_or(0);
    let least = control.least() + net.least();
    let (one, other) = (control.clone(), net.clone());
    let at_work = AtWork::new(move |task| one.scratch(task) + other.scratch(task));
    let family = control.family.clone().or_else(|| net.family.clone());
    let count = pictures.filter(|count| *count > 1).or(control.count);
    Type { family, count, ..Type::of(Control::KIND) }.weights(weights).least_weights(least).at_work(at_work)
}

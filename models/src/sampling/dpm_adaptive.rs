//! DPM-Solver with steps as long as they may be: Lu et al., arXiv 2206.00927, section 3.3 and appendix C, by k-diffusion's
//! `sample_dpm_adaptive`.
//!
//! Every step is taken twice, in second and in third order; where the two are too far apart, it is taken again, shorter.
//! Of the schedule only the ends count. How far a run is, is told as the points of the schedule that it has passed.

use candle_core::{Error, Tensor};

use super::dpm_solver::{curved, first, second};
use super::walk::{slope, straight};
use super::{Done, Given, Result, Schedule, State, Step};

/// How far two answers may be apart: as a number, and as a share of the latent.
const APART: f64 = 0.0078;
const APART_SHARE: f64 = 0.05;
/// The first step's length in lambda.
const FIRST_STEP: f64 = 0.05;
/// A step is good if the next one need not be shorter than this share of it.
const GOOD: f64 = 0.81;
/// Nearer to the end than this, the walk is there.
const NEAR: f64 = 1e-5;

/// Where the walk stands between two points, and what it knows of its steps.
struct Pace {
    lambda: f64,
    /// The length of the next step in lambda.
    length: f64,
    /// The last answer of second order.
    before: Tensor,
}

/// Walks until the end of the schedule is reached.
///
/// The state remembers where between two points it stands, which its index does not say.
pub fn dpm_adaptive(given: Given<'_>, state: State) -> Result<State> {
    let (first, last) = (given.schedule.points.first(), given.schedule.points.last());
    if last.is_none_or(|point| point.sigma == 0.0) || first == last {
        // A way without a second sigma above 0 has nothing to find out.
        return given.each_step(state, |hand, state, clean| {
            state.x = straight(&state.x, clean, hand.now(), hand.next())?;
            Ok(())
        });
    }
    walk(given, state)
}

fn walk(given: Given<'_>, mut state: State) -> Result<State> {
    let Given { model, schedule, noise, on_step } = given;
    let end = lambda(schedule.points[schedule.len()].sigma);
    let mut pace = Pace::read(&state, schedule)?;
    let mut seen: Option<(Tensor, Tensor)> = None;
    while pace.lambda < end - NEAR && state.index < schedule.len() {
        let to = single(end.min(pace.lambda + pace.length));
        let now = schedule.clock.point(sigma(pace.lambda));
        let (clean, here) = match seen.take() {
            Some(seen) => seen,
            None => {
                let clean = model.denoise(&state.x, now)?;
                let here = slope(&state.x, &clean, now.sigma)?;
                (clean, here)
            }
        };
        let look = |x: &Tensor, sigma: f64| slope(x, &model.denoise(x, schedule.clock.point(sigma))?, sigma);
        let (low, high) = both_orders(&state.x, &here, (pace.lambda, to), look)?;
        let good = pace.judge(apart(&low, &high, &pace.before)?)?;
        if !good {
            seen = Some((clean, here));
            continue;
        }
        pace = Pace { lambda: to, before: low, ..pace };
        let next = schedule.clock.point(sigma(to));
        state.x = high;
        state.index = if to >= end - NEAR { schedule.len() } else { passed(schedule, next.sigma) };
        state.history = pace.written()?;
        on_step(Done { state: &mut state, clean: &clean, noise, step: Step { now, next } })?;
    }
    Ok(state)
}

/// Takes one step in second and in third order, which share a look.
fn both_orders(
    x: &Tensor,
    here: &Tensor,
    (from, to): (f64, f64),
    look: impl Fn(&Tensor, f64) -> Result<Tensor>,
) -> Result<(Tensor, Tensor)> {
    const THIRD: f64 = 1.0 / 3.0;
    const TWO_THIRDS: f64 = 2.0 / 3.0;
    let at = |share: f64| sigma(from + share * (to - from));
    let (start, end) = (sigma(from), sigma(to));
    let there = look(&first(x, here, start, at(THIRD))?, at(THIRD))?;
    let low = second(x, [here, &there], THIRD, (start, end))?;
    let further = curved(x, [here, &there], 0.5, (start, at(TWO_THIRDS)))?;
    let yonder = look(&further, at(TWO_THIRDS))?;
    Ok((low, curved(x, [here, &yonder], TWO_THIRDS, (start, end))?))
}

/// How far two answers are apart, where 1 is just borne: the root of the mean square over all values of all pictures.
fn apart(low: &Tensor, high: &Tensor, before: &Tensor) -> Result<f64> {
    let borne = low.abs()?.maximum(&before.abs()?)?.affine(APART_SHARE, 0.0)?.maximum(APART)?;
    let square = ((low - high)? / borne)?.sqr()?.mean_all()?;
    Ok(square.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()?.sqrt())
}

impl Pace {
    fn read(state: &State, schedule: &Schedule) -> Result<Self> {
        let [before, place] = state.history.as_slice() else {
            let lambda = single(lambda(schedule.points[state.index].sigma));
            return Ok(Self { lambda, length: FIRST_STEP, before: state.x.clone() });
        };
        let place = place.to_vec1::<f32>()?;
        let [lambda, length] = [0, 1].map(|i| place.get(i).copied().map_or(0.0, f64::from));
        Ok(Self { lambda, length, before: before.clone() })
    }

    fn written(&self) -> Result<Vec<Tensor>> {
        let place = [self.lambda as f32, self.length as f32];
        Ok(vec![self.before.clone(), Tensor::new(&place, self.before.device())?])
    }

    /// Makes the next step longer or shorter by how far two answers are apart, and tells whether they were near enough.
    fn judge(&mut self, apart: f64) -> Result<bool> {
        if !apart.is_finite() {
            return Err(Error::Msg("the latent is no longer finite".to_owned()));
        }
        let factor = 1.0 + ((apart + 1e-8).powf(-1.0 / 3.0) - 1.0).atan();
        // What is written down is single precision: a run that is gone on with takes the same steps.
        self.length = single(self.length * factor);
        if self.length < 1e-6 {
            return Err(Error::Msg("`dpm_adaptive` finds no step that is short enough".to_owned()));
        }
        Ok(factor >= GOOD)
    }
}

/// The points of a schedule that a walk has left behind it at a sigma.
fn passed(schedule: &Schedule, sigma: f64) -> usize {
    schedule.points.iter().skip(1).take_while(|point| point.sigma >= sigma).count().min(schedule.len() - 1)
}

fn lambda(sigma: f64) -> f64 {
    -sigma.ln()
}

fn sigma(lambda: f64) -> f64 {
    (-lambda).exp()
}

fn single(number: f64) -> f64 {
    f64::from(number as f32)
}

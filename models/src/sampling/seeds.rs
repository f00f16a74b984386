//! SEEDS: Gonzalez et al., arXiv 2305.14267: exponential steps with noise whose parts fit together.

use candle_core::Tensor;

use super::state::combine;
use super::walk::Hand;
use super::{Given, Result, State};

/// Walks with two looks and two draws a step.
pub fn seeds_2(given: Given<'_>, state: State) -> Result<State> {
    given.each_step_by_lambda(state, |hand, state, clean| {
        if hand.is_last() {
            state.x = clean.clone();
            return Ok(());
        }
        let mut way = Way::new(hand, &state.x);
        let h = way.with_noise;
        let half = way.reach(0.5, &[(-(-0.5 * h).exp_m1(), clean)])?;
        let clean_half = way.look(&half)?;
        state.x = way.reach(1.0, &[(-(-h).exp_m1(), &clean_half)])?;
        Ok(())
    })
}

/// Walks with three looks and three draws a step.
pub fn seeds_3(given: Given<'_>, state: State) -> Result<State> {
    const THIRD: f64 = 1.0 / 3.0;
    const TWO_THIRDS: f64 = 2.0 / 3.0;
    given.each_step_by_lambda(state, |hand, state, clean| {
        if hand.is_last() {
            state.x = clean.clone();
            return Ok(());
        }
        let mut way = Way::new(hand, &state.x);
        let h = way.with_noise;
        // What a slope of the clean latents over a share of the step weighs, less what it takes from the first.
        let slope = |share: f64, over: f64| ((-share * h).exp_m1() + share * h) / (share * h) * (share / over);
        let whole = |share: f64| -(-share * h).exp_m1();
        let first = way.reach(THIRD, &[(whole(THIRD), clean)])?;
        let clean_1 = way.look(&first)?;
        let second = slope(TWO_THIRDS, THIRD);
        let second = way.reach(TWO_THIRDS, &[(whole(TWO_THIRDS) - second, clean), (second, &clean_1)])?;
        let clean_2 = way.look(&second)?;
        let last = slope(1.0, TWO_THIRDS);
        state.x = way.reach(1.0, &[(whole(1.0) - last, clean), (last, &clean_2)])?;
        Ok(())
    })
}

/// The way of one step, on which noise gathers.
struct Way<'a, 'b> {
    hand: &'a mut Hand<'b>,
    start: &'a Tensor,
    eta: f64,
    h: f64,
    /// h, longer by the share of noise.
    with_noise: f64,
    at: f64,
    sigma: f64,
    noise: Option<Tensor>,
}

impl<'a, 'b> Way<'a, 'b> {
    fn new(hand: &'a mut Hand<'b>, start: &'a Tensor) -> Self {
        let eta = hand.eta_or(1.0);
        let h = hand.schedule.lambda(hand.next()) - hand.schedule.lambda(hand.now());
        let sigma = hand.now();
        Self { hand, start, eta, h, with_noise: h * (1.0 + eta), at: 0.0, sigma, noise: None }
    }

    /// Reaches a share of the step from its start, by clean latents and the noise gathered up to there.
    fn reach(&mut self, share: f64, cleans: &[(f64, &Tensor)]) -> Result<Tensor> {
        let schedule = self.hand.schedule;
        let now = self.hand.now();
        let to = if share == 1.0 { self.hand.next() } else { schedule.sigma_of(schedule.lambda(now) + share * self.h) };
        let alpha = schedule.alpha(to);
        self.gather(share)?;
        let mut terms = vec![(to / now * (-share * self.h * self.eta).exp(), self.start)];
        terms.extend(cleans.iter().map(|(weight, clean)| (alpha * weight, *clean)));
        terms.extend(self.noise.as_ref().map(|noise| (to, noise)));
        self.sigma = to;
        combine(&terms)
    }

    /// Lets the noise gathered so far fade and adds what came since.
    fn gather(&mut self, share: f64) -> Result<()> {
        let since = (share - self.at) * self.h * self.eta;
        self.at = share;
        if since == 0.0 {
            return Ok(());
        }
        let fresh = self.hand.fresh(self.start)?.affine((-(-2.0 * since).exp_m1()).sqrt(), 0.0)?;
        self.noise = Some(match &self.noise {
            None => fresh,
            Some(noise) => combine(&[((-since).exp(), noise), (1.0, &fresh)])?,
        });
        Ok(())
    }

    fn look(&self, x: &Tensor) -> Result<Tensor> {
        self.hand.look(x, self.sigma)
    }
}

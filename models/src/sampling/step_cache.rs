//! A step cache: a network that is not asked where its answer is foreseen to change little.
//!
//! EasyCache: Zhou et al., arXiv 2507.02860. Between two answers a network changes about in step with what it is shown.
//! How fast, is measured whenever it is asked:
//!
//! ```text
//! rate  = mean|v − v'| / mean|x − x'|            of the last two answers v, v' to x, x'
//! drift = Σ rate · mean|x − x before| / mean|v|  over the questions since the last answer
//! ```
//!
//! While the drift is below a threshold, the last answer is given again, moved as far as the question has moved:
//! v + (x_now − x). Above it the network is asked, and the drift begins at 0.
//!
//! The cache stands outside guidance, so that both sides of a prompt are answered alike, by one decision. Each picture of
//! a batch has its own rate and drift; the network is asked for all as soon as one has drifted too far.

use std::cell::RefCell;
use std::collections::HashMap;

use candle_core::{D, DType, Device, Tensor};

use super::state::combine;
use super::{Asks, Interval, Network, Place, Result, Sides};

/// When a step cache may answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patience {
    /// The drift up to which an answer is given again, as a share of the answer; 0 never.
    pub threshold: f64,
    /// In which part of the way.
    pub interval: Interval,
}

/// A network behind a step cache.
pub struct StepCache<'a> {
    network: &'a dyn Network,
    place: &'a Place,
    patience: Patience,
    memory: RefCell<Memory>,
}

/// How often a step cache was asked, and how often it answered by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Questions in all.
    pub asked: usize,
    /// Those that the network was not asked.
    pub answered: usize,
}

#[derive(Default)]
struct Memory {
    /// What was shown last, whoever answered.
    shown: Option<Tensor>,
    look: Option<Look>,
    /// How fast the network changes, of each picture.
    rate: Option<Vec<f32>>,
    /// How far the answer is off by now, of each picture.
    drift: Vec<f32>,
    tally: Tally,
}

/// The last answer of the network.
struct Look {
    x: Tensor,
    asks: Asks,
    answer: Sides,
}

impl<'a> StepCache<'a> {
    /// Puts a cache before a network, with what an earlier [`StepCache::tensors`] remembered, if anything.
    ///
    /// Fails if that is not what a step cache remembers.
    pub fn new(
        network: &'a dyn Network,
        place: &'a Place,
        patience: Patience,
        past: &HashMap<String, Tensor>,
    ) -> Result<Self> {
        Ok(Self { network, place, patience, memory: RefCell::new(Memory::read(past)?) })
    }

    /// Returns what it remembers by name, to be stored with the sampler's state: a run that is gone on with gives the same
    /// bits.
    pub fn tensors(&self) -> Result<HashMap<String, Tensor>> {
        self.memory.borrow().written()
    }

    /// Forgets what the network answered, because it will be asked something else from here on.
    pub fn forget(&self) {
        let tally = self.tally();
        self.memory.replace(Memory { tally, ..Memory::default() });
    }

    /// Returns how often it was asked and answered.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.memory.borrow().tally
    }

    fn answer(&self, x: &Tensor, asks: Asks, ask: impl FnOnce() -> Result<Sides>) -> Result<Sides> {
        let mut memory = self.memory.borrow_mut();
        memory.tally.asked += 1;
        if self.place.is_in(self.patience.interval)
            && memory.drift_on(x)?
            && memory.drift.iter().all(|drift| f64::from(*drift) < self.patience.threshold)
            && let Some(answer) = memory.again(x, asks)?
        {
            memory.tally.answered += 1;
            memory.shown = Some(x.clone());
            return Ok(answer);
        }
        let answer = ask()?;
        memory.learn(x, asks, &answer)?;
        Ok(answer)
    }
}

impl Network for StepCache<'_> {
    fn predict(&self, x_in: &Tensor, timestep: f64) -> Result<Tensor> {
        let ask = || self.network.predict(x_in, timestep).map(Sides::alike);
        Ok(self.answer(x_in, Asks::Guided, ask)?.guided)
    }

    fn predict_sides(&self, x_in: &Tensor, timestep: f64) -> Result<Sides> {
        self.answer(x_in, Asks::BothSides, || self.network.predict_sides(x_in, timestep))
    }
}

impl Memory {
    /// Adds what the answer changes by on the way to `x`; tells whether anything is known of that.
    fn drift_on(&mut self, x: &Tensor) -> Result<bool> {
        let (Some(shown), Some(look), Some(rate)) = (&self.shown, &self.look, &self.rate) else { return Ok(false) };
        let (moved, size) = (apart(x, shown)?, means(&look.answer.guided)?);
        for (((drift, rate), moved), size) in self.drift.iter_mut().zip(rate).zip(moved).zip(size) {
            *drift += rate * moved / size;
        }
        Ok(true)
    }

    /// The last answer, moved as far as the question has moved; none to another kind of question.
    fn again(&self, x: &Tensor, asks: Asks) -> Result<Option<Sides>> {
        let Some(look) = self.look.as_ref().filter(|look| look.asks == asks) else { return Ok(None) };
        let moved = |answer: &Tensor| combine(&[(1.0, answer), (1.0, x), (-1.0, &look.x)]);
        let guided = moved(&look.answer.guided)?;
        Ok(Some(match asks {
            Asks::Guided => Sides::alike(guided),
            Asks::BothSides => Sides { guided, negative: moved(&look.answer.negative)? },
        }))
    }

    /// Takes an answer of the network in.
    fn learn(&mut self, x: &Tensor, asks: Asks, answer: &Sides) -> Result<()> {
        if let Some(past) = &self.look {
            let (changed, moved) = (apart(&answer.guided, &past.answer.guided)?, apart(x, &past.x)?);
            self.rate = Some(changed.iter().zip(moved).map(|(changed, moved)| changed / moved).collect());
        }
        self.drift = vec![0.0; x.dim(0)?];
        self.shown = Some(x.clone());
        self.look = Some(Look { x: x.clone(), asks, answer: answer.clone() });
        Ok(())
    }

    fn written(&self) -> Result<HashMap<String, Tensor>> {
        let row = |values: &[f32]| Tensor::new(values, &Device::Cpu);
        let mut named = vec![("tally", row(&[self.tally.asked as f32, self.tally.answered as f32])?)];
        if let (Some(shown), Some(look)) = (&self.shown, &self.look) {
            named.extend([("shown", shown.clone()), ("x", look.x.clone()), ("guided", look.answer.guided.clone())]);
            named.push(("drift", row(&self.drift)?));
            if look.asks == Asks::BothSides {
                named.push(("negative", look.answer.negative.clone()));
            }
        }
        if let Some(rate) = &self.rate {
            named.push(("rate", row(rate)?));
        }
        Ok(named.into_iter().map(|(name, tensor)| (format!("{PREFIX}{name}"), tensor)).collect())
    }

    fn read(named: &HashMap<String, Tensor>) -> Result<Self> {
        let get = |name: &str| named.get(&format!("{PREFIX}{name}")).cloned();
        let row = |name: &str| get(name).map(|row| row.to_vec1::<f32>()).transpose();
        let tally = match row("tally")?.as_deref() {
            Some(&[asked, answered]) => Tally { asked: asked as usize, answered: answered as usize },
            _ => Tally::default(),
        };
        let (Some(shown), Some(x), Some(guided), Some(drift)) = (get("shown"), get("x"), get("guided"), row("drift")?)
        else {
            return Ok(Self { tally, ..Self::default() });
        };
        let (asks, answer) = match get("negative") {
            Some(negative) => (Asks::BothSides, Sides { guided, negative }),
            None => (Asks::Guided, Sides::alike(guided)),
        };
        Ok(Self { shown: Some(shown), look: Some(Look { x, asks, answer }), rate: row("rate")?, drift, tally })
    }
}

/// Before the names of what a step cache remembers.
const PREFIX: &str = "step_cache.";

/// How far two tensors are apart on average, picture by picture.
fn apart(a: &Tensor, b: &Tensor) -> Result<Vec<f32>> {
    means(&(a - b)?)
}

/// The mean size of the numbers of each picture.
fn means(x: &Tensor) -> Result<Vec<f32>> {
    x.to_dtype(DType::F32)?.abs()?.flatten_from(1)?.mean(D::Minus1)?.to_vec1()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const ALWAYS: Interval = Interval { start: 0.0, end: 1.0 };

    /// A batch of pictures of one number each.
    fn batch(values: &[f32]) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap().reshape((values.len(), 1)).unwrap()
    }

    fn read(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Counts its questions, and doubles what it is shown.
    #[derive(Default)]
    struct Double {
        asked: Cell<usize>,
    }

    impl Network for Double {
        fn predict(&self, x_in: &Tensor, _: f64) -> Result<Tensor> {
            self.asked.set(self.asked.get() + 1);
            x_in * 2.0
        }

        fn predict_sides(&self, x_in: &Tensor, timestep: f64) -> Result<Sides> {
            Ok(Sides { guided: self.predict(x_in, timestep)?, negative: (x_in * 3.0)? })
        }
    }

    fn cache<'a>(network: &'a dyn Network, place: &'a Place, threshold: f64, interval: Interval) -> StepCache<'a> {
        StepCache::new(network, place, Patience { threshold, interval }, &HashMap::new()).unwrap()
    }

    /// Shows pictures that grow by a tenth a step; returns the steps in which the network was asked.
    fn asked(network: &Double, cache: &StepCache<'_>, place: &Place, steps: usize) -> Vec<usize> {
        let mut asked = Vec::new();
        for index in 0..steps {
            place.reach(index);
            let before = network.asked.get();
            cache.predict(&batch(&[1.0 + 0.1 * index as f32]), 0.0).unwrap();
            asked.extend((network.asked.get() > before).then_some(index));
        }
        asked
    }

    #[test]
    fn it_answers_until_the_drift_reaches_the_threshold_and_begins_anew() {
        let (network, place) = (Double::default(), Place::before(12));
        let cache = cache(&network, &place, 0.2, ALWAYS);
        // From 2.2 on a step of 0.1 at rate 2 is a share of 0.09: the third is too much. From 2.8 on it is 0.07.
        assert_eq!(asked(&network, &cache, &place, 12), [0, 1, 4, 7, 11]);
        assert_eq!(cache.tally(), Tally { asked: 12, answered: 7 });
    }

    #[test]
    fn the_last_answer_is_moved_as_far_as_the_question() {
        let (network, place) = (Double::default(), Place::before(9));
        let cache = cache(&network, &place, 0.2, ALWAYS);
        let answers = [1.0, 1.5, 1.75].map(|x| read(&cache.predict(&batch(&[x]), 0.0).unwrap())[0]);
        assert_eq!((answers, cache.tally().answered), ([2.0, 3.0, 3.25], 1));
    }

    #[test]
    fn without_a_threshold_the_network_is_always_asked() {
        let (network, place) = (Double::default(), Place::before(9));
        let cache = cache(&network, &place, 0.0, ALWAYS);
        assert_eq!(asked(&network, &cache, &place, 9).len(), 9);
        // Not even where nothing moves at all.
        let again = [(); 3].map(|()| read(&cache.predict(&batch(&[1.8]), 0.0).unwrap()));
        assert_eq!(again, [[3.6], [3.6], [3.6]]);
        assert_eq!((network.asked.get(), cache.tally().answered), (12, 0));
    }

    #[test]
    fn it_answers_inside_its_part_of_the_way_alone() {
        let (network, place) = (Double::default(), Place::before(10));
        let cache = cache(&network, &place, 100.0, Interval { start: 0.4, end: 0.8 });
        assert_eq!(asked(&network, &cache, &place, 10), [0, 1, 2, 3, 8, 9]);
    }

    #[test]
    fn the_picture_that_drifts_most_decides_for_its_batch() {
        let show = |pictures: &[[f32; 2]]| {
            let (network, place) = (Double::default(), Place::before(9));
            let cache = cache(&network, &place, 0.2, ALWAYS);
            pictures.iter().for_each(|pair| drop(cache.predict(&batch(pair), 0.0).unwrap()));
            cache.tally().answered
        };
        assert_eq!(show(&[[1.0, 1.0], [1.1, 1.1], [1.2, 1.2]]), 1);
        assert_eq!(show(&[[1.0, 1.0], [1.1, 1.1], [1.2, 3.0]]), 0);
        assert_eq!(show(&[[1.0, 1.0], [1.1, 1.1], [3.0, 1.2]]), 0);
    }

    #[test]
    fn what_it_forgot_it_does_not_answer() {
        let (network, place) = (Double::default(), Place::before(9));
        let cache = cache(&network, &place, 100.0, ALWAYS);
        assert_eq!(asked(&network, &cache, &place, 5), [0, 1]);
        cache.forget();
        assert_eq!(asked(&network, &cache, &place, 5), [0, 1]);
        assert_eq!(cache.tally(), Tally { asked: 10, answered: 6 });
    }

    #[test]
    fn an_answer_of_one_side_does_for_no_question_about_both() {
        let (network, place) = (Double::default(), Place::before(9));
        let cache = cache(&network, &place, 100.0, ALWAYS);
        assert_eq!(asked(&network, &cache, &place, 4), [0, 1]);
        let sides = |x: f32| {
            let sides = cache.predict_sides(&batch(&[x]), 0.0).unwrap();
            (read(&sides.guided)[0], read(&sides.negative)[0])
        };
        assert_eq!(sides(2.0), (4.0, 6.0));
        assert_eq!(sides(2.5), (4.5, 6.5));
        assert_eq!((network.asked.get(), cache.tally().answered), (3, 3));
    }

    #[test]
    fn numbers_that_are_none_are_never_answered_with() {
        let network = |x: &Tensor, _: f64| x.affine(f64::NAN, 0.0);
        let place = Place::before(9);
        let cache = cache(&network, &place, 100.0, ALWAYS);
        (0..9).for_each(|step| drop(cache.predict(&batch(&[step as f32]), 0.0).unwrap()));
        assert_eq!(cache.tally(), Tally { asked: 9, answered: 0 });
    }

    #[test]
    fn what_is_stored_is_all_it_remembers() {
        for stop in 0..9 {
            let (network, place) = (Double::default(), Place::before(9));
            let whole = cache(&network, &place, 0.2, ALWAYS);
            let show = |cache: &StepCache<'_>, step: usize| {
                let sides = cache.predict_sides(&batch(&[1.0 + 0.1 * step as f32, 2.0]), 0.0).unwrap();
                (read(&sides.guided), read(&sides.negative), cache.tally())
            };
            (0..stop).for_each(|step| drop(show(&whole, step)));
            let resumed = StepCache::new(&network, &place, whole.patience, &whole.tensors().unwrap()).unwrap();
            for step in stop..9 {
                assert_eq!(show(&resumed, step), show(&whole, step), "stopped after {stop}, step {step}");
            }
        }
    }
}

//! A device that is none: it counts bytes exactly, computes nothing, and breaks down on demand. The whole ladder runs on it
//! without a GPU.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use super::Leaf;
use crate::context::Context;
use crate::fault::{Fault, Shortage};
use crate::fingerprint::Fingerprint;
use crate::ladder::Rung;
use crate::node::{Known, Node};
use crate::residency::Device;
use crate::types::{Cost, Type};
use crate::value::{Array, Datum as _, Record};

/// Something that goes wrong on a device. Steps are counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// So many times, whatever a node wants at a step is not there, however little it is.
    Oom {
        /// The node.
        node: String,
        /// The step.
        step: usize,
        /// How often.
        times: usize,
    },
    /// The device goes when a node reaches a step, and does not come back.
    Lost {
        /// The node.
        node: String,
        /// The step.
        step: usize,
    },
    /// Each time that memory is asked for takes so much longer: counted, never slept.
    Slower {
        /// In whatever unit a test likes.
        by: u64,
    },
}

/// A device with so many bytes of memory: a part of the host. Clones share.
#[derive(Clone)]
pub struct SimDevice(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    device: Device,
    capacity: u64,
    used: u64,
    peak: u64,
    waited: u64,
    lost: bool,
    troubles: Vec<Trouble>,
    /// The node and the step that are under way.
    at: (String, usize),
    /// Steps that were done, as often as they were.
    work: HashMap<(Fingerprint, usize), usize>,
    /// Steps of which the result is kept: none of them should be done again.
    kept: HashMap<Fingerprint, usize>,
    again: HashSet<(Fingerprint, usize)>,
}

impl SimDevice {
    /// Makes a device with so many bytes.
    pub fn new(capacity: u64) -> Self {
        Self(Arc::new(Mutex::new(State { capacity, ..State::default() })))
    }

    /// Makes it stand for a device.
    #[must_use]
    pub fn standing_for(self, device: Device) -> Self {
        self.lock().device = device;
        self
    }

    /// Takes memory, which comes back when what is returned is dropped. There is no fragmentation: what is free can be had.
    ///
    /// # Errors
    /// A fault of memory with what there is, one without any number for trouble that was ordered, or of a lost device.
    pub fn alloc(&self, bytes: u64) -> Result<SimBuffer, Fault> {
        let mut state = self.lock();
        state.suffer()?;
        let free = state.capacity - state.used;
        if bytes > free {
            let (on, of) = (state.device, state.capacity);
            return Err(Fault::memory(format!("the device has {free} of {of} bytes left, {bytes} are wanted"))
                .short_of(Shortage { on, needs: bytes, free, of }));
        }
        state.used += bytes;
        state.peak = state.peak.max(state.used);
        Ok(SimBuffer { device: self.clone(), bytes })
    }

    /// Returns the bytes in use.
    pub fn used(&self) -> u64 {
        self.lock().used
    }

    /// Returns the most bytes that were in use at once.
    pub fn peak(&self) -> u64 {
        self.lock().peak
    }

    /// Returns how long was waited for memory, by [`Trouble::Slower`].
    pub fn waited(&self) -> u64 {
        self.lock().waited
    }

    /// Orders trouble.
    pub fn order(&self, trouble: Trouble) {
        self.lock().troubles.push(trouble);
    }

    /// Ends all trouble that is still to come.
    pub fn calm(&self) {
        self.lock().troubles.clear();
    }

    /// Says where the work is.
    pub fn reach(&self, node: &str, step: usize) {
        self.lock().at = (node.to_owned(), step);
    }

    /// Notes that a step of a recipe is done.
    pub fn did(&self, recipe: Fingerprint, step: usize) {
        let mut state = self.lock();
        *state.work.entry((recipe, step)).or_default() += 1;
        if state.kept.get(&recipe).is_some_and(|kept| step < *kept) {
            state.again.insert((recipe, step));
        }
    }

    /// Notes that what so many steps of a recipe made is kept.
    pub fn kept(&self, recipe: Fingerprint, steps: usize) {
        self.lock().kept.insert(recipe, steps);
    }

    /// Returns how many steps were done, each as often as it was.
    pub fn steps_done(&self) -> usize {
        self.lock().work.values().sum()
    }

    /// Returns how many steps were done again although their result was kept.
    pub fn done_in_vain(&self) -> usize {
        self.lock().again.len()
    }

    /// Forgets which steps were done.
    pub fn count_anew(&self) {
        let mut state = self.lock();
        (state.work, state.kept, state.again) = Default::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no thread panics while it holds the device")
    }
}

impl State {
    /// Lets come whatever was ordered for here and now.
    fn suffer(&mut self) -> Result<(), Fault> {
        let (at_node, at_step) = &self.at;
        for trouble in &mut self.troubles {
            match trouble {
                Trouble::Slower { by } => self.waited += *by,
                Trouble::Lost { node, step } => self.lost |= (&*node, &*step) == (at_node, at_step),
                Trouble::Oom { node, step, times } => {
                    if *times > 0 && (&*node, &*step) == (at_node, at_step) {
                        *times -= 1;
                        return Err(Fault::memory("the device says that it is out of memory"));
                    }
                }
            }
        }
        if self.lost { Err(Fault::device_lost("the device is gone")) } else { Ok(()) }
    }
}

/// Memory of a device; given back when dropped.
pub struct SimBuffer {
    device: SimDevice,
    bytes: u64,
}

impl Drop for SimBuffer {
    fn drop(&mut self) {
        self.device.lock().used -= self.bytes;
    }
}

/// Bytes that a number takes while it is developed.
const BYTES: u64 = 8;

/// Develops a leaf on the device, step by step: whole, in strips that change nothing, or in tiles that show.
#[derive(crate::Node)]
#[node(id = "develop", version = 1, category = "Toys", lane = "compute")]
pub struct Develop {
    /// What to develop on.
    #[input]
    on: Option<Leaf>,
    /// What else.
    #[input]
    and: Option<Leaf>,
    /// Numbers in the leaf.
    #[param(default = 16, range = 1..=100_000)]
    size: u32,
    /// Steps.
    #[param(default = 4, range = 1..=1000)]
    steps: u32,
    /// Steps between two checkpoints.
    #[param(default = 2, range = 1..=1000)]
    every: u32,
    /// Numbers in a tile; 0 develops in one piece.
    #[param(default = 0, range = 0..=100_000)]
    tile: u32,
    /// Strips that are worked on one after another.
    #[param(default = 1, range = 1..=64, same_pixels)]
    strips: u32,
}

impl Develop {
    fn bytes(size: u32, tile: u32, strips: u32) -> u64 {
        BYTES * u64::from(if tile == 0 { size } else { tile.min(size) }.div_ceil(strips))
    }

    /// One step: a number hears of the one before it in its tile.
    fn step(&self, numbers: &mut [f32], base: f32, step: usize) {
        let tile = if self.tile == 0 { numbers.len() } else { self.tile as usize };
        for tile in numbers.chunks_mut(tile) {
            let mut before = base;
            for number in tile {
                before = 0.5 * (*number + before) + step as f32;
                *number = before;
            }
        }
    }
}

impl Node for Develop {
    type Output = Leaf;

    fn run(self, cx: &mut Context<'_>) -> Result<Leaf, Fault> {
        let device = cx.host::<SimDevice>()?;
        let (plan, id) = cx.plan().ok_or_else(|| Fault::bug("no plan is carried out"))?;
        let recipe = plan.steps.iter().find(|step| step.id == id).expect("a step of the plan runs").recipe;
        let base = self.on.iter().chain(&self.and).flat_map(|leaf| leaf.0.iter()).sum();
        let (mut numbers, first) = cx.resume().and_then(|record| resumed(&record)).unwrap_or_default();
        numbers.resize(self.size as usize, 0.0);
        for step in first..self.steps as usize {
            device.reach(id, step);
            let bytes = Self::bytes(self.size, self.tile, self.strips);
            let _scratch = cx.reserve(bytes)?;
            let _room = device.alloc(bytes)?;
            self.step(&mut numbers, base, step);
            device.did(recipe, step);
            if (step + 1).is_multiple_of(self.every as usize) {
                let array = Array::f32(vec![numbers.len()], &numbers);
                let words = [("step".to_owned(), (step + 1).to_string())].into();
                cx.checkpoint(&Record { arrays: [("leaf".to_owned(), array)].into(), words });
                device.kept(recipe, step + 1);
            }
            cx.tick(step + 1, self.steps as usize)?;
        }
        device.kept(recipe, self.steps as usize);
        Ok(Leaf(numbers.into()))
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        Ok(vec![Type::of(Leaf::KIND).size(known.param("size")?, None)])
    }

    fn cost(known: &Known<'_>) -> Cost {
        let number = |name: &str, default| known.param::<u32>(name).ok().flatten().unwrap_or(default);
        let size = number("size", 16);
        let workspace = Self::bytes(size, number("tile", 0), number("strips", 1));
        Cost { workspace, output: 4 * u64::from(size), steps: number("steps", 4), ..Cost::default() }
    }

    fn ladder(known: &Known<'_>) -> Vec<Rung> {
        let number = |name: &str, default| known.param::<u32>(name).ok().flatten().unwrap_or(default);
        let (size, strips, tile) = (number("size", 16), number("strips", 1), number("tile", 0));
        let narrower = [2_u32, 4].into_iter().filter(move |more| *more > strips);
        let smaller = [8_u32, 4].into_iter().filter(move |edge| *edge < size && (tile == 0 || *edge < tile));
        let strips = narrower.map(|count| Rung::new(format!("developed in {count} strips")).set("strips", count));
        strips.chain(smaller.map(|edge| Rung::new(format!("developed in tiles of {edge}")).set("tile", edge))).collect()
    }
}

fn resumed(record: &Record) -> Option<(Vec<f32>, usize)> {
    Some((record.arrays.get("leaf")?.to_f32()?, record.words.get("step")?.parse().ok()?))
}

//! Rows of channels in this machine's memory: what maps and tokens are on the processor.
//!
//! A row is a place of a picture, or a word; its channels lie together, so that a map read line by line is its tokens.
//! What a norm does to the rows and how several lie side by side is remembered and done by whoever reads them.

use std::sync::Arc;

use darkroom_kernels::parallel::{self, Shared};
use darkroom_kernels::{self as kernels, Buffer, Cpu, Curve, Norm, Source, Target, Values};
use half::bf16;

use super::compute::Precision;

/// Rows of channels.
#[derive(Clone, Debug)]
pub struct Rows {
    pub cpu: Cpu,
    parts: Vec<Part>,
    norm: Option<Arc<Norm>>,
    /// Rows of a picture.
    places: usize,
}

#[derive(Clone, Debug)]
struct Part {
    numbers: Arc<Numbers>,
    channels: usize,
}

/// Numbers of one of the kinds in which they are kept.
#[derive(Debug)]
pub enum Numbers {
    F32(Buffer<f32>),
    Bf16(Buffer<bf16>),
}

impl Numbers {
    /// Returns room for some; what is in it is left over from others.
    pub fn room(cpu: &Cpu, precision: Precision, count: usize) -> Self {
        match precision {
            Precision::F32 => Numbers::F32(cpu.pool.take(count)),
            Precision::Bf16 => Numbers::Bf16(cpu.pool.take(count)),
        }
    }

    /// Returns them to be written.
    pub fn target(&mut self) -> Target<'_> {
        match self {
            Numbers::F32(x) => Target::F32(x),
            Numbers::Bf16(x) => Target::Bf16(x),
        }
    }

    /// Returns them to be read.
    pub fn values(&self) -> Values<'_> {
        match self {
            Numbers::F32(x) => Values::F32(x),
            Numbers::Bf16(x) => Values::Bf16(x),
        }
    }

    /// Returns a copy in memory of its own, which goes back to no pool.
    fn aside(&self, cpu: &Cpu) -> Self {
        match self {
            Numbers::F32(x) => Numbers::F32(cpu.pool.apart(x)),
            Numbers::Bf16(x) => Numbers::Bf16(cpu.pool.apart(x)),
        }
    }

    fn precision(&self) -> Precision {
        match self {
            Numbers::F32(_) => Precision::F32,
            Numbers::Bf16(_) => Precision::Bf16,
        }
    }
}

impl Rows {
    /// Takes rows of `channels` numbers, `places` to a picture.
    pub fn new(cpu: &Cpu, numbers: Numbers, channels: usize, places: usize) -> Self {
        let part = Part { numbers: Arc::new(numbers), channels };
        Self { cpu: cpu.clone(), parts: vec![part], norm: None, places }
    }

    /// Returns other rows of as many pictures.
    pub fn like(&self, numbers: Numbers, channels: usize) -> Self {
        Self::new(&self.cpu, numbers, channels, self.places)
    }

    /// Returns all channels.
    pub fn channels(&self) -> usize {
        self.parts.iter().map(|part| part.channels).sum()
    }

    /// Returns all rows.
    pub fn count(&self) -> usize {
        let first = &self.parts[0];
        first.numbers.values().len() / first.channels.max(1)
    }

    /// Shows them to a kernel.
    pub fn with<R>(&self, f: impl FnOnce(Source<'_>) -> R) -> R {
        let parts: Vec<kernels::Part<'_>> = self
            .parts
            .iter()
            .map(|part| kernels::Part { values: part.numbers.values(), channels: part.channels })
            .collect();
        f(Source { parts: &parts, places: self.places, bend: self.norm.as_deref().map(Norm::bend) })
    }

    /// Returns the numbers, if they lie as they are.
    pub fn plain(&self) -> Option<&Numbers> {
        match (&self.parts[..], &self.norm) {
            ([part], None) => Some(&part.numbers),
            _ => None,
        }
    }

    /// Returns a copy, with all that is to be done to them done.
    pub fn written(&self, precision: Precision) -> Numbers {
        let mut numbers = Numbers::room(&self.cpu, precision, self.count() * self.channels());
        self.with(|source| kernels::write(&self.cpu, &source, &mut numbers.target()));
        numbers
    }

    /// Returns a copy for as long as a walk: were its memory from the pool, that would be missing there from the second
    /// step on, and be asked for once more.
    pub fn set_aside(&self) -> Rows {
        let part = |part: &Part| Part { numbers: Arc::new(part.numbers.aside(&self.cpu)), ..*part };
        Rows { parts: self.parts.iter().map(part).collect(), ..self.clone() }
    }

    /// Returns the numbers to be changed: themselves, where nobody else holds them, or a copy.
    pub fn into_numbers(mut self, precision: Precision) -> Numbers {
        let is_plain = self.plain().is_some_and(|numbers| numbers.precision() == precision);
        if is_plain {
            let part = self.parts.remove(0);
            match Arc::try_unwrap(part.numbers) {
                Ok(numbers) => return numbers,
                Err(numbers) => self.parts.push(Part { numbers, ..part }),
            }
        }
        self.written(precision)
    }

    /// Returns them as others that lie as they are: themselves, or a copy in f32.
    pub fn settled(&self) -> Rows {
        match self.plain() {
            Some(_) => self.clone(),
            None => Rows::new(&self.cpu, self.written(Precision::F32), self.channels(), self.places),
        }
    }

    /// Returns the numbers in f32.
    pub fn to_vec(&self) -> Vec<f32> {
        let mut all = vec![0.0; self.count() * self.channels()];
        self.with(|source| kernels::write(&self.cpu, &source, &mut Target::F32(&mut all)));
        all
    }

    /// Sets several side by side; nothing is copied, unless a norm stands over one of them.
    pub fn beside(all: &[Rows]) -> Rows {
        let parts = all.iter().flat_map(|rows| match rows.norm {
            None => rows.parts.clone(),
            Some(_) => rows.settled().parts,
        });
        Rows { parts: parts.collect(), ..all[0].clone() }
    }

    /// Returns them with a norm over them; they must have none.
    pub fn under(mut self, norm: Norm) -> Rows {
        self.norm = Some(Arc::new(norm));
        self
    }

    /// Returns them with nothing left to be done to them, so that a norm can measure them.
    pub fn bare(&self) -> Rows {
        if self.norm.is_some() { self.settled() } else { self.clone() }
    }

    /// Returns the sums of numbers.
    pub fn plus(self, other: &Rows) -> Rows {
        let (cpu, channels, places) = (self.cpu.clone(), self.channels(), self.places);
        let mut sum = self.into_numbers(Precision::F32);
        if let Numbers::F32(sum) = &mut sum {
            other.with(|source| kernels::add_onto(&cpu, &source, sum));
        }
        Rows::new(&cpu, sum, channels, places)
    }

    /// Returns rows by their numbers, `places` to a picture.
    pub fn picked(&self, from: &[usize], places: usize) -> Rows {
        let width = self.channels();
        let mut picked = self.cpu.pool.take::<f32>(from.len() * width);
        self.bare().with(|source| {
            let shared = Shared::new(&mut picked);
            parallel::ranges(from.len(), 16, |range| {
                for i in range {
                    // SAFETY: each row is in one range.
                    source.row(self.cpu.tier, from[i], unsafe { shared.part(i * width..(i + 1) * width) });
                }
            });
        });
        Rows::new(&self.cpu, Numbers::F32(picked), width, places)
    }

    /// Returns `x · factor + shift`.
    pub fn affine(self, factor: f32, shift: f32) -> Rows {
        self.changed(|cpu, x| kernels::affine(cpu, x, factor, shift))
    }

    /// Bends every number.
    pub fn bent(self, curve: Curve) -> Rows {
        self.changed(|cpu, x| kernels::bend(cpu, x, curve))
    }

    fn changed(self, change: impl FnOnce(&Cpu, &mut [f32])) -> Rows {
        let (cpu, channels, places) = (self.cpu.clone(), self.channels(), self.places);
        let mut numbers = self.into_numbers(Precision::F32);
        if let Numbers::F32(x) = &mut numbers {
            change(&cpu, x);
        }
        Rows::new(&cpu, numbers, channels, places)
    }
}

//! A row of vectors: text, or a feature map read line by line.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
};

use candle_core::{DType, Tensor};
use darkroom_kernels::{Buffer, Cpu, Curve};

use super::{Activation, Compute, FeatureMap, Rows, Values, feature_map::Dims, host, rows::Numbers, values};
use crate::Result;

/// A batch of rows of vectors, (batch, length, channels).
#[derive(Clone, Debug)]
pub struct Tokens {
    values: Values,
    dims: (usize, usize, usize),
    memo: Option<Arc<Memo>>,
}

/// What layers made of some tokens, by the number of the layer.
#[derive(Default)]
pub(super) struct Memo(Mutex<HashMap<u64, Tokens>>);

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

impl Tokens {
    /// Takes a tensor (batch, length, channels) of any float type.
    pub fn from_tensor(x: &Tensor) -> Result<Self> {
        let dims = x.dims3()?;
        Ok(Self { values: Values::Tensor(x.to_dtype(DType::F32)?.contiguous()?), dims, memo: None })
    }

    /// Takes what candle's operations made, (batch, length, channels), f32 or bf16.
    pub(super) fn made(x: &Tensor) -> Result<Self> {
        Ok(Self { values: Values::Tensor(x.contiguous()?), dims: x.dims3()?, memo: None })
    }

    /// Takes rows, a vector each.
    pub(super) fn from_rows(rows: Rows, dims: (usize, usize, usize)) -> Self {
        Self { values: Values::Rows(rows), dims, memo: None }
    }

    /// Takes one vector per picture, (batch, channels), as a row of length 1.
    pub fn from_vectors(x: &Tensor) -> Result<Self> {
        x.dims2()?;
        Self::from_tensor(&x.unsqueeze(1)?)
    }

    /// Returns one vector per picture, (batch, channels), of rows of length 1.
    pub fn to_vectors(&self) -> Result<Tensor> {
        Ok(self.to_tensor()?.squeeze(1)?)
    }

    /// Returns the tensor (batch, length, channels), f32, in this machine's memory.
    ///
    /// # Errors
    /// What a card says that it lies on.
    pub fn to_tensor(&self) -> Result<Tensor> {
        values::at_home(&self.tensor()?)
    }

    /// Returns the tensor where and as it lies.
    pub(super) fn tensor(&self) -> Result<Tensor> {
        match &self.values {
            Values::Tensor(x) => Ok(x.clone()),
            Values::Rows(rows) => host::tensor(rows.to_vec(), self.dims),
        }
    }

    /// Returns the rows that kernels read, and lets go of everything else.
    pub(super) fn into_rows(self, cpu: &Cpu) -> Result<Rows> {
        match self.values {
            Values::Rows(rows) => Ok(rows),
            Values::Tensor(_) => self.rows(cpu),
        }
    }

    /// Returns the rows that kernels read, a vector each.
    pub(super) fn rows(&self, cpu: &Cpu) -> Result<Rows> {
        let x = match &self.values {
            Values::Rows(rows) => return Ok(rows.clone()),
            Values::Tensor(x) => x,
        };
        let mut rows: Buffer<f32> = cpu.pool.take(x.elem_count());
        if host::with(x, |x| rows.copy_from_slice(x)).is_none() {
            rows.copy_from_slice(&host::values(x)?);
        }
        Ok(Rows::new(cpu, Numbers::F32(rows), self.dims.2, self.dims.1))
    }

    /// Returns the tokens as `compute` reads them, so that what follows does not convert them again.
    pub fn within(&self, compute: &Compute) -> Result<Tokens> {
        match compute.cpu() {
            Some(cpu) => Ok(Self::from_rows(self.rows(cpu)?, self.dims)),
            None => self.on(compute),
        }
    }

    /// Returns the tokens on the card of `compute`.
    fn on(&self, compute: &Compute) -> Result<Tokens> {
        match compute.on_card() {
            Some(card) => Self::made(&card.bring(&self.tensor()?)?),
            None => Ok(self.clone()),
        }
    }

    /// Returns (batch, length, channels).
    pub fn dims(&self) -> (usize, usize, usize) {
        self.dims
    }

    /// Returns the same tokens; what layers make of them is kept as long as they or a clone of them live.
    ///
    /// The text is the same at every step of a walk, and so are the keys and values that are made of it.
    #[must_use]
    pub fn remembering(self) -> Self {
        Self { memo: Some(Arc::default()), ..self }
    }

    /// Returns what layer number `layer` made of these tokens, or makes it.
    pub(super) fn remembered(&self, layer: u64, make: impl FnOnce() -> Result<Tokens>) -> Result<Tokens> {
        let Some(memo) = &self.memo else { return make() };
        let open = || memo.0.lock().expect("no code panics while it holds the memo");
        if let Some(made) = open().get(&layer).cloned() {
            return Ok(made);
        }
        let mut made = make()?;
        if let Values::Rows(rows) = &made.values {
            made.values = Values::Rows(rows.set_aside());
        }
        open().insert(layer, made.clone());
        Ok(made)
    }

    /// Adds value by value.
    pub fn add(&self, other: &Tokens) -> Result<Tokens> {
        let cpu = match (&self.values, &other.values) {
            (Values::Tensor(a), Values::Tensor(b)) => return Self::made(&values::sum(a, b)?),
            (Values::Rows(rows), _) | (_, Values::Rows(rows)) => &rows.cpu,
        };
        super::same("tokens", self.dims, other.dims)?;
        Ok(Self::from_rows(self.rows(cpu)?.plus(&other.rows(cpu)?), self.dims))
    }

    /// Bends every value.
    pub fn bent(&self, activation: Activation) -> Result<Tokens> {
        match &self.values {
            Values::Tensor(x) => Self::made(&activation.composed(x)?),
            Values::Rows(rows) => {
                let curve: Curve = activation.curve();
                Ok(Self::from_rows(rows.clone().bent(curve), self.dims))
            }
        }
    }

    /// Sets the channels of several side by side.
    pub fn concat_channels(parts: &[&Tokens]) -> Result<Tokens> {
        Self::concat(parts, 2)
    }

    /// Sets several batches one behind the other.
    pub fn concat_batch(parts: &[&Tokens]) -> Result<Tokens> {
        Self::concat(parts, 0)
    }

    fn concat(parts: &[&Tokens], axis: usize) -> Result<Tokens> {
        let parts = parts.iter().map(|part| part.tensor()).collect::<Result<Vec<_>>>()?;
        Self::made(&values::joined(&parts, axis)?)
    }

    /// Returns zeros of the same size.
    pub fn zeros_like(&self) -> Result<Tokens> {
        Self::made(&self.tensor()?.zeros_like()?)
    }

    /// Takes one vector out of each row: (batch, 1, channels).
    pub fn pick(&self, places: &[usize]) -> Result<Tokens> {
        let x = self.tensor()?;
        let rows = places.iter().enumerate();
        let rows = rows.map(|(b, place)| x.narrow(0, b, 1)?.narrow(1, *place, 1));
        let rows = rows.collect::<candle_core::Result<Vec<_>>>()?;
        Self::made(&Tensor::cat(&rows, 0)?)
    }

    /// Repeats a batch of one for `batch` pictures; any other batch stays as it is.
    pub fn repeat_for(&self, batch: usize) -> Result<Tokens> {
        match self.dims.0 {
            1 if batch != 1 => Self::made(&self.tensor()?.repeat((batch, 1, 1))?),
            _ => Ok(self.clone()),
        }
    }

    /// Lays the vectors out as a map of `height` lines.
    pub fn to_map(&self, height: usize, width: usize) -> Result<FeatureMap> {
        let (batch, length, channels) = self.dims;
        super::same("tokens of a map", length, height * width)?;
        match &self.values {
            Values::Rows(rows) => {
                let dims = Dims { batch, channels, height, width };
                Ok(FeatureMap::from_rows(rows.clone(), dims))
            }
            Values::Tensor(x) => {
                let planes = x.transpose(1, 2)?.contiguous()?; // b c (h w)
                FeatureMap::made(&planes.reshape((batch, channels, height, width))?)
            }
        }
    }
}

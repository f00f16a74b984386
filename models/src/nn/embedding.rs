//! Numbers to vectors: tables for words, waves for times and sizes.

use candle_core::{DType, Tensor};

use super::{Tokens, host};
use crate::{Error, Result, Weights};

/// A table with a vector per word.
#[derive(Clone, Debug)]
pub struct Embedding {
    /// (words, channels), in the precision that it was handed out in.
    table: Tensor,
    words: usize,
}

impl Embedding {
    /// Loads `weight` (words, channels).
    pub fn load(w: &Weights, words: usize, channels: usize) -> Result<Self> {
        let read = |w: &Weights| w.as_stored("weight").get("weight", (words, channels));
        let table = match w.compute().is_hollow() {
            // Where nothing is computed one word stands for all.
            true => read(&w.hollow()).and_then(|table| Ok(table.narrow(0, 0, 1)?.contiguous()?))?,
            false => {
                let base = w.unchanged();
                let base = base.as_ref().unwrap_or(w);
                base.shared("table", || read(base))?
            }
        };
        let table = match w.patches() {
            [] => table,
            patches => patches.iter().try_fold(table.to_dtype(DType::F32)?, |table, patch| patch.weight(&table))?,
        };
        Ok(Self { table, words })
    }

    /// Looks up rows of words, all of one length.
    pub fn forward(&self, rows: &[Vec<u32>]) -> Result<Tokens> {
        self.forward_with(rows, None)
    }

    /// Looks up rows of words of which some may have their vectors, (words, channels), behind the table.
    pub fn forward_with(&self, rows: &[Vec<u32>], more: Option<&Tensor>) -> Result<Tokens> {
        let length = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != length) {
            let what = "rows of words of unequal lengths cannot be one batch";
            return Err(Error::Shape(what.into()));
        }
        let ids: Vec<u32> = rows.iter().flatten().copied().collect();
        let words = self.words + more.map_or(Ok(0), |more| more.dim(0))?;
        if let Some(id) = ids.iter().find(|id| **id as usize >= words) {
            let what = format!("word {id} is not in a table of {words} words");
            return Err(Error::Shape(what));
        }
        let table = &self.table;
        let channels = table.dim(1)?;
        let there = table.dim(0)?;
        let within: Vec<u32> = ids.iter().map(|id| if (*id as usize) < there { *id } else { 0 }).collect();
        let within = Tensor::from_vec(within, rows.len() * length, table.device())?;
        let mut vectors = table.index_select(&within, 0)?.to_dtype(DType::F32)?;
        if let Some(more) = more.filter(|_| ids.iter().any(|id| *id as usize >= self.words)) {
            vectors = self.replaced(&vectors, &ids, more)?;
        }
        Tokens::from_tensor(&vectors.reshape((rows.len(), length, channels))?)
    }

    /// Puts the vectors behind the table where their words stand.
    fn replaced(&self, vectors: &Tensor, ids: &[u32], more: &Tensor) -> Result<Tensor> {
        let channels = vectors.dim(1)?;
        let mut all = vectors.flatten_all()?.to_vec1::<f32>()?;
        let more = more.to_dtype(DType::F32)?.to_vec2::<f32>()?;
        for (vector, id) in all.chunks_mut(channels).zip(ids) {
            match (*id as usize).checked_sub(self.words).map(|behind| &more[behind]) {
                Some(own) if own.len() == channels => vector.copy_from_slice(own),
                Some(own) => {
                    let what = format!("a vector of width {} is no word in a table of width {channels}", own.len());
                    return Err(Error::Shape(what));
                }
                None => {}
            }
        }
        Ok(Tensor::from_vec(all, vectors.dims(), vectors.device())?)
    }
}

/// Waves of falling frequency, as a time or a size is told to a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sinusoid {
    /// Values per number.
    pub channels: usize,
    /// Cosines first.
    pub flip_sin_to_cos: bool,
    /// Taken off the number of frequencies when their spacing is computed.
    pub freq_shift: f64,
}

impl Sinusoid {
    /// Returns a vector per row of numbers, the waves of each number side by side: (rows, 1, numbers · channels).
    ///
    /// Computed in f32 step by step as the reference does it, because at a time of 999 one rounding more moves the
    /// phase by 6e-5; in bf16 the error would be 2.
    pub fn forward(&self, rows: &[Vec<f64>]) -> Result<Tokens> {
        let numbers: Vec<f64> = rows.iter().flatten().copied().collect();
        let half = self.channels / 2;
        let spacing = (half as f64 - self.freq_shift) as f32;
        let frequency = |i: usize| -> f32 {
            let exponent = -(10000f64.ln() as f32) * i as f32 / spacing;
            f64::from(exponent).exp() as f32
        };
        let frequencies: Vec<f32> = (0..half).map(frequency).collect();
        let mut out = vec![0.0; numbers.len() * self.channels];
        for (row, number) in out.chunks_mut(self.channels.max(1)).zip(&numbers) {
            for (i, frequency) in frequencies.iter().enumerate() {
                let phase = f64::from(*number as f32 * frequency);
                let (sin, cos) = if self.flip_sin_to_cos { (half + i, i) } else { (i, half + i) };
                row[sin] = phase.sin() as f32;
                row[cos] = phase.cos() as f32;
            }
        }
        let width = out.len() / rows.len().max(1);
        if rows.iter().any(|row| row.len() * self.channels != width) {
            let what = "rows of numbers of unequal lengths cannot be one batch";
            return Err(Error::Shape(what.into()));
        }
        Tokens::from_tensor(&host::tensor(out, (rows.len(), 1, width))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_come_first_where_the_configuration_flips_them() {
        let waves = |flip_sin_to_cos| {
            let waves = Sinusoid { channels: 4, flip_sin_to_cos, freq_shift: 0.0 };
            let x = waves.forward(&[vec![0.0, 500.0]]).unwrap();
            x.to_vectors().unwrap().to_vec2::<f32>().unwrap().remove(0)
        };
        assert_eq!(waves(true)[..4], [1.0, 1.0, 0.0, 0.0]);
        assert_eq!(waves(false)[..4], [0.0, 0.0, 1.0, 1.0]);
        // The second of two frequencies is 10000^(-1/2).
        assert!((waves(true)[5] - 5f32.cos()).abs() < 1e-6);
    }

    #[test]
    fn a_word_outside_of_the_table_is_named() {
        let w = Weights::dry("table", [("weight".to_string(), vec![10, 2])]);
        let table = Embedding::load(&w, 10, 2).unwrap();
        let fault = table.forward(&[vec![3, 10]]).unwrap_err();
        assert_eq!(fault.to_string(), "word 10 is not in a table of 10 words");
    }
}

//! What the UNet is told besides the text: the time, and the pooled text with the sizes.

use crate::{
    Error, Result, Weights,
    nn::{Activation, Bias, Linear, Sinusoid, Tokens},
};

/// The pooled text and the sizes of SDXL's `text_time` conditioning.
#[derive(Clone, Debug)]
pub struct Added {
    /// One vector per picture, (batch, 1, pooled).
    pub pooled: Tokens,
    /// One row per picture: original height and width, crop from the top and left, target height and width, in pixels;
    /// for the refiner the last two are replaced by the aesthetic score.
    pub time_ids: Vec<Vec<f64>>,
}

/// Two matrices around silu.
#[derive(Debug)]
struct Mlp(Linear, Linear);

impl Mlp {
    fn load(w: &Weights, inputs: usize, width: usize) -> Result<Self> {
        Ok(Self(
            Linear::load(&w.at("linear_1"), inputs, width, Bias::Yes)?,
            Linear::load(&w.at("linear_2"), width, width, Bias::Yes)?,
        ))
    }

    fn forward(&self, x: &Tokens) -> Result<Tokens> {
        let h = Activation::Silu.forward(&self.0.forward(x)?)?;
        self.1.forward(&h)
    }
}

/// The time as a vector.
#[derive(Debug)]
pub struct TimeEmbedding {
    waves: Sinusoid,
    mlp: Mlp,
}

impl TimeEmbedding {
    /// Loads it; `width` is that of the vector.
    pub fn load(w: &Weights, waves: Sinusoid, width: usize) -> Result<Self> {
        let mlp = Mlp::load(w, waves.channels, width)?;
        Ok(Self { waves, mlp })
    }

    /// Returns the vector of one time for each of `batch` pictures.
    pub fn forward(&self, timestep: f64, batch: usize) -> Result<Tokens> {
        self.mlp.forward(&self.waves.forward(&[vec![timestep]])?)?.repeat_for(batch)
    }
}

/// The pooled text and the sizes as a vector.
#[derive(Debug)]
pub struct AddEmbedding {
    waves: Sinusoid,
    inputs: usize,
    mlp: Mlp,
}

impl AddEmbedding {
    /// Loads it; pooled text and waves together are `inputs` wide.
    pub fn load(w: &Weights, waves: Sinusoid, inputs: usize, width: usize) -> Result<Self> {
        let mlp = Mlp::load(w, inputs, width)?;
        Ok(Self { waves, inputs, mlp })
    }

    /// Returns a vector per picture.
    pub fn forward(&self, added: &Added, batch: usize) -> Result<Tokens> {
        let waves = self.waves.forward(&added.time_ids)?.repeat_for(batch)?;
        let pooled = added.pooled.repeat_for(batch)?;
        let (rows, _, width) = pooled.dims();
        if width + waves.dims().2 != self.inputs || rows != batch || waves.dims().0 != batch {
            let ids = added.time_ids.first().map_or(0, Vec::len);
            return Err(Error::Shape(format!(
                "this UNet's size conditioning is {} wide; pooled text of {width} with {ids} numbers for each of \
                 {batch} pictures does not fit",
                self.inputs
            )));
        }
        self.mlp.forward(&Tokens::concat_channels(&[&pooled, &waves])?)
    }
}

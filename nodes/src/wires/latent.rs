//! A batch of latents: pictures as a denoiser sees them, and what a later step must know of how they were made.

use std::sync::Arc;

use candle_core::Tensor;
use darkroom_core::types::{Kind, Type};
use darkroom_core::value::{Codec, Datum, Made, Record, Value};
use darkroom_models::sampling::NoiseDevice;

use crate::wires::repaint::Repaint;
use crate::wires::{is_finite, to_array, to_tensor};

/// A batch of latents.
#[derive(Debug, Clone)]
pub struct Latent {
    /// Whose latents.
    pub space: Arc<str>,
    /// Width of the pictures in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Pictures in the batch.
    pub count: u32,
    /// Scaled latents, f32, `(count, channels, height / 8, width / 8)`; `None` where nothing is drawn yet.
    pub x: Option<Tensor>,
    /// The sigma that is still in them, where a denoiser stopped before the end of its way; 0 for finished ones.
    pub noise_left: f64,
    /// The part that is to be drawn anew; everything where there is none.
    pub repaint: Option<Repaint>,
    /// What encoding has drawn by chance.
    pub drawn: Option<Drawn>,
}

/// What was drawn from the stream of a seed already. Whoever draws from it next goes on behind that, as one pipeline of
/// diffusers with one generator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// The seed.
    pub seed: u64,
    /// Whose generator.
    pub generator: NoiseDevice,
    /// Values of the one draw.
    pub values: u64,
}

impl Latent {
    /// A blank sheet.
    pub fn blank(space: impl Into<Arc<str>>, width: u32, height: u32, count: u32) -> Self {
        Self { space: space.into(), width, height, count, x: None, noise_left: 0.0, repaint: None, drawn: None }
    }
}

impl Datum for Latent {
    const KIND: Kind = Kind("latent");

    fn bytes(&self) -> u64 {
        let own = self.x.as_ref().map_or(64, |x| 4 * x.elem_count() as u64);
        own + self.repaint.as_ref().map_or(0, Repaint::bytes)
    }

    fn codec() -> Option<Codec> {
        Some(Codec::new(encode, decode))
    }

    fn describe(&self) -> Type {
        Type::of(Self::KIND)
            .family(Arc::clone(&self.space))
            .size(Some(self.width), Some(self.height))
            .count(Some(self.count))
    }

    fn flaw(&self) -> Option<String> {
        let repaint = self.repaint.iter().flat_map(Repaint::tensors).map(|(_, tensor)| tensor);
        let finite = self.x.iter().chain(repaint).all(is_finite);
        (!finite).then(|| "the latent has numbers that are not finite".to_owned())
    }
}

fn encode(value: &Value) -> Option<Record> {
    let latent = value.downcast::<Latent>()?;
    let mut record = Record::default();
    let numbers = [("width", latent.width), ("height", latent.height), ("count", latent.count)];
    record.words.extend(numbers.map(|(name, number)| (name.to_owned(), number.to_string())));
    record.words.insert("space".to_owned(), latent.space.to_string());
    record.words.insert("noise_left".to_owned(), latent.noise_left.to_string());
    if let Some(drawn) = latent.drawn {
        let generator = match drawn.generator {
            NoiseDevice::Cpu => "cpu",
            NoiseDevice::Philox => "philox",
        };
        record.words.insert("drawn".to_owned(), format!("{} {} {generator}", drawn.seed, drawn.values));
    }
    if let Some(x) = &latent.x {
        record.arrays.insert("x".to_owned(), to_array(x)?);
    }
    for (name, tensor) in latent.repaint.iter().flat_map(Repaint::tensors) {
        record.arrays.insert(name.to_owned(), to_array(tensor)?);
    }
    Some(record)
}

fn decode(record: &Record) -> Option<Made> {
    let number = |name: &str| record.words.get(name)?.parse().ok();
    let tensor = |name: &str| record.arrays.get(name).map(to_tensor);
    Some(Made::new(Latent {
        space: record.words.get("space")?.as_str().into(),
        width: number("width")?,
        height: number("height")?,
        count: number("count")?,
        x: whole(tensor("x"))?,
        noise_left: record.words.get("noise_left").map_or(Some(0.0), |left| left.parse().ok())?,
        repaint: whole(Repaint::from_tensors(tensor))?,
        drawn: whole(record.words.get("drawn").map(|words| drawn(words)))?,
    }))
}

/// What is there must be readable.
fn whole<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    match part {
        Some(None) => None,
        Some(found) => Some(found),
        None => Some(None),
    }
}

fn drawn(words: &str) -> Option<Drawn> {
    let [seed, values, generator] = words.split(' ').collect::<Vec<_>>()[..] else { return None };
    let generator = match generator {
        "cpu" => NoiseDevice::Cpu,
        "philox" => NoiseDevice::Philox,
        _ => return None,
    };
    Some(Drawn { seed: seed.parse().ok()?, generator, values: values.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use darkroom_core::fingerprint::Fingerprint;

    use super::*;

    fn kept(latent: &Latent) -> Latent {
        let value = Made::new(latent.clone()).named(Fingerprint::of_bytes(b"x"));
        let back = decode(&encode(&value).expect("latents are kept")).expect("just written");
        back.named(value.name()).get::<Latent>().expect("a latent").clone()
    }

    #[test]
    fn a_latent_survives_the_disk_with_its_mask() {
        let ones = |channels| Tensor::ones((1, channels, 2, 3), candle_core::DType::F32, &Device::Cpu).expect("small");
        let repaint = Repaint { picture: ones(4), mask: ones(1), masked: ones(4), masked_spread: Some(ones(4)) };
        let drawn = Some(Drawn { seed: u64::MAX, generator: NoiseDevice::Philox, values: 24 });
        let latent = Latent {
            x: Some(ones(4)),
            noise_left: 0.1,
            repaint: Some(repaint),
            drawn,
            ..Latent::blank("sdxl", 24, 16, 1)
        };
        let back = kept(&latent);
        assert_eq!((back.noise_left, back.drawn), (latent.noise_left, latent.drawn));
        let repaint = back.repaint.expect("it was there");
        assert_eq!(repaint.mask.dims(), [1, 1, 2, 3]);
        assert!(repaint.masked_spread.is_some());
        let blank = kept(&Latent::blank("sdxl", 24, 16, 2));
        assert!(blank.x.is_none() && blank.repaint.is_none() && blank.drawn.is_none());
    }
}

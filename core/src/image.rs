//! Pictures: plain pixels, the one value that every face can show.

use std::sync::Arc;

use crate::types::{Kind, Type};
use crate::value::{Array, Codec, Datum, Made, Record, Value};

/// One picture: rows of interleaved samples in `[0, 1]`, display-referred (sRGB) as files hold them.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    width: u32,
    height: u32,
    channels: u32,
    samples: Arc<[f32]>,
}

impl Picture {
    /// Makes a picture; `None` unless there are `width · height · channels` samples in 3 (RGB) or 4 (RGBA) channels.
    pub fn new(width: u32, height: u32, channels: u32, samples: impl Into<Arc<[f32]>>) -> Option<Self> {
        let samples = samples.into();
        let wanted = (width as usize).checked_mul(height as usize)?.checked_mul(channels as usize)?;
        let fits = matches!(channels, 3 | 4) && width > 0 && height > 0 && samples.len() == wanted;
        fits.then_some(Self { width, height, channels, samples })
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Returns 3 for RGB and 4 for RGBA.
    pub fn channels(&self) -> u32 {
        self.channels
    }

    /// Returns the samples, row by row, channels interleaved.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// Returns the samples as bytes, rounded to the nearest of 256 levels.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.samples.iter().map(|sample| (sample.clamp(0.0, 1.0) * 255.0).round() as u8).collect()
    }

    /// Makes a picture of bytes.
    pub fn from_bytes(width: u32, height: u32, channels: u32, bytes: &[u8]) -> Option<Self> {
        let samples: Vec<_> = bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect();
        Self::new(width, height, channels, samples)
    }
}

/// A batch of pictures; most often one.
#[derive(Debug, Clone, PartialEq)]
pub struct Pictures(Arc<[Picture]>);

impl Pictures {
    /// Makes a batch.
    pub fn new(pictures: impl Into<Arc<[Picture]>>) -> Self {
        Self(pictures.into())
    }

    /// Walks over the pictures.
    pub fn iter(&self) -> std::slice::Iter<'_, Picture> {
        self.0.iter()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Maps every picture by itself.
    ///
    /// # Errors
    /// The first that the mapping gives.
    pub fn map<E>(&self, change: impl FnMut(&Picture) -> Result<Picture, E>) -> Result<Self, E> {
        Ok(Self(self.iter().map(change).collect::<Result<Vec<_>, E>>()?.into()))
    }
}

impl<'a> IntoIterator for &'a Pictures {
    type Item = &'a Picture;
    type IntoIter = std::slice::Iter<'a, Picture>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Datum for Pictures {
    const KIND: Kind = Kind::IMAGE;

    fn bytes(&self) -> u64 {
        self.iter().map(|picture| 4 * picture.samples.len() as u64).sum()
    }

    fn codec() -> Option<Codec> {
        Some(Codec::new(encode, decode))
    }

    fn describe(&self) -> Type {
        let first = self.0.first();
        let count = u32::try_from(self.len()).ok();
        Type::of(Kind::IMAGE).size(first.map(Picture::width), first.map(Picture::height)).count(count)
    }

    fn flaw(&self) -> Option<String> {
        let finite = self.iter().all(|picture| picture.samples.iter().all(|sample| sample.is_finite()));
        (!finite).then(|| "a picture has samples that are not finite".to_owned())
    }
}

fn encode(value: &Value) -> Option<Record> {
    let mut record = Record::default();
    for (index, picture) in value.downcast::<Pictures>()?.iter().enumerate() {
        let shape = vec![picture.height as usize, picture.width as usize, picture.channels as usize];
        record.arrays.insert(format!("picture.{index:05}"), Array::f32(shape, &picture.samples));
    }
    Some(record)
}

fn decode(record: &Record) -> Option<Made> {
    let pictures = record.arrays.values().map(|array| {
        let [height, width, channels] = array.shape[..] else { return None };
        Picture::new(width.try_into().ok()?, height.try_into().ok()?, channels.try_into().ok()?, array.to_f32()?)
    });
    Some(Made::new(Pictures(pictures.collect::<Option<Vec<_>>>()?.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::Fingerprint;

    #[test]
    fn a_batch_survives_the_disk() {
        let picture = Picture::new(2, 1, 3, vec![0.0, 0.25, 0.5, 0.75, 1.0, 0.1]).expect("six samples");
        let batch = Pictures::new(vec![picture.clone(), picture]);
        let value = Made::new(batch.clone()).named(Fingerprint::of_bytes(b"x"));
        let back = decode(&encode(&value).expect("pictures are kept")).expect("just written");
        assert_eq!(back.named(value.name()).get::<Pictures>(), Ok(&batch));
    }

    #[test]
    fn a_picture_has_as_many_samples_as_pixels() {
        assert!(Picture::new(2, 2, 3, vec![0.0; 11]).is_none());
        assert!(Picture::new(0, 2, 3, vec![]).is_none());
    }
}

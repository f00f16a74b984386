//! Textual inversion: a file of vectors that a word of the prompt stands for.
//!
//! Three spellings are read, all of them safetensors: A1111's `emb_params`, SDXL's `clip_l` and `clip_g`, and diffusers',
//! whose one tensor is called like the word. Which text encoder a tensor belongs to follows from its width.

use std::path::Path;

use candle_core::Tensor;

use crate::{Error, Result, Weights};

/// The most bytes of a file; published ones have some kilobytes.
const MAX_BYTES: u64 = 64 << 20;
/// The most vectors of a word: as many as a chunk has room for.
const MAX_VECTORS: usize = 75;
/// The longest word, in bytes.
const MAX_WORD: usize = 128;

/// A word and the vectors that it stands for.
#[derive(Clone, Debug)]
pub struct Inversion {
    word: String,
    /// For each text encoder: (vectors, width).
    towers: Vec<Tensor>,
}

impl Inversion {
    /// Reads a file for text encoders of these widths. The word is `word`, or what the file calls it, or the file's name.
    ///
    /// # Errors
    /// A file that is no safetensors (a pickle is refused, with the reason), or whose vectors do not fit the encoders.
    pub fn open(path: &Path, word: Option<&str>, widths: &[usize]) -> Result<Self> {
        let weights = Self::probe(path)?;
        let names: Vec<String> = weights.names().map(str::to_owned).collect();
        let (tensors, called) = match &names[..] {
            _ if names.iter().any(|name| name == "emb_params") => (vec!["emb_params"], None),
            _ if names.iter().any(|name| name == "clip_l" || name == "clip_g") => (vec!["clip_l", "clip_g"], None),
            [name] => (vec![name.as_str()], Some(name.as_str())),
            _ => {
                let what = format!("this is no embedding: it holds {} tensors, and none is `emb_params`", names.len());
                return Err(Error::format(path, what).with_hint(SPELLINGS));
            }
        };
        let present = tensors.into_iter().filter(|name| weights.contains(name));
        let read = present.map(|name| read(path, &weights, name)).collect::<Result<Vec<_>>>()?;
        weights.finish()?;
        let stem = || path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let word = word.map(str::to_owned).or(called.map(str::to_owned)).or_else(stem).unwrap_or_default();
        Ok(Self { word: checked(path, &word)?, towers: assign(path, read, widths)? })
    }

    /// Opens a file without reading its vectors: one that could be no embedding is refused.
    ///
    /// # Errors
    /// A file that is too large, or no safetensors.
    pub fn probe(path: &Path) -> Result<Weights> {
        let bytes = std::fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
        if bytes > MAX_BYTES {
            let what = format!("an embedding has at most {MAX_BYTES} bytes, this file has {bytes}");
            return Err(Error::format(path, what).with_hint("open models with `load_model`"));
        }
        Weights::open(path)
    }

    /// Returns the word, in the letter case of its author.
    pub fn word(&self) -> &str {
        &self.word
    }

    /// Returns the vectors for a text encoder, (vectors, width).
    ///
    /// # Panics
    /// If there is no such text encoder.
    pub fn vectors(&self, tower: usize) -> &Tensor {
        &self.towers[tower]
    }
}

const SPELLINGS: &str =
    "an embedding holds `emb_params`, `clip_l` and `clip_g`, or one tensor that is called like its word";

/// Reads one tensor as (vectors, width).
fn read(path: &Path, weights: &Weights, name: &str) -> Result<Tensor> {
    let shape = weights.shape(name).unwrap_or_default();
    let (count, width) = match shape[..] {
        [width] => (1, width),
        [count, width] => (count, width),
        _ => {
            return Err(Error::format(
                path,
                format!("`{name}` has the shape {shape:?}, and (vectors, width) is wanted"),
            ));
        }
    };
    if count == 0 || width == 0 || count > MAX_VECTORS {
        let what = format!("`{name}` holds {count} vectors of width {width}; 1 to {MAX_VECTORS} vectors make a word");
        return Err(Error::format(path, what));
    }
    let vectors = weights.get(name, shape)?.reshape((count, width))?;
    let finite = vectors.flatten_all()?.to_vec1::<f32>()?.iter().all(|x| x.is_finite());
    match finite {
        true => Ok(vectors),
        false => Err(Error::format(path, format!("`{name}` holds numbers that are not finite"))),
    }
}

fn checked(path: &Path, word: &str) -> Result<String> {
    let word = word.trim();
    if word.is_empty() || word.len() > MAX_WORD || word.chars().any(char::is_control) {
        let what = format!("`{}` cannot be a word of a prompt", word.escape_debug().take(80).collect::<String>());
        return Err(Error::format(path, what).with_hint("give it another `name`"));
    }
    Ok(word.to_owned())
}

/// Gives each text encoder the vectors of its width.
fn assign(path: &Path, read: Vec<Tensor>, widths: &[usize]) -> Result<Vec<Tensor>> {
    let mut left: Vec<Option<Tensor>> = read.into_iter().map(Some).collect();
    let found = left.iter().flatten().map(|tensor| tensor.dims()[1].to_string()).collect::<Vec<_>>().join(" and ");
    let mut towers = Vec::with_capacity(widths.len());
    for width in widths {
        let fits = left.iter_mut().find(|tensor| tensor.as_ref().is_some_and(|tensor| tensor.dims()[1] == *width));
        let Some(tensor) = fits.and_then(Option::take) else {
            let wanted = widths.iter().map(usize::to_string).collect::<Vec<_>>().join(" and ");
            let what = format!("the embedding is {found} wide, the text encoders of this model are {wanted}");
            return Err(
                Error::format(path, what).with_hint("take an embedding that was trained for this kind of model")
            );
        };
        towers.push(tensor);
    }
    let count = |tensor: &Tensor| tensor.dims()[0];
    match towers.windows(2).find(|pair| count(&pair[0]) != count(&pair[1])) {
        Some(pair) => {
            let (first, second) = (count(&pair[0]), count(&pair[1]));
            Err(Error::format(
                path,
                format!("the word has {first} vectors for one text encoder and {second} for the other"),
            ))
        }
        None => Ok(towers),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::Device;

    use super::*;

    fn file(folder: &Path, name: &str, tensors: &[(&str, Vec<usize>)]) -> std::path::PathBuf {
        let tensor = |(name, shape): &(&str, Vec<usize>)| {
            ((*name).to_owned(), Tensor::ones(shape.clone(), candle_core::DType::F32, &Device::Cpu).unwrap())
        };
        let map: HashMap<String, Tensor> = tensors.iter().map(tensor).collect();
        let path = folder.join(name);
        candle_core::safetensors::save(&map, &path).unwrap();
        path
    }

    #[test]
    fn three_spellings_are_read() {
        let home = tempfile::tempdir().unwrap();
        let open = |path: &Path, word| Inversion::open(path, word, &[4, 6]);
        let both = file(home.path(), "both.safetensors", &[("clip_g", vec![2, 6]), ("clip_l", vec![2, 4])]);
        let read = open(&both, None).unwrap();
        assert_eq!((read.word(), read.vectors(0).dims(), read.vectors(1).dims()), ("both", &[2, 4][..], &[2, 6][..]));
        assert_eq!(open(&both, Some("style")).unwrap().word(), "style");
        let old = file(home.path(), "old.safetensors", &[("emb_params", vec![3, 4])]);
        assert_eq!(Inversion::open(&old, None, &[4]).unwrap().vectors(0).dims(), [3, 4]);
        let one = file(home.path(), "x.safetensors", &[("<toy>", vec![4])]);
        assert_eq!(Inversion::open(&one, None, &[4]).unwrap().word(), "<toy>");
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let home = tempfile::tempdir().unwrap();
        let told = |name: &str, tensors: &[(&str, Vec<usize>)]| {
            Inversion::open(&file(home.path(), name, tensors), None, &[4, 6]).unwrap_err().to_string()
        };
        let cases = [
            (
                told("a", &[("emb_params", vec![1, 4])]),
                "the embedding is 4 wide, the text encoders of this model are 4 and 6",
            ),
            (told("b", &[("clip_l", vec![1, 4]), ("clip_g", vec![2, 6])]), "has 1 vectors for one text encoder and 2"),
            (told("c", &[("a", vec![1, 4]), ("b", vec![1, 4])]), "this is no embedding: it holds 2 tensors"),
            (told("d", &[("emb_params", vec![76, 4])]), "holds 76 vectors"),
            (told("e", &[("emb_params", vec![1, 2, 4])]), "(vectors, width) is wanted"),
        ];
        for (told, wanted) in cases {
            assert!(told.contains(wanted), "{told:?} does not say {wanted:?}");
        }
    }

    #[test]
    fn a_pickle_is_refused_with_the_reason() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("style.pt");
        std::fs::write(&path, b"PK\x03\x04 and so on").unwrap();
        let fault = Inversion::open(&path, None, &[4]).unwrap_err();
        assert!(fault.to_string().contains("with a pickle inside"), "{fault}");
        assert!(fault.hint().unwrap().contains(".safetensors"));
    }
}

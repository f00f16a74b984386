//! The change of one layer: how it is put together from its pieces, and what it does to the layer's weight.
//!
//! W' = W + strength · (alpha / rank) · ΔW, where ΔW is a product of small matrices. DoRA first gives every row (or
//! column) of W + ΔW a learned length, and the strength then goes from W to that. Formulas: LoRA arXiv 2106.09685, LoHa
//! and LoKr arXiv 2309.14859, DoRA arXiv 2402.09353; the conventions of alpha are those of the files' tools.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use super::form::{Factor, Form, flat, wide};
use super::pieces::Piece;
use crate::Result;

/// What a file changes about one layer.
#[derive(Debug)]
pub struct Change {
    forms: Vec<(Form, f64)>,
    magnitude: Option<Magnitude>,
    bias: Option<Tensor>,
}

/// The length of each row, or of each column.
#[derive(Debug)]
enum Magnitude {
    Rows(Tensor),
    Columns(Tensor),
}

/// The pieces of one layer as tensors.
pub type Pieces = BTreeMap<Piece, Tensor>;

impl Change {
    /// Puts a change together; says what is missing.
    pub fn new(mut pieces: Pieces) -> Result<Self, String> {
        let alpha = pieces.remove(&Piece::Alpha).map(|alpha| number(&alpha)).transpose()?;
        let mut take = Take(&mut pieces);
        let mut forms = Vec::new();
        if let Some((product, rank)) = take.product([Piece::Up, Piece::Down], Some(Piece::Mid))? {
            forms.push((Form::One(product), alpha.map_or(1.0, |alpha| alpha / rank)));
        }
        let first = take.turned([Piece::Hada1A, Piece::Hada1B], Some(Piece::Hada1Core))?;
        let second = take.turned([Piece::Hada2A, Piece::Hada2B], Some(Piece::Hada2Core))?;
        match (first, second) {
            (Some((first, rank)), Some((second, _))) => {
                forms.push((Form::Hadamard(first, second), alpha.map_or(1.0, |alpha| alpha / rank)));
            }
            (None, None) => {}
            _ => return Err("only one of the products `hada_w1` and `hada_w2`".into()),
        }
        // LyCORIS writes one half as a matrix; two of those have no rank, and their alpha no meaning.
        let first = take.kron(Piece::Kron1, [Piece::Kron1A, Piece::Kron1B], None)?;
        let second = take.kron(Piece::Kron2, [Piece::Kron2A, Piece::Kron2B], Some(Piece::Kron2Core))?;
        match (first, second) {
            (Some((first, rank_1)), Some((second, rank_2))) => {
                let factor = rank_2.or(rank_1).zip(alpha).map_or(1.0, |(rank, alpha)| alpha / rank);
                forms.push((Form::Kronecker(first, second), factor));
            }
            (None, None) => {}
            _ => return Err("only one of the factors `lokr_w1` and `lokr_w2`".into()),
        }
        forms.extend(pieces.remove(&Piece::Diff).map(|diff| (Form::One(Factor::Whole(diff)), 1.0)));
        let bias = pieces.remove(&Piece::DiffBias);
        let magnitude = Magnitude::new(&mut pieces);
        match pieces.keys().next() {
            None if forms.is_empty() && bias.is_none() => Err("nothing but a factor".into()),
            None => Ok(Self { forms, magnitude, bias }),
            Some(piece) => Err(format!("`{}` without what belongs to it", piece.word())),
        }
    }

    /// Returns the outputs of the weight that it changes and the numbers for each, by the shapes of its pieces; `None`
    /// where it changes the bias alone.
    pub fn shape(&self) -> Result<Option<(usize, usize)>, String> {
        let shapes = self.forms.iter().map(|(form, _)| form.shape()).collect::<Result<Vec<_>, _>>()?;
        let first = shapes.first().copied();
        if shapes.iter().any(|shape| Some(*shape) != first) {
            return Err(format!("pieces of several shapes, {shapes:?}"));
        }
        match (&self.magnitude, first) {
            (Some(magnitude), Some(shape)) if !magnitude.fits(shape) => {
                Err(format!("{} lengths for a weight of {shape:?}", magnitude.count()))
            }
            _ => Ok(first),
        }
    }

    /// Returns how many numbers of the bias it changes.
    pub fn bias_len(&self) -> Option<usize> {
        self.bias.as_ref().map(Tensor::elem_count)
    }

    /// Returns the bytes of its tensors.
    pub fn bytes(&self) -> u64 {
        let size = |x: &Tensor| (x.elem_count() * x.dtype().size_in_bytes()) as u64;
        let factor = |factor: &Factor| match factor {
            Factor::Whole(x) => size(x),
            Factor::Product { a, b, core } => size(a) + size(b) + core.as_ref().map_or(0, size),
        };
        let form = |(form, _): &(Form, f64)| match form {
            Form::One(one) => factor(one),
            Form::Hadamard(one, two) | Form::Kronecker(one, two) => factor(one) + factor(two),
        };
        self.forms.iter().map(form).sum::<u64>() + self.bias.as_ref().map_or(0, size)
    }

    /// Returns the changed weight, of the shape of `weight`, f32.
    pub fn weight(&self, weight: &Tensor, strength: f64) -> Result<Tensor> {
        if self.forms.is_empty() || strength == 0.0 {
            return Ok(weight.clone());
        }
        let scale = if self.magnitude.is_some() { 1.0 } else { strength };
        let add = |sum: Tensor, (form, factor): &(Form, f64)| -> Result<Tensor> {
            let delta = form.value()?.reshape(weight.dims())?;
            Ok((sum + (delta * (factor * scale))?)?)
        };
        let whole = self.forms.iter().try_fold(weight.clone(), add)?;
        match &self.magnitude {
            None => Ok(whole),
            Some(magnitude) => Ok((weight + ((magnitude.give_to(&whole)? - weight)? * strength)?)?),
        }
    }

    /// Returns the changed bias, f32.
    pub fn bias(&self, bias: &Tensor, strength: f64) -> Result<Tensor> {
        match &self.bias {
            Some(diff) => Ok((bias + (wide(diff)?.reshape(bias.dims())? * strength)?)?),
            None => Ok(bias.clone()),
        }
    }
}

/// Takes pieces out by what they make together.
struct Take<'a>(&'a mut Pieces);

type Ranked = Option<(Factor, f64)>;

impl Take<'_> {
    /// A product and its rank.
    fn product(&mut self, [a, b]: [Piece; 2], core: Option<Piece>) -> Result<Ranked, String> {
        match (self.0.remove(&a), self.0.remove(&b)) {
            (Some(a), Some(b)) => {
                let rank = b.dims().first().copied().unwrap_or(0).max(1) as f64;
                let core = core.and_then(|core| self.0.remove(&core));
                Ok(Some((Factor::Product { a, b, core }, rank)))
            }
            (None, None) => Ok(None),
            (Some(_), None) => Err(format!("`{}` without `{}`", a.word(), b.word())),
            (None, Some(_)) => Err(format!("`{}` without `{}`", b.word(), a.word())),
        }
    }

    /// The same where `a` lies on its side once there is a core: (rank, outputs).
    fn turned(&mut self, ab: [Piece; 2], core: Option<Piece>) -> Result<Ranked, String> {
        let Some((product, rank)) = self.product(ab, core)? else { return Ok(None) };
        Ok(Some((product.turned()?, rank)))
    }

    /// A factor of a Kronecker product, with its rank where it is a product itself.
    fn kron(
        &mut self,
        whole: Piece,
        ab: [Piece; 2],
        core: Option<Piece>,
    ) -> Result<Option<(Factor, Option<f64>)>, String> {
        if let Some(whole) = self.0.remove(&whole) {
            return Ok(Some((Factor::Whole(whole), None)));
        }
        Ok(self.turned(ab, core)?.map(|(factor, rank)| (factor, Some(rank))))
    }
}

impl Magnitude {
    fn new(pieces: &mut Pieces) -> Option<Self> {
        if let Some(rows) = pieces.remove(&Piece::Magnitude) {
            return Some(Magnitude::Rows(rows));
        }
        let scale = pieces.remove(&Piece::Dora)?;
        // LyCORIS writes the lengths of columns as (1, inputs) or (1, inputs, 1, 1), those of rows as (outputs, 1 …).
        match scale.dims() {
            [1, columns, ..] if *columns > 1 => Some(Magnitude::Columns(scale)),
            _ => Some(Magnitude::Rows(scale)),
        }
    }

    fn count(&self) -> usize {
        let (Magnitude::Rows(lengths) | Magnitude::Columns(lengths)) = self;
        lengths.elem_count()
    }

    fn fits(&self, (outputs, rest): (usize, usize)) -> bool {
        match self {
            Magnitude::Rows(lengths) => lengths.elem_count() == outputs,
            Magnitude::Columns(lengths) => lengths.elem_count() > 0 && rest.is_multiple_of(lengths.elem_count()),
        }
    }

    /// Gives every row or column of a weight its length.
    fn give_to(&self, weight: &Tensor) -> Result<Tensor> {
        let (outputs, rest) = flat(weight);
        let (wanted, split, summed) = match self {
            Magnitude::Rows(wanted) => (wanted, (outputs, 1, rest), [1, 2]),
            Magnitude::Columns(wanted) => {
                let inputs = wanted.elem_count().max(1);
                (wanted, (outputs, inputs, rest / inputs), [0, 2])
            }
        };
        let x = weight.reshape(split)?;
        let lengths = (x.sqr()?.sum_keepdim(summed)?.sqrt()? + f64::from(f32::EPSILON))?;
        let factors = (wide(wanted)?.reshape(lengths.dims())? / lengths)?;
        Ok(x.broadcast_mul(&factors)?.reshape(weight.dims())?)
    }
}

fn number(x: &Tensor) -> Result<f64, String> {
    let first = x.flatten_all().and_then(|x| x.to_dtype(DType::F64)?.to_vec1::<f64>());
    let first = first.ok().and_then(|all| all.first().copied());
    first.filter(|alpha| alpha.is_finite()).ok_or_else(|| "an `alpha` that is no number".to_owned())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn tensor(shape: &[usize]) -> Tensor {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| (i * 7919 % 101) as f32 / 50.0 - 0.9).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn values(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn lycoris_gives_columns_their_length_over_outputs_and_window() {
        let lengths = Tensor::new(&[2.0_f32, 0.5, 3.0], &Device::Cpu).unwrap();
        let pieces = [
            (Piece::Up, tensor(&[4, 2, 1, 1])),
            (Piece::Down, tensor(&[2, 3, 3, 3])),
            (Piece::Dora, lengths.reshape((1, 3, 1, 1)).unwrap()),
        ];
        let change = Change::new(Pieces::from(pieces)).unwrap();
        assert_eq!(change.shape(), Ok(Some((4, 27))));
        let weight = tensor(&[4, 3, 3, 3]);
        let changed = change.weight(&weight, 1.0).unwrap();
        let found = changed.sqr().unwrap().sum((0, 2, 3)).unwrap().sqrt().unwrap();
        for (found, wanted) in values(&found).iter().zip(values(&lengths)) {
            assert!((found - wanted).abs() < 1e-5, "{found} is not {wanted}");
        }
        let half = change.weight(&weight, 0.5).unwrap();
        let between = ((&weight + &changed).unwrap() * 0.5).unwrap();
        assert!(values(&half).iter().zip(values(&between)).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn pieces_that_do_not_go_together_are_no_change() {
        let told = |pieces: &[(Piece, Tensor)]| {
            let change = Change::new(pieces.iter().cloned().collect());
            change.and_then(|change| change.shape()).unwrap_err()
        };
        let up = (Piece::Up, tensor(&[4, 2]));
        assert_eq!(told(&[up.clone(), (Piece::Down, tensor(&[3, 5]))]), "[4, 2] times [3, 5]");
        assert_eq!(told(&[(Piece::Kron1, tensor(&[2, 2]))]), "only one of the factors `lokr_w1` and `lokr_w2`");
        assert_eq!(told(&[(Piece::Alpha, tensor(&[]))]), "nothing but a factor");
        assert_eq!(
            told(&[(Piece::Alpha, Tensor::new(f32::NAN, &Device::Cpu).unwrap())]),
            "an `alpha` that is no number"
        );
        let down = (Piece::Down, tensor(&[2, 5]));
        let dora = (Piece::Dora, tensor(&[7, 1]));
        assert_eq!(told(&[up.clone(), down.clone(), dora]), "7 lengths for a weight of (4, 5)");
        assert_eq!(told(&[up, down, (Piece::Mid, tensor(&[3, 2, 3, 3]))]), "[4, 2] times [2, 5] around [3, 2, 3, 3]");
    }
}

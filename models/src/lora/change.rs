//! The change of one layer: how it is put together from its pieces, and what it does to the layer's weight.
//!
//! W' = W + strength · (alpha / rank) · ΔW, where ΔW is a product of small matrices. DoRA first gives every row (or
//! column) of W + ΔW a learned length, and the strength then goes from W to that. Formulas: LoRA arXiv 2106.09685, LoHa
//! and LoKr arXiv 2309.14859, DoRA arXiv 2402.09353; the conventions of alpha are those of the files' tools.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use super::pieces::Piece;
use crate::Result;

/// What a file changes about one layer.
#[derive(Debug)]
pub struct Change {
    forms: Vec<(Form, f64)>,
    magnitude: Option<Magnitude>,
    bias: Option<Tensor>,
}

/// A difference, taken apart.
#[derive(Debug)]
enum Form {
    One(Factor),
    Hadamard(Factor, Factor),
    Kronecker(Factor, Factor),
}

/// A matrix or a convolution, whole or as a product.
#[derive(Debug)]
enum Factor {
    Whole(Tensor),
    /// `a` (outputs, rank) times `b` (rank, inputs …); with a core (rank, rank, kernel, kernel) between them it is a
    /// convolution.
    Product {
        a: Tensor,
        b: Tensor,
        core: Option<Tensor>,
    },
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

impl Form {
    fn shape(&self) -> Result<(usize, usize), String> {
        match self {
            Form::One(one) => one.shape(),
            Form::Hadamard(one, two) if one.shape()? == two.shape()? => one.shape(),
            Form::Hadamard(one, two) => Err(format!("factors of {:?} and {:?}", one.shape()?, two.shape()?)),
            Form::Kronecker(one, two) => {
                let ((a, b), (c, d)) = (one.shape()?, two.shape()?);
                Ok((a * c, b * d))
            }
        }
    }

    fn value(&self) -> Result<Tensor> {
        match self {
            Form::One(one) => one.value(),
            Form::Hadamard(one, two) => {
                let one = one.value()?;
                Ok((two.value()?.reshape(one.dims())? * one)?)
            }
            Form::Kronecker(one, two) => kronecker(&one.value()?, &two.value()?),
        }
    }
}

impl Factor {
    /// Stands `a` upright in a product with a core.
    fn turned(self) -> Result<Self, String> {
        match self {
            Factor::Product { a, b, core: Some(core) } => {
                let a = a.t().map_err(|_| format!("a matrix wanted, found {:?}", a.dims()))?;
                Ok(Factor::Product { a, b, core: Some(core) })
            }
            other => Ok(other),
        }
    }

    /// Outputs, and numbers for each of them.
    fn shape(&self) -> Result<(usize, usize), String> {
        match self {
            Factor::Whole(x) => Ok(flat(x)),
            Factor::Product { a, b, core } => {
                let ((outputs, left), right) = (flat(a), b.dims().first().copied().unwrap_or(0));
                let (fits, window) = match core.as_ref().map(Tensor::dims) {
                    None => (left == right, 1),
                    Some([p, q, height, width]) => ((*p, *q) == (left, right), height * width),
                    Some(_) => (false, 0),
                };
                let core = core.as_ref().map(|core| format!(" around {:?}", core.dims())).unwrap_or_default();
                match fits {
                    true => Ok((outputs, flat(b).1 * window)),
                    false => Err(format!("{:?} times {:?}{core}", a.dims(), b.dims())),
                }
            }
        }
    }

    fn value(&self) -> Result<Tensor> {
        match self {
            Factor::Whole(x) => wide(x),
            Factor::Product { a, b, core: None } => {
                let product = wide(a)?.flatten_from(1)?.matmul(&wide(b)?.flatten_from(1)?)?;
                let shape: Vec<usize> = [&[product.dim(0)?], &b.dims()[1..]].concat();
                Ok(product.reshape(shape)?)
            }
            Factor::Product { a, b, core: Some(core) } => {
                let (p, q, height, width) = core.dims4()?;
                let (a, b) = (wide(a)?.flatten_from(1)?.contiguous()?, wide(b)?.flatten_from(1)?);
                let outputs = a.dim(0)?;
                let x = a.matmul(&wide(core)?.reshape((p, q * height * width))?)?;
                let x = x.reshape((outputs, q, height * width))?; // o q k
                let x = x.transpose(1, 2)?.reshape((outputs * height * width, q))?.matmul(&b)?; // (o k) i
                let x = x.reshape((outputs, height * width, b.dim(1)?))?; // o k i
                Ok(x.transpose(1, 2)?.reshape((outputs, b.dim(1)?, height, width))?) // o i kh kw
            }
        }
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

/// Rows, and numbers in each.
fn flat(x: &Tensor) -> (usize, usize) {
    let dims = x.dims();
    (dims.first().copied().unwrap_or(1), dims.iter().skip(1).product())
}

/// Every number of `one` (outputs, inputs) times all of `two` (outputs, inputs …).
fn kronecker(one: &Tensor, two: &Tensor) -> Result<Tensor> {
    let (a, b) = flat(one);
    let (c, d) = (two.dim(0)?, two.dim(1)?);
    let window: usize = two.dims()[2..].iter().product();
    let one = one.reshape((a, 1, b, 1, 1))?;
    let two = two.reshape((1, c, 1, d, window))?;
    let product = one.broadcast_mul(&two)?; // a c b d k
    Ok(product.reshape((a * c, b * d * window))?)
}

fn wide(x: &Tensor) -> Result<Tensor> {
    Ok(x.to_dtype(DType::F32)?)
}

fn number(x: &Tensor) -> Result<f64, String> {
    let first = x.flatten_all().and_then(|x| x.to_dtype(DType::F64)?.to_vec1::<f64>());
    let first = first.ok().and_then(|all| all.first().copied());
    first.filter(|alpha| alpha.is_finite()).ok_or_else(|| "an `alpha` that is no number".to_owned())
}

//! The difference of a weight, taken apart into small factors.

use candle_core::{DType, Tensor};

use crate::Result;

/// A difference, put together of one or two factors.
#[derive(Debug)]
pub enum Form {
    /// LoRA, LoCon, or the difference itself.
    One(Factor),
    /// LoHa: number by number.
    Hadamard(Factor, Factor),
    /// LoKr: every number of the first times all of the second.
    Kronecker(Factor, Factor),
}

/// A matrix or a convolution, whole or as a product.
#[derive(Debug)]
pub enum Factor {
    /// As it is.
    Whole(Tensor),
    /// `a` (outputs, rank) times `b` (rank, inputs …); with a core (rank, rank, kernel, kernel) between them it is a
    /// convolution.
    Product { a: Tensor, b: Tensor, core: Option<Tensor> },
}

impl Form {
    pub fn shape(&self) -> Result<(usize, usize), String> {
        match self {
            Form::One(one) => one.shape(),
            Form::Hadamard(one, two) if one.shape()? == two.shape()? => one.shape(),
            Form::Hadamard(one, two) => Err(format!("factors of {:?} and {:?}", one.shape()?, two.shape()?)),
            Form::Kronecker(one, two) => {
                let ((a, b), (c, d)) = (one.shape()?, two.shape()?);
                Ok((a.saturating_mul(c), b.saturating_mul(d)))
            }
        }
    }

    pub fn value(&self) -> Result<Tensor> {
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
    pub fn turned(self) -> Result<Self, String> {
        match self {
            Factor::Product { a, b, core: Some(core) } => {
                let a = a.t().map_err(|_| format!("a matrix wanted, found {:?}", a.dims()))?;
                Ok(Factor::Product { a, b, core: Some(core) })
            }
            other => Ok(other),
        }
    }

    /// Outputs, and numbers for each of them.
    pub fn shape(&self) -> Result<(usize, usize), String> {
        match self {
            Factor::Whole(x) => Ok(flat(x)),
            Factor::Product { a, b, core } => {
                let ((outputs, left), right) = (flat(a), b.dims().first().copied().unwrap_or(0));
                let (fits, window) = match core.as_ref().map(Tensor::dims) {
                    None => (left == right && left > 0, 1),
                    Some([p, q, height, width]) => {
                        ((*p, *q) == (left, right) && *p > 0 && *q > 0, height.saturating_mul(*width))
                    }
                    Some(_) => (false, 0),
                };
                let core = core.as_ref().map(|core| format!(" around {:?}", core.dims())).unwrap_or_default();
                match fits {
                    true => Ok((outputs, flat(b).1.saturating_mul(window))),
                    false => Err(format!("{:?} times {:?}{core}", a.dims(), b.dims())),
                }
            }
        }
    }

    pub fn value(&self) -> Result<Tensor> {
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

/// Rows, and numbers in each.
pub fn flat(x: &Tensor) -> (usize, usize) {
    let dims = x.dims();
    (dims.first().copied().unwrap_or(1), dims.iter().skip(1).fold(1, |all: usize, dim| all.saturating_mul(*dim)))
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

pub fn wide(x: &Tensor) -> Result<Tensor> {
    Ok(x.to_dtype(DType::F32)?)
}

//! The same tensors under other names, for files that were written for another program.
//!
//! A view says where each tensor that a network asks for comes from. It is checked when it is made: every tensor of
//! the view exists, no number of the file is handed out twice, and what is cut into rows is used up.

use std::{collections::BTreeMap, fmt, ops::Range};

use super::{Order, Set, Stock, Weights};
use crate::{Error, Result};

/// What is done to a stored tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Nothing.
    Copy,
    /// The two axes of a convolution of one point are left out: (a, b, 1, 1) becomes (a, b).
    Squeeze,
    /// (a, b) becomes (b, a).
    Transpose,
    /// Some rows of the first axis.
    Rows(Range<usize>),
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Copy => f.write_str("copy"),
            Self::Squeeze => f.write_str("squeeze 1x1"),
            Self::Transpose => f.write_str("transpose"),
            Self::Rows(rows) => write!(f, "rows {}:{}", rows.start, rows.end),
        }
    }
}

/// Where one tensor of a view comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The name of the stored tensor, in the scope that the view is made of.
    pub name: String,
    /// What is done to it.
    pub op: Op,
}

impl Weights {
    /// Returns the tensors of this scope under the names of `origins`, and nothing else.
    ///
    /// Fails if an origin is not there or does not have the shape that its operation wants, and if one is handed out
    /// twice or in part.
    pub fn view(&self, origins: &BTreeMap<String, Origin>) -> Result<Weights> {
        let fault = |what: String| Error::format(&self.set.path, what);
        let mut set = Set::new(&self.set.path);
        set.sources.clone_from(&self.set.sources);
        (set.dry, set.seed) = (self.set.dry, self.set.seed);
        let mut taken: BTreeMap<&str, Vec<Range<usize>>> = BTreeMap::new();
        for (name, Origin { name: from, op }) in origins {
            let stock = self.set.tensors.get(&self.full(from));
            let stock = stock.ok_or_else(|| fault(format!("there is no tensor `{from}` to be `{name}`")))?;
            let (stock, rows) = stock.with(op).map_err(|what| fault(format!("tensor `{from}` {what}")))?;
            taken.entry(from).or_default().push(rows);
            set.tensors.insert(name.clone(), stock);
        }
        for (from, mut rows) in taken {
            let whole = self.set.tensors[&self.full(from)].shape.first().copied().unwrap_or(1);
            rows.sort_by_key(|rows| rows.start);
            let gapless = rows.windows(2).all(|pair| pair[0].end == pair[1].start);
            if !gapless || rows[0].start != 0 || rows[rows.len() - 1].end != whole {
                return Err(fault(format!("the rows of tensor `{from}` are not each used once")));
            }
        }
        Ok(Weights { dtype: self.dtype, hollow: self.hollow, compute: self.compute.clone(), ..Weights::whole(set) })
    }
}

impl Stock {
    /// Returns the tensor after an operation, and the rows of the file that it takes.
    fn with(&self, op: &Op) -> Result<(Stock, Range<usize>), String> {
        let mut stock = self.clone();
        let all = 0..self.shape.first().copied().unwrap_or(1);
        match (op, &self.shape[..]) {
            (Op::Copy, _) => {}
            (Op::Squeeze, [outputs, inputs, 1, 1]) => stock.shape = vec![*outputs, *inputs],
            (Op::Transpose, [rows, columns]) if self.order == Order::Stored => {
                (stock.shape, stock.order) = (vec![*columns, *rows], Order::Transposed);
            }
            (Op::Rows(rows), [whole, rest @ ..]) if self.order == Order::Stored => {
                let row: usize = rest.iter().product();
                let place = |row_count: usize| self.format.bytes(row_count * row);
                let (Some(begin), Some(end)) = (place(rows.start), place(rows.end)) else {
                    return Err(format!("cannot be cut into rows of {row} numbers: its blocks are longer"));
                };
                if rows.start >= rows.end || rows.end > *whole {
                    return Err(format!("has {whole} rows, {} to {} are wanted", rows.start, rows.end));
                }
                stock.shape[0] = rows.len();
                (stock.offset, stock.length) = (self.offset + begin as u64, end - begin);
                return Ok((stock, rows.clone()));
            }
            (op, shape) => return Err(format!("has the shape {shape:?}, which does not go with `{op}`")),
        }
        Ok((stock, all))
    }
}

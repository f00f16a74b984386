//! One line of `tests/peers/ops.txt`: an operation of the networks in a size of theirs, and what it costs at least.

use std::str::FromStr;

use anyhow::{Context as _, Result, bail, ensure};

/// An operation and its size. `edge` is of a square picture of one channel, in values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A convolution with a bias that keeps the size, or halves it at a stride of 2.
    Conv { batch: usize, inputs: usize, outputs: usize, edge: usize, kernel: usize, stride: usize },
    /// A matrix and a bias over tokens.
    Linear { batch: usize, tokens: usize, inputs: usize, outputs: usize },
    /// Queries that gather from sources, from their projections on.
    Attention { batch: usize, queries: usize, sources: usize, heads: usize, head: usize },
    /// A norm over 32 groups of channels.
    GroupNorm { picture: Picture, then: Then },
    /// A norm over the channels of each token.
    LayerNorm(Tokens),
    /// A curve over a picture's values.
    Silu(Picture),
    /// A curve over tokens, with the exact error function.
    Gelu(Tokens),
    /// A matrix to twice the channels of the result, one half the gate of the other.
    Geglu {
        /// What is read.
        tokens: Tokens,
        /// Channels of the result.
        inner: usize,
    },
    /// A picture to one of twice the edge, each value four times.
    Upsample(Picture),
    /// The sum of two pictures.
    Add(Picture),
    /// Two pictures of the same size, their channels set side by side.
    Concat(Picture),
    /// A picture to tokens: channels last.
    ToTokens(Picture),
}

/// What follows a norm in the same breath.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Nothing,
    /// `x · sigmoid(x)`.
    Silu,
}

/// The size of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pictures.
    pub batch: usize,
    /// Channels of each.
    pub channels: usize,
    /// Lines, and values in a line.
    pub edge: usize,
}

/// The size of some tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Rows of tokens.
    pub batch: usize,
    /// Tokens in a row.
    pub length: usize,
    /// Channels of each.
    pub channels: usize,
}

impl Picture {
    fn len(self) -> usize {
        self.batch * self.channels * self.edge * self.edge
    }
}

impl Tokens {
    fn len(self) -> usize {
        self.batch * self.length * self.channels
    }
}

impl FromStr for Op {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let mut words = line.split_whitespace();
        let kind = words.next().context("a line of operations has a kind and its sizes, this one is empty")?;
        let sizes: Vec<usize> = words
            .map(|word| word.parse().with_context(|| format!("`{word}` in `{line}` is no size")))
            .collect::<Result<_>>()?;
        ensure!(sizes.iter().all(|&size| size > 0), "a size in `{line}` is 0");
        let picture = |batch, channels, edge| Picture { batch, channels, edge };
        let tokens = |batch, length, channels| Tokens { batch, length, channels };
        let conv = |kernel, stride, [batch, inputs, outputs, edge]: [usize; 4]| Op::Conv {
            batch,
            inputs,
            outputs,
            edge,
            kernel,
            stride,
        };
        Ok(match (kind, sizes.as_slice()) {
            ("conv3", &[b, i, o, e]) => conv(3, 1, [b, i, o, e]),
            ("conv3s2", &[b, i, o, e]) => conv(3, 2, [b, i, o, e]),
            ("conv1", &[b, i, o, e]) => conv(1, 1, [b, i, o, e]),
            ("linear", &[batch, tokens, inputs, outputs]) => Op::Linear { batch, tokens, inputs, outputs },
            ("attn", &[batch, queries, sources, heads, head]) => Op::Attention { batch, queries, sources, heads, head },
            ("gn", &[b, c, e]) => Op::GroupNorm { picture: picture(b, c, e), then: Then::Nothing },
            ("gnsilu", &[b, c, e]) => Op::GroupNorm { picture: picture(b, c, e), then: Then::Silu },
            ("ln", &[b, l, c]) => Op::LayerNorm(tokens(b, l, c)),
            ("silu", &[b, c, e]) => Op::Silu(picture(b, c, e)),
            ("gelu", &[b, l, c]) => Op::Gelu(tokens(b, l, c)),
            ("geglu", &[b, l, c, inner]) => Op::Geglu { tokens: tokens(b, l, c), inner },
            ("upsample", &[b, c, e]) => Op::Upsample(picture(b, c, e)),
            ("add", &[b, c, e]) => Op::Add(picture(b, c, e)),
            ("cat", &[b, c, e]) => Op::Concat(picture(b, c, e)),
            ("tokens", &[b, c, e]) => Op::ToTokens(picture(b, c, e)),
            _ => bail!("`{line}` is no operation: the kind is not known, or has another number of sizes"),
        })
    }
}

impl Op {
    /// Returns the multiplications and additions of the sums of products; 0 where memory decides, not arithmetic.
    #[must_use]
    pub fn flops(self) -> u64 {
        let products = match self {
            Op::Conv { batch, inputs, outputs, edge, kernel, stride } => {
                batch * inputs * outputs * (edge / stride).pow(2) * kernel.pow(2)
            }
            Op::Linear { batch, tokens, inputs, outputs } => batch * tokens * inputs * outputs,
            Op::Attention { batch, queries, sources, heads, head } => 2 * batch * queries * sources * heads * head,
            Op::Geglu { tokens, inner } => 2 * tokens.len() * inner,
            _ => 0,
        };
        2 * products as u64
    }

    /// Returns how many values have to be read and written if each is touched once.
    #[must_use]
    pub fn values(self) -> u64 {
        let count = match self {
            Op::Conv { batch, inputs, outputs, edge, kernel, stride } => {
                let pictures = batch * (inputs * edge.pow(2) + outputs * (edge / stride).pow(2));
                pictures + inputs * outputs * kernel.pow(2)
            }
            Op::Linear { batch, tokens, inputs, outputs } => batch * tokens * (inputs + outputs) + inputs * outputs,
            Op::Attention { batch, queries, sources, heads, head } => 2 * batch * (queries + sources) * heads * head,
            Op::GroupNorm { picture, .. } | Op::Silu(picture) | Op::ToTokens(picture) => 2 * picture.len(),
            Op::LayerNorm(tokens) | Op::Gelu(tokens) => 2 * tokens.len(),
            Op::Geglu { tokens, inner } => {
                tokens.len() + tokens.batch * tokens.length * inner + 2 * tokens.channels * inner
            }
            Op::Upsample(picture) => 5 * picture.len(),
            Op::Add(picture) => 3 * picture.len(),
            Op::Concat(picture) => 4 * picture.len(),
        };
        count as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Op {
        line.parse().unwrap()
    }

    #[test]
    fn every_line_that_the_peer_runs_is_an_operation() {
        let path = crate::archive::folder().join("../peers/ops.txt");
        let file = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = file.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        assert!(lines.len() > 30, "{}", lines.len());
        for line in lines {
            assert!(read(line).values() > 0, "{line}");
        }
    }

    #[test]
    fn operations_cost_what_counting_by_hand_gives() {
        assert_eq!(read("conv3 2 320 640 64").flops(), 2 * 2 * 320 * 640 * 9 * 64 * 64);
        assert_eq!(read("conv3s2 2 320 320 128").flops(), 2 * 2 * 320 * 320 * 9 * 64 * 64);
        assert_eq!(read("conv1 2 960 320 64").values(), 2 * (960 + 320) * 64 * 64 + 960 * 320);
        assert_eq!(read("linear 2 1024 1280 10240").flops(), 2 * 2 * 1024 * 1280 * 10240);
        // Scores and sums: two products of the same size.
        assert_eq!(read("attn 2 1024 77 20 64").flops(), 2 * (2 * 2 * 20 * 1024 * 77 * 64));
        assert_eq!(read("gnsilu 2 640 64").flops(), 0);
        let gate = read("geglu 2 1024 1280 5120");
        assert_eq!(gate.flops(), 2 * 2 * 1024 * 1280 * 2 * 5120);
        assert_eq!(gate.values(), 2 * 1024 * (1280 + 5120) + 1280 * 2 * 5120);
    }

    #[test]
    fn a_line_that_is_no_operation_is_refused_in_one_sentence() {
        for (line, word) in
            [("conv5 1 2 3 4", "kind"), ("conv3 1 2 3", "number"), ("gn 1 x 3", "`x`"), ("ln 1 0 3", "0")]
        {
            let fault = line.parse::<Op>().unwrap_err().to_string();
            assert!(fault.contains(word) && fault.contains(line), "{fault}");
        }
    }
}

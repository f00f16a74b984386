//! What kind of upscaler a file holds, read off the names and shapes of its tensors.
//!
//! One network travels under three sets of names: `model.1.sub.0.RDB1.conv1.0` (the first ESRGAN), `RRDB_trunk.0.RDB1.conv1`
//! (its second edition) and `body.0.rdb1.conv1` (BasicSR and Real-ESRGAN).

use std::fmt;

use crate::{Error, Result, Weights};

/// The widest layer that is built.
const MAX_CHANNELS: usize = 1024;
/// The most doublings: eight times as large.
const MAX_DOUBLINGS: usize = 3;

/// How the tensors of a file are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// `model.0`, `model.1.sub.0.RDB1.conv1.0`, …: places in a sequence.
    Sequence,
    /// `conv_first`, `RRDB_trunk.0.RDB1.conv1`, `upconv1`, `HRconv`.
    Trunk,
    /// `conv_first`, `body.0.rdb1.conv1`, `conv_up1`, `conv_hr`.
    Body,
}

/// The shape of an upscaler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How many times wider and higher the result is.
    pub scale: usize,
    /// Residual-in-residual blocks in a row.
    pub blocks: usize,
    /// Channels between blocks.
    pub features: usize,
    /// Channels that each layer of a dense block adds.
    pub growth: usize,
    /// The edge of the square of pixels that becomes one place with more channels: 2 for a factor of 2, 4 for 1.
    pub shuffle: usize,
    /// Doublings on the way out.
    pub(super) doublings: usize,
    naming: Naming,
    /// The dictionary within the file that holds the weights.
    inside: Option<&'static str>,
}

impl Layout {
    /// Reads the layout off the tensors.
    ///
    /// # Errors
    /// An error of the file: it is no upscaler of this line, or one that makes no whole factor.
    pub fn read(w: &Weights) -> Result<Self> {
        // A trainer's dictionaries stay when a checkpoint is converted as it is; the running average comes first.
        let insides = [None, Some("params_ema"), Some("params")];
        let namings = [Naming::Sequence, Naming::Trunk, Naming::Body];
        let both = insides.iter().flat_map(|inside| namings.map(|naming| (*inside, naming)));
        for (inside, naming) in both {
            let scope = inside.map_or_else(|| w.clone(), |inside| w.at(inside));
            let shape = |place: String| scope.shape(&format!("{place}.weight"));
            if let (Some(first), Some(grows)) = (shape(naming.first()), shape(naming.dense(0, 0, 0))) {
                return Self::of(&scope, (naming, inside), &first, &grows);
            }
        }
        Err(Error::format(w.path(), "these are not the tensors of an upscaler").with_hint(
            "ESRGAN and Real-ESRGAN are built: their tensors are `conv_first`, `body.0…` or `model.1.sub.0…`",
        ))
    }

    fn of(
        w: &Weights,
        (naming, inside): (Naming, Option<&'static str>),
        first: &[usize],
        grows: &[usize],
    ) -> Result<Self> {
        let fault = |what: String| Err(Error::format(w.path(), what));
        let (&[features, channels, ..], &[growth, ..]) = (first, grows) else {
            return fault("the first convolution has no channels".into());
        };
        if features.max(growth) > MAX_CHANNELS || features.min(growth) == 0 {
            return fault(format!(
                "this upscaler is {features} and {growth} channels wide, at most {MAX_CHANNELS} are built"
            ));
        }
        let shuffle = match channels {
            3 => 1,
            12 => 2,
            48 => 4,
            _ => return fault(format!("this upscaler reads {channels} channels; for RGB they are 3, 12 or 48")),
        };
        let there = |place: String| w.contains(&format!("{place}.weight"));
        let blocks = (0..).take_while(|block| there(naming.dense(*block, 0, 0))).count();
        let doublings = naming.doublings(&there);
        let (large, whole) = (1_usize << doublings, (1 << doublings) >= shuffle);
        if doublings > MAX_DOUBLINGS || !whole {
            return fault(format!(
                "this upscaler halves {shuffle} times and doubles {large} times, which is not built"
            ));
        }
        Ok(Self { scale: large / shuffle, blocks, features, growth, shuffle, doublings, naming, inside })
    }

    /// Returns the scope that holds the weights.
    pub(super) fn scope(&self, w: &Weights) -> Weights {
        self.inside.map_or_else(|| w.clone(), |inside| w.at(inside))
    }

    /// Returns how far a pixel sees, in pixels of the picture that comes in: each window reaches one place further.
    pub fn reach(&self) -> usize {
        // The body, in places; the doublings and the two last windows, each at most one place more.
        (2 + 15 * self.blocks + self.doublings + 2) * self.shuffle
    }

    /// Names the convolution from pixels to features.
    pub(super) fn first(&self) -> String {
        self.naming.first()
    }

    /// Names layer 0 to 4 of dense block 0 to 2 of a block.
    pub(super) fn dense(&self, block: usize, dense: usize, layer: usize) -> String {
        self.naming.dense(block, dense, layer)
    }

    /// Names the convolution after all blocks.
    pub(super) fn after_blocks(&self) -> String {
        match self.naming {
            Naming::Sequence => format!("model.1.sub.{}", self.blocks),
            Naming::Trunk => "trunk_conv".into(),
            Naming::Body => "conv_body".into(),
        }
    }

    /// Names the convolution after a doubling, counted from 0.
    pub(super) fn doubling(&self, i: usize) -> String {
        self.naming.doubling(i)
    }

    /// Names the two convolutions at the size of the result.
    pub(super) fn last(&self) -> [String; 2] {
        match self.naming {
            // Each doubling is three places in the sequence, and a bend stands between these two.
            Naming::Sequence => [2, 4].map(|place| format!("model.{}", place + 3 * self.doublings)),
            Naming::Trunk => ["HRconv", "conv_last"].map(String::from),
            Naming::Body => ["conv_hr", "conv_last"].map(String::from),
        }
    }
}

/// Writes `x4 (23 blocks of 64 channels)`.
impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "x{} ({} blocks of {} channels)", self.scale, self.blocks, self.features)
    }
}

impl Naming {
    fn first(self) -> String {
        match self {
            Self::Sequence => "model.0".into(),
            Self::Trunk | Self::Body => "conv_first".into(),
        }
    }

    fn dense(self, block: usize, dense: usize, layer: usize) -> String {
        let (dense, layer) = (dense + 1, layer + 1);
        match self {
            Self::Sequence => format!("model.1.sub.{block}.RDB{dense}.conv{layer}.0"),
            Self::Trunk => format!("RRDB_trunk.{block}.RDB{dense}.conv{layer}"),
            Self::Body => format!("body.{block}.rdb{dense}.conv{layer}"),
        }
    }

    fn doubling(self, i: usize) -> String {
        match self {
            Self::Sequence => format!("model.{}", 3 + 3 * i),
            Self::Trunk => format!("upconv{}", i + 1),
            Self::Body => format!("conv_up{}", i + 1),
        }
    }

    /// Counts the doublings. In a sequence they stand at 3, 6 and 9, and the last two convolutions at 2, 5, 8 or 11 and
    /// at 4, 7, 10 or 13, so that neither is taken for the other.
    fn doublings(self, there: &impl Fn(String) -> bool) -> usize {
        (0..=MAX_DOUBLINGS).take_while(|i| there(self.doubling(*i))).count()
    }
}

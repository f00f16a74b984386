//! A strength for each block of the UNet, written as a line of text: `in=0.5, in.4=1, mid=0, out.1=0.8`.
//!
//! Blocks are counted as in the original checkpoints, and as the A1111 extension "LoRA Block Weight" does: `in.0` is the
//! first convolution, SDXL has `in.0` to `in.8`, `mid` and `out.0` to `out.8`, SD 1.5 goes up to 11. `base` is all that
//! lies in no block. `IN04`, `MID` or `M00` and `OUT01` are read as well. A later entry replaces an earlier one; a block
//! without an entry keeps 1.

use std::fmt;
use std::str::FromStr;

use super::Place;

/// Factors of the strength, by block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlockStrengths(Vec<(Blocks, f64)>);

/// One block, or all of one side.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Blocks {
    AllIn,
    AllOut,
    One(Place),
}

impl BlockStrengths {
    /// Returns the factor of a block.
    pub fn of(&self, place: Place) -> f64 {
        let meant = |blocks: &Blocks| match (blocks, place) {
            (Blocks::AllIn, Place::In(_)) | (Blocks::AllOut, Place::Out(_)) => true,
            (Blocks::One(block), place) => *block == place,
            _ => false,
        };
        self.0.iter().rev().find(|(blocks, _)| meant(blocks)).map_or(1.0, |(_, factor)| *factor)
    }

    /// Returns the blocks that are named one by one.
    pub fn named(&self) -> impl Iterator<Item = Place> {
        self.0.iter().filter_map(|(blocks, _)| match blocks {
            Blocks::One(place) => Some(*place),
            _ => None,
        })
    }
}

impl FromStr for BlockStrengths {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let entries = text.split([',', ';', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
        let entry = |entry: &str| {
            let (name, factor) = entry.split_once('=').ok_or_else(|| format!("`{entry}` has no `=`"))?;
            let blocks = blocks(name.trim()).ok_or_else(|| format!("`{}` is no block", name.trim()))?;
            let factor = factor.trim().parse().ok().filter(|factor: &f64| factor.is_finite());
            Ok((blocks, factor.ok_or_else(|| format!("`{entry}` gives no number"))?))
        };
        Ok(Self(entries.map(entry).collect::<Result<_, String>>()?))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Base => f.write_str("base"),
            Place::In(number) => write!(f, "in.{number}"),
            Place::Mid => f.write_str("mid"),
            Place::Out(number) => write!(f, "out.{number}"),
        }
    }
}

fn blocks(name: &str) -> Option<Blocks> {
    let name = name.to_ascii_lowercase();
    let number = |digits: &str| digits.trim_start_matches('.').parse().ok();
    match name.as_str() {
        "base" => Some(Blocks::One(Place::Base)),
        "mid" | "m00" => Some(Blocks::One(Place::Mid)),
        "in" => Some(Blocks::AllIn),
        "out" => Some(Blocks::AllOut),
        _ => match (name.strip_prefix("in"), name.strip_prefix("out")) {
            (Some(digits), _) => Some(Blocks::One(Place::In(number(digits)?))),
            (_, Some(digits)) => Some(Blocks::One(Place::Out(number(digits)?))),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_that_means_a_block_counts() {
        let strengths: BlockStrengths = "in=0.5, IN04 = 1; mid=0\nOUT01=-0.8, in.4=2".parse().unwrap();
        let of = |place| strengths.of(place);
        assert_eq!([of(Place::In(0)), of(Place::In(4)), of(Place::Mid)], [0.5, 2.0, 0.0]);
        assert_eq!([of(Place::Out(1)), of(Place::Out(2)), of(Place::Base)], [-0.8, 1.0, 1.0]);
        assert_eq!("".parse::<BlockStrengths>().unwrap().of(Place::Mid), 1.0);
    }

    #[test]
    fn what_names_no_block_or_gives_no_number_is_refused() {
        for (text, told) in [
            ("in.1", "`in.1` has no `=`"),
            ("in.x=1", "`in.x` is no block"),
            ("up.1=1", "`up.1` is no block"),
            ("mid=nan", "`mid=nan` gives no number"),
        ] {
            assert_eq!(text.parse::<BlockStrengths>().unwrap_err(), told);
        }
    }
}

//! Small values that a graph needs in several places. They are made while planning, so that editing one and editing it
//! back recomputes nothing.

use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::Node;
use darkroom_core::param::Seed;
use darkroom_core::{Node, Outputs};

use crate::wires::sizes::SIZES;

/// A text.
#[derive(Node)]
#[node(id = "text", version = 1, category = "Values", lane = "value")]
pub struct Text {
    /// The text.
    #[param(default = "", multiline)]
    text: String,
}

impl Node for Text {
    type Output = String;

    fn run(self, _: &mut Context<'_>) -> Result<String, Fault> {
        Ok(self.text)
    }
}

/// A number.
#[derive(Node)]
#[node(id = "number", version = 1, category = "Values", lane = "value")]
pub struct Number {
    /// The number.
    #[param(default = 0.0)]
    number: f64,
}

impl Node for Number {
    type Output = f64;

    fn run(self, _: &mut Context<'_>) -> Result<f64, Fault> {
        Ok(self.number)
    }
}

/// A whole number.
#[derive(Node)]
#[node(id = "integer", version = 1, category = "Values", lane = "value")]
pub struct Integer {
    /// The number.
    #[param(default = 0)]
    number: i64,
}

impl Node for Integer {
    type Output = i64;

    fn run(self, _: &mut Context<'_>) -> Result<i64, Fault> {
        Ok(self.number)
    }
}

/// True or false.
#[derive(Node)]
#[node(id = "toggle", version = 1, category = "Values", lane = "value")]
pub struct Toggle {
    /// Which.
    #[param(default = false)]
    on: bool,
}

impl Node for Toggle {
    type Output = bool;

    fn run(self, _: &mut Context<'_>) -> Result<bool, Fault> {
        Ok(self.on)
    }
}

/// A seed, for nodes that must draw the same.
#[derive(Node)]
#[node(id = "seed", version = 1, category = "Values", lane = "value")]
pub struct SeedValue {
    /// The seed; `random` draws one at submission and records it.
    #[param(default = Seed(0))]
    seed: Seed,
}

impl Node for SeedValue {
    type Output = u64;

    fn run(self, _: &mut Context<'_>) -> Result<u64, Fault> {
        Ok(self.seed.0)
    }
}

/// A width and a height.
#[derive(Outputs)]
pub struct Extent {
    /// The width.
    pub width: i64,
    /// The height.
    pub height: i64,
}

/// A size, for nodes that must agree on it.
#[derive(Node)]
#[node(id = "size", version = 1, category = "Values", lane = "value")]
pub struct Size {
    /// The width.
    #[param(default = 1024, range = 1..=65536, unit = "px", pair = "height", sizes = SIZES)]
    width: u32,
    /// The height.
    #[param(default = 1024, range = 1..=65536, unit = "px", pair = "width")]
    height: u32,
}

impl Node for Size {
    type Output = Extent;

    fn run(self, _: &mut Context<'_>) -> Result<Extent, Fault> {
        Ok(Extent { width: self.width.into(), height: self.height.into() })
    }
}

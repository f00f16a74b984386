//! The specification of a node: its manual as data. Palette, widgets, command-line reference, checks of a graph and the
//! form of a file follow from it.

use crate::fault::Fault;
use crate::files::{Files, Piece};
use crate::fingerprint::Fingerprint;
use crate::literal::Literal;
use crate::param::Param;
use crate::types::Kind;
use crate::value::{Codec, Datum};

/// All that is known of a node without running it.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The type's name in files.
    pub id: &'static str,
    /// Rises when the same inputs give another result.
    pub version: u32,
    /// The name a person reads.
    pub title: &'static str,
    /// The shelf it stands on.
    pub category: &'static str,
    /// What it does; first sentence first.
    pub doc: &'static str,
    /// Where it runs.
    pub lane: Lane,
    /// Whether it acts on the world, and is therefore a root of demand.
    pub effect: bool,
    /// Sockets and parameters, in the order of the struct's fields.
    pub inputs: Vec<Input>,
    /// What it makes.
    pub outputs: Vec<Output>,
}

impl Spec {
    /// Finds an input and its index.
    pub fn input(&self, name: &str) -> Option<(usize, &Input)> {
        self.inputs.iter().enumerate().find(|(_, input)| input.name == name)
    }

    /// Finds an output's index by name.
    pub fn output(&self, name: &str) -> Option<usize> {
        self.outputs.iter().position(|output| output.name == name)
    }
}

/// Where a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// While planning, when its inputs are known: texts, numbers, sizes.
    Value,
    /// Passes one of its inputs on; decided while planning.
    Route,
    /// Opens a model: free and lazy, and never counted as work.
    Open,
    /// Beside the compute lane: little arithmetic.
    Light,
    /// Beside the compute lane: reads or writes files.
    Io,
    /// Alone on its device.
    Compute,
}

/// A socket or a parameter.
#[derive(Debug, Clone)]
pub struct Input {
    /// The field's name.
    pub name: &'static str,
    /// The manual.
    pub doc: &'static str,
    /// What may come in.
    pub kind: Kind,
    /// Whether something must come in.
    pub required: bool,
    /// For a parameter: its literal form.
    pub param: Option<ParamSpec>,
}

/// The literal form of a parameter.
#[derive(Debug, Clone)]
pub struct ParamSpec {
    /// What holds when nothing is given.
    pub default: Option<Literal>,
    /// Least and greatest value, both allowed.
    pub range: Option<(Literal, Literal)>,
    /// A whole number must be a multiple of this.
    pub multiple_of: Option<u64>,
    /// What may be chosen; empty where the value is free.
    pub choices: &'static [Choice],
    /// The unit, as `px`.
    pub unit: Option<&'static str>,
    /// Whether the text has several lines.
    pub multiline: bool,
    /// Whether few people need it, so that faces may fold it away.
    pub advanced: bool,
    /// Whether the number seeds random draws, and may be left to chance.
    pub seed: bool,
    /// Whether it names something outside the graph, and must be known before the run.
    pub outside: bool,
    /// Whether the result is the same whatever it is, as how many rows are worked on at a time: it has no part in names.
    pub same_pixels: bool,
    /// What the file is that it names, if it names one.
    pub file: Option<FileSort>,
    /// Words for what is built in, beside whatever else may be given.
    pub built_in: &'static [Choice],
    /// The parameter that makes a size together with this one, as a height with its width.
    pub pair: Option<&'static str>,
    /// Sizes to choose from, for this parameter and its pair.
    pub sizes: &'static [Sizes],
    /// What it takes, for a sentence: "a whole number".
    pub noun: &'static str,
    /// Whether the type reads the literal.
    parse: fn(&Literal, &Files) -> Result<(), Fault>,
    /// The name of the literal's meaning; of a file's content, for a file.
    name: fn(&Literal, &Files) -> Result<Fingerprint, Fault>,
    /// The files that the literal means.
    pieces: fn(&Literal, &Files) -> Result<Vec<Piece>, Fault>,
    /// The name of the default, where it hangs on no file.
    default_name: Option<Fingerprint>,
}

/// What a file is that a parameter names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileSort {
    /// A picture.
    Picture,
    /// A model, or a denoiser alone.
    Model,
    /// An autoencoder, or a model that has one.
    Vae,
    /// A text encoder.
    TextEncoder,
    /// A change to a model.
    Lora,
    /// Words learned from pictures.
    Embedding,
    /// A network that steers a model.
    ControlNet,
    /// A network that enlarges pictures.
    Upscaler,
}

/// Sizes that a family of models draws well.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// The word for the family, as the types of wires have it.
    pub family: &'static str,
    /// What a person calls it.
    pub title: &'static str,
    /// Widths and heights.
    pub sizes: &'static [(u32, u32)],
}

/// One of several words.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// The word in files.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// Something a node makes.
#[derive(Debug, Clone)]
pub struct Output {
    /// The output's name; a node with one output may be named without it.
    pub name: &'static str,
    /// The manual.
    pub doc: &'static str,
    /// What it is.
    pub kind: Kind,
    /// How it is kept on disk; `None` for what never is.
    pub codec: Option<Codec>,
}

impl Output {
    /// Describes an output of type `T`.
    pub fn of<T: Datum>(name: &'static str, doc: &'static str) -> Self {
        Self { name, doc, kind: T::KIND, codec: T::codec() }
    }
}

impl Input {
    /// Describes a socket that takes a `T`.
    pub fn wire<T: crate::node::Wire>(name: &'static str, doc: &'static str) -> Self {
        Self { name, doc, kind: T::KIND, required: T::REQUIRED, param: None }
    }

    /// Describes a parameter of type `T`.
    pub fn param<T: Param>(name: &'static str, doc: &'static str) -> Self {
        let param = ParamSpec {
            default: None,
            range: None,
            multiple_of: None,
            choices: T::choices(),
            unit: None,
            multiline: false,
            advanced: false,
            seed: T::SEED,
            outside: T::OUTSIDE,
            same_pixels: false,
            file: None,
            built_in: T::built_in(),
            pair: None,
            sizes: &[],
            noun: T::NOUN,
            parse: |literal, files| T::parse(literal, files).map(drop),
            name: T::name,
            pieces: T::pieces,
            default_name: None,
        };
        Self { name, doc, kind: T::KIND, required: !T::OPTIONAL, param: Some(param) }
    }

    /// Sets what holds when nothing is given.
    #[must_use]
    pub fn with_default<T: Param>(mut self, value: &T) -> Self {
        self.required = false;
        let default = value.literal();
        self.edit(|param| {
            // Without roots no file is found, and whatever has a name all the same keeps it.
            param.default_name = T::name(&default, &Files::default()).ok();
            param.default = Some(default);
        })
    }

    /// Sets least and greatest value.
    #[must_use]
    pub fn with_range<T: Param>(self, low: &T, high: &T) -> Self {
        self.edit(|param| param.range = Some((low.literal(), high.literal())))
    }

    /// Sets what a whole number must be a multiple of.
    #[must_use]
    pub fn with_multiple_of(self, step: u64) -> Self {
        self.edit(|param| param.multiple_of = Some(step))
    }

    /// Sets the unit.
    #[must_use]
    pub fn with_unit(self, unit: &'static str) -> Self {
        self.edit(|param| param.unit = Some(unit))
    }

    /// Gives the text several lines.
    #[must_use]
    pub fn with_multiline(self) -> Self {
        self.edit(|param| param.multiline = true)
    }

    /// Lets faces fold the parameter away.
    #[must_use]
    pub fn with_advanced(self) -> Self {
        self.edit(|param| param.advanced = true)
    }

    /// Leaves the parameter out of names: it changes how the work is done and no pixel.
    #[must_use]
    pub fn with_same_pixels(self) -> Self {
        self.edit(|param| param.same_pixels = true)
    }

    /// Says what the file is that the parameter names.
    #[must_use]
    pub fn with_file(self, sort: FileSort) -> Self {
        self.edit(|param| param.file = Some(sort))
    }

    /// Names the parameter that makes a size together with this one.
    #[must_use]
    pub fn with_pair(self, other: &'static str) -> Self {
        self.edit(|param| param.pair = Some(other))
    }

    /// Offers sizes for this parameter and its pair.
    #[must_use]
    pub fn with_sizes(self, sizes: &'static [Sizes]) -> Self {
        self.edit(|param| param.sizes = sizes)
    }

    fn edit(mut self, change: impl FnOnce(&mut ParamSpec)) -> Self {
        change(self.param.as_mut().expect("settings follow `param`"));
        self
    }
}

impl ParamSpec {
    /// Puts another default in place of the type's own.
    pub(crate) fn take_default(&mut self, literal: Literal) {
        (self.default, self.default_name) = (Some(literal), None);
    }

    /// Checks a literal: its type, its range, its step.
    ///
    /// # Errors
    /// A fault of the graph that says what is wanted and what was found.
    pub fn check(&self, literal: &Literal, files: &Files) -> Result<(), Fault> {
        let parsed = (self.parse)(literal, files);
        match literal {
            // The range that the node allows is narrower than the type's, and says more.
            Literal::Integer(_) => self.check_range(literal).and(parsed),
            _ => parsed.and_then(|()| self.check_range(literal)),
        }
    }

    /// Checks range and step alone.
    ///
    /// # Errors
    /// A fault of the graph.
    pub fn check_range(&self, literal: &Literal) -> Result<(), Fault> {
        if let Some((low, high)) = &self.range {
            let inside = match (as_number(literal), as_number(low), as_number(high)) {
                (Some(value), Some(low), Some(high)) => value >= low && value <= high,
                _ => true,
            };
            if !inside {
                let unit = self.unit.map(|unit| format!(" {unit}")).unwrap_or_default();
                return Err(Fault::graph(format!("{literal} is out of range"))
                    .hint(format!("give {} from {low} to {high}{unit}", self.noun)));
            }
        }
        match (self.multiple_of, literal) {
            (Some(step), Literal::Integer(value)) if value % i128::from(step) != 0 => {
                let down = value - value.rem_euclid(i128::from(step));
                Err(Fault::graph(format!("{value} is not a multiple of {step}"))
                    .hint(format!("{down} and {} are", down + i128::from(step))))
            }
            _ => Ok(()),
        }
    }

    /// Returns the name of the default, if there is one.
    ///
    /// # Errors
    /// A fault of the file that the default names.
    pub fn default_name(&self, files: &Files) -> Result<Option<Fingerprint>, Fault> {
        match (self.default_name, &self.default) {
            (Some(name), _) => Ok(Some(name)),
            (None, Some(default)) => self.name(default, files).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Returns the name of what the literal means.
    ///
    /// # Errors
    /// A fault of the file that the literal names.
    pub fn name(&self, literal: &Literal, files: &Files) -> Result<Fingerprint, Fault> {
        (self.name)(literal, files)
    }

    /// Lists the files that the literal means, each with the part that it plays.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn pieces(&self, literal: &Literal, files: &Files) -> Result<Vec<Piece>, Fault> {
        (self.pieces)(literal, files)
    }
}

fn as_number(literal: &Literal) -> Option<f64> {
    match literal {
        Literal::Integer(number) => Some(*number as f64),
        Literal::Number(number) => Some(*number),
        _ => None,
    }
}

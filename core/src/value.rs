//! Values: what travels along wires. A value is shared and never changed; it may be sitting in the cache, or on two
//! wires.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::fault::Fault;
use crate::files::Files;
use crate::fingerprint::Fingerprint;
use crate::literal::Literal;
use crate::residency::PartId;
use crate::types::{Kind, Type};

/// A type of thing that may travel along a wire. Clones share; contents never change.
pub trait Datum: Clone + Send + Sync + 'static {
    /// Wires join only where kinds agree.
    const KIND: Kind;

    /// Returns the bytes it holds in memory.
    fn bytes(&self) -> u64;

    /// Returns how it is kept on disk; `None` for what never is (models are their recipe).
    fn codec() -> Option<Codec> {
        None
    }

    /// Returns the name of its content, for small things: the same content then has the same name, however made.
    fn digest(&self) -> Option<Fingerprint> {
        self.literal().map(|literal| literal.name())
    }

    /// Returns the literal that means the same, for small things.
    fn literal(&self) -> Option<Literal> {
        None
    }

    /// Describes it as its wire is described before a run.
    fn describe(&self) -> Type {
        Type::of(Self::KIND)
    }

    /// Says what is wrong with its numbers, if they are not all finite.
    fn flaw(&self) -> Option<String> {
        None
    }

    /// Tells whether what it speaks of in the outside world is still so; else says what is not.
    ///
    /// # Errors
    /// The reason, as "`landscape.png` is gone".
    fn holds(&self, _files: &Files) -> Result<(), String> {
        Ok(())
    }

    /// Returns the files that it stands for, if it is what an effect left in the world.
    fn written(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Returns the weights that it stands for, if it is a model.
    fn part(&self) -> Option<PartId> {
        None
    }
}

/// What a value looks like on disk: named arrays and a few words.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    /// Arrays by name.
    pub arrays: BTreeMap<String, Array>,
    /// Words by name.
    pub words: BTreeMap<String, String>,
}

/// Raw numbers of one array.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Element type.
    pub element: Element,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Elements, row-major, little-endian.
    pub bytes: Vec<u8>,
}

/// Element types that values have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// IEEE single precision.
    F32,
    /// Bytes.
    U8,
    /// Unsigned 64-bit integers.
    U64,
}

impl Array {
    /// Makes an array of single-precision numbers.
    pub fn f32(shape: Vec<usize>, values: &[f32]) -> Self {
        Self { element: Element::F32, shape, bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect() }
    }

    /// Makes an array of bytes.
    pub fn u8(shape: Vec<usize>, values: Vec<u8>) -> Self {
        Self { element: Element::U8, shape, bytes: values }
    }

    /// Reads single-precision numbers back; `None` if these are not such.
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        let whole = self.element == Element::F32 && self.bytes.len() == 4 * self.shape.iter().product::<usize>();
        whole.then(|| {
            self.bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect()
        })
    }
}

/// How a type of value is written to disk and read back.
#[derive(Debug, Clone, Copy)]
pub struct Codec {
    /// Writes the value.
    pub encode: fn(&Value) -> Option<Record>,
    /// Reads it back; `None` if the record is not one of this type.
    pub decode: fn(&Record) -> Option<Made>,
}

impl Codec {
    /// Makes the codec of `T` from two plain functions.
    pub fn new(encode: fn(&Value) -> Option<Record>, decode: fn(&Record) -> Option<Made>) -> Self {
        Self { encode, decode }
    }
}

/// What the engine needs to know of a value's type.
trait Held: Send + Sync {
    fn any(&self) -> &dyn Any;
    fn bytes(&self) -> u64;
    fn digest(&self) -> Option<Fingerprint>;
    fn literal(&self) -> Option<Literal>;
    fn describe(&self) -> Type;
    fn flaw(&self) -> Option<String>;
    fn holds(&self, files: &Files) -> Result<(), String>;
    fn written(&self) -> Vec<PathBuf>;
    fn part(&self) -> Option<PartId>;
    fn codec(&self) -> Option<Codec>;
    fn kind(&self) -> Kind;
}

impl<T: Datum> Held for T {
    fn any(&self) -> &dyn Any {
        self
    }
    fn bytes(&self) -> u64 {
        Datum::bytes(self)
    }
    fn digest(&self) -> Option<Fingerprint> {
        Datum::digest(self)
    }
    fn literal(&self) -> Option<Literal> {
        Datum::literal(self)
    }
    fn describe(&self) -> Type {
        Datum::describe(self)
    }
    fn flaw(&self) -> Option<String> {
        Datum::flaw(self)
    }
    fn holds(&self, files: &Files) -> Result<(), String> {
        Datum::holds(self, files)
    }
    fn written(&self) -> Vec<PathBuf> {
        Datum::written(self)
    }
    fn part(&self) -> Option<PartId> {
        Datum::part(self)
    }
    fn codec(&self) -> Option<Codec> {
        T::codec()
    }
    fn kind(&self) -> Kind {
        T::KIND
    }
}

/// A value that a node has just made and that has no name yet.
#[derive(Clone)]
pub struct Made(Arc<dyn Held>);

impl Made {
    /// Wraps a datum.
    pub fn new<T: Datum>(datum: T) -> Self {
        Self(Arc::new(datum))
    }

    /// Gives it its name: of its content if it is small, else of the recipe.
    pub fn named(self, recipe: Fingerprint) -> Value {
        let name = self.0.digest().unwrap_or(recipe);
        let bytes = self.0.bytes();
        Value { held: self.0, name, bytes }
    }

    /// Says what is wrong with its numbers, if they are not all finite.
    pub fn flaw(&self) -> Option<String> {
        self.0.flaw()
    }
}

/// Any datum, with its kind, name and size.
#[derive(Clone)]
pub struct Value {
    held: Arc<dyn Held>,
    name: Fingerprint,
    bytes: u64,
}

impl Value {
    /// Returns its name.
    pub fn name(&self) -> Fingerprint {
        self.name
    }

    /// Returns what it is.
    pub fn kind(&self) -> Kind {
        self.held.kind()
    }

    /// Returns the bytes it holds in memory.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the datum, if it is a `T`.
    pub fn downcast<T: Datum>(&self) -> Option<&T> {
        self.held.any().downcast_ref()
    }

    /// Returns the datum.
    ///
    /// # Errors
    /// A fault that names both kinds.
    pub fn get<T: Datum>(&self) -> Result<&T, Fault> {
        self.downcast().ok_or_else(|| Fault::graph(format!("wanted `{}`, found `{}`", T::KIND, self.kind())))
    }

    /// Returns the literal that means the same, for small things.
    pub fn literal(&self) -> Option<Literal> {
        self.held.literal()
    }

    /// Describes it as its wire is described before a run.
    pub fn describe(&self) -> Type {
        self.held.describe()
    }

    /// Tells whether what it speaks of in the outside world is still so.
    ///
    /// # Errors
    /// What is no longer so.
    pub fn holds(&self, files: &Files) -> Result<(), String> {
        self.held.holds(files)
    }

    /// Returns the files that it stands for, if it is what an effect left in the world.
    pub fn written(&self) -> Vec<PathBuf> {
        self.held.written()
    }

    /// Returns the weights that it stands for, if it is a model.
    pub fn part(&self) -> Option<PartId> {
        self.held.part()
    }

    /// Writes it for the disk, if its type is kept there.
    pub fn record(&self) -> Option<Record> {
        (self.held.codec()?.encode)(self)
    }

    /// Tells whether its type is kept on disk.
    pub fn is_storable(&self) -> bool {
        self.held.codec().is_some()
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.held.describe(), self.name)
    }
}

macro_rules! small_datum {
    ($($ty:ty, $kind:ident, $variant:ident, |$value:ident| $literal:expr, |$read:ident| $back:expr;)*) => {$(
        impl Datum for $ty {
            const KIND: Kind = Kind::$kind;

            fn bytes(&self) -> u64 {
                std::mem::size_of::<Self>() as u64
            }

            fn literal(&self) -> Option<Literal> {
                let $value = self;
                Some(Literal::$variant($literal))
            }

            fn codec() -> Option<Codec> {
                Some(Codec::new(
                    |value| {
                        let text = value.downcast::<Self>()?.to_string();
                        Some(Record { words: BTreeMap::from([("value".to_owned(), text)]), ..Record::default() })
                    },
                    |record| {
                        let $read = record.words.get("value")?;
                        Some(Made::new::<Self>($back))
                    },
                ))
            }
        }
    )*};
}

small_datum! {
    String, TEXT, Text, |value| value.clone(), |text| text.clone();
    i64, INTEGER, Integer, |value| i128::from(*value), |text| text.parse().ok()?;
    u64, INTEGER, Integer, |value| i128::from(*value), |text| text.parse().ok()?;
    f64, NUMBER, Number, |value| *value, |text| text.parse().ok()?;
    bool, BOOLEAN, Boolean, |value| *value, |text| text.parse().ok()?;
}

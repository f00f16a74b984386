//! Toy nodes and an event log, for tests of the engine: no weights, no device, milliseconds.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use crate::context::Context;
use crate::fault::Fault;
use crate::files::Files;
use crate::fingerprint::Fingerprint;
use crate::literal::Literal;
use crate::node::{AnyWire, Known, Node, Routed};
use crate::observe::{Cancel, Event, Observer};
use crate::param::Seed;
use crate::registry::Registry;
use crate::residency::{Device, Handle, PartId, Place, Resident, streaming};
use crate::types::{Cost, Kind, Type};
use crate::value::{Array, Codec, Datum, Made, Record};
use crate::{Choice, Outputs};

mod device;
mod etch;
mod gauge;

pub use device::{Develop, SimBuffer, SimDevice, Trouble};
pub use etch::Etch;
pub use gauge::{Bear, Creature, Letter, Meet, MeetBeside, Meeting, Paper, Tally, Tear, Torn, Weigh};

/// Returns a registry of all toys but [`Develop`], which wants a device.
pub fn toys() -> Registry {
    Registry::new()
        .with::<Word>()
        .with::<Count>()
        .with::<Shout>()
        .with::<Grow>()
        .with::<Ink>()
        .with::<Stamp>()
        .with::<Etch>()
        .with::<Press>()
        .with::<Pick>()
        .with::<Spoil>()
        .with::<Linger>()
        .with::<Sprout>()
        .with::<Meet>()
        .with::<MeetBeside>()
        .with::<Bear>()
        .with::<Letter>()
        .with::<Tear>()
        .with::<Weigh>()
        .with::<Join>()
}

/// A text that is at hand while planning.
#[derive(crate::Node)]
#[node(id = "word", version = 1, category = "Toys", lane = "value")]
pub struct Word {
    /// The text.
    #[param(default = "")]
    text: String,
}

impl Node for Word {
    type Output = String;

    fn run(self, _: &mut Context<'_>) -> Result<String, Fault> {
        Ok(self.text)
    }
}

/// A number that is at hand while planning.
#[derive(crate::Node)]
#[node(id = "count", version = 1, category = "Toys", lane = "value")]
pub struct Count {
    /// The number.
    #[param(default = 1, range = 0..=1000)]
    number: i64,
}

impl Node for Count {
    type Output = i64;

    fn run(self, _: &mut Context<'_>) -> Result<i64, Fault> {
        Ok(self.number)
    }
}

/// How loud to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Loudness {
    /// All capitals.
    Loud,
    /// As it is.
    Plain,
}

/// Says a text loudly; light work.
#[derive(crate::Node)]
#[node(id = "shout", version = 1, category = "Toys", lane = "light")]
pub struct Shout {
    /// The text.
    #[param]
    text: String,
    /// How loud.
    #[param(default = Loudness::Loud)]
    loudness: Loudness,
}

impl Node for Shout {
    type Output = String;

    fn run(self, _: &mut Context<'_>) -> Result<String, Fault> {
        Ok(match self.loudness {
            Loudness::Loud => self.text.to_uppercase(),
            Loudness::Plain => self.text,
        })
    }
}

/// Many bytes: the toys' latent.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf(pub std::sync::Arc<[f32]>);

impl Datum for Leaf {
    const KIND: Kind = Kind("leaf");

    fn bytes(&self) -> u64 {
        4 * self.0.len() as u64
    }

    fn codec() -> Option<Codec> {
        Some(Codec::new(
            |value| {
                let array = Array::f32(vec![value.downcast::<Self>()?.0.len()], &value.downcast::<Self>()?.0);
                Some(Record { arrays: [("leaf".to_owned(), array)].into(), ..Record::default() })
            },
            |record| Some(Made::new(Self(record.arrays.get("leaf")?.to_f32()?.into()))),
        ))
    }

    fn flaw(&self) -> Option<String> {
        self.0.iter().any(|value| !value.is_finite()).then(|| "a leaf is not finite".to_owned())
    }
}

/// Grows a leaf; computes.
#[derive(crate::Node)]
#[node(id = "grow", version = 1, category = "Toys", lane = "compute")]
pub struct Grow {
    /// What to grow on.
    #[input]
    on: Option<Leaf>,
    /// Numbers in the leaf.
    #[param(default = 4, range = 1..=1_000_000, unit = "numbers")]
    size: u32,
    /// What chance is.
    #[param(default = Seed(0))]
    seed: Seed,
}

impl Node for Grow {
    type Output = Leaf;

    fn run(self, cx: &mut Context<'_>) -> Result<Leaf, Fault> {
        cx.tick(1, 1)?;
        let base = self.on.map_or(0.0, |leaf| leaf.0.iter().sum());
        Ok(Leaf((0..self.size).map(|i| base + (self.seed.0 % 1000) as f32 + i as f32).collect::<Vec<_>>().into()))
    }

    fn cost(known: &Known<'_>) -> Cost {
        let size = known.param::<u32>("size").ok().flatten().unwrap_or(4);
        Cost { output: 4 * u64::from(size), workspace: 100, ..Cost::default() }
    }
}

/// Adds numbers up; as little as work can be.
#[derive(crate::Node)]
#[node(id = "join", version = 1, category = "Toys", lane = "light")]
pub struct Join {
    /// A number.
    #[input]
    of: Option<i64>,
    /// Another number.
    #[input]
    and: Option<i64>,
    /// What comes on top.
    #[param(default = 1)]
    more: i64,
}

impl Node for Join {
    type Output = i64;

    fn run(self, _: &mut Context<'_>) -> Result<i64, Fault> {
        Ok(self.of.unwrap_or(0) + self.and.unwrap_or(0) + self.more)
    }
}

/// The weights of the toys: a bottle of ink.
pub struct Bottle {
    colour: String,
    bytes: u64,
    least: u64,
    device: Device,
}

impl Resident for Bottle {
    type Loaded = String;

    fn part(&self) -> PartId {
        PartId(Fingerprint::of_bytes(self.colour.as_bytes()))
    }

    fn title(&self) -> String {
        format!("{} ink", self.colour)
    }

    fn device(&self) -> Device {
        self.device
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn least_bytes(&self) -> u64 {
        self.least
    }

    fn load(&self, place: Place, cancel: &Cancel) -> Result<String, Fault> {
        cancel.check()?;
        if place.bytes < self.least || place.bytes > self.bytes {
            return Err(Fault::bug(format!("a bottle of {} B was granted {} B", self.bytes, place.bytes)));
        }
        Ok(self.colour.clone())
    }
}

/// A promise of ink.
#[derive(Clone)]
pub struct InkHandle(Handle<Bottle>);

impl Datum for InkHandle {
    const KIND: Kind = Kind("ink");

    fn bytes(&self) -> u64 {
        0
    }

    fn part(&self) -> Option<PartId> {
        Some(self.0.part())
    }
}

/// Opens a bottle of ink.
#[derive(crate::Node)]
#[node(id = "ink", version = 1, category = "Toys", lane = "open")]
pub struct Ink {
    /// Its colour.
    #[param(default = "black")]
    colour: String,
    /// Its bytes.
    #[param(default = 100, range = 0..=1_000_000)]
    bytes: u64,
    /// The least bytes of it that must be at hand; all of them if left out.
    #[param]
    least: Option<u64>,
    /// The card that it sits on, counted from 1; 0 for the processor.
    #[param(default = 0, range = 0..=8)]
    card: u32,
}

/// The device that a toy means by the number of a card.
fn device_of(card: u32) -> Device {
    card.checked_sub(1).map_or(Device::Cpu, |ordinal| Device::Cuda(ordinal as u16))
}

impl Node for Ink {
    type Output = InkHandle;

    fn run(self, _: &mut Context<'_>) -> Result<InkHandle, Fault> {
        let least = self.least.unwrap_or(self.bytes).min(self.bytes);
        let device = device_of(self.card);
        Ok(InkHandle(Handle::new(Bottle { colour: self.colour, bytes: self.bytes, least, device })))
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let ty = Type {
            weights: Some(known.param::<u64>("bytes")?.unwrap_or(0)),
            least_weights: known.param::<Option<u64>>("least")?.flatten(),
            device: known.param::<u32>("card")?.filter(|card| *card > 0).map(device_of),
            ..Type::of(InkHandle::KIND)
        };
        Ok(vec![match known.param::<String>("colour")? {
            Some(colour) => ty.family(colour),
            None => ty,
        }])
    }
}

/// What a stamp leaves: the picture and its caption.
#[derive(Outputs)]
pub struct Print {
    /// The numbers.
    pub leaf: Leaf,
    /// What it says.
    pub caption: String,
}

/// Prints a leaf with ink; computes with weights.
#[derive(crate::Node)]
#[node(id = "stamp", version = 2, category = "Toys", lane = "compute")]
pub struct Stamp {
    /// The ink.
    #[input]
    ink: InkHandle,
    /// What to print.
    #[input]
    leaf: Leaf,
    /// A second ink, which must be of the first one's colour.
    #[input]
    second: Option<InkHandle>,
}

impl Node for Stamp {
    type Output = Print;

    fn run(self, cx: &mut Context<'_>) -> Result<Print, Fault> {
        let mut caption = format!("{} in {}", self.leaf.0.len(), *cx.pin(&self.ink.0)?);
        if let Some(second) = &self.second {
            caption = format!("{caption} and {}", *cx.pin(&second.0)?);
        }
        Ok(Print { caption, leaf: self.leaf })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        if let (Some(first), Some(second)) = (known.wire("ink"), known.wire("second"))
            && first.family != second.family
        {
            return Err(Fault::graph(format!("`ink` brings {first}, `second` brings {second}")).hint("take one colour"));
        }
        Ok(vec![Type::of(Leaf::KIND), Type::of(Kind::TEXT)])
    }

    fn cost(known: &Known<'_>) -> Cost {
        let ink = known.wire_or_unknown("ink");
        Cost { weights: ink.weights.unwrap_or(0), least_weights: ink.least(), ..Cost::default() }
    }
}

/// What the press wrote, and what was in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// The file's path.
    pub path: String,
    digest: Fingerprint,
}

impl Datum for Sheet {
    const KIND: Kind = Kind("sheet");

    fn bytes(&self) -> u64 {
        self.path.len() as u64
    }

    fn codec() -> Option<Codec> {
        Some(Codec::new(
            |value| {
                let sheet = value.downcast::<Self>()?;
                let words = [("path".to_owned(), sheet.path.clone()), ("digest".to_owned(), sheet.digest.to_string())];
                Some(Record { words: words.into(), ..Record::default() })
            },
            |record| {
                let digest = Fingerprint::from_hex(record.words.get("digest")?)?;
                Some(Made::new(Self { path: record.words.get("path")?.clone(), digest }))
            },
        ))
    }

    fn holds(&self, files: &Files) -> Result<(), String> {
        match files.digest(self.path.as_ref()) {
            Ok(digest) if digest == self.digest => Ok(()),
            Ok(_) => Err("the sheet was changed".to_owned()),
            Err(_) => Err("the sheet is gone".to_owned()),
        }
    }

    fn written(&self) -> Vec<PathBuf> {
        vec![PathBuf::from(&self.path)]
    }
}

/// Writes a text to a file below the output folder.
#[derive(crate::Node)]
#[node(id = "press", version = 1, category = "Toys", lane = "io", effect)]
pub struct Press {
    /// What to write.
    #[param]
    text: String,
    /// The file's name.
    #[param(default = "sheet.txt")]
    name: String,
}

impl Node for Press {
    type Output = Sheet;

    fn run(self, cx: &mut Context<'_>) -> Result<Sheet, Fault> {
        let path = cx.files().below_output(self.name.as_ref()).ok_or_else(|| Fault::file("outside"))?;
        crate::files::write_aside(&path, self.text.as_bytes())?;
        cx.wrote(&path);
        Ok(Sheet { path: path.display().to_string(), digest: Fingerprint::of_bytes(self.text.as_bytes()) })
    }
}

/// Passes one of two inputs on.
#[derive(crate::Node)]
#[node(id = "pick", version = 1, category = "Toys", lane = "route")]
pub struct Pick {
    /// Whether the first.
    #[param(default = true)]
    first: bool,
    /// The first.
    #[input]
    a: AnyWire,
    /// The second.
    #[input]
    b: AnyWire,
}

impl Node for Pick {
    type Output = Routed;

    fn run(self, _: &mut Context<'_>) -> Result<Routed, Fault> {
        Err(Fault::bug(format!(
            "a route ran, first: {}, a: {}, b: {}",
            self.first,
            self.a.0.is_some(),
            self.b.0.is_some()
        )))
    }

    fn route(known: &Known<'_>) -> Result<&'static str, Fault> {
        match known.param::<bool>("first")? {
            Some(true) => Ok("a"),
            Some(false) => Ok("b"),
            None => Err(Fault::graph("`first` must be known before the run").hint("give a literal, or a light value")),
        }
    }
}

/// Ways to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Mishap {
    /// A fault.
    Fault,
    /// A panic.
    Panic,
    /// A number that is none.
    Nan,
}

/// Fails.
#[derive(crate::Node)]
#[node(id = "spoil", version = 1, category = "Toys", lane = "compute")]
pub struct Spoil {
    /// How.
    #[param(default = Mishap::Fault)]
    how: Mishap,
}

impl Node for Spoil {
    type Output = Leaf;

    fn run(self, _: &mut Context<'_>) -> Result<Leaf, Fault> {
        match self.how {
            Mishap::Fault => Err(Fault::file("the tray is empty").hint("fill it")),
            Mishap::Panic => panic!("the tray fell over"),
            Mishap::Nan => Ok(Leaf(vec![f32::NAN].into())),
        }
    }
}

/// Takes its time, step by step, and keeps its state so that a killed run resumes.
#[derive(crate::Node)]
#[node(id = "linger", version = 1, category = "Toys", lane = "compute")]
pub struct Linger {
    /// What to wait for before setting out.
    #[input]
    after: Option<Leaf>,
    /// Steps.
    #[param(default = 10, range = 1..=100_000)]
    steps: u32,
    /// Milliseconds a step.
    #[param(default = 1, range = 0..=10_000, unit = "ms")]
    pause: u32,
    /// Steps between two checkpoints.
    #[param(default = 2, range = 1..=1000)]
    every: u32,
}

impl Node for Linger {
    type Output = Leaf;

    fn run(self, cx: &mut Context<'_>) -> Result<Leaf, Fault> {
        let resumed = cx.resume().and_then(|record| record.arrays.get("sum")?.to_f32());
        let mut sum = resumed.unwrap_or_default();
        drop(self.after);
        for step in sum.len()..self.steps as usize {
            std::thread::sleep(Duration::from_millis(u64::from(self.pause)));
            sum.push(step as f32);
            if sum.len().is_multiple_of(self.every as usize) {
                let array = Array::f32(vec![sum.len()], &sum);
                cx.checkpoint(&Record { arrays: [("sum".to_owned(), array)].into(), ..Record::default() });
            }
            cx.tick(step + 1, self.steps as usize)?;
        }
        Ok(Leaf(sum.into()))
    }
}

/// Makes a text of a leaf.
#[derive(crate::Node)]
#[node(id = "sprout", version = 1, category = "Toys", lane = "light")]
pub struct Sprout {
    /// The leaf.
    #[input]
    leaf: Leaf,
    /// What stands before it.
    #[param]
    prefix: Option<String>,
}

impl Node for Sprout {
    type Output = String;

    fn run(self, _: &mut Context<'_>) -> Result<String, Fault> {
        Ok(format!("{}{:?}", self.prefix.unwrap_or_default(), self.leaf.0))
    }
}

/// Remembers what happened, a line an event.
#[derive(Default)]
pub struct Log(Mutex<Vec<String>>);

impl Log {
    /// Returns the lines since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no thread panics while it holds the log"))
    }
}

impl Observer for Log {
    fn see(&self, event: &Event<'_>) {
        self.0.lock().expect("no thread panics while it holds the log").push(line(event));
    }
}

/// Writes an event as a line: no times, no folders, so that a test can hold it against a snapshot.
pub fn line(event: &Event<'_>) -> String {
    match event {
        Event::Planned(plan) => format!("planned {} of {}", plan.runs(), plan.steps.len()),
        Event::Reading { done, of, .. } => format!("reading {done}/{of}"),
        Event::Started { node, kind } => format!("started {node} ({kind})"),
        Event::Progress { node, done, of } => format!("{node} {done}/{of}"),
        Event::Streams { node, title, bytes, of } => format!("{node}: {}", streaming(title, *bytes, *of)),
        Event::Preview { node, .. } => format!("preview {node}"),
        Event::Finished { node, how, .. } => format!("{} {node}", how.word()),
        Event::Wrote { node, path, anew } => {
            let word = if *anew { "wrote" } else { "had written" };
            format!("{node} {word} {}", path.file_name().unwrap_or_default().to_string_lossy())
        }
        Event::Warning { node, text } => format!("warning {}: {text}", node.unwrap_or("-")),
        Event::Eased { node, what } => format!("eased {node}: {what}"),
        Event::Failed(located) => format!("failed {located}"),
    }
}

/// Returns the literal of a text, for tests that build graphs.
pub fn text(text: &str) -> Literal {
    Literal::from(text)
}

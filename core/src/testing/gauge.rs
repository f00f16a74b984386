//! Toys that gauge a run: two that wait for each other, one that counts what is alive, one that reads a file.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::Leaf;
use crate::context::Context;
use crate::fault::Fault;
use crate::files::{Files, Piece};
use crate::fingerprint::Fingerprint;
use crate::literal::Literal;
use crate::node::Node;
use crate::param::Param;
use crate::types::Kind;
use crate::value::Datum;

/// A place where two nodes meet: a part of the host.
#[derive(Debug, Default)]
pub struct Meeting {
    present: Mutex<usize>,
    arrived: Condvar,
}

impl Meeting {
    /// Waits for the other one; tells whether it came within ten seconds.
    fn attend(&self) -> bool {
        let mut present = self.present.lock().expect("no thread panics while it holds the door");
        *present += 1;
        self.arrived.notify_all();
        let alone = |present: &mut usize| *present % 2 == 1;
        let waited = self.arrived.wait_timeout_while(present, Duration::from_secs(10), alone);
        !waited.expect("no thread panics while it holds the door").1.timed_out()
    }
}

/// Computes, and meets a `meet_beside` meanwhile.
#[derive(crate::Node)]
#[node(id = "meet", version = 1, category = "Toys", lane = "compute")]
pub struct Meet {
    /// What to wait for before setting out.
    #[input]
    after: Option<Leaf>,
}

impl Node for Meet {
    type Output = Leaf;

    fn run(self, cx: &mut Context<'_>) -> Result<Leaf, Fault> {
        let met = cx.host::<Meeting>()?.attend();
        let first = self.after.map_or(0.0, |leaf| leaf.0[0]);
        if met { Ok(Leaf(vec![first + 1.0].into())) } else { Err(Fault::bug("nobody came")) }
    }
}

/// Waits for files, and meets a `meet` meanwhile.
#[derive(crate::Node)]
#[node(id = "meet_beside", version = 1, category = "Toys", lane = "io")]
pub struct MeetBeside {
    /// What to say then.
    #[param(default = "met")]
    text: String,
}

impl Node for MeetBeside {
    type Output = String;

    fn run(self, cx: &mut Context<'_>) -> Result<String, Fault> {
        if cx.host::<Meeting>()?.attend() { Ok(self.text) } else { Err(Fault::bug("nobody came")) }
    }
}

/// How many [`Creature`]s live, and how many lived at once: a part of the host. Clones share.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<(AtomicUsize, AtomicUsize)>);

impl Tally {
    /// Returns how many live now.
    pub fn alive(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    /// Returns the most that ever lived at once.
    pub fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }

    fn birth(&self) -> Life {
        let alive = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(alive, Ordering::SeqCst);
        Life(self.clone())
    }
}

struct Life(Tally);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A value that is counted for as long as anybody holds it.
#[derive(Clone)]
pub struct Creature {
    generation: u64,
    _life: Arc<Life>,
}

impl Datum for Creature {
    const KIND: Kind = Kind("creature");

    fn bytes(&self) -> u64 {
        1 << 20
    }
}

/// Brings a creature into the world.
#[derive(crate::Node)]
#[node(id = "bear", version = 1, category = "Toys", lane = "compute")]
pub struct Bear {
    /// Its parent.
    #[input]
    of: Option<Creature>,
    /// A second parent.
    #[input]
    and: Option<Creature>,
}

impl Node for Bear {
    type Output = Creature;

    fn run(self, cx: &mut Context<'_>) -> Result<Creature, Fault> {
        let parents = [self.of, self.and];
        let generation = parents.iter().flatten().map(|parent| parent.generation + 1).max().unwrap_or(0);
        drop(parents);
        Ok(Creature { generation, _life: Arc::new(cx.host::<Tally>()?.birth()) })
    }
}

/// The name of a file that is read; named by its content.
#[derive(Debug, Clone)]
pub struct Paper(PathBuf);

impl Param for Paper {
    const KIND: Kind = Kind::TEXT;
    const NOUN: &'static str = "the name of a file";
    const OUTSIDE: bool = true;

    fn parse(literal: &Literal, files: &Files) -> Result<Self, Fault> {
        files.resolve_file(&String::parse(literal, files)?).map(Self)
    }

    fn literal(&self) -> Literal {
        Literal::Text(self.0.display().to_string())
    }

    fn name(literal: &Literal, files: &Files) -> Result<Fingerprint, Fault> {
        files.digest(&Self::parse(literal, files)?.0)
    }

    fn pieces(literal: &Literal, files: &Files) -> Result<Vec<Piece>, Fault> {
        Ok(Piece::alone(Self::parse(literal, files)?.0))
    }
}

/// Reads a text.
#[derive(crate::Node)]
#[node(id = "letter", version = 1, category = "Toys", lane = "io")]
pub struct Letter {
    /// The file.
    #[param]
    file: Paper,
}

impl Node for Letter {
    type Output = String;

    fn run(self, _: &mut Context<'_>) -> Result<String, Fault> {
        std::fs::read_to_string(&self.file.0).map_err(|error| Fault::io("read", &self.file.0, &error))
    }
}

/// Weighs a leaf, which takes a run.
#[derive(crate::Node)]
#[node(id = "weigh", version = 1, category = "Toys", lane = "compute")]
pub struct Weigh {
    /// The leaf.
    #[input]
    leaf: Leaf,
}

impl Node for Weigh {
    type Output = bool;

    fn run(self, _: &mut Context<'_>) -> Result<bool, Fault> {
        Ok(self.leaf.0.len() > 1000)
    }
}

/// Tears what it makes: whoever looks at it breaks off, after the node is through.
#[derive(Debug, Clone)]
pub struct Torn;

impl Datum for Torn {
    const KIND: Kind = Kind::TEXT;

    fn bytes(&self) -> u64 {
        panic!("the letter is torn")
    }
}

/// Makes what breaks whoever looks at it.
#[derive(crate::Node)]
#[node(id = "tear", version = 1, category = "Toys", lane = "light")]
pub struct Tear {}

impl Node for Tear {
    type Output = Torn;

    fn run(self, _: &mut Context<'_>) -> Result<Torn, Fault> {
        Ok(Torn)
    }
}

//! A backend that is played: it notes what it is asked for, and answers what it is told to. And a toy with fields of
//! every kind.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use darkroom_core::context::Context;
use darkroom_core::fault::{Fault, Faults};
use darkroom_core::registry::Registry;
use darkroom_core::testing::Loudness;
use darkroom_editor::session::{Ask, Backend, News, Place, Spare, Ticket};

/// A node with fields of every kind.
#[derive(darkroom_core::Node)]
#[node(id = "page", version = 1, category = "Toys", lane = "light")]
pub struct Page {
    /// Several lines.
    #[param(default = "", multiline)]
    prose: String,
    /// A share.
    #[param(default = 0.5, range = 0.0..=1.0)]
    share: f64,
    /// A width.
    #[param(default = 64, range = 8..=4096, multiple_of = 8, unit = "px")]
    width: u32,
    /// How loud.
    #[param(default = Loudness::Loud)]
    loudness: Loudness,
    /// Whether it counts.
    #[param(default = false)]
    counts: bool,
    /// One line.
    #[param(default = "")]
    caption: String,
    /// What chance is.
    #[param(default = darkroom_core::param::Seed(7))]
    seed: darkroom_core::param::Seed,
    /// May be left out.
    #[param(advanced)]
    extra: Option<String>,
}

impl darkroom_core::node::Node for Page {
    type Output = String;

    fn run(self, _: &mut Context<'_>) -> Result<String, Fault> {
        let shouted = matches!(self.loudness, Loudness::Loud) && self.counts;
        let rest = format!("{}{}{}{}{:?}", self.share, self.width, shouted, self.seed.0, self.extra);
        Ok(format!("{}{}{rest}", self.prose, self.caption))
    }
}

/// What a backend was asked for, and what it is to answer.
#[derive(Default)]
pub struct Desk {
    /// Questions of what would happen.
    pub foreseen: Vec<Ask>,
    /// Runs.
    pub runs: Vec<(Ticket, Ask)>,
    /// Where each of them was to stand.
    pub places: Vec<Place>,
    /// Runs that were to go first.
    pub hastened: Vec<Ticket>,
    /// How often it was asked what sits in memory.
    pub stock: usize,
    /// What was to be let go of.
    pub spared: Vec<Spare>,
    /// Runs that were to stop.
    pub cancelled: Vec<Ticket>,
    /// Graphs that were to be checked at once.
    pub checked: usize,
    /// What the next looks for news bring.
    pub news: VecDeque<News>,
    /// What checks say of a graph with wires.
    pub refusal: Option<Faults>,
}

fn is_literal(field: &darkroom_core::graph::Field) -> bool {
    matches!(field, darkroom_core::graph::Field::Literal(_))
}

/// The backend.
pub struct Fake {
    /// The nodes there are.
    pub registry: Registry,
    /// Where it notes and reads.
    pub desk: Rc<RefCell<Desk>>,
}

impl Backend for Fake {
    fn registry(&self) -> &Registry {
        &self.registry
    }

    fn foresee(&mut self, ask: Ask) {
        self.desk.borrow_mut().foreseen.push(ask);
    }

    fn run(&mut self, ask: Ask, place: Place) -> Ticket {
        let mut desk = self.desk.borrow_mut();
        desk.places.push(place);
        let ticket = Ticket(desk.runs.len() as u64 + 1);
        desk.runs.push((ticket, ask));
        ticket
    }

    fn cancel(&mut self, ticket: Ticket) {
        self.desk.borrow_mut().cancelled.push(ticket);
    }

    fn hasten(&mut self, ticket: Ticket) {
        self.desk.borrow_mut().hastened.push(ticket);
    }

    fn take_stock(&mut self) {
        self.desk.borrow_mut().stock += 1;
    }

    fn let_go(&mut self, spare: Spare) {
        self.desk.borrow_mut().spared.push(spare);
    }

    fn check(&mut self, ask: &Ask) -> Result<(), Faults> {
        let mut desk = self.desk.borrow_mut();
        desk.checked += 1;
        let wired = ask.graph.nodes.values().flat_map(|node| node.fields.values()).any(|field| !is_literal(field));
        desk.refusal.clone().filter(|_| wired).map_or(Ok(()), Err)
    }

    fn news(&mut self) -> Vec<News> {
        self.desk.borrow_mut().news.drain(..).collect()
    }

    fn memory(&self) -> (u64, u64) {
        (8 << 30, 0)
    }
}

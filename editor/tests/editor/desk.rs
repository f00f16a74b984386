//! A backend that is played: it notes what it is asked for, and answers what it is told to. And a toy with fields of
//! every kind.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use darkroom_core::context::Context;
use darkroom_core::fault::{Fault, Faults};
use darkroom_core::graph::check::draw_seeds;
use darkroom_core::registry::Registry;
use darkroom_core::spec::{FileSort, Sizes};
use darkroom_core::testing::{Leaf, Loudness};
use darkroom_editor::session::{Ask, Backend, DocumentId, News, Place, Spare, Ticket, Told};

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

/// A node whose fields name files, and make a size.
#[derive(darkroom_core::Node)]
#[node(id = "loader", version = 1, category = "Toys", lane = "light")]
pub struct Loader {
    /// A picture.
    #[param(default = "", file = FileSort::Picture)]
    picture: String,
    /// A model.
    #[param(default = "", file = FileSort::Lora)]
    model: String,
    /// How wide.
    #[param(default = 64, range = 8..=4096, multiple_of = 8, unit = "px", pair = "high", sizes = SIZES)]
    wide: u32,
    /// How high.
    #[param(default = 32, range = 8..=4096, multiple_of = 8, unit = "px", pair = "wide")]
    high: u32,
}

/// A node that reads a picture, by the name that the editor knows.
#[derive(darkroom_core::Node)]
#[node(id = "load_image", version = 1, category = "Toys", lane = "light")]
pub struct LoadImage {
    /// The file.
    #[param(default = "", file = FileSort::Picture)]
    file: String,
}

impl darkroom_core::node::Node for LoadImage {
    type Output = String;

    fn run(self, _: &mut Context<'_>) -> Result<String, Fault> {
        Ok(self.file)
    }
}

/// A node that changes what it is given, as a LoRA does.
#[derive(darkroom_core::Node)]
#[node(id = "glaze", version = 1, category = "Toys", lane = "light")]
pub struct Glaze {
    /// What is changed.
    #[input]
    leaf: Leaf,
    /// What is laid over it.
    #[param(default = "", file = FileSort::Lora)]
    file: String,
    /// How strongly.
    #[param(default = 1.0, range = -2.0..=2.0)]
    strength: f64,
}

impl darkroom_core::node::Node for Glaze {
    type Output = Leaf;

    fn run(self, _: &mut Context<'_>) -> Result<Leaf, Fault> {
        assert!(self.strength.is_finite() && !self.file.contains('\0'), "the editor sends what its fields allow");
        Ok(self.leaf)
    }
}

const SIZES: &[Sizes] = &[
    Sizes { family: "large", title: "Large", sizes: &[(1024, 1024), (1152, 896)] },
    Sizes { family: "small", title: "Small", sizes: &[(256, 256)] },
];

impl darkroom_core::node::Node for Loader {
    type Output = String;

    fn run(self, _: &mut Context<'_>) -> Result<String, Fault> {
        Ok(format!("{} {} {} {}", self.picture, self.model, self.wide, self.high))
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
    /// Seeds that are drawn next; 77 once there are no more.
    pub draws: VecDeque<u64>,
    /// Lists of models that were asked for.
    pub listed: Vec<(DocumentId, Option<PathBuf>)>,
    /// What was to be fetched.
    pub pulls: Vec<(Ticket, String)>,
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

    fn run(&mut self, mut ask: Ask, place: Place) -> Ticket {
        let mut desk = self.desk.borrow_mut();
        desk.places.push(place);
        let ticket = Ticket(desk.runs.len() as u64 + 1);
        if !desk.draws.is_empty() {
            // Such a run begins at once.
            let graph = Arc::make_mut(&mut ask.graph);
            draw_seeds(graph, &self.registry, || desk.draws.pop_front().unwrap_or(77));
            let told = Told::Began { graph: Arc::clone(&ask.graph) };
            desk.news.push_back(News::Run { ticket, told });
        }
        desk.runs.push((ticket, ask));
        ticket
    }

    fn models(&mut self, document: DocumentId, path: Option<&Path>) {
        self.desk.borrow_mut().listed.push((document, path.map(Path::to_owned)));
    }

    fn can_pull(&self, name: &str) -> bool {
        name.starts_with("far://")
    }

    fn pull(&mut self, name: &str) -> Ticket {
        let mut desk = self.desk.borrow_mut();
        let ticket = Ticket(1000 + desk.pulls.len() as u64);
        desk.pulls.push((ticket, name.to_owned()));
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

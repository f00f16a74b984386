//! A document in the window: what is seen of it, what is known of it, what runs of it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use darkroom_core::fault::{Fault, Faults, Located};
use darkroom_core::graph::Graph;
use darkroom_core::observe::How;
use darkroom_core::plan::{Goal, Wish};
use egui::{ColorImage, Context, Id, TextureOptions};

use super::levels::Levels;
use crate::canvas::{Drop, View, ViewState};
use crate::document::{Document, Edit, NodeId, Point, Wire, arrange};
use crate::session::{Ask, Backend, DocumentId, Fate, Outlook, Sight, Ticket, Told};
use crate::status::{NodeStatus, State, Status, Thumb};

/// A document in the window.
pub struct Tab {
    /// Its number.
    pub id: DocumentId,
    /// The document.
    pub document: Document,
    /// What is seen of it.
    pub view: ViewState,
    /// The sub-graphs that are entered, and what is known inside.
    pub levels: Levels,
    /// What is known of it.
    pub status: Status,
    /// What would happen, when that was last asked.
    pub outlook: Option<Outlook>,
    /// All that is wrong with it.
    pub faults: Vec<Arc<Located>>,
    /// What its last run failed at, as long as nothing is changed and nothing is run again.
    pub failures: Vec<Arc<Located>>,
    /// Its runs that are not over, the one under way first.
    pub runs: Vec<Run>,
    /// Pictures that its runs left, the newest last.
    pub made: Vec<Made>,
    /// Sentences of its runs.
    pub log: Vec<Line>,
    /// Whether it is what an earlier window left, and not saved since.
    pub recovered: bool,
    /// What was seen of its file last time.
    pub sight: Option<Sight>,
    /// Whether the wire that was last held may be drawn.
    pub(super) refusal: Option<(Drop, Option<String>)>,
    /// The revision that failed.
    failed_at: u64,
    asked: Option<u64>,
    laid: bool,
}

/// A run that is not over.
pub struct Run {
    /// Its ticket.
    pub ticket: Ticket,
    /// What was run.
    pub graph: Arc<Graph>,
    /// What is done and what is to be done, in seconds or steps.
    pub outlook: Option<Outlook>,
    /// The share of each node that is done.
    pub shares: HashMap<String, f32>,
}

/// A picture that a run left.
pub struct Made {
    /// The file.
    pub path: PathBuf,
    /// What it looks like.
    pub thumb: Thumb,
    /// The graph that made it.
    pub graph: Arc<Graph>,
}

/// A line of the log.
pub struct Line {
    /// How much it matters.
    pub weight: Weight,
    /// The node it is about.
    pub node: Option<String>,
    /// One sentence.
    pub text: String,
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Good to know.
    Note,
    /// Should be known.
    Warning,
    /// Went wrong.
    Error,
}

impl Tab {
    /// Takes a document in.
    pub fn new(id: DocumentId, document: Document) -> Self {
        Self {
            id,
            document,
            view: ViewState::default(),
            levels: Levels::default(),
            status: Status::default(),
            outlook: None,
            faults: Vec::new(),
            failures: Vec::new(),
            failed_at: 0,
            runs: Vec::new(),
            made: Vec::new(),
            log: Vec::new(),
            recovered: false,
            sight: None,
            refusal: None,
            asked: None,
            laid: false,
        }
    }

    /// Returns what a person calls it.
    pub fn title(&self) -> String {
        let name = self.document.path().and_then(|path| path.file_stem());
        let name = name.map_or_else(|| "untitled".to_owned(), |name| name.to_string_lossy().into_owned());
        let name = if self.recovered { format!("{name} (recovered)") } else { name };
        if self.document.is_changed() { format!("{name} •") } else { name }
    }

    /// Returns the lasting name of its canvas.
    pub fn canvas_id(&self) -> Id {
        Id::unique(("document", self.id.0))
    }

    /// Gives a sheet that nobody has laid out its places, and shows all of it.
    pub fn lay_out(&mut self, backend: &dyn Backend) {
        if self.view.view.is_none() {
            return;
        }
        self.arrive(backend);
        if self.laid {
            return;
        }
        self.laid = true;
        if !self.document.sheet().laid_out {
            let places = self.places(backend);
            self.document.place(None, places);
        }
        match self.sight.take() {
            Some(Sight { centre: (x, y), zoom }) => self.view.camera.fly(egui::pos2(x, y), zoom),
            None => self.with_view(backend, |view, state| state.fit(view, None)),
        }
        self.view.camera.land();
    }

    /// Finds places for all nodes.
    pub fn places(&mut self, backend: &dyn Backend) -> Vec<(NodeId, Point)> {
        let whole = Arc::clone(self.document.sheet());
        let level = self.level().map(str::to_owned);
        let sheet = whole.level(level.as_deref()).unwrap_or(&whole);
        let ids: Vec<_> = sheet.nodes.keys().copied().collect();
        let sizes: HashMap<_, _> =
            self.with_view(backend, |view, state| ids.iter().map(|id| (*id, state.size(view, *id))).collect());
        arrange(sheet, &ids, Point::default(), |id| (sizes[&id].x as u32, sizes[&id].y as u32))
    }

    /// Does something with what is seen.
    pub fn with_view<R>(&mut self, backend: &dyn Backend, act: impl FnOnce(&View<'_>, &mut ViewState) -> R) -> R {
        let mut state = std::mem::take(&mut self.view);
        let view = View {
            id: self.canvas_id(),
            sheet: self.sheet(),
            registry: self.registry(backend),
            status: &self.shown(),
            refuse: &|_| None,
            habits: crate::habits::Habits::default(),
        };
        let done = act(&view, &mut state);
        self.view = state;
        done
    }

    fn ask(&self, wish: Wish) -> Ask {
        Ask {
            document: self.id,
            revision: self.document.revision(),
            path: self.document.path().map(std::path::Path::to_owned),
            graph: Arc::new(self.document.sheet().graph()),
            wish,
        }
    }

    /// Asks what would happen, if that is not known yet.
    pub fn foresee(&mut self, backend: &mut dyn Backend) {
        if self.asked != Some(self.document.revision()) {
            self.asked = Some(self.document.revision());
            backend.foresee(self.ask(Wish::default()));
        }
    }

    /// Lets it be asked anew: its file is another.
    pub fn ask_again(&mut self) {
        self.asked = None;
    }

    /// Asks for a run.
    pub fn run(&mut self, backend: &mut dyn Backend, wish: Wish) {
        let ask = self.ask(wish);
        let graph = Arc::clone(&ask.graph);
        let ticket = backend.run(ask);
        self.failures.clear();
        self.runs.push(Run { ticket, graph, outlook: None, shares: HashMap::new() });
    }

    /// Returns the wish to have what is chosen.
    pub fn wish_to(&self) -> Option<Wish> {
        let id = self.view.selection.nodes.iter().min()?;
        let node = self.sheet().nodes.get(id)?;
        Some(Wish { goal: Goal::Node(format!("{}{}", self.way(), node.name)), fresh: false })
    }

    /// Says why a wire may not be drawn: what would be wrong with the graph then, and is not now.
    pub fn refuse(&self, backend: &mut dyn Backend, drop: &Drop) -> Option<String> {
        let mut sheet = (**self.document.sheet()).clone();
        let wire = Wire { node: drop.from, output: drop.output.clone(), bends: Vec::new() };
        let level = self.level();
        if let Err(refused) = sheet.apply(Edit::Connect(drop.to, drop.input.clone(), wire).at(level)) {
            return Some(refused.0);
        }
        let name = sheet.level(level)?.nodes.get(&drop.to)?.name.clone();
        let ask = Ask { graph: Arc::new(sheet.graph()), ..self.ask(Wish::default()) };
        let faults = backend.check(&ask).err()?;
        let here = |located: &&Located| {
            let at_input = located.place.input.as_deref().is_none_or(|input| input == drop.input);
            let within = located.place.within.as_ref();
            let node = match level {
                Some(_) => within.and_then(|within| within.node.as_ref()),
                None => located.place.node.as_ref().map(|(node, _)| node),
            };
            at_input && node == Some(&name) && within.map(|within| within.definition.as_str()) == level
        };
        let known = faults.0.iter().any(|located| here(&located)).then(|| backend.check(&self.ask(Wish::default())));
        let known = known.and_then(Result::err).unwrap_or_default();
        let located = faults.0.iter().filter(here).find(|new| known.0.iter().all(|known| known.fault != new.fault))?;
        Some(match &located.fault.hint {
            Some(hint) => format!("{}; {hint}", located.fault.message),
            None => located.fault.message.clone(),
        })
    }

    fn node(&mut self, name: &str) -> Option<&mut NodeStatus> {
        match self.document.sheet().named(name) {
            Some(id) => Some(self.status.nodes.entry(id).or_default()),
            None => self.node_inside(name),
        }
    }

    /// Takes in what would happen.
    pub fn foreseen(&mut self, revision: u64, outlook: Result<Outlook, Faults>) {
        if revision != self.document.revision() {
            return;
        }
        for status in self.status.nodes.values_mut() {
            status.faults.clear();
        }
        self.forget_inside();
        self.faults.clear();
        match outlook {
            Ok(outlook) => {
                self.plan(&outlook, false);
                self.outlook = Some(outlook);
            }
            Err(faults) => {
                self.outlook = None;
                for located in faults.0 {
                    let located = Arc::new(located);
                    if let Some((name, _)) = located.place.node.clone()
                        && let Some(status) = self.node(&name)
                    {
                        status.faults.push(Arc::clone(&located));
                    }
                    self.faults.push(located);
                }
            }
        }
        self.show_failures();
        self.gather();
    }

    /// Shows at the nodes what the last run failed at; once something has changed, that may no longer hold.
    fn show_failures(&mut self) {
        if self.failed_at != self.document.revision() {
            self.failures.clear();
        }
        for located in self.failures.clone() {
            let node = located.place.node.as_ref().map(|(name, _)| name.clone());
            if let Some(status) = node.and_then(|name| self.node(&name)) {
                status.state = State::Failed;
                status.faults.push(located);
            }
        }
    }

    /// Walks over what is wrong with the graph, and then what the last run failed at.
    pub fn all_faults(&self) -> impl Iterator<Item = &Arc<Located>> {
        self.faults.iter().chain(&self.failures)
    }

    /// Shows a plan at the nodes: what is to be done, or, in a run, what waits.
    fn plan(&mut self, outlook: &Outlook, in_run: bool) {
        let busy = !in_run && !self.runs.is_empty();
        for each in &outlook.nodes {
            let Some(status) = self.node(&each.name) else { continue };
            status.why.clone_from(&each.why);
            status.types.clone_from(&each.types);
            status.seconds = each.seconds.or(status.seconds);
            status.bytes = each.bytes;
            // While something runs, its own news say what happens.
            if busy {
                continue;
            }
            status.state = match each.fate {
                Fate::Runs | Fate::Shares if in_run => State::Queued,
                Fate::Runs | Fate::Shares => State::Dirty,
                Fate::Cached(_) => State::Cached,
                Fate::Opens => State::Opens,
                Fate::Idle => State::Idle,
            };
        }
    }

    /// Takes in what a run tells.
    pub fn told(&mut self, ctx: &Context, ticket: Ticket, told: Told) {
        let Some(index) = self.runs.iter().position(|run| run.ticket == ticket) else { return };
        match told {
            Told::Planned(outlook) => {
                self.plan(&outlook, true);
                self.runs[index].outlook = Some(outlook);
                self.failures.clear();
            }
            Told::Started { node } => {
                if let Some(status) = self.node(&node) {
                    status.state = State::Running(0.0);
                    status.faults.clear();
                }
            }
            Told::Progress { node, done, of } => {
                let share = done as f32 / of.max(1) as f32;
                self.runs[index].shares.insert(node.clone(), share);
                if let Some(status) = self.node(&node) {
                    status.state = State::Running(share);
                }
            }
            Told::Preview { node, picture } => {
                let thumb = texture(ctx, &format!("preview {node}"), &picture);
                if let Some(status) = self.node(&node) {
                    status.picture = thumb.or(status.picture.take());
                }
            }
            Told::Finished { node, how, seconds } => {
                self.runs[index].shares.insert(node.clone(), 1.0);
                if let Some(status) = self.node(&node) {
                    status.state = match how {
                        How::Ran => State::Done,
                        How::Cached => State::Cached,
                        How::Opened => State::Opens,
                    };
                    if how == How::Ran {
                        status.seconds = Some(seconds);
                    }
                }
            }
            Told::Wrote { node, path, anew } => {
                let word = if anew { "wrote" } else { "had written" };
                let text = format!("{word} {}", path.display());
                self.log.push(Line { weight: Weight::Note, node: Some(node.clone()), text });
                self.show(ctx, index, &node, path);
            }
            Told::Warning { node, text } => self.log.push(Line { weight: Weight::Warning, node, text }),
            Told::Reading { path, done, of } => {
                if done == of {
                    let text = format!("read `{}` for its name", path.display());
                    self.log.push(Line { weight: Weight::Note, node: None, text });
                }
            }
            Told::Failed(_) => (),
        }
        self.gather();
    }

    /// Shows a picture that a node left in a file.
    fn show(&mut self, ctx: &Context, run: usize, node: &str, path: PathBuf) {
        let Ok(thumb) = load(ctx, &path) else { return };
        if let Some(status) = self.node(node) {
            status.picture = Some(thumb.clone());
        }
        let graph = Arc::clone(&self.runs[run].graph);
        self.made.retain(|made| made.path != path);
        self.made.push(Made { path, thumb, graph });
    }

    /// Takes in that a run is over.
    pub fn ended(&mut self, ticket: Ticket, ended: Result<(f64, u64), Faults>) {
        self.runs.retain(|run| run.ticket != ticket);
        let waiting = |state: State| matches!(state, State::Queued | State::Running(_));
        for status in self.status.nodes.values_mut().filter(|status| waiting(status.state)) {
            status.state = State::Dirty;
        }
        self.rest_inside();
        if let Err(faults) = ended {
            for located in faults.0 {
                let node = located.place.node.as_ref().map(|(name, _)| name.clone());
                let stopped = located.fault.kind == darkroom_core::fault::FaultKind::Cancelled;
                let weight = if stopped { Weight::Note } else { Weight::Error };
                let hint = located.fault.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
                self.log.push(Line { weight, node, text: format!("{}{hint}", located.fault.message) });
                if !stopped {
                    self.failures.push(Arc::new(located));
                    self.failed_at = self.document.revision();
                }
            }
        }
        self.show_failures();
        self.gather();
        // What is cached has changed.
        self.asked = None;
    }
}

/// Brings a picture onto the card.
fn texture(ctx: &Context, name: &str, picture: &darkroom_core::image::Picture) -> Option<Thumb> {
    let (width, height, channels) = (picture.width(), picture.height(), picture.channels() as usize);
    let samples = picture.samples();
    let level = |sample: f32| (sample.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
    let pixel = |pixel: &[f32]| match pixel {
        [red, green, blue, ..] => egui::Color32::from_rgb(level(*red), level(*green), level(*blue)),
        [grey, ..] => egui::Color32::from_gray(level(*grey)),
        [] => egui::Color32::BLACK,
    };
    let pixels: Vec<_> = samples.chunks_exact(channels.max(1)).map(pixel).collect();
    let image = ColorImage::new([width as usize, height as usize], pixels);
    Some(Thumb { texture: ctx.load_texture(name, image, TextureOptions::LINEAR), size: (width, height) })
}

/// The longest edge of a picture in the window.
const LARGEST: u32 = 2048;

/// Reads a picture file onto the card.
///
/// # Errors
/// A fault of the file.
pub fn load(ctx: &Context, path: &std::path::Path) -> Result<Thumb, Fault> {
    let fail = |error: image::ImageError| Fault::file(format!("cannot read `{}`: {error}", path.display()));
    let picture = image::ImageReader::open(path)
        .map_err(|error| Fault::io("read", path, &error))?
        .with_guessed_format()
        .map_err(|error| Fault::io("read", path, &error))?
        .decode()
        .map_err(fail)?;
    let size = (picture.width(), picture.height());
    let picture = if size.0.max(size.1) > LARGEST { picture.thumbnail(LARGEST, LARGEST) } else { picture };
    let pixels = picture.to_rgba8();
    let edges = [pixels.width() as usize, pixels.height() as usize];
    let image = ColorImage::from_rgba_unmultiplied(edges, pixels.as_raw());
    Ok(Thumb { texture: ctx.load_texture(path.to_string_lossy(), image, TextureOptions::LINEAR), size })
}

//! Engines in this process: one for each document, on threads of their own. One thread answers questions, another one
//! runs, so that a plan is seen while a picture is made; one lists models, and one fetches them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use darkroom_core::cache::Tier;
use darkroom_core::engine::Engine;
use darkroom_core::fault::{Fault, Faults};
use darkroom_core::fingerprint::Fingerprint;
use darkroom_core::graph::check::{RANDOM, draw_seeds};
use darkroom_core::graph::{Field, Graph};
use darkroom_core::literal::Literal;
use darkroom_core::observe::{Cancel, Event, Observer};
use darkroom_core::plan;
use darkroom_core::registry::Registry;
use darkroom_core::residency::Ledger;

use super::told::{Outlook, Told};
use super::{Ask, Backend, DocumentId, Held, Holding, News, Nothing, Place, Pulling, Seat, Spare, Store, Ticket};

/// Puts an engine together for a document whose file lies here.
pub type OpenEngine = dyn Fn(Option<&Path>, &Arc<Ledger>) -> Result<Engine, Fault> + Send + Sync;

/// So long weights stay loaded once nothing runs, unless somebody says otherwise.
const KEEP_LOADED: Duration = Duration::from_secs(60);

/// Wakes the window.
type Wake = Arc<dyn Fn() + Send + Sync>;

/// Engines in this process.
pub struct Local {
    registry: Registry,
    shared: Arc<Shared>,
    hear: Receiver<News>,
    next: u64,
    draw: fn() -> u64,
}

/// An engine, and the file of its document.
type Opened = (Option<PathBuf>, Arc<Engine>);

/// What the window wants to know.
enum Question {
    /// What would happen.
    Foresee(Ask),
    /// What sits where, once this has gone.
    Stock(Option<Spare>),
}

/// What the threads share with the window.
struct Shared {
    open: Box<OpenEngine>,
    ledger: Arc<Ledger>,
    /// With the file that each was opened for.
    engines: Mutex<HashMap<DocumentId, Opened>>,
    questions: Queue<Question>,
    jobs: Queue<(Ticket, Ask, Cancel)>,
    store: Box<dyn Store>,
    lists: Queue<(DocumentId, Option<PathBuf>)>,
    pulls: Queue<(Ticket, String, Cancel)>,
    /// By which what is not over can be stopped.
    cancels: Mutex<HashMap<Ticket, Cancel>>,
    /// The results that the plan of the run under way names.
    recipes: Mutex<HashSet<Fingerprint>>,
    /// So long weights stay loaded once nothing runs.
    keep_loaded: Mutex<Duration>,
    tell: Mutex<Sender<News>>,
    wake: Wake,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics while it holds this")
}

impl Local {
    /// Begins to listen. `wake` is called whenever there is news; `draw` draws a seed.
    pub fn new(
        registry: Registry,
        ledger: Arc<Ledger>,
        open: Box<OpenEngine>,
        wake: impl Fn() + Send + Sync + 'static,
        draw: fn() -> u64,
    ) -> Self {
        Self::with_store(registry, ledger, open, wake, draw, Box::new(Nothing))
    }

    /// The same, with somebody who knows models.
    pub fn with_store(
        registry: Registry,
        ledger: Arc<Ledger>,
        open: Box<OpenEngine>,
        wake: impl Fn() + Send + Sync + 'static,
        draw: fn() -> u64,
        store: Box<dyn Store>,
    ) -> Self {
        let (tell, hear) = channel();
        let shared = Arc::new(Shared {
            open,
            ledger,
            engines: Mutex::default(),
            questions: Queue::default(),
            jobs: Queue::default(),
            store,
            lists: Queue::default(),
            pulls: Queue::default(),
            cancels: Mutex::default(),
            recipes: Mutex::default(),
            keep_loaded: Mutex::new(KEEP_LOADED),
            tell: Mutex::new(tell),
            wake: Arc::new(wake),
        });
        let threads: [(_, fn(&Shared)); 4] =
            [("plans", Shared::answer), ("runs", Shared::work), ("models", Shared::list), ("pulls", Shared::fetch)];
        for (name, work) in threads {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name(name.to_owned());
            thread.spawn(move || work(&shared)).expect("the system gives a few threads");
        }
        Self { registry, shared, hear, next: 0, draw }
    }

    /// Lets weights stay loaded for so long once nothing runs, in place of a minute.
    #[must_use]
    pub fn keeping_loaded(self, time: Duration) -> Self {
        *locked(&self.shared.keep_loaded) = time;
        self
    }
}

impl Local {
    fn ticket(&mut self) -> (Ticket, Cancel) {
        self.next += 1;
        let (ticket, cancel) = (Ticket(self.next), Cancel::new());
        locked(&self.shared.cancels).insert(ticket, cancel.clone());
        (ticket, cancel)
    }
}

/// Ends the threads; a run that is under way is asked to stop.
impl Drop for Local {
    fn drop(&mut self) {
        locked(&self.shared.cancels).values().for_each(Cancel::ask);
        self.shared.questions.close();
        self.shared.jobs.close();
        self.shared.lists.close();
        self.shared.pulls.close();
    }
}

/// Work that waits for a thread.
struct Queue<T> {
    /// The work; none once nobody will bring any more.
    waiting: Mutex<Option<VecDeque<T>>>,
    came: Condvar,
}

/// What came of waiting.
enum Next<T> {
    Work(T),
    Nothing,
    Closed,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: Mutex::new(Some(VecDeque::new())), came: Condvar::new() }
    }
}

impl<T> Queue<T> {
    /// Brings work to one end of the queue.
    fn push(&self, work: T, place: Place) {
        if let Some(waiting) = &mut *locked(&self.waiting) {
            match place {
                Place::Front => waiting.push_front(work),
                Place::Back => waiting.push_back(work),
            }
        }
        self.came.notify_one();
    }

    /// Takes work away before anybody begins it.
    fn take(&self, which: impl Fn(&T) -> bool) -> Option<T> {
        let mut waiting = locked(&self.waiting);
        let waiting = waiting.as_mut()?;
        let index = waiting.iter().position(which)?;
        waiting.remove(index)
    }

    /// Waits for work; none once the queue is closed.
    fn next(&self) -> Option<T> {
        match self.next_within(Duration::MAX) {
            Next::Work(work) => Some(work),
            Next::Nothing | Next::Closed => None,
        }
    }

    /// Waits for work, at most for so long; without end if that is the longest time there is.
    fn next_within(&self, patience: Duration) -> Next<T> {
        let idle = |waiting: &mut Option<VecDeque<T>>| waiting.as_ref().is_some_and(VecDeque::is_empty);
        let waiting = locked(&self.waiting);
        let mut waiting = match patience {
            Duration::MAX => self.came.wait_while(waiting, idle).expect("no thread panics while it holds this"),
            _ => {
                let waited = self.came.wait_timeout_while(waiting, patience, idle);
                waited.expect("no thread panics while it holds this").0
            }
        };
        match &mut *waiting {
            None => Next::Closed,
            Some(works) => works.pop_front().map_or(Next::Nothing, Next::Work),
        }
    }

    fn close(&self) {
        *locked(&self.waiting) = None;
        self.came.notify_all();
    }
}

impl Shared {
    fn engine(&self, ask: &Ask) -> Result<Arc<Engine>, Fault> {
        let mut engines = locked(&self.engines);
        if let Some((path, engine)) = engines.get(&ask.document)
            && *path == ask.path
        {
            return Ok(Arc::clone(engine));
        }
        let engine = Arc::new((self.open)(ask.path.as_deref(), &self.ledger)?);
        engines.insert(ask.document, (ask.path.clone(), Arc::clone(&engine)));
        Ok(engine)
    }

    fn tell(&self, news: News) {
        // Once the window is gone nobody hears it.
        let _ = locked(&self.tell).send(news);
        (self.wake)();
    }

    /// Answers questions.
    fn answer(&self) {
        while let Some(question) = self.questions.next() {
            let ask = match question {
                Question::Foresee(ask) => ask,
                Question::Stock(spare) => {
                    if let Some(spare) = spare {
                        self.let_go(spare);
                    }
                    self.tell(News::Stock(self.stock()));
                    continue;
                }
            };
            let engine = self.engine(&ask).map_err(Faults::from);
            let outlook =
                engine.and_then(|engine| engine.foresee(&ask.graph, &ask.wish)).map(|plan| Outlook::of(&plan));
            self.tell(News::Foreseen { document: ask.document, revision: ask.revision, outlook });
        }
    }

    /// Lists models.
    fn list(&self) {
        while let Some((document, path)) = self.lists.next() {
            let models = self.store.list(path.as_deref());
            self.tell(News::Models { document, models });
        }
    }

    /// Fetches one thing after another.
    fn fetch(&self) {
        while let Some((ticket, name, cancel)) = self.pulls.next() {
            let watch = |done, of, rate| {
                self.tell(News::Pulling(Pulling { ticket, name: name.clone(), done, of, rate }));
            };
            let ended = cancel.check().and_then(|()| self.store.pull(&name, &watch, &cancel));
            locked(&self.cancels).remove(&ticket);
            self.tell(News::Pulled { ticket, ended });
        }
    }

    /// Does one run after another, and rests once none has come for a while.
    fn work(&self) {
        // Before the first run, and once it rests, nothing is loaded.
        let mut patience = Duration::MAX;
        loop {
            match self.jobs.next_within(patience) {
                Next::Work(job) => {
                    self.run(job);
                    patience = *locked(&self.keep_loaded);
                }
                Next::Nothing => {
                    self.rest(patience);
                    patience = Duration::MAX;
                }
                Next::Closed => return,
            }
        }
    }

    fn run(&self, (ticket, ask, cancel): (Ticket, Ask, Cancel)) {
        let watching = Watching { shared: self, ticket };
        let ended = cancel.check().map_err(Faults::from).and_then(|()| {
            self.tell(News::Run { ticket, told: Told::Began { graph: Arc::clone(&ask.graph) } });
            let engine = self.engine(&ask)?;
            engine.run(&ask.graph, &ask.wish, &watching, &cancel)
        });
        locked(&self.cancels).remove(&ticket);
        locked(&self.recipes).clear();
        self.tell(News::Ended { ticket, ended: ended.map(|report| (report.seconds, report.peak_bytes)) });
    }

    /// Lets go of all weights, and of what the process keeps beside them.
    fn rest(&self, idle: Duration) {
        let bytes = self.opened().iter().map(|engine| engine.rest()).sum();
        self.tell(News::Rested { idle, bytes });
    }

    fn opened(&self) -> Vec<Arc<Engine>> {
        locked(&self.engines).values().map(|(_, engine)| Arc::clone(engine)).collect()
    }

    fn uses(&self, recipe: Fingerprint) -> bool {
        locked(&self.recipes).contains(&recipe)
    }

    /// Lists what sits in memory and on disk; caches of several documents share a folder.
    fn stock(&self) -> Vec<Holding> {
        let mut all: Vec<_> = Holding::weights(&self.ledger).collect();
        let mut seen = HashSet::new();
        for engine in self.opened() {
            let results = Holding::results(engine.cache(), |recipe| self.uses(recipe));
            all.extend(results.filter(|holding| seen.insert(holding.what)));
        }
        all
    }

    /// Lets go of what no run uses. What cannot be removed stays in the next list.
    fn let_go(&self, spare: Spare) {
        let of =
            |seat: Seat| self.stock().into_iter().map(|holding| holding.what).filter(move |what| what.seat() == seat);
        let all = match spare {
            Spare::One(held) => vec![held],
            Spare::All(seat) => of(seat).collect(),
        };
        let weights = all.iter().any(|held| held.seat() == Seat::Device);
        for held in all {
            match held {
                Held::Weights(part) => drop(self.ledger.release(part)),
                Held::Result(recipe, _) if self.uses(recipe) => (),
                Held::Result(recipe, tier) => {
                    for engine in self.opened() {
                        let gone = engine.cache().remove(recipe, tier);
                        if tier == Tier::Disk && gone == Ok(true) {
                            break;
                        }
                    }
                }
            }
        }
        if weights {
            self.opened().iter().for_each(|engine| engine.host().tidy());
        }
    }
}

/// Hears a run and passes on what it tells.
struct Watching<'s> {
    shared: &'s Shared,
    ticket: Ticket,
}

impl Observer for Watching<'_> {
    fn see(&self, event: &Event<'_>) {
        if let Event::Planned(plan) = event {
            *locked(&self.shared.recipes) = plan.steps.iter().map(|step| step.recipe).collect();
        }
        self.shared.tell(News::Run { ticket: self.ticket, told: Told::of(event) });
    }

    fn wants_previews(&self) -> bool {
        true
    }
}

impl Backend for Local {
    fn registry(&self) -> &Registry {
        &self.registry
    }

    fn foresee(&mut self, ask: Ask) {
        let document = ask.document;
        let older = |other: &Question| matches!(other, Question::Foresee(ask) if ask.document == document);
        drop(self.shared.questions.take(older));
        self.shared.questions.push(Question::Foresee(ask), Place::Back);
    }

    fn run(&mut self, mut ask: Ask, place: Place) -> Ticket {
        let (ticket, cancel) = self.ticket();
        if leaves_to_chance(&ask.graph) {
            draw_seeds(Arc::make_mut(&mut ask.graph), &self.registry, self.draw);
        }
        self.shared.jobs.push((ticket, ask, cancel), place);
        ticket
    }

    fn hasten(&mut self, ticket: Ticket) {
        if let Some(job) = self.shared.jobs.take(|(other, ..)| *other == ticket) {
            self.shared.jobs.push(job, Place::Front);
        }
    }

    fn models(&mut self, document: DocumentId, path: Option<&Path>) {
        drop(self.shared.lists.take(|(other, _)| *other == document));
        self.shared.lists.push((document, path.map(Path::to_owned)), Place::Back);
    }

    fn can_pull(&self, name: &str) -> bool {
        self.shared.store.can_pull(name)
    }

    fn pull(&mut self, name: &str) -> Ticket {
        let (ticket, cancel) = self.ticket();
        self.shared.pulls.push((ticket, name.to_owned(), cancel), Place::Back);
        ticket
    }

    fn cancel(&mut self, ticket: Ticket) {
        if self.shared.jobs.take(|(other, ..)| *other == ticket).is_some() {
            locked(&self.shared.cancels).remove(&ticket);
            self.shared.tell(News::Ended { ticket, ended: Err(Fault::cancelled().into()) });
        } else if let Some(cancel) = locked(&self.shared.cancels).get(&ticket) {
            cancel.ask();
        }
    }

    fn take_stock(&mut self) {
        self.shared.questions.push(Question::Stock(None), Place::Back);
    }

    fn let_go(&mut self, spare: Spare) {
        self.shared.questions.push(Question::Stock(Some(spare)), Place::Back);
    }

    fn check(&mut self, ask: &Ask) -> Result<(), Faults> {
        let engine = self.shared.engine(ask)?;
        plan::check(&ask.graph, engine.registry(), engine.host()).map(drop)
    }

    fn news(&mut self) -> Vec<News> {
        let mut news: Vec<_> = self.hear.try_iter().collect();
        // Of several previews of one node, and of what is fetched, only the last is worth a look.
        let mut seen = HashSet::new();
        news.reverse();
        news.retain(|each| match each {
            News::Run { ticket, told: Told::Preview { node, .. } } => seen.insert((*ticket, node.clone())),
            News::Pulling(Pulling { ticket, .. }) => seen.insert((*ticket, String::new())),
            _ => true,
        });
        news.reverse();
        news
    }

    fn memory(&self) -> (u64, u64) {
        (self.shared.ledger.budget(), self.shared.ledger.used())
    }
}

/// Tells whether a seed is left to chance. Only then a graph must be copied to draw it.
fn leaves_to_chance(graph: &Graph) -> bool {
    let by_chance = |field: &Field| matches!(field, Field::Literal(Literal::Text(word)) if word == RANDOM);
    let inside = graph.subgraphs.values().flat_map(|subgraph| subgraph.nodes.values());
    graph.nodes.values().chain(inside).any(|node| node.fields.values().any(by_chance))
}

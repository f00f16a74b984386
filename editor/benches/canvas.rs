//! What a frame of a large graph costs: everything that is laid out and tessellated, without a card.
//!
//! The goals are 4 ms at zoom 1, where some nodes are seen as they are, and 8 ms where all of them are seen from afar.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use darkroom_core::context::Context;
use darkroom_core::fault::{Fault, Faults};
use darkroom_core::node::Node;
use darkroom_core::registry::Registry;
use darkroom_core::testing::{Leaf, Loudness};
use darkroom_editor::document::{Edit, Point};
use darkroom_editor::session::{Ask, Backend, Disk, DocumentId, News, Place, Spare, Ticket};
use darkroom_editor::status::Thumb;
use darkroom_editor::theme::Theme;
use darkroom_editor::{App, Options};
use egui::{ColorImage, Event, RawInput, Rect, TextureOptions, pos2, vec2};

/// A node as large as the larger ones are.
#[derive(darkroom_core::Node)]
#[node(id = "cell", version = 1, category = "Toys", lane = "light")]
struct Cell {
    /// One.
    #[input]
    a: Option<Leaf>,
    /// Two.
    #[input]
    b: Option<Leaf>,
    /// Three.
    #[input]
    c: Option<Leaf>,
    /// Four.
    #[input]
    d: Option<Leaf>,
    /// A number.
    #[param(default = 0.5, range = 0.0..=1.0)]
    share: f64,
    /// A text.
    #[param(default = "", multiline)]
    prose: String,
    /// A choice.
    #[param(default = Loudness::Loud)]
    loudness: Loudness,
}

/// What a cell gives.
#[derive(darkroom_core::Outputs)]
struct Pair {
    /// One.
    pub left: Leaf,
    /// Two.
    pub right: Leaf,
}

impl Node for Cell {
    type Output = Pair;

    fn run(self, _: &mut Context<'_>) -> Result<Pair, Fault> {
        let all = (self.a, self.b, self.c, self.d, self.share, self.prose, self.loudness);
        Err(Fault::bug(format!("a cell is only looked at, {:?}", all.4)))
    }
}

struct Nobody(Registry);

impl Backend for Nobody {
    fn registry(&self) -> &Registry {
        &self.0
    }

    fn foresee(&mut self, _: Ask) {}

    fn run(&mut self, _: Ask, _: Place) -> Ticket {
        Ticket(1)
    }

    fn hasten(&mut self, _: Ticket) {}

    fn take_stock(&mut self) {}

    fn let_go(&mut self, _: Spare) {}
    fn models(&mut self, _: DocumentId, _: Option<&Path>) {}

    fn can_pull(&self, _: &str) -> bool {
        false
    }

    fn pull(&mut self, _: &str) -> Ticket {
        Ticket(0)
    }

    fn cancel(&mut self, _: Ticket) {}

    fn check(&mut self, _: &Ask) -> Result<(), Faults> {
        Ok(())
    }

    fn news(&mut self) -> Vec<News> {
        Vec::new()
    }

    fn memory(&self) -> (u64, u64) {
        (8 << 30, 0)
    }
}

/// So many cells in a grid, each wired to the one before it and the one above.
fn grid(count: usize) -> &'static str {
    let columns = (count as f64).sqrt().ceil() as usize;
    let (mut nodes, mut places) = (String::new(), String::new());
    for index in 0..count {
        let (column, row) = (index % columns, index / columns);
        let mut wires = String::new();
        if column > 0 {
            let before = index - 1;
            write!(wires, r#", a: (from: "n{before}.left"), b: (from: "n{before}.right")"#).expect("it is a text");
        }
        if row > 0 {
            write!(wires, r#", c: (from: "n{}.left")"#, index - columns).expect("it is a text");
        }
        writeln!(nodes, r#""n{index}": (type: "cell", prose: "a tray of number {index}"{wires}),"#).expect("a text");
        writeln!(places, r#""n{index}": (at: ({}, {})),"#, column * 340, row * 640).expect("a text");
    }
    Box::leak(format!("(darkroom: 1, nodes: {{{nodes}}}, layout: (nodes: {{{places}}}))").into_boxed_str())
}

struct Bench {
    ctx: egui::Context,
    app: App,
    time: f64,
}

impl Bench {
    fn new(count: usize, pictures: usize) -> Self {
        let ctx = egui::Context::default();
        Theme::install(&ctx);
        let options = Options {
            files: Vec::new(),
            template: grid(count),
            templates: &[],
            screenshot: None,
            size: None,
            run: false,
            disk: Disk::default(),
        };
        let mut app = App::with_backend(options, Box::new(Nobody(Registry::new().with::<Cell>())));
        let ids: Vec<_> = app.tab().document.sheet().nodes.keys().copied().take(pictures).collect();
        for id in ids {
            let image = ColorImage::filled([32, 32], egui::Color32::GRAY);
            let texture = ctx.load_texture("a picture", image, TextureOptions::LINEAR);
            app.tab_mut().status.nodes.entry(id).or_default().picture = Some(Thumb { texture, size: (512, 512) });
        }
        // A document that has changes is compared with its file.
        let tab = app.tab_mut();
        let first = *tab.document.sheet().nodes.keys().next().expect("there is one");
        tab.document.step("move a node", [Edit::Move(first, Point::new(8, 8))]).expect("it can be moved");
        let mut bench = Self { ctx, app, time: 0.0 };
        bench.warm_up();
        bench
    }

    fn look(mut self, zoom: f32) -> Self {
        let camera = &mut self.app.tab_mut().view.camera;
        camera.fly(camera.centre, zoom);
        camera.land();
        self.warm_up();
        self
    }

    fn warm_up(&mut self) {
        for _ in 0..8 {
            black_box(self.frame());
        }
    }

    /// A frame in which the hand moves, from layout to triangles.
    fn frame(&mut self) -> usize {
        self.time += 1.0 / 60.0;
        let at = pos2(600.0 + (self.time * 40.0).sin() as f32 * 80.0, 500.0);
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(1600.0, 1000.0))),
            time: Some(self.time),
            events: vec![Event::PointerMoved(at)],
            ..RawInput::default()
        };
        let app = &mut self.app;
        let output = self.ctx.run_ui(input, |ui| app.show(ui));
        self.ctx.tessellate(output.shapes, output.pixels_per_point).len()
    }
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("canvas");
    group.sample_size(30);
    for (name, count, pictures, zoom) in [
        ("100 nodes, zoom 1", 100, 0, Some(1.0)),
        ("1000 nodes, zoom 1", 1000, 0, Some(1.0)),
        ("1000 nodes, all of them", 1000, 0, None),
        ("1000 nodes, zoom 0.5", 1000, 0, Some(0.5)),
        ("1000 nodes, zoom 0.25", 1000, 0, Some(0.25)),
        ("300 nodes with pictures, zoom 1", 300, 300, Some(1.0)),
        ("300 nodes with pictures, all of them", 300, 300, None),
    ] {
        let bench = Bench::new(count, pictures);
        let mut bench = match zoom {
            Some(zoom) => bench.look(zoom),
            None => bench,
        };
        group.bench_function(name, |bencher| bencher.iter(|| black_box(bench.frame())));
    }
}

criterion_group!(benches, frames);
criterion_main!(benches);

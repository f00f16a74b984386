//! What runs have told, by weight and by words, and a report of it to send to somebody.

use egui::{Label, RichText, ScrollArea, Sense, TextEdit, Ui};

use super::faults::go_to;
use crate::app::times;
use crate::app::{App, Line, Weight};
use crate::theme::Theme;

/// So many lines are shown, the newest first.
const SHOWN: usize = 1000;

/// Which lines are shown.
#[derive(Debug, Clone, Default)]
pub struct Sieve {
    /// Weights that are not shown.
    without: Vec<Weight>,
    /// Only lines that tell of this.
    text: String,
}

impl Sieve {
    fn lets(&self, line: &Line) -> bool {
        let text = self.text.trim().to_lowercase();
        let node = line.node.as_deref().unwrap_or_default();
        !self.without.contains(&line.weight)
            && (line.text.to_lowercase().contains(&text) || node.to_lowercase().contains(&text))
    }
}

/// Each weight, with its words for one and for several.
const WEIGHTS: [(Weight, &str, &str); 3] =
    [(Weight::Error, "error", "errors"), (Weight::Warning, "warning", "warnings"), (Weight::Note, "note", "notes")];

/// Shows what runs of the document in front have told.
pub fn show(app: &mut App, ui: &mut Ui) {
    head(app, ui);
    let theme = Theme::current(ui.ctx());
    let mut jump = None;
    let now = times::now();
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        let mut shown = 0;
        for line in app.tab().log.iter().rev().filter(|line| app.sieve.lets(line)).take(SHOWN) {
            shown += 1;
            let colour = match line.weight {
                Weight::Note => theme.weak,
                Weight::Warning => theme.warning,
                Weight::Error => theme.error,
            };
            let place = line.node.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            let text = RichText::new(format!("{place}{}", line.text)).color(colour);
            let response = ui.add(Label::new(text).wrap().sense(Sense::click()));
            if response.on_hover_text(times::ago(line.at, now)).clicked() {
                jump.clone_from(&line.node);
            }
        }
        match (shown, app.tab().log.len()) {
            (0, 0) => drop(ui.weak("Runs tell here what they do.")),
            (0, _) => drop(ui.weak("Nothing in the log is like this.")),
            _ => (),
        }
    });
    if let Some(name) = jump {
        go_to(app, &name);
    }
}

/// What is shown, and what can be done with it.
fn head(app: &mut App, ui: &mut Ui) {
    ui.horizontal_wrapped(|ui| {
        for (weight, one, many) in WEIGHTS {
            let count = app.tab().log.iter().filter(|line| line.weight == weight).count();
            let title = format!("{count} {}", if count == 1 { one } else { many });
            let shown = !app.sieve.without.contains(&weight);
            let button = ui.selectable_label(shown, title);
            ui.ctx().accesskit_node_builder(button.id, |node| node.set_label(format!("show {many}")));
            if button.clicked() {
                match shown {
                    true => app.sieve.without.push(weight),
                    false => app.sieve.without.retain(|without| *without != weight),
                }
            }
        }
        let field = ui.add(TextEdit::singleline(&mut app.sieve.text).hint_text("filter").desired_width(140.0));
        ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("filter the log"));
        if ui.button("Copy report").on_hover_text("all of it, with version and machine, to send to somebody").clicked()
        {
            ui.ctx().copy_text(report(app));
            app.say("the report is on the clipboard");
        }
        if ui.button("Clear").clicked() {
            app.tab_mut().log.clear();
        }
    });
    ui.add_space(2.0);
}

/// Writes all that a stranger needs to know: the program, the machine, the graph, what is wrong, what was told.
pub fn report(app: &App) -> String {
    let tab = app.tab();
    let (budget, used) = app.backend.memory();
    let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let mut text = format!(
        "darkroom {}\n{} {}, {processors} processors, {:.1} of {:.1} GiB in use\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        gibibytes(used),
        gibibytes(budget),
    );
    let sheet = tab.document.sheet();
    text += &format!("workflow {}, {} nodes\n", tab.title(), sheet.nodes.len());
    for located in tab.all_faults() {
        text += &format!("fault: {located}\n");
    }
    for line in &tab.log {
        let (_, word, _) = WEIGHTS.iter().find(|(weight, ..)| *weight == line.weight).expect("all weights are there");
        let node = line.node.as_ref().map(|node| format!("{node}: ")).unwrap_or_default();
        text += &format!("{} {word}: {node}{}\n", times::date(line.at), line.text);
    }
    text
}

//! Seeds: fixed, left to chance, or going on by themselves after each run.

use darkroom_core::graph::check::RANDOM;
use darkroom_core::literal::Literal;
use egui::{Align2, FontId, Popup, Rect, Ui, vec2};

use super::{Change, Shown, signs};
use crate::document::Count;
use crate::icons;
use crate::theme::Theme;

/// What becomes of a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Fixed,
    Random,
    Counts(Count),
}

impl Mode {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Fixed, "fixed", "every run takes this seed"),
        (Self::Random, "random", "a new seed is drawn for every run"),
        (Self::Counts(Count::Up), "count up", "a run takes this seed, and the next run the one above"),
        (Self::Counts(Count::Down), "count down", "a run takes this seed, and the next run the one below"),
    ];

    fn sign(self, painter: &egui::Painter, at: egui::Pos2, colour: egui::Color32) {
        match self {
            Self::Fixed => signs::lock(painter, at, colour),
            Self::Random => icons::die(painter, at, colour),
            Self::Counts(Count::Up) => signs::count(painter, at, -1.0, colour),
            Self::Counts(Count::Down) => signs::count(painter, at, 1.0, colour),
        }
    }
}

impl Shown<'_> {
    pub(super) fn seed(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let room = self.named(ui, rect, theme);
        let random = matches!(self.current(), Some(Literal::Text(word)) if word == RANDOM);
        let (left, right) = room.split_left_right_at_x(room.right() - 24.0);
        let chosen = self.mode(ui, right, random, theme);
        if chosen.is_some() {
            return chosen;
        }
        if random { self.drawn(ui, left, theme) } else { self.digits(ui, left, theme) }
    }

    /// The seed that the last run took.
    fn used(&self) -> Option<u64> {
        self.status?.seeds.get(self.input.name).copied()
    }

    /// The button that says what becomes of the seed, and lets another way be chosen.
    fn mode(&self, ui: &mut Ui, room: Rect, random: bool, theme: &Theme) -> Option<Change> {
        let count = self.node.and_then(|(node, _)| node.counts.get(self.input.name)).copied();
        let now = match count {
            _ if random => Mode::Random,
            Some(count) => Mode::Counts(count),
            None => Mode::Fixed,
        };
        let (_, word, doc) = Mode::ALL.into_iter().find(|(mode, ..)| *mode == now).expect("all are there");
        let label = format!("{} is {word}", self.input.name);
        let sign = |painter: &_, at, colour| now.sign(painter, at, colour);
        let used = self.used().map(|used| format!("; the last run took {used}")).unwrap_or_default();
        let response = self.small(ui, "mode", room, &label, sign, theme).on_hover_text(format!("{word}: {doc}{used}"));
        let mut chosen = None;
        Popup::menu(&response).show(|ui| {
            crate::layer::undo_transform(ui);
            ui.set_min_width(130.0);
            for (mode, word, doc) in Mode::ALL {
                if ui.selectable_label(mode == now, word).on_hover_text(doc).clicked() {
                    chosen = Some(mode);
                }
            }
            if let Some(used) = self.used().filter(|_| !random) {
                ui.separator();
                ui.weak(format!("the last run took {used}"));
            }
        });
        let number = || match self.current() {
            Some(Literal::Integer(number)) => Literal::Integer(*number),
            _ => Literal::from(self.used().unwrap_or(0)),
        };
        Some(match chosen? {
            Mode::Random => Change::Seed(Some(Literal::from(RANDOM)), None),
            Mode::Fixed => Change::Seed(Some(number()), None),
            Mode::Counts(count) => Change::Seed(Some(number()), Some(count)),
        })
    }

    /// A seed that is left to chance: the one that was drawn last, and a button to keep it.
    fn drawn(&self, ui: &mut Ui, room: Rect, theme: &Theme) -> Option<Change> {
        let (words, used) = match self.used() {
            Some(used) => (used.to_string(), Some(used)),
            None => (RANDOM.to_owned(), None),
        };
        let painter = ui.painter().with_clip_rect(room.intersect(ui.clip_rect()));
        let Some(used) = used else {
            painter.text(room.center(), Align2::CENTER_CENTER, words, FontId::proportional(12.5), theme.weak);
            return None;
        };
        let (text, button) = room.split_left_right_at_x(room.right() - 22.0);
        let shown = painter.with_clip_rect(text.intersect(painter.clip_rect()));
        shown.text(
            text.right_center() - vec2(4.0, 0.0),
            Align2::RIGHT_CENTER,
            &words,
            FontId::proportional(12.5),
            theme.weak,
        );
        let told = ui.interact(text, self.id.with("drawn"), egui::Sense::hover());
        let sentence = format!("the last run drew {used}");
        ui.ctx().accesskit_node_builder(told.id, |node| {
            node.set_role(egui::accesskit::Role::Label);
            node.set_value(sentence.clone());
        });
        told.on_hover_text(sentence);
        let keep = self.small(ui, "keep", button, &format!("keep this {}", self.input.name), signs::lock, theme);
        let keep = keep.on_hover_text(format!("keep this seed: {used} for every run"));
        keep.clicked().then(|| Change::Seed(Some(Literal::from(used)), None))
    }

    fn digits(&self, ui: &mut Ui, room: Rect, theme: &Theme) -> Option<Change> {
        let current = match self.current() {
            Some(Literal::Integer(number)) => u64::try_from(*number).unwrap_or_default(),
            _ => 0,
        };
        // A float holds no 64 bits, so that seeds are texts under way; one that is emptied stays empty for a while.
        let key = self.id.with("emptied");
        let emptied = ui.data(|data| data.get_temp::<u64>(key)) == Some(current);
        let text = if emptied { String::new() } else { current.to_string() };
        let (response, typed) = self.typed(ui, room.shrink2(vec2(2.0, 0.0)), &text, theme);
        if response.changed() && typed.is_empty() {
            ui.data_mut(|data| data.insert_temp(key, current));
        } else if response.changed() || response.lost_focus() {
            ui.data_mut(|data| data.remove::<u64>(key));
        }
        match typed.trim().parse::<u64>() {
            Ok(number) if response.changed() => Some(Change::Toward(Some(Literal::from(number)))),
            _ => response.lost_focus().then_some(Change::Done),
        }
    }
}

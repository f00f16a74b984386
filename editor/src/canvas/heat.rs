//! Heat: nodes tinted by what they take, in time or in memory.

use egui::{Color32, CornerRadius, FontId, Rect, lerp, vec2};

use super::nodes::{words_of_bytes, words_of_seconds};
use super::{Frame, Seen, View};
use crate::document::NodeId;
use crate::status::NodeStatus;

/// What nodes are tinted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Heat {
    /// Nothing.
    #[default]
    Off,
    /// Seconds when they last ran.
    Seconds,
    /// Bytes while they run.
    Memory,
}

impl Heat {
    /// Returns what comes after it.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Off => Self::Seconds,
            Self::Seconds => Self::Memory,
            Self::Memory => Self::Off,
        }
    }

    /// Returns what it shows, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Off => "no heat",
            Self::Seconds => "seconds of the last run",
            Self::Memory => "memory while it runs",
        }
    }
}

/// A measure of heat, from nothing to the hottest node.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// What is measured.
    pub heat: Heat,
    most: f64,
}

impl Scale {
    /// Finds the hottest node; none if heat is not shown.
    pub fn of(view: &View<'_>, heat: Heat) -> Option<Self> {
        let there = view.status.nodes.iter().filter(|(id, _)| view.sheet.nodes.contains_key(*id));
        let most = there.filter_map(|(_, status)| measured(heat, status)).fold(0.0, f64::max);
        (heat != Heat::Off).then_some(Self { heat, most })
    }

    /// Returns how hot the hottest node is, in words; none if nothing was measured.
    pub fn most(&self) -> Option<String> {
        let words = match self.heat {
            Heat::Memory => words_of_bytes(self.most as u64),
            _ => words_of_seconds(self.most),
        };
        (self.most > 0.0).then_some(words)
    }

    fn share(&self, status: &NodeStatus) -> Option<f32> {
        let measured = measured(self.heat, status).filter(|_| self.most > 0.0)?;
        Some((measured / self.most) as f32)
    }
}

fn measured(heat: Heat, status: &NodeStatus) -> Option<f64> {
    match heat {
        Heat::Off => None,
        Heat::Seconds => status.seconds,
        Heat::Memory => Some(status.bytes as f64).filter(|bytes| *bytes > 0.0),
    }
}

/// Returns the colour of a part of a node, tinted if heat is shown and something is known of the node.
pub fn tint(frame: &Frame<'_, '_>, id: NodeId, colour: Color32) -> Color32 {
    let share = frame.heat.zip(frame.view.status.of(id)).and_then(|(scale, status)| scale.share(status));
    share.map_or(colour, |share| mixed(colour, frame.theme.heat(share), 0.5))
}

fn mixed(a: Color32, b: Color32, share: f32) -> Color32 {
    let part = |a: u8, b: u8| lerp(f32::from(a)..=f32::from(b), share).round() as u8;
    Color32::from_rgb(part(a.r(), b.r()), part(a.g(), b.g()), part(a.b(), b.b()))
}

/// Says over a node, in words, what it takes, while heat is shown.
pub fn say(frame: &Frame<'_, '_>, seen: &Seen, status: Option<&NodeStatus>) {
    let Some(status) = status.filter(|_| frame.heat.is_some()) else { return };
    let seconds = status.seconds.map(words_of_seconds);
    let bytes = (status.bytes > 0).then(|| words_of_bytes(status.bytes));
    let words: Vec<_> = seconds.into_iter().chain(bytes).collect();
    if words.is_empty() {
        return;
    }
    let text = frame.painter.layout_no_wrap(words.join("  ·  "), FontId::proportional(11.5), frame.theme.text);
    let size = text.size() + vec2(12.0, 4.0);
    let pill = Rect::from_min_size(seen.rect.left_top() - vec2(0.0, size.y + 4.0), size);
    frame.painter.rect_filled(pill, CornerRadius::same(5), frame.theme.panel);
    frame.painter.galley(pill.min + vec2(6.0, 2.0), text, frame.theme.text);
}

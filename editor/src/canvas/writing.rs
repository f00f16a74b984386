//! Words that are written where they stand: titles, remarks and notes.

use egui::text::{CCursor, CCursorRange};
use egui::{Align2, FontId, Id, Key, KeyboardShortcut, Modifiers, Rect, TextEdit, Ui, pos2, vec2};

use super::frames::rect_of;
use super::{Action, Frame, View, ViewState, nodes};
use crate::document::{Edit, FrameId, NodeId, Sheet};
use crate::theme;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// The title of a node.
    Title(NodeId),
    /// What is remarked about a node.
    Remark(NodeId),
    /// The title of a frame or note.
    Head(FrameId),
    /// What stands in a note, in Markdown.
    Note(FrameId),
}

/// Writing that is under way.
pub struct Writing {
    words: Words,
    text: String,
    /// Whether nothing was typed yet.
    fresh: bool,
}

/// Below this zoom words are brought nearer to be written.
const NEAR: f32 = 0.6;

impl Words {
    fn now(self, view: &View<'_>) -> Option<String> {
        let (nodes, frames) = (&view.sheet.nodes, &view.sheet.frames);
        Some(match self {
            Self::Title(id) => {
                let node = nodes.get(&id)?;
                nodes::title_of(node, view.registry.get(&node.kind).map(|node| node.spec()))
            }
            Self::Remark(id) => nodes.get(&id)?.note.clone().unwrap_or_default(),
            Self::Head(id) => frames.get(&id)?.title.clone(),
            Self::Note(id) => frames.get(&id)?.text.clone(),
        })
    }

    /// The step that writes a text.
    fn step(self, sheet: &Sheet, text: String) -> Option<Action> {
        let frame = |id: FrameId| sheet.frames.get(&id).cloned();
        let (name, edit) = match self {
            Self::Title(id) => ("rename", Edit::Title(id, Some(text.trim().to_owned()))),
            Self::Remark(id) => ("write a remark", Edit::Note(id, Some(text.trim_end().to_owned()))),
            Self::Head(id) => (
                "rename a frame",
                Edit::Frame(id, crate::document::Frame { title: text.trim().to_owned(), ..frame(id)? }),
            ),
            Self::Note(id) => ("write a note", Edit::Frame(id, crate::document::Frame { text, ..frame(id)? })),
        };
        Some(Action::step(name, vec![edit]))
    }

    /// What it is called for those who hear the screen.
    fn label(self) -> &'static str {
        match self {
            Self::Title(_) | Self::Head(_) => "title",
            Self::Remark(_) => "remark",
            Self::Note(_) => "words",
        }
    }
}

impl ViewState {
    /// Begins to write something where it stands.
    pub fn write(&mut self, view: &View<'_>, words: Words) {
        self.look_through(view);
        let Some(text) = words.now(view) else { return };
        self.writing = Some(Writing { words, text, fresh: true });
        if let Some(rect) = self.room(view, words).filter(|_| self.camera.zoom < NEAR) {
            self.camera.fly(rect.center(), 1.0);
        }
    }

    /// Tells whether something is being written where it stands.
    pub fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Where words are written; none if what they belong to cannot be seen.
    fn room(&mut self, view: &View<'_>, words: Words) -> Option<Rect> {
        match words {
            Words::Title(id) | Words::Remark(id) => {
                let node = view.sheet.nodes.get(&id).filter(|_| self.net.folded(id).is_none())?;
                let at = self.place(id, node.at);
                let rect = self.shape(view, id, node).rect(at);
                Some(match words {
                    Words::Title(_) => rect.with_max_y(rect.top() + theme::HEAD).shrink(3.0),
                    _ => Rect::from_min_size(pos2(rect.left(), rect.bottom() + 6.0), vec2(rect.width(), 64.0)),
                })
            }
            Words::Head(id) | Words::Note(id) => {
                let frame = view.sheet.frames.get(&id).filter(|_| !self.net.is_buried(id))?;
                let rect = rect_of(frame);
                let (head, body) = rect.split_top_bottom_at_y(rect.top() + theme::HEAD);
                Some(match words {
                    Words::Head(_) => head.shrink(3.0),
                    _ => body.with_min_y(body.top().min(body.bottom() - 48.0)).shrink(4.0),
                })
            }
        }
    }
}

/// Shows what is being written. Enter, or a click elsewhere, keeps it, and Esc gives it up; a note has lines, so that there
/// Esc keeps it too.
pub fn show(canvas: &mut Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState) {
    let Some(mut writing) = state.writing.take() else { return };
    let Some(rect) = state.room(frame.view, writing.words) else { return };
    let id = frame.view.id.with("writing");
    if writing.fresh && canvas.input(|input| input.pointer.any_released()) {
        // The click that called for it would count as one beside it.
        canvas.ctx().request_repaint();
        state.writing = Some(writing);
        return;
    }
    if std::mem::take(&mut writing.fresh) {
        canvas.memory_mut(|memory| memory.request_focus(id));
        select_all(canvas, id, &writing);
    }
    let before = writing.text.clone();
    frame.painter.rect_filled(rect, 4.0, frame.theme.field);
    let response = match writing.words {
        Words::Title(_) | Words::Head(_) => {
            let edit = TextEdit::singleline(&mut writing.text).id(id).font(FontId::proportional(13.5));
            canvas.put(rect, edit.margin(vec2(6.0, 2.0)).align(Align2::LEFT_CENTER).min_size(rect.size()))
        }
        Words::Remark(_) | Words::Note(_) => {
            let lines = KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter);
            let edit = TextEdit::multiline(&mut writing.text).id(id).font(FontId::proportional(13.0));
            let edit = if matches!(writing.words, Words::Remark(_)) { edit.return_key(lines) } else { edit };
            canvas.put(rect, edit.margin(vec2(8.0, 5.0)).hint_text("a remark").min_size(rect.size()))
        }
    };
    canvas.ctx().accesskit_node_builder(response.id, |node| node.set_label(writing.words.label()));
    let pressed = |key| canvas.input(|input| input.key_pressed(key));
    let is_note = matches!(writing.words, Words::Note(_));
    let entered = !is_note && pressed(Key::Enter) && !canvas.input(|input| input.modifiers.shift);
    if response.has_focus() && !entered {
        state.writing = Some(writing);
        return;
    }
    response.surrender_focus();
    let given_up = pressed(Key::Escape) && !is_note;
    let changed = writing.words.now(frame.view).is_some_and(|known| known != writing.text) || before != writing.text;
    if changed && !given_up {
        frame.actions.extend(writing.words.step(frame.view.sheet, writing.text));
    }
}

/// Marks all of a title, so that what is typed takes its place.
fn select_all(canvas: &Ui, id: Id, writing: &Writing) {
    let mut state = TextEdit::load_state(canvas.ctx(), id).unwrap_or_default();
    let end = CCursor::new(writing.text.chars().count());
    let start = if matches!(writing.words, Words::Note(_)) { end } else { CCursor::new(0) };
    state.cursor.set_char_range(Some(CCursorRange::two(start, end)));
    state.store(canvas.ctx(), id);
}

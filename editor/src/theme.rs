//! Colours and sizes, all of them.
//!
//! Two palettes, dark and light, of warm greys and one red, as a darkroom has. Wires have the colour of what they carry.

use egui::epaint::Hsva;
use egui::{Color32, CornerRadius, FontFamily, FontId, Stroke, Style, TextStyle, Theme as Mode, Visuals};

use darkroom_core::types::Kind;

/// Edge of the grid in points; places are multiples of it.
pub const GRID: f32 = 8.0;
/// Width of a node that nobody has widened.
pub const NODE_WIDTH: f32 = 248.0;
/// Least width of a node.
pub const NODE_LEAST: f32 = 140.0;
/// Height of a node's head.
pub const HEAD: f32 = 30.0;
/// Height of a row.
pub const ROW: f32 = 25.0;
/// Height of a text of several lines.
pub const TEXT_BOX: f32 = 92.0;
/// Least height of a picture in a node.
pub const PICTURE_LEAST: f32 = 48.0;
/// Space at the sides of a node.
pub const SIDE: f32 = 12.0;
/// Below the last row.
pub const FOOT: f32 = 8.0;
/// Radius of a socket.
pub const SOCKET: f32 = 5.0;
/// How near to a socket a wire is dropped on it.
pub const REACH: f32 = 22.0;
/// Corners of nodes and frames.
pub const CORNER: u8 = 8;

/// The colours of one mode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Theme {
    /// Whether it is the dark one.
    pub dark: bool,
    /// Behind everything.
    pub canvas: Color32,
    /// Points of the grid.
    pub grid: Color32,
    /// Bodies of nodes.
    pub body: Color32,
    /// Heads of nodes.
    pub head: Color32,
    /// Edges of nodes.
    pub edge: Color32,
    /// Insides of fields.
    pub field: Color32,
    /// Panels.
    pub panel: Color32,
    /// Texts.
    pub text: Color32,
    /// Texts of less weight.
    pub weak: Color32,
    /// What is chosen, and what to press.
    pub accent: Color32,
    /// Texts on the accent.
    pub on_accent: Color32,
    /// What is at fault.
    pub error: Color32,
    /// What a person should know.
    pub warning: Color32,
    /// What is done.
    pub good: Color32,
    /// What is at work.
    pub busy: Color32,
    /// Behind what is drawn over others.
    pub shadow: Color32,
}

impl Theme {
    /// The dark palette.
    pub const DARK: Self = Self {
        dark: true,
        canvas: Color32::from_rgb(0x1a, 0x19, 0x18),
        grid: Color32::from_rgb(0x2b, 0x29, 0x27),
        body: Color32::from_rgb(0x2a, 0x28, 0x26),
        head: Color32::from_rgb(0x38, 0x35, 0x32),
        edge: Color32::from_rgb(0x4a, 0x46, 0x42),
        field: Color32::from_rgb(0x1d, 0x1c, 0x1a),
        panel: Color32::from_rgb(0x22, 0x20, 0x1f),
        text: Color32::from_rgb(0xec, 0xe7, 0xe1),
        weak: Color32::from_rgb(0xa3, 0x9c, 0x94),
        accent: Color32::from_rgb(0xd9, 0x4a, 0x3d),
        on_accent: Color32::WHITE,
        error: Color32::from_rgb(0xff, 0x6b, 0x5e),
        warning: Color32::from_rgb(0xe8, 0xb0, 0x4a),
        good: Color32::from_rgb(0x7f, 0xc0, 0x7a),
        busy: Color32::from_rgb(0x6f, 0xb3, 0xe8),
        shadow: Color32::from_black_alpha(110),
    };

    /// The light palette.
    pub const LIGHT: Self = Self {
        dark: false,
        canvas: Color32::from_rgb(0xee, 0xeb, 0xe6),
        grid: Color32::from_rgb(0xd9, 0xd4, 0xcc),
        body: Color32::from_rgb(0xff, 0xff, 0xff),
        head: Color32::from_rgb(0xf3, 0xf0, 0xeb),
        edge: Color32::from_rgb(0xc6, 0xbf, 0xb5),
        field: Color32::from_rgb(0xf6, 0xf4, 0xf0),
        panel: Color32::from_rgb(0xf8, 0xf6, 0xf2),
        text: Color32::from_rgb(0x24, 0x21, 0x1e),
        weak: Color32::from_rgb(0x6f, 0x68, 0x60),
        accent: Color32::from_rgb(0xc2, 0x39, 0x2d),
        on_accent: Color32::WHITE,
        error: Color32::from_rgb(0xc0, 0x28, 0x1c),
        warning: Color32::from_rgb(0x9a, 0x67, 0x00),
        good: Color32::from_rgb(0x2f, 0x7d, 0x32),
        busy: Color32::from_rgb(0x1f, 0x6f, 0xb2),
        shadow: Color32::from_black_alpha(36),
    };

    /// Returns the palette of a mode.
    pub fn of(mode: Mode) -> Self {
        match mode {
            Mode::Dark => Self::DARK,
            Mode::Light => Self::LIGHT,
        }
    }

    /// Returns the palette that a context draws with.
    pub fn current(ctx: &egui::Context) -> Self {
        Self::of(ctx.theme())
    }

    /// Returns the colour of what a wire carries: the same kind has the same colour everywhere.
    pub fn kind(&self, kind: Kind) -> Color32 {
        let hue = match kind.0 {
            "denoiser" => 0.735,
            "encoder" => 0.125,
            "vae" => 0.0,
            "conditioning" => 0.085,
            "latent" => 0.88,
            "image" => 0.565,
            "text" => 0.4,
            "integer" | "number" => 0.3,
            "boolean" => 0.22,
            "any" => return self.weak,
            other => other.bytes().fold(0.0_f32, |hue, byte| (hue * 31.0 + f32::from(byte) / 97.0).fract()),
        };
        match self.dark {
            true => Hsva::new(hue, 0.52, 0.9, 1.0).into(),
            false => Hsva::new(hue, 0.78, 0.66, 1.0).into(),
        }
    }

    /// Returns one of the colours that nodes and frames can have, by its name; none for a name that is unknown.
    pub fn named(&self, name: &str) -> Option<Color32> {
        let (_, hue) = COLOURS.iter().find(|(known, _)| *known == name)?;
        Some(match (hue, self.dark) {
            (None, _) => self.edge,
            (Some(hue), true) => Hsva::new(*hue, 0.45, 0.42, 1.0).into(),
            (Some(hue), false) => Hsva::new(*hue, 0.3, 0.9, 1.0).into(),
        })
    }

    /// Returns the colour of a share of heat, from 0 for cold to 1 for the hottest.
    pub fn heat(&self, share: f32) -> Color32 {
        let stops = match self.dark {
            true => [(0x35, 0x58, 0x70), (0xb0, 0x83, 0x2c), (0xe0, 0x46, 0x36)],
            false => [(0xbf, 0xdc, 0xee), (0xf5, 0xcb, 0x66), (0xe8, 0x5a, 0x4a)],
        };
        let at = share.clamp(0.0, 1.0) * 2.0;
        let (low, high) = if at < 1.0 { (stops[0], stops[1]) } else { (stops[1], stops[2]) };
        let part = |low: u8, high: u8| egui::lerp(f32::from(low)..=f32::from(high), at - at.floor().min(1.0)) as u8;
        Color32::from_rgb(part(low.0, high.0), part(low.1, high.1), part(low.2, high.2))
    }

    /// Puts the palette into the styles of a context.
    pub fn install(ctx: &egui::Context) {
        for (mode, theme) in [(Mode::Dark, Self::DARK), (Mode::Light, Self::LIGHT)] {
            ctx.style_mut_of(mode, |style| theme.style(style));
        }
    }

    fn style(&self, style: &mut Style) {
        let mut visuals = if self.dark { Visuals::dark() } else { Visuals::light() };
        visuals.override_text_color = Some(self.text);
        visuals.panel_fill = self.panel;
        visuals.window_fill = self.panel;
        visuals.window_stroke = Stroke::new(1.0, self.edge);
        visuals.extreme_bg_color = self.field;
        visuals.faint_bg_color = self.head;
        visuals.selection.bg_fill = self.accent.gamma_multiply(if self.dark { 0.55 } else { 0.35 });
        visuals.selection.stroke = Stroke::new(1.0, self.text);
        visuals.hyperlink_color = self.busy;
        visuals.error_fg_color = self.error;
        visuals.warn_fg_color = self.warning;
        visuals.weak_text_color = Some(self.weak);
        let corner = CornerRadius::same(5);
        let widgets = &mut visuals.widgets;
        let all = [
            (&mut widgets.noninteractive, self.panel, self.edge),
            (&mut widgets.inactive, self.field, self.edge),
            (&mut widgets.hovered, self.head, self.weak),
            (&mut widgets.active, self.head, self.accent),
            (&mut widgets.open, self.head, self.accent),
        ];
        for (widget, fill, edge) in all {
            widget.corner_radius = corner;
            widget.bg_fill = fill;
            widget.weak_bg_fill = fill;
            widget.bg_stroke = Stroke::new(1.0, edge);
            widget.fg_stroke.color = self.text;
            widget.expansion = 0.0;
        }
        style.visuals = visuals;
        let sizes = [
            (TextStyle::Small, 11.0),
            (TextStyle::Body, 13.0),
            (TextStyle::Button, 13.0),
            (TextStyle::Heading, 18.0),
            (TextStyle::Monospace, 12.0),
        ];
        for (name, size) in sizes {
            let family = if name == TextStyle::Monospace { FontFamily::Monospace } else { FontFamily::Proportional };
            style.text_styles.insert(name, FontId::new(size, family));
        }
        style.spacing.item_spacing = egui::vec2(8.0, 6.0);
        style.spacing.button_padding = egui::vec2(8.0, 3.0);
        style.spacing.interact_size = egui::vec2(36.0, 21.0);
        style.interaction.selectable_labels = false;
    }
}

/// The colours that nodes and frames can have, with their hues.
pub const COLOURS: [(&str, Option<f32>); 8] = [
    ("grey", None),
    ("red", Some(0.0)),
    ("amber", Some(0.1)),
    ("olive", Some(0.19)),
    ("green", Some(0.36)),
    ("teal", Some(0.49)),
    ("blue", Some(0.6)),
    ("plum", Some(0.83)),
];

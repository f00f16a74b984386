//! A window painted without a graphics card, so that its pictures are the same on every machine: triangles with colours
//! and textures, blended as egui asks for it (premultiplied, in gamma space).

use std::collections::HashMap;

use egui::epaint::{ColorImage, ImageData, ImageDelta, Mesh, Primitive, TextureId, Vertex};
use egui::{Color32, Context, FullOutput, Pos2, Rect, TexturesDelta, Vec2, pos2};
use egui_kittest::TestRenderer;
use image::{Rgba, RgbaImage};

/// Paints a window.
#[derive(Default)]
pub struct Raster {
    textures: HashMap<TextureId, ColorImage>,
}

impl Raster {
    fn set(&mut self, id: TextureId, delta: &ImageDelta) {
        let ImageData::Color(image) = &delta.image;
        let Some([left, top]) = delta.pos else {
            self.textures.insert(id, (**image).clone());
            return;
        };
        let Some(texture) = self.textures.get_mut(&id) else { return };
        let ([width, height], stride) = (image.size, texture.size[0]);
        for row in 0..height {
            let from = (top + row) * stride + left;
            texture.pixels[from..from + width].copy_from_slice(&image.pixels[row * width..(row + 1) * width]);
        }
    }
}

impl TestRenderer for Raster {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        for (id, deltas) in delta.set.drain() {
            deltas.iter().for_each(|delta| self.set(id, delta));
        }
    }

    fn render(&mut self, ctx: &Context, output: &FullOutput) -> Result<RgbaImage, String> {
        let scale = output.pixels_per_point;
        let size = ctx.content_rect().size() * scale;
        let mut sheet = RgbaImage::from_pixel(size.x.round() as u32, size.y.round() as u32, Rgba([0, 0, 0, 255]));
        for each in ctx.tessellate(output.shapes.clone(), scale) {
            let Primitive::Mesh(mesh) = &each.primitive else { continue };
            let texture = self.textures.get(&mesh.texture_id).ok_or("a texture is missing")?;
            let clip = Rect::from_min_max(each.clip_rect.min * scale, each.clip_rect.max * scale);
            paint(&mut sheet, mesh, texture, clip, scale);
        }
        Ok(sheet)
    }
}

fn paint(sheet: &mut RgbaImage, mesh: &Mesh, texture: &ColorImage, clip: Rect, scale: f32) {
    let edge = vec2_of(sheet);
    let clip = Rect::from_min_max(clip.min.max(Pos2::ZERO).round(), clip.max.min(edge.to_pos2()).round());
    for corners in mesh.indices.chunks_exact(3) {
        let mut corners = [corners[0], corners[1], corners[2]].map(|index| mesh.vertices[index as usize]);
        corners.iter_mut().for_each(|corner| corner.pos = (corner.pos.to_vec2() * scale).to_pos2());
        triangle(sheet, corners, texture, clip);
    }
}

fn vec2_of(sheet: &RgbaImage) -> Vec2 {
    Vec2::new(sheet.width() as f32, sheet.height() as f32)
}

/// Twice the area of a triangle, positive if it turns clockwise on the screen.
fn area(a: Pos2, b: Pos2, c: Pos2) -> f32 {
    (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
}

/// Tells whether a point on an edge belongs to the triangle at its right: of two that share it, one has it.
fn owns(from: Pos2, to: Pos2) -> bool {
    (from.y == to.y && to.x > from.x) || to.y < from.y
}

fn triangle(sheet: &mut RgbaImage, mut corners: [Vertex; 3], texture: &ColorImage, clip: Rect) {
    if area(corners[0].pos, corners[1].pos, corners[2].pos) < 0.0 {
        corners.swap(1, 2);
    }
    let [a, b, c] = corners.map(|corner| corner.pos);
    let whole = area(a, b, c);
    let bounds = Rect::from_points(&[a, b, c]).intersect(clip);
    if whole <= 0.0 || !bounds.is_positive() {
        return;
    }
    for y in bounds.top().floor() as u32..(bounds.bottom().ceil() as u32).min(clip.bottom() as u32) {
        for x in bounds.left().floor() as u32..(bounds.right().ceil() as u32).min(clip.right() as u32) {
            let at = pos2(x as f32 + 0.5, y as f32 + 0.5);
            let parts = [(b, c), (c, a), (a, b)].map(|(from, to)| (area(from, to, at), owns(from, to)));
            if clip.contains(at) && parts.iter().all(|(part, owns)| *part > 0.0 || (*part == 0.0 && *owns)) {
                let shares = parts.map(|(part, _)| part / whole);
                let pixel = sheet.get_pixel_mut(x, y);
                *pixel = blend(*pixel, colour(&corners, shares, texture));
            }
        }
    }
}

/// The colour of a point: what lies at the corners by their shares, times the texture there.
fn colour(corners: &[Vertex; 3], shares: [f32; 3], texture: &ColorImage) -> [f32; 4] {
    let mut uv = Vec2::ZERO;
    let mut tint = [0.0; 4];
    for (corner, share) in corners.iter().zip(shares) {
        uv += corner.uv.to_vec2() * share;
        let parts = corner.color.to_array();
        tint.iter_mut().zip(parts).for_each(|(sum, part)| *sum += share * f32::from(part) / 255.0);
    }
    let texel = sample(texture, uv);
    std::array::from_fn(|part| tint[part] * texel[part])
}

/// Reads a texture between its texels.
fn sample(texture: &ColorImage, uv: Vec2) -> [f32; 4] {
    let [width, height] = texture.size;
    let (x, y) = (uv.x * width as f32 - 0.5, uv.y * height as f32 - 0.5);
    let texel = |x: f32, y: f32| {
        let (x, y) = (x.clamp(0.0, width as f32 - 1.0) as usize, y.clamp(0.0, height as f32 - 1.0) as usize);
        texture.pixels.get(y * width + x).copied().unwrap_or(Color32::TRANSPARENT).to_array().map(f32::from)
    };
    let (left, top) = (x.floor(), y.floor());
    let (across, down) = (x - left, y - top);
    let corners = [texel(left, top), texel(left + 1.0, top), texel(left, top + 1.0), texel(left + 1.0, top + 1.0)];
    let shares = [(1.0 - across) * (1.0 - down), across * (1.0 - down), (1.0 - across) * down, across * down];
    std::array::from_fn(|part| {
        corners.iter().zip(shares).map(|(corner, share)| corner[part] * share).sum::<f32>() / 255.0
    })
}

fn blend(under: Rgba<u8>, over: [f32; 4]) -> Rgba<u8> {
    let rest = 1.0 - over[3];
    Rgba(std::array::from_fn(|part| {
        let mixed = over[part] + rest * f32::from(under.0[part]) / 255.0;
        (mixed.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
    }))
}

//! `grid`: pictures side by side on one sheet.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::{Picture, Pictures};
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Kind, Type};

/// Lays pictures out on one sheet, line by line: first those of `image`, then those of `more_1`, and so on.
///
/// To compare prompts and seeds, give every prompt a `denoise` of the same seeds, wire them to `image`, `more_1` and so
/// on, and take as many `columns` as there are seeds: a line then is a prompt, a column a seed.
#[derive(Node)]
#[node(id = "grid", version = 1, category = "Image", lane = "light")]
pub struct Grid {
    /// The pictures.
    #[input]
    image: Pictures,
    /// More pictures.
    #[input]
    more_1: Option<Pictures>,
    /// More pictures.
    #[input]
    more_2: Option<Pictures>,
    /// More pictures.
    #[input]
    more_3: Option<Pictures>,
    /// More pictures.
    #[input]
    more_4: Option<Pictures>,
    /// More pictures.
    #[input]
    more_5: Option<Pictures>,
    /// More pictures.
    #[input]
    more_6: Option<Pictures>,
    /// More pictures.
    #[input]
    more_7: Option<Pictures>,
    /// Pictures in a line; left out, as many as make the sheet about square.
    #[param(range = Some(1)..=Some(64))]
    columns: Option<u32>,
    /// Room between pictures and around them.
    #[param(default = 8, range = 0..=256, unit = "px", advanced)]
    gap: u32,
    /// Brightness of the sheet: 0 black, 1 white.
    #[param(default = 1.0, range = 0.0..=1.0, advanced)]
    sheet: f64,
}

/// The inputs, in the order in which they are laid out.
const INPUTS: [&str; 8] = ["image", "more_1", "more_2", "more_3", "more_4", "more_5", "more_6", "more_7"];

/// Most pixels along an edge of the sheet.
const MAX_EDGE: u32 = 16_384;

impl Node for Grid {
    type Output = Pictures;

    fn run(self, _: &mut Context<'_>) -> Result<Pictures, Fault> {
        let more = [&self.more_1, &self.more_2, &self.more_3, &self.more_4, &self.more_5, &self.more_6, &self.more_7];
        let all = std::iter::once(&self.image).chain(more.into_iter().flatten());
        let pictures: Vec<&Picture> = all.flat_map(Pictures::iter).collect();
        let layout = Layout {
            columns: columns(pictures.len() as u32, self.columns),
            count: pictures.len() as u32,
            cell: pictures.iter().fold((0, 0), |(w, h), picture| (w.max(picture.width()), h.max(picture.height()))),
            gap: self.gap,
        };
        let (width, height) = layout.size()?;
        let mut samples = vec![self.sheet as f32; width as usize * height as usize * 3];
        for (index, picture) in pictures.into_iter().enumerate() {
            lay(picture, &mut samples, width, layout.place(index as u32, picture));
        }
        let sheet = Picture::new(width, height, 3, samples).ok_or_else(|| Fault::bug("a sheet lost samples"))?;
        Ok(Pictures::new(vec![sheet]))
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let sheet = Type::of(Kind::IMAGE).count(Some(1));
        let wires: Vec<&Type> = INPUTS.iter().filter_map(|name| known.wire(name)).collect();
        let sizes: Option<Vec<_>> = wires.iter().map(|ty| Some((ty.width?, ty.height?, ty.count?))).collect();
        let params = known.param::<Option<u32>>("columns")?.zip(known.param::<u32>("gap")?);
        let (Some(sizes), Some((wanted, gap))) = (sizes, params) else { return Ok(vec![sheet]) };
        let count = sizes.iter().map(|(.., count)| count).sum();
        let cell = sizes.iter().fold((0, 0), |(w, h), (width, height, _)| (w.max(*width), h.max(*height)));
        let (width, height) = Layout { columns: columns(count, wanted), count, cell, gap }.size()?;
        Ok(vec![sheet.size(Some(width), Some(height))])
    }
}

fn columns(count: u32, wanted: Option<u32>) -> u32 {
    wanted.unwrap_or_else(|| f64::from(count).sqrt().ceil() as u32).clamp(1, count.max(1))
}

struct Layout {
    columns: u32,
    count: u32,
    cell: (u32, u32),
    gap: u32,
}

impl Layout {
    fn size(&self) -> Result<(u32, u32), Fault> {
        let edge = |cells: u32, cell: u32| {
            let edge = u64::from(cells) * u64::from(cell + self.gap) + u64::from(self.gap);
            u32::try_from(edge).ok().filter(|edge| *edge <= MAX_EDGE)
        };
        let width = edge(self.columns, self.cell.0);
        let height = edge(self.count.div_ceil(self.columns), self.cell.1);
        width.zip(height).ok_or_else(|| {
            Fault::graph(format!("a sheet of {} pictures of {}×{} is too large", self.count, self.cell.0, self.cell.1))
                .hint(format!("edges may have up to {MAX_EDGE} pixels: bring the pictures down with `upscale`"))
        })
    }

    /// Where a picture begins: in the middle of its cell.
    fn place(&self, index: u32, picture: &Picture) -> (u32, u32) {
        let (column, line) = (index % self.columns, index / self.columns);
        let at = |cell: u32, size: u32, own: u32| self.gap + cell * (size + self.gap) + (size - own) / 2;
        (at(column, self.cell.0, picture.width()), at(line, self.cell.1, picture.height()))
    }
}

/// Lays a picture on the sheet; what is see-through lets the sheet show.
fn lay(picture: &Picture, sheet: &mut [f32], width: u32, (left, top): (u32, u32)) {
    let channels = picture.channels() as usize;
    for (i, pixel) in picture.samples().chunks_exact(channels).enumerate() {
        let (x, y) = (i % picture.width() as usize, i / picture.width() as usize);
        let at = ((top as usize + y) * width as usize + left as usize + x) * 3;
        let cover = if channels == 4 { pixel[3] } else { 1.0 };
        for (below, sample) in sheet[at..at + 3].iter_mut().zip(pixel) {
            *below = cover * sample + (1.0 - cover) * *below;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_stand_line_by_line_in_the_middle_of_their_cells() {
        let layout = Layout { columns: 2, count: 3, cell: (4, 6), gap: 1 };
        assert_eq!(layout.size(), Ok((11, 15)));
        let small = Picture::new(2, 2, 3, vec![0.0; 12]).expect("four pixels");
        assert_eq!([0, 1, 2].map(|i| layout.place(i, &small)), [(2, 3), (7, 3), (2, 10)]);
        assert_eq!([1, 2, 4, 5].map(|count| columns(count, None)), [1, 2, 2, 3]);
        assert_eq!(columns(3, Some(9)), 3);
        assert!(Layout { columns: 64, count: 64, cell: (8192, 8), gap: 0 }.size().is_err());
    }

    #[test]
    fn what_is_see_through_lets_the_sheet_show() {
        let glass = Picture::new(1, 1, 4, vec![0.0, 0.0, 0.0, 0.25]).expect("one pixel");
        let mut sheet = vec![1.0; 12];
        lay(&glass, &mut sheet, 2, (1, 1));
        assert_eq!(sheet[..9], [1.0; 9]);
        assert_eq!(sheet[9..], [0.75; 3]);
    }
}

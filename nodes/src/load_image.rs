//! `load_image`: a picture from a file.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::Pictures;
use darkroom_core::node::{Known, Node};
use darkroom_core::spec::FileSort;
use darkroom_core::types::{Kind, Type};

use crate::models::input_file::InputFile;
use crate::pictures::picture_file;

/// Reads a PNG, JPEG or WebP; of an animation the first picture.
#[derive(Node)]
#[node(id = "load_image", version = 1, category = "Image", lane = "io")]
pub struct LoadImage {
    /// The file, below the workflow's folder, the input folder, or one that was allowed.
    #[param(file = FileSort::Picture)]
    file: InputFile,
}

impl Node for LoadImage {
    type Output = Pictures;

    fn run(self, _: &mut Context<'_>) -> Result<Pictures, Fault> {
        Ok(Pictures::new(vec![picture_file::read(&self.file.path)?]))
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let ty = Type::of(Kind::IMAGE).count(Some(1));
        let Some(file) = known.param::<InputFile>("file")? else { return Ok(vec![ty]) };
        let (width, height) = picture_file::size(&file.path)?;
        Ok(vec![ty.size(Some(width), Some(height))])
    }
}

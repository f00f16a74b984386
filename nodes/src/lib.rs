//! The nodes a person can plug together: one file each, one line each in [`registry`].
//!
//! A node is thin: it takes its inputs, pins the weights it needs, calls `darkroom-models`, and returns. What travels
//! between nodes is in [`wires`]; what several nodes share is in a folder by what it is about: [`models`], `sampling`,
//! [`pictures`].
#![warn(missing_docs)]

mod devices;
mod fault;
mod host;
pub mod models;
pub mod pictures;
mod sampling;
pub mod wires;

pub use devices::{Devices, device_of};
pub use host::host;
pub use save_image::Saved;

/// Declares the file of each node and puts its nodes into the registry: a new node is one line.
macro_rules! nodes {
    ($($file:ident: $($node:ident),+;)*) => {
        $(mod $file;)*

        /// Returns all nodes.
        pub fn registry() -> darkroom_core::registry::Registry {
            darkroom_core::registry::Registry::new()$($(.with::<$file::$node>())+)*
        }
    };
}

nodes! {
    canny: Canny;
    control: ControlBy;
    crop_to_mask: CropToMask;
    decode: VaeDecode;
    denoise: Denoise;
    draw_mask: DrawMask;
    empty_latent: EmptyLatent;
    encode_prompt: EncodePrompt;
    grid: Grid;
    inpaint: Inpaint;
    load_controlnet: LoadControlNet;
    load_embedding: LoadEmbedding;
    load_image: LoadImage;
    load_lora: LoadLora;
    load_model: LoadModel;
    load_upscaler: LoadUpscaler;
    mask_edit: MaskEdit;
    mask_from_alpha: MaskFromAlpha;
    pad_image: PadImage;
    refine: Refine;
    repeat_latent: RepeatLatent;
    save_image: SaveImage;
    scribble: Scribble;
    stitch: Stitch;
    switch: Switch;
    upscale: Upscale;
    upscale_latent: UpscaleLatent;
    upscale_with_model: UpscaleWithModel;
    vae_encode: VaeEncode;
    values: Integer, Number, SeedValue, Size, Text, Toggle;
    wildcards: Wildcards;
}

#[cfg(test)]
mod tests {
    use darkroom_core::types::Kind;

    #[test]
    fn every_field_for_a_file_says_what_the_file_is() {
        for node in super::registry().all() {
            let spec = node.spec();
            for input in &spec.inputs {
                let Some(param) = input.param.as_ref().filter(|param| param.outside && !param.multiline) else {
                    continue;
                };
                assert_eq!(input.kind, Kind::TEXT, "{}.{}", spec.id, input.name);
                assert!(
                    param.file.is_some(),
                    "{}.{} names a file of which nobody knows what it is",
                    spec.id,
                    input.name
                );
            }
        }
    }

    #[test]
    fn both_halves_of_a_size_name_each_other() {
        for node in super::registry().all() {
            let spec = node.spec();
            let pair = |name: &str| spec.input(name).and_then(|(_, input)| input.param.as_ref()?.pair);
            for input in &spec.inputs {
                if let Some(other) = pair(input.name) {
                    assert_eq!(pair(other), Some(input.name), "{}.{}", spec.id, input.name);
                }
            }
        }
    }
}

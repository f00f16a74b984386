//! Which family a LoRA was made for, as far as its header tells.

/// Words in names that only one family has.
const FOREIGN: &[(&str, &[&str])] = &[
    ("flux", &["double_blocks", "single_blocks", "single_transformer_blocks"]),
    ("qwen-image", &["img_mlp", "txt_mlp", "img_mod", "txt_mod"]),
    ("sd3", &["joint_blocks", "context_embedder"]),
];

/// Widths of the text that is attended to, and whose they are.
const WIDTHS: &[(usize, &str)] = &[(768, "sd15"), (1024, "sd2"), (1280, "sdxl-refiner"), (2048, "sdxl")];

/// Guesses the family from the layers, as the file spells them, and the numbers that each reads (0 where unknown).
///
/// `None` where nothing gives it away: small models have other widths, and many layers are called alike everywhere.
pub fn guess(layers: &[(&str, usize)]) -> Option<&'static str> {
    let of_names = |words: &[&str]| layers.iter().any(|(name, _)| words.iter().any(|word| name.contains(word)));
    if let Some((family, _)) = FOREIGN.iter().find(|(_, words)| of_names(words)) {
        return Some(family);
    }
    let mut texts = layers.iter().filter(|(name, _)| {
        let name = name.replace('.', "_");
        name.contains("attn2") && (name.ends_with("to_k") || name.ends_with("to_v"))
    });
    let width = texts.next().map(|(_, inputs)| *inputs);
    if let Some(width) = width {
        return WIDTHS.iter().find(|(known, _)| *known == width).map(|(_, family)| *family);
    }
    // Only the base has both encoders.
    let both = of_names(&["lora_te1_", "text_encoder."]) && of_names(&["lora_te2_", "text_encoder_2."]);
    both.then_some("sdxl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_the_width_of_the_text_give_a_family_away() {
        let guess = |name, width| guess(&[("lora_te1_text_model_encoder_layers_0_mlp_fc1", 0), (name, width)]);
        assert_eq!(guess("lora_unet_down_blocks_1_attn2_to_k", 768), Some("sd15"));
        assert_eq!(guess("unet.down_blocks.1.attn2.to_v", 2048), Some("sdxl"));
        assert_eq!(guess("input_blocks_4_1_transformer_blocks_0_attn2_to_v", 1280), Some("sdxl-refiner"));
        assert_eq!(guess("unet.down_blocks.1.attn2.to_v", 64), None);
        assert_eq!(guess("unet.down_blocks.1.attn1.to_v", 640), None);
        assert_eq!(guess("lora_unet_double_blocks_0_img_attn_qkv", 3072), Some("flux"));
        assert_eq!(guess("transformer.transformer_blocks.0.img_mlp.net.2", 0), Some("qwen-image"));
        assert_eq!(guess("lora_te2_text_model_encoder_layers_0_mlp_fc1", 1280), Some("sdxl"));
    }
}

//! The sizes that families of models draw well: those that they were trained on.

use darkroom_core::spec::Sizes;

/// All families, those of this program first.
///
/// SDXL: `Stability-AI/generative-models`, `scripts/demo/sampling.py`; SD 1.5 was trained at 512², and is at home up to
/// half as much again along one edge; the built-in model at 256².
pub const SIZES: &[Sizes] = &[
    Sizes {
        family: "sdxl",
        title: "SDXL",
        sizes: &[
            (1024, 1024),
            (1088, 960),
            (960, 1088),
            (1152, 896),
            (896, 1152),
            (1216, 832),
            (832, 1216),
            (1280, 768),
            (768, 1280),
            (1344, 768),
            (768, 1344),
            (1344, 704),
            (704, 1344),
            (1408, 704),
            (704, 1408),
            (1472, 704),
            (1536, 640),
            (1600, 640),
            (1664, 576),
            (1728, 576),
        ],
    },
    Sizes { family: "sdxl", title: "the built-in model", sizes: &[(256, 256)] },
    Sizes {
        family: "sd15",
        title: "SD 1.5",
        sizes: &[(512, 512), (576, 448), (448, 576), (640, 512), (512, 640), (768, 512), (512, 768)],
    },
];

#[cfg(test)]
mod tests {
    use darkroom_core::param::ChoiceParam as _;

    use super::SIZES;
    use crate::wires::{REDUCTION, Space};

    #[test]
    fn every_family_of_latents_has_sizes_that_latents_can_have() {
        for space in [Space::Sdxl, Space::Sd15] {
            assert!(SIZES.iter().any(|sizes| sizes.family == space.word()), "{}", space.word());
        }
        let edges = SIZES.iter().flat_map(|sizes| sizes.sizes).flat_map(|(width, height)| [width, height]);
        assert!(edges.into_iter().all(|edge| edge % REDUCTION == 0));
    }
}

//! What the tensors of a LoRA file are called: the name of a layer, then which piece of its change it is.

/// A piece of a layer's change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Piece {
    /// LoRA: (outputs, rank).
    Up,
    /// (rank, inputs).
    Down,
    /// Between the two, for a convolution taken apart further: (rank, rank, kernel, kernel).
    Mid,
    /// LoHa: two products, multiplied number by number.
    Hada1A,
    Hada1B,
    Hada1Core,
    Hada2A,
    Hada2B,
    Hada2Core,
    /// LoKr: the Kronecker product of two matrices, each whole or a product.
    Kron1,
    Kron1A,
    Kron1B,
    Kron2,
    Kron2A,
    Kron2B,
    Kron2Core,
    /// The whole difference.
    Diff,
    /// The difference of the bias.
    DiffBias,
    /// DoRA: the length of each column or row.
    Dora,
    /// DoRA as peft writes it: the length of each row.
    Magnitude,
    /// Divided by the rank, the factor of the change.
    Alpha,
}

/// The endings, those that end with another one first.
const ENDINGS: &[(&str, Piece)] = &[
    (".lora_up.weight", Piece::Up),
    (".lora_down.weight", Piece::Down),
    (".lora_mid.weight", Piece::Mid),
    (".lora_A.weight", Piece::Down),
    (".lora_B.weight", Piece::Up),
    (".lora_A.default.weight", Piece::Down),
    (".lora_B.default.weight", Piece::Up),
    (".lora.up.weight", Piece::Up),
    (".lora.down.weight", Piece::Down),
    (".lora_linear_layer.up.weight", Piece::Up),
    (".lora_linear_layer.down.weight", Piece::Down),
    ("_lora.up.weight", Piece::Up),
    ("_lora.down.weight", Piece::Down),
    (".hada_w1_a", Piece::Hada1A),
    (".hada_w1_b", Piece::Hada1B),
    (".hada_t1", Piece::Hada1Core),
    (".hada_w2_a", Piece::Hada2A),
    (".hada_w2_b", Piece::Hada2B),
    (".hada_t2", Piece::Hada2Core),
    (".lokr_w1", Piece::Kron1),
    (".lokr_w1_a", Piece::Kron1A),
    (".lokr_w1_b", Piece::Kron1B),
    (".lokr_w2", Piece::Kron2),
    (".lokr_w2_a", Piece::Kron2A),
    (".lokr_w2_b", Piece::Kron2B),
    (".lokr_t2", Piece::Kron2Core),
    (".diff", Piece::Diff),
    (".diff_b", Piece::DiffBias),
    (".dora_scale", Piece::Dora),
    (".lora_magnitude_vector", Piece::Magnitude),
    (".lora_magnitude_vector.weight", Piece::Magnitude),
    (".lora_magnitude_vector.default.weight", Piece::Magnitude),
    (".alpha", Piece::Alpha),
];

impl Piece {
    /// Returns what messages call it: the first of its endings.
    pub fn word(self) -> &'static str {
        let ending = ENDINGS.iter().find(|(_, piece)| *piece == self).map_or("", |(ending, _)| ending);
        ending.trim_start_matches('.').trim_end_matches(".weight")
    }
}

/// Takes the name of a tensor apart: the layer as the file spells it, and the piece.
pub fn take_apart(name: &str) -> Option<(&str, Piece)> {
    ENDINGS.iter().find_map(|(ending, piece)| Some((name.strip_suffix(ending)?, *piece)))
}

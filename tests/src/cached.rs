//! Results that are known by their number alone, so that one process can check what another has kept.

use darkroom_core::fingerprint::Fingerprint;
use darkroom_core::image::{Picture, Pictures};
use darkroom_core::spec::Output;
use darkroom_core::value::{Made, Value};

/// Returns the name of the recipe with this number.
pub fn recipe(number: u64) -> Fingerprint {
    Fingerprint::of_bytes(&number.to_le_bytes())
}

/// Returns the outputs of a node that makes pictures.
pub fn outputs() -> [Output; 1] {
    [Output::of::<Pictures>("image", "Pictures.")]
}

/// Returns what the recipe with this number makes: one picture of about `bytes` bytes.
pub fn values(number: u64, bytes: usize) -> Vec<Value> {
    let width = (bytes / 12).max(1);
    let samples: Vec<f32> = (0..3 * width).map(|index| ((number as usize * 31 + index) % 509) as f32 / 509.0).collect();
    let picture = Picture::new(width as u32, 1, 3, samples).expect("as many samples as pixels");
    vec![Made::new(Pictures::new(vec![picture])).named(recipe(number).output(0))]
}

/// Tells whether loaded values are those of this number.
pub fn is_right(values: &[Value], number: u64, bytes: usize) -> bool {
    let wanted = self::values(number, bytes);
    values.len() == 1
        && values[0].name() == wanted[0].name()
        && values[0].downcast::<Pictures>() == wanted[0].downcast::<Pictures>()
}

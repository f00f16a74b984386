//! How exactly networks compute: what was typed, else what the environment says, else what suits the processor.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use darkroom_core::fault::Fault;
use darkroom_kernels::Tier;
use darkroom_models::nn::{Compute, Mode};

/// The environment variable that takes the place of `--quality`.
const VARIABLE: &str = "DARKROOM_QUALITY";

/// Reads the name of a mode, as clap wants it.
pub fn parser() -> impl TypedValueParser<Value = Mode> {
    let names = PossibleValuesParser::new(Mode::ALL.map(|mode| PossibleValue::new(mode.name()).help(meaning(mode))));
    names.map(|name| Mode::from_name(&name).expect("it is one of the names"))
}

/// Returns with what networks compute, for the whole program.
///
/// # Errors
/// A fault of an environment variable that says what is unknown.
pub fn compute(typed: Option<Mode>) -> Result<Compute, Fault> {
    Tier::from_mask().map_err(|unknown| Fault::graph(unknown.to_string()).hint(unknown.hint()))?;
    let wanted = match (typed, std::env::var_os(VARIABLE).filter(|name| !name.is_empty())) {
        (Some(mode), _) => mode,
        (None, Some(name)) => named(&name.to_string_lossy())?,
        (None, None) => Mode::usual(),
    };
    Ok(Compute::new(wanted))
}

fn named(name: &str) -> Result<Mode, Fault> {
    let unknown = || {
        let [first, second, third] = Mode::ALL.map(Mode::name);
        Fault::graph(format!("`{VARIABLE}` is `{name}`, which names no quality"))
            .hint(format!("set it to `{first}`, `{second}` or `{third}`, or not at all"))
    };
    Mode::from_name(name).ok_or_else(unknown)
}

fn meaning(mode: Mode) -> &'static str {
    match mode {
        Mode::Exact => "f32 throughout: the picture of the reference",
        Mode::Fast => {
            "products in bf16, sums in f32, where the processor multiplies bf16 itself; else f32 with weights of 16 bits"
        }
        Mode::Int8 => "as `fast`, with the matrices of the denoiser's transformers in eight bits",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_has_a_name_and_others_are_told_with_the_names() {
        for mode in Mode::ALL {
            assert_eq!(named(mode.name()), Ok(mode));
        }
        let fault = named("best").expect_err("it is no mode");
        assert_eq!(fault.message, "`DARKROOM_QUALITY` is `best`, which names no quality");
        assert_eq!(fault.hint.as_deref(), Some("set it to `exact`, `fast` or `int8`, or not at all"));
    }
}

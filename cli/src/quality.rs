//! How exactly networks compute: what was typed, else what the environment says, else the settings, else what suits the
//! processor.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use darkroom_core::fault::Fault;
use darkroom_kernels::Tier;
use darkroom_models::nn::Mode;

use crate::chosen::{Chosen, Names};
use crate::config::Config;

/// Where a person says how exactly.
const NAMES: Names = Names { flag: "--quality", variable: "DARKROOM_QUALITY" };

/// Reads the name of a mode, as clap wants it.
pub fn parser() -> impl TypedValueParser<Value = Mode> {
    let names = PossibleValuesParser::new(Mode::ALL.map(|mode| PossibleValue::new(mode.name()).help(meaning(mode))));
    names.map(|name| Mode::from_name(&name).expect("it is one of the names"))
}

/// Returns how exactly networks compute, for the whole program.
///
/// # Errors
/// A fault of an environment variable that says what is unknown.
pub fn mode(typed: Option<Mode>, config: &Config) -> Result<Mode, Fault> {
    tier()?;
    Ok(chosen(typed, config)?.value)
}

/// Returns the instructions that are used.
///
/// # Errors
/// A fault of an environment variable that names none.
pub fn tier() -> Result<Tier, Fault> {
    Tier::from_mask().map_err(|unknown| Fault::graph(unknown.to_string()).hint(unknown.hint()))
}

/// Returns how exactly networks compute, and who says so.
///
/// # Errors
/// A fault of an environment variable that says what is unknown.
pub fn chosen(typed: Option<Mode>, config: &Config) -> Result<Chosen<Mode>, Fault> {
    let chosen = NAMES.choose(typed, named, config.quality.map(|mode| (mode, config.path.as_path())))?;
    Ok(chosen.unwrap_or_else(|| Chosen::usual(Mode::usual())))
}

/// Says what a mode means on instructions.
pub fn meaning_on(mode: Mode, tier: Tier) -> &'static str {
    match (mode, tier.has_bf16(), tier.has_bytes()) {
        (Mode::Exact, ..) => meaning(Mode::Exact),
        (Mode::Fast, true, _) => "products in bf16, sums in f32",
        (Mode::Fast, false, _) => "f32 with weights of 16 bits: these instructions do not multiply bf16",
        (Mode::Int8, true, _) => meaning(Mode::Int8),
        (Mode::Int8, false, true) => {
            "the denoiser's residual and transformer blocks in eight bits, the rest in f32 with weights of 16 bits"
        }
        (Mode::Int8, false, false) => {
            "as `fast`, with matrices in eight bits by plain loops: these instructions do not multiply bytes"
        }
    }
}

fn named(name: &str) -> Result<Mode, Fault> {
    let unknown = || {
        let [first, second, third] = Mode::ALL.map(Mode::name);
        Fault::graph(format!("`{}` is `{name}`, which names no quality", NAMES.variable))
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
        Mode::Int8 => "as `fast`, with the denoiser's residual and transformer blocks in eight bits",
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

    #[test]
    fn a_mode_means_what_the_instructions_can_do() {
        let tiers: Vec<_> = Tier::available().collect();
        assert!(meaning_on(Mode::Fast, tiers[0]).contains("do not multiply bf16"));
        assert!(meaning_on(Mode::Int8, tiers[0]).contains("plain loops"));
        for tier in tiers.into_iter().filter(|tier| tier.has_bf16()) {
            assert_eq!(meaning_on(Mode::Fast, tier), "products in bf16, sums in f32");
        }
    }
}

//! The device that networks compute on: what was asked for, held against what is there and what this program was built
//! with, before anything is loaded.

use std::fmt;

use darkroom_core::fault::{Fault, FaultKind};
use darkroom_core::residency::{Device, gibibytes};

use crate::chosen::{Chosen, Names, Origin};
use crate::config::Config;
use crate::desk::Desk;
use crate::machine::System;
use crate::machine::graphics::{Card, Graphics, NvidiaSmi, look};

/// Where a person says which.
const NAMES: Names = Names { flag: "--device", variable: "DARKROOM_DEVICE" };

/// Bytes that must be free on a card before it is of any use.
const LEAST_FREE: u64 = 1 << 30;

/// The code for cards that is part of this program.
pub const BUILT: Option<Built> = if cfg!(feature = "cuda") { Some(CUDA_13) } else { None };

/// What the toolkit asks for: its release notes name the driver, and the oldest cards that it compiles for.
const CUDA_13: Built = Built { cuda: "13.0", driver: 580, capability: (7, 5) };

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A card that can be used, if there is one; else the processor.
    Auto,
    /// The processor.
    Cpu,
    /// A card: this one, or the one with the most free memory.
    Cuda(Option<u16>, Otherwise),
}

/// What to do where the card that is asked for cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// Nothing.
    Refuse,
    /// To compute on the processor.
    Cpu,
}

/// What a choice is made by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What there is.
    pub graphics: Graphics,
    /// The code for cards that is part of the program, if any is.
    pub built: Option<Built>,
}

/// Code for cards, and what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Built {
    /// The version of CUDA that it was built with.
    pub cuda: &'static str,
    /// The first driver that runs it.
    pub driver: u32,
    /// The least compute capability that it has code for.
    pub capability: (u32, u32),
}

/// What is computed on, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The device.
    pub device: Device,
    /// The card, if it is one.
    pub card: Option<Card>,
    /// What to do where it goes, as after a reset of its driver.
    pub otherwise: Otherwise,
    /// Why, in one sentence.
    pub why: String,
}

/// Reads `auto`, `cpu`, `cuda`, `cuda:1`, `cuda,cpu` or `cuda:1,cpu`.
///
/// # Errors
/// One sentence for the command line.
pub fn parse(text: &str) -> Result<Asked, String> {
    let wrong = || format!("`{text}` names no device; write auto, cpu, cuda or cuda:0, or cuda,cpu for either");
    let (first, otherwise) = match text.trim().split_once(',') {
        None => (text.trim(), Otherwise::Refuse),
        Some((first, second)) if second.trim() == "cpu" => (first.trim_end(), Otherwise::Cpu),
        Some(_) => return Err(wrong()),
    };
    match (first, otherwise) {
        ("auto", Otherwise::Refuse) => Ok(Asked::Auto),
        ("cpu", Otherwise::Refuse) => Ok(Asked::Cpu),
        ("cuda", _) => Ok(Asked::Cuda(None, otherwise)),
        _ => {
            let ordinal = first.strip_prefix("cuda:").and_then(|number| number.parse().ok());
            ordinal.map(|ordinal| Asked::Cuda(Some(ordinal), otherwise)).ok_or_else(wrong)
        }
    }
}

/// Returns what is asked for, and who says so.
///
/// # Errors
/// A fault of an environment variable that names no device.
pub fn asked(typed: Option<Asked>, config: &Config) -> Result<Chosen<Asked>, Fault> {
    let read = |text: &str| parse(text).map_err(|why| Fault::graph(format!("{}: {why}", NAMES.variable)));
    let chosen = NAMES.choose(typed, read, config.device.map(|asked| (asked, config.path.as_path())))?;
    Ok(chosen.unwrap_or(Chosen::usual(Asked::Auto)))
}

/// Chooses for this machine, and says so where somebody asked for a card and none is used. The driver is asked only where
/// the answer matters.
///
/// # Errors
/// A fault of an environment variable; the same as of [`choose`].
pub fn choose_here(typed: Option<Asked>, config: &Config, desk: &Desk) -> Result<Choice, Fault> {
    let asked = asked(typed, config)?;
    let matters = BUILT.is_some() && asked.value != Asked::Cpu;
    let graphics = if matters { look(&System::here(), &NvidiaSmi) } else { Graphics::None };
    let choice = choose(asked.value, &Facts { graphics, built: BUILT })?;
    let Choice { device, why, .. } = &choice;
    match asked.value {
        Asked::Cuda(..) if choice.card.is_none() => {
            desk.warn(&format!("{}: the processor computes: {why}", asked.origin));
        }
        // Nobody wonders that a program without code for cards uses none.
        Asked::Auto if asked.origin == Origin::Usual && BUILT.is_none() => {}
        _ => desk.say(&format!("networks compute on {device}: {why}")),
    }
    Ok(choice)
}

/// Chooses what to compute on. Where a card is only one of the things that may be chosen, why it cannot be used is told
/// in the choice.
///
/// # Errors
/// Why the card that is asked for cannot be used, with what it needs and what was found.
pub fn choose(asked: Asked, facts: &Facts) -> Result<Choice, Fault> {
    let on_cpu = |why: String| Choice { device: Device::Cpu, card: None, otherwise: Otherwise::Refuse, why };
    let either = |ordinal| usable(ordinal, facts).unwrap_or_else(|fault| on_cpu(fault.message));
    match asked {
        Asked::Cpu => Ok(on_cpu("the processor is asked for".to_owned())),
        Asked::Auto => Ok(either(None)),
        Asked::Cuda(ordinal, Otherwise::Cpu) => Ok(either(ordinal)),
        Asked::Cuda(ordinal, Otherwise::Refuse) => match usable(ordinal, facts) {
            Ok(choice) => Ok(Choice { otherwise: Otherwise::Refuse, ..choice }),
            Err(fault) => {
                let way_out = "compute on the processor with --device cpu, or on either with --device cuda,cpu";
                let first = fault.hint.as_ref().map(|hint| format!("{hint}, or ")).unwrap_or_default();
                Err(fault.hint(format!("{first}{way_out}")))
            }
        },
    }
}

/// Finds the card that is asked for, or else the one with the most free memory of those that can be used.
fn usable(ordinal: Option<u16>, facts: &Facts) -> Result<Choice, Fault> {
    let unfit = |says: String| Fault::new(FaultKind::Device, says);
    let Some(built) = facts.built else {
        return Err(unfit("this program was built without code for cards".to_owned()));
    };
    let needs = format!("a driver of NVIDIA of version {} or later, for CUDA {}, is needed", built.driver, built.cuda);
    let install = format!("install driver {} or later", built.driver);
    let (cards, driver) = match &facts.graphics {
        Graphics::Found { cards, driver, .. } => (cards, driver),
        Graphics::None => return Err(unfit(format!("{needs}, and none is here")).hint(install)),
        Graphics::Unclear { why, module } => {
            let found =
                module.as_ref().map_or("the one that is here".to_owned(), |version| format!("driver {version}"));
            return Err(unfit(format!("{needs}, and {found} tells of no card: {why}")).hint(install));
        }
    };
    // A version that cannot be read is left to the driver to judge.
    if major(driver).is_some_and(|found| found < built.driver) {
        return Err(unfit(format!("{needs}, and {driver} is installed")).hint(install));
    }
    let asked: Vec<_> =
        cards.iter().filter(|card| ordinal.is_none_or(|ordinal| card.index == u32::from(ordinal))).collect();
    let Some(first) = asked.first() else {
        let there: Vec<_> = cards.iter().map(|card| format!("cuda:{} ({})", card.index, card.name)).collect();
        let wanted = ordinal.map_or("a card".to_owned(), |ordinal| format!("`cuda:{ordinal}`"));
        return Err(unfit(format!("{wanted} is not here; the driver tells of {}", there.join(", "))));
    };
    let flaw = |card: &Card| flaw(card, &built);
    let fit = asked.iter().filter(|card| flaw(card).is_none());
    match fit.max_by_key(|card| (card.free, std::cmp::Reverse(card.index))) {
        Some(card) => Ok(chosen(card, driver)),
        None => Err(unfit(flaw(first).unwrap_or_default())),
    }
}

/// Says why a card cannot be used, if it cannot.
fn flaw(card: &Card, built: &Built) -> Option<String> {
    let name = format!("cuda:{} ({})", card.index, card.name);
    let (major, minor) = built.capability;
    if let Some(found) = card.capability.as_ref().filter(|found| version(found).is_some_and(|it| it < built.capability))
    {
        return Some(format!("{name} has compute capability {found}, and {major}.{minor} or later is needed"));
    }
    let free = card.free.filter(|free| *free < LEAST_FREE)?;
    Some(format!("{name} has {} free, and {} are needed at least", gibibytes(free), gibibytes(LEAST_FREE)))
}

fn chosen(card: &Card, driver: &str) -> Choice {
    let capability = card.capability.as_ref().map(|found| format!(", compute capability {found}")).unwrap_or_default();
    let free = card.free.map(|free| format!(", {} free", gibibytes(free))).unwrap_or_default();
    let why = format!("{}{capability}, driver {driver}{free}", card.name);
    // More cards than numbers nobody has.
    let ordinal = u16::try_from(card.index).unwrap_or(u16::MAX);
    Choice { device: Device::Cuda(ordinal), card: Some(card.clone()), otherwise: Otherwise::Cpu, why }
}

/// Reads `550` of `550.54.15`.
fn major(driver: &str) -> Option<u32> {
    driver.split('.').next()?.trim().parse().ok()
}

/// Reads `8.9`.
fn version(capability: &str) -> Option<(u32, u32)> {
    let (major, minor) = capability.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Writes what `parse` reads.
impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal, otherwise) => {
                let number = ordinal.map(|ordinal| format!(":{ordinal}")).unwrap_or_default();
                let rest = if *otherwise == Otherwise::Cpu { ",cpu" } else { "" };
                write!(f, "cuda{number}{rest}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn card(index: u32, capability: &str, free: u64) -> Card {
        let (name, capability) = ("NVIDIA H200".to_owned(), Some(capability.to_owned()));
        Card { index, name, capability, total: Some(141 * GIB), free: Some(free) }
    }

    fn facts(driver: &str, cards: Vec<Card>) -> Facts {
        let graphics = Graphics::Found { cards, driver: driver.to_owned(), cuda: None };
        Facts { graphics, built: Some(CUDA_13) }
    }

    fn refused(asked: &str, facts: &Facts) -> (String, String) {
        let fault = choose(parse(asked).expect("a device"), facts).expect_err("it cannot be used");
        assert_eq!(fault.kind, FaultKind::Device);
        (fault.message, fault.hint.expect("there is a way out"))
    }

    #[test]
    fn row_48_what_is_asked_for_is_read_and_written() {
        for text in ["auto", "cpu", "cuda", "cuda:1", "cuda,cpu", "cuda:12,cpu"] {
            assert_eq!(parse(text).expect(text).to_string(), text);
        }
        assert_eq!(parse(" cuda , cpu "), Ok(Asked::Cuda(None, Otherwise::Cpu)));
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:65536", "auto,cpu", "cpu,cuda", "cuda,cuda", "cuda:0,cpu,cpu"]
        {
            assert!(parse(text).expect_err(text).contains("names no device"), "{text}");
        }
    }

    #[test]
    fn row_48_a_program_without_code_for_cards_refuses_one_and_goes_on_if_allowed() {
        let bare = Facts { built: None, ..facts("580.65.06", vec![card(0, "9.0", GIB)]) };
        let (message, hint) = refused("cuda:0", &bare);
        assert_eq!(message, "this program was built without code for cards");
        assert_eq!(hint, "compute on the processor with --device cpu, or on either with --device cuda,cpu");
        for asked in ["auto", "cuda,cpu", "cuda:3,cpu"] {
            let choice = choose(parse(asked).expect(asked), &bare).expect("the processor will do");
            assert_eq!((choice.device, choice.why, choice.card), (Device::Cpu, message.clone(), None));
        }
    }

    #[test]
    fn row_48_a_driver_that_is_too_old_is_told_with_the_version_that_is_needed() {
        let (message, hint) = refused("cuda", &facts("550.54.15", vec![card(0, "9.0", 9 * GIB)]));
        let told = "a driver of NVIDIA of version 580 or later, for CUDA 13.0, is needed, and 550.54.15 is installed";
        assert_eq!(message, told);
        assert!(hint.starts_with("install driver 580 or later, or compute on the processor"), "{hint}");
        assert!(choose(Asked::Auto, &facts("580.00", vec![card(0, "9.0", 9 * GIB)])).is_ok_and(|it| it.card.is_some()));
    }

    #[test]
    fn row_48_no_driver_and_one_that_does_not_answer_are_told() {
        let none = Facts { graphics: Graphics::None, built: Some(CUDA_13) };
        assert!(refused("cuda", &none).0.ends_with("580 or later, for CUDA 13.0, is needed, and none is here"));
        let unclear = |module: Option<&str>| Facts {
            graphics: Graphics::Unclear { why: "it was silent for 10 s".to_owned(), module: module.map(str::to_owned) },
            built: Some(CUDA_13),
        };
        let end = "tells of no card: it was silent for 10 s";
        assert!(refused("cuda", &unclear(Some("580.1"))).0.ends_with(&format!("driver 580.1 {end}")));
        assert!(refused("cuda", &unclear(None)).0.ends_with(&format!("the one that is here {end}")));
    }

    #[test]
    fn row_48_a_card_that_is_missing_too_old_or_full_is_told_with_what_it_has() {
        let two = facts("580.65.06", vec![card(0, "6.1", 9 * GIB), card(1, "9.0", GIB / 2)]);
        assert_eq!(
            refused("cuda:2", &two).0,
            "`cuda:2` is not here; the driver tells of cuda:0 (NVIDIA H200), cuda:1 (NVIDIA H200)"
        );
        let old = "cuda:0 (NVIDIA H200) has compute capability 6.1, and 7.5 or later is needed";
        assert_eq!((refused("cuda:0", &two).0, refused("cuda", &two).0), (old.to_owned(), old.to_owned()));
        assert_eq!(
            refused("cuda:1", &two).0,
            "cuda:1 (NVIDIA H200) has 512.0 MiB free, and 1.0 GiB are needed at least"
        );
        let choice = choose(parse("cuda:1,cpu").expect("a device"), &two).expect("the processor is allowed");
        assert!(choice.device == Device::Cpu && choice.why.starts_with("cuda:1 "), "{choice:?}");
    }

    #[test]
    fn the_card_with_the_most_free_memory_is_taken_where_none_is_named() {
        let cards = vec![card(0, "9.0", 2 * GIB), card(1, "12.0", 8 * GIB), card(2, "5.0", 99 * GIB)];
        let three = facts("580.65.06", cards);
        for asked in ["auto", "cuda", "cuda,cpu", "cuda:1"] {
            let choice = choose(parse(asked).expect(asked), &three).expect("it can be used");
            let otherwise = if asked == "auto" || asked == "cuda,cpu" { Otherwise::Cpu } else { Otherwise::Refuse };
            assert_eq!((choice.device, choice.otherwise), (Device::Cuda(1), otherwise), "{asked}");
            assert_eq!(choice.why, "NVIDIA H200, compute capability 12.0, driver 580.65.06, 8.0 GiB free");
        }
        assert_eq!(choose(Asked::Cpu, &three).expect("always").device, Device::Cpu);
        // What the driver does not tell is no reason to refuse.
        let silent = Card { capability: None, free: None, total: None, ..card(0, "9.0", 0) };
        assert!(choose(Asked::Auto, &facts("beta", vec![silent])).is_ok_and(|choice| choice.card.is_some()));
    }
}

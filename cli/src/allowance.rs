//! How much memory weights and scratch may take: what was typed, else what the environment says, else the settings, else
//! four fifths of all there is; and never so much that others are not left what is reserved for them.

use darkroom_core::fault::{Fault, Faults};
use darkroom_core::residency::gibibytes;

use crate::args::Budgets;
use crate::chosen::{Chosen, Names};
use crate::config::Config;
use crate::folders::Folders;
use crate::machine::System;
use crate::machine::memory::Memory;
use crate::size::{Amount, parse_amount};

const RAM: Names = Names { flag: "--ram", variable: "DARKROOM_RAM" };
const RESERVE: Names = Names { flag: "--reserve", variable: "DARKROOM_RESERVE" };

/// What a machine is taken to have that does not tell.
const UNKNOWN: u64 = 8 << 30;

/// Memory that may be taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Allowance {
    /// Bytes that weights and scratch may take.
    pub bytes: u64,
    /// Bytes there are: the machine's, or the container's.
    pub all: u64,
    /// What was asked for.
    pub ram: Chosen<Amount>,
    /// What is left to others, if somebody says so.
    pub reserve: Option<Chosen<Amount>>,
}

/// Returns the bytes that an amount means on this machine.
pub fn bytes_here(amount: Amount) -> u64 {
    amount.of(Memory::of(&System::here()).all().unwrap_or(UNKNOWN))
}

impl Allowance {
    /// Decides for this machine, by the user's settings.
    ///
    /// # Errors
    /// What is wrong with the settings; the same as of [`Allowance::of`].
    pub fn here(budgets: &Budgets, folders: &Folders) -> Result<Self, Faults> {
        Ok(Self::of(budgets, &Config::load(&folders.config)?, &Memory::of(&System::here()))?)
    }

    /// Decides for a machine.
    ///
    /// # Errors
    /// A fault of an environment variable; that nothing is left.
    pub fn of(budgets: &Budgets, config: &Config, memory: &Memory) -> Result<Self, Fault> {
        let set = |names: Names, typed, amount: Option<Amount>| {
            let read =
                |text: &str| parse_amount(text).map_err(|why| Fault::graph(format!("{}: {why}", names.variable)));
            names.choose(typed, read, amount.map(|amount| (amount, config.path.as_path())))
        };
        let ram = set(RAM, budgets.ram, config.ram)?.unwrap_or(Chosen::usual(Amount::Percent(80.0)));
        let reserve = set(RESERVE, budgets.reserve, config.reserve)?;
        Self::within(memory.all().unwrap_or(UNKNOWN), ram, reserve)
    }

    fn within(all: u64, ram: Chosen<Amount>, reserve: Option<Chosen<Amount>>) -> Result<Self, Fault> {
        let Some(reserved) = reserve.as_ref() else {
            return Ok(Self { bytes: ram.value.of(all), all, ram, reserve });
        };
        let left = all.saturating_sub(reserved.value.of(all));
        if left == 0 {
            let (what, who, all) = (reserved.value, &reserved.origin, gibibytes(all));
            return Err(Fault::memory(format!("`{who}` leaves {what} to others, and there are {all} in all"))
                .hint("reserve less"));
        }
        Ok(Self { bytes: ram.value.of(all).min(left), all, ram, reserve })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: u64 = 10 << 30;

    fn within(ram: Amount, reserve: Option<Amount>) -> Result<u64, Fault> {
        let reserve = reserve.map(Chosen::usual);
        Allowance::within(ALL, Chosen::usual(ram), reserve).map(|allowance| allowance.bytes)
    }

    #[test]
    fn what_is_reserved_stays_with_others_whatever_is_asked_for() {
        assert_eq!(within(Amount::Percent(80.0), None), Ok(8 << 30));
        assert_eq!(within(Amount::Percent(80.0), Some(Amount::Bytes(1 << 30))), Ok(8 << 30));
        assert_eq!(within(Amount::Percent(80.0), Some(Amount::Percent(50.0))), Ok(5 << 30));
        assert_eq!(within(Amount::Bytes(99 << 30), Some(Amount::Bytes(4 << 30))), Ok(6 << 30));
        assert_eq!(within(Amount::Bytes(99 << 30), None), Ok(99 << 30), "who asks for more than there is gets it");
    }

    #[test]
    fn a_reserve_that_leaves_nothing_is_refused() {
        for reserve in [Amount::Bytes(ALL), Amount::Percent(100.0), Amount::Bytes(u64::MAX)] {
            let fault = within(Amount::Percent(80.0), Some(reserve)).expect_err("nothing is left");
            assert!(fault.message.ends_with("to others, and there are 10.0 GiB in all"), "{fault}");
        }
    }
}

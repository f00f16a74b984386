//! How much memory weights and scratch may take: what was typed, else what the environment says, else the settings, else
//! four fifths of all there is; and never so much that others are not left what is reserved for them. On a card that is
//! used, nine tenths of what is free are usual.

use std::sync::Arc;

use darkroom_core::fault::{Fault, Faults};
use darkroom_core::residency::{Device, Ledger, gibibytes};

use crate::args::Budgets;
use crate::chosen::{Chosen, Names};
use crate::config::Config;
use crate::device::Choice;
use crate::folders::Folders;
use crate::machine::System;
use crate::machine::graphics::Card;
use crate::machine::memory::Memory;
use crate::size::{Amount, parse_amount};

const RAM: Names = Names { flag: "--ram", variable: "DARKROOM_RAM" };
const VRAM: Names = Names { flag: "--vram", variable: "DARKROOM_VRAM" };
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
    /// What was asked for of a card, if anything was.
    pub vram: Option<Chosen<Amount>>,
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
        let ram = set(RAM, budgets.ram, config.ram, config)?.unwrap_or(Chosen::usual(Amount::Percent(80.0)));
        let reserve = set(RESERVE, budgets.reserve, config.reserve, config)?;
        let vram = set(VRAM, budgets.vram, config.vram, config)?;
        Ok(Self { vram, ..Self::within(memory.all().unwrap_or(UNKNOWN), ram, reserve)? })
    }

    /// Decides for a question about this machine: with so much memory, whatever is set, and with what is usual of a card
    /// unless somebody says otherwise.
    ///
    /// # Errors
    /// What is wrong with the settings; a fault of an environment variable.
    pub fn asked(ram: Amount, vram: Option<Amount>, folders: &Folders) -> Result<Self, Faults> {
        let config = Config::load(&folders.config)?;
        let vram = set(VRAM, vram, config.vram, &config)?;
        let all = Memory::of(&System::here()).all().unwrap_or(UNKNOWN);
        Ok(Self { vram, ..Self::within(all, Chosen::usual(ram), None)? })
    }

    /// Opens the accounts of a machine that computes as it was chosen.
    pub fn ledger(&self, choice: &Choice) -> Arc<Ledger> {
        let card = choice.card.as_ref().map(|card| (choice.device, self.bytes_on(card)));
        Ledger::of([(Device::Cpu, self.bytes)].into_iter().chain(card))
    }

    /// Returns the bytes of a card that weights and scratch may take.
    pub fn bytes_on(&self, card: &Card) -> u64 {
        let all = card.total.or(card.free).unwrap_or(UNKNOWN);
        match &self.vram {
            Some(vram) => vram.value.of(all),
            // Others draw their windows there.
            None => Amount::Percent(90.0).of(card.free.unwrap_or(all)),
        }
    }

    /// Says that a part of a card was asked for where none is used, if it was.
    pub fn unused(&self, choice: &Choice) -> Option<String> {
        let vram = self.vram.as_ref().filter(|_| choice.card.is_none())?;
        let (who, what, why) = (&vram.origin, vram.value, &choice.why);
        Some(format!("{who} asks for {what} of a graphics card, and none is used here: {why}"))
    }

    fn within(all: u64, ram: Chosen<Amount>, reserve: Option<Chosen<Amount>>) -> Result<Self, Fault> {
        let Some(reserved) = reserve.as_ref() else {
            return Ok(Self { bytes: ram.value.of(all), all, ram, reserve, vram: None });
        };
        let left = all.saturating_sub(reserved.value.of(all));
        if left == 0 {
            let (what, who, all) = (reserved.value, &reserved.origin, gibibytes(all));
            return Err(Fault::memory(format!("`{who}` leaves {what} to others, and there are {all} in all"))
                .hint("reserve less"));
        }
        Ok(Self { bytes: ram.value.of(all).min(left), all, ram, reserve, vram: None })
    }
}

/// Returns what was set of an amount, and who says so.
fn set(
    names: Names,
    typed: Option<Amount>,
    amount: Option<Amount>,
    config: &Config,
) -> Result<Option<Chosen<Amount>>, Fault> {
    let read = |text: &str| parse_amount(text).map_err(|why| Fault::graph(format!("{}: {why}", names.variable)));
    names.choose(typed, read, amount.map(|amount| (amount, config.path.as_path())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Otherwise;

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

    fn choice(card: Option<Card>) -> Choice {
        let device = card.as_ref().map_or(Device::Cpu, |_| Device::Cuda(1));
        Choice { device, card, otherwise: Otherwise::Cpu, why: "there is none".to_owned() }
    }

    fn card(total: Option<u64>, free: Option<u64>) -> Card {
        Card { index: 1, name: "a card".to_owned(), capability: None, total, free }
    }

    #[test]
    fn a_card_that_is_used_has_an_account_of_its_own() {
        let usual = Allowance::within(ALL, Chosen::usual(Amount::Percent(80.0)), None).expect("fine");
        let (used, none) = (choice(Some(card(Some(8 << 30), Some(5 << 30)))), choice(None));
        let budgets =
            |allowance: &Allowance, choice| allowance.ledger(choice).budgets().into_iter().collect::<Vec<_>>();
        assert_eq!(budgets(&usual, &none), [(Device::Cpu, 8 << 30)]);
        assert_eq!(budgets(&usual, &used), [(Device::Cpu, 8 << 30), (Device::Cuda(1), (5 << 30) / 10 * 9)]);
        let asked = |amount| Allowance { vram: Some(Chosen::usual(amount)), ..usual.clone() };
        let half = asked(Amount::Percent(50.0));
        assert_eq!(budgets(&half, &used)[1].1, 4 << 30);
        assert_eq!(asked(Amount::Bytes(3 << 30)).bytes_on(&card(None, None)), 3 << 30);
        assert_eq!((usual.unused(&none), half.unused(&used)), (None, None));
    }

    #[test]
    fn memory_of_a_card_that_is_not_used_is_told() {
        let vram = Chosen { value: Amount::Bytes(3 << 30), origin: crate::chosen::Origin::Flag("--vram") };
        let usual = Allowance::within(ALL, Chosen::usual(Amount::Percent(80.0)), None).expect("fine");
        let told = Allowance { vram: Some(vram), ..usual }.unused(&choice(None));
        assert_eq!(
            told.as_deref(),
            Some("--vram asks for 3.0 GiB of a graphics card, and none is used here: there is none")
        );
    }

    #[test]
    fn a_reserve_that_leaves_nothing_is_refused() {
        for reserve in [Amount::Bytes(ALL), Amount::Percent(100.0), Amount::Bytes(u64::MAX)] {
            let fault = within(Amount::Percent(80.0), Some(reserve)).expect_err("nothing is left");
            assert!(fault.message.ends_with("to others, and there are 10.0 GiB in all"), "{fault}");
        }
    }
}

//! With what networks compute: the device that was chosen, once it was found to compute as it should.

use darkroom_core::fault::{Fault, FaultKind};
use darkroom_core::files::Files;
use darkroom_core::host::Host;
use darkroom_core::residency::Device;
use darkroom_models::nn::{Compute, Mode};
use darkroom_nodes::Devices;

use crate::compose;
use crate::device::{Choice, Otherwise};

/// With what networks compute.
#[derive(Debug, Clone)]
pub struct Means {
    /// How, and on what else nodes may ask to.
    pub devices: Devices,
    /// On what, and why.
    pub choice: Choice,
}

impl Means {
    /// Opens what was chosen, and returns what a person should know of it, if it came otherwise.
    ///
    /// # Errors
    /// That a card does not compute as it should, where nothing else is allowed.
    pub fn open(choice: Choice, mode: Mode) -> Result<(Self, Option<String>), Fault> {
        Self::open_with(choice, mode, card)
    }

    fn open_with(
        choice: Choice,
        mode: Mode,
        card: impl FnOnce(u16, Mode) -> Result<Compute, String>,
    ) -> Result<(Self, Option<String>), Fault> {
        let processor = || Devices::new(Compute::new(mode));
        let Device::Cuda(ordinal) = choice.device else { return Ok((Self { devices: processor(), choice }, None)) };
        let why = match card(ordinal, mode) {
            Ok(compute) => return Ok((Self { devices: Devices::new(compute), choice }, None)),
            Err(why) => format!("{} does not compute as it should: {why}", choice.device),
        };
        match choice.otherwise {
            Otherwise::Refuse => Err(Fault::new(FaultKind::Device, why)
                .hint("compute on the processor with --device cpu, or on either with --device cuda,cpu")),
            Otherwise::Cpu => {
                let told = format!("the processor computes: {why}");
                let choice = Choice { device: Device::Cpu, card: None, why, ..choice };
                Ok((Self { devices: processor(), choice }, Some(told)))
            }
        }
    }

    /// Returns the machine, over the files that may be touched; where a card may be done without, with what goes on then.
    pub fn host(&self, files: &Files) -> Host {
        let host = compose::host(files.clone(), self.devices.clone());
        match (self.choice.device, self.choice.otherwise) {
            (Device::Cuda(_), Otherwise::Cpu) => {
                host.with_fallback(compose::host(files.clone(), self.devices.on_processor()))
            }
            _ => host,
        }
    }
}

/// Opens a card, and has it compute one layer of each kind.
#[cfg(feature = "cuda")]
fn card(ordinal: u16, mode: Mode) -> Result<Compute, String> {
    let card = darkroom_models::nn::Card::cuda(usize::from(ordinal), mode).map_err(|error| error.to_string())?;
    card.probe(mode).map_err(|wrong| wrong.join("; "))?;
    Ok(Compute::card(card, mode))
}

#[cfg(not(feature = "cuda"))]
fn card(_: u16, _: Mode) -> Result<Compute, String> {
    Err("this program was built without code for cards".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(device: Device, otherwise: Otherwise) -> Choice {
        Choice { device, card: None, otherwise, why: "it is asked for".to_owned() }
    }

    const CARD: Device = Device::Cuda(1);

    #[test]
    fn a_card_that_computes_is_used() {
        let open = |ordinal, mode| (ordinal == 1).then(|| Compute::composed().in_mode(mode)).ok_or(String::new());
        let (means, told) = Means::open_with(choice(CARD, Otherwise::Cpu), Mode::Exact, open).expect("it opens");
        assert_eq!((means.devices.usual().numerics().as_str(), told), ("candle f32", None));
        assert_eq!(means.choice.device, CARD);
    }

    #[test]
    fn row_48_a_card_that_computes_wrongly_is_not_used() {
        let open = |_, _| Err("matrices are 1.0e0 off".to_owned());
        let (means, told) = Means::open_with(choice(CARD, Otherwise::Cpu), Mode::Exact, open).expect("it goes on");
        let why = "cuda:1 does not compute as it should: matrices are 1.0e0 off";
        assert_eq!(told, Some(format!("the processor computes: {why}")));
        assert_eq!((means.choice.device, means.choice.why.as_str()), (Device::Cpu, why));
        assert!(means.devices.usual().numerics().starts_with("cpu exact"));
        let fault =
            Means::open_with(choice(CARD, Otherwise::Refuse), Mode::Exact, open).expect_err("nothing else will do");
        assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Device, why));
    }

    #[test]
    fn the_processor_opens_no_card() {
        let open = |_, _| panic!("nobody asked for it");
        let (means, told) =
            Means::open_with(choice(Device::Cpu, Otherwise::Cpu), Mode::Fast, open).expect("it is there");
        assert_eq!((means.devices.usual().mode(), told), (Mode::Fast, None));
    }
}

//! Cards, and why they are used or not.

use darkroom_core::fault::Fault;
use darkroom_core::residency::{Device, gibibytes};
use serde_json::{Value, json};

use super::{Finding, Section};
use crate::device::{Asked, Built, Choice, Facts, choose};
use crate::machine::graphics::{Card, Graphics};

/// Why no card computes: this program is built for processors alone.
const ON_CPU: &str = "this build computes on the processor: it has no code for cards";

/// Says what there is, and what is used of it: what was asked for, and what came of it.
pub fn section(graphics: &Graphics, asked: Result<Asked, Fault>, built: Option<Built>) -> Section {
    let mut findings = Vec::new();
    match graphics {
        Graphics::None => findings.push(Finding::fine("no driver of NVIDIA is here")),
        Graphics::Found { cards, driver, cuda } => {
            findings.extend(cards.iter().map(|card| Finding::fine(said(card))));
            let cuda = cuda.as_ref().map(|cuda| format!(", runs CUDA up to {cuda}")).unwrap_or_default();
            findings.push(Finding::fine(format!("driver {driver}{cuda}")));
        }
        Graphics::Unclear { why, module } => {
            let module = module.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
            let says = format!("there is a driver{module} of NVIDIA, and it tells of no card: {why}");
            findings.push(Finding::note(says).way_out("install the driver anew, or start the machine anew"));
        }
    }
    let choice = asked.and_then(|asked| choose(asked, &Facts { graphics: graphics.clone(), built }));
    let device = choice.as_ref().map_or(Device::Cpu, |choice| choice.device);
    findings.push(match (choice, graphics) {
        (Err(fault), _) => fault.into(),
        (Ok(_), Graphics::Found { .. }) if built.is_none() => Finding::note(ON_CPU),
        (Ok(_), _) if built.is_none() => Finding::fine(ON_CPU),
        (Ok(Choice { device: Device::Cpu, why, .. }), _) => Finding::note(format!("networks compute on cpu: {why}")),
        (Ok(Choice { device, why, .. }), _) => Finding::fine(format!("networks compute on {device}: {why}")),
    });
    Section::new("graphics", facts(graphics, device), findings)
}

fn said(card: &Card) -> String {
    let capability = card.capability.as_ref().map(|version| format!(", compute capability {version}"));
    let memory = match (card.total, card.free) {
        (Some(total), Some(free)) => format!(", {} of {} free", gibibytes(free), gibibytes(total)),
        (Some(total), None) => format!(", {}", gibibytes(total)),
        (None, _) => String::new(),
    };
    format!("{}: {}{}{memory}", card.index, card.name, capability.unwrap_or_default())
}

fn facts(graphics: &Graphics, device: Device) -> Value {
    let (cards, driver, cuda) = match graphics {
        Graphics::None => (&[][..], None, None),
        Graphics::Found { cards, driver, cuda } => (&cards[..], Some(driver), cuda.as_ref()),
        Graphics::Unclear { module, .. } => (&[][..], module.as_ref(), None),
    };
    let card = |card: &Card| {
        let Card { index, name, capability, total, free } = card;
        json!({"index": index, "name": name, "capability": capability, "total": total, "free": free})
    };
    json!({
        "computes_on": device.to_string(),
        "driver": driver,
        "cuda": cuda,
        "cards": cards.iter().map(card).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_core::fault::FaultKind;

    use crate::checks::Verdict;
    use crate::device::Otherwise;

    fn said(graphics: &Graphics) -> Vec<(String, Verdict)> {
        section(graphics, Ok(Asked::Auto), None)
            .findings
            .into_iter()
            .map(|finding| (finding.says, finding.verdict))
            .collect()
    }

    #[test]
    fn a_card_is_told_with_all_that_is_known_of_it() {
        let card = Card {
            index: 0,
            name: "NVIDIA GeForce RTX 4060".to_owned(),
            capability: Some("8.9".to_owned()),
            total: Some(8 << 30),
            free: Some(7 << 30),
        };
        let bare = Card { index: 1, capability: None, total: None, free: None, ..card.clone() };
        let found =
            Graphics::Found { cards: vec![card, bare], driver: "550.54.15".to_owned(), cuda: Some("12.4".to_owned()) };
        let said = said(&found);
        assert_eq!(said[0].0, "0: NVIDIA GeForce RTX 4060, compute capability 8.9, 7.0 GiB of 8.0 GiB free");
        assert_eq!(said[1].0, "1: NVIDIA GeForce RTX 4060");
        assert_eq!(said[2].0, "driver 550.54.15, runs CUDA up to 12.4");
        assert_eq!(said[3], (ON_CPU.to_owned(), Verdict::Note), "a card that is not used is worth knowing");
        assert_eq!(section(&found, Ok(Asked::Auto), None).facts["cards"][0]["capability"], "8.9");
    }

    #[test]
    fn row_48_a_card_that_is_asked_for_and_cannot_be_used_is_trouble() {
        let built = Built { cuda: "13.0", driver: 580, capability: (7, 5) };
        let last = |asked: Asked, built| {
            let finding = section(&Graphics::None, Ok(asked), built).findings.pop().expect("one at least");
            (finding.verdict, finding.says)
        };
        let cuda = Asked::Cuda(None, Otherwise::Refuse);
        assert_eq!(last(cuda, None).0, Verdict::Trouble(FaultKind::Device));
        assert_eq!(last(cuda, Some(built)).0, Verdict::Trouble(FaultKind::Device));
        let (verdict, says) = last(Asked::Auto, Some(built));
        assert_eq!(verdict, Verdict::Note);
        assert!(says.starts_with("networks compute on cpu: ") && says.ends_with("and none is here"), "{says}");
    }

    #[test]
    fn without_a_card_the_processor_is_all_there_is() {
        assert!(said(&Graphics::None).iter().all(|(_, verdict)| *verdict == Verdict::Fine));
    }

    #[test]
    fn row_48_a_driver_that_does_not_answer_is_no_trouble_for_the_processor() {
        let unclear =
            Graphics::Unclear { why: "`nvidia-smi` says: no".to_owned(), module: Some("550.54.15".to_owned()) };
        let said = said(&unclear);
        assert_eq!(said[0].0, "there is a driver 550.54.15 of NVIDIA, and it tells of no card: `nvidia-smi` says: no");
        assert_eq!((said[0].1, said[1].1), (Verdict::Note, Verdict::Fine));
    }
}

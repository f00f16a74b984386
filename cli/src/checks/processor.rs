//! The processor: which of its instructions are used, and what the qualities mean on them.

use darkroom_core::fault::Fault;
use darkroom_kernels::Tier;
use darkroom_models::nn::Mode;
use serde_json::json;

use super::{Finding, Section};
use crate::chosen::Chosen;
use crate::machine::processor::Processor;
use crate::quality::meaning_on;

/// Says what there is, and what is used of it.
pub fn section(processor: &Processor, tier: Result<Tier, Fault>, quality: Result<Chosen<Mode>, Fault>) -> Section {
    let known = tier.clone().unwrap_or(processor.best);
    let mut findings = vec![cores(processor), tier.map_or_else(Finding::from, |tier| instructions(processor, tier))];
    let facts = json!({
        "name": processor.name,
        "cores": processor.cores,
        "usable_cores": processor.usable,
        "instructions": known.name(),
        "best_instructions": processor.best.name(),
        "quality": quality.as_ref().ok().map(|chosen| chosen.value.name()),
        "quality_from": quality.as_ref().ok().map(|chosen| chosen.origin.to_string()),
    });
    match quality {
        Ok(chosen) => {
            let (mode, from) = (chosen.value, chosen.origin);
            findings.push(Finding::fine(format!("quality `{mode}` ({from}): {}", meaning_on(mode, known))));
            for other in Mode::ALL.into_iter().filter(|other| *other != mode) {
                findings.push(Finding::fine(format!("with --quality {other}: {}", meaning_on(other, known))));
            }
        }
        Err(fault) => findings.push(fault.into()),
    }
    Section::new("processor", facts, findings)
}

fn cores(processor: &Processor) -> Finding {
    let name = processor.name.as_deref().unwrap_or("a processor without a name");
    match processor.cores {
        Some(cores) if cores > processor.usable => {
            Finding::note(format!("{name}, {} of {cores} cores may be used", processor.usable))
                .way_out("allow this program, or its container, more of them")
        }
        _ => Finding::fine(format!("{name}, {} cores", processor.usable)),
    }
}

fn instructions(processor: &Processor, tier: Tier) -> Finding {
    if tier < processor.best {
        return Finding::note(format!("instructions `{tier}`: DARKROOM_CPU hides `{}`", processor.best))
            .way_out("unset DARKROOM_CPU");
    }
    match tier {
        Tier::Portable { .. } => {
            Finding::note("instructions `portable`: what the compiler makes of plain loops, for want of AVX2")
        }
        _ => Finding::fine(format!("instructions `{tier}`: the best of this processor that there are kernels for")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Verdict;
    use crate::chosen::Origin;

    fn processor(cores: usize, usable: usize) -> Processor {
        Processor { name: Some("AMD EPYC".to_owned()), cores: Some(cores), usable, best: Tier::best() }
    }

    #[test]
    fn what_may_not_be_used_is_told() {
        let section = section(&processor(64, 2), Ok(Tier::best()), Ok(Chosen::usual(Mode::Exact)));
        assert_eq!(section.findings[0].says, "AMD EPYC, 2 of 64 cores may be used");
        assert_eq!(section.findings[0].verdict, Verdict::Note);
        assert_eq!(cores(&processor(2, 2)), Finding::fine("AMD EPYC, 2 cores"));
    }

    #[test]
    fn all_qualities_are_told_the_chosen_one_first_and_by_whom() {
        let chosen = Chosen { value: Mode::Int8, origin: Origin::Variable("DARKROOM_QUALITY") };
        let section = section(&processor(2, 2), Ok(Tier::best()), Ok(chosen));
        let said: Vec<_> = section.findings[2..].iter().map(|finding| finding.says.split(':').next()).collect();
        let expected = ["quality `int8` (DARKROOM_QUALITY)", "with --quality exact", "with --quality fast"];
        assert_eq!(said, expected.map(Some));
        assert_eq!(section.facts["quality_from"], "DARKROOM_QUALITY");
    }

    #[test]
    fn instructions_that_are_hidden_are_told() {
        let plainest = Tier::available().next().expect("there is one");
        let finding = instructions(&processor(2, 2), plainest);
        assert_eq!(finding.verdict, Verdict::Note);
        assert_eq!(finding.way_out.is_some(), plainest < Tier::best());
    }

    #[test]
    fn names_that_nobody_knows_are_trouble() {
        let section = section(&processor(2, 2), Err(Fault::graph("no")), Err(Fault::graph("neither")));
        assert_eq!(section.findings.iter().filter(|finding| finding.verdict.trouble().is_some()).count(), 2);
    }
}

//! The memory: how much there is, how much is taken of it, and whether a plan keeps within what the container allows.

use darkroom_core::fault::Fault;
use darkroom_core::residency::gibibytes;
use serde_json::json;

use super::{Finding, Section};
use crate::allowance::Allowance;
use crate::chosen::Origin;
use crate::machine::memory::Memory;

/// Says what there is, and what is taken of it; results take `results` bytes besides.
pub fn section(memory: &Memory, allowance: Result<Allowance, Fault>, results: u64) -> Section {
    let mut findings = vec![machine(memory), container(memory)];
    let known = allowance.as_ref().ok();
    let facts = json!({
        "total": memory.total,
        "available": memory.available,
        "limit": memory.limit.as_ref().map(|limit| limit.bytes),
        "limit_used": memory.limit.as_ref().and_then(|limit| limit.used),
        "limit_from": memory.limit.as_ref().map(|limit| limit.file.display().to_string()),
        "budget": known.map(|allowance| allowance.bytes),
        "ram": known.map(|allowance| allowance.ram.value.to_string()),
        "ram_from": known.map(|allowance| allowance.ram.origin.to_string()),
        "reserve": known.and_then(|allowance| Some(allowance.reserve.as_ref()?.value.to_string())),
        "reserve_from": known.and_then(|allowance| Some(allowance.reserve.as_ref()?.origin.to_string())),
        "results": results,
    });
    match allowance {
        Ok(allowance) => {
            findings.push(budget(&allowance));
            findings.push(Finding::fine(format!("results take up to {} more (--cache-memory)", gibibytes(results))));
            findings.extend(short(&allowance, memory));
        }
        Err(fault) => findings.push(fault.into()),
    }
    Section::new("memory", facts, findings)
}

fn machine(memory: &Memory) -> Finding {
    match (memory.total, memory.available) {
        (Some(total), Some(free)) => {
            Finding::fine(format!("the machine has {}, {} of it available", gibibytes(total), gibibytes(free)))
        }
        (Some(total), None) => Finding::fine(format!("the machine has {}", gibibytes(total))),
        (None, _) => Finding::note("the system does not tell how much there is").way_out("give a budget with --ram"),
    }
}

fn container(memory: &Memory) -> Finding {
    let Some(limit) = &memory.limit else { return Finding::fine("no container allows less") };
    let used = limit.used.map(|used| format!(", {} of it taken", gibibytes(used))).unwrap_or_default();
    Finding::fine(format!("the container allows {}{used} ({})", gibibytes(limit.bytes), limit.file.display()))
}

fn budget(allowance: &Allowance) -> Finding {
    let (bytes, ram) = (gibibytes(allowance.bytes), &allowance.ram);
    let from = match ram.origin {
        Origin::Usual => format!("{} of all, by default", ram.value),
        _ => format!("{}: {}", ram.origin, ram.value),
    };
    let reserve = allowance.reserve.as_ref();
    let reserve = reserve.map(|reserve| format!("; {} are left to others ({})", reserve.value, reserve.origin));
    let says = format!("weights and scratch take up to {bytes} ({from}){}", reserve.unwrap_or_default());
    if allowance.bytes > allowance.all {
        let all = gibibytes(allowance.all);
        return Finding::note(format!("{says}, which is more than the {all} there are"))
            .way_out("ask for less, or the system may end the program");
    }
    Finding::fine(says)
}

/// Says that other programs hold a part of what may be taken.
fn short(allowance: &Allowance, memory: &Memory) -> Option<Finding> {
    let free = memory.free().filter(|free| *free < allowance.bytes)?;
    let (free, budget) = (gibibytes(free), gibibytes(allowance.bytes));
    Some(
        Finding::note(format!("only {free} are available now, less than the {budget} that may be taken"))
            .way_out("close other programs, or give a smaller budget with --ram"),
    )
}

/// Says that a plan needs more than the container allows, if it does.
pub fn peak(peak_bytes: u64, memory: &Memory) -> Option<Finding> {
    let limit = memory.limit.as_ref().filter(|limit| peak_bytes > limit.bytes)?;
    let (peak, allowed) = (gibibytes(peak_bytes), gibibytes(limit.bytes));
    Some(
        Finding::note(format!("this run would take {peak} at its peak, and the container allows {allowed}"))
            .way_out("give it a budget below that with --ram, or the system may end it"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Verdict;
    use crate::chosen::Chosen;
    use crate::machine::groups::Limit;
    use crate::size::Amount;

    const GIB: u64 = 1 << 30;

    fn memory(limit: Option<u64>) -> Memory {
        let limit = limit.map(|bytes| Limit { bytes, used: Some(GIB), file: "/sys/fs/cgroup/memory.max".into() });
        Memory { total: Some(16 * GIB), available: Some(10 * GIB), limit }
    }

    fn allowance(bytes: u64, all: u64) -> Allowance {
        let ram = Chosen { value: Amount::Bytes(bytes), origin: Origin::Flag("--ram") };
        Allowance { bytes, all, ram, reserve: None, vram: None }
    }

    fn said(memory: &Memory, allowance: Result<Allowance, Fault>) -> Vec<(String, Verdict)> {
        let section = section(memory, allowance, GIB);
        section.findings.into_iter().map(|finding| (finding.says, finding.verdict)).collect()
    }

    #[test]
    fn a_machine_with_room_is_fine() {
        let said = said(&memory(None), Ok(allowance(8 * GIB, 16 * GIB)));
        let expected = [
            "the machine has 16.0 GiB, 10.0 GiB of it available",
            "no container allows less",
            "weights and scratch take up to 8.0 GiB (--ram: 8.0 GiB)",
            "results take up to 1.0 GiB more (--cache-memory)",
        ];
        assert_eq!(said, expected.map(|says| (says.to_owned(), Verdict::Fine)));
    }

    #[test]
    fn what_others_hold_and_what_is_not_there_is_worth_knowing() {
        let said = said(&memory(Some(4 * GIB)), Ok(allowance(6 * GIB, 4 * GIB)));
        assert_eq!(said[1].0, "the container allows 4.0 GiB, 1.0 GiB of it taken (/sys/fs/cgroup/memory.max)");
        assert!(said[2].0.ends_with("which is more than the 4.0 GiB there are") && said[2].1 == Verdict::Note);
        assert_eq!(said[4].0, "only 3.0 GiB are available now, less than the 6.0 GiB that may be taken");
        assert_eq!(said[4].1, Verdict::Note);
    }

    #[test]
    fn what_is_reserved_is_told_with_who_says_so() {
        let reserve = Some(Chosen { value: Amount::Percent(10.0), origin: Origin::Variable("DARKROOM_RESERVE") });
        let usual = Allowance { ram: Chosen::usual(Amount::Percent(80.0)), reserve, ..allowance(8 * GIB, 16 * GIB) };
        let expected = "weights and scratch take up to 8.0 GiB (80 % of all, by default); 10 % are left to others (DARKROOM_RESERVE)";
        assert_eq!(budget(&usual).says, expected);
    }

    #[test]
    fn a_machine_that_tells_nothing_wants_a_budget() {
        let said = said(&Memory::default(), Err(Fault::graph("no")));
        assert_eq!(said[0].1, Verdict::Note);
        assert!(said.last().is_some_and(|(_, verdict)| verdict.trouble().is_some()));
    }

    #[test]
    fn row_46_a_plan_beyond_the_container_is_told() {
        assert_eq!(peak(5 * GIB, &memory(None)), None);
        assert_eq!(peak(4 * GIB, &memory(Some(4 * GIB))), None);
        let told = peak(5 * GIB, &memory(Some(4 * GIB))).expect("it does not fit");
        assert_eq!(told.says, "this run would take 5.0 GiB at its peak, and the container allows 4.0 GiB");
    }
}

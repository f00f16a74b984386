//! Exit codes: the one place where a kind of fault becomes a number.

use std::fmt::Write as _;

use darkroom_core::fault::FaultKind;

/// Each kind of fault, its code, and what the help says about it.
const CODES: [(FaultKind, u8, &str); 7] = [
    (FaultKind::Bug, 1, "darkroom itself is wrong; please report it"),
    (FaultKind::Graph, 2, "the workflow, or the command line, asks for something impossible"),
    (FaultKind::File, 3, "a file is missing, malformed, or may not be touched"),
    (FaultKind::Memory, 4, "memory or disk is not enough"),
    (FaultKind::Numbers, 5, "numbers left the finite range"),
    (FaultKind::Device, 6, "a device is gone, or cannot be used"),
    (FaultKind::Cancelled, 130, "stopped on request (Ctrl-C)"),
];

/// The code of a run that was stopped, also of one that was stopped the hard way.
pub const CANCELLED: u8 = 130;

/// Returns the code of a kind of fault.
pub fn code(kind: FaultKind) -> u8 {
    let found = CODES.iter().find(|(listed, _, _)| *listed == kind);
    found.map_or(1, |(_, code, _)| *code)
}

/// Writes the codes down for the help.
pub fn help() -> String {
    let mut text = String::from("Exit codes:\n    0  all is well\n");
    for (_, code, meaning) in CODES {
        writeln!(text, "  {code:>3}  {meaning}").expect("a text takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_help_once() {
        let mut codes: Vec<_> = CODES.iter().map(|(kind, code, _)| (code, *code == super::code(*kind))).collect();
        codes.sort();
        codes.dedup_by_key(|(code, _)| *code);
        assert_eq!(codes.len(), CODES.len());
        assert!(codes.iter().all(|(_, found)| *found));
        assert_eq!(code(FaultKind::Cancelled), CANCELLED);
    }
}

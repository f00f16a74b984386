//! What the facts of the machine mean: each check says one fact, whether it is fine, and the way out where it is not.
//! `darkroom doctor` says all of them; a run passes those that bear on it before it loads a model.

pub mod folders;
pub mod graphics;
pub mod hub;
pub mod memory;
pub mod models;
pub mod processor;

use darkroom_core::fault::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::desk::Desk;

/// How good something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// Worth knowing: something is slower, or cannot be had, and runs go on all the same.
    Note,
    /// Runs fail of it.
    Trouble(FaultKind),
}

/// A fact, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The fact, in one sentence.
    pub says: String,
    /// What it means.
    pub verdict: Verdict,
    /// What to do about it.
    pub way_out: Option<String>,
}

/// Facts that go together.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// What they are about.
    pub name: &'static str,
    /// The facts for programs.
    pub facts: Value,
    /// The facts for people.
    pub findings: Vec<Finding>,
}

impl Finding {
    /// Says what is fine.
    pub fn fine(says: impl Into<String>) -> Self {
        Self { says: says.into(), verdict: Verdict::Fine, way_out: None }
    }

    /// Says what is worth knowing.
    pub fn note(says: impl Into<String>) -> Self {
        Self { verdict: Verdict::Note, ..Self::fine(says) }
    }

    /// Adds the way out.
    #[must_use]
    pub fn way_out(mut self, way_out: impl Into<String>) -> Self {
        self.way_out = Some(way_out.into());
        self
    }

    /// Stops with a fault where there is trouble, and warns of what is worth knowing.
    ///
    /// # Errors
    /// The trouble.
    pub fn pass(self, desk: &Desk) -> Result<(), Fault> {
        match self.verdict {
            Verdict::Fine => {}
            Verdict::Note => desk.warn(&self.sentence()),
            Verdict::Trouble(kind) => return Err(Fault { hint: self.way_out, ..Fault::new(kind, self.says) }),
        }
        Ok(())
    }

    /// Says it with the way out, on one line.
    pub fn sentence(&self) -> String {
        let Self { says, way_out, .. } = self;
        way_out.as_ref().map_or_else(|| says.clone(), |way_out| format!("{says}; {way_out}"))
    }

    fn json(&self) -> Value {
        json!({"verdict": self.verdict.word(), "says": self.says, "way_out": self.way_out})
    }
}

/// Makes trouble of a fault.
impl From<Fault> for Finding {
    fn from(fault: Fault) -> Self {
        Self { says: fault.message, verdict: Verdict::Trouble(fault.kind), way_out: fault.hint }
    }
}

impl Verdict {
    /// Tells what kind of trouble it is, if it is any.
    pub fn trouble(self) -> Option<FaultKind> {
        match self {
            Verdict::Trouble(kind) => Some(kind),
            Verdict::Fine | Verdict::Note => None,
        }
    }

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Fine => "ok",
            Verdict::Note => "note",
            Verdict::Trouble(_) => "trouble",
        }
    }
}

impl Section {
    /// Makes a section.
    pub fn new(name: &'static str, facts: Value, findings: Vec<Finding>) -> Self {
        Self { name, facts, findings }
    }

    /// Writes it for a program.
    pub fn json(&self) -> Value {
        let findings: Vec<_> = self.findings.iter().map(Finding::json).collect();
        json!({"name": self.name, "facts": self.facts, "findings": findings})
    }

    /// Writes it for a person: a line for each fact, and one below it for the way out.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.name);
        for Finding { says, verdict, way_out } in &self.findings {
            text.push_str(&format!("  {:<7}  {says}\n", verdict.word()));
            if let Some(way_out) = way_out {
                text.push_str(&format!("  {:<7}  way out: {way_out}\n", ""));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_a_line_for_each_fact_and_one_for_each_way_out() {
        let findings = vec![
            Finding::fine("two cores"),
            Finding::note("it is slow").way_out("buy a new one"),
            Fault::file("it is broken").hint("mend it").into(),
        ];
        let section = Section::new("processor", json!({"cores": 2}), findings);
        let text = "\
processor
  ok       two cores
  note     it is slow
           way out: buy a new one
  trouble  it is broken
           way out: mend it
";
        assert_eq!(section.text(), text);
        let json = section.json();
        assert_eq!((&json["facts"]["cores"], &json["findings"][2]["verdict"]), (&json!(2), &json!("trouble")));
        assert_eq!(json["findings"][0]["way_out"], Value::Null);
    }

    #[test]
    fn only_trouble_stops() {
        let desk = Desk::new();
        assert_eq!(Finding::fine("well").pass(&desk), Ok(()));
        assert_eq!(Finding::note("so so").pass(&desk), Ok(()));
        let fault = Fault::new(FaultKind::Memory, "too little").hint("more");
        assert_eq!(Finding::from(fault.clone()).pass(&desk), Err(fault));
    }
}

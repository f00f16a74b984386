//! Steps that are made of the same: one of them runs, the others share its result.

use std::collections::HashMap;

use super::{Action, Step, StepInput};

/// Finds for each step the first that is made of the same, where there is one before it.
pub fn find(steps: &[Step]) -> Vec<Option<usize>> {
    let mut first = HashMap::new();
    let mut twin = |index: usize, step: &Step| {
        let first = *first.entry(step.recipe).or_insert(index);
        (first < index).then_some(first)
    };
    steps.iter().enumerate().map(|(index, step)| twin(index, step)).collect()
}

/// Lets the readers of a step that shares another's result read that other.
pub fn join(steps: &mut [Step]) {
    let origins: Vec<_> = (0..steps.len()).map(|index| origin(steps, index)).collect();
    for input in steps.iter_mut().flat_map(|step| &mut step.inputs) {
        if let StepInput::Step { step, .. } = input {
            *step = origins[*step];
        }
    }
}

/// Returns the step that makes a step's result: itself, but where it shares another's.
pub fn origin(steps: &[Step], index: usize) -> usize {
    match steps[index].action {
        Action::Share(twin) => twin,
        _ => index,
    }
}

//! From a fault of the models to a fault of the graph, once.

use darkroom_core::fault::{Fault, FaultKind};
use darkroom_models::Error;

/// Says an error of the models as a fault.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands errors over by value")]
pub fn fault(error: Error) -> Fault {
    let kind = match &error {
        Error::Io { .. }
        | Error::Format { .. }
        | Error::Weights(_)
        | Error::Config { .. }
        | Error::Reading { .. }
        | Error::Tokenizer { .. } => FaultKind::File,
        Error::Shape(_) => FaultKind::Graph,
        Error::NonFinite { .. } => FaultKind::Numbers,
        Error::Stopped => return Fault::cancelled(),
        Error::CardFull => return Fault::memory(error.to_string()),
        Error::CardLost { .. } => return Fault::device_lost(error.to_string()),
        _ => FaultKind::Bug,
    };
    let fault = Fault::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

/// Says an error of a tensor operation as a fault.
pub fn tensor_fault(error: darkroom_models::TensorError) -> Fault {
    fault(Error::from(error))
}

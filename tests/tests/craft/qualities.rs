//! One drawing in several modes: each is a result of its own.

use darkroom_core::observe::How;
use darkroom_models::nn::Mode;
use darkroom_tests::studio::{Studio, landscape};

#[test]
fn a_result_of_one_mode_is_never_taken_for_that_of_another() {
    let home = tempfile::tempdir().unwrap();
    let workflow = landscape(64, "steps: 1", "name: \"lake\"");
    let how = |mode: Mode, node: &str| {
        let report = Studio::at(home.path()).with_mode(mode).run(&workflow).unwrap();
        report.nodes.iter().find(|told| told.id == node).unwrap().how
    };
    for mode in Mode::ALL {
        assert_eq!(how(mode, "denoise"), Some(How::Ran), "{mode}");
    }
    for mode in Mode::ALL {
        assert_ne!(how(mode, "denoise"), Some(How::Ran), "{mode}");
    }
}

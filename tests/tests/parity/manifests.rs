//! Every tensor of the real models is asked for once, with its shape, and nothing is allocated.

use darkroom_tests::archive;

#[test]
fn manifests_open_as_weights_without_memory() {
    // Parameter totals as published.
    let totals = [
        ("sdxl-base-unet", 2_567_463_684),
        ("sdxl-inpaint-unet", 2_567_478_084),
        ("sdxl-refiner-unet", 2_259_526_660),
        ("sdxl-text-encoder-clip-l", 123_060_480),
        ("sdxl-text-encoder-2-openclip-bigg", 694_659_840),
        ("sdxl-vae", 83_653_863),
        ("sd15-unet", 859_520_964),
        ("sd15-vae", 83_653_863),
        ("sd15-text-encoder-clip-l", 123_060_480),
    ];
    for (name, parameters) in totals {
        let weights = archive::dry(name);
        assert_eq!(weights.bytes() / 4, parameters, "{name}");
        for (tensor, shape) in archive::manifest(name) {
            let found = weights.get(&tensor, shape.clone()).unwrap();
            assert_eq!(found.dims(), shape);
        }
        let report = weights.finish().unwrap();
        assert!(report.unexpected.is_empty() && report.consumed.values().all(|n| *n == 1), "{name}");
    }
}

//! Edges, pixel by pixel: OpenCV's Canny and the scribbles of `controlnet_aux`.

use candle_core::Tensor;
use darkroom_core::image::Picture;
use darkroom_nodes::pictures::edges::{Thresholds, canny, scribble};
use darkroom_nodes::pictures::mask::Mask;
use darkroom_tests::reference::{self, values};

/// Every picture of the set with what was found in it: the two numbers it was found with, and the answer.
fn cases(kind: &str) -> Vec<(Picture, [f64; 2], Tensor)> {
    let tensors = reference::tensors_at(&reference::own().join("edges/expected.safetensors"));
    let answers = tensors.names().filter_map(|name| {
        let words: Vec<&str> = name.split(' ').collect();
        let [scene, found, one, other] = words[..] else { return None };
        let numbers = [one, other].map(|number| number.parse().unwrap());
        (found == kind).then(|| (picture(tensors.get(scene)), numbers, tensors.get(name).clone()))
    });
    answers.collect()
}

fn picture(bytes: &Tensor) -> Picture {
    let (height, width, channels) = bytes.dims3().unwrap();
    let bytes = bytes.flatten_all().unwrap().to_vec1::<u8>().unwrap();
    Picture::from_bytes(width as u32, height as u32, channels as u32, &bytes).unwrap()
}

/// How many pixels of a drawing are not as recorded.
fn astray(found: &Mask, wanted: &Tensor) -> usize {
    assert_eq!([found.height, found.width], wanted.dims());
    let wanted = values(wanted);
    found.values.iter().zip(wanted).filter(|(found, wanted)| f64::from(**found) * 255.0 != *wanted).count()
}

#[test]
fn edges_are_opencvs_to_the_pixel() {
    let cases = cases("canny");
    assert!(cases.len() > 1);
    for (picture, [low, high], wanted) in cases {
        let found = canny(&picture, Thresholds { low: low as u32, high: high as u32 });
        assert_eq!(astray(&found, &wanted), 0, "{low} and {high}");
    }
}

#[test]
fn scribbles_are_those_of_controlnet_aux() {
    let cases = cases("scribble");
    assert!(cases.len() > 1);
    for (picture, [levels, width], wanted) in cases {
        let found = scribble(&picture, levels as f32, width);
        // Sums are taken in another order, so a pixel within a rounding of the threshold may fall on the other side.
        assert!(astray(&found, &wanted) <= 1, "{levels} levels, {width} px: {} pixels", astray(&found, &wanted));
    }
}

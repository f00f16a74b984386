//! `control`: a picture that steers a walk.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::Pictures;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Kind, Type};

use crate::models::controls::ControlNetHandle;
use crate::wires::control::{self, Control, Steer};

/// Lets a picture steer what a `denoise` or `refine` draws: its lines, its depth, whatever the ControlNet was trained to
/// follow.
///
/// Several are connected one behind another, by `before`; what they say is added up. The picture is brought to the size of
/// what is drawn; one counts for every picture of a batch, or there is one for each.
#[derive(Node)]
#[node(id = "control", version = 1, category = "Latent", lane = "light")]
pub struct ControlBy {
    /// The network that reads the picture.
    #[input]
    controlnet: ControlNetHandle,
    /// The picture, prepared as the network wants it: edges for one of edges.
    #[input]
    image: Pictures,
    /// Further controls that count too.
    #[input]
    before: Option<Control>,
    /// How strongly the picture steers; 0 not at all.
    #[param(default = 1.0, range = 0.0..=10.0)]
    strength: f64,
    /// From where on it steers, as a share of the way that is walked.
    #[param(default = 0.0, range = 0.0..=1.0, advanced)]
    start: f64,
    /// Up to where it steers.
    #[param(default = 1.0, range = 0.0..=1.0, advanced)]
    end: f64,
}

impl Node for ControlBy {
    type Output = Control;

    fn run(self, _: &mut Context<'_>) -> Result<Control, Fault> {
        check(self.start, self.end)?;
        let Self { controlnet, image, before, strength, start, end } = self;
        Ok(Control::with(before.as_ref(), Steer { net: controlnet, pictures: image, strength, start, end }))
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        known.same_family("before", "controlnet")?;
        if let (Some(start), Some(end)) = (known.param("start")?, known.param("end")?) {
            check(start, end)?;
        }
        let none = Type::of(Kind("control"));
        let before = known.wire("before").unwrap_or(&none);
        let pictures = known.wire_or_unknown("image").count;
        let net = known.wire_or_unknown("controlnet");
        // One without strength is not loaded.
        let is_off = known.param::<f64>("strength")?.is_some_and(|strength| strength <= 0.0);
        let net = if is_off { Type { weights: None, least_weights: None, at_work: None, ..net } } else { net };
        Ok(vec![control::beside(before, &net, pictures)])
    }
}

fn check(start: f64, end: f64) -> Result<(), Fault> {
    match start < end {
        true => Ok(()),
        false => Err(Fault::graph(format!("the control starts at {start} and ends at {end}, so it never steers"))
            .hint("set `start` below `end`, or `strength: 0` to switch it off")),
    }
}

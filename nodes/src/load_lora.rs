//! `load_lora`: lays a LoRA over a model.

use std::str::FromStr;
use std::sync::Arc;

use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{Known, Node};
use darkroom_core::param::Param;
use darkroom_core::residency::Handle;
use darkroom_core::spec::FileSort;
use darkroom_core::types::{Kind, Type};
use darkroom_core::{Node, Outputs};
use darkroom_models::folder::Component;
use darkroom_models::lora::{BlockStrengths, Fit, Lora, Names};

use crate::fault::fault;
use crate::models::Part;
use crate::models::adapters::{Adapter, LoraFile};
use crate::models::input_file::InputFile;
use crate::wires::{DenoiserHandle, EncoderHandle};

/// How many tensors without a place are named.
const NAMED: usize = 20;

/// Lays a LoRA over a model: also LoCon, LoHa, LoKr and DoRA, as kohya, peft, diffusers, LyCORIS and OneTrainer write
/// them. The model itself stays as it is, and another strength loads nothing anew. For several LoRAs, connect one of
/// these behind another.
#[derive(Node)]
#[node(id = "load_lora", version = 1, category = "Model", lane = "open")]
pub struct LoadLora {
    /// The denoiser to change.
    #[input]
    denoiser: DenoiserHandle,
    /// The text encoders to change; those of the denoiser's model if nothing is connected.
    #[input]
    encoder: Option<EncoderHandle>,
    /// The `.safetensors` file.
    #[param(file = FileSort::Lora)]
    file: InputFile,
    /// How strongly the denoiser is changed: 0 not at all, 1 as the LoRA was trained, below 0 the other way.
    #[param(default = 1.0, range = -100.0..=100.0)]
    strength: f64,
    /// How strongly the text encoders are changed; as the denoiser if left out.
    #[param(range = Some(-100.0)..=Some(100.0), advanced)]
    strength_text: Option<f64>,
    /// Factors of the strength for blocks of the denoiser, as `in=0.5, in.4=1, mid=0, out.1=0.8`; blocks are counted as
    /// by the LoRA Block Weight extension (`IN04`, `M00`, `OUT01`, `BASE`), and those left out keep 1.
    #[param(default = "", advanced)]
    blocks: String,
}

/// A model with a LoRA.
#[derive(Outputs)]
pub struct Changed {
    /// The denoiser, changed.
    pub denoiser: DenoiserHandle,
    /// The text encoders, changed.
    pub encoder: EncoderHandle,
}

impl Node for LoadLora {
    type Output = Changed;

    fn run(self, cx: &mut Context<'_>) -> Result<Changed, Fault> {
        let blocks = read_blocks(&self.blocks)?;
        let encoder = self.encoder.unwrap_or_else(|| self.denoiser.sibling());
        let mut names = Names::default();
        self.denoiser.model().spell(Part::Denoiser, &mut names).map_err(fault)?;
        encoder.model().spell(Part::Encoder, &mut names).map_err(fault)?;
        if let Some(place) = blocks.named().find(|place| !names.has(*place)) {
            return Err(Fault::graph(format!("`blocks`: this denoiser has no block `{place}`")));
        }
        let lora = Arc::new(Lora::open(&self.file.path).map_err(fault)?);
        let fit = Arc::new(lora.fit(&names).map_err(fault)?);
        warn_of_unmatched(&fit, cx);
        let digest = <InputFile as Param>::name(&self.file.literal(), cx.files())?;
        let file = Handle::new(LoraFile { lora, digest });
        let adapter = |strength, blocks| Adapter { file: file.clone(), fit: Arc::clone(&fit), strength, blocks };
        let denoiser = match fit.changes(Component::UNet) {
            true => self.denoiser.with(adapter(self.strength, Arc::new(blocks))),
            false => self.denoiser,
        };
        let encoder = match fit.changes(Component::TextEncoder) || fit.changes(Component::TextEncoder2) {
            true => encoder.with(adapter(self.strength_text.unwrap_or(self.strength), Arc::default())),
            false => encoder,
        };
        Ok(Changed { denoiser, encoder })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        known.same_family("denoiser", "encoder")?;
        if let Some(text) = known.param::<String>("blocks")? {
            read_blocks(&text)?;
        }
        let denoiser = Type { kind: Kind("denoiser"), ..known.wire_or_unknown("denoiser") };
        let encoder = match known.wire("encoder") {
            Some(encoder) => encoder.clone(),
            None => {
                Type { weights: None, least_weights: None, at_work: None, kind: Kind("encoder"), ..denoiser.clone() }
            }
        };
        let Some(file) = known.param::<InputFile>("file")? else { return Ok(vec![denoiser, encoder]) };
        let lora = Lora::open(&file.path).map_err(fault)?;
        if let (Some(made_for), Some(family)) = (lora.family(), &denoiser.family)
            && made_for != &**family
        {
            return Err(Fault::graph(format!("this LoRA was made for {made_for}, and the denoiser is {family}"))
                .hint(format!("take a LoRA for {family}, or the model that it was made for")));
        }
        let more = |bytes: Option<u64>| bytes.map(|bytes| bytes + lora.bytes());
        let heavier = |ty: Type| Type { weights: more(ty.weights), least_weights: more(ty.least_weights), ..ty };
        Ok(vec![heavier(denoiser), heavier(encoder)])
    }
}

fn read_blocks(text: &str) -> Result<BlockStrengths, Fault> {
    BlockStrengths::from_str(text).map_err(|what| {
        Fault::graph(format!("`blocks`: {what}")).hint("write it as `in=0.5, in.4=1, mid=0, out.1=0.8, base=1`")
    })
}

fn warn_of_unmatched(fit: &Fit, cx: &mut Context<'_>) {
    let count = fit.unmatched.len();
    if count == 0 {
        return;
    }
    let named: Vec<_> = fit.unmatched.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    let more = if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() };
    cx.warn(format!(
        "{count} tensors of the LoRA name no layer of this model and are left out: {}{more}",
        named.join(", ")
    ));
}

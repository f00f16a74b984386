//! From A1111's words to a workflow of ours. What cannot be carried over is told, one sentence each.

use darkroom_core::graph::{self, Field, Graph, Link, NodeEntry};
use darkroom_core::literal::Literal;
use darkroom_core::registry::Registry;

use super::{Parameters, names};

/// What is known of a picture's making, under way to a workflow.
struct Draft<'a> {
    from: &'a Parameters,
    registry: &'a Registry,
    warnings: Vec<String>,
}

/// Writes a workflow, and says what could not be carried over.
pub fn workflow(from: &Parameters, registry: &Registry) -> (String, Vec<String>) {
    let mut draft = Draft { from, registry, warnings: Vec::new() };
    let graph = draft.graph();
    draft.leftovers();
    (graph::write(&graph), draft.warnings)
}

/// Settings that are carried over, or have no part in the picture.
const KNOWN: [&str; 19] = [
    "Steps",
    "Sampler",
    "Schedule type",
    "CFG scale",
    "Seed",
    "Size",
    "Model",
    "Model hash",
    "Denoising strength",
    "Clip skip",
    "Emphasis",
    "RNG",
    "Version",
    "Batch size",
    "Batch pos",
    "Eta",
    "VAE",
    "VAE hash",
    "Lora hashes",
];

impl Draft<'_> {
    fn graph(&mut self) -> Graph {
        let model = vec![("source", Literal::from("mini"))];
        self.model();
        let mut graph = Graph::default();
        add(&mut graph, "model", "load_model", &[], model);
        let prompt = self.prompt();
        add(&mut graph, "prompt", "encode_prompt", &[("encoder", "model", Some("encoder"))], prompt);
        let (width, height) = self.size();
        let size = vec![("width", Literal::from(width)), ("height", Literal::from(height))];
        add(&mut graph, "blank", "empty_latent", &[], size);
        let wires = [("denoiser", "model", Some("denoiser")), ("positive", "prompt", None), ("latent", "blank", None)];
        let denoise = self.denoise();
        add(&mut graph, "denoise", "denoise", &wires, denoise);
        let wires = [("vae", "model", Some("vae")), ("latent", "denoise", None)];
        add(&mut graph, "decode", "vae_decode", &wires, Vec::new());
        add(&mut graph, "save", "save_image", &[("image", "decode", None)], vec![("name", Literal::from("again"))]);
        graph
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    fn model(&mut self) {
        let name = self.from.get("Model").or(self.from.get("Model hash")).unwrap_or("a model that is not named");
        if name != "mini" {
            self.warn(format!(
                "the picture was made with `{name}`: write the folder of that model at `model.source`, \
                 where the built-in one stands until then"
            ));
        }
    }

    fn prompt(&mut self) -> Vec<(&'static str, Literal)> {
        let positive = self.without_networks(&self.from.positive);
        let mut fields = vec![("text", Literal::from(positive))];
        if let Some(negative) = &self.from.negative {
            fields.push(("negative", Literal::from(self.without_networks(negative))));
        }
        let weighting = match self.from.get("Emphasis") {
            Some("No norm") => "a1111_no_norm",
            Some("None" | "Ignore") => "none",
            _ => "a1111",
        };
        fields.extend([("weighting", Literal::from(weighting)), ("long", Literal::from("chunks"))]);
        if let Some(skip) = self.from.get("Clip skip").filter(|skip| *skip != "1") {
            self.warn(format!(
                "`Clip skip: {skip}` is not carried over: for a model of SD 1.5 write one less at `prompt.clip_skip`, \
                 SDXL takes none"
            ));
        }
        fields
    }

    /// Takes `<lora:name:1>` and its kin out of a prompt.
    fn without_networks(&mut self, text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            plain.push_str(before);
            match after.split_once('>').filter(|(tag, _)| is_network(tag)) {
                Some((tag, behind)) => {
                    self.warn(format!("`<{tag}>` is not carried over, and taken out of the prompt"));
                    rest = behind;
                }
                None => {
                    plain.push('<');
                    rest = after;
                }
            }
        }
        plain + rest
    }

    /// The size, or SDXL's where there is none that could be drawn.
    fn size(&mut self) -> (u32, u32) {
        const EDGE: u32 = 1024;
        let Some(size) = self.from.get("Size") else {
            self.warn(format!("the picture does not tell its size: {EDGE} x {EDGE} is written"));
            return (EDGE, EDGE);
        };
        let edge = |text: &str| text.trim().parse().ok().filter(|edge| (8..=8192).contains(edge));
        let pair = size.split_once('x').and_then(|(width, height)| Some((edge(width)?, edge(height)?)));
        let Some((width, height)) = pair else {
            self.warn(format!("`Size: {size}` is none that can be drawn: {EDGE} x {EDGE} is written"));
            return (EDGE, EDGE);
        };
        let whole = (width / 8 * 8, height / 8 * 8);
        if whole != (width, height) {
            self.warn(format!("`Size: {size}` becomes {} x {}: edges are multiples of 8", whole.0, whole.1));
        }
        whole
    }

    fn denoise(&mut self) -> Vec<(&'static str, Literal)> {
        let mut fields = Vec::new();
        match self.number::<u64>("Seed") {
            Some(seed) => fields.push(("seed", Literal::from(seed))),
            None => fields.push(("seed", Literal::from("random"))),
        }
        let steps = self.number::<u32>("Steps").filter(|steps| (1..=1000).contains(steps));
        fields.push(("steps", Literal::from(steps.unwrap_or(20))));
        let guidance = self.number::<f64>("CFG scale").filter(|scale| (0.0..=100.0).contains(scale));
        fields.push(("guidance", Literal::from(guidance.unwrap_or(7.0))));
        self.walk(&mut fields);
        if self.from.get("Hires upscale").is_none()
            && let Some(strength) = self.number::<f64>("Denoising strength").filter(|x| (0.0..=1.0).contains(x))
        {
            fields.push(("strength", Literal::from(strength)));
            self.warn(
                "the picture was drawn on another one, which it does not carry: \
                 connect `load_image` and `vae_encode` to `denoise.latent` in place of `blank`",
            );
        }
        // A1111 draws each picture from its own seed, on the card unless it was told otherwise.
        fields.push(("noise", Literal::from("per_image")));
        fields.push(("generator", Literal::from(if self.from.get("RNG") == Some("CPU") { "cpu" } else { "philox" })));
        fields
    }

    /// The sampler and the schedule, as far as they are built.
    fn walk(&mut self, fields: &mut Vec<(&'static str, Literal)>) {
        let Some(sampler) = self.from.get("Sampler") else { return };
        let schedule = self.from.get("Schedule type");
        let (ours, steps) = names::our_walk(sampler, schedule);
        match ours.filter(|name| self.offers("sampler", name)).or_else(|| self.own("sampler", sampler)) {
            Some(name) => fields.push(("sampler", Literal::from(name))),
            None => self.warn(format!("the sampler `{sampler}` is not built: the default stands in its place")),
        }
        let own = schedule.and_then(|schedule| self.own("schedule", schedule));
        match own.or(steps.filter(|name| self.offers("schedule", name))) {
            Some(name) => fields.push(("schedule", Literal::from(name))),
            None => self.warn(format!(
                "the schedule `{}` is not built: the model's own stands in its place",
                schedule.unwrap_or(sampler)
            )),
        }
    }

    fn choices(&self, input: &str) -> impl Iterator<Item = &'static str> {
        let param = self.registry.get("denoise").and_then(|node| node.spec().input(input)?.1.param.as_ref());
        let names: Vec<_> =
            param.map(|param| param.choices.iter().map(|choice| choice.name).collect()).unwrap_or_default();
        names.into_iter()
    }

    fn offers(&self, input: &str, name: &str) -> bool {
        self.choices(input).any(|choice| choice == name)
    }

    /// A name that is ours already: darkroom writes such where A1111 has none.
    fn own(&self, input: &str, name: &str) -> Option<&'static str> {
        self.choices(input).find(|choice| *choice == name)
    }

    fn number<T: std::str::FromStr>(&mut self, name: &str) -> Option<T> {
        let text = self.from.get(name)?;
        let number = text.parse().ok();
        if number.is_none() {
            self.warn(format!("`{name}: {text}` is not carried over: it is no number that fits"));
        }
        number
    }

    fn leftovers(&mut self) {
        let left: Vec<_> = self.from.settings.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str())).collect();
        for (name, value) in left.into_iter().take(20) {
            let short: String = value.chars().take(60).collect();
            self.warn(format!("`{name}: {short}` is not carried over"));
        }
    }
}

fn is_network(tag: &str) -> bool {
    ["lora:", "lyco:", "hypernet:"].iter().any(|kind| tag.starts_with(kind))
}

/// Adds a node with its wires and literals.
fn add(graph: &mut Graph, id: &str, kind: &str, wires: &[(&str, &str, Option<&str>)], fields: Vec<(&str, Literal)>) {
    let wire = |(name, node, output): &(&str, &str, Option<&str>)| {
        let link = Link { node: (*node).to_owned(), output: output.map(str::to_owned) };
        ((*name).to_owned(), Field::Link(link))
    };
    let literals = fields.into_iter().map(|(name, literal)| (name.to_owned(), Field::Literal(literal)));
    let fields = wires.iter().map(wire).chain(literals).collect();
    graph.nodes.insert(id.to_owned(), NodeEntry { kind: kind.to_owned(), fields, ..NodeEntry::default() });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (String, Vec<String>) {
        let (text, warnings) = workflow(&Parameters::parse(text), &crate::registry());
        graph::read(&text).expect("what is written can be read");
        (text, warnings)
    }

    #[test]
    fn what_is_known_is_carried_over() {
        let (text, warnings) = of("a (cat:1.2)\nNegative prompt: snow\nSteps: 12, Sampler: Euler a, CFG scale: 6.5, \
            Seed: 9, Size: 512x768, Model: mini");
        for field in [
            "text: \"a (cat:1.2)\"",
            "negative: \"snow\"",
            "weighting: \"a1111\"",
            "long: \"chunks\"",
            "seed: 9",
            "steps: 12",
            "guidance: 6.5",
            "sampler: \"euler_ancestral\"",
            "schedule: \"normal\"",
            "width: 512",
            "height: 768",
            "generator: \"philox\"",
        ] {
            assert!(text.contains(field), "{field} is not in {text}");
        }
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn what_is_not_is_told() {
        let (text, warnings) = of("a <lora:x:0.8> cat <3\nSteps: many, Sampler: Restart, CFG scale: 1e9, Seed: -1, \
            Size: 515x99999, Denoising strength: 0.5, Clip skip: 2, Model: other, Hires steps: 3");
        assert!(text.contains("text: \"a  cat <3\"") && text.contains("seed: \"random\""), "{text}");
        for told in [
            "`other`",
            "<lora:x:0.8>",
            "`Steps: many`",
            "`Restart` is not built",
            "`Seed: -1`",
            "`Size: 515x99999`",
            "drawn on another one",
            "`Clip skip: 2`",
            "`Hires steps: 3`",
        ] {
            assert!(warnings.iter().any(|warning| warning.contains(told)), "{told} is not told: {warnings:#?}");
        }
    }
}

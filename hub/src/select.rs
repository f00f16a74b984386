//! Which files of a repository a model needs: for each component its settings and one set of weights, as safetensors, in half
//! precision where there is one. What other programs would read instead (.bin, .ckpt, onnx, flax) stays where it is.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fault::HubFault;
use crate::listing::{Listing, Remote};

/// The file that names the components of a pipeline.
pub(crate) const INDEX: &str = "model_index.json";

/// The variant of weights that is taken where there is one.
const HALF: &str = "fp16";

/// Returns the files that are needed. `components` are those that the index names, if it was read.
///
/// # Errors
/// A fault that names what the repository lacks.
pub(crate) fn select(repo: &str, listing: &Listing, components: Option<&[String]>) -> Result<Vec<Remote>, HubFault> {
    let lacks = |why: String| HubFault::NoModel { repo: repo.to_owned(), why };
    let folders = by_folder(listing);
    let mut needed = Vec::new();
    if let Some(index) = listing.find(INDEX) {
        needed.push(index.clone());
        for (name, files) in folders.iter().filter(|(name, _)| !name.is_empty()) {
            let is_meant = match components {
                Some(components) => components.iter().any(|component| component == name),
                None => files.iter().any(|file| is_config(name_of(file))),
            };
            if is_meant {
                needed.extend(component(files).map_err(|why| lacks(format!("has no weights for `{name}` {why}")))?);
            }
        }
        let absent = |name: &&String| !folders.contains_key(name.as_str());
        if let Some(name) = components.unwrap_or_default().iter().find(absent) {
            return Err(lacks(format!("names the component `{name}`, but has no such folder")));
        }
    } else {
        // One component on its own: a vae, a control network.
        let files = folders.get("").map(Vec::as_slice).unwrap_or_default();
        if !files.iter().any(|file| file.path == "config.json") {
            return Err(lacks("holds neither a model_index.json nor a config.json".to_owned()));
        }
        needed.extend(component(files).map_err(|why| lacks(format!("has no weights {why}")))?);
    }
    needed.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(needed)
}

/// Reads the names of the components out of an index. An entry without class is one that the model does without.
pub(crate) fn components(index: &[u8]) -> Option<Vec<String>> {
    let value: Value = serde_json::from_slice(index).ok()?;
    let is_component = |(name, entry): &(&String, &Value)| {
        let class = entry.as_array().is_some_and(|entry| entry.len() == 2 && entry.iter().all(Value::is_string));
        class && !name.starts_with('_')
    };
    Some(value.as_object()?.iter().filter(is_component).map(|(name, _)| name.clone()).collect())
}

/// Returns what a model lacks for certain, from the names of the files that are there: folders of components, weights, shards.
/// For a snapshot without listing, as the Python tools leave it, perhaps after they fetched a file or two.
pub(crate) fn absent(listing: &Listing, components: Option<&[String]>) -> Vec<String> {
    let folders = by_folder(listing);
    let mut absent: Vec<_> = listing.files.iter().flat_map(|file| other_shards(&file.path)).collect();
    absent.retain(|path| listing.find(path).is_none());
    for name in components.unwrap_or_default() {
        if !folders.contains_key(name.as_str()) {
            absent.push(format!("{name}/"));
        }
    }
    for (name, files) in &folders {
        let has = |end: &str| files.iter().any(|file| file.path.ends_with(end));
        let without = ["scheduler", "tokenizer", "feature_extractor"].iter().any(|start| name.starts_with(start));
        let is_network = files.iter().any(|file| name_of(file) == "config.json") && !without;
        if is_network && !has(".safetensors") && !has(".bin") {
            absent.push(format!("{name}/*.safetensors").trim_start_matches('/').to_owned());
        }
    }
    absent.sort();
    absent.dedup();
    absent
}

/// Returns the paths of all shards that one belongs to, `model-00001-of-00002.safetensors` with the second.
fn other_shards(path: &str) -> Vec<String> {
    let parts = || {
        let (base, count) = path.strip_suffix(".safetensors")?.rsplit_once("-of-")?;
        let (base, _) = base.rsplit_once('-')?;
        Some((base, count, count.parse::<u32>().ok().filter(|count| *count < 10_000)?))
    };
    let Some((base, count, number)) = parts() else { return Vec::new() };
    (1..=number).map(|index| format!("{base}-{index:05}-of-{count}.safetensors")).collect()
}

/// Sorts files by their folder; those deeper down are no component's.
fn by_folder(listing: &Listing) -> BTreeMap<&str, Vec<&Remote>> {
    let mut folders: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for file in &listing.files {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !folder.contains('/') {
            folders.entry(folder).or_default().push(file);
        }
    }
    folders
}

fn name_of(file: &Remote) -> &str {
    file.path.rsplit('/').next().unwrap_or_default()
}

fn is_config(name: &str) -> bool {
    name.ends_with(".json") && name.contains("config")
}

/// Settings and one set of weights.
fn component(files: &[&Remote]) -> Result<Vec<Remote>, &'static str> {
    let weights: Vec<_> = files.iter().filter(|file| name_of(file).ends_with(".safetensors")).collect();
    let foreign = |file: &&Remote| [".bin", ".ckpt", ".pt", ".pth"].iter().any(|end| file.path.ends_with(end));
    if weights.is_empty() && files.iter().any(foreign) {
        return Err("as safetensors, only as files that may run programs when they are read");
    }
    let has_half = weights.iter().any(|file| variant(name_of(file)) == Some(HALF));
    let wanted = has_half.then_some(HALF);
    let chosen: Vec<_> = weights.iter().filter(|file| variant(name_of(file)) == wanted).collect();
    if !weights.is_empty() && chosen.is_empty() {
        return Err("in full or half precision, only in variants that must be asked for by name");
    }
    let is_index = |file: &&&Remote| name_of(file).contains(".safetensors.index.");
    let is_own_index = |file: &&&Remote| name_of(file).contains(".fp16.") == has_half;
    let indexes = files.iter().filter(|file| is_index(file) && is_own_index(file));
    let settings = files.iter().filter(|file| !is_index(file) && is_setting(name_of(file)));
    let chosen = chosen.into_iter().copied();
    Ok(chosen.chain(indexes).chain(settings).map(|file| Remote::clone(file)).collect())
}

/// Settings, vocabularies and templates.
fn is_setting(name: &str) -> bool {
    let is_read = name.ends_with(".json") && name != INDEX && !name.ends_with(".index.json");
    is_read || ["merges.txt", "vocab.txt", "spiece.model", "tokenizer.model", "chat_template.jinja"].contains(&name)
}

/// Returns the variant in the name of weights: `fp16` of `model.fp16.safetensors` and `model.fp16-00001-of-00002.safetensors`.
fn variant(name: &str) -> Option<&str> {
    let stem = name.strip_suffix(".safetensors")?;
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = match stem.rsplit_once("-of-") {
        Some((before, count)) if is_number(count) => before.rsplit_once('-').map_or(stem, |(base, _)| base),
        _ => stem,
    };
    whole.split_once('.').map(|(_, variant)| variant)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(paths: &[&str]) -> Listing {
        let file = |path: &&str| Remote { path: (*path).to_owned(), size: Some(1), hash: None };
        Listing { commit: "a".repeat(40), files: paths.iter().map(file).collect() }
    }

    fn selected(paths: &[&str], components: Option<&[&str]>) -> Result<Vec<String>, String> {
        let names: Option<Vec<_>> = components.map(|names| names.iter().map(ToString::to_string).collect());
        let found = select("o/n", &listing(paths), names.as_deref()).map_err(|fault| fault.to_string())?;
        Ok(found.into_iter().map(|file| file.path).collect())
    }

    #[test]
    fn a_pipeline_is_its_components_in_half_precision() {
        let paths = [
            ".gitattributes",
            "README.md",
            "model_index.json",
            "sd_xl_base_1.0.safetensors",
            "scheduler/scheduler_config.json",
            "text_encoder/config.json",
            "text_encoder/flax_model.msgpack",
            "text_encoder/model.fp16.safetensors",
            "text_encoder/model.onnx",
            "text_encoder/model.safetensors",
            "text_encoder/openvino_model.bin",
            "tokenizer/merges.txt",
            "tokenizer/vocab.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
            "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
            "unet/diffusion_pytorch_model.bin",
            "unet/diffusion_pytorch_model.non_ema.safetensors",
            "unet/diffusion_pytorch_model.safetensors.index.json",
            "vae_1_0/config.json",
            "vae_1_0/diffusion_pytorch_model.safetensors",
        ];
        let expected = [
            "model_index.json",
            "scheduler/scheduler_config.json",
            "text_encoder/config.json",
            "text_encoder/model.fp16.safetensors",
            "tokenizer/merges.txt",
            "tokenizer/vocab.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
            "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
            "unet/diffusion_pytorch_model.safetensors.index.json",
        ];
        let components = ["scheduler", "text_encoder", "tokenizer", "unet"];
        assert_eq!(selected(&paths, Some(&components)).expect("a model"), expected);
        let without_index = selected(&paths, None).expect("a model");
        assert!(without_index.contains(&"vae_1_0/config.json".to_owned()), "unread, the index excludes nothing");
    }

    #[test]
    fn a_control_network_is_its_settings_and_one_set_of_weights() {
        let paths = [
            ".gitattributes",
            "README.md",
            "config.json",
            "diffusion_pytorch_model.bin",
            "diffusion_pytorch_model.fp16.bin",
            "diffusion_pytorch_model.fp16.safetensors",
            "diffusion_pytorch_model.safetensors",
            "images/bird.png",
            "out_bird.png",
        ];
        let half = ["config.json", "diffusion_pytorch_model.fp16.safetensors"];
        assert_eq!(selected(&paths, None).expect("a component"), half);
        let old = ["config.json", "diffusion_pytorch_model.bin", "diffusion_pytorch_model.safetensors"];
        let whole = ["config.json", "diffusion_pytorch_model.safetensors"];
        assert_eq!(selected(&old, None).expect("a component"), whole);
    }

    #[test]
    fn shards_of_a_variant_come_with_their_index() {
        let paths = [
            "config.json",
            "model-00001-of-00001.safetensors",
            "model.fp16-00001-of-00001.safetensors",
            "model.safetensors.index.fp16.json",
            "model.safetensors.index.json",
        ];
        let expected = ["config.json", "model.fp16-00001-of-00001.safetensors", "model.safetensors.index.fp16.json"];
        assert_eq!(selected(&paths, None).expect("a model"), expected);
    }

    #[test]
    fn what_is_no_model_says_what_it_lacks() {
        for (paths, components, why) in [
            (&["a.safetensors"][..], None, "neither a model_index.json nor a config.json"),
            (&["config.json", "pytorch_model.bin"], None, "may run programs"),
            (&["config.json", "model.ema.safetensors"], None, "asked for by name"),
            (&["model_index.json"], Some(&["unet"][..]), "no such folder"),
            (&["model_index.json", "unet/config.json", "unet/x.bin"], Some(&["unet"]), "`unet`"),
        ] {
            let fault = selected(paths, components).expect_err(why);
            assert!(fault.contains(why), "{fault}");
        }
    }

    #[test]
    fn what_a_snapshot_lacks_is_seen_from_its_names() {
        let lacks = |paths: &[&str], names: &[&str]| {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            absent(&listing(paths), Some(&names))
        };
        let whole = [
            "model_index.json",
            "scheduler/config.json",
            "unet/config.json",
            "unet/m.safetensors",
            "tokenizer/vocab.json",
        ];
        assert_eq!(lacks(&whole, &["scheduler", "unet", "tokenizer"]), Vec::<String>::new());
        assert_eq!(lacks(&whole[..3], &["unet", "vae"]), ["unet/*.safetensors", "vae/"]);
        assert_eq!(lacks(&["config.json"], &[]), ["*.safetensors"]);
        let shards = ["config.json", "m-00002-of-00003.safetensors"];
        assert_eq!(lacks(&shards, &[]), ["m-00001-of-00003.safetensors", "m-00003-of-00003.safetensors"]);
    }

    #[test]
    fn an_index_names_components_that_have_a_class() {
        let index =
            br#"{"_class_name": "P", "unet": ["diffusers", "U"], "safety_checker": [null, null], "flag": true}"#;
        assert_eq!(components(index), Some(vec!["unet".to_owned()]));
        assert_eq!(components(b"["), None);
    }
}

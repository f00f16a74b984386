//! What was typed: commands, flags and their help. What was meant follows in `job`.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use darkroom_core::graph::OnTooLarge;
use darkroom_models::nn::Mode;

use crate::size::Amount;
use crate::{device, exit, quality, size};

/// Develops pictures from node graphs.
#[derive(Debug, Parser)]
#[command(name = "darkroom", version, after_help = format!("{}\n{FOLDERS}\n\n{SETTINGS}", exit::help()))]
pub struct Typed {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How exactly networks compute (default: `fast` where the processor multiplies bf16 itself, else `exact`).
    #[arg(long, global = true, value_name = "NAME", value_parser = quality::parser())]
    pub quality: Option<Mode>,
    /// What networks compute on: auto, cpu, cuda, or cuda:1 for the second card; cuda,cpu goes on without a card that
    /// cannot be used (default: auto).
    #[arg(long, global = true, value_name = "DEVICE", value_parser = device::parse)]
    pub device: Option<device::Asked>,
}

const SETTINGS: &str = "\
Settings:
  DARKROOM_QUALITY
                  how exactly networks compute, where no --quality is given: exact, fast or int8
  DARKROOM_CPU    the best instructions that may be used: portable, avx2, avx512, avx512vnni or
                  avx512bf16 (default: all that the processor has)
  DARKROOM_RAM, DARKROOM_VRAM, DARKROOM_RESERVE
                  memory that may be taken, that of a card that may be, and that is left to others,
                  where no --ram, --vram or --reserve is given
  DARKROOM_DEVICE what networks compute on, where no --device is given: auto, cpu, cuda, cuda:1; or
                  cuda,cpu, which goes on without a card that cannot be used
  config.ron      (ram: \"12 GB\", vram: \"90%\", reserve: \"2 GB\", quality: \"fast\", device: \"auto\"), each as
                  its flag takes it and where neither flag nor environment says so; `darkroom doctor`
                  tells what holds";

const FOLDERS: &str = "\
Folders:
  DARKROOM_CACHE  where results are kept (default: darkroom in the user's cache folder)
  DARKROOM_STATE  where logs and histories are kept (default: darkroom in the user's state folder);
                  the log of the last run is reports/last_session.log below it
  DARKROOM_CONFIG where config.ron lies (default: darkroom in the user's configuration folder)
  DARKROOM_MODELS folders of models, as ComfyUI lays them out, its installations, or its extra_model_paths.yaml;
                  separated like PATH. `models` below the user's data folder is looked in as well";

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs a workflow and prints the paths of the pictures.
    Run {
        /// What is wanted.
        #[command(flatten)]
        wanted: Wanted,
        /// Print one JSON object a line for everything that happens, instead of paths.
        #[arg(long, conflicts_with = "json")]
        events: bool,
        /// Fetch what the workflow names of the hub and lacks before it runs.
        #[arg(long)]
        pull: bool,
    },
    /// Opens workflows in a window, to be built and run by hand.
    #[cfg(feature = "editor")]
    Edit(EditArgs),
    /// Says what a run would do, and why, without doing it.
    Explain {
        /// What is wanted.
        #[command(flatten)]
        wanted: Wanted,
        /// Show instead what memory was planned for each node, and what it took when it last ran.
        #[arg(long)]
        last: bool,
    },
    /// Shows everything that is wrong with a workflow at once.
    Check {
        /// The workflow, or a picture that carries one.
        file: PathBuf,
        /// Let the workflow read files below this folder too.
        #[arg(long, value_name = "DIR")]
        allow: Vec<PathBuf>,
        /// Say whether a run from scratch fits into so much memory, and if not, what to change.
        #[arg(long, value_name = "SIZE|PART%", value_parser = size::parse_amount)]
        budget: Option<Amount>,
        /// Memory of the graphics card that may be taken, where one is used (default: 90% of what is free).
        #[arg(long, value_name = "SIZE|PART%", value_parser = size::parse_amount, requires = "budget")]
        vram: Option<Amount>,
        /// What becomes of sizes with which a run cannot fit; else as the workflow says.
        #[arg(long, value_name = "WHAT", value_parser = too_large(), requires = "budget")]
        on_too_large: Option<OnTooLarge>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Writes into a workflow which files it was made with, by their content: they are found again under any name.
    Lock(LockArgs),
    /// Lists the nodes there are, or shows the manual of one.
    Nodes {
        /// The node's type.
        name: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Looks after the results of earlier runs.
    Cache {
        /// What to do.
        #[command(subcommand)]
        deed: CacheDeed,
    },
    /// Looks after models from the hub.
    Models {
        /// What to do.
        #[command(subcommand)]
        deed: ModelsDeed,
    },
    /// Says what this machine has, what is used of it and why, and what stands in the way of a run.
    Doctor(DoctorArgs),
    /// Writes a commented example workflow, or the one that a picture was made with.
    Init {
        /// Take the workflow of this picture, or make one of what A1111 and its kin wrote into it.
        #[arg(long, value_name = "PICTURE")]
        from: Option<PathBuf>,
        /// The file to write; one that is there is left alone.
        #[arg(default_value = "first.ron")]
        file: PathBuf,
    },
    /// Prints the completions of a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Prints the manual page, or writes all pages to a folder.
    Man {
        /// The folder.
        dir: Option<PathBuf>,
    },
}

/// How a workflow is locked.
#[derive(Debug, Args)]
pub struct LockArgs {
    /// The workflow.
    pub file: PathBuf,
    /// Only tell how the lock differs from what is here, and change nothing.
    #[arg(long)]
    pub check: bool,
    /// Let the workflow read files below this folder too.
    #[arg(long, value_name = "DIR")]
    pub allow: Vec<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What is looked at.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Ask nothing of the network.
    #[arg(long)]
    pub offline: bool,
    /// Look at this folder for pictures.
    #[arg(long, value_name = "DIR", default_value = "output")]
    pub out: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// What may be used of the memory.
    #[command(flatten)]
    pub budgets: Budgets,
}

/// What is wanted of a workflow.
#[derive(Debug, Args)]
pub struct Wanted {
    /// The workflow, or a picture that carries one.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Set a parameter, as `prompt.text=a quiet sea`; may be given several times.
    #[arg(long, value_name = "NODE.PARAM=VALUE")]
    pub set: Vec<String>,
    /// Write pictures below this folder.
    #[arg(long, value_name = "DIR", default_value = "output")]
    pub out: PathBuf,
    /// Set every seed of the workflow: a number, or `random`.
    #[arg(long, value_name = "N|random", value_parser = parse_seed)]
    pub seed: Option<Seed>,
    /// Go no further than this node.
    #[arg(long, value_name = "NODE")]
    pub to: Option<String>,
    /// Print one JSON object instead of paths.
    #[arg(long)]
    pub json: bool,
    /// Run everything anew, whatever is in the cache.
    #[arg(long)]
    pub fresh: bool,
    /// Let the workflow read files below this folder too.
    #[arg(long, value_name = "DIR")]
    pub allow: Vec<PathBuf>,
    /// What becomes of sizes with which the run cannot fit; else as the workflow says.
    #[arg(long, value_name = "WHAT", value_parser = too_large())]
    pub on_too_large: Option<OnTooLarge>,
    /// What may be used of the memory.
    #[command(flatten)]
    pub budgets: Budgets,
}

/// Reads what is to become of sizes that cannot fit, as clap wants it.
fn too_large() -> impl TypedValueParser<Value = OnTooLarge> {
    let about = |each: OnTooLarge| match each {
        OnTooLarge::Fail => "they stay, and the run fails",
        OnTooLarge::Clamp => "they are lowered in their proportions until it fits",
    };
    let words = OnTooLarge::ALL.map(|each| PossibleValue::new(each.word()).help(about(each)));
    PossibleValuesParser::new(words).map(|word| OnTooLarge::from_word(&word).expect("it is one of the words"))
}

/// What the window opens on.
#[cfg(feature = "editor")]
#[derive(Debug, Args)]
pub struct EditArgs {
    /// Workflows to open; without any, one that runs on the built-in model.
    pub files: Vec<PathBuf>,
    /// Write a picture of the window to this file once all is quiet, and close it.
    #[arg(long, value_name = "PNG")]
    pub screenshot: Option<PathBuf>,
    /// Width and height of the window in points.
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size::parse_edges)]
    pub size: Option<(f32, f32)>,
    /// Run what is opened at once.
    #[arg(long)]
    pub run: bool,
    /// The folder that pictures are written to.
    #[arg(long, value_name = "DIR", default_value = "output")]
    pub out: PathBuf,
    /// Let workflows read files below this folder too.
    #[arg(long, value_name = "DIR")]
    pub allow: Vec<PathBuf>,
    #[command(flatten)]
    pub budgets: Budgets,
}

/// Budgets of memory and disk.
#[derive(Debug, Clone, Args)]
pub struct Budgets {
    /// Memory for weights and scratch: a size, or a part of all there is (default: 80%).
    #[arg(long, value_name = "SIZE|PART%", value_parser = size::parse_amount, visible_alias = "budget")]
    pub ram: Option<Amount>,
    /// Memory of the graphics card for weights and scratch, where one is used (default: 90% of what is free).
    #[arg(long, value_name = "SIZE|PART%", value_parser = size::parse_amount)]
    pub vram: Option<Amount>,
    /// Memory that is left to others, however much --ram allows.
    #[arg(long, value_name = "SIZE|PART%", value_parser = size::parse_amount)]
    pub reserve: Option<Amount>,
    /// Memory for results.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "1G")]
    pub cache_memory: u64,
    /// Disk for results.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "8G")]
    pub cache_disk: u64,
    /// Keep no results on disk.
    #[arg(long, conflicts_with = "cache_disk")]
    pub no_cache_disk: bool,
}

/// A seed for the whole workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// This one.
    Fixed(u64),
    /// One that is drawn.
    Random,
}

fn parse_seed(text: &str) -> Result<Seed, String> {
    match text {
        "random" => Ok(Seed::Random),
        _ => text
            .parse()
            .map(Seed::Fixed)
            .map_err(|_| format!("give a whole number from 0 to {}, or `random`", u64::MAX)),
    }
}

/// A deed on the cache.
#[derive(Debug, Subcommand)]
pub enum CacheDeed {
    /// Lists what is kept.
    Ls(CacheArgs),
    /// Removes what exceeds the budget, and what dead processes left.
    Gc(CacheArgs),
    /// Reads everything and sets aside what is damaged.
    Verify(CacheArgs),
    /// Removes everything.
    Clear(CacheArgs),
}

/// How a deed on the cache is done.
#[derive(Debug, Args)]
pub struct CacheArgs {
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// The budget.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "8G")]
    pub cache_disk: u64,
}

/// A deed on models. An address is `hub://owner/name`, with `@revision` and `/file` where wanted.
#[derive(Debug, Subcommand)]
pub enum ModelsDeed {
    /// Fetches a model, one file of it, or all that a workflow lacks, and prints the paths; what was cut off goes on.
    Pull {
        /// What to fetch: `hub://owner/name[@revision][/file]`, or a workflow.
        what: String,
        /// Only say what would be fetched, with sizes.
        #[arg(long)]
        dry_run: bool,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Prints where a fetched model or file is, without the network.
    Where {
        /// What to find.
        address: String,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Lists what is fetched, and the models in your own folders, each with family, precision, size and hash.
    Ls {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Removes a revision of a model, with the files that no other revision has.
    Rm {
        /// What to remove.
        address: String,
        /// Remove all revisions.
        #[arg(long)]
        all: bool,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Reads everything that is fetched and says what is damaged.
    Verify {
        /// The model; all of them if none is named.
        address: Option<String>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

impl ModelsDeed {
    fn wants_json(&self) -> bool {
        match self {
            Self::Pull { json, .. } | Self::Where { json, .. } | Self::Ls { json } => *json,
            Self::Rm { json, .. } | Self::Verify { json, .. } => *json,
        }
    }
}

impl Command {
    /// Tells whether the answer is wanted as JSON.
    pub fn wants_json(&self) -> bool {
        match self {
            Self::Run { wanted, events, .. } => wanted.json || *events,
            Self::Lock(args) => args.json,
            Self::Explain { wanted, .. } => wanted.json,
            Self::Check { json, .. } | Self::Nodes { json, .. } => *json,
            Self::Cache { deed } => deed.args().json,
            Self::Models { deed } => deed.wants_json(),
            // The doctor answers once, with what is wrong among the rest.
            Self::Doctor(_) | Self::Init { .. } | Self::Completions { .. } | Self::Man { .. } => false,
            #[cfg(feature = "editor")]
            Self::Edit(_) => false,
        }
    }
}

impl CacheDeed {
    /// Returns how it is done.
    pub fn args(&self) -> &CacheArgs {
        match self {
            Self::Ls(args) | Self::Gc(args) | Self::Verify(args) | Self::Clear(args) => args,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Typed::command().debug_assert();
    }

    #[test]
    fn a_seed_is_a_number_or_random() {
        assert_eq!(parse_seed("7"), Ok(Seed::Fixed(7)));
        assert_eq!(parse_seed("random"), Ok(Seed::Random));
        assert!(parse_seed("-1").is_err() && parse_seed("18446744073709551616").is_err());
    }
}

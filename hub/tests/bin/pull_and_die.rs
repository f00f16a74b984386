//! Pulls a repository into a cache, slowly enough to be killed: `pull_and_die ENDPOINT CACHE ADDRESS CHUNK RANGES`.

use darkroom_hub::progress::Nobody;
use darkroom_hub::{Hub, Settings, Tuning};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given: Vec<_> = std::env::args().skip(1).collect();
    let [endpoint, cache, address, chunk, ranges] = &given[..] else { return Err("five words are wanted".into()) };
    let tuning = Tuning { chunk: chunk.parse()?, ranges: ranges.parse()?, ..Tuning::default() };
    Hub::new(Settings::new(cache, endpoint)).with(tuning).pull(&address.parse()?, &Nobody)?;
    Ok(())
}

//! `darkroom cache`: results of earlier runs, looked after.

use darkroom_core::cache::{Cache, Damage, Entry, Verified};
use darkroom_core::fault::{Fault, Faults};
use darkroom_core::ladder::Fits;
use darkroom_core::residency::gibibytes;
use serde_json::json;

use crate::args::CacheDeed;
use crate::desk::Desk;
use crate::folders::{Folders, check_writable};

/// Lists, collects, verifies or clears the results on disk.
///
/// # Errors
/// A fault of the folder; what is damaged.
pub fn cache(deed: &CacheDeed, desk: &Desk) -> Result<(), Faults> {
    let args = deed.args();
    let folders = Folders::find()?;
    let folder = folders.results.clone();
    check_writable(&folder).map_err(|fault| fault.hint("set DARKROOM_CACHE to another folder"))?;
    let cache = Cache::in_memory(0).with_disk(&folder, args.cache_disk)?;
    let say = |done: &str, entries: usize, bytes: u64| {
        desk.answer(&format!("{done} {entries} results, {}", gibibytes(bytes)))
    };
    match deed {
        CacheDeed::Ls(_) => {
            let (entries, usage) = (cache.list(), cache.usage());
            desk.note(&folder.display().to_string());
            if args.json {
                return desk
                    .answer_json(json!({"folder": folder.to_string_lossy(), "usage": usage, "entries": entries}));
            }
            entries.iter().try_for_each(|entry| desk.answer(&line(entry)))?;
            let (used, budget) = (gibibytes(usage.disk_bytes), gibibytes(usage.disk_budget));
            desk.say(&format!("{} results, {used} of {budget}, in {}", usage.disk_entries, folder.display()));
            Ok(())
        }
        CacheDeed::Gc(_) => {
            let collected = cache.collect()?;
            if args.json {
                return desk.answer_json(json!({"ok": true, "collected": collected}));
            }
            say("removed", collected.entries, collected.bytes)
        }
        CacheDeed::Verify(_) => verified(&cache.verify(), args.json, desk),
        CacheDeed::Clear(_) => {
            let cleared = cache.clear()?;
            Fits::open(&folders.fits()).forget()?;
            if args.json {
                return desk.answer_json(json!({"ok": true, "cleared": cleared}));
            }
            if cleared.leased > 0 {
                desk.say(&format!("{} results stay: a run counts on them", cleared.leased));
            }
            say("removed", cleared.entries, cleared.bytes)
        }
    }
}

fn line(entry: &Entry) -> String {
    let (bytes, seconds) = (gibibytes(entry.bytes), entry.seconds);
    format!("{}  {bytes:>10}  {seconds:>9.2} s  {}", entry.recipe, entry.label)
}

fn verified(found: &Verified, as_json: bool, desk: &Desk) -> Result<(), Faults> {
    let mut faults = Faults::default();
    let damaged = |Damage { recipe, why, .. }: &Damage| {
        Fault::file(format!("{recipe} is damaged: {why}")).hint("it was set aside, and will be made again when wanted")
    };
    found.damaged.iter().for_each(|damage| faults.push(damaged(damage)));
    found.unreadable.iter().for_each(|why| faults.push(Fault::file(why.clone())));
    let good = format!("{} results are good", found.good);
    if !as_json {
        desk.answer(&good)?;
    } else if faults.0.is_empty() {
        desk.answer_json(json!({"ok": true, "exit": 0, "verified": found}))?;
    }
    faults.or(())
}

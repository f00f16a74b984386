//! A pull: what is needed is looked up, room is made sure of, and files are fetched side by side.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::address::Address;
use crate::cache::{Folder, make, write_whole};
use crate::fault::{HubFault, Offline};
use crate::fetch::{Brief, Job, Tally};
use crate::http::Client;
use crate::known;
use crate::listing::{Listing, Remote, address_of, ask_file};
use crate::lock::Lock;
use crate::parts::sweep;
use crate::plan::{Plan, Wanted};
use crate::progress::{Event, Nobody, Watch};
use crate::select::{INDEX, absent, components, select};
use crate::tuning::Tuning;

/// Looks up what is needed, with the hub's help.
pub(crate) fn look(client: &Client, folder: &Folder, address: &Address, watch: &dyn Watch) -> Result<Plan, HubFault> {
    let commit = address.is_pinned().then(|| address.revision().to_owned());
    // What a commit holds never changes: if it is known, and all here, the hub need not be asked.
    let listed = commit.filter(|commit| address.file().is_some() || Listing::load(folder, commit).is_some());
    if let Some(plan) = listed.and_then(|commit| remembered(folder, address, &commit).ok())
        && plan.missing().next().is_none()
    {
        return Ok(plan);
    }
    if let Some(file) = address.file() {
        let (commit, remote) = ask_one(client, folder, address, file, watch)?;
        remember_commit(folder, address, &commit)?;
        return Ok(Plan::new(address, &commit, folder, &[remote]));
    }
    let mut listing = Listing::ask(client, address, watch)?;
    remember_commit(folder, address, &listing.commit)?;
    let named = match listing.find(INDEX).cloned() {
        Some(index) => {
            let plan = complete(client, address, Plan::new(address, &listing.commit, folder, &[index]), watch)?;
            fetch(client, folder, &plan, &Nobody)?;
            read_index(folder, address, &listing.commit)
        }
        None => None,
    };
    let needed = select(address.repo(), &listing, named.as_deref())?;
    let plan = complete(client, address, Plan::new(address, &listing.commit, folder, &needed), watch)?;
    for file in &mut listing.files {
        if let Some(wanted) = plan.files.iter().find(|wanted| wanted.file == file.path) {
            (file.size, file.hash) = (wanted.size, wanted.hash.clone());
        }
    }
    listing.store(folder)?;
    Ok(plan)
}

/// Asks about one file; what does not exist is remembered, as the Python tools do.
fn ask_one(
    client: &Client,
    folder: &Folder,
    address: &Address,
    file: &str,
    watch: &dyn Watch,
) -> Result<(String, Remote), HubFault> {
    let asked = ask_file(client, address, (address.revision(), file), watch);
    if let (Err(HubFault::Missing { .. }), Some(commit)) = (&asked, folder.commit(address.revision()))
        && address.is_pinned()
        && folder.root().is_dir()
    {
        write_whole(&folder.not_there(&commit).join(file), b"")?;
    }
    asked
}

/// Remembers a commit when none is known, so that a pull that is cut off can be told of. One that is known stays until the
/// new one is whole: what was usable offline remains so.
fn remember_commit(folder: &Folder, address: &Address, commit: &str) -> Result<(), HubFault> {
    if folder.commit(address.revision()).is_some() { Ok(()) } else { folder.set_commit(address, commit) }
}

/// Asks about the files that the listing tells too little of.
fn complete(client: &Client, address: &Address, mut plan: Plan, watch: &dyn Watch) -> Result<Plan, HubFault> {
    for file in plan.files.iter_mut().filter(|file| !file.is_whole && (file.size.is_none() || file.hash.is_none())) {
        let (_, remote) = ask_file(client, address, (&plan.commit, &file.file), watch)?;
        (file.size, file.hash) = (file.size.or(remote.size), file.hash.take().or(remote.hash));
    }
    Ok(plan)
}

fn read_index(folder: &Folder, address: &Address, commit: &str) -> Option<Vec<String>> {
    components(&std::fs::read(folder.find(address, commit, INDEX)?).ok()?)
}

/// Looks up what is needed from what is remembered and what lies in the cache, without the hub.
///
/// # Errors
/// A fault that lists what is missing is left to the caller; this one says that nothing is known.
pub(crate) fn remembered(folder: &Folder, address: &Address, commit: &str) -> Result<Plan, HubFault> {
    if let Some(file) = address.file() {
        let known = Listing::load(folder, commit).and_then(|listing| listing.find(file).cloned());
        let unknown = || Remote { path: file.to_owned(), size: None, hash: None };
        return Ok(Plan::new(address, commit, folder, &[known.unwrap_or_else(unknown)]));
    }
    let named = read_index(folder, address, commit);
    // What a Python tool fetched has no listing: then the files that are there are all that is known, and the index.
    let listing = match Listing::load(folder, commit) {
        Some(listing) => listing,
        None => {
            let present = present(folder, address, commit);
            let absent = absent(&present, named.as_deref());
            if !absent.is_empty() {
                let remote = |path| Remote { path, size: None, hash: None };
                let absent: Vec<_> = absent.into_iter().map(remote).collect();
                return Ok(Plan::new(address, commit, folder, &absent));
            }
            present
        }
    };
    let needed = select(address.repo(), &listing, named.as_deref())?;
    Ok(Plan::new(address, commit, folder, &needed))
}

fn present(folder: &Folder, address: &Address, commit: &str) -> Listing {
    let files = crate::shelf::files_below(&folder.snapshot(address, commit));
    let remote = |(path, bytes): (String, u64)| Remote { path, size: Some(bytes), hash: None };
    Listing { commit: commit.to_owned(), files: files.into_iter().map(remote).collect() }
}

/// Looks an address up in the cache alone.
///
/// # Errors
/// [`HubFault::Offline`] that lists what is missing.
pub(crate) fn find(folder: &Folder, address: &Address, why: Offline) -> Result<Plan, HubFault> {
    let nothing = || HubFault::Offline { address: address.to_string(), missing: Vec::new(), why };
    let known = || known::listing(address).map(|known| Plan::new(address, &known.commit, folder, &known.files));
    let Some(commit) = folder.commit(address.revision()) else { return known().ok_or_else(nothing) };
    let has_any = || folder.snapshot(address, &commit).read_dir().is_ok_and(|mut dir| dir.next().is_some());
    if Listing::load(folder, &commit).is_none() && !has_any() {
        return known().ok_or_else(nothing);
    }
    remembered(folder, address, &commit)
}

/// Makes a fault of what a plan lacks.
pub(crate) fn lacking(plan: &Plan, why: Offline) -> Result<(), HubFault> {
    let missing: Vec<_> = plan.missing().map(|file| (file.file.clone(), file.size)).collect();
    let address = plan.address.to_string();
    if missing.is_empty() { Ok(()) } else { Err(HubFault::Offline { address, missing, why }) }
}

/// Fetches what a plan lacks.
pub(crate) fn fetch(client: &Client, folder: &Folder, plan: &Plan, watch: &dyn Watch) -> Result<(), HubFault> {
    let mut missing: Vec<_> = plan.missing().collect();
    // The largest first: so the end is not one long file alone.
    missing.sort_by_key(|file| std::cmp::Reverse(file.size));
    watch.see(&Event::Planned { files: missing.len(), bytes: plan.bytes_to_fetch() });
    check_space(&client.tuning, &folder.root(), plan.bytes_to_fetch())?;
    make(&folder.blobs())?;
    let tally = Tally::new(watch, missing.iter().filter_map(|file| file.size).sum());
    let next = AtomicUsize::new(0);
    let first_fault = Mutex::new(None);
    let work = || {
        while let Some(wanted) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(fault) = one(client, folder, plan, wanted, &tally) {
                let mut first = first_fault.lock().expect("nothing panics in between");
                // The first fault stops the others, who then say that they were stopped.
                first.get_or_insert(fault);
                client.stop.ask();
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        let others = client.tuning.files.min(missing.len()).saturating_sub(1);
        (0..others).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    match first_fault.into_inner().expect("nothing panics in between") {
        Some(fault) => Err(fault),
        None => Ok(()),
    }
}

/// Brings one file here, or waits for the process that does.
fn one(client: &Client, folder: &Folder, plan: &Plan, wanted: &Wanted, tally: &Tally<'_>) -> Result<(), HubFault> {
    let (address, file) = (&plan.address, wanted.file.as_str());
    let (Some(hash), Some(size)) = (wanted.hash.as_deref(), wanted.size) else {
        let what = format!("neither size nor hash of `{file}`");
        return Err(HubFault::Answer { what, url: client.address(address.repo(), "")?.to_string() });
    };
    let _lock = Lock::take(&folder.lock(hash), &client.stop, || tally.watch.see(&Event::Waiting { file }))?;
    let is_there = || folder.blob(hash).metadata().is_ok_and(|about| about.len() == size);
    if !is_there() {
        sweep(&folder.blobs(), file, hash, |other| folder.held(other))?;
        let from = address_of(client, address.repo(), &plan.commit, file)?;
        Job::new(client, folder, tally, Brief { repo: address.repo(), file, hash, size, from }).run()?;
    }
    folder.link(address, &plan.commit, file, hash)?;
    tally.watch.see(&Event::Finished { file, bytes: size });
    Ok(())
}

/// Makes sure that there is room for so many bytes below a folder.
pub(crate) fn check_space(tuning: &Tuning, root: &Path, needed: u64) -> Result<(), HubFault> {
    if needed == 0 {
        return Ok(());
    }
    let (folder, spare) = (root.to_owned(), tuning.spare);
    let free = (tuning.free_space)(root).map_err(HubFault::io("ask for the free space of", root))?;
    if free >= needed.saturating_add(spare) { Ok(()) } else { Err(HubFault::Space { folder, free, needed, spare }) }
}

//! Disk and cache: rows 35 to 44. Where a row speaks of processes, these are processes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use darkroom_core::cache::{Cache, Gone, Tier};
use darkroom_tests::cached::{is_right, outputs, recipe, values};
use tempfile::TempDir;

const LARGE: u64 = 1 << 40;
const DAY: Duration = Duration::from_secs(86_400);

fn home() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A cache that keeps nothing in memory, so that every look is at the disk.
fn cache(folder: &Path, budget: u64) -> Cache {
    Cache::in_memory(0).with_disk(folder, budget).expect("the folder can be written")
}

fn store(cache: &Cache, number: u64, bytes: usize) {
    assert_eq!(cache.store(recipe(number), "toy", &values(number, bytes), 1.0), Vec::<String>::new());
}

fn loads(cache: &Cache, number: u64, bytes: usize) -> bool {
    cache.load(recipe(number), &outputs()).is_some_and(|found| is_right(&found, number, bytes))
}

fn entry(folder: &Path, number: u64) -> PathBuf {
    let name = recipe(number).to_string();
    folder.join("v1/entries").join(&name[..2]).join(format!("{name}.safetensors"))
}

fn files_in(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

fn worker(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cache_worker"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("readable");
    line
}

fn path(folder: &Path) -> &str {
    folder.to_str().expect("a plain name")
}

/// Runs the filling worker where a file system ends after two megabytes; where this user may not make one, files do.
fn fill(bytes: &str) -> serde_json::Value {
    let home = home();
    let run = |script: &str, wrap: &[&str]| -> Output {
        let mut command = Command::new(wrap[0]);
        command.args(&wrap[1..]).args([
            "sh",
            "-c",
            script,
            path(home.path()),
            env!("CARGO_BIN_EXE_cache_worker"),
            bytes,
        ]);
        command.output().expect("there is a shell")
    };
    let small_disk = "mount -t tmpfs -o size=2m none \"$0\" || exit 77; exec \"$1\" fill \"$0\" \"$2\"";
    let mut output = run(small_disk, &["unshare", "-Urm"]);
    if !output.status.success()
        && output.stdout.is_empty()
        && !String::from_utf8_lossy(&output.stderr).contains("Error:")
    {
        output = run("trap '' XFSZ; ulimit -f 100; exec \"$1\" fill \"$0\" \"$2\"", &["env"]);
    }
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).expect("a report")
}

#[cfg(target_os = "linux")]
#[test]
fn row_35_a_full_disk_leaves_no_half_file_and_what_was_there() {
    // The worker checks that nothing half-written is left, that what was written loads, and that it can write again
    // once there is room.
    let report = fill("200000");
    assert!(report["written"].as_u64() < Some(40), "{report}");
}

#[cfg(target_os = "linux")]
#[test]
fn row_36_a_full_disk_costs_one_warning_and_the_job_goes_on() {
    for bytes in ["60000", "200000"] {
        let report = fill(bytes);
        let warnings = report["warnings"].as_array().expect("a list");
        assert_eq!(warnings.len(), 1, "{report}");
        let text = warnings[0].as_str().expect("a text");
        assert!(text.starts_with("cannot keep results in `") && text.contains("stay in memory"), "{text}");
        assert!(report["unwritten"].as_u64() > Some(1), "{report}");
    }
}

#[test]
fn row_37_a_missing_cache_folder_is_made() {
    let home = home();
    let folder = home.path().join("a/b");
    let cache = cache(&folder, LARGE);
    store(&cache, 1, 100);
    fs::remove_dir_all(&folder).expect("there");
    assert_eq!(cache.find(recipe(1)), None);
    store(&cache, 2, 100);
    assert!(loads(&cache, 2, 100), "a folder that goes away under a running program comes back");
}

#[test]
fn row_37_a_cache_folder_that_cannot_be_written_is_a_fault_at_once() {
    let home = home();
    let file = home.path().join("file");
    fs::write(&file, b"x").expect("writable");
    for folder in [file.clone(), file.join("below")] {
        let fault = Cache::in_memory(0).with_disk(&folder, LARGE).err().expect("this is no folder");
        assert!(fault.message.starts_with("cannot write to the cache folder `"), "{fault}");
        assert!(fault.message.contains(path(&folder)) && fault.hint.is_some(), "{fault}");
    }
}

#[cfg(unix)]
#[test]
fn row_37_a_read_only_cache_folder_is_a_fault_at_once() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    let home = home();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o555)).expect("mine");
    // Root may write everywhere, so a nobody tries; whoever may not become nobody is not root.
    let nobody = worker(&["open", path(home.path())]).uid(65_534).stderr(Stdio::piped()).output();
    let output =
        nobody.or_else(|_| worker(&["open", path(home.path())]).stderr(Stdio::piped()).output()).expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("cannot write to the cache folder"), "{errors}");
    assert!(errors.contains("permission denied") && !errors.contains("panicked"), "{errors}");
}

#[test]
fn row_38_a_killed_writer_leaves_nothing_that_is_seen() {
    let home = home();
    let (mut left, mut seen) = (0, 0);
    for round in 0..12 {
        let mut child = worker(&["store", path(home.path()), "3000000"]).spawn().expect("it starts");
        assert!(first_line(&mut child).starts_with('0'));
        std::thread::sleep(Duration::from_millis(20 + 7 * round));
        child.kill().expect("it runs");
        child.wait().expect("it ended");
        left += files_in(&home.path().join("v1/aside"));
        let cache = cache(home.path(), LARGE);
        assert_eq!(files_in(&home.path().join("v1/aside")), 0, "leftovers are swept");
        let verified = cache.verify();
        assert!(verified.damaged.is_empty() && verified.unreadable.is_empty(), "{verified:?}");
        seen += verified.good;
        for number in 0..verified.good as u64 {
            assert!(loads(&cache, number, if number % 4 == 0 { 100 } else { 3_000_000 }), "{number}");
        }
    }
    assert!(left > 0, "no kill met a writer at work: this test proves nothing");
    assert!(seen > 12);
}

fn flip(path: &Path, at: u64) {
    let mut file = fs::File::options().read(true).write(true).open(path).expect("there");
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut byte)).expect("that long");
    file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(&[byte[0] ^ 4])).expect("writable");
}

#[test]
fn row_39_a_damaged_entry_is_set_aside_and_counted() {
    let home = home();
    let cache = cache(home.path(), LARGE);
    let length = |number| fs::metadata(entry(home.path(), number)).expect("there").len();
    let shorten = |number, bytes| {
        fs::File::options()
            .write(true)
            .open(entry(home.path(), number))
            .and_then(|file| file.set_len(bytes))
            .expect("there");
    };
    (0..6).for_each(|number| store(&cache, number, 500_000));
    flip(&entry(home.path(), 0), length(0) - 1);
    flip(&entry(home.path(), 1), 7);
    flip(&entry(home.path(), 2), 60);
    shorten(3, length(3) - 1);
    shorten(4, 0);
    for number in 0..5 {
        assert!(cache.load(recipe(number), &outputs()).is_none(), "{number}");
        assert_eq!((cache.find(recipe(number)), cache.usage().quarantined), (None, number + 1));
        assert!(matches!(cache.why_gone(recipe(number)), Gone::Damaged));
    }
    assert_eq!(files_in(&home.path().join("v1/quarantine")), 5);
    assert!(loads(&cache, 5, 500_000));
    store(&cache, 0, 500_000);
    assert!(loads(&cache, 0, 500_000), "made again, it is there again");
}

#[test]
fn row_39_verify_finds_what_nobody_asked_for() {
    let home = home();
    let cache = cache(home.path(), LARGE);
    (0..3).for_each(|number| store(&cache, number, 5000));
    flip(&entry(home.path(), 1), 3000);
    let verified = cache.verify();
    assert_eq!((verified.good, verified.damaged.len()), (2, 1));
    assert_eq!(
        (verified.damaged[0].recipe, verified.damaged[0].why.as_str()),
        (recipe(1), "its content does not match its digest")
    );
    assert!(verified.damaged[0].kept_at.as_ref().is_some_and(|kept| kept.exists()));
    assert_eq!(cache.verify().damaged, []);
}

#[test]
fn row_40_a_file_that_went_away_is_a_miss_and_one_that_came_is_a_hit() {
    let (home, other) = (home(), home());
    let here = cache(home.path(), 100_000);
    (0..4).for_each(|number| store(&here, number, 20_000));
    fs::remove_file(entry(home.path(), 2)).expect("there");
    assert_eq!(here.find(recipe(2)), None);
    assert!(here.load(recipe(2), &outputs()).is_none());
    // The bytes of the file that went are free again, so nothing else has to go.
    store(&here, 5, 20_000);
    assert!([0, 1, 3, 5].into_iter().all(|number| loads(&here, number, 20_000)));

    store(&cache(other.path(), LARGE), 9, 5000);
    fs::create_dir_all(entry(home.path(), 9).parent().expect("it has one")).expect("writable");
    fs::copy(entry(other.path(), 9), entry(home.path(), 9)).expect("writable");
    assert_eq!(here.find(recipe(9)), Some(Tier::Disk));
    assert!(loads(&here, 9, 5000));
    fs::copy(entry(other.path(), 9), entry(home.path(), 0)).expect("writable");
    assert!(here.load(recipe(0), &outputs()).is_none(), "under another's name it is no hit");
}

#[test]
fn row_41_two_processes_on_one_cache_are_both_right() {
    let home = home();
    let storm = |seed| worker(&["storm", path(home.path()), seed, "1500"]).spawn().expect("it starts");
    let children: Vec<_> = ["1", "2", "3"].into_iter().map(storm).collect();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success());
        let hits: u32 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number");
        assert!(hits > 100, "{hits}");
    }
    let cache = cache(home.path(), 2 << 20);
    assert!(cache.verify().damaged.is_empty());
    cache.collect().expect("nobody else is there");
    let usage = cache.usage();
    assert!(usage.disk_bytes <= usage.disk_budget && usage.disk_entries > 10, "{usage:?}");
}

#[test]
fn row_41_what_another_process_leases_is_not_evicted() {
    let home = home();
    let cache = cache(home.path(), 100_000);
    cache.store(recipe(0), "toy", &values(0, 20_000), 0.0);
    let mut holder = worker(&["hold", path(home.path()), "0"]).spawn().expect("it starts");
    assert_eq!(first_line(&mut holder), "held\n");
    (1..20).for_each(|number| store(&cache, number, 20_000));
    assert_eq!(cache.find(recipe(0)), Some(Tier::Disk), "it is worth least, and leased");
    assert_eq!(cache.clear().expect("nobody else makes room").leased, 1);
    holder.kill().expect("it runs");
    holder.wait().expect("it ended");
    (1..20).for_each(|number| store(&cache, number, 20_000));
    assert_eq!(cache.find(recipe(0)), None, "a lease ends with its process");
}

#[test]
fn row_42_an_entry_that_is_being_read_stays_readable() {
    let home = home();
    let cache = cache(home.path(), 3_000_000);
    store(&cache, 0, 500_000);
    let (mut file, mut whole) = (fs::File::open(entry(home.path(), 0)).expect("there"), Vec::new());
    let mut half = vec![0; 250_000];
    file.read_exact(&mut half).expect("that long");
    assert_eq!(cache.clear().expect("nobody else is there").entries, 1);
    file.read_to_end(&mut whole).expect("the name is gone, the file is not");
    assert!(half.len() + whole.len() > 500_000);

    // Readers and evictions at once: a miss is right, another picture or a quarantine is not.
    std::thread::scope(|scope| {
        for reader in 0..3_u64 {
            let cache = &cache;
            scope.spawn(move || {
                for round in 0..150 {
                    let number = (round * 7 + reader) % 10;
                    match cache.load(recipe(number), &outputs()) {
                        Some(found) => assert!(is_right(&found, number, 500_000)),
                        None => store(cache, number, 500_000),
                    }
                }
            });
        }
    });
    assert_eq!(cache.usage().quarantined, 0);
    assert!(cache.usage().disk_bytes <= 3_000_000);
}

#[test]
fn row_43_a_clock_that_jumps_changes_nothing() {
    let home = home();
    let set = |number, time: SystemTime| {
        fs::File::open(entry(home.path(), number)).and_then(|file| file.set_modified(time)).expect("mine");
    };
    let first = cache(home.path(), 100_000);
    (0..4).for_each(|number| store(&first, number, 20_000));
    // Files with the hours of yesterday and tomorrow, as a copy or a restored backup has them.
    set(1, SystemTime::now() + DAY);
    set(2, SystemTime::now() - DAY);
    drop(first);
    let later = cache(home.path(), 100_000);
    assert!(later.list().iter().all(|entry| entry.last_used < 100), "{:?}", later.list());
    (4..7).for_each(|number| store(&later, number, 20_000));
    let there = |number: &u64| later.find(recipe(*number)).is_some();
    assert_eq!(
        (0..7).filter(there).collect::<Vec<_>>(),
        [3, 4, 5, 6],
        "what carries no rank goes first, then the oldest"
    );
}

#[test]
fn row_43_the_cache_asks_no_clock() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src/cache");
    let mut files = 0;
    for file in fs::read_dir(folder).expect("the source is there").flatten() {
        let text = fs::read_to_string(file.path()).expect("readable");
        assert!(!text.contains("::now()") && !text.contains(".elapsed()"), "{}", file.path().display());
        files += 1;
    }
    assert!(files > 5);
}

#[test]
fn row_44_an_entry_of_another_version_is_no_hit() {
    let home = home();
    let here = cache(home.path(), LARGE);
    (0..2).for_each(|number| store(&here, number, 5000));
    // The version is part of every path …
    fs::rename(home.path().join("v1"), home.path().join("v0")).expect("mine");
    let here = cache(home.path(), LARGE);
    assert_eq!(here.find(recipe(0)), None);
    // … and of every file.
    fs::create_dir_all(entry(home.path(), 0).parent().expect("it has one")).expect("writable");
    let text = fs::read(
        home.path().join("v0").join(entry(home.path(), 0).strip_prefix(home.path().join("v1")).expect("below")),
    );
    let mut bytes = text.expect("there");
    let key = b"\"format_version\":\"";
    let at = bytes.windows(key.len()).position(|window| window == key).expect("it tells its version") + key.len();
    bytes[at] = b'2';
    fs::write(entry(home.path(), 0), bytes).expect("writable");
    assert!(here.load(recipe(0), &outputs()).is_none());
}

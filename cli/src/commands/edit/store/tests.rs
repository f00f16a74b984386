//! Against folders of models, and a hub that is played on this machine.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use darkroom_core::cache::Cache;
use darkroom_core::fault::FaultKind;
use darkroom_core::files::Files;
use darkroom_core::graph;
use darkroom_core::history::History;
use darkroom_core::plan::Wish;
use darkroom_core::residency::Ledger;
use darkroom_editor::session::{Ask, Backend, DocumentId, Local, News};
use serde_json::json;

use self::server::{COMMIT, Server, noise};
use super::*;

// The hub that the tests of the crate `hub` play.
#[allow(dead_code, reason = "it can be spoilt in more ways than are tried here")]
#[path = "../../../../../hub/tests/hub/server.rs"]
mod server;

/// Folders of one's own, and who knows what lies there.
struct Room {
    home: tempfile::TempDir,
    settings: Settings,
}

impl Room {
    fn new(server: &Server) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let settings = Settings::new(home.path().join("hub"), &server.endpoint());
        fs::create_dir_all(home.path().join("work")).expect("a folder");
        Self { home, settings }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn folders(&self) -> Folders {
        Folders {
            results: self.path("results"),
            state: self.path("state"),
            models: self.path("models"),
            config: self.path("config.ron"),
        }
    }

    fn shelves(&self) -> Shelves {
        let tuning = Tuning { chunk: 10_000, ..Tuning::default() };
        Shelves {
            folders: self.folders(),
            allow: Vec::new(),
            settings: self.settings.clone(),
            tuning,
            compute: Compute::default(),
        }
    }

    fn list(&self) -> Vec<Model> {
        self.shelves().list(Some(&self.path("work/a.ron"))).expect("it can be listed")
    }

    /// A backend over engines as the editor has them.
    fn backend(&self) -> Local {
        let (folders, settings, home) = (self.folders(), self.settings.clone(), self.path("work"));
        let ledger = Ledger::new(1 << 30);
        let open = move |path: Option<&Path>, ledger: &Arc<_>| {
            let files = Files::new(vec![home.clone()], home.join("out")).with_memo(home.join("digests.json"));
            let workflow = path.expect("it has a file");
            let files = crate::shelves::with_hub(files, &folders, workflow, settings.clone())?;
            let cache = Cache::in_memory(1 << 20);
            Ok(compose::engine(
                compose::host(files, &Compute::default()),
                cache,
                Arc::clone(ledger),
                History::in_memory(),
            ))
        };
        let store = Box::new(self.shelves());
        Local::with_store(compose::registry(), ledger, Box::new(open), || (), || 1, store)
    }
}

/// A file of zeros in half precision, under these names and shapes.
fn weights(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    for (name, shape) in tensors {
        let begin = end;
        end += 2 * shape.iter().product::<usize>();
        let about = json!({"dtype": "F16", "shape": shape, "data_offsets": [begin, end]});
        header.insert((*name).to_owned(), about);
    }
    let header = serde_json::Value::Object(header).to_string().into_bytes();
    [&(header.len() as u64).to_le_bytes()[..], &header, &vec![0; end]].concat()
}

fn lora() -> Vec<u8> {
    let to_k = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k";
    let (down, up) = (format!("{to_k}.lora_down.weight"), format!("{to_k}.lora_up.weight"));
    weights(&[(&down, &[4, 2048]), (&up, &[640, 4])])
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, bytes).expect("written");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("readable").flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copied");
        }
    }
}

/// Waits for news of a sort.
fn wait<T>(backend: &mut Local, what: &str, find: impl Fn(News) -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never came: {what}");
        if let Some(found) = backend.news().into_iter().find_map(&find) {
            return found;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn pulled(news: News) -> Option<Result<(), Fault>> {
    match news {
        News::Pulled { ended, .. } => Some(ended),
        _ => None,
    }
}

#[test]
fn models_of_all_places_are_listed_by_the_names_that_graphs_give_them() {
    let server = Server::new(&[("ink.safetensors", lora()), ("read.me", b"words".to_vec())]);
    let room = Room::new(&server);
    write(&room.path("models/loras/styles/own.safetensors"), &lora());
    write(&room.path("models/loras/broken.safetensors"), b"no weights");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../mini/weights"), &room.path("work/mini"));
    for name in ["ink.safetensors", "read.me"] {
        room.shelves().pull(&format!("hub://o/n/{name}"), &|_, _, _| (), &Cancel::new()).expect("it is there");
    }
    let all = room.list();
    let find = |name: &str| {
        all.iter().find(|model| model.name == name).unwrap_or_else(|| panic!("`{name}` is not in {all:#?}"))
    };
    for name in ["loras/styles/own.safetensors", "hub://o/n/ink.safetensors"] {
        let model = find(name);
        assert_eq!((model.sort, model.fault.as_ref()), (Some(FileSort::Lora), None));
        assert_eq!((model.family.as_deref(), model.precision.as_deref()), (Some("SDXL"), Some("F16")));
        assert!(model.needs.is_some_and(|needs| needs > 0) && model.bytes == lora().len() as u64);
    }
    let broken = find("loras/broken.safetensors");
    assert!(broken.sort == Some(FileSort::Lora) && broken.needs.is_none() && broken.fault.is_some());
    let mini = find("mini");
    assert_eq!((mini.sort, mini.precision.as_deref()), (Some(FileSort::Model), Some("F16")));
    // The parts need not be there together.
    assert!(mini.needs.is_some_and(|needs| needs > 1 << 20 && needs < mini.bytes * 2), "{mini:?}");
    assert!(!all.iter().any(|model| model.name.contains("read.me")));
}

#[test]
fn what_a_workflow_lacks_is_fetched_and_its_plan_is_made() {
    let picture = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../mini/sheet.png")).expect("it is there");
    let server = Server::new(&[("pictures/in.png", picture)]);
    let room = Room::new(&server);
    let mut backend = room.backend();
    let text = r#"(darkroom: 1, nodes: {
        "load": (type: "load_image", file: "hub://o/n/pictures/in.png"),
        "save": (type: "save_image", image: (from: "load"), name: "sheet"),
    })"#;
    let ask = |revision| Ask {
        document: DocumentId(1),
        revision,
        path: Some(room.path("work/a.ron")),
        graph: Arc::new(graph::read(text).expect("a workflow").graph),
        wish: Wish::default(),
    };
    let foreseen = |wanted| {
        move |news: News| match news {
            News::Foreseen { revision, outlook, .. } if revision == wanted => Some(outlook),
            _ => None,
        }
    };
    backend.foresee(ask(1));
    let faults = wait(&mut backend, "what is wrong", foreseen(1)).expect_err("it is not here");
    let place = &faults.0[0].place;
    assert_eq!(place.input.as_deref(), Some("file"), "{faults:?}");
    assert!(backend.can_pull("hub://o/n/pictures/in.png") && !backend.can_pull("in.png"));
    backend.pull("hub://o/n/pictures/in.png");
    wait(&mut backend, "the end of the fetch", pulled).expect("it is there");
    backend.foresee(ask(2));
    let outlook = wait(&mut backend, "what would happen", foreseen(2)).expect("nothing is missing");
    assert_eq!(outlook.runs, 2);
}

#[test]
fn a_fetch_that_was_stopped_goes_on_where_it_was() {
    const BYTES: usize = 300_000;
    let server = Server::new(&[("large.safetensors", noise(BYTES, 3))]);
    server.pace(1000, Duration::from_millis(2));
    let room = Room::new(&server);
    let mut backend = room.backend();
    let ticket = backend.pull("hub://o/n/large.safetensors");
    let (done, of) = wait(&mut backend, "bytes", |news| match news {
        News::Pulling(pulling) if pulling.done > 50_000 => Some((pulling.done, pulling.of)),
        _ => None,
    });
    assert!(done < of && of == BYTES as u64, "{done} of {of}");
    backend.cancel(ticket);
    let fault = wait(&mut backend, "the stop", pulled).expect_err("it was stopped");
    assert_eq!(fault.kind, FaultKind::Cancelled);
    let before = server.served();
    backend.pull("hub://o/n/large.safetensors");
    wait(&mut backend, "the end", pulled).expect("it is there");
    assert!(server.served() - before < BYTES as u64 - 20_000, "{} after {before}", server.served());
    let path = room.path("hub/models--o--n/snapshots").join(COMMIT).join("large.safetensors");
    assert_eq!(fs::read(path).expect("it is there"), noise(BYTES, 3));
}

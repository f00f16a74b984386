//! The workflows of `graphs/`: each reads and checks, and the gallery shows each.

use std::fs;
use std::path::{Path, PathBuf};

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("`tests` lies in the workspace")
}

fn workflows() -> Vec<PathBuf> {
    let files = fs::read_dir(workspace().join("graphs"))
        .expect("graphs/ is there")
        .map(|entry| entry.expect("readable").path());
    let mut found: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "ron")).collect();
    found.sort();
    found
}

#[test]
fn the_gallery_shows_every_workflow_that_needs_no_download() {
    let page = fs::read_to_string(workspace().join("docs/gallery.md")).expect("docs/gallery.md is there");
    for path in workflows() {
        let text = fs::read_to_string(&path).expect("readable");
        if text.contains("hub://") {
            continue;
        }
        let body: Vec<_> = text.lines().skip_while(|line| line.starts_with("//")).collect();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(page.contains(&body.join("\n")), "{name}: the gallery is older than the workflow, make it anew");
        assert!(page.contains(&format!("(pictures/gallery/{name}.")), "{name}: no picture in the gallery");
    }
    for picture in
        page.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|path| path.starts_with("pictures/"))
    {
        assert!(workspace().join("docs").join(picture).is_file(), "{picture} is missing");
    }
}

#[test]
fn every_workflow_reads_and_is_sound_but_for_what_must_be_fetched() {
    let registry = darkroom_nodes::registry();
    for path in workflows() {
        let text = fs::read_to_string(&path).expect("readable");
        let loaded = darkroom_core::graph::read(&text).unwrap_or_else(|faults| panic!("{}: {faults}", path.display()));
        let files = darkroom_core::files::Files::new(vec![workspace().join("graphs")], workspace().join("output"));
        let checked = darkroom_core::plan::check(
            &loaded.graph,
            &registry,
            &darkroom_nodes::host(files, &darkroom_models::nn::Compute::default()),
        );
        let faults = checked.err().map(|faults| faults.to_string()).unwrap_or_default();
        assert!(faults.is_empty() || text.contains("hub://") && faults.contains("is an address"), "{faults}");
    }
}

//! The workflows of `graphs/`, within the program, for the window to begin with.

use darkroom_editor::Template;

macro_rules! templates {
    ($($name:literal $([$picture:literal])?),* $(,)?) => {
        /// All of them; the first is what a window opens on.
        pub const TEMPLATES: &[Template] = &[$(Template {
            name: $name,
            text: include_str!(concat!("../../graphs/", $name, ".ron")),
            picture: [$(include_bytes!(concat!("../../docs/pictures/gallery/", $picture, ".png")).as_slice())?].first().copied(),
        }),*];
    };
}

templates![
    "landscape"["landscape"],
    "refine"["refine"],
    "remix"["remix"],
    "hires"["hires"],
    "upscale"["upscale"],
    "seeds"["seeds"],
    "matrix"["matrix"],
    "inpaint"["inpaint"],
    "outpaint"["outpaint"],
    "control"["control"],
    "subgraph"["subgraph"],
    "cyanotype"["cyanotype"],
    "sdxl",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workflow_of_the_folder_is_a_template() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../graphs");
        let files = std::fs::read_dir(folder).expect("the folder is there").map(|file| file.expect("readable").path());
        let mut names: Vec<_> = files.filter(|file| file.extension().is_some_and(|ending| ending == "ron")).collect();
        names.sort();
        let mut ours: Vec<_> = TEMPLATES.iter().map(|template| template.name).collect();
        ours.sort_unstable();
        let names: Vec<_> = names.iter().filter_map(|file| file.file_stem()?.to_str()).collect();
        assert_eq!(names, ours);
    }
}

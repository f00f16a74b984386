//! Whether a workflow fits into a budget, asked without running it.

use crate::desk::{DRAWN, Desk, Said};

/// Checks a workflow of these nodes against a budget.
fn check(desk: &Desk, nodes: &str, budget: &str) -> Said {
    desk.graph("drawn.ron", nodes);
    desk.say(&["check", "drawn.ron", "--budget", budget, "--json"])
}

/// The least bytes with which a workflow fits.
fn least(desk: &Desk, nodes: &str) -> u64 {
    check(desk, nodes, "1T").ends(0).json()["memory"]["least"].as_u64().expect("bytes")
}

#[test]
fn a_check_tells_whether_a_workflow_fits_and_runs_nothing() {
    let desk = Desk::new();
    desk.graph("drawn.ron", DRAWN);
    let fits = desk.say(&["check", "drawn.ron", "--budget", "8G"]).ends(0);
    assert!(fits.err.contains("it fits in 8.0 GiB") && fits.out.is_empty(), "{}", fits.err);
    let short = desk.say(&["check", "drawn.ron", "--budget", "1K"]).ends(4);
    assert!(short.err.contains("it does not fit in 1.0 KiB: at `prompt` "), "{}", short.err);
    assert!(short.err.contains("hint: raise the budget to "), "{}", short.err);
    let bytes = least(&desk, DRAWN);
    assert_eq!(check(&desk, DRAWN, &bytes.to_string()).ends(0).json()["ok"], true);
    let short = check(&desk, DRAWN, &(bytes - 1).to_string()).ends(4).json();
    assert_eq!((&short["ok"], &short["exit"]), (&false.into(), &4.into()));
    assert_eq!(desk.files().len(), 2, "nothing was run: {:?}", desk.files());
}

#[test]
fn what_nodes_do_to_fit_is_told() {
    let desk = Desk::new();
    let large = DRAWN.replace("width: 64, height: 64", "width: 1024, height: 1024");
    let tight = (least(&desk, &large) - 1).to_string();
    let said = check(&desk, &large, &tight).ends(0).json();
    let eased = said["eased"].as_array().expect("a list");
    assert!(
        eased.iter().any(|eased| eased["what"].as_str().is_some_and(|what| what.contains(" instead, as it "))),
        "{said}"
    );
    assert!(said["memory"]["least"].as_u64() <= tight.parse().ok(), "{said}");
    let plan = desk.say(&["explain", "drawn.ron", "--budget", &tight]).ends(0).out;
    assert!(plan.contains("it does not fit in ") && plan.contains(" instead, as it would not fit otherwise"), "{plan}");
}

#[test]
fn the_cheapest_change_is_named() {
    let desk = Desk::new();
    let sized = |size: &str| DRAWN.replace("width: 64, height: 64", size);
    let enough = least(&desk, &sized("width: 192, height: 64"));
    let said = check(&desk, &sized("width: 512, height: 256"), &enough.to_string()).ends(4);
    assert!(
        said.err.contains("it does not fit in ") && said.err.contains("hint: raise the budget to "),
        "{}",
        said.err
    );
    assert!(said.err.contains(", or draw ") && said.err.contains(" instead of 512×256 (`blank`)"), "{}", said.err);
}

#[test]
fn explain_shows_what_comes_and_goes() {
    let desk = Desk::new();
    desk.graph("drawn.ron", DRAWN);
    let plan = desk.say(&["explain", "drawn.ron", "--budget", "8G"]).ends(0);
    assert!(plan.out.contains("memory, of 8.0 GiB\n"), "{}", plan.out);
    let line = plan.out.lines().find(|line| line.trim_start().starts_with("denoise ") && line.contains('|'));
    assert!(line.is_some_and(|line| line.contains("+ denoiser of `model`")), "{}", plan.out);
    let json = desk.say(&["explain", "drawn.ron", "--json", "--budget", "8G"]).ends(0).json();
    assert_eq!((&json["memory"]["verdict"], &json["memory"]["budget"]), (&"whole".into(), &(8_u64 << 30).into()));
    let nodes = json["nodes"].as_array().expect("a list");
    let denoise = nodes.iter().find(|node| node["id"] == "denoise").expect("it runs");
    assert_eq!(denoise["need"]["loads"][0]["part"], "denoiser of `model`");
    assert_eq!(denoise["need"]["granted"], denoise["need"]["weights"]);
}

#[test]
fn the_memory_of_the_last_run_stands_beside_its_plan() {
    let desk = Desk::new();
    desk.graph("drawn.ron", DRAWN);
    let last = || desk.say(&["explain", "drawn.ron", "--last"]).ends(0).out;
    assert_eq!(last(), "no node that takes memory has run here yet: run the workflow first\n");
    desk.say(&["run", "drawn.ron"]).ends(0);
    let told = last();
    let line = |node: &str| told.lines().find(|line| line.starts_with(node)).unwrap_or_default();
    assert!(line("denoise ").contains("MiB") && line("decode ").contains("MiB"), "{told}");
    assert!(line("save ").is_empty(), "it takes nothing: {told}");
    let json = desk.say(&["explain", "drawn.ron", "--last", "--json"]).ends(0).json();
    let nodes = json["nodes"].as_array().expect("a list");
    let took = &nodes.iter().find(|node| node["id"] == "denoise").expect("a node")["took"];
    assert!(took["planned"].as_u64() >= took["booked"].as_u64(), "{took}");
    let other = desk.say(&["explain", "drawn.ron", "--last", "--set", "denoise.steps=3"]).ends(0).out;
    assert!(other.contains("(it was changed since)"), "{other}");
}

#[test]
fn sizes_that_cannot_fit_are_lowered_where_the_workflow_or_the_person_allows_it() {
    let desk = Desk::new();
    let sized = |size: &str| DRAWN.replace("width: 64, height: 64", size);
    let budget = least(&desk, &sized("width: 256, height: 192")).to_string();
    desk.graph("drawn.ron", &sized("width: 768, height: 576"));
    let safe = "safe mode: 768×576 → ";
    let plan = desk.say(&["explain", "drawn.ron", "--budget", &budget, "--on-too-large", "clamp"]).ends(0).out;
    assert!(plan.contains(safe), "{plan}");
    let json =
        desk.say(&["check", "drawn.ron", "--budget", &budget, "--on-too-large", "clamp", "--json"]).ends(0).json();
    assert!(json["safe_mode"][0].as_str().is_some_and(|text| text.starts_with(safe)), "{json}");
    // Without a word it is refused, and so are other words.
    desk.say(&["check", "drawn.ron", "--budget", &budget]).ends(4);
    desk.say(&["run", "drawn.ron", "--on-too-large", "shrink"]).ends(2);
    let run = desk.say(&["run", "drawn.ron", "--ram", &budget, "--on-too-large", "clamp"]).ends(0);
    let told = run.err.lines().find_map(|line| line.split_once(safe)).unwrap_or_else(|| panic!("{}", run.err)).1;
    let (width, height) = told.trim().split_once('×').expect("a size");
    let (width, height): (u32, u32) = (width.parse().expect("a number"), height.parse().expect("a number"));
    assert!((256..768).contains(&width) && width % 64 == 0 && height % 64 == 0, "{told}");
    // The picture has that size, and carries the workflow by which it was made.
    let picture = run.out.trim();
    let bytes = std::fs::read(desk.path(picture)).expect("it was written");
    let edge = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((edge(16), edge(20)), (width, height), "the head of a PNG");
    let carried = desk.say(&["init", "--from", picture, "carried.ron"]).ends(0);
    let text = std::fs::read_to_string(desk.path("carried.ron")).expect("it was written");
    assert!(text.contains(&format!("width: {width}, height: {height}")), "{}{text}", carried.err);
}

//! The engine, watched at work on toys and on tiny models: what runs, what does not, and why.

mod cached;
mod failing;
mod goals;
mod lanes;
mod locks;
mod loras;
mod names;
mod processes;
mod shared;
mod shared_params;
mod soaked;
mod subgraphs;
mod why;

/// Ink and a leaf make a print, whose caption is pressed onto a sheet.
const PRINT: &str = r#"(
    darkroom: 1,
    nodes: {
        "ink":     (type: "ink", colour: "sepia"),
        "word":    (type: "word", text: "a lake"),
        "shout":   (type: "shout", text: (from: "word")),
        "leaf":    (type: "grow", seed: 7),
        "print":   (type: "stamp", ink: (from: "ink"), leaf: (from: "leaf")),
        "caption": (type: "sprout", leaf: (from: "print.leaf"), prefix: (from: "shout")),
        "sheet":   (type: "press", text: (from: "caption")),
    },
)
"#;

/// Two leaves grow from seeds of their own, and each becomes a sheet.
const TWO_BRANCHES: &str = r#"(
    darkroom: 1,
    nodes: {
        "left":        (type: "grow", seed: 1),
        "left_words":  (type: "sprout", leaf: (from: "left")),
        "left_sheet":  (type: "press", text: (from: "left_words"), name: "left.txt"),
        "right":       (type: "grow", seed: 2),
        "right_words": (type: "sprout", leaf: (from: "right")),
        "right_sheet": (type: "press", text: (from: "right_words"), name: "right.txt"),
    },
)
"#;

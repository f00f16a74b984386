//! `darkroom completions` and `darkroom man`: what a shell and `man` want to know, from the same description as `--help`.

use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;
use darkroom_core::fault::{Fault, Faults};

use crate::args::Typed;
use crate::desk::Desk;

/// Prints the completions of a shell.
///
/// # Errors
/// A fault if stdout cannot be written.
pub fn completions(shell: Shell, desk: &Desk) -> Result<(), Faults> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Typed::command(), "darkroom", &mut script);
    desk.answer_text(&String::from_utf8_lossy(&script))
}

/// Prints the manual page, or writes the pages of all commands to a folder.
///
/// # Errors
/// A fault of the folder, or if stdout cannot be written.
pub fn man(folder: Option<&Path>, desk: &Desk) -> Result<(), Faults> {
    let command = Typed::command();
    let Some(folder) = folder else {
        let mut page = Vec::new();
        let made = clap_mangen::Man::new(command).render(&mut page);
        made.map_err(|error| Fault::bug(format!("the manual page cannot be made: {error}")))?;
        return desk.answer_text(&String::from_utf8_lossy(&page));
    };
    std::fs::create_dir_all(folder).map_err(|error| Fault::io("make the folder", folder, &error))?;
    clap_mangen::generate_to(command, folder).map_err(|error| Fault::io("write to", folder, &error))?;
    desk.answer(&folder.display().to_string())
}

//! What other programs are told about the command line, from the same definitions as `--help`: completions for shells
//! and the manual page.

use std::io::Write;

use anyhow::Result;
use clap::CommandFactory;

use crate::args::{Args, CompletionsArgs};
use crate::exit::{Exit, print};

/// The program's name as it is called.
const NAME: &str = "aks-periscope";

/// Prints the completions for a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> Exit {
    let CompletionsArgs { shell } = args;
    let mut script = Vec::new();
    clap_complete::generate(*shell, &mut Args::command(), NAME, &mut script);
    // In bash, the commands of a program with a hyphen in its name are looked up under another name than they are
    // listed under (clap-rs/clap#6421).
    print(&String::from_utf8_lossy(&script).replace("aks__subcmd__periscope", "aks__periscope"));
    Exit::Complete
}

/// Prints the manual page: the program, and a section for each of its commands.
pub(crate) fn page() -> Result<Exit> {
    print(&String::from_utf8_lossy(&render()?));
    Ok(Exit::Complete)
}

fn render() -> std::io::Result<Vec<u8>> {
    let mut command = Args::command();
    command.build();
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    for command in command
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
    {
        let title = command.get_name().to_uppercase();
        let man = clap_mangen::Man::new(command.clone());
        writeln!(page, ".SH {title}")?;
        for render in [
            clap_mangen::Man::render_synopsis_section,
            clap_mangen::Man::render_description_section,
            clap_mangen::Man::render_options_section,
        ] {
            let mut section = Vec::new();
            render(&man, &mut section)?;
            as_subsection(&section, &mut page)?;
        }
    }
    Ok(page)
}

/// Writes a section one level deeper.
fn as_subsection(section: &[u8], page: &mut Vec<u8>) -> std::io::Result<()> {
    for line in String::from_utf8_lossy(section).lines() {
        match line.strip_prefix(".SH ") {
            Some(title) => writeln!(page, ".SS {title}")?,
            None => writeln!(page, "{line}")?,
        }
    }
    Ok(())
}

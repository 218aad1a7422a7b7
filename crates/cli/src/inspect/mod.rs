//! The command `inspect`: looks into an archive without unpacking it.

mod choose;
mod grep;
mod list;

use std::io::{self, Write};

use anyhow::{Context, Result};
use periscope_bundle::{Member, OpenArchive};
use serde_json::json;

use self::choose::{Chosen, choose};
use self::grep::Pattern;
use crate::args::InspectArgs;
use crate::exit::{Ended, Exit, in_one_line, tell};
use crate::output::{Output, is_closed};

/// Runs the command.
pub(crate) fn run(args: InspectArgs) -> Result<Exit> {
    let InspectArgs {
        archive,
        path,
        grep,
        ignore_case,
        json,
    } = args;
    let pattern = grep.map(|text| Pattern::new(&text, ignore_case)).transpose()?;
    let archive = open(&archive)?;
    let look = Look {
        archive: &archive,
        json,
        many: false,
    };
    let mut out = Output::new();
    let done = match (path, pattern) {
        (None, None) => look.list(None, &mut out),
        (None, Some(pattern)) => look.grep(&all(&archive), &pattern, &mut out),
        (Some(path), pattern) => look.path(&path, pattern.as_ref(), &mut out),
    };
    let done = done.and_then(|exit| out.finish().map(|()| exit).map_err(Into::into));
    match done {
        // Nobody reads any more: so it is done.
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(is_closed) => Ok(Exit::Complete),
        Ok(Exit::Complete) if archive.damage().is_some() => Ok(Exit::Partial),
        done => done,
    }
}

/// Opens an archive, and tells what is strange about it.
pub(crate) fn open(path: &std::path::Path) -> Result<OpenArchive> {
    let archive = OpenArchive::open(path).map_err(|error| Ended::usage(in_one_line(&error)))?;
    for note in archive.notes() {
        tell(&format!("note: {note}"));
    }
    if let Some(damage) = archive.damage() {
        tell(&format!("warning: the archive is damaged: {damage}"));
    }
    if archive.members().is_empty() {
        return Err(Ended::usage(format!(
            "{} holds no file: expected an archive that `collect` wrote",
            path.display()
        )));
    }
    if !archive.is_random() {
        tell(
            "note: the archive has no index, as others packed it or it is cut: it is read from end to end, which takes time",
        );
    }
    Ok(archive)
}

fn all(archive: &OpenArchive) -> Vec<&Member> {
    archive.members().iter().collect()
}

/// One look into an archive.
struct Look<'a> {
    archive: &'a OpenArchive,
    json: bool,
    /// Whether each text is headed by its path.
    many: bool,
}

impl Look<'_> {
    /// Lists what is in the archive, or the part of it below a folder.
    fn list(&self, below: Option<&str>, out: &mut Output) -> Result<Exit> {
        let manifest = match self.archive.manifest() {
            Ok(manifest) => Some(manifest),
            Err(error) => {
                tell(&format!(
                    "note: states and reasons are not known: {}",
                    in_one_line(&error)
                ));
                None
            }
        };
        let rows = list::rows(self.archive, manifest.as_ref());
        let chosen = match below {
            None => rows.iter().collect(),
            Some(folder) => {
                let paths: Vec<_> = rows.iter().map(|row| row.path).collect();
                let (Chosen::Files(found) | Chosen::Folder(found)) = choose(folder, &paths)? else {
                    return Ok(Exit::NoMatch);
                };
                found
                    .into_iter()
                    .filter_map(|index| rows.get(index))
                    .collect::<Vec<_>>()
            }
        };
        if self.json {
            list::print_json(&chosen, out)?;
        } else {
            list::print(&chosen, out)?;
        }
        Ok(Exit::Complete)
    }

    /// Prints what `path` means, or the lines of it that match.
    fn path(mut self, path: &str, pattern: Option<&Pattern>, out: &mut Output) -> Result<Exit> {
        let paths: Vec<_> = self
            .archive
            .members()
            .iter()
            .map(|member| member.path.as_str())
            .collect();
        let (found, is_folder) = match choose(path, &paths)? {
            Chosen::Files(found) => (found, false),
            Chosen::Folder(found) => (found, true),
            Chosen::Nothing => return Ok(self.say_why_not(path)),
        };
        let members: Vec<_> = found
            .iter()
            .filter_map(|index| self.archive.members().get(*index))
            .collect();
        self.many = members.len() > 1;
        match pattern {
            Some(pattern) => self.grep(&members, pattern, out),
            None if is_folder || self.json => self.list(Some(path), out),
            None => self.print(&members, out),
        }
    }

    /// The manifest knows the reason for what is not there.
    fn say_why_not(&self, path: &str) -> Exit {
        let manifest = self.archive.manifest().ok();
        let item = manifest.as_ref().and_then(|manifest| list::absence(path, manifest));
        match item {
            Some(item) => {
                let reason = item.reason.as_deref().unwrap_or("no reason is recorded");
                tell(&format!(
                    "{} is not in the archive: {}: {reason}",
                    item.path, item.state
                ));
            }
            None => tell(&format!(
                "nothing in the archive is called {path:?}: `inspect` without a path lists it"
            )),
        }
        Exit::NoMatch
    }

    fn print(&self, members: &[&Member], out: &mut Output) -> Result<Exit> {
        let mut damaged = false;
        for (index, member) in members.iter().enumerate() {
            if self.many {
                let before = if index > 0 { "\n" } else { "" };
                writeln!(out, "{before}==> {} <==", member.path)?;
            }
            damaged |= self.each_piece(member, |piece| out.write_all(piece))?;
        }
        Ok(if damaged { Exit::Partial } else { Exit::Complete })
    }

    fn grep(&self, members: &[&Member], pattern: &Pattern, out: &mut Output) -> Result<Exit> {
        let (mut found, mut damaged) = (false, false);
        for member in members {
            let mut unwritten = None;
            let mut each = |number: u64, line: &[u8]| {
                found = true;
                let written = self.print_line(member, number, line, out);
                written.map_err(|error| {
                    let kind = error.kind();
                    unwritten = Some(error);
                    kind.into()
                })
            };
            let searched = self
                .archive
                .read(member)
                .and_then(|mut content| pattern.search(&mut *content, &mut each));
            if let Some(error) = unwritten {
                return Err(error.into());
            }
            if let Err(error) = searched {
                damaged = true;
                tell(&damage(member, &error));
            }
        }
        Ok(match (damaged, found) {
            (true, _) => Exit::Partial,
            (false, true) => Exit::Complete,
            (false, false) => Exit::NoMatch,
        })
    }

    fn print_line(&self, member: &Member, number: u64, line: &[u8], out: &mut Output) -> io::Result<()> {
        if self.json {
            let text = String::from_utf8_lossy(line);
            let row = json!({"path": member.path, "line": number, "text": text});
            serde_json::to_writer(&mut *out, &row)?;
        } else {
            write!(out, "{}:{number}: ", member.path)?;
            out.write_all(line)?;
        }
        writeln!(out)
    }

    /// Gives the content to `take`, piece by piece. Damage is told, and is no error; returns whether there was any.
    fn each_piece(&self, member: &Member, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> Result<bool> {
        let mut content = match self.archive.read(member) {
            Ok(content) => content,
            Err(error) => {
                tell(&damage(member, &error));
                return Ok(true);
            }
        };
        loop {
            let piece = match content.fill_buf() {
                Ok([]) => return Ok(false),
                Ok(piece) => piece,
                Err(error) => {
                    tell(&damage(member, &error));
                    return Ok(true);
                }
            };
            take(piece).context("could not print")?;
            let len = piece.len();
            content.consume(len);
        }
    }
}

fn damage(member: &Member, error: &io::Error) -> String {
    format!("warning: {} is damaged: {error}", member.path)
}

//! The only program in the image that the test cluster runs: it waits, prints, talks without end, or crashes.
//! It listens nowhere. Built alone and statically, so that its image holds this one file.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

const USAGE: &str = "usage: guest wait | print LINES | chat LINES_PER_SECOND | crash LINES EXIT_CODE | stumble MARKER_FILE LINES EXIT_CODE";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

fn run(words: &[&str]) -> Result<ExitCode, Box<dyn std::error::Error>> {
    match words {
        // Also what the sandbox of every pod runs.
        ["wait"] => wait(),
        ["print", lines] => {
            print_lines(1, lines.parse()?)?;
            Ok(ExitCode::SUCCESS)
        }
        ["chat", per_second] => chat(per_second.parse()?),
        ["crash", lines, code] => {
            print_lines(1, lines.parse()?)?;
            eprintln!("level=error msg=\"giving up\" code={code}");
            Ok(ExitCode::from(code.parse::<u8>()?))
        }
        // Crashes at its first start only, so that the log of an earlier instance stays beside the running one's.
        ["stumble", marker, lines, code] => {
            print_lines(1, lines.parse()?)?;
            if Path::new(marker).exists() {
                wait()
            }
            File::create(marker)?;
            Ok(ExitCode::from(code.parse::<u8>()?))
        }
        _ => Err(USAGE.into()),
    }
}

fn wait() -> ! {
    loop {
        thread::park();
    }
}

/// Prints numbered lines for ever, in ten bursts a second. A reader can tell from the numbers whether one is lost.
fn chat(per_second: u64) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let burst = (per_second / 10).max(1);
    let mut next = 1;
    loop {
        print_lines(next, burst)?;
        next += burst;
        thread::sleep(Duration::from_millis(100));
    }
}

fn print_lines(first: u64, count: u64) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for number in first..first + count {
        writeln!(
            out,
            "line={number} level=info msg=\"nothing out of the ordinary, the work goes on\" queue=orders depth={}",
            number % 17
        )?;
    }
    out.flush()
}

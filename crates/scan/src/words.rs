//! The words by which programs and the kernel mark a line as an error or a warning.

use crate::source::Words;
use crate::timeline::Level;

/// What programs write. Forms in quotes that are escaped are those of lines of JSON wrapped by docker.
const PROGRAMS: &[(&str, Level)] = &[
    ("level=error", Level::Error),
    ("level=ERROR", Level::Error),
    ("level=fatal", Level::Error),
    ("level=panic", Level::Error),
    ("level=warn", Level::Warning),
    ("level=WARN", Level::Warning),
    ("\"level\":\"error\"", Level::Error),
    ("\"level\":\"ERROR\"", Level::Error),
    ("\"level\":\"fatal\"", Level::Error),
    ("\"level\":\"warn", Level::Warning),
    ("\"level\":\"WARN", Level::Warning),
    ("\\\"level\\\":\\\"error\\\"", Level::Error),
    ("\\\"level\\\":\\\"ERROR\\\"", Level::Error),
    ("\\\"level\\\":\\\"fatal\\\"", Level::Error),
    ("\\\"level\\\":\\\"warn", Level::Warning),
    ("\"severity\":\"ERROR\"", Level::Error),
    ("\"severity\":\"WARNING\"", Level::Warning),
    (" ERROR ", Level::Error),
    ("[ERROR]", Level::Error),
    ("[error]", Level::Error),
    (" FATAL ", Level::Error),
    (" WARN ", Level::Warning),
    (" WARNING ", Level::Warning),
    ("[WARNING]", Level::Warning),
    ("[warn]", Level::Warning),
    ("Traceback (most recent call last)", Level::Error),
    ("goroutine 1 [running]", Level::Error),
    // systemd of the units whose journals are gathered.
    (": Failed with result", Level::Error),
    (": Main process exited, code=", Level::Warning),
    ("Failed to start ", Level::Error),
];

/// What the kernel writes, whose priorities are lost when its messages become text.
const KERNEL: &[(&str, Level)] = &[
    ("BUG: ", Level::Error),
    ("kernel BUG at ", Level::Error),
    ("Oops: ", Level::Error),
    ("Kernel panic", Level::Error),
    ("Call Trace:", Level::Error),
    ("WARNING: ", Level::Warning),
    ("I/O error", Level::Error),
    ("Out of memory", Level::Error),
    ("out of memory", Level::Error),
    ("oom-kill:", Level::Error),
    ("oom_reaper:", Level::Error),
    ("segfault at ", Level::Warning),
    ("general protection fault", Level::Error),
    ("Hardware Error", Level::Error),
    (" error ", Level::Error),
    (" error:", Level::Error),
    (" error,", Level::Error),
    (" Error: ", Level::Error),
    (" ERROR", Level::Error),
    ("blocked for more than", Level::Error),
    ("timed out", Level::Warning),
    (" failed", Level::Warning),
    ("Failed to ", Level::Warning),
    ("failed to ", Level::Warning),
    ("table full", Level::Error),
    ("table overflow", Level::Error),
    ("Link is Down", Level::Warning),
    ("link down", Level::Warning),
];

/// Fields that say that a line is less than a warning, whatever its words.
const HARMLESS: &[&str] = &[
    "level=info",
    "level=INFO",
    "level=debug",
    "\"level\":\"info",
    "\"level\":\"debug",
    "\\\"level\\\":\\\"info",
    "\\\"level\\\":\\\"debug",
    "\"severity\":\"INFO",
];

/// The literals, each with what it says of its line.
pub(crate) fn literals(words: Words) -> &'static [(&'static str, Level)] {
    match words {
        Words::Kernel => KERNEL,
        Words::Programs => PROGRAMS,
    }
}

/// The fields that say that a line is less than a warning. Asked for only in lines with one of the literals.
pub(crate) fn harmless(words: Words) -> &'static [&'static str] {
    match words {
        Words::Kernel => &[],
        Words::Programs => HARMLESS,
    }
}

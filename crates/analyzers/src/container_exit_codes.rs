//! What the exit code of a container usually means, in words.

use std::borrow::Cow;

/// What a shell adds to the number of the signal that ended a program (POSIX, 2.8.2, and every runtime).
const SIGNALS: i32 = 128;

/// What the code, and where given the runtime's word for it, stand for.
pub(crate) fn meaning(code: i32, reason: &str) -> Cow<'static, str> {
    // The kubelet's and the runtime's own words, where no program of the container ran.
    match reason {
        "StartError" | "ContainerCannotRun" | "RunContainerError" | "CreateContainerError" => {
            return "it could not be started".into();
        }
        _ => {}
    }
    let words = match code {
        0 => "it ended by itself, without an error",
        1 => "an error of the application",
        2 => "an error of the application, or wrong arguments",
        125 => "the container could not be run",
        126 => "its command may not be executed or is no program",
        127 => "its command does not exist",
        130 => "SIGINT: somebody interrupted it",
        131 => "SIGQUIT: it was asked for a dump, and ended",
        132 => "SIGILL: an instruction that this processor does not have",
        134 => "SIGABRT: it gave up by itself, on a failed assertion or a fatal error of its runtime",
        135 => "SIGBUS: memory that is not there, such as a full /dev/shm",
        136 => "SIGFPE: a wrong calculation, such as a division by zero",
        137 => "SIGKILL: killed from outside, after a failed liveness probe, for want of memory, or by hand",
        139 => "SIGSEGV: a fault in the program's use of memory",
        141 => "SIGPIPE: nobody read what it wrote",
        143 => "SIGTERM: asked to end, after a failed liveness probe, an eviction, or by hand",
        159 => "SIGSYS: a system call that its seccomp profile forbids",
        255 => "an error that the program or the runtime gives no number for",
        129..=192 => return format!("ended by signal {}", code - SIGNALS).into(),
        _ => "a number of the application's own",
    };
    words.into()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::meaning;

    #[rstest]
    #[case::success(0, "Completed", "without an error")]
    #[case::of_the_application(1, "Error", "an error of the application")]
    #[case::no_such_command(127, "Error", "does not exist")]
    #[case::not_started(128, "StartError", "could not be started")]
    #[case::aborted(134, "Error", "SIGABRT")]
    #[case::killed(137, "Error", "SIGKILL")]
    #[case::fault(139, "Error", "SIGSEGV")]
    #[case::asked(143, "Error", "SIGTERM")]
    #[case::any_signal(138, "Error", "signal 10")]
    #[case::its_own(42, "Error", "of the application's own")]
    #[case::last(255, "Unknown", "no number")]
    fn codes_in_words(#[case] code: i32, #[case] reason: &str, #[case] words: &str) {
        assert!(meaning(code, reason).contains(words), "{}", meaning(code, reason));
    }
}

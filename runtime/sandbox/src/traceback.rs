//! Where a guest was when it ended, for people: function names from the component, then its last words on
//! stderr. Line numbers of frames are left out, since reading debug information takes milliseconds that a
//! failing guest would make its neighbours wait; the offsets are enough to look them up later.

use std::fmt::Write;

use rustc_demangle::demangle;
use wasmtime::WasmBacktrace;

/// How many frames of a trap are recorded.
pub(crate) const MAX_FRAMES: usize = 50;

/// What Rust calls between the line that panics and the trap.
const PANIC_MACHINERY: [&str; 7] = [
    "panicking::",
    "rust_begin_unwind",
    "rust_panic",
    "alloc::handle_alloc_error",
    "alloc::raw_vec::handle_error",
    "option::unwrap_failed",
    "result::unwrap_failed",
];

/// Rust ends a panic's message with advice that nobody can follow here: guests have no environment.
const RUST_HINT: &str = "note: run with `RUST_BACKTRACE=1`";

/// Frames with the outermost first, as Python shows them, then the end of stderr.
pub(crate) fn traceback(error: &wasmtime::Error, stderr: &str) -> String {
    let mut text = String::new();
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
        text.push_str("Traceback (most recent call last):\n");
        write_frames(&mut text, backtrace);
    }
    for line in stderr.trim().lines().filter(|line| !line.starts_with(RUST_HINT)) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Whether there were more frames than are recorded.
pub(crate) fn is_deep(error: &wasmtime::Error) -> bool {
    error.downcast_ref::<WasmBacktrace>().is_some_and(|backtrace| backtrace.frames().len() == MAX_FRAMES)
}

fn write_frames(text: &mut String, backtrace: &WasmBacktrace) {
    let frames = backtrace.frames();
    if frames.len() == MAX_FRAMES {
        text.push_str("  ...\n");
    }
    let names: Vec<String> = frames
        .iter()
        .map(|frame| frame.func_name().map_or("?".to_owned(), |name| format!("{:#}", demangle(name))))
        .collect();
    let first = culprit(&names);
    let mut repeated = 0;
    for index in (first..frames.len()).rev() {
        if names.get(index + 1) == Some(&names[index]) && index + 1 < frames.len() {
            repeated += 1;
            continue;
        }
        write_repeated(text, &mut repeated);
        match frames[index].module_offset() {
            Some(offset) => writeln!(text, "  in {} (+{offset:#x})", names[index]),
            None => writeln!(text, "  in {}", names[index]),
        }
        .expect("a string takes everything");
    }
    write_repeated(text, &mut repeated);
}

fn write_repeated(text: &mut String, repeated: &mut usize) {
    if *repeated > 0 {
        writeln!(text, "  [previous frame repeated {repeated} more times]")
            .expect("a string takes everything");
        *repeated = 0;
    }
}

/// The innermost frame that is not part of the panic itself.
fn culprit(names: &[String]) -> usize {
    let machinery = |name: &String| PANIC_MACHINERY.iter().any(|part| name.contains(part));
    match names.iter().rposition(machinery) {
        Some(last) if last + 1 < names.len() => last + 1,
        _ => 0,
    }
}

/// The message of the last panic on stderr:
///
/// ```text
/// thread '<unnamed>' panicked at src/lib.rs:7:5:
/// the message
/// note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
/// ```
pub(crate) fn panic_message(stderr: &str) -> Option<String> {
    let (_, panic) = stderr.rsplit_once("panicked at ")?;
    let (_place, rest) = panic.split_once('\n')?;
    let message: Vec<&str> = rest.lines().take_while(|line| !line.starts_with(RUST_HINT)).collect();
    let message = message.join("\n").trim().to_owned();
    (!message.is_empty()).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_panic_message_may_have_several_lines() {
        let stderr = "before\nthread '<unnamed>' (1) panicked at src/lib.rs:7:5:\none\ntwo\nnote: run with `RUST_BACKTRACE=1` to see more\n";
        assert_eq!(panic_message(stderr).as_deref(), Some("one\ntwo"));
    }

    #[test]
    fn other_words_on_stderr_are_no_panic() {
        assert_eq!(panic_message("memory allocation of 8 bytes failed\n"), None);
        assert_eq!(panic_message("panicked at "), None);
    }

    #[test]
    fn the_panic_machinery_is_not_the_culprit() {
        let frames =
            names(&["abort", "std::panicking::panic_with_hook", "core::panicking::panic_fmt", "mail::send"]);
        assert_eq!(culprit(&frames), 3);
        assert_eq!(culprit(&names(&["mail::send", "run"])), 0);
        assert_eq!(culprit(&names(&["core::panicking::panic_fmt"])), 0);
    }
}

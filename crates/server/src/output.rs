//! What commands print. Whoever reads it may stop early, as `head` does, which is no failure.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};

/// As a shell tells of a program that SIGPIPE ended.
const READER_LEFT: i32 = 128 + 13;

/// Prints a line, as `println!` does.
macro_rules! say {
    ($($words:tt)*) => {
        $crate::output::print(format_args!("{}\n", format_args!($($words)*)))
    };
}

/// Prints a text without a line end, as `print!` does.
macro_rules! say_part {
    ($($words:tt)*) => { $crate::output::print(format_args!($($words)*)) };
}

/// Prints to the standard output. Ends the program when that is closed, or cannot take it.
pub(crate) fn print(words: Arguments<'_>) {
    let Err(error) = std::io::stdout().write_fmt(words) else { return };
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(READER_LEFT);
    }
    eprintln!("tonnage: the output cannot be written: {error}");
    std::process::exit(1);
}

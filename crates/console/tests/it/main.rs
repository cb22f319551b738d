//! The console on a registry in this process: who is let in, what each page is made of, and what
//! forms do. `tests/clients/test_console.py` looks at it in a browser.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it is set up")]

mod all_pages;
mod browser;
mod pages;
mod recorded;
mod sessions;

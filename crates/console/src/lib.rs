//! Pages for people. They are made whole on the server, work without scripts, and load nothing from
//! elsewhere. Each runs one operation of the domain, as every front end does.

mod assets;
mod chart;
pub mod console;
mod format;
pub mod gallery;
mod layout;
mod markdown;

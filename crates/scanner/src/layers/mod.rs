//! From the bytes of layers to the packages of an image.
//!
//! A layer is read once: [`index_layer`] makes an index of what it holds and what it hides of the
//! layers below it. [`squash`] puts the indexes of an image's layers on top of one another, which
//! takes no more than a moment, however large the layers are.
//!
//! What is found is what is installed: the databases of dpkg, apk and RPM, the metadata that
//! installers of languages leave, and what executables say of themselves. Nothing is extracted, no
//! name of a layer ever becomes the name of a file, and links are not followed. An image can hide
//! what it has; the inventory says what an honest image contains.
//!
//! ```
//! use tonnage_scanner::layers::{Limits, MemoryFiles, index_layer, squash};
//!
//! let nothing = [0; 1024];
//! let scratch = MemoryFiles::new(1 << 20);
//! let index = index_layer(&nothing[..], None, &Limits::default(), &scratch, &mut || true)?;
//! assert!(squash([&index]).packages.is_empty());
//! # Ok::<(), tonnage_scanner::layers::LayerError>(())
//! ```

mod apk;
mod bytes;
mod collect;
mod compression;
mod dpkg;
mod elf;
mod error;
mod files;
mod index;
mod languages;
mod limits;
mod lines;
mod os_release;
mod paths;
mod rpm;
mod scratch;
mod squash;
mod tar;
mod walk;
mod zip;

pub use error::LayerError;
pub(crate) use files::read_files;
pub use index::{INDEXER_VERSION, IndexDecodeError, LayerIndex, WARNINGS_MAX, Warning};
pub use limits::Limits;
pub use scratch::{MemoryFiles, Scratch, ScratchFile, TemporaryFiles};
pub use squash::{Inventory, squash};
pub use walk::index_layer;

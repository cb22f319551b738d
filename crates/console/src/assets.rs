//! Files that pages load. Their names have a digest of their bytes, so that caches may keep them for
//! good.

use std::sync::LazyLock;

use tonnage_domain::names::{Algorithm, Digest};

/// Where they are.
pub(crate) const PREFIX: &str = "/assets/";

/// A file that pages load.
pub(crate) struct Asset {
    /// The path of its URL.
    pub(crate) path: String,
    pub(crate) media_type: &'static str,
    pub(crate) bytes: &'static [u8],
}

/// What is the same for equal bytes, short enough for a name.
pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    Digest::of(Algorithm::Sha256, bytes).as_str().chars().skip("sha256:".len()).take(16).collect()
}

/// What is the same for equal bytes, and tells nothing of them.
pub(crate) fn fingerprint_long(bytes: &[u8]) -> String {
    Digest::of(Algorithm::Sha256, bytes).as_str().chars().skip("sha256:".len()).collect()
}

fn asset(name: &str, extension: &str, media_type: &'static str, bytes: &'static [u8]) -> Asset {
    let path = format!("{PREFIX}{name}-{}.{extension}", fingerprint(bytes));
    Asset { path, media_type, bytes }
}

pub(crate) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    asset("gallery", "css", "text/css; charset=utf-8", include_bytes!("../assets/gallery.css"))
});
pub(crate) static CONSOLE_STYLE: LazyLock<Asset> = LazyLock::new(|| {
    asset("console", "css", "text/css; charset=utf-8", include_bytes!("../assets/console.css"))
});
pub(crate) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    asset("pages", "js", "text/javascript; charset=utf-8", include_bytes!("../assets/pages.js"))
});
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| asset("icon", "svg", "image/svg+xml", include_bytes!("../assets/icon.svg")));

/// The file at a path.
pub(crate) fn find(path: &str) -> Option<&'static Asset> {
    [&*STYLE, &*CONSOLE_STYLE, &*SCRIPT, &*ICON].into_iter().find(|asset| asset.path == path)
}

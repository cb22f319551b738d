//! Paths: reading one ends, and what is read is the path again.

use tonnage_api::oci::routes::{Route, parse};

/// Reads `data` as a path.
pub fn target(data: &[u8]) {
    let Ok(path) = std::str::from_utf8(data) else { return };
    let Some(route) = parse(path) else { return };
    let again = match route {
        Route::Ping => "/v2/".to_owned(),
        Route::Catalog => "/v2/_catalog".to_owned(),
        Route::Tags { name } => format!("/v2/{name}/tags/list"),
        Route::Manifest { name, reference } => format!("/v2/{name}/manifests/{reference}"),
        Route::Blob { name, digest } => format!("/v2/{name}/blobs/{digest}"),
        Route::Uploads { name } => format!("/v2/{name}/blobs/uploads/"),
        Route::Upload { name, id } => format!("/v2/{name}/blobs/uploads/{id}"),
        Route::Referrers { name, digest } => format!("/v2/{name}/referrers/{digest}"),
    };
    // The slash at the end of two paths may be left out.
    assert_eq!(again.trim_end_matches('/'), path.trim_end_matches('/'), "{route:?}");
    assert_eq!(parse(&again), Some(route), "{again}");
}

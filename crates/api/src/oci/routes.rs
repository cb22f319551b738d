//! Paths under `/v2/`. A repository name may have parts called `blobs` or `manifests`, so paths
//! are read from the right.

use super::profile::Rules;

/// A path of the distribution specification. Names and references are as the client sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'p> {
    /// `/v2/` (end-1).
    Ping,
    /// `/v2/_catalog`.
    Catalog,
    /// `/v2/{name}/tags/list` (end-8).
    Tags {
        /// The repository.
        name: &'p str,
    },
    /// `/v2/{name}/manifests/{reference}` (end-3, end-7, end-9).
    Manifest {
        /// The repository.
        name: &'p str,
        /// The tag or digest.
        reference: &'p str,
    },
    /// `/v2/{name}/blobs/{digest}` (end-2).
    Blob {
        /// The repository.
        name: &'p str,
        /// The digest.
        digest: &'p str,
    },
    /// `/v2/{name}/blobs/uploads/` (end-4, end-11).
    Uploads {
        /// The repository.
        name: &'p str,
    },
    /// `/v2/{name}/blobs/uploads/{id}` (end-5, end-6, end-13).
    Upload {
        /// The repository.
        name: &'p str,
        /// The upload.
        id: &'p str,
    },
    /// `/v2/{name}/referrers/{digest}` (end-12).
    Referrers {
        /// The repository.
        name: &'p str,
        /// The digest of the subject.
        digest: &'p str,
    },
}

impl Route<'_> {
    /// The methods of the path.
    pub(super) fn methods(self, rules: &Rules) -> &'static str {
        match self {
            Self::Ping | Self::Catalog | Self::Tags { .. } | Self::Referrers { .. } => "GET, HEAD",
            Self::Manifest { .. } => "GET, HEAD, PUT, DELETE",
            Self::Blob { .. } if rules.blob_delete => "GET, HEAD, DELETE",
            Self::Blob { .. } => "GET, HEAD",
            Self::Uploads { .. } => "POST",
            Self::Upload { .. } => "GET, HEAD, PATCH, PUT, DELETE",
        }
    }
}

/// Every path of the distribution specification that is served, with its methods and the
/// operations of the domain they run.
pub const ROUTES: &[(&str, &[(&str, &str)])] = &[
    ("/v2/", &[("GET", ""), ("HEAD", "")]),
    ("/v2/_catalog", &[("GET", "ListCatalog"), ("HEAD", "ListCatalog")]),
    ("/v2/{name}/tags/list", &[("GET", "ListTags"), ("HEAD", "ListTags")]),
    (
        "/v2/{name}/manifests/{reference}",
        &[
            ("GET", "GetManifest"),
            ("HEAD", "GetManifest"),
            ("PUT", "PutImage"),
            ("DELETE", "DeleteManifest"),
        ],
    ),
    (
        "/v2/{name}/blobs/{digest}",
        &[("GET", "GetBlob"), ("HEAD", "HeadBlob"), ("DELETE", "DeleteBlob")],
    ),
    ("/v2/{name}/blobs/uploads/", &[("POST", "InitiateLayerUpload")]),
    (
        "/v2/{name}/blobs/uploads/{id}",
        &[
            ("GET", "DescribeUpload"),
            ("HEAD", "DescribeUpload"),
            ("PATCH", "UploadLayerPart"),
            ("PUT", "CompleteLayerUpload"),
            ("DELETE", "CancelUpload"),
        ],
    ),
    (
        "/v2/{name}/referrers/{digest}",
        &[("GET", "ListImageReferrers"), ("HEAD", "ListImageReferrers")],
    ),
];

/// Reads a path; `None` when it is none of the specification's.
pub fn parse(path: &str) -> Option<Route<'_>> {
    if matches!(path, "/v2" | "/v2/") {
        return Some(Route::Ping);
    }
    let rest = path.strip_prefix("/v2/")?;
    if rest == "_catalog" {
        return Some(Route::Catalog);
    }
    if let Some(name) = rest.strip_suffix("/tags/list") {
        return Some(Route::Tags { name }).filter(|_| !name.is_empty());
    }
    if let Some(name) =
        rest.strip_suffix("/blobs/uploads/").or_else(|| rest.strip_suffix("/blobs/uploads"))
    {
        return Some(Route::Uploads { name }).filter(|_| !name.is_empty());
    }
    let (before, last) = rest.rsplit_once('/')?;
    if last.is_empty() {
        return None;
    }
    let route = if let Some(name) = before.strip_suffix("/blobs/uploads") {
        Route::Upload { name, id: last }
    } else if let Some(name) = before.strip_suffix("/manifests") {
        Route::Manifest { name, reference: last }
    } else if let Some(name) = before.strip_suffix("/blobs") {
        Route::Blob { name, digest: last }
    } else if let Some(name) = before.strip_suffix("/referrers") {
        Route::Referrers { name, digest: last }
    } else {
        return None;
    };
    Some(route)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::profile::Profile;
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<Route<'_>>) {
        assert_eq!(parse(path), expected, "{path}");
    }

    #[test]
    fn paths_are_read_from_the_right() {
        const D: &str = "sha256:abc";
        check("/v2", Some(Route::Ping));
        check("/v2/", Some(Route::Ping));
        check("/v2/_catalog", Some(Route::Catalog));
        check("/v2/a/tags/list", Some(Route::Tags { name: "a" }));
        check("/v2/a/b/tags/list", Some(Route::Tags { name: "a/b" }));
        check("/v2/a/tags/list/tags/list", Some(Route::Tags { name: "a/tags/list" }));
        check("/v2/a/manifests/latest", Some(Route::Manifest { name: "a", reference: "latest" }));
        check(
            "/v2/manifests/manifests/manifests",
            Some(Route::Manifest { name: "manifests", reference: "manifests" }),
        );
        check("/v2/a/blobs/sha256:abc", Some(Route::Blob { name: "a", digest: D }));
        check("/v2/a/blobs/uploads", Some(Route::Uploads { name: "a" }));
        check("/v2/a/blobs/uploads/", Some(Route::Uploads { name: "a" }));
        check("/v2/a/blobs/uploads/x", Some(Route::Upload { name: "a", id: "x" }));
        check(
            "/v2/blobs/uploads/blobs/uploads/x",
            Some(Route::Upload { name: "blobs/uploads", id: "x" }),
        );
        check("/v2/a/referrers/sha256:abc", Some(Route::Referrers { name: "a", digest: D }));
        for path in [
            "/v2x",
            "/v2/a",
            "/v2/a/",
            "/v2//tags/list",
            "/v2/tags/list",
            "/v2/a/manifests/",
            "/v2/manifests/x",
        ] {
            check(path, None);
        }
    }

    /// The row of [`ROUTES`]; a new route has no arm here until it has a row.
    fn row(route: Route<'_>) -> usize {
        match route {
            Route::Ping => 0,
            Route::Catalog => 1,
            Route::Tags { .. } => 2,
            Route::Manifest { .. } => 3,
            Route::Blob { .. } => 4,
            Route::Uploads { .. } => 5,
            Route::Upload { .. } => 6,
            Route::Referrers { .. } => 7,
        }
    }

    #[test]
    fn the_table_has_every_route_with_its_methods() {
        for (index, (path, methods)) in ROUTES.iter().enumerate() {
            let path = path
                .replace("{name}", "team/app")
                .replace("{reference}", "v1")
                .replace("{digest}", "sha256:abc")
                .replace("{id}", "x");
            let route = parse(&path).unwrap();
            assert_eq!(row(route), index, "{path}");
            let methods: Vec<&str> = methods.iter().map(|(method, _)| *method).collect();
            assert_eq!(route.methods(Profile::Specification.rules()), methods.join(", "), "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_panics(path in "(/v2/)?[a-z/_.-]{0,40}(/(tags|list|manifests|blobs|uploads|referrers)){0,4}/?") {
            let _ = parse(&path);
        }
    }
}

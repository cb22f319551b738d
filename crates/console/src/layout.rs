//! What every page of the gallery has around it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use tonnage_domain::gallery::listings::Publisher;

use crate::assets::{ICON, SCRIPT, STYLE};

/// What a page says of itself.
pub(crate) struct Page<'p> {
    /// What it is about, before the name of the gallery.
    pub(crate) title: Option<&'p str>,
    /// One sentence for search engines.
    pub(crate) description: &'p str,
    /// Its one address, for search engines; none where it shall not be found.
    pub(crate) canonical: Option<String>,
    /// What stands in the search box; none where the page has one of its own.
    pub(crate) query: Option<&'p str>,
    pub(crate) content: Markup,
}

/// The name of the gallery.
const NAME: &str = "Public gallery";
/// Characters of a description that search engines show.
const DESCRIPTION_MAX: usize = 300;

pub(crate) fn render(page: &Page<'_>) -> String {
    let title = page.title.map_or_else(|| NAME.to_owned(), |title| format!("{title} – {NAME}"));
    let description: String = page.description.chars().take(DESCRIPTION_MAX).collect();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="description" content=(description);
                meta name="color-scheme" content="light dark";
                @match &page.canonical {
                    Some(canonical) => {
                        link rel="canonical" href=(canonical);
                        meta property="og:title" content=(title);
                        meta property="og:description" content=(description);
                        meta property="og:type" content="website";
                        meta property="og:url" content=(canonical);
                    }
                    None => { meta name="robots" content="noindex"; }
                }
                link rel="icon" type="image/svg+xml" href=(ICON.path);
                link rel="stylesheet" href=(STYLE.path);
                script defer src=(SCRIPT.path) {}
            }
            body {
                a.skip href="#content" { "Skip to content" }
                header.top {
                    div.wide {
                        a.brand href="/" { img src=(ICON.path) alt="" width="28" height="28"; (NAME) }
                        @if let Some(query) = page.query {
                            (search_box(query, "top-search"))
                        }
                    }
                }
                main id="content" tabindex="-1" { div.wide { (page.content) } }
                footer.bottom {
                    div.wide {
                        p { "Everybody may pull what is shown here, without an account. Served by Tonnage." }
                    }
                }
            }
        }
    };
    markup.into_string()
}

/// A search box as a form of its own.
pub(crate) fn search_box(query: &str, id: &str) -> Markup {
    html! {
        form role="search" action="/search" method="get" aria-label="Repositories" {
            div.field {
                label.hidden for=(id) { "Search repositories" }
                input id=(id) type="search" name="q" value=(query) maxlength="200"
                    placeholder="Search repositories" autocomplete="off" spellcheck="false";
                button type="submit" { "Search" }
            }
        }
    }
}

/// The way back, from the gallery down to what the page is about.
pub(crate) fn crumbs(links: &[(&str, String)], here: &str) -> Markup {
    html! {
        nav aria-label="Breadcrumb" {
            ol.crumbs {
                @for (name, address) in links { li { a href=(address) { (name) } } }
                li aria-current="page" { (here) }
            }
        }
    }
}

/// The sign of owners who are known: the domain that they have proven, or that the operator says so.
pub(crate) fn verified(publisher: &Publisher) -> Markup {
    let domain = publisher.domain.as_ref();
    let title = match domain {
        Some(domain) => format!("Whoever publishes this has proven to have the domain {domain}."),
        None => "The operator of this registry knows who publishes this.".to_owned(),
    };
    html! {
        @if publisher.verified { span.verified title=(title) {
            (PreEscaped("<svg viewBox=\"0 0 16 16\" aria-hidden=\"true\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2.2\" stroke-linecap=\"round\" stroke-linejoin=\"round\"><path d=\"M3 8.5l3.2 3.2L13 4.8\"/></svg>"))
            @match domain { Some(domain) => { span.hidden { "Verified: " } (domain) } None => "Verified" }
        } }
    }
}

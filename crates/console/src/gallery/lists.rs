//! Pages that are lists: home, search, a publisher.

use std::fmt::Write as _;

use maud::{Markup, html};
use tonnage_domain::gallery::listings::{Home, Listing, Publisher, PublisherSummary};
use tonnage_domain::gallery::search::{Found, OFFSET_MAX, SearchGallery, Sort};
use tonnage_domain::gallery::view_publisher::PublisherView;
use tonnage_domain::gallery::{Architecture, OperatingSystem};

use super::{Visit, publisher_path, pulls, repository_path};
use crate::format;
use crate::layout::{self, Page, crumbs, search_box, verified};

/// Repositories of a page of a result.
const FOUND: u32 = 20;
/// Characters of a query that are looked at.
const TEXT_MAX: usize = 200;

pub(super) fn home(visit: &Visit<'_>, home: &Home) -> String {
    let content = html! {
        div.hero {
            h1 { "Images that everybody may pull" }
            p { "Find container images of this registry. No account, no login." }
            (search_box("", "search"))
        }
        @if home.newest.is_empty() {
            section {
                div.empty {
                    h2 { "Nothing is published yet" }
                    p { "A repository appears here with its first tag. Whoever has an account publishes one so:" }
                    pre tabindex="0" { code {
                        "aws ecr-public create-repository --repository-name my-app\n"
                        "aws ecr-public get-login-password | docker login --username AWS --password-stdin " (visit.authority) "\n"
                        "docker push " (visit.authority) "/ALIAS/my-app:latest"
                    } }
                    p.quiet { "The first command says the ALIAS." }
                }
            }
        } @else {
            section aria-labelledby="pulled" {
                div.section-head {
                    h2 #pulled { "Most pulled" }
                    a href="/search?sort=pulls" { "All by pulls" }
                }
                (cards(&home.most_pulled))
            }
            section aria-labelledby="newest" {
                div.section-head {
                    h2 #newest { "Newest" }
                    a href="/search?sort=updated" { "All by date" }
                }
                (cards(&home.newest))
            }
            section aria-labelledby="publishers" {
                div.section-head { h2 #publishers { "Publishers" } }
                ul.cards { @for summary in &home.publishers { li.card { (publisher_card(summary)) } } }
            }
        }
    };
    layout::render(&Page {
        title: None,
        description: "Container images that everybody may pull, without an account.",
        canonical: Some(visit.address("/")),
        query: None,
        content,
    })
}

fn publisher_card(summary: &PublisherSummary) -> Markup {
    let publisher = &summary.publisher;
    html! {
        div.card-head {
            (initial(shown_name(publisher)))
            div {
                h3 { a href={ "/" (publisher.alias) } { (shown_name(publisher)) } }
                @if publisher.display_name.is_some() { p.by { (publisher.alias) } }
            }
        }
        @if publisher.verified { div { (verified(publisher)) } }
        ul.facts {
            li { (format::count(summary.repositories, "repository", "repositories")) }
            li { (pulls(summary.pulls)) }
        }
    }
}

/// The name for people, else that of URIs.
pub(super) fn shown_name(publisher: &Publisher) -> &str {
    publisher.display_name.as_deref().unwrap_or(publisher.alias.as_str())
}

/// A logo, or what stands for one.
pub(super) fn logo(listing: &Listing, class: &str) -> Markup {
    match &listing.logo_id {
        Some(logo_id) => html! {
            img class=(class) width="80" height="80" loading="lazy" alt=""
                src={ "/logos" (repository_path(listing)) "/" (logo_id) ".png" };
        },
        None => html! { span class=(class) aria-hidden="true" { (first(listing.name.as_str())) } },
    }
}

fn initial(name: &str) -> Markup {
    html! { span.logo aria-hidden="true" { (first(name)) } }
}

fn first(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.chars().next().map(String::from).unwrap_or_default()
}

pub(super) fn badges(listing: &Listing) -> Markup {
    let names = listing.operating_systems.iter().chain(&listing.architectures);
    html! {
        @if !(listing.operating_systems.is_empty() && listing.architectures.is_empty()) {
            ul.badges aria-label="Platforms" { @for name in names { li.badge { (name) } } }
        }
    }
}

fn cards(listings: &[Listing]) -> Markup {
    html! { ul.cards { @for listing in listings { li.card { (card(listing)) } } } }
}

fn card(listing: &Listing) -> Markup {
    html! {
        div.card-head {
            (logo(listing, "logo"))
            div {
                h3 { a href=(repository_path(listing)) { (listing.name) } }
                p.by { "by " (shown_name(&listing.publisher)) }
            }
        }
        @if listing.publisher.verified { div { (verified(&listing.publisher)) } }
        @match &listing.description {
            Some(text) => p.about { (text) },
            None => p."about"."quiet" { "No description." },
        }
        (badges(listing))
        ul.facts {
            li { (pulls(listing.pulls)) }
            li {
                @if listing.tag_count == 0 { "Nothing pushed yet" } @else { "Updated " (format::day(listing.updated_at)) }
            }
        }
    }
}

/// What a query of the search page says.
#[derive(Debug, Default)]
pub(super) struct Query {
    text: String,
    operating_system: Option<OperatingSystem>,
    architecture: Option<Architecture>,
    verified: bool,
    sort: Sort,
    /// From 1.
    page: u32,
}

impl Query {
    /// What it does not know it takes for nothing, as addresses get old.
    pub(super) fn read(visit: &Visit<'_>) -> Self {
        let system = visit.query("os").unwrap_or_default();
        let architecture = visit.query("arch").unwrap_or_default();
        Self {
            text: visit.query("q").unwrap_or_default().chars().take(TEXT_MAX).collect(),
            operating_system: OperatingSystem::ALL.into_iter().find(|known| known.name() == system),
            architecture: Architecture::ALL.into_iter().find(|known| known.name() == architecture),
            verified: visit.query("verified").is_some(),
            sort: match visit.query("sort").as_deref() {
                Some("pulls") => Sort::Pulls,
                Some("updated") => Sort::Updated,
                _ => Sort::Relevance,
            },
            page: visit.query("page").and_then(|page| page.parse().ok()).unwrap_or(1),
        }
    }

    /// Nothing for a page that is too far.
    pub(super) fn operation(&self) -> Option<SearchGallery> {
        let offset = self.page.checked_sub(1)?.checked_mul(FOUND)?;
        (offset <= OFFSET_MAX).then(|| SearchGallery {
            text: self.text.clone(),
            operating_system: self.operating_system,
            architecture: self.architecture,
            verified: self.verified,
            sort: self.sort,
            offset,
            limit: FOUND,
        })
    }

    fn sort_name(&self) -> &'static str {
        match self.sort {
            Sort::Relevance => "relevance",
            Sort::Pulls => "pulls",
            Sort::Updated => "updated",
        }
    }

    fn is_filtered(&self) -> bool {
        self.operating_system.is_some() || self.architecture.is_some() || self.verified
    }

    fn address(&self, page: u32) -> String {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("q", &self.text);
        if let Some(system) = self.operating_system {
            pairs.append_pair("os", system.name());
        }
        if let Some(architecture) = self.architecture {
            pairs.append_pair("arch", architecture.name());
        }
        if self.verified {
            pairs.append_pair("verified", "yes");
        }
        pairs.append_pair("sort", self.sort_name());
        if page > 1 {
            pairs.append_pair("page", &page.to_string());
        }
        format!("/search?{}", pairs.finish())
    }
}

pub(super) fn search(visit: &Visit<'_>, query: &Query, found: &Found) -> String {
    let title = match query.text.as_str() {
        "" => "All repositories".to_owned(),
        text => format!("Search for “{text}”"),
    };
    let content = html! {
        h1 { (title) }
        (search_form(query))
        section aria-labelledby="result" {
            div.section-head { h2 #result { (result_title(found)) } }
            @if found.items.is_empty() { (nothing_found(visit, query)) } @else { (cards(&found.items)) }
            @if query.page > 1 || found.more {
                nav.pages aria-label="Pages" {
                    @if query.page > 1 { a rel="prev" href=(query.address(query.page - 1)) { "Previous" } }
                    span.quiet { "Page " (query.page) }
                    @if found.more { a rel="next" href=(query.address(query.page + 1)) { "Next" } }
                }
            }
        }
    };
    layout::render(&Page {
        title: Some(&title),
        description: "Search container images that everybody may pull.",
        canonical: None,
        query: None,
        content,
    })
}

fn result_title(found: &Found) -> String {
    match (found.total, found.items.len()) {
        (Some(total), _) => format::count(total, "repository", "repositories"),
        (None, 0) => "0 repositories".to_owned(),
        (None, _) => "Many repositories".to_owned(),
    }
}

fn search_form(query: &Query) -> Markup {
    let sorts =
        [("relevance", "Best match"), ("pulls", "Most pulled"), ("updated", "Last updated")];
    html! {
        form role="search" action="/search" method="get" aria-label="Repositories, with filters" {
            div.filters {
                div.field {
                    label.hidden for="q" { "Search repositories" }
                    input #q type="search" name="q" value=(query.text) maxlength=(TEXT_MAX)
                        placeholder="Name, publisher, description or tag" autocomplete="off" spellcheck="false";
                }
            }
            div.filters {
                div.choice {
                    label for="os" { "Operating system" }
                    select #os name="os" {
                        option value="" { "Any" }
                        @for system in OperatingSystem::ALL {
                            option value=(system.name()) selected[query.operating_system == Some(system)] { (system.name()) }
                        }
                    }
                }
                div.choice {
                    label for="arch" { "Architecture" }
                    select #arch name="arch" {
                        option value="" { "Any" }
                        @for architecture in Architecture::ALL {
                            option value=(architecture.name()) selected[query.architecture == Some(architecture)] { (architecture.name()) }
                        }
                    }
                }
                div.choice {
                    label for="sort" { "Order" }
                    select #sort name="sort" {
                        @for (value, name) in sorts {
                            option value=(value) selected[query.sort_name() == value] { (name) }
                        }
                    }
                }
                label.check {
                    input type="checkbox" name="verified" value="yes" checked[query.verified];
                    "Verified publishers only"
                }
                button type="submit" { "Search" }
            }
        }
    }
}

fn nothing_found(visit: &Visit<'_>, query: &Query) -> Markup {
    html! {
        div.empty {
            h3 { "No repository fits" }
            p { "Every word has to be in the name, the publisher, the description or a tag, at least as the beginning of a word: "
                code { "post" } " finds " code { "postgres" } "." }
            @if query.is_filtered() {
                @let wider = Query { text: query.text.clone(), page: 1, ..Query::default() };
                p { a href=(wider.address(1)) { "Search again without filters" } }
            }
            p.quiet { "Only public repositories are found. Private ones of " (visit.authority) " are listed to those who may use them." }
        }
    }
}

pub(super) fn publisher(visit: &Visit<'_>, view: &PublisherView) -> String {
    let publisher = &view.publisher;
    let name = shown_name(publisher);
    let path = format!("/{}", publisher.alias);
    let items = &view.repositories.items;
    let content = html! {
        (crumbs(&[("Gallery", "/".to_owned())], name))
        div.title {
            span."large"."logo" aria-hidden="true" { (first(name)) }
            div {
                div.line { h1 { (name) } (verified(publisher)) }
                p.quiet { "Repositories under " code { (visit.authority) (path) } }
            }
        }
        section aria-labelledby="repositories" {
            div.section-head { h2 #repositories { "Repositories" } }
            @if items.is_empty() {
                div.empty {
                    h3 { "No repositories" }
                    p { "This publisher has none at the moment." }
                }
            } @else { (cards(items)) }
            @if let Some(next) = &view.repositories.next {
                nav.pages aria-label="Pages" {
                    a href=(path) { "First page" }
                    a rel="next" href={ (path) "?" (after(next)) } { "Next" }
                }
            }
        }
    };
    layout::render(&Page {
        title: Some(name),
        description: &format!("Public container images of {name}."),
        canonical: Some(visit.address(&path)),
        query: Some(""),
        content,
    })
}

/// The query of the page that goes on after a key.
pub(super) fn after(key: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("after", key).finish()
}

/// Where pages are, for search engines: the home page, publishers, and repositories.
pub(super) fn site_map(visit: &Visit<'_>, listings: &[Listing]) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n",
    );
    let mut publishers: Vec<String> = listings.iter().map(publisher_path).collect();
    publishers.sort_unstable();
    publishers.dedup();
    // Names and hosts have no character that XML would take for its own.
    for path in ["/".to_owned()].into_iter().chain(publishers) {
        let _ = writeln!(text, "<url><loc>{}</loc></url>", visit.address(&path));
    }
    for listing in listings {
        let address = visit.address(&repository_path(listing));
        let time = format::machine_time(listing.updated_at);
        let _ = writeln!(text, "<url><loc>{address}</loc><lastmod>{time}</lastmod></url>");
    }
    text.push_str("</urlset>\n");
    text
}

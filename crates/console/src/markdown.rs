//! Markdown of owners as HTML that can do nothing but be read.
//!
//! Raw HTML is shown as the text that it is; links lead to the web or to a mail address; images are
//! links, so that a page tells nobody who reads it; headings come below those of the page.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// Text that is longer is cut: the shapes allow 25,600 characters.
const BYTES_MAX: usize = 256 * 1024;

/// The levels of the page itself.
const ABOVE: u8 = 2;

/// The HTML of a text.
pub(crate) fn render(text: &str) -> String {
    let end = text.floor_char_boundary(BYTES_MAX);
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let (events, links, images) = (Vec::new(), Vec::new(), Vec::new());
    let mut writer = Writer { events, links, images, has_text: false, depth: ABOVE };
    for event in Parser::new_ext(&text[..end], options) {
        writer.take(event);
    }
    let mut html = String::new();
    html::push_html(&mut html, writer.events.into_iter());
    html
}

struct Writer<'t> {
    events: Vec<Event<'t>>,
    /// For each link that is open, the address that it got.
    links: Vec<Option<String>>,
    /// Whether an image is within a link, or its address is none.
    images: Vec<bool>,
    /// Whether anything to read came since the last link began.
    has_text: bool,
    /// The level of the last heading; none is left out on the way down.
    depth: u8,
}

impl<'t> Writer<'t> {
    fn take(&mut self, event: Event<'t>) {
        match event {
            Event::Html(raw) | Event::InlineHtml(raw) => self.put(Event::Text(raw)),
            Event::Start(Tag::HtmlBlock) => self.put(Event::Start(Tag::Paragraph)),
            Event::End(TagEnd::HtmlBlock) => self.put(Event::End(TagEnd::Paragraph)),
            Event::Start(Tag::Heading { level, .. }) => {
                self.depth = lower(level).min(self.depth + 1);
                let (level, id, classes, attrs) =
                    (as_level(self.depth), None, Vec::new(), Vec::new());
                self.put(Event::Start(Tag::Heading { level, id, classes, attrs }));
            }
            Event::End(TagEnd::Heading(_)) => {
                self.put(Event::End(TagEnd::Heading(as_level(self.depth))));
            }
            Event::Start(Tag::Link { dest_url, .. }) => self.open_link(&dest_url),
            Event::End(TagEnd::Link) => self.close_link(),
            Event::Start(Tag::Image { dest_url, .. }) => {
                let is_link = self.links.iter().all(Option::is_none) && is_allowed(&dest_url);
                self.images.push(is_link);
                if is_link {
                    self.open_link(&dest_url);
                    self.put(Event::Text("Image: ".into()));
                }
            }
            Event::End(TagEnd::Image) => {
                if self.images.pop() == Some(true) {
                    self.close_link();
                }
            }
            Event::Start(Tag::CodeBlock(_)) => {
                self.put(Event::Html("<pre tabindex=\"0\"><code>".into()));
            }
            Event::End(TagEnd::CodeBlock) => self.put(Event::Html("</code></pre>\n".into())),
            Event::Start(Tag::Table(alignment)) => {
                self.put(Event::Html("<div class=\"scroll\" tabindex=\"0\">".into()));
                self.put(Event::Start(Tag::Table(alignment)));
            }
            Event::End(TagEnd::Table) => {
                self.put(Event::End(TagEnd::Table));
                self.put(Event::Html("</div>\n".into()));
            }
            Event::TaskListMarker(done) => {
                self.put(Event::Text(if done { "☑ " } else { "☐ " }.into()));
            }
            other => self.put(other),
        }
    }

    fn put(&mut self, event: Event<'t>) {
        if let Event::Text(text) | Event::Code(text) = &event {
            self.has_text |= !text.trim().is_empty();
        }
        self.events.push(event);
    }

    fn open_link(&mut self, address: &CowStr<'_>) {
        let address = is_allowed(address).then(|| address.to_string());
        if let Some(address) = &address {
            let open = format!("<a href=\"{}\" rel=\"nofollow ugc noopener\">", escaped(address));
            self.put(Event::InlineHtml(open.into()));
        }
        self.links.push(address);
        self.has_text = false;
    }

    fn close_link(&mut self) {
        if let Some(Some(address)) = self.links.pop() {
            if !self.has_text {
                self.put(Event::Text(address.into()));
            }
            self.put(Event::InlineHtml("</a>".into()));
        }
    }
}

fn is_allowed(address: &str) -> bool {
    let lower: String = address.chars().take(8).flat_map(char::to_lowercase).collect();
    ["https://", "http://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme))
}

fn escaped(address: &str) -> String {
    let mut text = String::with_capacity(address.len());
    for character in address.chars() {
        match character {
            '&' => text.push_str("&amp;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            other => text.push(other),
        }
    }
    text
}

fn lower(level: HeadingLevel) -> u8 {
    ABOVE.saturating_add(level as u8)
}

fn as_level(depth: u8) -> HeadingLevel {
    match depth {
        0..=3 => HeadingLevel::H3,
        4 => HeadingLevel::H4,
        5 => HeadingLevel::H5,
        6.. => HeadingLevel::H6,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts() {
        let check = |text: &str, expected: &str| assert_eq!(render(text).trim_end(), expected);
        check("# A *b*", "<h3>A <em>b</em></h3>");
        check("## A\n#### B\n# C", "<h3>A</h3>\n<h4>B</h4>\n<h3>C</h3>");
        check("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>");
        check("a <b onclick=x>b</b>", "<p>a &lt;b onclick=x&gt;b&lt;/b&gt;</p>");
        check("[a](javascript:alert(1))", "<p>a</p>");
        check("[a](JaVaScript:alert(1))", "<p>a</p>");
        check("[a](data:text/html,x)", "<p>a</p>");
        check("[a](//elsewhere)", "<p>a</p>");
        check(
            "[a](https://a.example/?b&c)",
            "<p><a href=\"https://a.example/?b&amp;c\" rel=\"nofollow ugc noopener\">a</a></p>",
        );
        check(
            "<https://a.example/\"onclick=x>",
            "<p><a href=\"https://a.example/&quot;onclick=x\" rel=\"nofollow ugc noopener\">\
             https://a.example/\"onclick=x</a></p>",
        );
        check(
            "![logo](https://a.example/a.png)",
            "<p><a href=\"https://a.example/a.png\" rel=\"nofollow ugc noopener\">Image: logo</a></p>",
        );
        check(
            "[![build](https://a.example/a.svg)](https://a.example)",
            "<p><a href=\"https://a.example\" rel=\"nofollow ugc noopener\">build</a></p>",
        );
        check(
            "[](https://a.example)",
            "<p><a href=\"https://a.example\" rel=\"nofollow ugc noopener\">https://a.example</a></p>",
        );
        check("![x](javascript:y)", "<p>x</p>");
        check("```sh\n<a>\n```", "<pre tabindex=\"0\"><code>&lt;a&gt;\n</code></pre>");
    }

    proptest! {
        #[test]
        fn nothing_but_what_we_write_becomes_an_element(
            text in r#"([a-z<>"'=/&()!\[\]#`|*:\n -]|<script|javascript:|https://|on[a-z]+=){0,60}"#,
        ) {
            let html = render(&text);
            for opened in html.split('<').skip(1) {
                let known = [
                    "h3", "h4", "h5", "h6", "p", "a href=\"http", "a href=\"mailto", "/", "em", "strong", "code", "pre",
                    "ul", "ol", "li", "blockquote", "hr", "br", "table", "thead", "tbody", "tr",
                    "th", "td", "div class=\"scroll\"", "del",
                ];
                prop_assert!(known.iter().any(|known| opened.starts_with(known)), "{}", html);
                let tag = opened.split('>').next().unwrap_or_default();
                prop_assert!(!tag.contains(" on"), "{}", html);
            }
        }
    }
}

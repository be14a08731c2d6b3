//! `/learn`: the Markdown of `docs/learn*.md` as HTML in the frame of `web/app/learn.html`.

use std::collections::HashSet;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use super::pages::{App, Docs, etag, tagged};

pub(super) async fn english(headers: HeaderMap) -> Response {
    page("learn.md", "en", &headers)
}

pub(super) async fn korean(headers: HeaderMap) -> Response {
    page("learn.ko.md", "ko", &headers)
}

fn page(name: &str, language: &str, headers: &HeaderMap) -> Response {
    let text =
        |file: Option<rust_embed::EmbeddedFile>| file.and_then(|file| String::from_utf8(file.data.into_owned()).ok());
    let (Some(frame), Some(markdown)) = (text(App::get("learn.html")), text(Docs::get(name))) else {
        return (StatusCode::NOT_FOUND, "There is no such file.").into_response();
    };
    let Rendered { title, body } = render(&markdown);
    let page = frame.replace("{{language}}", language).replace("{{title}}", &title).replace("{{body}}", &body);
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, page.as_bytes());
    tagged(HeaderValue::from_static("text/html; charset=utf-8"), etag(hash.as_ref()), page.into_bytes(), headers)
}

struct Rendered {
    /// The first heading, as HTML text.
    title: String,
    body: String,
}

fn render(markdown: &str) -> Rendered {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_HEADING_ATTRIBUTES;
    let mut events: Vec<Event<'_>> = Parser::new_ext(markdown, options).map(adapt).collect();
    let title = name_headings(&mut events);
    let mut body = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut body, events.into_iter());
    let mut escaped = String::new();
    html::push_html(&mut escaped, std::iter::once(Event::Text(title.into())));
    Rendered { title: escaped, body }
}

/// Links between the pages lead to where the server shows them; tables lose their alignment,
/// because it would be a style attribute, which the content security policy forbids.
fn adapt(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Start(Tag::Table(columns)) => {
            Event::Start(Tag::Table(vec![pulldown_cmark::Alignment::None; columns.len()]))
        }
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = match dest_url.trim_start_matches("./").split_once('#').unwrap_or((&dest_url, "")) {
                ("learn.md", part) => on_page("/learn", part),
                ("learn.ko.md", part) => on_page("/learn/ko", part),
                _ => dest_url,
            };
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        other => other,
    }
}

fn on_page(page: &str, part: &str) -> CowStr<'static> {
    if part.is_empty() { page.to_owned().into() } else { format!("{page}#{part}").into() }
}

/// Gives every heading without an id of its own (`## Text {#id}`) the one that links on other
/// Markdown viewers expect; returns the text of the first one.
fn name_headings(events: &mut [Event<'_>]) -> String {
    let mut title = String::new();
    let mut taken = HashSet::new();
    for start in 0..events.len() {
        let Event::Start(Tag::Heading { level, id, .. }) = &events[start] else { continue };
        let (level, named) = (*level, id.as_deref().map(str::to_owned));
        let text: String = events[start..]
            .iter()
            .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))))
            .filter_map(|event| match event {
                Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
                _ => None,
            })
            .collect();
        let slug = unique(named.as_deref().unwrap_or(&text), &mut taken);
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[start] {
            *id = Some(slug.into());
        }
        if title.is_empty() && level == HeadingLevel::H1 {
            title = text;
        }
    }
    title
}

fn unique(text: &str, taken: &mut HashSet<String>) -> String {
    let slug: String = text
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect();
    let mut candidate = slug.clone();
    let mut count = 0;
    while !taken.insert(candidate.clone()) {
        count += 1;
        candidate = format!("{slug}-{count}");
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_get_the_ids_that_links_name() {
        let Rendered { title, body } =
            render("# Learn *WebRTC* & `ICE`\n\n## What is NAT?\n\n## What is NAT?\n\n## 연결 후보\n");
        assert_eq!(title, "Learn WebRTC &amp; ICE");
        for id in ["learn-webrtc--ice", "what-is-nat", "what-is-nat-1", "연결-후보"] {
            assert!(body.contains(&format!("id=\"{id}\"")), "{id} in {body}");
        }
    }

    #[test]
    fn a_heading_may_name_its_own_id() {
        let body = render("## 시그널링 {#signaling}\n").body;
        assert!(body.contains("<h2 id=\"signaling\">시그널링</h2>"), "{body}");
    }

    #[test]
    fn links_between_the_pages_lead_to_where_they_are_shown() {
        let body = render("[k](learn.ko.md) [p](./learn.md#nat) [x](https://example.com/learn.md)").body;
        for link in ["href=\"/learn/ko\"", "href=\"/learn#nat\"", "href=\"https://example.com/learn.md\""] {
            assert!(body.contains(link), "{link} in {body}");
        }
    }

    #[test]
    fn a_table_brings_no_style_attribute() {
        let body = render("| a | b |\n| :- | -: |\n| 1 | 2 |\n").body;
        assert!(body.contains("<td>1</td>") && !body.contains("style="), "{body}");
    }
}

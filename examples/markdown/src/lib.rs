//! Renders Markdown to HTML, as the result of a task.

use margay_sdk::task;
use pulldown_cmark::{Event, Options, Parser, html};

/// Renders Markdown, with tables, strikethrough and footnotes, to HTML.
///
/// HTML inside the text is shown as it was typed, unless `allow_html` lets it through. Links are kept as they
/// are: a page that shows strangers' texts should still be cleaned.
#[task(queue = "markdown", hard_timeout = "10s", max_stored_executions = 10)]
pub fn render(text: String, #[default(false)] allow_html: bool) -> String {
    let extensions = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    let events = Parser::new_ext(&text, extensions).map(|event| if allow_html { event } else { tame(event) });
    let mut page = String::with_capacity(text.len() * 3 / 2);
    html::push_html(&mut page, events);
    page
}

margay_sdk::export!(render);

/// Turns HTML into text, which the renderer escapes.
fn tame(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> String {
        render(text.to_owned(), false)
    }

    #[test]
    fn markdown_becomes_html() {
        assert_eq!(page("# Hello\n\n*World*"), "<h1>Hello</h1>\n<p><em>World</em></p>\n");
    }

    #[test]
    fn tables_strikethrough_and_footnotes_are_on() {
        assert!(page("|a|b|\n|-|-|\n|1|2|").starts_with("<table>"));
        assert_eq!(page("~~gone~~"), "<p><del>gone</del></p>\n");
        assert!(page("word[^1]\n\n[^1]: note").contains("footnote-definition"));
    }

    #[test]
    fn html_is_escaped_unless_it_is_allowed() {
        let text = "<div onclick=x>\n\nline <b>bold</b>";
        assert!(!page(text).contains("<div") && !page(text).contains("<b>"));
        assert!(page(text).contains("&lt;b&gt;bold&lt;/b&gt;"));
        assert!(render(text.to_owned(), true).contains("line <b>bold</b>"));
    }
}

//! Words as people mark them with signs (XEP-0393, Message Styling), as HTML. Pure.

/// Quotes in quotes go no deeper.
const DEEPEST: usize = 8;

/// HTML that says the same; `None` if nothing is marked.
pub fn html(text: &str) -> Option<String> {
    let mut page = Page::default();
    page.blocks(&text.lines().collect::<Vec<_>>(), 0);
    page.styled.then_some(page.html)
}

#[derive(Default)]
struct Page {
    html: String,
    styled: bool,
}

impl Page {
    fn blocks(&mut self, lines: &[&str], depth: usize) {
        let mut rest = lines;
        let mut after_line = false;
        while let Some((line, others)) = rest.split_first() {
            let quoted = rest.iter().take_while(|line| line.starts_with('>')).count();
            if line.starts_with("```") {
                let inside: Vec<&str> = others.iter().take_while(|line| line.trim_end() != "```").copied().collect();
                self.tagged("pre", |page| page.tagged("code", |page| page.push(&inside.join("\n"))));
                rest = others.get(inside.len() + 1..).unwrap_or_default();
                after_line = false;
            } else if quoted > 0 && depth < DEEPEST {
                let strip = |line: &&'_ str| -> usize { if line.starts_with("> ") { 2 } else { 1 } };
                let (quote, others) = rest.split_at_checked(quoted).unwrap_or((rest, &[]));
                let quote: Vec<&str> = quote.iter().map(|line| line.get(strip(line)..).unwrap_or_default()).collect();
                self.tagged("blockquote", |page| page.blocks(&quote, depth + 1));
                rest = others;
                after_line = false;
            } else {
                if after_line {
                    self.html.push_str("<br>");
                }
                self.spans(line);
                rest = others;
                after_line = true;
            }
        }
    }

    /// One line, or what stands between two signs of it.
    fn spans(&mut self, line: &str) {
        let mut hopeless = Vec::new();
        let mut before: Option<char> = None;
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            let may_open = before.is_none_or(|before| before.is_whitespace() || (tag(before).is_some() && before != c));
            let span = match tag(c) {
                Some(tag) if may_open && !hopeless.contains(&c) => match inside(after, c) {
                    Some(inside) => Some((tag, inside)),
                    None => {
                        // What has no end from here has none further on either, unless it only begins wrongly.
                        if !after.starts_with(|next: char| next.is_whitespace() || next == c) {
                            hopeless.push(c);
                        }
                        None
                    }
                },
                _ => None,
            };
            match span {
                Some((tag, inside)) => {
                    if c == '`' {
                        self.tagged(tag, |page| page.push(inside));
                    } else {
                        self.tagged(tag, |page| page.spans(inside));
                    }
                    rest = after.get(inside.len() + 1..).unwrap_or_default();
                }
                None => {
                    self.push(c.encode_utf8(&mut [0; 4]));
                    rest = after;
                }
            }
            before = Some(c);
        }
    }

    fn tagged(&mut self, tag: &str, content: impl FnOnce(&mut Self)) {
        self.styled = true;
        self.html.push_str(&format!("<{tag}>"));
        content(self);
        self.html.push_str(&format!("</{tag}>"));
    }

    fn push(&mut self, text: &str) {
        push_escaped(&mut self.html, text);
    }
}

/// Text as HTML that shows it.
pub fn push_escaped(html: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
}

fn tag(sign: char) -> Option<&'static str> {
    match sign {
        '*' => Some("strong"),
        '_' => Some("em"),
        '~' => Some("del"),
        '`' => Some("code"),
        _ => None,
    }
}

/// What stands before the first sign that can close a span: not empty, with no space at either end (section 6.2). Two
/// signs in a row are another language's.
fn inside(text: &str, sign: char) -> Option<&str> {
    if text.starts_with(|first: char| first.is_whitespace() || first == sign) {
        return None;
    }
    let closes = |at: &usize| text.get(..*at).is_some_and(|inside| !inside.ends_with(char::is_whitespace));
    text.match_indices(sign).map(|(at, _)| at).find(closes).and_then(|at| text.get(..at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_around_words_mark_them() {
        for (text, expected) in [
            ("*Ja*, _gern_", "<strong>Ja</strong>, <em>gern</em>"),
            ("~alt~ `a<b *c*`", "<del>alt</del> <code>a&lt;b *c*</code>"),
            ("*_beides_*", "<strong><em>beides</em></strong>"),
            ("*strong*plain", "<strong>strong</strong>plain"),
            ("zwei\n*Zeilen*", "zwei<br><strong>Zeilen</strong>"),
            (
                "> Wann?\n>> alt\nUm *10*",
                "<blockquote>Wann?<blockquote>alt</blockquote></blockquote>Um <strong>10</strong>",
            ),
            ("```\na *b*\n  c\n```\nx", "<pre><code>a *b*\n  c</code></pre>x"),
            ("* a *b*", "* a <strong>b</strong>"),
        ] {
            assert_eq!(html(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn signs_that_mark_nothing_stay_signs() {
        for text in
            ["2*3*4", "**fett**", "a_b_c", "* nicht *", "**", "***", "*offen", "*zwei\nZeilen*", "5 > 3 & 2", ""]
        {
            assert_eq!(html(text), None, "{text}");
        }
    }

    #[test]
    fn many_signs_without_an_end_take_no_time() {
        let text = " *a _b ~c `d".repeat(20_000);
        assert_eq!(html(&text), None);
        let deep = ">".repeat(100_000);
        assert!(html(&deep).unwrap().matches("<blockquote>").count() == DEEPEST);
    }
}

//! Tables for the plain text of a mail: a line for each row, with a bar between its cells.

/// Between two cells of a row.
const BAR: &str = " | ";

/// Where in a table the reading stands.
struct Place {
    first_row: bool,
    first_cell: bool,
}

/// The same HTML, with paragraphs in the place of tables. What is cut off or out of order is left as text.
pub fn as_lines(html: &str) -> String {
    let mut out = String::with_capacity(html.len() + html.len() / 8);
    let mut tables: Vec<Place> = Vec::new();
    let mut rest = html;
    while let Some((before, from)) = rest.find('<').and_then(|at| rest.split_at_checked(at)) {
        out.push_str(before);
        let Some((tag, after)) = tag(from) else {
            rest = from;
            break;
        };
        rest = after;
        match instead(tag, &mut tables) {
            Some(text) => out.push_str(text),
            None => out.push_str(tag),
        }
    }
    out.push_str(rest);
    out
}

/// A tag with its brackets, and what stands behind it.
fn tag(from: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let end = from.char_indices().find_map(|(at, c)| {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '>') => return Some(at + 1),
            _ => {}
        }
        None
    })?;
    from.split_at_checked(end)
}

/// What a tag becomes; `None`: it stays.
fn instead(tag: &str, tables: &mut Vec<Place>) -> Option<&'static str> {
    let name: String = tag.chars().skip(1).take_while(|c| *c == '/' || c.is_ascii_alphanumeric()).collect();
    let name = name.to_ascii_lowercase();
    if name == "table" {
        tables.push(Place { first_row: true, first_cell: true });
        return Some("<p>");
    }
    let place = tables.last_mut()?;
    Some(match name.as_str() {
        "/table" => {
            tables.pop();
            "</p>"
        }
        "tr" => {
            place.first_cell = true;
            if std::mem::replace(&mut place.first_row, false) { "" } else { "<br>" }
        }
        "td" | "th" => {
            if std::mem::replace(&mut place.first_cell, false) {
                ""
            } else {
                BAR
            }
        }
        "caption" => "",
        "/caption" => "<br>",
        "/tr" | "/td" | "/th" | "thead" | "/thead" | "tbody" | "/tbody" | "tfoot" | "/tfoot" | "colgroup"
        | "/colgroup" | "col" => "",
        // A cell is one line.
        "p" | "/p" | "br" | "div" | "/div" => " ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::email::text::html::to_text;

    fn text(html: &str) -> String {
        to_text(&as_lines(html))
    }

    #[test]
    fn a_row_is_a_line() {
        let table = "<p>Räume:</p>\n<table>\n<thead>\n<tr>\n<th>Raum</th>\n<th>Zeit</th>\n</tr>\n</thead>\n<tbody>\n\
            <tr>\n<td><b>3</b></td>\n<td>9 <a href=\"https://x.example/>\">Uhr</a></td>\n</tr>\n<tr><td></td><td><p>10<br>Uhr</p></td></tr>\n\
            </tbody>\n</table>\n<p>Bis dann</p>";
        let lines = ["Räume:", "", "Raum | Zeit", "3 | 9 Uhr (https://x.example/>)", "| 10 Uhr", "", "Bis dann"];
        assert_eq!(text(table), lines.join("\n"));
    }

    #[test]
    fn what_is_no_whole_table_loses_no_word() {
        assert_eq!(as_lines("<p>a<br>b</p><td>c"), "<p>a<br>b</p><td>c");
        assert_eq!(as_lines("a < b <table"), "a < b <table");
        for html in [
            "<table><tr><td>eins<td>zwei<tr><td>drei",
            "</table><tr><td>eins</td><td>zwei drei",
            "<table>eins<table><td>zwei</table>drei",
        ] {
            let text = text(html);
            assert!(["eins", "zwei", "drei"].iter().all(|word| text.contains(word)), "{text}");
        }
    }
}

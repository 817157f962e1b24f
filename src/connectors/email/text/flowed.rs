//! `format=flowed` (RFC 3676): lines that end in a space go on in the next one.

/// Where a line is broken, in characters (section 4.2 recommends 66 to 72).
const WIDTH: usize = 72;
const SIGNATURE: &str = "-- ";

/// Breaks lines at word ends, each broken one with its space before the break; CRLF after every line. What a person
/// wrote as a quote (`> text`) becomes one; any other line that begins with `>`, a space or `From ` is stuffed.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16 + 16);
    for line in text.lines() {
        let (depth, rest) = quoted(line).unwrap_or((0, line));
        let rest = if line == SIGNATURE { rest } else { rest.trim_end_matches(' ') };
        encode_line(&mut out, depth, rest);
    }
    out
}

/// The depth of a quoted line and what it quotes; `None` for a line that only happens to begin with `>`.
fn quoted(line: &str) -> Option<(usize, &str)> {
    let rest = line.trim_start_matches('>');
    let depth = line.len() - rest.len();
    match rest.strip_prefix(' ') {
        Some(rest) if depth > 0 => Some((depth, rest)),
        None if depth > 0 && rest.is_empty() => Some((depth, rest)),
        _ => None,
    }
}

fn encode_line(out: &mut String, depth: usize, mut rest: &str) {
    loop {
        let end = break_at(rest);
        let (now, later) = rest.split_at_checked(end).unwrap_or((rest, ""));
        out.extend(std::iter::repeat_n('>', depth));
        if depth > 0 && !now.is_empty() || now.starts_with([' ', '>']) || now.starts_with("From ") {
            out.push(' ');
        }
        out.push_str(now);
        out.push_str("\r\n");
        if later.is_empty() {
            return;
        }
        rest = later;
    }
}

/// The byte after the last space within [`WIDTH`] that words follow, or after the first space behind it, or the end.
/// Never after `-- ` alone, which would be a signature mark (section 4.3).
fn break_at(text: &str) -> usize {
    let mut at = None;
    let mut words = false;
    for (count, (index, c)) in text.char_indices().enumerate() {
        if count >= WIDTH && at.is_some() {
            break;
        }
        if c == ' ' && words && index + 1 != SIGNATURE.len() {
            at = Some(index + 1);
        }
        words |= c != ' ';
    }
    let fits = text.len() <= WIDTH || text.chars().count() <= WIDTH;
    if fits { text.len() } else { at.unwrap_or(text.len()) }
}

/// The paragraphs as their writer typed them. `delete_space` is the parameter `DelSp=yes`: the space that marks a break
/// is no part of the text. Quotes come out as `> ` lines, one `>` per depth.
pub fn decode(text: &str, delete_space: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let unquoted = line.trim_start_matches('>');
        let depth = line.len() - unquoted.len();
        let content = unquoted.strip_prefix(' ').unwrap_or(unquoted);
        let signature = content == SIGNATURE;
        if open != Some(depth) || signature {
            if open.is_some() {
                end_paragraph(&mut out);
            }
            out.extend(std::iter::repeat_n('>', depth));
            if depth > 0 && !content.is_empty() {
                out.push(' ');
            }
        }
        let flows = content.ends_with(' ') && !signature;
        let shown = content.strip_suffix(' ').filter(|_| flows && delete_space).unwrap_or(content);
        out.push_str(shown);
        open = flows.then_some(depth);
        if !flows {
            out.push('\n');
        }
    }
    out
}

fn end_paragraph(out: &mut String) {
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> String {
        decode(&encode(text), false)
    }

    #[test]
    fn what_was_typed_comes_back() {
        let long = "Sehr geehrter Herr Beispiel, vielen Dank f\u{fc}r Ihre Nachricht; ich habe alles an die zust\u{e4}ndige Stelle weitergegeben und melde mich.";
        let quote = format!("> {long}\n>\n>> {long}\n{long}\n");
        for text in [
            "Hallo\n",
            "a\n\nb\n",
            "  code\n    more\n",
            ">5 St\u{fc}ck\n",
            "From here\n",
            "> zitiert\nAntwort\n",
            "-- \nAnna\n",
            "-- x\n",
            " \n",
            "https://example.org/a/very/long/link/that/no/line/can/hold/without/being/broken?at=all&ok=1 und weiter geht es hier\n",
            &format!("{long}\n"),
            &quote,
        ] {
            let expected: String =
                text.lines().map(|l| format!("{}\n", if l == SIGNATURE { l } else { l.trim_end() })).collect();
            assert_eq!(again(text), expected, "{:?}", encode(text));
        }
    }

    #[test]
    fn lines_are_short_where_words_allow_it() {
        for line in encode(&"Wort ".repeat(100)).split("\r\n") {
            assert!(line.chars().count() <= WIDTH, "{line:?}");
        }
    }

    #[test]
    fn a_break_never_makes_a_signature() {
        let text = format!("-- {}", "x".repeat(80));
        assert_eq!(encode(&text), format!("{text}\r\n"));
    }

    #[test]
    fn many_spaces_in_a_row_survive_a_break() {
        let text = format!("{}{}Ende\n", "x".repeat(70), " ".repeat(9));
        assert_eq!(again(&text), text);
    }

    #[test]
    fn soft_breaks_are_joined_only_within_one_depth() {
        assert_eq!(decode("eins \r\nzwei\r\n", false), "eins zwei\n");
        assert_eq!(decode("> eins \r\n> zwei \r\ndrei\r\n", false), "> eins zwei\ndrei\n");
        assert_eq!(decode("eins \r\n-- \r\nAnna\r\n", false), "eins\n-- \nAnna\n");
    }

    #[test]
    fn delsp_deletes_the_space_of_a_break() {
        assert_eq!(decode("\u{6771} \r\n\u{4eac}\r\n", true), "\u{6771}\u{4eac}\n");
    }

    #[test]
    fn a_stuffed_line_loses_one_space() {
        assert_eq!(decode(" From here\r\n  code\r\n >5\r\n", false), "From here\n code\n>5\n");
    }
}

//! The lines of a calendar (RFC 5545 section 3.1).

/// How many lines are read: years of a series with every exception are fewer.
const LINES: usize = 5_000;
/// The longest value that is read, in bytes.
const VALUE: usize = 20_000;

/// One property: `NAME;PARAMETER=value:value`.
#[derive(Debug)]
pub struct Field {
    /// In capital letters, as all names here.
    pub name: String,
    parameters: Vec<(String, String)>,
    /// As it stands there, see [`text`].
    pub value: String,
}

impl Field {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// All properties in their order, `BEGIN` and `END` among them.
pub fn fields(text: &str) -> Vec<Field> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let rest = line.strip_prefix([' ', '\t']);
        if let (Some(rest), Some(last)) = (rest, lines.last_mut()) {
            if last.len() < VALUE {
                last.push_str(rest);
            }
        } else if lines.len() < LINES {
            lines.push(line.to_owned());
        }
    }
    lines.iter().filter_map(|line| field(line)).collect()
}

fn field(line: &str) -> Option<Field> {
    let mut in_quotes = false;
    let colon = line.find(|c| {
        in_quotes ^= c == '"';
        c == ':' && !in_quotes
    })?;
    let (head, value) = (line.get(..colon)?, line.get(colon + 1..)?);
    let mut in_quotes = false;
    let mut pieces = head.split(|c| {
        in_quotes ^= c == '"';
        c == ';' && !in_quotes
    });
    let name = pieces.next()?.trim().to_ascii_uppercase();
    let parameters = pieces.filter_map(|piece| {
        let (key, value) = piece.split_once('=')?;
        Some((key.trim().to_ascii_uppercase(), value.trim_matches(['"', ' ']).to_owned()))
    });
    Some(Field { name, parameters: parameters.collect(), value: value.trim().to_owned() })
}

/// A value of the type TEXT (section 3.3.11).
pub fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_be_folded_anywhere_and_have_parameters_in_quotes() {
        let read = fields(
            "BEGIN:VEVENT\r\nattendee;CN=\"Muster; A: B\";ROLE=REQ:mai\r\n lto:a@b.example\r\nSUMMARY:a\\, b\\n c\r\nnothing\r\n",
        );
        let names: Vec<&str> = read.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["BEGIN", "ATTENDEE", "SUMMARY"]);
        let Some(attendee) = read.get(1) else { panic!() };
        assert_eq!((attendee.parameter("CN"), attendee.value.as_str()), (Some("Muster; A: B"), "mailto:a@b.example"));
        assert_eq!(read.get(2).map(|field| text(&field.value)).as_deref(), Some("a, b\n c"));
    }

    #[test]
    fn there_is_an_end_to_what_is_read() {
        assert_eq!(fields(&"A:b\n".repeat(LINES * 2)).len(), LINES);
        let long = fields(&format!("A:b\n{}", " 0123456789\n".repeat(100_000)));
        assert!(long.iter().all(|field| field.value.len() < VALUE + 20));
    }
}

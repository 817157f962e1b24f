//! Header fields as they stand there, in their order: who wrote a field can be seen only by its place. Decoded values, as
//! people read them, come from `mime::headers`.

use super::mime::headers::{self, HEADER};

/// Fields from the top: names in lower case, values unfolded and without white space at their ends.
#[derive(Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The header of a mail.
    pub fn of_mail(raw: &[u8]) -> Self {
        let (header, _) = headers::split(raw);
        Self::read(&String::from_utf8_lossy(header.get(..HEADER).unwrap_or(header)))
    }

    /// Lines of fields; lines that are none are passed over.
    pub fn read(text: &str) -> Self {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = fields.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        Self(fields)
    }

    /// Groups of fields, which empty lines part (RFC 3464 section 2.1).
    pub fn groups(text: &str) -> Vec<Self> {
        let lines: Vec<&str> = text.lines().collect();
        let groups = lines.split(|line| line.trim().is_empty()).map(|lines| Self::read(&lines.join("\n")));
        groups.filter(|group| !group.0.is_empty()).collect()
    }

    /// The topmost field of this name, which is written in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    pub fn all<'x>(&'x self, name: &'x str) -> impl Iterator<Item = &'x str> {
        self.iter().filter(move |(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Name and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the mail came with an empty envelope sender: it is a machine's, and nobody may answer it (RFC 5321
    /// section 4.5.5). Only the topmost field was written by a server of ours.
    pub fn has_null_sender(&self) -> bool {
        self.get("return-path").is_some_and(|path| path.is_empty() || path == "<>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_lose_their_folds() {
        let fields = Fields::of_mail(b"A: b\r\n  c\r\nX-y : z\r\nno field\r\na: d\r\nTo: e\r\n\r\nA: body");
        assert_eq!(fields.iter().collect::<Vec<_>>(), [("a", "b c"), ("x-y", "z"), ("a", "d"), ("to", "e")]);
        assert_eq!((fields.get("a"), fields.all("a").count()), (Some("b c"), 2));
    }

    #[test]
    fn groups_are_parted_by_any_number_of_empty_lines() {
        let groups = Fields::groups("\r\n\r\nA: 1\r\n \r\n\r\nB: 2\r\n C\r\n");
        assert_eq!(
            groups.iter().map(|group| group.iter().collect()).collect::<Vec<Vec<_>>>(),
            [[("a", "1")], [("b", "2 C")]]
        );
    }

    #[test]
    fn only_the_topmost_return_path_counts() {
        let null = |text: &str| Fields::read(text).has_null_sender();
        assert!(null("Return-Path: <>") && null("Return-Path:"));
        assert!(!null("Return-Path: <a@example.org>\nReturn-Path: <>") && !null("From: <>"));
    }
}

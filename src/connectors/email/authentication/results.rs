//! The field `Authentication-Results` (RFC 8601): what a mail server has found out about a mail.

/// One field.
#[derive(Debug, PartialEq, Eq)]
pub struct Results {
    /// The authserv-id: the server that has checked, in lower case.
    pub server: String,
    pub methods: Vec<Method>,
}

/// What one method has found.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// `dkim`, `spf`, `dmarc` and others, in lower case.
    pub name: String,
    /// `pass`, `fail` and others, in lower case.
    pub result: String,
    /// `header.d` and others, in lower case, with their values.
    properties: Vec<(String, String)>,
}

impl Method {
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl Results {
    /// `None` for what names no server.
    pub fn read(value: &str) -> Option<Self> {
        let statements = statements(value);
        let (first, rest) = statements.split_first()?;
        // A version may follow the name.
        let server = first.first().filter(|word| word.as_str() != "=")?.to_ascii_lowercase();
        Some(Self { server, methods: rest.iter().filter_map(|words| method(words)).collect() })
    }
}

fn method(words: &[String]) -> Option<Method> {
    let mut pairs = pairs(words);
    let (name, result) = pairs.next()?;
    let name = name.split('/').next().unwrap_or_default().trim().to_owned();
    Some(Method { name, result: result.to_ascii_lowercase(), properties: pairs.collect() })
}

/// `a=b c=d`, in words; the keys in lower case. Words outside of pairs are passed over.
fn pairs(words: &[String]) -> impl Iterator<Item = (String, String)> {
    words.windows(3).filter_map(|words| match words {
        [key, sign, value] if sign == "=" => Some((key.to_ascii_lowercase(), value.clone())),
        _ => None,
    })
}

/// The words between semicolons; `=` is a word of its own. Comments are gone, quotes taken off.
fn statements(value: &str) -> Vec<Vec<String>> {
    let mut statements = vec![Vec::new()];
    let mut word = String::new();
    let end_word = |word: &mut String, statements: &mut Vec<Vec<String>>| {
        if let (false, Some(last)) = (word.is_empty(), statements.last_mut()) {
            last.push(std::mem::take(word));
        }
    };
    let (mut depth, mut quoted) = (0, false);
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted || depth > 0 => word.extend(chars.next().filter(|_| depth == 0)),
            '"' if depth == 0 => quoted = !quoted,
            c if quoted => word.push(c),
            '(' => {
                end_word(&mut word, &mut statements);
                depth += 1;
            }
            ')' if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            ';' => {
                end_word(&mut word, &mut statements);
                statements.push(Vec::new());
            }
            '=' => {
                end_word(&mut word, &mut statements);
                end_word(&mut "=".to_owned(), &mut statements);
            }
            c if c.is_whitespace() => end_word(&mut word, &mut statements),
            c => word.push(c),
        }
    }
    end_word(&mut word, &mut statements);
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_as_servers_write_them() {
        let value = "MX.amt.example 1; dkim=pass (2048-bit key; unprotected) header.d=example.org header.i=@example.org header.b=\"a/b=\";\
            \tspf = pass (mx: domain of \"bob; dmarc=fail\" ) smtp.mailfrom=bob@example.org; dmarc/1=Pass (p=NONE sp=NONE) header.from=Example.org; none";
        let found = Results::read(value).unwrap();
        assert_eq!(found.server, "mx.amt.example");
        let of = |name: &str| found.methods.iter().find(|method| method.name == name).unwrap();
        assert_eq!((of("dkim").result.as_str(), of("dkim").property("header.d")), ("pass", Some("example.org")));
        assert_eq!(of("dkim").property("header.b"), Some("a/b="));
        assert_eq!(of("spf").property("smtp.mailfrom"), Some("bob@example.org"));
        assert_eq!((of("dmarc").result.as_str(), of("dmarc").property("header.from")), ("pass", Some("Example.org")));
        assert_eq!(found.methods.len(), 3);
    }

    #[test]
    fn what_stands_in_a_comment_or_in_quotes_is_no_result() {
        for value in [
            "mx.amt.example; spf=fail (dmarc=pass) smtp.mailfrom=\"x; dmarc=pass\"",
            "mx.amt.example; spf=fail (a (b) ; dmarc=pass)",
            "mx.amt.example; spf=fail (a \\) ; dmarc=pass)",
            "mx.amt.example; spf=fail (never closed ; dmarc=pass",
            "mx.amt.example; spf=fail reason=\"never closed ; dmarc=pass",
        ] {
            let found = Results::read(value).unwrap();
            assert_eq!(found.methods.iter().map(|method| method.name.as_str()).collect::<Vec<_>>(), ["spf"], "{value}");
        }
    }

    #[test]
    fn a_field_that_begins_with_a_result_is_of_no_server_that_anybody_could_trust() {
        assert_eq!(Results::read(""), None);
        assert_eq!(Results::read("=x"), None);
        assert_eq!(Results::read("spf=pass smtp.mailfrom=example.org").unwrap().server, "spf");
    }
}

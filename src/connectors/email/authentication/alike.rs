//! Domains that look like another one: `arnt.example` for `amt.example`.

use unicode_security::confusable_detection::skeleton;

/// Pairs that look alike in most fonts and are no confusables in Unicode's sense.
const PAIRS: &[(&str, &str)] = &[("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("i", "l")];

/// Our own domain, and what it looks like: every sender is compared with it.
pub struct Own {
    pub domain: String,
    /// The domain and those above it, each with its looks.
    names: Vec<(String, String)>,
}

impl Own {
    /// `domain`: as A-labels.
    pub fn new(domain: &str) -> Self {
        let names = above(domain).map(|name| (name.to_owned(), looks(name))).collect();
        Self { domain: domain.to_owned(), names }
    }

    /// Whether `domain`, or a domain above it, looks like our own or a domain above that, and is another. As A-labels.
    pub fn is_alike(&self, domain: &str) -> bool {
        above(domain).any(|domain| {
            let seen = looks(domain);
            self.names.iter().any(|(own, own_looks)| own != domain && *own_looks == seen)
        })
    }

    /// Whether our own domain, or what looks like it, stands in a text.
    pub fn is_named_in(&self, text: &str) -> bool {
        self.names.first().is_some_and(|(_, own)| looks(text).contains(own))
    }
}

/// A domain and those above it, but for the top-level domain.
fn above(domain: &str) -> impl Iterator<Item = &str> {
    let starts = domain.match_indices('.').map(|(at, _)| at + 1);
    std::iter::once(0).chain(starts).filter_map(|start| domain.get(start..)).filter(|domain| domain.contains('.'))
}

/// What a text looks like: equal for texts that are easily taken for one another (UTS 39), accents left out.
fn looks(text: &str) -> String {
    let (unicode, _) = idna::domain_to_unicode(text);
    let is_accent = |c: &char| matches!(c, '\u{300}'..='\u{36f}');
    let skeleton: String = skeleton(&unicode.to_lowercase()).filter(|c| !is_accent(c)).collect();
    PAIRS.iter().fold(skeleton.to_lowercase(), |text, (pair, one)| text.replace(pair, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_that_looks_like_ours_is_seen_through() {
        let (cyrillic, dotted) = ("xn--mt-6kc.example", "xn--mt-e5s.example");
        for domain in ["arnt.example", "mail.arnt.example", "arnt.exarnple", cyrillic, dotted] {
            assert!(Own::new("amt.example").is_alike(domain), "{domain}");
        }
        for (own, domain) in [
            ("chat.amt.example", "arnt.example"),
            ("chat.amt.example", "chat.arnt.example"),
            ("koeln.example", "k0eln.example"),
            ("kiel.example", "k1el.example"),
            ("wald.example", "vvald.example"),
        ] {
            assert!(Own::new(own).is_alike(domain), "{own} {domain}");
        }
    }

    #[test]
    fn ours_and_those_that_look_different_are_not_alike() {
        for domain in [
            "amt.example",
            "chat.amt.example",
            "mail.amt.example",
            "example.org",
            "amt2.example",
            "example",
            "aemter.example",
        ] {
            assert!(!Own::new("chat.amt.example").is_alike(domain), "{domain}");
        }
    }
}

//! Domains that look like another one: `arnt.example` for `amt.example`.

use unicode_security::confusable_detection::skeleton;

/// Pairs that look alike in most fonts and are no confusables in Unicode's sense.
const PAIRS: &[(&str, &str)] = &[("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("i", "l")];

/// Whether `domain`, or a domain above it, looks like `own` or a domain above that, and is another. Both as A-labels.
pub fn is_alike(own: &str, domain: &str) -> bool {
    above(own).any(|own| above(domain).any(|domain| own != domain && looks(own) == looks(domain)))
}

/// A domain and those above it, but for the top-level domain.
fn above(domain: &str) -> impl Iterator<Item = &str> {
    let starts = domain.match_indices('.').map(|(at, _)| at + 1);
    std::iter::once(0).chain(starts).filter_map(|start| domain.get(start..)).filter(|domain| domain.contains('.'))
}

/// What a text looks like: equal for texts that are easily taken for one another (UTS 39), accents left out.
pub fn looks(text: &str) -> String {
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
            assert!(is_alike("amt.example", domain), "{domain}");
        }
        for (own, domain) in [
            ("chat.amt.example", "arnt.example"),
            ("chat.amt.example", "chat.arnt.example"),
            ("koeln.example", "k0eln.example"),
            ("kiel.example", "k1el.example"),
            ("wald.example", "vvald.example"),
        ] {
            assert!(is_alike(own, domain), "{own} {domain}");
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
            assert!(!is_alike("chat.amt.example", domain), "{domain}");
        }
    }
}

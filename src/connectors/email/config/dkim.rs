//! `connectors.email.dkim`: the keys that our mails are signed with.

use super::Source;
use crate::{
    connectors::email::{
        address,
        dkim::{Signer, Signers},
    },
    yaml,
};
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor, value::MapAccessDeserializer},
};
use std::{fmt, path::PathBuf};

const KEY: &str = "connectors.email.dkim";

/// One key, or a list of them.
#[derive(Default)]
pub struct DkimSection(Vec<KeySection>);

/// A key as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeySection {
    /// Mails from this domain, and from those below it that have no key of their own.
    domain: String,
    selector: String,
    /// PEM: RSA from 2048 bits, or Ed25519.
    key_file: PathBuf,
}

/// Reads the keys. `from` is the address of a member of staff, whose mails must not go out unsigned by mistake.
pub fn read(source: &Source<'_>, section: DkimSection, from: &str) -> Result<Signers, yaml::Error> {
    let document = source.document;
    let mut signers = Vec::new();
    for KeySection { domain, selector, key_file } in section.0 {
        let name = |key: &str, text: &str| {
            let problem = || document.error(&format!("{KEY}.{key}"), format!("{text:?} is not a domain name"));
            address::host_name(text).ok_or_else(problem)
        };
        let (domain, selector) = (name("domain", &domain)?, name("selector", &selector)?);
        let signer = Signer::open(&domain, &selector, &document.resolve(&key_file));
        signers.push(signer.map_err(|e| document.error(&format!("{KEY}.key_file"), e))?);
    }
    let signers = Signers::new(signers);
    if !signers.is_empty() && !signers.sign_for(from) {
        return Err(document.error(KEY, format!("has no key for {from}")));
    }
    Ok(signers)
}

impl<'de> Deserialize<'de> for DkimSection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

/// Not `untagged`: that would not say what is wrong.
struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = DkimSection;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("domain, selector and key_file, or a list of such")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<DkimSection, A::Error> {
        Ok(DkimSection(vec![KeySection::deserialize(MapAccessDeserializer::new(map))?]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<DkimSection, A::Error> {
        let mut keys = Vec::new();
        while let Some(key) = seq.next_element()? {
            keys.push(key);
        }
        Ok(DkimSection(keys))
    }
}

#[cfg(test)]
mod tests {
    use crate::{connectors::email::config::Config, yaml::Document};

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/connectors/email/fixtures");

    fn read(dkim: &str) -> Result<Config, String> {
        let text = format!(
            "connectors:\n  email:\n    domain: chat.example\n    smtp: {{ host: h, tls: none }}\n    \
             lmtp: {{ listen: '127.0.0.1:1' }}\n    dkim: {dkim}\n"
        );
        let document = Document::new(&std::path::Path::new(FIXTURES).join("config.yaml"), text);
        Config::read(&document, &|_| None).map_err(|e| e.to_string())
    }

    #[test]
    fn one_key_or_several_are_read_relative_to_the_configuration() {
        let one = "{ domain: Chat.Example, selector: s1, key_file: dkim-rsa.pem }";
        let other = "{ domain: chat.example, selector: s2, key_file: dkim-ed25519.pem }";
        assert_eq!(read(one).unwrap().dkim.len(), 1);
        assert_eq!(read(&format!("[{one}, {other}]")).unwrap().dkim.len(), 2);
        assert!(read("{ domain: example, selector: s1, key_file: dkim-rsa.pem }").is_ok());
    }

    #[test]
    fn each_mistake_is_named_with_its_key_and_how_to_mend_it() {
        for (dkim, words) in [
            ("{ domain: chat.example, selektor: s }", vec!["line 6", "email.dkim", "`selektor`", "`key_file`"]),
            ("[{ domain: chat.example, selektor: s }]", vec!["line 6", "email.dkim", "`selektor`", "`key_file`"]),
            ("{ domain: chat.example, selector: s }", vec!["email.dkim", "key_file"]),
            ("true", vec!["email.dkim", "domain, selector and key_file"]),
            ("{ domain: 'a b', selector: s, key_file: x }", vec!["dkim.domain", "\"a b\""]),
            ("{ domain: chat.example, selector: 's;', key_file: x }", vec!["dkim.selector", "\"s;\""]),
            ("{ domain: chat.example, selector: s, key_file: no.pem }", vec!["dkim.key_file", "no.pem"]),
            ("{ domain: chat.example, selector: s, key_file: dkim-small.pem }", vec!["dkim.key_file", "2048"]),
            ("{ domain: other.example, selector: s, key_file: dkim-rsa.pem }", vec!["email.dkim", "no key for"]),
        ] {
            let error = read(dkim).err().expect(dkim);
            assert!(words.iter().all(|word| error.contains(word)), "{dkim}\n{error}");
        }
    }
}

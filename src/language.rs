//! The languages that Fehmarn speaks, and their sentences in `locales/`.

use fluent_templates::{LanguageIdentifier, Loader, fluent_bundle::FluentValue, langid, static_loader};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::HashMap};

static_loader! {
    static LOCALES = {
        locales: "./locales",
        fallback_language: "en",
        // The marks around inserted values trouble clients that search and copy.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// The key `language` of the configuration, and what each member of staff may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    De,
    En,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::De, Self::En];

    /// As it is written in the configuration and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::En => "en",
        }
    }

    /// The language that people call so.
    pub fn named(text: &str) -> Option<Self> {
        match text.trim().to_lowercase().as_str() {
            "de" | "deutsch" | "german" => Some(Self::De),
            "en" | "englisch" | "english" => Some(Self::En),
            _ => None,
        }
    }

    fn id(self) -> LanguageIdentifier {
        match self {
            Self::De => langid!("de"),
            Self::En => langid!("en"),
        }
    }

    /// The sentence of this key, with its values put in.
    pub fn look_up(self, key: &str, values: &[(&'static str, &str)]) -> String {
        let values: HashMap<Cow<'static, str>, FluentValue<'_>> =
            values.iter().map(|(name, value)| (Cow::Borrowed(*name), FluentValue::from(*value))).collect();
        LOCALES.lookup_with_args(&self.id(), key, &values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_is_known_by_its_name() {
        for language in Language::ALL {
            assert_eq!(Language::named(language.name()), Some(language));
        }
        assert_eq!(Language::named(" Deutsch "), Some(Language::De));
        assert_eq!(Language::named("klingonisch"), None);
    }
}

//! Reading YAML so that a mistake is easy to mend: file, line, key, and what would have been right. And secrets.

use serde::{
    Deserialize,
    de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor},
};
use std::{
    fmt,
    marker::PhantomData,
    path::{Path, PathBuf},
};

/// A configuration file. Sections are read one by one, each by the code that owns it.
#[derive(Clone, Debug)]
pub struct Document {
    path: PathBuf,
    text: String,
}

/// How environment variables are looked up; an argument, so that tests need no global state.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment of this process.
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub fn environment(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

/// What is wrong in a configuration file.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {message}", .file.display(), .line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct Error {
    pub file: PathBuf,
    pub line: Option<usize>,
    /// Starts with the key, where there is one.
    pub message: String,
}

impl Document {
    /// Reads the file; at most 1 MiB, since nobody writes more than that by hand.
    pub fn open(path: &Path) -> Result<Self, Error> {
        const LIMIT: u64 = 1 << 20;
        let fail = |message: String| Error { file: path.into(), line: None, message };
        let size = std::fs::metadata(path).map_err(|e| fail(format!("cannot be read: {e}")))?.len();
        if size > LIMIT {
            return Err(fail(format!("is {size} bytes long; a configuration has at most {LIMIT}")));
        }
        let text = std::fs::read_to_string(path).map_err(|e| fail(format!("cannot be read: {e}")))?;
        Ok(Self::new(path, text))
    }

    pub fn new(path: &Path, text: String) -> Self {
        Self { path: path.into(), text }
    }

    /// The whole document as a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.section(&[])
    }

    /// The part below the given keys as a `T`. Errors name the line and the full key, as the rest of the document is
    /// passed over, not cut off.
    pub fn section<T: DeserializeOwned>(&self, keys: &[&str]) -> Result<T, Error> {
        let at = Below { keys, whole: keys, wanted: PhantomData };
        at.deserialize(serde_yaml::Deserializer::from_str(&self.text)).map_err(|error| {
            let line = error.location().map(|at| at.line());
            let text = error.to_string();
            let message = match text.rfind(" at line ") {
                Some(end) => &text[..end],
                None => &text,
            };
            Error { file: self.path.clone(), line, message: name_known(message) }
        })
    }

    /// An error about a value that has the right shape and is still wrong.
    pub fn error(&self, key: &str, message: impl fmt::Display) -> Error {
        Error { file: self.path.clone(), line: None, message: format!("{key}: {message}") }
    }

    /// A path in the file, which is relative to the file's own folder.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// The secret of the key `a.b.password`: from the environment (`FEHMARN_A_B_PASSWORD`), else from the file that
    /// `a.b.password_file` names, else as written; `None` if nowhere.
    pub fn secret(&self, env: Env<'_>, key: &str, source: &SecretSource) -> Result<Option<Secret>, Error> {
        let variable = format!("FEHMARN_{}", key.replace(['.', '-'], "_").to_uppercase());
        if let Some(value) = env(&variable) {
            return Ok(Some(Secret(value)));
        }
        match (&source.inline, &source.file) {
            (Some(_), Some(_)) => Err(self.error(key, format!("is there and {key}_file too; keep one of them"))),
            (Some(secret), None) => Ok(Some(secret.clone())),
            (None, Some(path)) => {
                let path = self.resolve(path);
                let text = std::fs::read_to_string(&path)
                    .map_err(|e| self.error(&format!("{key}_file"), format!("{}: {e}", path.display())))?;
                Ok(Some(Secret(text.trim_end_matches(['\r', '\n']).to_owned())))
            }
            (None, None) => Ok(None),
        }
    }
}

/// serde's "unknown field `x`, expected one of `a`, `b`" in words for an admin.
fn name_known(message: &str) -> String {
    if !message.contains("unknown field") && !message.contains("unknown variant") {
        return message.to_owned();
    }
    message.replace(", expected one of ", ", known are ").replace(", expected ", ", known are ")
}

/// The two places in the file where a secret may stand.
#[derive(Clone, Debug, Default)]
pub struct SecretSource {
    pub inline: Option<Secret>,
    pub file: Option<PathBuf>,
}

/// A text that never appears in a log or an error.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for the one place that sends or compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Takes any scalar: serde's own message for a number in the place of a text would print the secret.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = Secret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::new(text))
            }
        }
        deserializer.deserialize_str(Scalar)
    }
}

/// Walks down `keys` in nested mappings and reads a `T` there.
struct Below<'a, T> {
    keys: &'a [&'a str],
    whole: &'a [&'a str],
    wanted: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Below<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        if self.keys.is_empty() { T::deserialize(deserializer) } else { deserializer.deserialize_map(self) }
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Below<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a mapping that leads to {}", self.whole.join("."))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let missing = || serde::de::Error::custom(format!("{} is missing", self.whole.join(".")));
        let (first, rest) = self.keys.split_first().ok_or_else(missing)?;
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == *first {
                found = Some(map.next_value_seed(Below { keys: rest, whole: self.whole, wanted: PhantomData })?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        found.ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Smtp {
        host: String,
        port: u16,
        password: Option<Secret>,
    }

    fn document(text: &str) -> Document {
        Document::new(Path::new("/etc/fehmarn/config.yaml"), text.into())
    }

    #[test]
    fn a_mistake_is_named_with_file_line_key_and_the_known_keys() {
        let error = document("database: x\nconnectors:\n  email:\n    smtp:\n      hots: mail\n      port: 25\n")
            .section::<Smtp>(&["connectors", "email", "smtp"])
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "/etc/fehmarn/config.yaml, line 5: connectors.email.smtp: unknown field `hots`, known are `host`, `port`, `password`"
        );
    }

    #[test]
    fn a_missing_section_and_a_wrong_type_are_named() {
        let error = document("a: 1\n").section::<Smtp>(&["connectors", "email"]).unwrap_err().to_string();
        assert!(error.contains("connectors.email is missing"), "{error}");
        let error = document("s: { host: h, port: many }").section::<Smtp>(&["s"]).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("s.port"), "{error}");
    }

    #[test]
    fn what_nobody_has_written_by_hand_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, "#".repeat(1 << 20)).unwrap();
        assert!(Document::open(&path).is_ok());
        std::fs::write(&path, "#".repeat((1 << 20) + 1)).unwrap();
        assert!(Document::open(&path).unwrap_err().to_string().contains("at most 1048576"));
    }

    #[test]
    fn a_secret_is_never_printed_not_even_when_it_is_a_number() {
        let smtp: Smtp = document("s: { host: h, port: 1, password: 4711 }").section(&["s"]).unwrap();
        assert_eq!(smtp.password.as_ref().unwrap().expose(), "4711");
        assert!(!format!("{smtp:?}").contains("4711"));
    }

    #[test]
    fn a_secret_comes_from_the_environment_then_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pw"), "from file\n").unwrap();
        let document = Document::new(&folder.path().join("config.yaml"), String::new());
        let source = SecretSource { inline: None, file: Some("pw".into()) };
        let none = |_: &str| None;
        let env = |name: &str| (name == "FEHMARN_CONNECTORS_EMAIL_SMTP_PASSWORD").then(|| "from env".to_owned());
        let key = "connectors.email.smtp.password";
        assert_eq!(document.secret(&none, key, &source).unwrap().unwrap().expose(), "from file");
        assert_eq!(document.secret(&env, key, &source).unwrap().unwrap().expose(), "from env");
        let both = SecretSource { inline: Some(Secret::new("x")), file: Some("pw".into()) };
        assert!(document.secret(&none, key, &both).unwrap_err().to_string().contains("keep one"));
        assert!(document.secret(&none, key, &SecretSource::default()).unwrap().is_none());
    }
}

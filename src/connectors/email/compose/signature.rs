//! The lines below a mail that say who wrote it.

use super::html;
use crate::connectors::email::text::{clean, html as convert};

pub struct Shown(String);

impl Shown {
    /// `None` if nothing would be seen.
    pub fn of(signature: &str) -> Option<Self> {
        let text = clean::lines(signature);
        let text = text.strip_prefix("--").map(|rest| rest.trim_start()).unwrap_or(&text);
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// With the mark by which programs know it (RFC 3676 section 4.3).
    pub fn text(&self) -> String {
        format!("-- \n{}", self.0)
    }

    pub fn html(&self) -> String {
        html::small(&convert::from_text(&self.0))
    }
}

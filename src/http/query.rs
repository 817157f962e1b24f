//! The part of a URL behind its question mark.

use std::collections::BTreeMap;

/// What it names; nothing if there is none.
pub(super) fn fields(query: Option<&str>) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect()
}

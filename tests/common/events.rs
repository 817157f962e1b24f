//! Reading Matrix events, as JSON.

use serde_json::Value;

pub fn text<'e>(value: &'e Value, path: &str) -> &'e str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

pub fn sender(event: &Value) -> &str {
    text(event, "/sender")
}

pub fn body(event: &Value) -> &str {
    text(event, "/content/body")
}

pub fn html(event: &Value) -> &str {
    text(event, "/content/formatted_body")
}

pub fn event_id(event: &Value) -> &str {
    text(event, "/event_id")
}

pub fn is_message(event: &Value) -> bool {
    text(event, "/type") == "m.room.message"
}

/// What was said, in order.
pub fn bodies(events: &[Value]) -> Vec<&str> {
    events.iter().filter(|event| is_message(event)).map(body).collect()
}

//! Which words of a mail are its sender's own. What they answer and what stands below every mail of theirs is cut, so
//! that a chat stays a chat; the untouched mail is kept beside.
//!
//! | file | what |
//! |---|---|
//! | `page` | what stays of the lines of a mail |
//! | `head` | where a mail begins that is repeated or passed on |
//! | `footer`, `contact` | what stands below every mail of a sender |
//! | `html`, `marks` | HTML as such lines |

mod contact;
mod footer;
mod head;
pub(super) mod html;
mod marks;
mod page;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use super::text::clean;

/// What was taken away from a text, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taken {
    Nothing,
    /// Only a signature.
    Signature,
    Quote,
}

/// Cuts what the sender did not write now: quotes below their words, and a signature. Answers between quotes stay with
/// the quotes that they answer. What would leave nothing is not cut. No line is changed but for its end.
pub fn cut(text: &str) -> (String, Taken) {
    let lines: Vec<&str> = text.lines().collect();
    let kept = page::keep(&lines);
    (clean::lines(&lines.get(kept.lines).unwrap_or_default().join("\n")), kept.taken)
}

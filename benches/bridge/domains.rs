//! Which domain the person outside of a pair has: most have an ordinary one.

use std::ops::Range;

/// Pairs whose mails are taken slowly.
pub const SLOW: Range<usize> = 1_000_000..1_000_040;
/// Pairs to whom nothing can be sent.
pub const DEAD: Range<usize> = 2_000_000..2_000_020;

pub fn domain(pair: usize) -> &'static str {
    match pair {
        _ if SLOW.contains(&pair) => "slow.example",
        _ if DEAD.contains(&pair) => "dead.example",
        _ => "ext.example",
    }
}

/// The pair of `user7@ext.example`.
pub fn pair(address: &str) -> Option<usize> {
    let (user, at) = address.split_once('@')?;
    let pair = user.strip_prefix("user")?.parse().ok()?;
    (at == domain(pair)).then_some(pair)
}

//! Which mail server takes the mails for whom.

use super::Pool;
use crate::{
    connector::{Connection, Finding},
    connectors::email::{address, compose::Mail},
    failure::Failure,
};
use futures_util::future::join_all;
use std::{fmt, sync::Arc};

/// One way for all, and others for some recipients.
pub struct Routes {
    otherwise: Arc<Pool>,
    /// The closest pattern first.
    routes: Vec<Route>,
}

/// The way to the recipients of some domains.
pub struct Route {
    pub to: Pattern,
    /// Routes over one server share its connections.
    pub pool: Arc<Pool>,
    /// The mail must not go in the clear anywhere (RFC 8689).
    pub require_tls: bool,
}

/// Recipient domains: `kiel.example`, or with `*.justiz.example` all below that one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    domain: String,
    below: bool,
}

impl Pattern {
    /// In any case, with A-labels or other letters; the error says what is wrong.
    pub fn new(text: &str) -> Result<Self, String> {
        let (below, domain) = text.strip_prefix("*.").map_or((false, text), |domain| (true, domain));
        match address::host_name(domain) {
            Some(domain) => Ok(Self { domain, below }),
            None => Err(format!("{text:?} is neither a domain (kiel.example) nor all below one (*.kiel.example)")),
        }
    }

    /// `domain` in lower case, with A-labels.
    fn takes(&self, domain: &str) -> bool {
        match domain.strip_suffix(self.domain.as_str()) {
            Some(rest) if self.below => rest.len() > 1 && rest.ends_with('.'),
            Some(rest) => rest.is_empty(),
            None => false,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.domain)
    }
}

impl Routes {
    pub fn new(otherwise: Arc<Pool>, mut routes: Vec<Route>) -> Self {
        routes.sort_by_key(|route| (route.to.below, std::cmp::Reverse(route.to.domain.len())));
        Self { otherwise, routes }
    }

    /// Hands over one mail. `Ok` when a server has taken responsibility for it: whether it will report what becomes of it.
    pub async fn send(&self, mail: &Mail) -> Result<bool, Failure> {
        let (pool, require_tls) = self.way(&mail.to);
        pool.send(mail, require_tls).await
    }

    /// Names the server that takes the mails to this address; empty where all go to one. Two ways to one server are two:
    /// where one asks for more than the server can do, it is away on that way alone.
    pub fn side(&self, to: &str) -> String {
        let pools = self.pools();
        let (pool, _) = self.way(to);
        let number = pools.iter().position(|known| std::ptr::eq(&***known, pool)).unwrap_or_default();
        if pools.len() < 2 { String::new() } else { format!("{pool} ({number})") }
    }

    /// The largest mail that the server for this address takes, in bytes; `None` if it has not said so.
    pub fn size_limit(&self, to: &str) -> Option<u64> {
        self.way(to).0.size_limit()
    }

    /// Each once.
    fn pools(&self) -> Vec<&Arc<Pool>> {
        let mut pools = vec![&self.otherwise];
        for route in &self.routes {
            if !pools.iter().any(|known| Arc::ptr_eq(known, &route.pool)) {
                pools.push(&route.pool);
            }
        }
        pools
    }

    /// Who takes the mails to this address, and whether they must not go in the clear.
    pub fn way(&self, to: &str) -> (&Pool, bool) {
        let domain = to.rsplit_once('@').map_or("", |(_, domain)| domain);
        match self.routes.iter().find(|route| route.to.takes(domain)) {
            Some(route) => (&route.pool, route.require_tls),
            None => (&self.otherwise, false),
        }
    }

    /// Connects to each server and signs in, and sends nothing.
    pub async fn check(&self) -> Vec<Finding> {
        join_all(self.pools().into_iter().map(|pool| self.check_one(pool))).await
    }

    /// One for each server.
    pub fn connections(&self) -> impl Iterator<Item = Arc<Connection>> {
        self.pools().into_iter().map(|pool| pool.connection().clone())
    }

    async fn check_one(&self, pool: &Arc<Pool>) -> Finding {
        let over_it: Vec<&Route> = self.routes.iter().filter(|route| Arc::ptr_eq(&route.pool, pool)).collect();
        let mut what = format!("SMTP {pool}");
        if !over_it.is_empty() {
            let patterns: Vec<String> = over_it.iter().map(|route| route.to.to_string()).collect();
            what += &format!(" (for {})", patterns.join(", "));
        }
        let result = pool.check(over_it.iter().any(|route| route.require_tls)).await;
        Finding { what, result }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(pattern: &str, domain: &str) -> bool {
        Pattern::new(pattern).unwrap().takes(domain)
    }

    #[test]
    fn a_pattern_is_a_domain_or_all_below_one() {
        assert!(takes("kiel.example", "kiel.example") && takes("Kiel.Example.", "kiel.example"));
        assert!(!takes("kiel.example", "amt.kiel.example") && !takes("kiel.example", "xkiel.example"));
        assert!(takes("*.kiel.example", "amt.kiel.example") && takes("*.kiel.example", "a.b.kiel.example"));
        assert!(!takes("*.kiel.example", "kiel.example") && !takes("*.kiel.example", "altkiel.example"));
        assert!(!takes("*.kiel.example", ".kiel.example") && !takes("kiel.example", ""));
        assert!(takes("b\u{fc}rgeramt.example", "xn--brgeramt-65a.example"));
    }

    #[test]
    fn what_is_no_pattern_is_named() {
        for text in
            ["", "*", "*.", "*kiel.example", "a.*.example", "bob@kiel.example", "kiel example", "**.kiel.example"]
        {
            assert!(Pattern::new(text).unwrap_err().contains("kiel.example"), "{text}");
        }
    }
}

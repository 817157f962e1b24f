//! What a mail server that we trust says about the sender.

use super::{
    Verdict, is_of,
    received::Received,
    results::{Method, Results},
};
use crate::connectors::email::fields::Fields;

/// What the servers named in `trust` (authserv-ids in lower case) say of `domain`, in which the sender's address is.
pub fn verdict(fields: &Fields, trust: &[String], domain: &str) -> Verdict {
    let results = topmost(fields, trust);
    let methods: Vec<&Method> = results.iter().flat_map(|found| &found.methods).collect();
    // A second result of one method in another field would be from whoever came before our server.
    let of = |name: &str| results.iter().find(|found| found.methods.iter().any(|method| method.name == name));
    let first =
        |name: &'static str| of(name).into_iter().flat_map(|found| &found.methods).filter(move |it| it.name == name);
    if let Some(dmarc) = first("dmarc").next() {
        let about = dmarc.property("header.from").map(bare);
        match dmarc.result.as_str() {
            "pass" if about.is_none_or(|from| from.eq_ignore_ascii_case(domain)) => return Verdict::Verified,
            // The domain's own rule is stricter than ours.
            "fail" => return Verdict::Unverified,
            _ => {}
        }
    }
    let passed = |name: &'static str, properties: &[&str]| {
        let mut passed = first(name).filter(|method| method.result == "pass");
        passed.any(|method| {
            properties.iter().find_map(|name| method.property(name)).is_some_and(|it| is_of(domain, bare(it)))
        })
    };
    if passed("dkim", &["header.d", "header.i"]) || passed("spf", &["smtp.mailfrom", "smtp.mail"]) {
        return Verdict::Verified;
    }
    if methods.is_empty() { Verdict::Unknown } else { Verdict::Unverified }
}

/// The domain of an address, or the domain itself.
fn bare(value: &str) -> &str {
    value.trim_matches(['<', '>']).rsplit('@').next().unwrap_or(value)
}

/// The fields of these servers that stand where only they, or a server behind them, could have put them.
///
/// Each server puts its `Received` on top. So whatever stands above the one of a trusted server was added there or later;
/// filters of that server may put their results right below it, where the mail itself begins as well: what stands there
/// counts only if nothing stands above. A server must take away what claims to be its own (RFC 8601 section 5); this rule
/// is for those that forget.
fn topmost(fields: &Fields, trust: &[String]) -> Vec<Results> {
    let all: Vec<(&str, &str)> = fields.iter().collect();
    let hops: Vec<(usize, &str)> = all
        .iter()
        .enumerate()
        .filter(|(_, (name, _))| *name == "received")
        .map(|(at, (_, value))| (at, *value))
        .collect();
    let is_trusted = |value: &str| Received::read(value).is_some_and(|received| trust.contains(&received.by));
    let border = hops.iter().position(|(_, value)| is_trusted(value)).unwrap_or(0);
    let at = |hop: usize| hops.get(hop).map_or(all.len(), |(at, _)| *at);
    let read = |range: Option<&[(&str, &str)]>| -> Vec<Results> {
        let fields = range.unwrap_or_default().iter().filter(|(name, _)| *name == "authentication-results");
        fields.filter_map(|(_, value)| Results::read(value)).filter(|found| trust.contains(&found.server)).collect()
    };
    let above = read(all.get(..at(border)));
    if above.is_empty() { read(all.get(at(border)..at(border + 1))) } else { above }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECEIVED: &str = "Received: from x (x [192.0.2.7]) by mx.amt.example (Postfix); today\n";
    const PASS: &str = "Authentication-Results: mx.amt.example; dmarc=pass header.from=example.org\n";
    const FAIL: &str = "Authentication-Results: mx.amt.example; dmarc=fail header.from=example.org\n";
    const INNER: &str = "Received: from mx.amt.example (mx [10.0.0.1]) by inner.amt.example (Postfix); today\n";
    const MAIL: &str = "From: bob@example.org\n";

    fn say(header: &str) -> Verdict {
        verdict(&Fields::read(header), &["mx.amt.example".to_owned()], "example.org")
    }

    fn of(results: &str) -> Verdict {
        say(&format!("Authentication-Results: mx.amt.example; {results}\n{RECEIVED}{MAIL}"))
    }

    #[test]
    fn a_pass_counts_for_the_domain_of_the_sender_and_for_no_other() {
        for results in [
            "dmarc=pass",
            "dmarc=pass header.from=Example.org",
            "dkim=pass header.d=example.org",
            "dkim=fail header.d=example.org; dkim=pass header.d=example.org",
            "dkim=pass header.i=@example.org",
            "spf=pass smtp.mailfrom=bob@example.org; dkim=none",
            "spf=pass smtp.mailfrom=example.org; dmarc=none",
        ] {
            assert_eq!(of(results), Verdict::Verified, "{results}");
        }
        for results in [
            "dmarc=pass header.from=evil.example",
            "dkim=pass header.d=evil.example",
            "dkim=pass header.d=org",
            "dkim=pass header.d=mail.example.org",
            "dkim=pass header.d=notexample.org",
            "dkim=pass",
            "spf=pass smtp.helo=example.org",
            "spf=softfail smtp.mailfrom=example.org",
            "auth=pass smtp.auth=eve",
            "dmarc=fail; dkim=pass header.d=example.org",
            "arc=pass",
        ] {
            assert_eq!(of(results), Verdict::Unverified, "{results}");
        }
    }

    #[test]
    fn a_proof_is_good_for_the_domains_below_its_own_and_not_for_those_that_only_end_like_it() {
        let fields = Fields::read("Authentication-Results: mx.amt.example; dkim=pass header.d=example.org");
        let of = |domain: &str| verdict(&fields, &["mx.amt.example".to_owned()], domain);
        assert_eq!(of("a.b.example.org"), Verdict::Verified);
        assert_eq!(of("notexample.org"), Verdict::Unverified);
    }

    #[test]
    fn only_the_servers_that_are_configured_are_believed() {
        let foreign = PASS.replace("mx.amt", "mx.evil");
        assert_eq!(say(&format!("{foreign}{RECEIVED}{MAIL}")), Verdict::Unknown);
        assert_eq!(say(&format!("{foreign}{FAIL}{RECEIVED}{foreign}{MAIL}")), Verdict::Unverified);
        assert_eq!(say(&format!("{}{RECEIVED}{MAIL}", PASS.replace("mx.amt", "MX.Amt"))), Verdict::Verified);
        assert_eq!(say("From: x\n"), Verdict::Unknown);
    }

    #[test]
    fn results_that_came_with_the_mail_do_not_count() {
        for (header, expected) in [
            (format!("{PASS}{RECEIVED}{MAIL}"), Verdict::Verified),
            (format!("{RECEIVED}{PASS}{MAIL}"), Verdict::Verified),
            (format!("{INNER}{PASS}{RECEIVED}{MAIL}"), Verdict::Verified),
            (format!("{INNER}{RECEIVED}{PASS}{MAIL}"), Verdict::Verified),
            // Forged ones: below our own results, or behind another hop.
            (format!("{FAIL}{RECEIVED}{PASS}{MAIL}"), Verdict::Unverified),
            (format!("{RECEIVED}{FAIL}{PASS}{MAIL}"), Verdict::Unverified),
            (format!("{RECEIVED}Received: from a by b; x\n{PASS}{MAIL}"), Verdict::Unknown),
            (format!("{INNER}{RECEIVED}Received: from a by mx.amt.example; x\n{PASS}{MAIL}"), Verdict::Unknown),
        ] {
            assert_eq!(say(&header), expected, "{header}");
        }
    }

    #[test]
    fn a_method_that_our_server_has_tried_is_not_tried_again_by_a_forged_field() {
        let ours = "Authentication-Results: mx.amt.example; dkim=fail header.d=example.org\n";
        let spf = "Authentication-Results: mx.amt.example; spf=none smtp.mailfrom=evil.example\n";
        let forged = "Authentication-Results: mx.amt.example; dkim=pass header.d=example.org\n";
        assert_eq!(say(&format!("{RECEIVED}{ours}{spf}{forged}{MAIL}")), Verdict::Unverified);
    }
}

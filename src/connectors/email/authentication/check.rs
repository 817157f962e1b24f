//! Our own check of a sender: DKIM (RFC 6376), SPF (RFC 7208), DMARC (RFC 7489), over DNS.

use super::{Verdict, is_of, received::Received};
use crate::connectors::email::{address, fields::Fields};
use futures_util::FutureExt;
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DkimResult, DmarcResult, MessageAuthenticator, SpfOutput, SpfResult,
    dkim::Signature,
    dmarc::verify::DmarcParameters,
    hickory_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts},
    spf::verify::SpfParameters,
};
use std::{net::SocketAddr, panic::AssertUnwindSafe, time::Duration};
use tokio::time::timeout;

/// For all questions about one mail. The bridge gives an attempt five minutes.
const TIME: Duration = Duration::from_secs(30);
/// Signatures that are looked at. Each costs a question to a server that the sender has chosen.
const SIGNATURES: usize = 5;

pub struct Check {
    dns: MessageAuthenticator,
    /// Our mail server as it calls itself in `Received`, in lower case. What it says of the client is needed for SPF.
    mx: Option<String>,
}

impl Check {
    /// Asks this name server, else those of the system. The error says what is wrong with them.
    pub fn new(dns: Option<SocketAddr>, mx: Option<String>) -> Result<Self, String> {
        let dns = match dns {
            Some(server) => {
                let mut config = NameServerConfig::udp_and_tcp(server.ip());
                config.connections.iter_mut().for_each(|connection| connection.port = server.port());
                MessageAuthenticator::new(ResolverConfig::from_name_servers(vec![config]), ResolverOpts::default())
            }
            None => MessageAuthenticator::new_system_conf(),
        };
        Ok(Self { dns: dns.map_err(|e| e.to_string())?, mx })
    }

    /// What can be found out about `domain`, in which the sender's address is.
    pub async fn verdict(&self, raw: &[u8], fields: &Fields, domain: &str) -> Verdict {
        let look = AssertUnwindSafe(self.look(raw, fields, domain)).catch_unwind();
        match timeout(TIME, look).await {
            Ok(Ok(verdict)) => verdict,
            // Whatever in a mail makes the library give up is not a proof.
            Ok(Err(_)) => Verdict::Unverified,
            Err(_) => Verdict::Later("the DNS takes too long".to_owned()),
        }
    }

    async fn look(&self, raw: &[u8], fields: &Fields, domain: &str) -> Verdict {
        let Some(mut mail) = AuthenticatedMessage::parse(raw) else { return Verdict::Unverified };
        // It must have read the same author as we have.
        let is_author = |from: &String| from.rsplit('@').next().is_some_and(|found| is_same(found, domain));
        if mail.from.len() != 1 || !mail.from.iter().all(is_author) {
            return Verdict::Unverified;
        }
        mail.dkim_headers.retain(|header| may_speak(&header.header, domain));
        mail.dkim_headers.truncate(SIGNATURES);
        let signatures = self.dns.verify_dkim(&mail).await;
        let signed = |wanted: fn(&DkimResult) -> bool| {
            let mut found = signatures.iter().filter(|found| wanted(found.result()));
            found.any(|found| found.signature().is_some_and(|signature| is_of(domain, &signature.d)))
        };
        if signed(|result| matches!(result, DkimResult::Pass)) {
            return Verdict::Verified;
        }
        let (sender, spf) = self.spf(fields).await;
        let sent_by = |result: SpfResult| spf.result() == result && is_of(domain, sender);
        if sent_by(SpfResult::Pass) {
            return Verdict::Verified;
        }
        let relaxed = self.dmarc(&mail, &signatures, sender, &spf).await;
        if relaxed == DmarcResult::Pass {
            return Verdict::Verified;
        }
        let is_late = signed(|result| matches!(result, DkimResult::TempError(_)))
            || sent_by(SpfResult::TempError)
            || matches!(relaxed, DmarcResult::TempError(_));
        if is_late { Verdict::Later("the DNS does not answer".to_owned()) } else { Verdict::Unverified }
    }

    /// The domain of the envelope sender, and whether the client that our server saw may use it.
    async fn spf<'x>(&self, fields: &'x Fields) -> (&'x str, SpfOutput) {
        let nothing = ("", SpfOutput::default());
        let path = fields.get("return-path").unwrap_or_default().trim_matches(['<', '>']);
        let (Some(mx), Some((_, domain))) = (&self.mx, path.rsplit_once('@')) else { return nothing };
        let mut hops = fields.all("received").filter_map(Received::read);
        let Some(hop) = hops.find(|hop| hop.by == *mx) else { return nothing };
        let Some(client) = hop.client else { return nothing };
        let question = SpfParameters::verify_mail_from(client, hop.hello, mx, path);
        (domain, self.dns.verify_spf(question).await)
    }

    /// For what the rule of `is_of` does not cover. Only a domain that has a DMARC record can get a pass.
    async fn dmarc(
        &self,
        mail: &AuthenticatedMessage<'_>,
        signatures: &[DkimOutput<'_>],
        sender: &str,
        spf: &SpfOutput,
    ) -> DmarcResult {
        let signed = |found: &DkimOutput<'_>| matches!(found.result(), DkimResult::Pass | DkimResult::TempError(_));
        if !signatures.iter().any(signed) && !matches!(spf.result(), SpfResult::Pass | SpfResult::TempError) {
            return DmarcResult::None;
        }
        let question = DmarcParameters {
            message: mail,
            dkim_output: signatures,
            dkim2_output: None,
            rfc5321_mail_from_domain: sender,
            spf_output: spf,
        };
        self.dns.verify_dmarc(question).await.result()
    }

    /// Whether the DNS answers at all.
    pub async fn try_out(&self, domain: &str) -> Result<String, String> {
        let question = self.dns.resolver().txt_lookup(format!("{domain}."));
        match timeout(TIME, question).await {
            Ok(Err(e)) if !e.is_no_records_found() => {
                Err(format!("the DNS does not answer: {e}; mend it, or name a server in connectors.email.senders.dns"))
            }
            Err(_) => {
                Err("the DNS does not answer; mend it, or name a server in connectors.email.senders.dns".to_owned())
            }
            Ok(_) => Ok("checked over DNS".to_owned()),
        }
    }
}

/// A signature that says something about the author: of the same domain, one above, below, or beside it.
fn may_speak(signature: &Signature, domain: &str) -> bool {
    // RFC 6376 section 5.4: who signs has to sign the author.
    let covers_author = signature.h.iter().any(|field| field.eq_ignore_ascii_case("from"));
    let above = |domain: &str| domain.rsplit('.').take(2).map(str::to_ascii_lowercase).collect::<Vec<_>>();
    covers_author && above(&signature.d) == above(domain)
}

/// Whether two spellings name one domain.
fn is_same(found: &str, domain: &str) -> bool {
    address::remote(&format!("x@{found}")).is_some_and(|found| found.as_str().strip_prefix("x@") == Some(domain))
}

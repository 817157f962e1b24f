//! Files: ours go to the server's upload service (XEP-0363), theirs are fetched from where they were uploaded.

use super::{
    address::Identity,
    component::Component,
    xml::{Build, element, ns, stanza},
};
use crate::{
    failure::{Failure, Reason},
    message::{Arrival, Attachment, Delivery},
};
use bytes::{Bytes, BytesMut};
use reqwest::{Client, Response, redirect::Policy};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::net::lookup_host;
use url::{Host, Url};
use xmpp_parsers::minidom::Element;

const PATIENCE: Duration = Duration::from_secs(120);
/// Then the link alone has to do.
const ATTEMPTS: u32 = 3;
/// What an upload service may ask us to say (XEP-0363 section 5).
const HEADERS: &[&str] = &["authorization", "cookie", "expires"];

pub struct Files {
    /// The address of the upload service.
    service: Option<String>,
    /// Hosts, with ports, that may be asked wherever they are.
    allowed: Vec<String>,
    largest: u64,
}

/// Where a file may be put, and where it can be fetched then.
struct Slot {
    put: Url,
    get: String,
    headers: Vec<(String, String)>,
}

impl Files {
    pub fn new(service: Option<String>, allowed: Vec<String>, largest: u64) -> Self {
        Self { service, allowed, largest }
    }

    pub fn can_upload(&self) -> bool {
        self.service.is_some()
    }

    /// Puts all files of a delivery where its recipient can fetch them; the addresses.
    pub async fn upload(
        &self,
        component: &Component,
        identity: &Identity,
        delivery: &Delivery,
    ) -> Result<Vec<String>, Failure> {
        let mut addresses = Vec::with_capacity(delivery.attachments.len());
        for file in &delivery.attachments {
            addresses.push(self.upload_one(component, identity, file).await?);
        }
        Ok(addresses)
    }

    async fn upload_one(
        &self,
        component: &Component,
        identity: &Identity,
        file: &Attachment,
    ) -> Result<String, Failure> {
        let none = || Failure::permanent(Reason::Refused, "no upload service is configured");
        let service = self.service.as_deref().ok_or_else(none)?;
        let request = element("request", ns::UPLOAD)
            .with("filename", &file.name)
            .with("size", &file.bytes.len().to_string())
            .with("content-type", &file.media_type);
        let question = stanza("iq", "get", identity.domain.as_str(), service).holding(request);
        let slot = slot(&component.ask(question).await?)?;
        let mut request = client(None)?.put(slot.put).header("Content-Type", &file.media_type);
        for (name, value) in &slot.headers {
            request = request.header(name, value);
        }
        let answer = request.body(file.bytes.clone()).send().await.map_err(|e| unreachable(&e.without_url()))?;
        match answer.status() {
            status if status.is_success() => Ok(slot.get),
            status if status.as_u16() == 413 => Err(Failure::permanent(Reason::TooLarge, "the upload service: 413")),
            status => Err(Failure::transient(Reason::Busy, format!("the upload service: {status}"))),
        }
    }

    /// Puts the file behind a link into the arrival; a link that leads nowhere stays what it is, a link.
    pub async fn fetch(&self, link: &str, attempt: u32, arrival: &mut Arrival) -> Result<(), Failure> {
        match self.download(link).await {
            Ok(file) => arrival.attachments.push(file),
            Err(failure) if !failure.is_permanent() && attempt < ATTEMPTS => return Err(failure),
            Err(failure) => {
                tracing::warn!(detail = failure.detail, "a file cannot be fetched; its link is shown instead");
                if arrival.body.text.trim().is_empty() {
                    arrival.body.text = link.to_owned();
                }
            }
        }
        Ok(())
    }

    async fn download(&self, link: &str) -> Result<Attachment, Failure> {
        let refused = |what: &str| Failure::permanent(Reason::Refused, what);
        let url = Url::parse(link).map_err(|_| refused("the link is no URL"))?;
        let pinned = self.may_ask(&url).await?;
        let answer = client(Some(pinned))?.get(url.clone()).send().await.map_err(|e| unreachable(&e.without_url()))?;
        if !answer.status().is_success() {
            return Err(refused(&format!("the link: {}", answer.status())));
        }
        let header = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
        let media_type = header.unwrap_or("application/octet-stream").to_owned();
        let bytes = self.body(answer).await?;
        Ok(Attachment { name: name_of(&url), media_type, location: String::new(), bytes })
    }

    /// Where the file is, if it may be asked for there: nobody outside may make us ask what stands in our own network.
    async fn may_ask(&self, url: &Url) -> Result<(String, SocketAddr), Failure> {
        let refused = |what: &str| Failure::permanent(Reason::Refused, what);
        let host = url.host_str().ok_or_else(|| refused("the link names no host"))?;
        let port = url.port_or_known_default().ok_or_else(|| refused("the link names no port"))?;
        let allowed = self.allowed.iter().any(|it| *it == host || *it == format!("{host}:{port}"));
        if url.scheme() != "https" && !(allowed && url.scheme() == "http") {
            return Err(refused("the link is not https"));
        }
        let addresses: Vec<SocketAddr> = match url.host() {
            Some(Host::Ipv4(ip)) => vec![SocketAddr::new(ip.into(), port)],
            Some(Host::Ipv6(ip)) => vec![SocketAddr::new(ip.into(), port)],
            _ => lookup_host((host, port)).await.map_err(|e| unreachable(&e))?.collect(),
        };
        let usable = addresses.into_iter().find(|it| allowed || is_public(it.ip()));
        Ok((host.to_owned(), usable.ok_or_else(|| refused("the link leads into a network that is not public"))?))
    }

    async fn body(&self, mut answer: Response) -> Result<Bytes, Failure> {
        let too_large = || Failure::permanent(Reason::TooLarge, "the file behind the link");
        let mut bytes = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| unreachable(&e.without_url()))? {
            if (bytes.len() + chunk.len()) as u64 > self.largest {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }
}

fn unreachable(error: &dyn std::fmt::Display) -> Failure {
    Failure::transient(Reason::Unreachable, error)
}

/// `pinned`: the one address that is asked for this host, whatever its name leads to meanwhile.
fn client(pinned: Option<(String, SocketAddr)>) -> Result<Client, Failure> {
    let mut builder = Client::builder().timeout(PATIENCE).redirect(Policy::none()).no_proxy();
    if let Some((host, address)) = pinned {
        builder = builder.resolve(&host, address);
    }
    builder.build().map_err(|e| Failure::transient(Reason::Internal, e))
}

fn slot(answer: &Element) -> Result<Slot, Failure> {
    let unreadable = || Failure::transient(Reason::Busy, "the upload service gave no place for the file");
    let slot = answer.get_child("slot", ns::UPLOAD).ok_or_else(unreadable)?;
    let put = slot.get_child("put", ns::UPLOAD).ok_or_else(unreadable)?;
    let get = slot.get_child("get", ns::UPLOAD).and_then(|get| get.attr("url")).ok_or_else(unreadable)?;
    let headers = put.children().filter_map(|header| {
        let name = header.attr("name")?.to_ascii_lowercase();
        HEADERS.contains(&name.as_str()).then(|| (name, header.text().replace(['\r', '\n'], "")))
    });
    let put_url = put.attr("url").and_then(|url| Url::parse(url).ok()).ok_or_else(unreadable)?;
    Ok(Slot { put: put_url, get: get.to_owned(), headers: headers.collect() })
}

/// A file name for people, from the end of a link.
fn name_of(url: &Url) -> String {
    let last = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
    let decoded: String = url::form_urlencoded::parse(format!("x={}", last.replace('+', "%2B")).as_bytes())
        .map(|(_, value)| value.into_owned())
        .next()
        .unwrap_or_default();
    let last = decoded.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().filter(|c| !c.is_control()).take(200).collect();
    let name = name.trim_start_matches('.').trim();
    if name.is_empty() { "file".to_owned() } else { name.to_owned() }
}

/// Addresses that anybody on the Internet could ask as well.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            // Shared (RFC 6598), benchmarks (RFC 2544) and reserved ranges have no stable predicate.
            let special =
                (a == 100 && (64..128).contains(&b)) || (a == 198 && (b == 18 || b == 19)) || a == 0 || a >= 240;
            !(special
                || ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_documentation()
                || ip.is_broadcast())
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_public(ip.into()),
            // Global unicast only (RFC 4291 section 2.4), without what leads into IPv4 (6to4, Teredo).
            None => {
                let [first, second, ..] = ip.segments();
                first & 0xe000 == 0x2000 && first != 0x2002 && !(first == 0x2001 && second == 0)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_asked() {
        for public in ["93.184.216.34", "2606:2800:220:1::1", "100.128.0.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for inside in [
            "127.0.0.1",
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "255.255.255.255",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
    }

    #[tokio::test]
    async fn a_link_into_our_own_network_is_refused_unless_it_is_allowed() {
        let ask = async |allowed: &[&str], link: &str| {
            let allowed = allowed.iter().map(|it| (*it).to_owned()).collect();
            Files::new(None, allowed, 1).may_ask(&Url::parse(link).unwrap()).await
        };
        for link in
            ["https://127.0.0.1/x", "https://localhost/x", "https://[::1]/x", "http://93.184.216.34/x", "file:///x"]
        {
            assert!(ask(&[], link).await.unwrap_err().is_permanent(), "{link}");
        }
        assert!(ask(&[], "https://93.184.216.34/x").await.is_ok());
        assert!(ask(&["127.0.0.1:81"], "http://127.0.0.1:81/x").await.is_ok());
        assert!(ask(&["127.0.0.1:81"], "http://127.0.0.1:82/x").await.is_err());
    }

    #[test]
    fn a_file_is_called_as_its_link_says() {
        for (link, name) in [
            ("https://x.test/a/Pr%C3%BCf+bericht%201.pdf?x=y", "Prüf+bericht 1.pdf"),
            ("https://x.test/%2e%2e%2fetc%2fpasswd", "passwd"),
            ("https://x.test/", "file"),
        ] {
            assert_eq!(name_of(&Url::parse(link).unwrap()), name);
        }
    }

    #[test]
    fn a_place_for_a_file_names_both_addresses_and_only_harmless_headers() {
        let answer: Element = "<iq xmlns='jabber:component:accept' type='result'><slot xmlns='urn:xmpp:http:upload:0'>\
            <put url='https://x.test/p'><header name='Authorization'>a\nb</header><header name='Host'>y</header></put>\
            <get url='https://x.test/g'/></slot></iq>"
            .parse()
            .unwrap();
        let slot = slot(&answer).ok().unwrap();
        assert_eq!((slot.put.as_str(), slot.get.as_str()), ("https://x.test/p", "https://x.test/g"));
        assert_eq!(slot.headers, [("authorization".to_owned(), "ab".to_owned())]);
    }
}

//! A client that knows identity services, as Element Web is one. It reaches Fehmarn by the reverse proxy, over TLS.

use super::{Setup, Staff, servers};
use reqwest::{Certificate, Client, Method, StatusCode};
use serde_json::{Value, json};

/// Where Fehmarn listens for clients.
pub fn port(setup: &Setup) -> u16 {
    setup.slot.clients_port
}

/// What clients and the homeserver call the service.
pub fn server(setup: &Setup) -> String {
    format!("localhost:{}", setup.slot.front_port)
}

/// A Setup with an identity service, with more keys of its section.
pub fn setup(more: &[&str]) -> Setup {
    serve_clients(Setup::new(), more)
}

/// Has Fehmarn serve clients as well.
pub fn serve_clients(mut setup: Setup, more: &[&str]) -> Setup {
    setup.identity = Some(format!(
        "{{ listen: \"127.0.0.1:{}\", url: \"https://{}\"{} }}",
        port(&setup),
        server(&setup),
        more.iter().map(|key| format!(", {key}")).collect::<String>()
    ));
    setup
}

/// What somebody's client asks of the identity service.
pub struct Identity {
    pub server: String,
    pub token: String,
    http: Client,
}

impl Identity {
    /// Not signed in.
    pub fn stranger(setup: &Setup) -> Self {
        let ca = Certificate::from_pem(&std::fs::read(&servers().ca_file).unwrap()).unwrap();
        let http = Client::builder().tls_certs_only([ca]).pool_max_idle_per_host(0).build().unwrap();
        Self { server: server(setup), token: String::new(), http }
    }

    /// Signed in with what the homeserver says of a member of staff.
    pub async fn of(setup: &Setup, staff: &Staff) -> Self {
        let mut identity = Self::stranger(setup);
        let openid = staff.openid_token().await;
        let (status, answer) = identity.ask(Method::POST, "/v2/account/register", openid).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        identity.token = answer["token"].as_str().unwrap().to_owned();
        identity
    }

    pub async fn ask(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        self.ask_at(method, &format!("/_matrix/identity{path}"), &self.token, body).await
    }

    /// With another token, at any path.
    pub async fn ask_at(&self, method: Method, path: &str, token: &str, body: Value) -> (StatusCode, Value) {
        let mut request = self.http.request(method.clone(), format!("https://{}{path}", self.server));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if method != Method::GET {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let (status, bytes) = (answer.status(), answer.bytes().await.unwrap());
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask(Method::GET, path, Value::Null).await
    }

    /// The ghost of an address, as clients look it up: hashed if the service offers that.
    pub async fn look_up(&self, address: &str) -> Option<String> {
        let (status, details) = self.get("/v2/hash_details").await;
        assert_eq!(status, StatusCode::OK, "{details}");
        let (algorithm, pepper) = (&details["algorithms"][0], details["lookup_pepper"].as_str().unwrap());
        let asked = match algorithm.as_str().unwrap() {
            "sha256" => {
                use sha2::{Digest, Sha256};
                data_encoding::BASE64URL_NOPAD.encode(&Sha256::digest(format!("{address} email {pepper}")))
            }
            _ => format!("{address} email"),
        };
        let request = json!({ "addresses": [asked], "algorithm": algorithm, "pepper": pepper });
        let (status, answer) = self.ask(Method::POST, "/v2/lookup", request).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["mappings"][&asked].as_str().map(str::to_owned)
    }

    /// How a client names an address to the homeserver.
    pub fn address(&self, address: &str) -> Value {
        json!({
            "id_server": self.server, "id_access_token": self.token, "medium": "email", "address": address,
        })
    }
}

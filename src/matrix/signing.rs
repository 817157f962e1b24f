//! Signatures over JSON (Matrix specification, appendix "Signing JSON"). Pure.

use data_encoding::BASE64_NOPAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// The version of our key; there is one.
pub const KEY_ID: &str = "ed25519:0";

/// A key that signs invitations.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// `seed`: 32 random bytes. The same seed is the same key.
    pub fn new(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        Self(pair.unwrap_or_else(|_| unreachable!("32 bytes are a seed")))
    }

    /// In base64 without padding, as Matrix has it.
    pub fn public_key(&self) -> String {
        BASE64_NOPAD.encode(self.0.public_key().as_ref())
    }

    /// The object with a signature of `server`. `serde_json` sorts keys and writes neither spaces nor escapes that
    /// need not be, which is the canonical form of objects without numbers.
    pub fn sign(&self, mut object: Value, server: &str) -> Value {
        let signature = BASE64_NOPAD.encode(self.0.sign(object.to_string().as_bytes()).as_ref());
        object["signatures"] = json!({ server: { KEY_ID: signature } });
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seed, key and signature of the appendix "Cryptographic Test Vectors", where the seed ends in `1`: the two bits by which
    /// that differs belong to no byte.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let seed = BASE64_NOPAD.decode(b"YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA0").unwrap();
        let key = SigningKey::new(&seed.try_into().unwrap());
        assert_eq!(key.public_key(), "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI");
        let signature = |object: Value| {
            let signed = key.sign(object, "domain");
            signed["signatures"]["domain"][KEY_ID].as_str().unwrap().to_owned()
        };
        assert_eq!(
            signature(json!({})),
            "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"
        );
        assert_ne!(signature(json!({ "mxid": "@a:x" })), signature(json!({ "mxid": "@b:x" })));
    }

    #[test]
    fn what_is_signed_is_in_the_canonical_form() {
        assert_eq!(json!({ "token": "a\"ü", "mxid": "@x:y" }).to_string(), r#"{"mxid":"@x:y","token":"a\"ü"}"#);
    }
}

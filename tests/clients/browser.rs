//! Chromium, in front of which somebody of the staff sits; and how they go about Hydrogen in it.

use super::program::Program;
use crate::common::{Setup, Staff, servers, until};
use serde_json::{Value, json};

pub struct Browser {
    program: Program,
    url: String,
}

/// A tab of the browser.
pub struct Tab<'b> {
    browser: &'b Browser,
    name: &'static str,
}

impl Browser {
    pub async fn open(setup: &Setup) -> Self {
        let certificate = servers().ca_file.with_file_name("server.pem").display().to_string();
        let program =
            Program::start("browser.mjs", |folder| vec![certificate.clone(), folder.path().display().to_string()])
                .await;
        Self { program, url: setup.slot.front() }
    }

    pub async fn tab(&self, name: &'static str, page: &str) -> Tab<'_> {
        let tab = Tab { browser: self, name };
        tab.order("open", json!({ "url": format!("{}/{page}", self.url) })).await;
        tab
    }
}

impl Tab<'_> {
    async fn order(&self, what: &str, mut order: Value) -> Value {
        order["do"] = what.into();
        order["tab"] = self.name.into();
        match self.browser.program.try_to(order.clone()).await {
            Ok(answer) => answer,
            Err(error) => {
                let picture = self.browser.program.kept(&format!("browser-{}.png", self.name));
                let taken = json!({ "do": "picture", "tab": self.name, "path": picture });
                let _ = self.browser.program.try_to(taken).await;
                panic!("{what} {order}: {error}\nThe screen is in {}", picture.display());
            }
        }
    }

    pub async fn fill(&self, selector: &str, text: &str) {
        self.order("fill", json!({ "selector": selector, "text": text })).await;
    }

    pub async fn click(&self, selector: &str, words: &str) {
        self.order("click", json!({ "selector": selector, "words": words })).await;
    }

    pub async fn press(&self, key: &str) {
        self.order("press", json!({ "key": key })).await;
    }

    /// Waits for an element with these words; all its words.
    pub async fn see(&self, selector: &str, words: &str) -> String {
        self.order("see", json!({ "selector": selector, "words": words })).await.as_str().unwrap().to_owned()
    }

    pub async fn wait_until_gone(&self, selector: &str) {
        self.order("gone", json!({ "selector": selector })).await;
    }

    pub async fn all(&self, selector: &str) -> Vec<String> {
        let all = self.order("all", json!({ "selector": selector })).await;
        all.as_array().unwrap().iter().map(|words| words.as_str().unwrap().to_owned()).collect()
    }

    /// What Hydrogen knows of a message in the room that is open: its state, and a person's words for that.
    pub async fn state_of(&self, words: &str) -> Option<(String, String)> {
        let events = self.order("events", json!({})).await;
        let events = events.as_array().unwrap();
        let said = events.iter().find(|event| event["content"]["body"] == words)?;
        let is_about = |event: &&Value| {
            event["type"] == "com.beeper.message_send_status"
                && event["content"]["m.relates_to"]["event_id"] == said["id"]
        };
        let content = &events.iter().rfind(is_about)?["content"];
        let text = |key: &str| content[key].as_str().unwrap_or_default().to_owned();
        Some((text("status"), text("message")))
    }

    /// Waits until Hydrogen knows this state of a message; the words for it.
    pub async fn wait_for_state(&self, words: &str, state: &str) -> String {
        let known = async || self.state_of(words).await.filter(|(known, _)| known == state).map(|(_, words)| words);
        until(&format!("{state} of {words:?}"), known).await
    }

    /// Signs in to Hydrogen.
    pub async fn sign_in(&self, staff: &Staff) {
        self.fill("input#username", &staff.localpart).await;
        self.fill("input#password", &servers().password).await;
        self.click("button", "Log In").await;
    }

    /// Writes in the room that is open.
    pub async fn write(&self, words: &str) {
        self.fill(".MessageComposer_input textarea", words).await;
        self.press("Enter").await;
    }
}

//! `fehmarn check`: everything that `run` will need is tried.

use crate::{
    Fehmarn,
    config::Config,
    connector::Finding,
    connectors,
    http::{self, Readiness, Site},
    matrix::Registration,
    store::Store,
    yaml::environment,
};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// One finding for each thing that was tried, in the order in which an admin would mend them.
pub async fn run(config: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let opened = Config::open(config, connectors::KINDS, &environment);
    let Some(config) = note(&mut findings, "configuration", opened, |_| format!("{}", config.display())) else {
        return findings;
    };
    let opened = Registration::open(&config.registration);
    let Some(registration) =
        note(&mut findings, "registration", opened, |_| format!("{}", config.registration.display()))
    else {
        return findings;
    };
    let opened = Store::open(config.database.expose()).await;
    let store = note(&mut findings, "database", opened, |_| "opened, its schema is up to date".into());
    for connector in config.connectors.values() {
        findings.extend(connector.check().await);
    }
    if let Some(store) = store {
        match Fehmarn::assemble(config, registration, store) {
            Ok(fehmarn) => matrix(&mut findings, fehmarn).await,
            Err(error) => findings.push(Finding { what: "homeserver".into(), result: Err(error.to_string()) }),
        }
    }
    findings
}

async fn matrix(findings: &mut Vec<Finding>, fehmarn: Fehmarn) {
    let homeserver = &fehmarn.bridge.homeserver;
    let what = format!("homeserver {}", fehmarn.config.homeserver.url);
    let newest =
        |versions: &Vec<String>| format!("speaks Matrix up to {}", versions.last().map_or("?", String::as_str));
    let versions = homeserver.spec_versions().await;
    if note(findings, &what, versions.map_err(|e| format!("{e}; is homeserver.url right?")), newest).is_none() {
        return;
    }
    let registered = homeserver.intent(&fehmarn.bridge.bot).register("Fehmarn").await;
    let registered = registered.map_err(|error| {
        let file = fehmarn.config.registration.display();
        format!("{error}; name {file} under app_service_config_files in homeserver.yaml and restart the homeserver")
    });
    note(findings, "registration known to the homeserver", registered, |()| format!("acts as {}", fehmarn.bridge.bot));
    clients(findings, &fehmarn).await;
    ping(findings, fehmarn).await;
}

/// What the identity service needs, where there is one.
async fn clients(findings: &mut Vec<Finding>, fehmarn: &Fehmarn) {
    let Some(settings) = &fehmarn.config.identity else { return };
    let probed = fehmarn.bridge.federation.probe().await.map_err(|error| {
        format!(
            "{error}; is identity.federation_url right? In Synapse, its listener needs the resources openid and federation"
        )
    });
    note(findings, "federation API of the homeserver", probed, |()| "knows OpenID tokens and invitations".into());
    let listening = TcpListener::bind(settings.listen).await.map(drop);
    let listening = match listening {
        Err(_) if is_fehmarn(settings.listen, "/_matrix/identity/v2").await => Ok("Fehmarn is running there"),
        Err(error) => Err(format!("{error}; another program has it: change identity.listen")),
        Ok(()) => Ok("free"),
    };
    note(findings, &format!("listen address {} for clients", settings.listen), listening, |found| (*found).to_owned());
}

/// Listens for a moment as `run` does, so that the homeserver's ping finds us; or finds the Fehmarn that runs already.
async fn ping(findings: &mut Vec<Finding>, fehmarn: Fehmarn) {
    let listen = fehmarn.config.appservice.listen;
    let url = fehmarn.config.appservice.url.clone();
    let (homeserver, id) = (fehmarn.bridge.homeserver.clone(), fehmarn.registration.id.clone());
    let stop = CancellationToken::new();
    let what = format!("listen address {listen}");
    let readiness = Readiness::default();
    let site = Arc::new(Site { bridge: fehmarn.bridge, registration: fehmarn.registration, readiness });
    match TcpListener::bind(listen).await {
        Ok(listener) => {
            tokio::spawn(http::serve(listener, site.clone(), stop.clone()));
            findings.push(Finding { what, result: Ok("free".into()) });
        }
        Err(_) if is_fehmarn(listen, "/health").await => {
            findings.push(Finding { what, result: Ok("Fehmarn is running there".into()) });
        }
        Err(error) => {
            let problem = format!("{error}; another program has it: change appservice.listen and appservice.url");
            findings.push(Finding { what, result: Err(problem) });
            return;
        }
    }
    let ponged = match homeserver.ping(&id).await {
        Ok(took) => Ok(format!("took {} ms", took.as_millis())),
        // Synapse answers 502 also if it cannot end its back-off because it is just trying again.
        Err(_) if site.readiness.is_homeserver_reached() => Ok("it came".to_owned()),
        Err(error) => Err(format!(
            "{error}; the homeserver cannot reach {url}, or its copy of the registration is another one than ours"
        )),
    };
    note(findings, "ping back from the homeserver", ponged, String::clone);
    stop.cancel();
}

async fn is_fehmarn(listen: std::net::SocketAddr, path: &str) -> bool {
    let Ok(client) = reqwest::Client::builder().timeout(Duration::from_secs(3)).no_proxy().build() else {
        return false;
    };
    let answer = client.get(format!("http://{listen}{path}")).send().await;
    matches!(answer, Ok(answer) if answer.status().is_success())
}

fn note<T, E: std::fmt::Display>(
    findings: &mut Vec<Finding>,
    what: &str,
    result: Result<T, E>,
    good: impl FnOnce(&T) -> String,
) -> Option<T> {
    let (value, result) = match result {
        Ok(value) => {
            let text = good(&value);
            (Some(value), Ok(text))
        }
        Err(error) => (None, Err(error.to_string())),
    };
    findings.push(Finding { what: what.into(), result });
    value
}

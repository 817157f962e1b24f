//! A page of `/metrics`, read as Prometheus reads it.

use std::collections::BTreeMap;

pub struct Page {
    pub text: String,
    pub content_type: String,
    samples: Vec<Sample>,
    /// Of each family.
    pub types: BTreeMap<String, String>,
}

pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Page {
    pub async fn of(port: u16) -> Self {
        let answer = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await.unwrap();
        assert_eq!(answer.status(), 200);
        let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
        Self::read(content_type, answer.text().await.unwrap())
    }

    fn read(content_type: String, text: String) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#')).map(sample).collect();
        let of_type = |line: &str| {
            let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
            Some((name.to_owned(), kind.to_owned()))
        };
        let types = text.lines().filter_map(of_type).collect();
        assert!(text.ends_with("# EOF\n"), "{text}");
        Self { samples, types, content_type, text }
    }

    pub fn samples(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.name == name)
    }

    pub fn all(&self) -> &[Sample] {
        &self.samples
    }

    /// Of the one sample with these labels, whatever others it has.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has =
            |sample: &&Sample| labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|it| it == value));
        let found: Vec<&Sample> = self.samples(name).filter(has).collect();
        assert!(found.len() < 2, "{name} {labels:?} is not one: {}", self.text);
        found.first().map(|sample| sample.value)
    }
}

fn sample(line: &str) -> Sample {
    let (start, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let (name, labels) = match start.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').unwrap()),
        None => (start, ""),
    };
    let labels = labels.split("\",").filter(|label| !label.is_empty()).map(|label| {
        let (key, value) = label.split_once("=\"").unwrap();
        (key.to_owned(), value.trim_end_matches('"').to_owned())
    });
    Sample {
        name: name.to_owned(),
        labels: labels.collect(),
        value: value.parse().unwrap_or_else(|e| panic!("{line}: {e}")),
    }
}

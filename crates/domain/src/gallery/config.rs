//! The configuration of an image, as far as people want to read it (OCI image specification 1.1,
//! "Image Configuration"). It is what somebody pushed: whatever cannot be read is left out.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::app::App;
use crate::blobs::{self, BlobReader};
use crate::error::Result;
use crate::execute::Tx;
use crate::images::put_image::CONFIG_POSITION;
use crate::names::Digest;
use crate::params;
use crate::repositories::Repository;

/// A larger one is not read.
const BYTES_MAX: u64 = 512 * 1024;
/// Labels, and steps of the history.
const ENTRIES_MAX: usize = 500;

/// What is read of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// `os/architecture/variant`, as far as known.
    pub platform: String,
    /// What runs, its arguments after it.
    pub command: Vec<String>,
    /// As whom it runs.
    pub user: Option<String>,
    /// The ports that it listens on.
    pub ports: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// By which commands its layers were made, in their order; none when it does not say so of
    /// every layer.
    pub steps: Vec<String>,
}

/// The configuration of an image that has one.
pub(crate) async fn read(
    app: &App,
    tx: &mut Tx,
    repository: &Repository,
    image_id: i64,
) -> Result<Option<ImageConfig>> {
    let row = tx
        .optional(
            "SELECT digest FROM image_blobs \
             WHERE image_id = $1 AND position = $2 AND size <= $3 AND media_type LIKE '%config%json'",
            params![image_id, CONFIG_POSITION, BYTES_MAX],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let Ok(digest) = Digest::parse(&row.get::<String>(0)?) else { return Ok(None) };
    let Some(blob) = blobs::find_whole(tx, repository, &digest).await? else { return Ok(None) };
    let reader = BlobReader::open(app, tx, repository, &digest, &blob).await?;
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < blob.size.min(BYTES_MAX) {
        let left = usize::try_from(blob.size).unwrap_or(usize::MAX) - bytes.len();
        let span = reader.read_at(bytes.len() as u64, left.min(64 * 1024)).await?;
        if span.is_empty() {
            break;
        }
        bytes.extend_from_slice(&span);
    }
    Ok(serde_json::from_slice(&bytes).ok().map(|value| parse(&value)))
}

fn parse(value: &Value) -> ImageConfig {
    let text = |name: &str| value[name].as_str().unwrap_or_default();
    let texts = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        items.take(ENTRIES_MAX).map(str::to_owned).collect()
    };
    let parts = [text("os"), text("architecture"), text("variant")];
    let platform =
        parts.into_iter().take_while(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    let config = &value["config"];
    let mut command = texts(&config["Entrypoint"]);
    command.extend(texts(&config["Cmd"]));
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let labels = members(&config["Labels"])
        .into_iter()
        .take(ENTRIES_MAX)
        .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
        .collect();
    let steps = value["history"].as_array().into_iter().flatten();
    let steps = steps
        .filter(|step| step["empty_layer"].as_bool() != Some(true))
        .take(ENTRIES_MAX)
        .map(|step| step["created_by"].as_str().unwrap_or_default().to_owned())
        .collect();
    ImageConfig {
        platform,
        command,
        user: config["User"].as_str().filter(|user| !user.is_empty()).map(str::to_owned),
        ports: members(&config["ExposedPorts"])
            .into_iter()
            .take(ENTRIES_MAX)
            .map(|(port, _)| port)
            .collect(),
        labels,
        steps,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_read() {
        let config = parse(&json!({
            "os": "linux", "architecture": "arm64", "variant": "v8",
            "config": {
                "Entrypoint": ["/bin/app"], "Cmd": ["--port", "80", 7], "User": "nobody",
                "ExposedPorts": {"80/tcp": {}}, "Labels": {"a": "b", "c": 1},
            },
            "history": [
                {"created_by": "COPY app /bin"}, {"created_by": "CMD", "empty_layer": true}, {},
            ],
        }));
        let expected = ImageConfig {
            platform: "linux/arm64/v8".to_owned(),
            command: ["/bin/app", "--port", "80"].map(str::to_owned).to_vec(),
            user: Some("nobody".to_owned()),
            ports: vec!["80/tcp".to_owned()],
            labels: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            steps: vec!["COPY app /bin".to_owned(), String::new()],
        };
        assert_eq!(config, expected);
        for odd in [json!(null), json!([]), json!({"config": 1, "history": {}, "os": {}})] {
            assert_eq!(parse(&odd), ImageConfig::default(), "{odd}");
        }
    }
}

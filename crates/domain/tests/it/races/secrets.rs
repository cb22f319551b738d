//! The races of secrets.

use secrecy::SecretString;
use tonnage_domain::secrets::Value;
use tonnage_domain::secrets::create_secret::Stored;
use tonnage_domain::secrets::delete_secret::DeleteSecret;
use tonnage_domain::secrets::put_secret_value::PutSecretValue;
use tonnage_domain::secrets::restore_secret::RestoreSecret;
use tonnage_domain::secrets::tags::{TagSecret, UntagSecret};

use super::table::race;
use super::{Act, Race, act, act_with};
use crate::registry::resource_tags;
use crate::secrets::{create, id, token};

pub(super) fn races() -> Vec<Race> {
    vec![
        race(make("new", "a"), make("new", "b")),
        race(make("kept", "a"), delete(true)),
        race(put("a", "one"), put("b", "two")),
        race(put("a", "one"), put("a", "one")),
        race(put("a", "one"), put("a", "two")),
        race(put("a", "one"), delete(false)),
        race(put("a", "one"), delete(true)),
        race(delete(false), delete(false)),
        race(delete(false), restore()),
        race(tag("one"), tag("two")),
        race(tag("one"), untag("one")),
    ]
}

fn version(stored: Stored) -> String {
    stored.version.map_or("none".to_owned(), |version| version.id)
}

fn make(name: &'static str, text: &'static str) -> Act {
    act_with(move |_| create(name, text), version)
}

fn put(label: &'static str, text: &'static str) -> Act {
    let put = move |_: &_| PutSecretValue {
        id: id("kept"),
        value: Value::Text(SecretString::from(text)),
        token: Some(token(label)),
        stages: Vec::new(),
    };
    act_with(put, version)
}

fn delete(force: bool) -> Act {
    act(move |_| DeleteSecret { id: id("kept"), days: None, force })
}

fn restore() -> Act {
    act(|_| RestoreSecret { id: id("kept") })
}

fn tag(key: &'static str) -> Act {
    act(move |_| TagSecret { id: id("kept"), tags: resource_tags(&[(key, "value")]) })
}

fn untag(key: &'static str) -> Act {
    act(move |_| UntagSecret { id: id("kept"), keys: vec![key.to_owned()] })
}

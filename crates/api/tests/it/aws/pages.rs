use serde_json::{Value, json};

use crate::registry::Registry;

const MANY: usize = 250;

async fn with_repositories() -> Registry {
    let registry = Registry::open().await;
    for number in 0..MANY {
        let name = format!("team/app-{number:03}");
        registry.call("CreateRepository", &json!({"repositoryName": name})).await;
    }
    registry
}

/// Follows `nextToken` to the end, as botocore's paginators do; the length of each page.
async fn follow(registry: &Registry, max_results: Option<u32>) -> (Vec<String>, Vec<usize>) {
    let (mut names, mut pages) = (Vec::new(), Vec::new());
    let mut token: Option<Value> = None;
    loop {
        let mut input = json!({});
        if let Some(max_results) = max_results {
            input["maxResults"] = json!(max_results);
        }
        if let Some(token) = &token {
            input["nextToken"] = token.clone();
        }
        let output = registry.call("DescribeRepositories", &input).await;
        let page = output["repositories"].as_array().unwrap();
        pages.push(page.len());
        names.extend(page.iter().map(|item| item["repositoryName"].as_str().unwrap().to_owned()));
        let next = output.get("nextToken").cloned();
        assert!(next.is_none() || next != token, "the same token again");
        token = next;
        if token.is_none() {
            return (names, pages);
        }
    }
}

#[tokio::test]
async fn every_repository_is_listed_once() {
    let registry = with_repositories().await;
    let all: Vec<String> = (0..MANY).map(|number| format!("team/app-{number:03}")).collect();
    for (max_results, expected) in [
        (None, vec![100, 100, 50]),
        (Some(1000), vec![250]),
        (Some(250), vec![250]),
        (Some(249), vec![249, 1]),
        (Some(125), vec![125, 125]),
    ] {
        let (names, pages) = follow(&registry, max_results).await;
        assert_eq!(pages, expected);
        assert_eq!(names, all);
    }
}

#[tokio::test]
async fn a_token_is_good_for_its_own_listing_only() {
    let registry = Registry::open().await;
    for name in ["app", "bar"] {
        registry.call("CreateRepository", &json!({"repositoryName": name})).await;
    }
    let page = registry.call("DescribeRepositories", &json!({"maxResults": 1})).await;
    let token = page["nextToken"].as_str().unwrap();
    const INVALID: &str =
        "Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'";
    let code = "InvalidParameterException";
    let other = registry.create_account("210987654321").await;
    let input = json!({"nextToken": token});
    registry.check_error_as(&other, "DescribeRepositories", input, code, INVALID).await;
    let input = json!({"repositoryName": "app", "nextToken": token});
    registry.check_error("ListImages", input.clone(), code, INVALID).await;
    registry.check_error("DescribeImages", input, code, INVALID).await;
    for garbage in ["", "x", "bar", &token[1..], &format!("{token}A")] {
        let input = json!({"nextToken": garbage});
        registry.check_error("DescribeRepositories", input, code, INVALID).await;
    }
    let rest = registry.call("DescribeRepositories", &json!({"nextToken": token})).await;
    assert_eq!(rest["repositories"][0]["repositoryName"], "bar");
    assert_eq!(rest.get("nextToken"), None);
}

#[tokio::test]
async fn the_length_of_a_page_is_bounded() {
    let registry = Registry::open().await;
    registry
        .check_error(
            "DescribeRepositories",
            json!({"maxResults": 1001}),
            "InvalidParameterException",
            "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have \
             value less than or equal to 1000'",
        )
        .await;
    registry
        .check_error(
            "DescribeRepositories",
            json!({"maxResults": 0}),
            "InvalidParameterException",
            "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have \
             value greater than or equal to 1'",
        )
        .await;
}

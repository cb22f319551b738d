//! What the policy engine would decide.

use serde_json::{Map, Value, json};
use tonnage_domain::identities::simulation::{
    SimulateCustomPolicy, SimulatePrincipalPolicy, Simulated, Simulation,
};

use super::input::Input;
use crate::aws::Call;
use crate::aws::error::Result;

fn simulation(input: &mut Input) -> Simulation {
    let context = input.objects_or_texts("ContextEntries");
    let context = context.iter().filter_map(|entry| {
        let key = entry.get("ContextKeyName")?.as_str()?.to_owned();
        let values = entry.get("ContextKeyValues")?.as_array()?;
        let values = values.iter().filter_map(|value| Some(value.as_str()?.to_owned()));
        Some((key, values.collect()))
    });
    let owner = input.optional("ResourceOwner");
    Simulation {
        context: context.collect(),
        policies: input.list("PolicyInputList"),
        boundary: input.list("PermissionsBoundaryPolicyInputList").into_iter().next(),
        resource_policy: input.optional("ResourcePolicy"),
        actions: input.list("ActionNames"),
        resources: input.list("ResourceArns"),
        // The ARN of an account.
        resource_account: owner.and_then(|arn| Some(arn.split(':').nth(4)?.to_owned())),
        caller_arn: input.optional("CallerArn"),
    }
}

fn result(simulated: &Simulated) -> Value {
    let mut members = Map::new();
    members.insert("EvalActionName".to_owned(), simulated.action.as_str().into());
    members.insert("EvalResourceName".to_owned(), simulated.resource.as_str().into());
    members.insert("EvalDecision".to_owned(), simulated.words().into());
    let matched: Value =
        simulated.policies().iter().map(|policy| json!({"SourcePolicyId": policy})).collect();
    members.insert("MatchedStatements".to_owned(), matched);
    members.insert("MissingContextValues".to_owned(), Value::Array(Vec::new()));
    if let Some(allowed) = simulated.allowed_by_boundary {
        members.insert(
            "PermissionsBoundaryDecisionDetail".to_owned(),
            json!({"AllowedByPermissionsBoundary": allowed}),
        );
    }
    Value::Object(members)
}

fn answer(results: &[Simulated]) -> Value {
    let results: Value = results.iter().map(result).collect();
    json!({"EvaluationResults": results, "IsTruncated": false})
}

pub(super) async fn simulate_custom_policy(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let simulation = simulation(&mut input);
    Ok(answer(&call.execute(SimulateCustomPolicy { simulation }).await?))
}

pub(super) async fn simulate_principal_policy(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let source_arn = input.text("PolicySourceArn")?;
    let simulation = simulation(&mut input);
    Ok(answer(&call.execute(SimulatePrincipalPolicy { source_arn, simulation }).await?))
}

"""Terraform with a provider from a local mirror: one configuration, its state and what plans say."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any, Iterator

from .server import Server
from .tools import Output, run

PROVIDER = Path("registry.terraform.io/hashicorp/aws")

# Where Terraform itself looks for providers that were laid out beforehand, and what is usual in containers.
MIRRORS = (
    Path.home() / ".terraform.d/plugins",
    Path("/usr/local/share/terraform/plugins"),
    Path("/usr/share/terraform/plugins"),
    Path("/opt/tf-plugins"),
)

# Attributes that only the state has: no API can give them to an import.
STATE_ONLY = frozenset({"force_delete", "force_destroy", "force_overwrite_replica_secret", "recovery_window_in_days"})

# Resources that the provider cannot import.
NOT_IMPORTABLE = {"aws_iam_group_membership", "aws_iam_policy_attachment", "aws_iam_user_group_membership"}


@dataclasses.dataclass(frozen=True)
class Installation:
    """Terraform and the directory with its providers."""

    program: Path
    mirror: Path

    @staticmethod
    def find() -> Installation | str:
        """What the variables `TERRAFORM` and `TF_PLUGIN_MIRROR`, `PATH` and the usual directories have, or what is missing."""
        program = os.environ.get("TERRAFORM") or shutil.which("terraform")
        if not program:
            return "terraform is not on PATH and TERRAFORM does not name it"
        named = os.environ.get("TF_PLUGIN_MIRROR")
        for mirror in (Path(named),) if named else MIRRORS:
            if (mirror / PROVIDER).is_dir():
                return Installation(Path(program), mirror)
        return f"no mirror has {PROVIDER}; TF_PLUGIN_MIRROR may name one, else one of {[str(path) for path in MIRRORS]}"


def import_id(kind: str, values: dict[str, Any]) -> str:
    """By what the provider imports a resource."""
    joined = {
        "aws_ecr_account_setting": ("name",),
        "aws_iam_group_policies_exclusive": ("group_name",),
        "aws_iam_group_policy_attachment": ("group", "policy_arn"),
        "aws_iam_group_policy_attachments_exclusive": ("group_name",),
        "aws_iam_role_policies_exclusive": ("role_name",),
        "aws_iam_role_policy_attachment": ("role", "policy_arn"),
        "aws_iam_role_policy_attachments_exclusive": ("role_name",),
        "aws_iam_user_policies_exclusive": ("user_name",),
        "aws_iam_user_policy_attachment": ("user", "policy_arn"),
        "aws_iam_user_policy_attachments_exclusive": ("user_name",),
    }.get(kind, ("id",))
    return "/".join(str(values[name]) for name in joined)


class Terraform:
    """A working directory with a configuration, run against one server."""

    def __init__(self, installation: Installation, server: Server, source: Path, directory: Path) -> None:
        self.installation = installation
        self.directory = directory
        shutil.copytree(source, directory)
        self.environment = server.client_environment(
            PATH=os.environ["PATH"],
            CHECKPOINT_DISABLE="1",
            TF_CLI_CONFIG_FILE=os.devnull,
            TF_IN_AUTOMATION="1",
        )
        self.run("init", f"-plugin-dir={installation.mirror}")

    def run(self, *words: str, status: int | None = 0) -> Output:
        """Runs `terraform WORDS`."""
        word, *rest = words
        command = (self.installation.program, word, "-no-color", *rest)
        return run(*command, env=self.environment, cwd=self.directory, seconds=300, status=status)

    def apply(self, **variables: Any) -> Output:
        """Applies without asking."""
        return self.run("apply", "-auto-approve", "-input=false", *settings(variables))

    def plan(self, **variables: Any) -> dict[str, Any]:
        """Plans, with a refresh; the plan as JSON."""
        self.run("plan", "-input=false", "-out=plan.bin", *settings(variables))
        answer: dict[str, Any] = json.loads(self.run("show", "-json", "plan.bin").stdout)
        return answer

    def differences(self, **variables: Any) -> list[str]:
        """What the next apply would change, attribute by attribute; empty where the server has what was applied."""
        return list(changes(self.plan(**variables)))

    def destroy(self, **variables: Any) -> None:
        """Destroys everything in the state."""
        self.run("destroy", "-auto-approve", "-input=false", *settings(variables))
        assert self.resources() == [], "something is left in the state"

    def resources(self, mode: str = "managed") -> list[dict[str, Any]]:
        """The resources in the state, or with `data` the data sources."""
        state = json.loads(self.run("show", "-json").stdout)
        found = state.get("values", {}).get("root_module", {}).get("resources", [])
        return [resource for resource in found if resource["mode"] == mode]

    def outputs(self) -> dict[str, Any]:
        """The values of the outputs."""
        return {name: output["value"] for name, output in json.loads(self.run("output", "-json").stdout).items()}

    def write_imports(self, resources: list[dict[str, Any]]) -> set[str]:
        """Has the next apply import resources; the addresses of those that can be."""
        blocks = {
            resource["address"]: import_id(resource["type"], resource["values"])
            for resource in resources
            if resource["type"] not in NOT_IMPORTABLE
        }
        text = "".join(f"import {{\n  to = {to}\n  id = {json.dumps(id)}\n}}\n" for to, id in blocks.items())
        (self.directory / "imports.tf").write_text(text)
        return set(blocks)


def settings(variables: dict[str, Any]) -> list[str]:
    """Variables as options."""
    return [
        f"-var={name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in variables.items()
    ]


def changes(plan: dict[str, Any], ignored: frozenset[str] = frozenset()) -> Iterator[str]:
    """The changes of a plan, an address and its attributes a line."""
    for entry in plan.get("resource_changes", []):
        change = entry["change"]
        actions = change["actions"]
        if entry["mode"] == "managed" and actions != ["no-op"]:
            names = differing(change, ignored)
            if names or actions != ["update"]:
                yield f"{entry['address']} {'/'.join(actions)} {names}"


def differing(change: dict[str, Any], ignored: frozenset[str]) -> list[str]:
    """The attributes that a change changes."""
    before, after, unknown = (change.get(name) or {} for name in ("before", "after", "after_unknown"))
    names = {*before, *after, *(name for name, value in unknown.items() if value is True)}
    return sorted(name for name in names - ignored if before.get(name) != after.get(name))


def imports(plan: dict[str, Any]) -> set[str]:
    """The addresses that a plan imports."""
    return {entry["address"] for entry in plan["resource_changes"] if "importing" in entry["change"]}

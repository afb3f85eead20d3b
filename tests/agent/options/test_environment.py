"""Settings from variables of the environment: read like the file, and a mistake names the variable."""

from __future__ import annotations

import pytest

from agent.options import ConfigError, KindSet, convert, overlay_environment, parse_yaml
from tests.agent.options.settings import KINDS, Check, Limits, Settings


def from_environment(**environ: str) -> Settings:
    node = overlay_environment(parse_yaml("agent: {port: 80}", file="x.yaml"), environ, section="agent")
    return convert(node.get("agent"), Settings, kinds={Check: KindSet(KINDS)})


def test_a_variable_is_read_like_the_file() -> None:
    read = from_environment(
        WATCHKEEPER_AGENT__PORT="81", WATCHKEEPER_AGENT__FOR="5m", WATCHKEEPER_AGENT__LIMITS__WARNING="70"
    )
    assert read == Settings(port=81, for_s=300, limits=Limits(70, 95))


ENVIRONMENT_MISTAKES = {
    "WATCHKEEPER_AGENT__PRT": 'agent.prt: unknown key; did you mean "port"? allowed: ',
    "WATCHKEEPER_AGENT__LIMITS__WARN": (
        'agent.limits.warn: unknown key; did you mean "warning"? allowed: critical, warning'
    ),
    "WATCHKEEPER_AGENT__PORT": 'agent.port: expected a whole number, got "x"',
    "WATCHKEEPER_AGENT__LABELS": "agent.labels: expected a mapping (key: value), got text",
}


@pytest.mark.parametrize(("variable", "said"), ENVIRONMENT_MISTAKES.items())
def test_a_mistake_in_a_variable_names_it(variable: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_environment(**{variable: "x"})
    assert str(caught.value).startswith(f"{variable}: {said}")

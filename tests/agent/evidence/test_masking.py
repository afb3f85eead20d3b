"""Commands as they may be shown: what looks like a secret is masked, the rest says what is running."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.evidence.masking import masked

SECRET = "Tr0ub4dor"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("/usr/sbin/nginx -g 'daemon off;'", "/usr/sbin/nginx -g daemon off;"),
        ("java -Xmx4g -jar /opt/shop/shop.jar --port 8080", None),
        ("postgres: walwriter", None),
        ("sshd: root@pts/0", None),
        ("/usr/lib/x86_64-linux-gnu/libexec/kf5/kscreen_backend_launcher", None),
        ("backup --password=Tr0ub4dor /srv", "backup --password=*** /srv"),
        ("backup --password Tr0ub4dor /srv", "backup --password *** /srv"),
        ("backup --password 'Tr0ub4dor and Tr0ub4dor' /srv", "backup --password *** /srv"),
        ("backup '--password=Tr0ub4dor and Tr0ub4dor' /srv", "backup --password=*** /srv"),
        ("backup --no-password --verbose", None),
        ("env AWS_SECRET_ACCESS_KEY=Tr0ub4dor aws s3 ls", "env AWS_SECRET_ACCESS_KEY=*** aws s3 ls"),
        ("vault -client-token Tr0ub4dor", "vault -client-token ***"),
        ("mysql -uroot -pTr0ub4dor shop", "mysql -uroot -p*** shop"),
        ("/usr/bin/mysqldump -pTr0ub4dor shop", "/usr/bin/mysqldump -p*** shop"),
        ("ssh -p2222 host", None),
        ("curl -u me:Tr0ub4dor https://x/", "curl -u me:*** https://x/"),
        ("curl --user me:Tr0ub4dor https://x/", "curl --user me:*** https://x/"),
        ("curl https://me:Tr0ub4dor@example.org/feed", "curl https://me:***@example.org/feed"),
        ("redis-cli -u redis://:Tr0ub4dor@cache:6379", "redis-cli -u redis://:***@cache:6379"),
        (
            "curl -H 'Authorization: Bearer Tr0ub4dor' https://x/",
            "curl -H Authorization: Bearer *** https://x/",
        ),
        ("curl -H 'X-Api-Key: Tr0ub4dor' https://x/", "curl -H X-Api-Key: *** https://x/"),
        ("curl 'https://x/?a=1&token=Tr0ub4dor&b=2'", "curl https://x/?a=1&token=***&b=2"),
        ("sh -c 'PGPASSWORD=Tr0ub4dor psql -h db'", "sh -c PGPASSWORD=***"),
        ("sh -c 'cd /srv; PGPASSWORD=Tr0ub4dor psql -h db'", "sh -c cd /srv; PGPASSWORD=*** psql -h db"),
        ("sh -c 'curl -u me:Tr0ub4dor https://x/'", "sh -c curl -u me:*** https://x/"),
        ("sh -c 'x --password \"Tr0ub4dor two\" --port 1'", "sh -c x --password *** --port 1"),
        ("sh -c 'x --secret Tr0ub4dor; y'", "sh -c x --secret *** y"),
        ('node app.js \'{"password": "Tr0ub4dor"}\'', 'node app.js {"password": ***}'),
        ("tool AKIAIOSFODNN7EXAMPLE1234 x", "tool *** x"),
        ("tool 3f786850e387550fdab836ed7e6dc881de23001b", "tool ***"),
        ("tool --chart-version 1.2.3-beta.4", None),
    ],
)
def test_a_command(command: str, shown: str | None) -> None:
    arguments = shlex.split(command)
    assert masked(arguments) == (command if shown is None else shown)
    assert SECRET not in masked(arguments)


def test_nothing_is_nothing() -> None:
    assert masked([]) == ""
    assert masked([""]) == ""


names = st.sampled_from(["password", "db-password", "API_KEY", "authToken", "client_secret", "passwd"])


@given(
    name=names,
    secret=st.text(alphabet="abcxyz0189!$%^*()_+~.", min_size=1, max_size=40).map(
        lambda text: f"{SECRET}{text}"
    ),
    before=st.lists(st.sampled_from(["-v", "serve", "--port=80", "/srv/x"]), max_size=3),
    form=st.sampled_from(
        ["--{n}={s}", "--{n}|{s}", "{n}={s}", "sh -c '{n}={s} run'", "http://u:{s}@h/", "{n}: {s}"]
    ),
)
def test_a_secret_beside_its_name_is_never_shown(
    name: str, secret: str, before: list[str], form: str
) -> None:
    arguments = ["program", *before, *form.format(n=name, s=secret).split("|")]
    assert SECRET not in masked(arguments)

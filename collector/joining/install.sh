#!/bin/sh
# Installs the Watchkeeper agent on this host and lets it join the collector that this script came from:
#
#   sh watchkeeper-install.sh CODE [--name NAME] [--pin sha256:...] [--allow-plaintext] [--user] [--dry-run]
#   sh watchkeeper-install.sh [--user] [--dry-run]                 puts this collector's agent in the place of an older one
#   sh watchkeeper-install.sh --uninstall [--user] [--dry-run]     leaves nothing
#
# It is for root, or with --user for an agent of your own. It fetches one file, from this collector, and looks whether it
# is the right one before it opens it. Config, token, and what waits to be sent are kept when it is run again.
set -eu
umask 022

url=@URL@
# What there is a bundle for, and its SHA-256.
bundles='
@BUNDLES@
'

say() { printf '%s\n' "$*"; }
fail() {
    printf 'watchkeeper: %s\n' "$*" >&2
    exit 1
}

# step SENTENCE COMMAND...: say it and do it; with --dry-run only say it.
step() {
    if [ "$dry_run" ]; then
        say "would: $1"
    else
        say "$1"
        shift
        "$@"
    fi
}

code='' name='' pin='' plain='' user='' dry_run='' uninstall=''
while [ $# -gt 0 ]; do
    case $1 in
    --name | --pin)
        [ $# -ge 2 ] || fail "$1 wants a value"
        if [ "$1" = --name ]; then name=$2; else pin=$2; fi
        shift
        ;;
    --allow-plaintext) plain=--allow-plaintext ;;
    --user) user=yes ;;
    --dry-run) dry_run=yes ;;
    --uninstall) uninstall=yes ;;
    wk_join_*) code=$1 ;;
    *) fail "$1 is neither a join code nor an option; the first lines of this script say what it takes" ;;
    esac
    shift
done

# --- where things are ---------------------------------------------------------------------------------------------------

if [ "$user" ]; then
    home=${XDG_DATA_HOME:-$HOME/.local/share}/watchkeeper-agent
    etc=${XDG_CONFIG_HOME:-$HOME/.config}/watchkeeper
    state=${XDG_STATE_HOME:-$HOME/.local/state}/watchkeeper-agent
    units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
    bin=$HOME/.local/bin
else
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin # not some Python that only root can read
    home=/opt/watchkeeper-agent etc=/etc/watchkeeper state=/var/lib/watchkeeper/agent
    units=/etc/systemd/system bin=/usr/local/bin
    [ "$(id -u)" = 0 ] || [ "$dry_run" ] || fail "this is for root: put sudo before it, or use --user for an agent of your own"
    [ ! -d /opt/watchkeeper/agent ] || fail "the package watchkeeper-agent is installed here, which has all of this: watchkeeper-agent join $url CODE"
fi
config=$etc/agent.yaml unit=$units/watchkeeper-agent.service agent=$home/current/bin/watchkeeper-agent

ctl() { if [ "$user" ]; then systemctl --user "$@"; else systemctl "$@"; fi; }

has_systemd() {
    if [ "$user" ]; then
        systemctl --user show-environment >/dev/null 2>&1
    else
        [ -d /run/systemd/system ]
    fi
}

# --- removing -----------------------------------------------------------------------------------------------------------

stop() {
    if [ -e "$unit" ] && has_systemd; then ctl disable --quiet --now watchkeeper-agent || :; fi
    if [ -e "$state/agent.pid" ]; then
        pid=$(cat "$state/agent.pid")
        if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$home/"; then
            kill "$pid"
            while [ -e "/proc/$pid" ]; do sleep 0.1; done
        fi
        rm -f "$state/agent.pid"
    fi
}

say_goodbye() { timeout 20 "$agent" bye --config "$config" || :; }

remove() {
    rm -rf "$home" "$state" "$unit" "$config" "$etc/agent.token"
    [ ! -L "$bin/watchkeeper-agent" ] || rm -f "$bin/watchkeeper-agent"
    for folder in "$etc" "$(dirname "$state")"; do
        case $folder in */watchkeeper) rmdir "$folder" 2>/dev/null || : ;; esac
    done
    if has_systemd; then ctl daemon-reload; fi
    if [ -z "$user" ] && getent passwd watchkeeper-agent >/dev/null; then userdel watchkeeper-agent; fi
}

if [ "$uninstall" ]; then
    [ -d "$home" ] || fail "there is no agent in $home"
    step "stopping the agent" stop
    [ ! -e "$config" ] || step "telling the collector that this host is not watched any more" say_goodbye
    step "removing $home, $config and its token, $state${unit:+, $unit}" remove
    exit 0
fi

# --- installing ---------------------------------------------------------------------------------------------------------

[ "$code" ] || [ -e "$config" ] || fail "this host has not joined yet, and that takes a code: watchkeeper join-command, on the collector's machine, prints one"

what_it_is='import platform, sys
name = "cp" if sys.implementation.name == "cpython" and platform.libc_ver()[0] == "glibc" else "other"
print(f"{name}{sys.version_info[0]}{sys.version_info[1]}-{platform.machine()}")'

find_python() {
    found=''
    for python in python3.13 python3.12 python3.11 python3; do
        kind=$("$python" -c "$what_it_is" 2>/dev/null) || continue
        sha256=$(say "$bundles" | sed -n "s/^$kind //p")
        [ -z "$sha256" ] || return 0
        found="$found $kind"
    done
    kinds=$(say "$bundles" | sed '/^$/d; s/ .*//' | tr '\n' ' ')
    fail "this collector has no agent for this host: it brings one for ${kinds% }, and found is${found:- no Python 3}"
}

fetch() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # The checksum tells whether it is the right file, so it does not matter here who answers (-k).
    curl -fsSk --max-time 300 -o "$work/bundle.tar" "$url/install/bundle/$kind.tar" || fail "$url did not hand out $kind.tar"
    say "$sha256  $work/bundle.tar" | sha256sum -c >/dev/null 2>&1 || fail "$kind.tar is not the file that this script was made for; nothing was installed. Take a new command from the collector"
    tar -xf "$work/bundle.tar" -C "$work"
}

build() {
    rm -rf "$new"
    mkdir -p "$home"
    "$python" -m venv --without-pip "$new"
    for wheel in "$work"/*.whl; do "$python" -m zipfile -e "$wheel" "$new"/lib/python3*/site-packages; done
    "$new/bin/python" -m compileall -q "$new/lib" || :
    "$new/bin/python" -m agent --version >/dev/null || fail "the agent does not run on this host"
    cp "$work/watchkeeper-agent.service" "$new/"
    cat >"$new/bin/start" <<END
#!$new/bin/python -I
import sys
from agent.__main__ import main
sys.exit(main())
END
    chmod 755 "$new/bin/start"
    "$new/bin/start" --version >/dev/null || fail "the agent does not run on this host"
    mv "$new/bin/start" "$new/bin/watchkeeper-agent" # which says that all of it is there
}

switch() {
    ln -sfn "$new" "$home/current"
    mkdir -p "$bin"
    ln -sf "$agent" "$bin/watchkeeper-agent"
    if [ -f "$0" ] && [ "$0" != "$home/install.sh" ]; then cp "$0" "$home/install.sh"; fi
}

add_user() { useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin watchkeeper-agent; }

# The code goes by stdin, where no other process of this host can read it.
join() {
    say "$code" | "$agent" join "$url" - --config "$config" ${name:+--name "$name"} ${pin:+--pin "$pin"} $plain ${user:+--state "$state"}
}

write_unit() {
    mkdir -p "$units"
    if [ "$user" ]; then
        cat >"$unit" <<END
[Unit]
Description=Watchkeeper agent: samples this host and pushes what it saw to a collector

[Service]
Type=notify
ExecStart=$agent run --config $config
WatchdogSec=60s
Restart=always
RestartSec=2s
RestartPreventExitStatus=2

[Install]
WantedBy=default.target
END
    else
        sed "s|^ExecStart=.*|ExecStart=$agent run|" "$home/current/watchkeeper-agent.service" >"$unit"
    fi
    ctl daemon-reload
}

start() {
    ctl enable --quiet watchkeeper-agent
    ctl restart watchkeeper-agent
}

make_state() { install -d -m 700 -o watchkeeper-agent -g watchkeeper-agent "$state"; }

start_alone() {
    stop
    mkdir -p "$state"
    setsid "$agent" run --config "$config" </dev/null >>"$state/agent.log" 2>&1 &
    say $! >"$state/agent.pid"
}

remove_older() {
    for old in "$home"/cp*; do [ "$old" = "$new" ] || rm -rf "$old"; done
}

find_python
new=$home/$kind-$(say "$sha256" | cut -c 1-12)
if [ -x "$new/bin/watchkeeper-agent" ]; then
    say "this agent is in $new already"
else
    step "fetching the agent for $kind from $url" fetch
    step "making a virtualenv of its own in $new, with $(command -v "$python")" build
fi
step "$home/current is that one from now on, and $bin/watchkeeper-agent leads to it" switch
[ "$user" ] || getent passwd watchkeeper-agent >/dev/null || step "adding the system user watchkeeper-agent" add_user
[ -z "$code" ] || step "joining $url; config and token are in $etc" join
if has_systemd; then
    step "writing $unit" write_unit
    step "starting the agent, now and at each boot" start
    [ -z "$user" ] || say "it runs while you are logged in; for longer: loginctl enable-linger"
elif [ "$user" ]; then
    step "starting the agent until the next boot (systemd is not there to do it); what it says is in $state/agent.log" start_alone
    say "for each boot, add by crontab -e: @reboot $agent run --config $config"
else
    step "making $state, where the agent keeps its things" make_state
    say "there is no systemd here; have your own service manager run, as the user watchkeeper-agent: $agent run"
fi
step "removing what was there before it, if anything" remove_older
[ ! -e "$home/install.sh" ] || [ "$dry_run" ] || say "done; to be rid of it: sh $home/install.sh --uninstall${user:+ --user}"

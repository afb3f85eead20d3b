"""Which series are drawn together."""

from __future__ import annotations

from collector.web.catalog import CHARTS_MAX, plans


def test_what_belongs_together_is_one_chart() -> None:
    found = plans(["load15", "load1", "load5", "cpu_used_pct", "swap_used_pct", "memory_used_pct"])
    assert [(plan.title, [label for _, label in plan.series]) for plan in found] == [
        ("CPU", ["used"]),
        ("Load", ["1 min", "5 min", "15 min"]),
        ("Memory", ["memory", "swap"]),
    ]


def test_a_series_is_called_by_its_labels_where_they_tell_it_apart() -> None:
    (disks,) = plans(['disk_used_pct{mount="/var"}', 'disk_used_pct{mount="/"}'])
    assert [label for _, label in disks.series] == ["/", "/var"]
    (network,) = plans(['net_rx_bytes_per_s{nic="eth0"}', 'net_tx_bytes_per_s{nic="eth0"}'])
    assert [label for _, label in network.series] == ["in eth0", "out eth0"]


def test_more_than_eight_lines_become_several_charts() -> None:
    found = plans([f'disk_used_pct{{mount="/srv/{n:02}"}}' for n in range(20)])
    assert [(plan.title, len(plan.series)) for plan in found] == [
        ("Disk used, 1 of 3", 8),
        ("Disk used, 2 of 3", 8),
        ("Disk used, 3 of 3", 4),
    ]


def test_a_series_nobody_foresaw_has_a_chart_and_an_agents_lesser_ones_wait_to_be_asked_for() -> None:
    names = [
        'temperature_c{sensor="cpu"}',
        "memory_total_bytes",
        'check_state{check="x",kind="http"}',
        "agent_rss_bytes",
    ]
    assert [plan.title for plan in plans(names)] == ["temperature_c"]
    (asked,) = plans(names, "memory_total_bytes")
    assert (asked.title, asked.unit) == ("memory_total_bytes", "B")


def test_what_every_host_tells_leaves_room_for_what_only_this_one_does() -> None:
    usual = [
        "clock_synced",
        "conntrack_entries",
        "files_open",
        "logins_failed_per_s",
        "oom_kills",
        "processes",
    ]
    usual += [
        "processes_zombie",
        "threads",
        "threads_used_pct",
        "uptime_s",
        "reboot_required",
        "updates_pending",
    ]
    assert [plan.title for plan in plans([*usual, "shop_orders", "process_count"])] == [
        "process_count",
        "shop_orders",
    ]


def test_a_metric_the_host_does_not_have_is_no_chart() -> None:
    assert plans(["load1"], "load9") == []


def test_thousands_of_series_are_no_thousands_of_charts() -> None:
    assert len(plans([f"own_metric_{n}" for n in range(2_000)])) == CHARTS_MAX


def test_a_name_that_is_no_series_stands_for_itself() -> None:
    (plan,) = plans(["<script>alert(1)</script>"])
    assert plan.title == "<script>alert(1)</script>"


def test_buckets_are_not_drawn_but_when_asked_for() -> None:
    names = ['took_ms_bucket{upto="1.1"}', 'took_ms{quantile="0.95"}', "took_ms_count"]
    assert [plan.title for plan in plans(names)] == ["took_ms", "took_ms_count"]
    assert [plan.title for plan in plans(names, "took_ms_bucket")] == ["took_ms_bucket"]

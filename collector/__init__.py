"""The collector remembers and tells: all input and output around the rules.

It may import `rules` and, of the agent, `agent.wire` and `agent.options` only. Its edges (ingest, evaluator,
notifier, channels, api, web, cli, stores) never import each other: each may import `rules`, `collector.store`
(the contract) and `collector.config`, and only `collector.app` and `collector.__main__` join them.
"""

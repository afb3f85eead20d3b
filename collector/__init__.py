"""The collector remembers and tells: all input and output around the rules.

It may import `rules` and, of the agent, `agent.wire` and `agent.options` only. Its edges (ingest, evaluator, notifier,
channels, api, web, cli, stores and whatever else there is) never import each other. Each may import `rules` and the
floors: the contract of the store, the config, the desks where people have things done, and a few more, which
`tests/test_arrows.py` names. Only `collector.app` and `collector.__main__` join them.
"""

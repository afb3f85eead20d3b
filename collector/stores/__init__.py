"""Where the collector keeps what it knows: one folder per engine, each fulfilling the contract in `collector.store`."""

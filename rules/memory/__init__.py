"""What judging remembers: of all hosts (`watch`), of one (`host`), of a spool (`seen`) and of a series (`windows`)."""

"""The rules decide: they turn samples into verdicts, transitions, incidents and owed notices.

They are pure: no input, no output, no clock (`now` is always an argument), so that the same code judges the
present, replays last month and runs in a test. They import msgspec, numpy, the pure part of the standard
library and themselves; neither `agent` nor `collector`.

    model      the values that all of it is about          telling    which alerts are one incident, and its messages
    kinds      what sorts of rules there are               policy     who is told, when, and how often
    packs      the rules that come with Watchkeeper        sla        what was promised, and what was kept
    judging    what follows from a batch, or from time     capacity   what will be full, what has the wrong size
    memory     what judging remembers                      scaling    how many instances a service needs
    fleet      what is seen only over several hosts        times      calendars, cron, zones
"""

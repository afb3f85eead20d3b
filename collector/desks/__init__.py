"""Where people have things done, be it by a page, the API or a command: there is one place for each thing.

A desk sees that it may be, does it, and notes in the trail who did what; Refusal says no, StoreError not now. Some
stand here whole. Of others, which take more of the collector than its floors, here is what may be asked of them.
"""

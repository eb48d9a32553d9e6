"""Git at a safe distance: the controller asks `GitPort`, child processes run libgit2.

The parent side is `port`, `pool`, `process`, `flight` and `problems`; the child side is `child`, `remote`,
`mirror`, `tree`, `ref` and `confine`; both speak `protocol`. The child's side imports no asyncio and no
aiohttp: its start time and memory are part of the controller's.
"""
